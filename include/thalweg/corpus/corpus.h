/// @file
/// Sentences as rows of text cells, and many of them owned compactly.
///
///     Corpus corpus;
///     corpus.add({{"the", "DT"}, {"cat", "NN"}, {"sat", "VB"}});
///     for (Index n = 0; n < corpus.size(); ++n)
///       for (Index t = 0; t < corpus[n].size(); ++t) use(corpus[n].cell(t, 0));
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// A piece of a text: bytes [begin, begin + size).
struct Cell {
  std::uint32_t begin;
  std::uint32_t size;
};

/// What a file says of a sentence beside its tokens.
struct SentenceNote {
  std::uint64_t line = 0;  ///< where its first token stands, the others on the lines behind; 0: in no file
  double weight = 1;       ///< how much it counts in training, finite and > 0
};

/// A view of T tokens, each a row of at least one cell; rows may differ in length. It owns nothing and is
/// cheap to copy. A cell may carry a value beside its text: the weight of an attribute, 1 unless said
/// otherwise.
class Sentence {
 public:
  Sentence() = default;
  /// @param text      what the cells point into
  /// @param row_ends  [T]; row t is cells [row_ends[t - 1], row_ends[t]), from 0 for t = 0
  /// @param values    beside `cells`, or null when every value is 1
  Sentence(const char* text, const Cell* cells, std::span<const std::uint32_t> row_ends,
           const float* values = nullptr, SentenceNote note = {})
      : text_(text), cells_(cells), row_ends_(row_ends), values_(values), note_(note) {}

  Index size() const { return static_cast<Index>(row_ends_.size()); }  ///< T
  Index columns(Index t) const { return row_ends_[t] - row_begin(t); }
  std::string_view cell(Index t, Index column) const {
    const Cell& cell = cells_[row_begin(t) + column];
    return {text_ + cell.begin, cell.size};
  }
  float value(Index t, Index column) const { return values_ ? values_[row_begin(t) + column] : 1.0f; }
  bool has_values() const { return values_ != nullptr; }
  const SentenceNote& note() const { return note_; }

 private:
  std::uint32_t row_begin(Index t) const { return t == 0 ? 0 : row_ends_[t - 1]; }

  const char* text_ = nullptr;
  const Cell* cells_ = nullptr;
  std::span<const std::uint32_t> row_ends_;
  const float* values_ = nullptr;
  SentenceNote note_;
};

/// Owns N sentences: one arena of bytes, 8 bytes a cell, 4 a token (and 4 a cell once a value is not 1).
class THALWEG_EXPORT Corpus {
 public:
  /// Adds a token to the open sentence. Cells are UTF-8. @param values empty, or one for each cell
  /// @throws InputError if there is no cell, a value is not finite, or the sentence passes 4 GiB.
  void add_token(std::span<const std::string_view> cells, std::span<const float> values = {});
  /// Closes the open sentence. One without tokens is a sentence, too (T = 0). @param weight of its loss in
  /// training. @throws InputError unless it is finite and > 0
  void end_sentence(double weight = 1);

  /// Adds a whole sentence, one list of cells a token; or a copy of a view.
  void add(std::initializer_list<std::initializer_list<std::string_view>> tokens);
  void add(const Sentence& sentence);

  Index size() const { return static_cast<Index>(sentences_.size()); }  ///< N, without an open sentence
  double total_weight() const;                                          ///< of the sentences
  Index tokens() const { return static_cast<Index>(row_ends_.size()); }
  /// Cells of the shortest row: what templates may read. 0 without tokens.
  Index columns() const { return columns_; }
  /// The file that the lines of SentenceNote count in; empty where there is none.
  const std::string& source() const { return source_; }
  void set_source(std::string name) { source_ = std::move(name); }
  /// Valid until the next addition.
  Sentence operator[](Index n) const;

 private:
  struct Begin {
    std::size_t text = 0, cell = 0, row = 0;
    SentenceNote note{};
  };
  void begin_token(std::size_t cells);
  void add_cell(std::string_view text, float value);
  void end_token();
  std::uint32_t row_begin() const;  // of the open token
  void close();
  [[noreturn]] void fail(const char* problem, const char* mend);

  std::vector<char> text_;
  std::vector<Cell> cells_;              // relative to the sentence's text
  std::vector<std::uint32_t> row_ends_;  // relative to the sentence's cells
  std::vector<float> values_;            // beside cells_; empty while every value is 1
  std::vector<Begin> sentences_;         // where each closed sentence begins
  Begin open_;                           // where the open one begins
  Index columns_ = 0;
  std::string source_;
};

}  // namespace thalweg
