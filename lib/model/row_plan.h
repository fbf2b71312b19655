/// @file
/// Which rows and pairs of weights each position reads (sparse_kernels.h says why).
#pragma once

#include <cstdint>

#include "model/sparse_kernels.h"
#include "thalweg/features/dataset.h"

namespace thalweg::detail {

/// Where attributes have their weights: those below `dense_rows` whole rows, attribute a of the others the
/// pairs [offsets[a], offsets[a + 1]).
struct RowLayout {
  const std::uint32_t* offsets;
  Index dense_rows;
};

struct Plan {
  SparseMatrix rows, pairs;

  /// Appends a row for each of the rows [begin, end) of `attributes`.
  void add(const RowLayout& layout, const SparseMatrix& attributes, Index begin, Index end);
  void clear() { rows.clear(), pairs.clear(); }
  RowPlan raw() const;

 private:
  void resize(Index row_count, Index pair_count, bool valued);
};

}  // namespace thalweg::detail
