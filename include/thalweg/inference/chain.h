/// @file
/// Inference on a chain, as free functions:
///
///     y* = argmin_y E(y)            F = -(1/beta) log sum_y exp(-beta E(y))            p(y) = exp(beta (F -
///     E(y)))
///
///     Minimum best = minimize(chain);                    // best.labels, best.energy
///     double f = free_energy(chain);                      // -log Z at beta = 1
///     auto m = marginals(chain);                          // m.unary[t][j] = p(y_t = j)
///
/// Each is exact for any energies, +infinity included, and O(T K^2) time and O(T K) memory. They refuse
/// energies that are NaN or -infinity with an InputError that says where, and they allocate; a trainer keeps
/// a MinSum or SumProduct per thread and one Couplings for all sequences instead.
#pragma once

#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/random.h"
#include "thalweg/energy/chain.h"
#include "thalweg/inference/minimum.h"

namespace thalweg {

/// Expected parts of a chain at some beta, and its free energy.
template <class R>
struct ChainMarginals {
  double free_energy = kInfinity<double>;  ///< +infinity where nothing is allowed; the tables are 0 then
  TableBuffer<R> unary;                    ///< [T x K]  p(y_t = j)
  TableBuffer<R> pairwise;  ///< [P x K*K]  sum over the t with which[t] = p of p(y_t = i, y_{t+1} = j)
};

/// The lowest labelling.
template <class R>
THALWEG_EXPORT Minimum minimize(const Chain<R>& chain);

/// The lowest labelling other than `excluded`; infeasible where there is no other.
template <class R>
THALWEG_EXPORT Minimum minimize_excluding(const Chain<R>& chain, std::span<const Label> excluded);

/// The lowest of E(y) - sum_t cost[t][y_t], `cost` [T x K] being the task cost against a right answer;
/// `energy` is that difference.
template <class R>
THALWEG_EXPORT Minimum minimize_augmented(const Chain<R>& chain, Table<const R> cost);

/// [T + 1] entry d: the lowest labelling that differs from `right` at d positions. O(T^2 K^2).
template <class R>
THALWEG_EXPORT std::vector<Minimum> lowest_by_cost(const Chain<R>& chain, std::span<const Label> right);

/// The lowest relaxed answer under half the squared norm of its unary marginals (inference/sparse_map.h).
struct SparseAnswer {
  double value = kInfinity<double>;  ///< +infinity where nothing is allowed; the rest is empty then
  double gap = kInfinity<double>;    ///< at most so far above the minimum
  std::vector<Minimum> labellings;   ///< of positive weight
  std::vector<double> weights;       ///< theirs, summing to 1
};

/// @throws OptionError unless gap is finite and > 0
template <class R>
THALWEG_EXPORT SparseAnswer sparse_map(const Chain<R>& chain, double gap = 1e-9);

/// The k lowest distinct labellings, ascending. O(T K^2 + k T K).
template <class R>
THALWEG_EXPORT std::vector<Minimum> k_lowest(const Chain<R>& chain, Index k);

/// [T x K]: the lowest energy with label j held at t.
template <class R>
THALWEG_EXPORT TableBuffer<R> min_marginals(const Chain<R>& chain);

/// F at inverse temperature `beta`. @throws OptionError unless beta is finite and > 0, as an R
template <class R>
THALWEG_EXPORT double free_energy(const Chain<R>& chain, double beta = 1);

/// Expected parts, the gradient of F. @throws OptionError as above
template <class R>
THALWEG_EXPORT ChainMarginals<R> marginals(const Chain<R>& chain, double beta = 1);

/// `count` independent draws from p, none where nothing is allowed. @throws OptionError as above
template <class R>
THALWEG_EXPORT std::vector<std::vector<Label>> sample(const Chain<R>& chain, double beta, Rng& rng,
                                                      Index count);

/// The labelling that is right at most positions in expectation: at every t the label of largest marginal
/// (ties: the lower label). `energy` is its energy, possibly +infinity: it need not be an allowed labelling.
template <class R>
THALWEG_EXPORT Minimum maximum_marginals(const Chain<R>& chain, double beta = 1);

/// p(y_t allowed for every t of the window from `begin` on); `allowed` is [window x K], nonzero = allowed.
template <class R>
THALWEG_EXPORT double window_probability(const Chain<R>& chain, double beta, Index begin,
                                         Table<const std::uint8_t> allowed);

}  // namespace thalweg
