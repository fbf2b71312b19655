/// @file
/// The inner loops of dense linear energies, compiled once per instruction set (see inference/chain_kernels.h
/// for why it is all raw pointers): matrix products with one narrow side, [rows x D] times [D x labels].
#pragma once

#include <cstddef>
#include <cstdint>

namespace thalweg::detail {

struct DenseKernels {
  std::ptrdiff_t (*stride)(std::ptrdiff_t labels);
  /// out[r][l] -= sum_d x[r][d] * w[d][l] for r < rows. x is [rows x D], w [D x stride], out [rows x labels].
  void (*multiply)(const float* x, std::ptrdiff_t rows, std::ptrdiff_t D, const float* w,
                   std::ptrdiff_t labels, std::ptrdiff_t stride, float* out);
  /// into[d][l] -= sum_r x[r][d] * g[r][l] for begin <= d < end. g is [rows x stride], into [D x labels].
  void (*multiply_transposed)(const float* x, std::ptrdiff_t rows, std::ptrdiff_t D, std::ptrdiff_t begin,
                              std::ptrdiff_t end, const float* g, std::ptrdiff_t labels,
                              std::ptrdiff_t stride, double* into);
};

const DenseKernels& dense_kernels();

}  // namespace thalweg::detail
