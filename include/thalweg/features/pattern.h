/// @file
/// The small regular expressions of Wapiti's templates: tests and cuttings of one cell.
///
///     Pattern::parse("^\\u\\l+$").find("Amery")     // {0, 5}
///
/// A sequence of characters, each of which may be followed by ? (at most once), * (any number) or + (once or
/// more):
///
///     .          any character                \d  digit       \l  lower case      \u  upper case
///     \x         the character x itself       \a  letter      \w  letter or digit
///                where it is no class         \p  punctuation \s  blank
///     other      itself                       \D \L \U \A \W \P \S  anything else
///
/// ^ at the beginning and $ at the end tie the match to those of the text; elsewhere they are themselves.
/// There are no groups and no alternatives. Letters are those whose case `character_class` knows, and digits
/// and punctuation those of ASCII.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// Immutable and thread-safe. Matching follows all possibilities at once (Thompson 1968) instead of trying
/// one after another, so no pattern takes more than O(text * pattern) on any text.
class THALWEG_EXPORT Pattern {
 public:
  static constexpr std::size_t kMaxItems = 64;  ///< Characters, where x+ counts as x and x*.

  /// Bytes [begin, begin + size) of a text; begin is npos where there is no match.
  struct Match {
    std::size_t begin, size;
    explicit operator bool() const { return begin != std::string_view::npos; }
  };

  /// @throws InputError at `where`: a ?, * or + with nothing to repeat, a \ at the end, or too long.
  static Pattern parse(std::string_view text, std::string_view where = "pattern");

  /// Of the matches that begin first, the longest. It allocates nothing.
  Match find(std::string_view text) const;

 private:
  enum class Class : unsigned char { Any, Literal, Digit, Lower, Upper, Letter, Word, Punctuation, Blank };
  struct Item {
    Class what;
    bool complement;
    char32_t literal;
    char repeat;  // 1, ? or *
  };
  static Item escaped(char32_t c);
  static bool matches(const Item& item, char32_t c);

  std::vector<Item> items_;
  bool at_begin_ = false, at_end_ = false;
};

}  // namespace thalweg
