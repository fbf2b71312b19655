/// @file
/// The two inner loops of sparse linear energies, compiled once per instruction set (see
/// inference/chain_kernels.h for why it is all raw pointers).
#pragma once

#include <cstddef>
#include <cstdint>

#include "thalweg/core/half.h"

namespace thalweg::detail {

struct SparseWeight {
  std::uint32_t label;
  float weight;
};

/// The same where weights are halves.
struct HalfWeight {
  std::uint16_t label;
  Half weight;
};

/// Weights in memory: rows of `stride` numbers for attributes with many labels, (label, weight) pairs for the
/// others. A row is read in whole vectors, so up to 15 numbers beyond its last label: of the next row, or of
/// what can be read behind the last.
template <class Number, class Pair>
struct WeightLayout {
  std::ptrdiff_t labels, stride, dense_rows;
  const Number* dense;
  const Pair* sparse;
};
using SparseLayout = WeightLayout<float, SparseWeight>;
using HalfLayout = WeightLayout<Half, HalfWeight>;

/// What each row reads: whole rows by number, and single pairs. Nothing that decides a loop's length has to
/// come from where the weights are, so the processor has many of their cache misses under way at once.
struct RowPlan {
  const std::ptrdiff_t* dense_offsets;
  const std::uint32_t* dense;
  const float* dense_values;
  const std::ptrdiff_t* pair_offsets;
  const std::uint32_t* pairs;
  const float* pair_values;
  bool valued;  ///< else all values are 1, and none are there
};

/// SparseLayout for those who change the weights. Lanes of a whole row that hold no weight stay 0: bit l % 32
/// of word l / 32 of its row of `masks` says which do.
struct SparseTarget {
  std::ptrdiff_t labels, stride, mask_words;
  float* dense;
  const std::uint32_t* masks;  ///< [dense rows x mask_words]
  SparseWeight* sparse;
};

/// Rows of ids with values or null.
struct SparseRows {
  const std::ptrdiff_t* offsets;
  const std::uint32_t* columns;
  const float* values;
};

/// FeatureIndex as raw arrays.
struct FeatureRows {
  const std::uint32_t* offsets;
  const std::uint32_t* labels;
};

struct SparseKernels {
  std::ptrdiff_t (*stride)(std::ptrdiff_t labels);
  /// out[(r - begin) * pitch + l] += sign * sum of the weights that row r reads, begin <= r < end. A pair
  /// whose label does not exist counts for nothing, as the layout may be that of a file.
  void (*gather)(const SparseLayout& layout, const RowPlan& plan, std::ptrdiff_t begin, std::ptrdiff_t end,
                 float sign, float* out, std::ptrdiff_t pitch);
  void (*gather_half)(const HalfLayout& layout, const RowPlan& plan, std::ptrdiff_t begin, std::ptrdiff_t end,
                      float sign, float* out, std::ptrdiff_t pitch);
  /// out[c][l] = sum over the positions p of row c of table[p][l], begin <= c < end. Both tables are [. x
  /// labels].
  void (*sum_rows)(const SparseLayout& layout, const SparseRows& positions, std::ptrdiff_t begin,
                   std::ptrdiff_t end, const float* table, float* out);
  /// into[f] -= sum over the positions p of attribute a of value * table[p][label of f], for the features f
  /// of begin <= a < end. Positions ascend in each row of `positions`.
  void (*reduce)(const SparseLayout& layout, const SparseRows& positions, const FeatureRows& features,
                 std::ptrdiff_t begin, std::ptrdiff_t end, const float* table, double* into);
  /// w += step * value * table[r - begin][l] for every weight that row r reads, begin <= r < end. Returns how
  /// much that changes |w|^2.
  double (*move)(const SparseTarget& target, const RowPlan& plan, std::ptrdiff_t begin, std::ptrdiff_t end,
                 float step, const float* table);
};

const SparseKernels& sparse_kernels();

}  // namespace thalweg::detail
