/// @file
/// The inner loops of chain inference behind one table of functions per instruction set. Everything here is
/// raw pointers and plain loops: chain_kernels.inl is compiled once per instruction set, and an inline
/// function of a shared header compiled there could be picked by the linker for all.
#pragma once

#include <cstddef>
#include <cstdint>

namespace thalweg {
class Histories;
}

namespace thalweg::detail {

/// The histories of a chain of higher order as arrays; energy/histories.h says what they are.
struct HistoryPass {
  std::ptrdiff_t states, stride, groups;  ///< `stride` is `states` padded; rows of the recursions have it
  const std::uint32_t *bounds, *next;     ///< [groups + 1], [groups x K]
  const std::uint32_t *start, *last;      ///< [K], [states]
  const std::uint32_t *before_offsets, *before;
};

/// One pass over one chain. Rows that the kernels own are padded to `stride` scalars.
template <class R>
struct ChainPass {
  std::ptrdiff_t length, labels, stride;
  const R* unary;              ///< [T x K] energies, unpadded
  R beta;                      ///< 1 for minimisation
  const R* tables;             ///< [P x K x stride], rows by the earlier label
  const R* transposed;         ///< [P x K x stride], rows by the later label
  const double* offsets;       ///< [P] what the prepared table p left out: the beta-scaled minimum
  const std::uint32_t* which;  ///< [T - 1] or null
  R* forward;                  ///< [T x stride]
  R* factor;                   ///< [T x stride]
  R* backward;                 ///< [T x stride]
  R* scale;                   ///< [T] what forward row t was divided by (log domain: its maximum, subtracted)
  double* base;               ///< [T / kRebase + 1] minimisation: added to the forward rows of a group
  std::ptrdiff_t table_rows;  ///< of each table: K, or as many as there are histories

  // Of a chain of higher order. `forward` and `backward` are [T x history.stride] then.
  HistoryPass history;
  R* norm;  ///< [T]
  R* row;   ///< [stride] scratch

  std::ptrdiff_t table_at(std::ptrdiff_t t) const {
    return (which ? static_cast<std::ptrdiff_t>(which[t]) : 0) * table_rows * stride;
  }
  double offset_at(std::ptrdiff_t t) const { return offsets[which ? which[t] : 0]; }
};

/// Positions between two rebasings of the minimisation's forward rows, which keeps float rows small at any
/// length.
inline constexpr std::ptrdiff_t kRebase = 16;

/// Sums over all labellings. `forward` returns -log Z (+infinity: nothing is allowed) and fills `forward`,
/// `factor` and `scale`; `backward` then assigns unary[t][j] = weight * p(y_t = j) and fills `backward`, from
/// which `pairs` adds weight * p(y_t = i, y_{t+1} = j) to pairwise[which[t]][i * K + j]. `scratch` is [K x
/// stride].
template <class R>
struct SumKernels {
  double (*forward)(const ChainPass<R>& pass);
  void (*backward)(const ChainPass<R>& pass, R weight, R* unary);
  void (*pairs)(const ChainPass<R>& pass, R weight, R* pairwise, R* scratch);
};

template <class R>
struct ChainKernels {
  std::ptrdiff_t (*stride)(std::ptrdiff_t labels);

  /// table [rows x K] -> exp(-(beta e - offset)), padded with 0, and where `transposed` is not null the other
  /// orientation of one [K x K]. Returns the offset. What is forbidden, and nothing else, becomes 0.
  double (*exponentiate)(const R* energies, std::ptrdiff_t rows, std::ptrdiff_t labels, std::ptrdiff_t stride,
                         R beta, R* table, R* transposed);
  SumKernels<R> scaled;  ///< rows are probabilities, divided by their sum at every position
  /// `scaled.forward` for tables that forbid or spread widely: NaN where it cannot vouch for the result.
  double (*checked_forward)(const ChainPass<R>& pass);
  SumKernels<R> log;  ///< rows are logarithms; tables hold -beta e padded with -infinity, offsets are 0

  /// Forward minima: forward[t][j] + base[t / kRebase] is the lowest energy of a prefix that ends in j at t.
  /// `factor` is one row of scratch, as in the next.
  void (*min_forward)(const ChainPass<R>& pass);
  /// backward[t][j] = lowest energy of what follows j at t, up to a constant per t.
  void (*min_backward)(const ChainPass<R>& pass);

  // The same for chains of higher order. Scaled sums are checked; `scratch` is [states x stride].
  SumKernels<R> history, history_log;
  void (*history_min_forward)(const ChainPass<R>& pass);
  void (*history_min_backward)(const ChainPass<R>& pass);

  /// out[j] = min over i < rows of a[i] + m[i x stride + j]: a message through a table of `labels` columns,
  /// whose rows and `out` are padded to `stride`.
  void (*min_product)(const R* a, const R* m, std::ptrdiff_t rows, std::ptrdiff_t labels,
                      std::ptrdiff_t stride, R* out);
};

/// The arrays behind `histories`.
HistoryPass history_pass(const Histories& histories, std::ptrdiff_t stride);

/// The kernels for `active_isa()`.
template <class R>
const ChainKernels<R>& chain_kernels();

}  // namespace thalweg::detail
