/// @file
/// The little Unicode that templates and readers need. Text is UTF-8 everywhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "thalweg/core/export.h"

namespace thalweg {

/// Offset of the first byte that breaks well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates,
/// nothing above U+10FFFF), or `text.size()` where there is none. O(n), eight bytes at a time over ASCII.
THALWEG_EXPORT std::size_t utf8_error(std::string_view text);

inline bool valid_utf8(std::string_view text) { return utf8_error(text) == text.size(); }

/// Bytes of the character that begins at `at`, never past the end of the text. In malformed text a stray byte
/// counts as a character of its own, so a loop over any bytes ends. @pre at < text.size()
THALWEG_EXPORT std::size_t character_size(std::string_view text, std::size_t at);

/// The code point of one character as `character_size` cuts it; U+FFFD for malformed bytes.
THALWEG_EXPORT char32_t code_point(std::string_view character);

/// Appends a code point as UTF-8. @pre a scalar value: not a surrogate, at most U+10FFFF
THALWEG_EXPORT void append_utf8(std::string& to, char32_t c);

/// For messages: the text in quotes, cut to its first 40 characters.
THALWEG_EXPORT std::string quoted(std::string_view text);

/// Simple case mapping within ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic; everything else maps to
/// itself. The result never has more UTF-8 bytes than the argument.
THALWEG_EXPORT char32_t to_lower(char32_t c);

/// Appends the text, every character mapped so.
THALWEG_EXPORT void append_lower(std::string_view text, std::string& to);

enum class CharacterClass { Lower, Upper, Digit, Other };

/// By the same blocks as `to_lower`; digits are those of ASCII.
THALWEG_EXPORT CharacterClass character_class(char32_t c);

}  // namespace thalweg
