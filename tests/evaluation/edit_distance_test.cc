#include "thalweg/evaluation/edit_distance.h"

#include <string>
#include <tuple>

#include "support/catch.h"
#include "thalweg/core/random.h"

using namespace thalweg;

namespace {

ErrorRate errors(std::string_view reference, std::string_view hypothesis) {
  return edit_errors<char>(reference, hypothesis);
}

std::tuple<Index, Index> cost(const ErrorRate& e) { return {e.errors(), e.insertions + e.deletions}; }

// Tries every alignment.
ErrorRate exhaustive(std::string_view a, std::string_view b) {
  const Index n = static_cast<Index>(a.size()), m = static_cast<Index>(b.size());
  if (n == 0 || m == 0) return {0, m, n, n};
  ErrorRate aligned = exhaustive(a.substr(1), b.substr(1));
  aligned.substitutions += a[0] != b[0];
  ErrorRate inserted = exhaustive(a, b.substr(1)), deleted = exhaustive(a.substr(1), b);
  ++inserted.insertions, ++deleted.deletions;
  ErrorRate best = aligned;
  for (const ErrorRate& other : {inserted, deleted}) {
    if (cost(other) < cost(best)) best = other;
  }
  best.reference = n;
  return best;
}

}  // namespace

TEST_CASE("edits of known pairs", "[evaluation][edit]") {
  CHECK(errors("", "") == ErrorRate{});
  CHECK(errors("kitten", "sitting") == ErrorRate{2, 1, 0, 6});
  CHECK(errors("sitting", "kitten") == ErrorRate{2, 0, 1, 7});
  CHECK(errors("abc", "") == ErrorRate{0, 0, 3, 3});
  CHECK(errors("", "abc") == ErrorRate{0, 3, 0, 0});
  CHECK(errors("ab", "ba") == ErrorRate{2, 0, 0, 2});  // not one insertion and one deletion
  CHECK(edit_distance<int>(std::vector{1, 2, 3}, std::vector{1, 3, 4, 5}) == 3);
}

TEST_CASE("edits agree with trying every alignment", "[evaluation][edit]") {
  Rng rng(3);
  for (int n = 0; n < 400; ++n) {
    std::string a(rng.below(7), ' '), b(rng.below(7), ' ');
    for (char& c : a) c = static_cast<char>('a' + rng.below(3));
    for (char& c : b) c = static_cast<char>('a' + rng.below(3));
    INFO(a << " -> " << b);
    CHECK(errors(a, b) == exhaustive(a, b));
  }
}

TEST_CASE("rates add up over lines", "[evaluation][edit]") {
  ErrorRate total;
  CHECK(total.percent() == 0);
  total += errors("abcd", "abxd");
  total += errors("ab", "abc");
  total += errors("abcd", "abc");
  CHECK(total == ErrorRate{1, 1, 1, 10});
  CHECK(total.errors() == 3);
  CHECK(total.percent() == 30);
  CHECK(errors("", "ab").percent() == 200);
  CHECK(errors("a", "abcd").percent() == 300);
}

TEST_CASE("UTF-8 is decoded, and each byte that is not is one symbol", "[evaluation][edit]") {
  const auto decoded = [](std::string_view text) {
    const auto symbols = code_points(text);
    return std::u32string(symbols.begin(), symbols.end());
  };
  const auto bytes = [](std::initializer_list<int> values) {
    std::u32string symbols;
    for (int value : values) symbols.push_back(static_cast<char32_t>(0xDC00 + value));
    return symbols;
  };
  CHECK(decoded("").empty());
  CHECK(decoded("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z") == U"a\u00E9\u20AC\U0001F600z");
  CHECK(decoded(std::string_view("\0\x7F", 2)) == std::u32string{0, 0x7F});
  CHECK(decoded("\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF") ==
        U"\u0080\u07FF\u0800\uFFFF\U00010000\U0010FFFF");
  CHECK(decoded("\xED\x9F\xBF\xEE\x80\x80") == U"\uD7FF\uE000");
  CHECK(decoded("\x80") == bytes({0x80}));
  CHECK(decoded("\xC0\x80") == bytes({0xC0, 0x80}));                      // overlong
  CHECK(decoded("\xE0\x9F\xBF") == bytes({0xE0, 0x9F, 0xBF}));            // overlong
  CHECK(decoded("\xF0\x8F\xBF\xBF") == bytes({0xF0, 0x8F, 0xBF, 0xBF}));  // overlong
  CHECK(decoded("\xED\xA0\x80") == bytes({0xED, 0xA0, 0x80}));            // a surrogate
  CHECK(decoded("\xED\xBF\xBF") == bytes({0xED, 0xBF, 0xBF}));            // a surrogate
  CHECK(decoded("\xF4\x90\x80\x80") == bytes({0xF4, 0x90, 0x80, 0x80}));  // beyond U+10FFFF
  CHECK(decoded("\xF5\xFF") == bytes({0xF5, 0xFF}));
  CHECK(decoded("\xE2\x82") == bytes({0xE2, 0x82}));  // cut short
  CHECK(decoded("\xE2\x82z") == bytes({0xE2, 0x82}) + U"z");
  CHECK(decoded("\xC3\xC3\xA9") == bytes({0xC3}) + U"\u00E9");
}

TEST_CASE("character errors count code points", "[evaluation][edit]") {
  CHECK(character_errors("na\xC3\xAFve", "naive") == ErrorRate{1, 0, 0, 5});
  CHECK(character_errors("\xE2\x82\xAC", "") == ErrorRate{0, 0, 1, 1});
  CHECK(character_errors("a b", "ab") == ErrorRate{0, 0, 1, 3});
  CHECK(character_errors("\xFF", "\xFE") == ErrorRate{1, 0, 0, 1});
  CHECK(character_errors("\xFF", "\xFF") == ErrorRate{0, 0, 0, 1});
}

TEST_CASE("word errors count words between white space", "[evaluation][edit]") {
  CHECK(words("").empty());
  CHECK(words(" \t\r\n\v\f").empty());
  CHECK(words(" the\tcat  sat\n") == std::vector<std::string_view>{"the", "cat", "sat"});
  CHECK(word_errors("the cat sat", "  the  cat\nsat ") == ErrorRate{0, 0, 0, 3});
  CHECK(word_errors("the cat sat on", "a cat on mats") == ErrorRate{3, 0, 0, 4});
  CHECK(word_errors("gr\xC3\xBC\xC3\x9F dich", "gr\xC3\xBC\xC3\x9F") == ErrorRate{0, 0, 1, 2});
}
