/// @file
/// Sums over all labellings of a chain (the forward-backward algorithm, Baum 1972): the workspace behind the
/// free functions of inference/chain.h. One per thread; once warm it allocates nothing.
#pragma once

#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/random.h"
#include "thalweg/energy/chain.h"
#include "thalweg/inference/couplings.h"

namespace thalweg {

namespace detail {
template <class R>
struct ChainPass;
}

/// Call `forward` first; the rest then answers about that chain, whose tables must still stand. O(T K^2) each
/// where not said otherwise, O(T K) memory. With p(y) = exp(-beta E(y)) / Z.
template <class R>
class THALWEG_EXPORT SumProduct {
 public:
  /// F = -(1/beta) log sum_y exp(-beta E(y)), or +infinity where nothing is allowed; then nothing else may be
  /// asked.
  /// @pre `couplings.prepare_sums` saw the tables of `chain`, and outlives the use of this result.
  double forward(const Chain<R>& chain, const Couplings<R>& couplings);
  /// Whether that went by logarithms (inference/couplings.h), as few chains should.
  bool in_logarithms() const { return logs_; }

  /// The gradient of F with respect to the part energies: assigns parts.unary[t][j] = weight * p(y_t = j) and
  /// adds weight * p(y_t = i, y_{t+1} = j) to the pairwise tables.
  void marginals(R weight, const ChainParts<R>& parts);

  /// The unary half of it. out is [T x K].
  void unary_marginals(Table<R> out);

  /// Draws y [T] from p exactly, from the end of the chain to its start. O(T K).
  void sample(Rng& rng, std::span<Label> y);

  /// p(y_t is allowed for every t of the window that starts at `begin`); row s of `allowed` [window x K]
  /// speaks of position begin + s. The probability of a labelled span, say, with the position after it held
  /// to what does not continue it. O(window K^2), after a first call that is O(T K^2).
  double probability(Index begin, Table<const std::uint8_t> allowed);

 private:
  void backward(R weight, R* unary);
  const R* tables() const { return logs_ ? couplings_->log_tables() : couplings_->tables(); }
  const R* transposed() const { return logs_ ? couplings_->log_transposed() : couplings_->transposed(); }
  detail::ChainPass<R> pass();
  Index table_at(Index t) const { return chain_.which.empty() ? 0 : static_cast<Index>(chain_.which[t]); }
  double after(Index t, State s, Label l) const;
  double scaled_probability(Index begin, Table<const std::uint8_t> allowed);
  double log_probability(Index begin, Table<const std::uint8_t> allowed);

  Chain<R> chain_;
  const Couplings<R>* couplings_ = nullptr;
  bool backward_done_ = false, logs_ = false;
  std::vector<R> forward_, factor_, backward_, scale_, scratch_;
  std::vector<R> norm_, row_;  // of chains with histories
  std::vector<double> message_, next_, terms_;
  std::vector<State> states_;
};

}  // namespace thalweg
