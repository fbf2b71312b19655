#include "thalweg/features/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"

namespace thalweg {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool is_letter(char32_t c) {
  const CharacterClass what = character_class(c);
  return what == CharacterClass::Lower || what == CharacterClass::Upper;
}

bool is_repeat(char c) { return c == '?' || c == '*' || c == '+'; }

}  // namespace

Pattern Pattern::parse(std::string_view text, std::string_view where) {
  const auto fail = [&](const char* problem, const char* mend) {
    throw InputError(where, fmt::format("the pattern {}: {}", quoted(text), problem), mend);
  };
  Pattern pattern;
  std::size_t at = 0;
  if (text.starts_with('^')) pattern.at_begin_ = true, ++at;
  while (at < text.size()) {
    if (text[at] == '$' && at + 1 == text.size()) {
      pattern.at_end_ = true;
      break;
    }
    if (is_repeat(text[at]))
      fail("nothing to repeat",
           "?, * and + stand behind one character; as themselves they are \\?, \\*, \\+");
    const bool escape = text[at] == '\\';
    if (escape && ++at == text.size()) fail("a \\ at the end", "write \\\\ for a backslash");
    const std::size_t size = character_size(text, at);
    Item item = escape ? escaped(code_point(text.substr(at, size)))
                       : Item{text[at] == '.' ? Class::Any : Class::Literal, false,
                              code_point(text.substr(at, size)), '1'};
    at += size;
    if (at < text.size() && is_repeat(text[at])) {
      if (text[at] == '+') pattern.items_.push_back(item);  // x+ is x x*
      item.repeat = text[at++] == '?' ? '?' : '*';
    }
    pattern.items_.push_back(item);
    if (pattern.items_.size() > kMaxItems) fail("too long", "64 characters are the most");
  }
  return pattern;
}

Pattern::Item Pattern::escaped(char32_t c) {
  constexpr std::u32string_view kNames = U"dluawps";
  constexpr std::array kClasses{Class::Digit, Class::Lower,       Class::Upper, Class::Letter,
                                Class::Word,  Class::Punctuation, Class::Blank};
  const std::size_t known = kNames.find(to_lower(c));
  if (known == kNames.npos) return {Class::Literal, false, c, '1'};
  return {kClasses[known], to_lower(c) != c, 0, '1'};
}

bool Pattern::matches(const Item& item, char32_t c) {
  const auto is = [&] {
    switch (item.what) {
      case Class::Any:
        return true;
      case Class::Literal:
        return c == item.literal;
      case Class::Digit:
        return character_class(c) == CharacterClass::Digit;
      case Class::Lower:
        return character_class(c) == CharacterClass::Lower;
      case Class::Upper:
        return character_class(c) == CharacterClass::Upper;
      case Class::Letter:
        return is_letter(c);
      case Class::Word:
        return character_class(c) != CharacterClass::Other;
      case Class::Punctuation:
        return c > ' ' && c < 0x7F && character_class(c) == CharacterClass::Other;
      case Class::Blank:
        return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0;
    }
    return false;
  };
  return is() != item.complement;
}

Pattern::Match Pattern::find(std::string_view text) const {
  // begins[i]: the earliest place from which items [0, i) match what ends here. Of two ways into one state
  // only the earlier can win, so this is all there is to know.
  std::array<std::size_t, kMaxItems + 1> begins, next;
  const std::size_t last = items_.size();
  begins.fill(kNone);
  Match best{kNone, 0};
  for (std::size_t at = 0;;) {
    if (!best && (at == 0 || !at_begin_)) begins[0] = std::min(begins[0], at);
    for (std::size_t i = 0; i < last; ++i)
      if (items_[i].repeat != '1') begins[i + 1] = std::min(begins[i + 1], begins[i]);
    if (begins[last] <= best.begin && begins[last] != kNone && (!at_end_ || at == text.size()))
      best = {begins[last], at - begins[last]};
    if (at == text.size()) return best;
    const std::size_t size = character_size(text, at);
    const char32_t c = code_point(text.substr(at, size));
    std::fill_n(next.begin(), last + 1, kNone);
    for (std::size_t i = 0; i < last; ++i) {
      if (begins[i] > best.begin || begins[i] == kNone || !matches(items_[i], c)) continue;
      std::size_t& to = next[items_[i].repeat == '*' ? i : i + 1];
      to = std::min(to, begins[i]);
    }
    begins = next;
    at += size;
  }
}

}  // namespace thalweg
