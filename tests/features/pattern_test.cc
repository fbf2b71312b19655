#include "thalweg/features/pattern.h"

#include <string>

#include "support/catch.h"
#include "support/message.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"
#include "thalweg/features/featurizer.h"

using namespace thalweg;

namespace {

// What a pattern finds, in brackets where it is found.
std::string found(std::string_view pattern, std::string_view text) {
  const Pattern::Match match = Pattern::parse(pattern).find(text);
  if (!match) return "no";
  return std::string(text.substr(0, match.begin)) + "[" + std::string(text.substr(match.begin, match.size)) +
         "]" + std::string(text.substr(match.begin + match.size));
}

// The referee: tries everything. items is a pattern of a, b, . with ?, *, + alone; true where all of text
// matches.
bool matches_whole(std::string_view items, std::string_view text) {
  if (items.empty()) return text.empty();
  const char repeat = items.size() > 1 ? items[1] : '1';
  const bool special = repeat == '?' || repeat == '*' || repeat == '+';
  const std::string_view rest = items.substr(special ? 2 : 1);
  const bool first = !text.empty() && (items[0] == '.' || items[0] == text[0]);
  if (!special) return first && matches_whole(rest, text.substr(1));
  if (repeat != '+' && matches_whole(rest, text)) return true;
  if (!first) return false;
  if (repeat == '?') return matches_whole(rest, text.substr(1));
  return matches_whole(std::string(1, items[0]) + "*" + std::string(rest), text.substr(1));
}

std::vector<std::string> attributes(const char* templates, std::initializer_list<std::string_view> row) {
  Corpus corpus;
  corpus.add_token({row.begin(), row.size()});
  corpus.end_sentence();
  AttributeBuffer buffer;
  Featurizer(TemplateSet::parse(templates, "tpl"), Boundary::Marks).attributes(corpus[0], buffer);
  return {buffer.names(0).begin(), buffer.names(0).end()};
}

}  // namespace

TEST_CASE("patterns find what they say", "[features][pattern]") {
  CHECK(found("", "abc") == "[]abc");
  CHECK(found("b", "abcb") == "a[b]cb");
  CHECK(found("x", "abc") == "no");
  CHECK(found("^b", "abc") == "no");
  CHECK(found("c$", "abcc") == "abc[c]");
  CHECK(found("^$", "") == "[]");
  CHECK(found("^$", "a") == "no");
  CHECK(found("^.?.?.?.?", "Lindqvist") == "[Lind]qvist");
  CHECK(found(".?.?.?$", "Lindqvist") == "Lindqv[ist]");
  CHECK(found(".?.?.?$", "é") == "[é]");
  CHECK(found("^\\u\\u*$", "NATO") == "[NATO]");
  CHECK(found("^\\u\\u*$", "NATo") == "no");
  CHECK(found("\\d+", "a12b345") == "a[12]b345");
  CHECK(found("\\d*", "a12") == "[]a12");  // first, then longest
  CHECK(found("\\p", "can't") == "can[']t");
  CHECK(found("\\l+\\u", "iPhone") == "[iP]hone");
  CHECK(found("\\L+", "abC1.d") == "ab[C1.]d");
  CHECK(found("^\\w+$", "Ünder9") == "[Ünder9]");
  CHECK(found("\\A", "abc1") == "abc[1]");
  CHECK(found("a\\s.", "a b") == "[a b]");
  CHECK(found("\\S+", " ab ") == " [ab] ");
  CHECK(found("\\.\\*\\?\\\\", "a.*?\\") == "a[.*?\\]");
  CHECK(found("a^$b", "a^$b") == "[a^$b]");
  CHECK(found("é+", "cafééé") == "caf[ééé]");
}

