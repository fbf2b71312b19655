/// @file
/// A corpus as numbers: what every trainer reads. N sequences over P positions in all, one after another.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

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

/// Sequences as attribute ids and label ids. Sequence n covers positions [sequences[n], sequences[n + 1]).
struct Dataset {
  std::vector<Index> sequences{0};
  SparseMatrix attributes;    ///< [positions x attributes]
  std::vector<Label> labels;  ///< [positions]; kNoLabel where the label is not in the vocabulary

  Index size() const { return static_cast<Index>(sequences.size()) - 1; }
  Index positions() const { return sequences.back(); }
  std::span<const Label> answer(Index n) const {
    return {labels.data() + sequences[n], static_cast<std::size_t>(sequences[n + 1] - sequences[n])};
  }
  /// Empties it and keeps the memory.
  void clear() {
    sequences.resize(1);
    attributes.clear();
    labels.clear();
  }
};

}  // namespace thalweg
