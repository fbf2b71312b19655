/// @file
/// Word lists as a source of attributes: names of places, of firms, of everything somebody has listed.
///
///     const Gazetteer towns = Gazetteer::parse("towns", "New York\nYork\nTolbeck\n", false, "towns.txt");
///     std::string marks;                              // "to New York City" -> "OBIO"
///     towns.mark(sentence, 0, 0, sentence.size(), scratch, marks);
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/corpus/corpus.h"
#include "thalweg/corpus/vocabulary.h"

namespace thalweg {

/// A list of entries of one or more words each. Immutable and thread-safe.
class THALWEG_EXPORT Gazetteer {
 public:
  static constexpr Index kMaxWords = 32;  ///< of an entry

  /// What `mark` reuses from call to call.
  struct Scratch {
    std::string key;
    std::vector<Index> lengths;
  };

  /// One entry a line, its words between blanks; empty lines are skipped.
  /// @param name  letters, digits, _ and -, at most 40: what templates call it
  /// @param lower compares in lower case
  /// @throws OptionError for a bad name; InputError at `where:line`: not UTF-8, or an entry of more than
  /// kMaxWords; InputError if there is no entry.
  static Gazetteer parse(std::string_view name, std::string_view text, bool lower, std::string_view where);

  /// Assigns to `marks` one character for each token t of [begin, end) of the sentence, of its cells in
  /// `column`. Of the longest entry that covers t (of equal ones the first): B where it begins at t, I where
  /// it began before, O where there is none. A token without that column is no word. O(tokens * words of the
  /// longest entry^2) at worst.
  void mark(const Sentence& sentence, Index column, Index begin, Index end, Scratch& scratch,
            std::string& marks) const;

  const std::string& name() const { return name_; }
  bool lower() const { return lower_; }
  Index entries() const { return entries_; }
  /// The entries, one a line, distinct: `parse` gives an equal list.
  const std::string& text() const { return text_; }

 private:
  void add(std::string_view line, std::string& key);
  Index longest_at(const Sentence& sentence, Index column, Index t, std::string& key) const;
  void append_word(std::string_view word, std::string& key) const;

  std::string name_, text_;
  bool lower_ = false;
  Index entries_ = 0, longest_ = 0;  // of words
  Vocabulary beginnings_;            // every entry cut behind every word, words joined by a blank
  std::vector<bool> whole_;          // [beginnings] whether it is an entry
};

/// Several, by name; copies share them.
using Gazetteers = std::vector<std::shared_ptr<const Gazetteer>>;

}  // namespace thalweg
