#include "thalweg/corpus/utf8.h"

#include <vector>

#include "support/catch.h"
#include "thalweg/core/random.h"

using namespace thalweg;

namespace {

std::string encoded(char32_t c) {
  std::string text;
  append_utf8(text, c);
  return text;
}

}  // namespace

TEST_CASE("every scalar value goes to UTF-8 and back", "[corpus][utf8]") {
  Index wrong = 0;
  for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 61) {
    if (c >= 0xD800 && c < 0xE000) continue;
    const std::string text = encoded(c);
    wrong += !valid_utf8(text) || character_size(text, 0) != text.size() || code_point(text) != c;
  }
  CHECK(wrong == 0);
  CHECK(encoded(U'é') == "é");
  CHECK(encoded(U'€') == "€");
  CHECK(encoded(0x1F600) == "\xF0\x9F\x98\x80");
}

TEST_CASE("malformed UTF-8 is found where it begins, at any offset", "[corpus][utf8]") {
  const std::vector<std::string> bad = {
      "\x80",
      "\xC3",
      "\xE2\x82",
      "\xE2(\xA1",
      "\xF0\x9F\x98",
      "\xFF",  // alone, cut short, no lead byte
      "\xC0\xAF",
      "\xE0\x9F\xBF",
      "\xF0\x8F\xBF\xBF",  // overlong
      "\xED\xA0\x80",      // a surrogate
      "\xF4\x90\x80\x80",
      "\xF8\x88\x80\x80\x80",  // above U+10FFFF
  };
  for (const std::string& piece : bad) {
    for (std::size_t before = 0; before < 20; ++before) {
      const std::string text = std::string(before, 'a') + piece + std::string(before % 3, 'z');
      CHECK(utf8_error(text) == before);
    }
    CHECK(utf8_error(std::string("é").append(piece)) == 2);
  }
  CHECK(valid_utf8(""));
  CHECK(valid_utf8(std::string(1, '\0')));
}

TEST_CASE("walking over any bytes ends and never passes the end", "[corpus][utf8]") {
  Rng rng(3);
  for (int run = 0; run < 2000; ++run) {
    std::string text;
    for (std::size_t i = rng.below(12); i > 0; --i)
      text += static_cast<char>(rng.below(4) ? 0x80 + rng.below(128) : 'a');
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t size = character_size(text, at);
      REQUIRE((size >= 1 && size <= 4));
      at += size;
    }
    REQUIRE(at == text.size());
  }
  CHECK(code_point("\xFF") == 0xFFFD);
  CHECK(code_point("") == 0xFFFD);
  CHECK(code_point("ab") == 0xFFFD);
}

TEST_CASE("case and classes over the alphabets of Europe", "[corpus][utf8]") {
  const auto lower = [](std::u32string text) {
    for (char32_t& c : text) c = to_lower(c);
    return text;
  };
  CHECK(lower(U"AZ az 09 _[`{") == U"az az 09 _[`{");
  CHECK(lower(U"ÀÖØÞ×ß÷ÿ") == U"àöøþ×ß÷ÿ");
  CHECK(lower(U"ĀāĶķĸĹĺŇňŉŊŋŶŷŸŹźŽžſİı") == U"āāķķĸĺĺňňŉŋŋŷŷÿźźžžſiı");
  CHECK(lower(U"ΆΈΊΌΎΏΑΡΣΫΐας") == U"άέίόύώαρσϋΐας");
  CHECK(lower(U"ЀЏАЯабѐѠѡҀҁ҂ҊӀӁӎӏӐԮԯ") == U"ѐџаяабѐѡѡҁҁ҂ҋӏӂӎӏӑԯԯ");
  CHECK(lower(U"中€😀") == U"中€😀");
  for (char32_t c = 0; c < 0x600; ++c) {
    INFO(static_cast<unsigned>(c));
    CHECK(to_lower(to_lower(c)) == to_lower(c));
    if (to_lower(c) != c) {
      CHECK(character_class(c) == CharacterClass::Upper);
      CHECK(character_class(to_lower(c)) == CharacterClass::Lower);
      CHECK(encoded(to_lower(c)).size() <= encoded(c).size());
    }
  }
  CHECK(character_class('7') == CharacterClass::Digit);
  for (char32_t c : U"-_@ ×÷€中҂") CHECK(character_class(c) == CharacterClass::Other);
  for (char32_t c : {U'ß', U'ĸ', U'ŉ', U'ı', U'ΐ', U'ς', U'ӏ'})
    CHECK(character_class(c) == CharacterClass::Lower);
}

TEST_CASE("quotations are cut at a character", "[corpus][utf8]") {
  CHECK(quoted("") == "''");
  CHECK(quoted("a b") == "'a b'");
  std::string long_text;
  for (int i = 0; i < 41; ++i) long_text += "é";
  CHECK(quoted(long_text) == std::string("'").append(long_text.substr(0, 80)).append("...'"));
  CHECK(quoted(long_text.substr(2)) == std::string("'").append(long_text.substr(2)).append("'"));
}
