/// @file
/// A memory in front of a vocabulary: what was looked up once need not be spelled out again.
///
///     AttributeMemo memo(featurizer, attributes);
///     while (reader.next()) memo.look_up(reader.sentence(), data);  // as look_up_sentence
///
/// An attribute is a function of the cells that its template reads, and text repeats itself: of the words of
/// running text nearly all were there before, and of pairs and triples of parts of speech likewise. So the
/// texts of each column are numbered, pairs of numbers are numbered in turn (a triple is a pair of a pair and
/// a number), and beside each number stand the ids of the attributes of all templates that read those cells,
/// be it at other rows. Of the 19 templates of the chunking tutorials that leaves five small look-ups a
/// token.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/features/featurizer.h"

namespace thalweg {

/// One per thread. It holds at most kMost numbers of each kind and starts anew with one that is full, so its
/// memory is bounded for any input; once warm it allocates nothing.
class THALWEG_EXPORT AttributeMemo {
 public:
  static constexpr std::uint32_t kMost = 1 << 17;

  /// Both must outlive it, and the ids of the vocabulary must stay as they are.
  AttributeMemo(const Featurizer& featurizer, const Vocabulary& attributes);

  /// Appends a sentence with exactly the result of look_up_sentence. Where two templates might spell the same
  /// attribute, and with attribute rows, it is that function. @throws as look_up_sentence
  void look_up(const Sentence& sentence, Dataset& into);

 private:
  // Open addressing: a slot is key << kIdBits | id, or all ones when empty.
  class Numbers {
   public:
    std::uint32_t size() const { return size_; }
    /// The number of the key for which `same` holds too, or else the next one.
    template <class Same>
    std::uint32_t find_or_add(std::uint64_t key, Same same);
    std::uint32_t add_unfindable() { return size_++; }
    void clear(std::uint32_t reserved);

   private:
    void grow();
    std::vector<std::uint64_t> slots_;
    std::uint32_t size_ = 0, findable_ = 0;
    int shift_ = 64;
  };

  // Cells relative to an anchor: those of `parent` and one more. Without a parent it is the one of the
  // anchor's row alone, or with column kNone none at all.
  struct Cells {
    int parent, column;
    Index row;          // of the last cell
    Index first, last;  // for tokens [begin, end), anchors [begin + first, end + last) are asked for
    std::uint32_t templates = 0;
    bool cleared = false;  // for the run at hand
    Numbers table;
    std::vector<std::uint32_t> ids;      // [numbers x templates]
    std::vector<std::uint32_t> numbers;  // [anchors] of the run at hand
    std::vector<std::size_t> text_ends;  // [numbers] of a column
    std::string texts;
  };

  // Where a template finds its id for token t: in ids of the number at anchor t + shift.
  struct Place {
    std::size_t cells;
    Index shift;
    std::uint32_t member;
  };

  // Of the run at hand: the numbers from its first token on, and the template's column of `ids`.
  struct Recall {
    const std::uint32_t* numbers;
    const std::uint32_t* ids;
    std::size_t templates;
  };

  void place(const Template& one);
  int find_cells(int parent, int column, Index row, Index shift);
  const Cells& column_of(const Cells& cells) const;
  void make_room();
  static void clear(Cells& cells);
  void number(const Sentence& sentence, Index begin, Index end);
  void number_texts(const Sentence& sentence, Index begin, Cells& cells);
  void number_pairs(Cells& cells);
  static std::uint32_t number_text(Cells& cells, std::string_view text);
  bool recall(Index tokens);
  void ask(const Sentence& sentence, Index begin, Index tokens);
  void append(const Sentence& sentence, Index begin, Index tokens, Dataset& into) const;

  const Featurizer& featurizer_;
  const Vocabulary& attributes_;
  std::uint32_t first_token_ = Vocabulary::kUnknown, last_token_ = Vocabulary::kUnknown;  // __BOS__, __EOS__
  std::vector<Cells> cells_;   // parents before children
  std::vector<Place> places_;  // [templates]; empty: nothing is remembered
  Index first_row_ = 0, last_row_ = 0;

  std::vector<Recall> recalls_;     // [templates]
  std::vector<std::uint32_t> ids_;  // [tokens x templates] of the run
  std::vector<Featurizer::Request> requests_;
  FeatureScratch scratch_;
};

}  // namespace thalweg
