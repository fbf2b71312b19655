/// @file
/// Pairwise tables made ready for the kernels, once for all chains that share them.
#pragma once

#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/energy/histories.h"

namespace thalweg {

/// Padded copies of P tables [K x K] in both orientations, or of [S x K] in one where chains have histories;
/// for sums at one beta, exponentiated. After `prepare_*` it is const and may be shared between threads. O(P
/// S K) time and memory.
///
/// Sums run on rows of probabilities, rescaled at each position. Let r be the largest beta-scaled spread of a
/// table. Two labels at one position differ in their messages by at most exp(r), so a probability that
/// underflows was worth less than exp(2 r - 87) of the total in float (exp(2 r - 708) in double): exact to
/// rounding for *any* unary energies while r <= 30 (300). That is `Scaled`.
///
/// Beyond, and with forbidden pairs, nothing bounds what an underflow is worth, so the forward pass checks at
/// every position that each probability is either a true zero or far from underflow (`Checked`; the bound
/// stands in lib/inference/chain_kernels.inl), as it does with histories. The rare sequence that fails, by
/// energies some sixty (six hundred) over beta apart, is done again in rows of logarithms, exact for any
/// energies at about ten times the cost.
template <class R>
class THALWEG_EXPORT Couplings {
 public:
  enum class Domain { Minima, Scaled, Checked };

  /// For minimisation. @pre pairwise is [P x S*K]; P may be 0 for chains of at most one position. `histories`
  /// outlive the use of this.
  void prepare_minima(Table<const R> pairwise, Index labels, const Histories* histories = nullptr);
  /// One entry of what prepare_minima saw is `energy` now. O(1). @pre no histories
  void set_minimum(Index table, Index i, Index j, R energy) {
    tables_[static_cast<std::size_t>((table * rows_ + i) * stride_ + j)] = energy;
    transposed_[static_cast<std::size_t>((table * rows_ + j) * stride_ + i)] = energy;
  }
  /// For sums at inverse temperature `beta`. @pre beta > 0, and as above
  void prepare_sums(Table<const R> pairwise, Index labels, R beta, const Histories* histories = nullptr);

  Domain domain() const { return domain_; }
  Index labels() const { return labels_; }
  Index stride() const { return stride_; }              ///< of the rows of tables
  Index states() const { return rows_; }                ///< rows of a table: S, or K
  Index state_stride() const { return state_stride_; }  ///< of the rows of the recursions
  R beta() const { return beta_; }
  const R* tables() const { return tables_.data(); }
  const R* transposed() const { return transposed_.data(); }
  const double* offsets() const { return offsets_.data(); }
  const R* log_tables() const { return log_tables_.data(); }  ///< -beta e; `Checked` only, as the next
  const R* log_transposed() const { return log_transposed_.data(); }

 private:
  void resize(Table<const R> pairwise, Index labels, const Histories* histories);
  void copy(Table<const R> pairwise, R factor, R fill, std::vector<R>& tables,
            std::vector<R>& transposed) const;

  Domain domain_ = Domain::Minima;
  Index labels_ = 0, stride_ = 0, rows_ = 0, state_stride_ = 0;
  bool both_ = true;  // orientations
  R beta_ = 1;
  std::vector<R> tables_, transposed_, log_tables_, log_transposed_;
  std::vector<double> offsets_;
};

}  // namespace thalweg
