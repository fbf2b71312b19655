/// @file
/// The template language of CRF++ and Wapiti: which strings describe a token.
///
///     # the word before, and the pair of parts of speech
///     U01:%x[-1,0]
///     U15:%x[-1,1]/%x[0,1]
///     B
///
/// A line that begins with U makes one attribute a token: the line itself, with every macro replaced by text
/// of the sentence. `row` counts from the token at hand, `column` from 0.
///
///     %x[row,column]         the cell
///     %lower[row,column]     the cell in lower case
///     %shape[row,column]     upper case X, lower case x, digits 9, runs as one: McDonald's-97 is XxXx'x-9
///     %prefix[row,column,n]  the cell's first n characters; no attribute if it is shorter
///     %suffix[row,column,n]  its last n characters
///     %t[row,column,"re"]    true or false: whether the pattern (features/pattern.h) is found in the cell
///     %m[row,column,"re"]    what it finds there: the longest of the first matches, or nothing
///     %gazetteer[row,column,NAME]   B, I or O: whether an entry of a word list begins there, goes on, or
///                            neither (features/gazetteer.h)
///     %X, %T, %M             as %x, %t and %m, the text then in lower case, as in Wapiti
///
/// `B` asks for transitions between labels. With macros, as in `B01:%x[0,1]`, it makes an attribute of the
/// pair of a token and the one before it, and a weight belongs to the attribute and both labels. `*` (Wapiti)
/// is U and B in one. Lines that begin with # and blank ones are skipped. Two templates that differ only in
/// macros may give the same string for a token and then share a parameter; the name in front (`U01:`) keeps
/// them apart.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// What a template reads outside of the sentence.
enum class Boundary {
  Marks,  ///< `_B-1`, `_B-2` before and `_B+1`, `_B+2` after, by distance, whatever the macro (CRF++).
  None,   ///< Nothing: the template is left out; first and last token carry `__BOS__`, `__EOS__` (CRFsuite).
};

/// A macro of a template.
struct Macro {
  enum class Kind { Cell, Lower, Shape, Prefix, Suffix, Test, Match, LowerMatch, Gazetteer };
  Kind kind;
  int row;
  int column;
  int length = 0;          ///< n of a prefix or suffix.
  std::string argument{};  ///< The pattern of a test or match, the name of a gazetteer.
};

/// One attribute template: literal_0 macro_0 literal_1 macro_1 ... literal_m.
struct Template {
  std::vector<std::string> literals;  ///< [m + 1]; may be empty strings
  std::vector<Macro> macros;          ///< [m]
  std::uint64_t line = 0;             ///< Where it stood in the text.
};

class THALWEG_EXPORT TemplateSet {
 public:
  static constexpr int kMaxRow = 100;      ///< Rows reach from -kMaxRow to kMaxRow.
  static constexpr int kMaxColumn = 9999;  ///< Also the limit of n.

  /// @param where names the text in errors. @throws InputError at `where:line`: a syntax error, the same line
  /// twice, or no template at all.
  static TemplateSet parse(std::string_view text, std::string_view where);

  /// What to use without a template file, for rows of `columns` cells (the label not counted), the word in
  /// column 0: words at -2..2 and their pairs around the token, its lower-case form, prefixes and suffixes of
  /// 1 to 4 characters, shapes at -1..1; of every other column -2..2 alone, in pairs and in triples; and B.
  /// @pre columns > 0
  static TemplateSet built_in(Index columns);

  const std::vector<Template>& templates() const { return templates_; }  ///< The U and * lines, in order.
  /// The B and * lines with macros, in order.
  const std::vector<Template>& pair_templates() const { return pair_templates_; }
  bool transitions() const { return transitions_; }  ///< Whether there is a B or * line without macros.

  const std::string& where() const { return where_; }  ///< What errors call it.

  /// Columns that a row must have: one more than the largest any macro names.
  Index columns() const { return columns_; }
  /// @param columns what templates may read; in training one less than there are, since the last is the
  /// label.
  /// @throws InputError at the first template that wants more.
  void check_columns(Index columns) const;

  /// The templates in their own language, one a line, without comments: `parse` gives an equal set.
  const std::string& text() const { return text_; }

 private:
  void add_line(std::string_view line, std::uint64_t number);

  std::string where_, text_;
  std::vector<Template> templates_, pair_templates_;
  bool transitions_ = false;
  Index columns_ = 0;
};

}  // namespace thalweg
