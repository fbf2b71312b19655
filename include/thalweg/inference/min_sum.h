/// @file
/// Dynamic programming for the lowest labellings of a chain (Viterbi 1967): the workspace behind the free
/// functions of inference/chain.h. One per thread; once warm it allocates nothing. All operations are O(T
/// K^2) time and O(T K) memory where not said otherwise.
#pragma once

#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/energy/chain.h"
#include "thalweg/inference/couplings.h"
#include "thalweg/inference/minimum.h"

namespace thalweg {

/// Only forward minima are kept, no back-pointers: the argmin is recomputed along the one path that is read,
/// which is twice as fast at K = 45. Ties go to the lower label, read from the end of the chain.
///
/// Every member: @pre `couplings.prepare_minima` saw the tables of `chain`.
template <class R>
class THALWEG_EXPORT MinSum {
 public:
  /// Writes the lowest labelling to `y` [T] and returns its energy, or +infinity where nothing is allowed.
  double minimize(const Chain<R>& chain, const Couplings<R>& couplings, std::span<Label> y);

  /// The lowest labelling other than `excluded`, the most offending answer; +infinity where there is no
  /// other.
  double minimize_excluding(const Chain<R>& chain, const Couplings<R>& couplings,
                            std::span<const Label> excluded, std::span<Label> y);

  /// The k lowest distinct labellings, ascending; fewer where fewer are allowed. O(T K^2 + k T K) time, O(T
  /// (K + k)) memory. Each found labelling splits the set it was lowest of by the position at which another
  /// one leaves it (Lawler 1972), and the forward minima price every part exactly.
  void k_lowest(const Chain<R>& chain, const Couplings<R>& couplings, Index k, std::vector<Minimum>& found);

  /// out[t][j]: the lowest energy with label j held at t; +infinity where nothing is allowed then. [T x K]
  void min_marginals(const Chain<R>& chain, const Couplings<R>& couplings, Table<R> out);

 private:
  // A labelling not yet written out: that of `parent` after `at`, `history` there, and the lowest prefix
  // before. Labellings are written as their histories while they are found.
  struct Branch {
    double energy;
    Index parent, at;
    State history;
  };

  void forward(const Chain<R>& chain, const Couplings<R>& couplings);
  double prefix_base(Index t) const;
  void trace(const Chain<R>& chain, Index t, std::span<State> h) const;
  bool finish(const Chain<R>& chain, std::span<State> h) const;
  void price(const Chain<R>& chain, Index t, const State* next);
  void branch(const Chain<R>& chain, std::span<const State> h, Index parent, Index last, std::size_t keep);

  Index stride_ = 0;
  std::vector<R> forward_, backward_, row_, prices_;
  std::vector<double> base_;
  std::vector<Branch> branches_;  // ascending by energy
};

}  // namespace thalweg