TEST_CASE("patterns agree with trying everything", "[features][pattern]") {
  Rng rng(4);
  for (int round = 0; round < 20000; ++round) {
    std::string pattern, text;
    for (std::uint64_t i = 0, n = rng.below(5); i < n; ++i) {
      pattern += "ab."[rng.below(3)];
      if (rng.below(2)) pattern += "?*+"[rng.below(3)];
    }
    for (std::uint64_t i = 0, n = rng.below(7); i < n; ++i) text += "ab"[rng.below(2)];
    const bool begin = rng.below(3) == 0, end = rng.below(3) == 0;
    std::string want = "no";
    for (std::size_t from = 0; from <= (begin ? 0 : text.size()) && want == "no"; ++from) {
      for (std::size_t to = text.size() + 1; to-- > from && want == "no";) {
        if (end && to < text.size()) break;
        if (matches_whole(pattern, text.substr(from, to - from)))
          want = text.substr(0, from) + "[" + text.substr(from, to - from) + "]" + text.substr(to);
      }
    }
    CAPTURE(pattern, text, begin, end);
    REQUIRE(found((begin ? "^" : "") + pattern + (end ? "$" : ""), text) == want);
  }
}

TEST_CASE("a hostile pattern ends", "[features][pattern]") {
  std::string pattern;
  for (int i = 0; i < 32; ++i) pattern += "a?";
  for (int i = 0; i < 30; ++i) pattern += "a*";
  const std::string text(100000, 'a');
  CHECK(Pattern::parse(pattern + "b").find(text).begin == std::string_view::npos);
  CHECK(Pattern::parse(pattern).find(text).size == text.size());
}

TEST_CASE("patterns that make no sense are refused", "[features][pattern]") {
  const auto refusal = [](std::string_view text) {
    return message_of<InputError>([&] { Pattern::parse(text, "tpl:1"); });
  };
  CHECK_THAT(refusal("*a"), ContainsSubstring("nothing to repeat"));
  CHECK_THAT(refusal("a*+"), ContainsSubstring("nothing to repeat"));
  CHECK_THAT(refusal("^?"), ContainsSubstring("nothing to repeat"));
  CHECK_THAT(refusal("ab\\"), ContainsSubstring("a \\ at the end"));
  CHECK_THAT(refusal(std::string(65, 'a')), ContainsSubstring("too long"));
  CHECK_THAT(refusal(std::string(33, 'a') + std::string(31, 'b') + "+"), ContainsSubstring("tpl:1"));
}

TEST_CASE("tests, matches and lower case in templates", "[features][pattern][templates]") {
  CHECK(attributes("U1:%t[0,0,\"\\d\"]\nU2:%t[0,1,\"^N\"]\nU3:%T[0,0,\"\\u\"]", {"Mc9", "NN"}) ==
        std::vector<std::string>{"U1:true", "U2:true", "U3:true"});
  CHECK(attributes("U1:%m[0,0,\"\\u\\l*$\"]/%M[0,0,\"\\u\\l*$\"]\nU2:%m[0,0,\"\\d+\"]|\nU3:%X[0,0]",
                   {"McDon"}) == std::vector<std::string>{"U1:Don/don", "U2:|", "U3:mcdon"});
  CHECK(attributes("U:%m[0,0,\"\\\".\"]", {"a\"b"}) == std::vector<std::string>{"U:\"b"});
  CHECK(attributes("U:%t[-1,0,\"x\"]", {"a"}) == std::vector<std::string>{"U:_B-1"});  // marks are no cells
  const auto refusal = [](std::string_view text) {
    return message_of<InputError>([&] { TemplateSet::parse(text, "tpl"); });
  };
  CHECK_THAT(refusal("U:%t[0,0]"), ContainsSubstring("write %t[row,column,\"pattern\"]"));
  CHECK_THAT(refusal("U:%t[0,0,abc]"), ContainsSubstring("'\"' expected at column 10"));
  CHECK_THAT(refusal("U:%m[0,0,\"abc]"), ContainsSubstring("'\"' expected at column 15"));
  CHECK_THAT(refusal("U:%m[0,0,\"abc\\\"]"), ContainsSubstring("expected at column"));
  CHECK_THAT(refusal("U\nU:%m[0,0,\"**\"]"), ContainsSubstring("tpl:2: the pattern '**': nothing to repeat"));
}
