/// @file
/// A corpus as numbers: what every trainer reads. N sequences over P positions in all, one after another.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// Compressed sparse rows [rows x columns]: row r holds columns[offsets[r] .. offsets[r + 1]), each at most
/// once.
struct SparseMatrix {
  std::vector<Index> offsets{0};
  std::vector<std::uint32_t> columns;
  std::vector<float> values;  ///< Beside `columns`; empty when every entry is 1.

  Index rows() const { return static_cast<Index>(offsets.size()) - 1; }
  Index entries() const { return static_cast<Index>(columns.size()); }
  std::span<const std::uint32_t> row(Index r) const {
    return {columns.data() + offsets[r], static_cast<std::size_t>(offsets[r + 1] - offsets[r])};
  }
  /// Values of row r; empty when every entry is 1.
  std::span<const float> row_values(Index r) const {
    if (values.empty()) return {};
    return {values.data() + offsets[r], static_cast<std::size_t>(offsets[r + 1] - offsets[r])};
  }
  /// Empties it and keeps the memory.
  void clear() {
    offsets.resize(1);
    columns.clear();
    values.clear();
  }
};

/// Rows of attributes of which each distinct one is kept once, and which of them every position has.
class THALWEG_EXPORT DistinctRows {
 public:
  const SparseMatrix& rows() const { return rows_; }
  /// [positions] a row for each; meaningless where `skip` was called.
  std::span<const std::uint32_t> which() const { return which_; }
  bool empty() const { return which_.empty(); }

  /// Gives the next position a row. O(row), amortised. @param values beside `columns`, or empty: all 1
  void add(std::span<const std::uint32_t> columns, std::span<const float> values);
  void skip() { which_.push_back(0); }
  /// Empties it and keeps the memory.
  void clear();

 private:
  std::uint32_t find_or_keep_last();
  void rehash(std::size_t slots);

  SparseMatrix rows_;
  std::vector<std::uint32_t> which_;
  std::vector<std::uint64_t> hashes_;  // [rows]
  std::vector<std::uint32_t> slots_;   // open-addressed: 1 + row, or 0
};

/// Sequences as attribute ids and label ids. Sequence n covers positions [sequences[n], sequences[n + 1]).
struct Dataset {
  std::vector<Index> sequences{0};
  SparseMatrix attributes;    ///< [positions x attributes]
  std::vector<Label> labels;  ///< [positions]; kNoLabel where it is open, or not in the vocabulary
  /// [positions] the labels that each may have, ascending; an empty row: any. Empty where none is open.
  DistinctRows choices;
  /// Attributes of the pair of positions p and p + 1, from B templates with macros: many pairs have the same.
  /// Skipped where a sequence ends; empty without such templates.
  DistinctRows pairs;
  std::vector<float> vectors;         ///< [positions x vector_columns] numbers beside the attributes
  Index vector_columns = 0;           ///< 0 where there are none
  std::vector<double> weights;        ///< [N] how much each sequence counts, finite and > 0; empty: 1 each
  std::vector<double> class_weights;  ///< [K] how much labels count (learning/class_weights.h); empty: 1 each
  std::string source;                 ///< the file, for errors; empty where there is none
  std::vector<std::uint64_t>
      lines;  ///< [N] where each sequence's first token stands there (0: nowhere), or empty

  Index size() const { return static_cast<Index>(sequences.size()) - 1; }
  Index positions() const { return sequences.back(); }
  std::span<const Label> answer(Index n) const {
    return {labels.data() + sequences[n], static_cast<std::size_t>(sequences[n + 1] - sequences[n])};
  }
  double weight(Index n) const { return weights.empty() ? 1.0 : weights[static_cast<std::size_t>(n)]; }
  /// Of all sequences: their number where none has a weight.
  double total_weight() const {
    return weights.empty() ? static_cast<double>(size())
                           : std::accumulate(weights.begin(), weights.end(), 0.0);
  }
  /// Whether the answer leaves something open. @pre every label is known or has a choice
  bool is_open(Index n) const {
    const auto y = answer(n);
    return !choices.empty() && std::find(y.begin(), y.end(), kNoLabel) != y.end();
  }
  /// Calls use(l) for each of K labels that position p may have; none where its label is not in the
  /// vocabulary.
  template <class Use>
  void each_choice(Index p, Index K, Use use) const {
    const Label known = labels[static_cast<std::size_t>(p)];
    if (known != kNoLabel) return use(known);
    if (choices.empty()) return;
    const auto row = choices.rows().row(choices.which()[static_cast<std::size_t>(p)]);
    for (Label l : row) use(l);
    for (Label l = 0; row.empty() && l < static_cast<Label>(K); ++l) use(l);
  }
  /// The same as a table [T x K] of 0 and 1, of sequence n.
  Table<const std::uint8_t> allowed(Index n, Index K, TableBuffer<std::uint8_t>& storage) const {
    const Table<std::uint8_t> table = storage.resize(sequences[n + 1] - sequences[n], K);
    for (Index t = 0; t < table.rows; ++t)
      each_choice(sequences[n] + t, K, [&](Label l) { table[t][l] = 1; });
    return table;
  }
  Table<const float> vector_table() const {
    return {vectors.data(), vector_columns > 0 ? positions() : 0, vector_columns};
  }
  /// Empties it and keeps the memory.
  void clear() {
    sequences.resize(1);
    attributes.clear();
    labels.clear();
    choices.clear();
    pairs.clear();
    vectors.clear();
    lines.clear();
    weights.clear();
  }
};

/// For errors: `file:line` of the t-th token of sequence n, or its numbers where there is no file.
THALWEG_EXPORT std::string place(const Dataset& data, Index n, Index t);

/// Takes sequences out, with all that belongs to them. @param drop [N] nonzero: that one
THALWEG_EXPORT void drop_sequences(Dataset& data, std::span<const std::uint8_t> drop);

}  // namespace thalweg
