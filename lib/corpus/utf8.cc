#include "thalweg/corpus/utf8.h"

#include <cassert>
#include <cstdint>
#include <cstring>

namespace thalweg {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

unsigned byte(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

bool between(char32_t c, char32_t first, char32_t last) { return first <= c && c <= last; }

// Of the well-formed character that begins at `at`, or 0: table 3-7 of the Unicode standard.
std::size_t well_formed_size(std::string_view text, std::size_t at) {
  const unsigned lead = byte(text, at);
  if (lead < 0x80) return 1;
  const std::size_t size = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (size == 0 || text.size() - at < size) return 0;
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;   // no overlong forms
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;  // no surrogates, nothing too large
  if (!between(byte(text, at + 1), low, high)) return 0;
  for (std::size_t i = 2; i < size; ++i)
    if (!between(byte(text, at + i), 0x80, 0xBF)) return 0;
  return size;
}

}  // namespace

std::size_t utf8_error(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t word;
    for (; text.size() - at >= sizeof word; at += sizeof word) {
      std::memcpy(&word, text.data() + at, sizeof word);
      if (word & 0x8080808080808080u) break;
    }
    if (at == text.size()) break;
    const std::size_t size = well_formed_size(text, at);
    if (size == 0) return at;
    at += size;
  }
  return at;
}

std::size_t character_size(std::string_view text, std::size_t at) {
  assert(at < text.size());
  const std::size_t size = well_formed_size(text, at);
  return size == 0 ? 1 : size;
}

char32_t code_point(std::string_view character) {
  if (character.empty() || well_formed_size(character, 0) != character.size()) return kReplacement;
  const char32_t lead = byte(character, 0);
  if (character.size() == 1) return lead;
  char32_t c = lead & (0x7Fu >> character.size());
  for (std::size_t i = 1; i < character.size(); ++i) c = c << 6 | (byte(character, i) & 0x3F);
  return c;
}

void append_utf8(std::string& to, char32_t c) {
  if (c < 0x80) {
    to += static_cast<char>(c);
    return;
  }
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;  // bytes that follow the first
  to += static_cast<char>((0xF0u << (3 - more) & 0xFF) | c >> (6 * more));
  for (int i = more - 1; i >= 0; --i) to += static_cast<char>(0x80 | (c >> (6 * i) & 0x3F));
}

std::string quoted(std::string_view text) {
  std::size_t end = 0;
  for (int characters = 0; end < text.size() && characters < 40; ++characters)
    end += character_size(text, end);
  return std::string("'").append(text.substr(0, end)).append(end < text.size() ? "...'" : "'");
}

char32_t to_lower(char32_t c) {
  if (c < 0x80) return between(c, 'A', 'Z') ? c + 32 : c;
  const bool even = c % 2 == 0;
  if (between(c, 0xC0, 0xDE)) return c == 0xD7 ? c : c + 32;  // but for the multiplication sign
  if (between(c, 0x100, 0x17E)) {  // pairs; upper case is even in some runs, odd in others
    if (c == 0x130) return 'i';
    if (c == 0x178) return 0xFF;
    if (between(c, 0x139, 0x148) || c >= 0x179) return even ? c : c + 1;
    return even && c != 0x138 ? c + 1 : c;
  }
  if (between(c, 0x386, 0x3AB)) {
    if (c == 0x386) return 0x3AC;
    if (between(c, 0x388, 0x38A)) return c + 37;
    if (c == 0x38C) return 0x3CC;
    if (between(c, 0x38E, 0x38F)) return c + 63;
    return c >= 0x391 && c != 0x3A2 ? c + 32 : c;
  }
  if (between(c, 0x400, 0x40F)) return c + 80;
  if (between(c, 0x410, 0x42F)) return c + 32;
  if (c == 0x4C0) return 0x4CF;
  if (between(c, 0x4C1, 0x4CE)) return even ? c : c + 1;
  if (between(c, 0x460, 0x481) || between(c, 0x48A, 0x4BF) || between(c, 0x4D0, 0x52F))
    return even ? c + 1 : c;
  return c;
}

void append_lower(std::string_view text, std::string& to) {
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view character = text.substr(at, character_size(text, at));
    const char32_t c = code_point(character), lower = to_lower(c);
    if (lower == c)
      to.append(character);
    else
      append_utf8(to, lower);
    at += character.size();
  }
}

CharacterClass character_class(char32_t c) {
  if (between(c, '0', '9')) return CharacterClass::Digit;
  if (to_lower(c) != c) return CharacterClass::Upper;
  const bool lower = between(c, 'a', 'z') || (between(c, 0xDF, 0xFF) && c != 0xF7) ||
                     between(c, 0x101, 0x17F) || c == 0x390 || between(c, 0x3AC, 0x3CE) ||
                     between(c, 0x430, 0x45F) || between(c, 0x460, 0x481) || between(c, 0x48A, 0x52F);
  return lower ? CharacterClass::Lower : CharacterClass::Other;
}

}  // namespace thalweg
