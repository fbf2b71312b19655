/// @file
/// The operations of a chain with their scratch space: what losses (learning/evaluate.h) call. One per
/// thread.
///
///     Couplings<float> couplings;                         // one for all sequences that share tables
///     prepare(loss, pairwise, K, couplings);
///     ChainOperations<float> on;
///     on.couplings = &couplings;
///     double value = evaluate(loss, Problem<Chain<float>>{chain, answer}, gradient, on);
///
/// Another structure offers the same by a type of its own with the members it has; a loss that calls one that
/// it lacks is refused by name.
#pragma once

#include <span>
#include <vector>

#include "thalweg/energy/site_energies.h"
#include "thalweg/inference/lowest_by_cost.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/inference/sparse_map.h"
#include "thalweg/inference/sum_product.h"
#include "thalweg/learning/loss.h"
#include "thalweg/learning/problem.h"

namespace thalweg {

/// The labelling at which each training example's Markov chain stands, for persistent contrastive divergence.
/// An empty one starts at the right answer. Different entries may be used from different threads.
using PersistentChains = std::vector<std::vector<Label>>;

template <class R>
struct ChainOperations {
  const Couplings<R>* couplings = nullptr;  ///< shared; prepared as the loss needs it
  std::uint64_t round = 0;                 ///< drawing losses draw anew in every round, and alike in the same
  PersistentChains* persistent = nullptr;  ///< [N] by Problem::number
  MinSum<R> minima;
  SumProduct<R> sums;
  LowestByCost<R> by_cost;
  SparseMap<R> sparse;
  std::vector<Label> labels;        ///< what the last minimisation found
  std::vector<Label> right_labels;  ///< kept by losses of open answers
  std::vector<double> site, site_weights;
  std::vector<R> site_row;
  TableBuffer<R> added, costs, augmented, held;
  TableBuffer<std::uint8_t> marked;

  double free_energy(const Chain<R>& chain) { return sums.forward(chain, *couplings); }
  void marginals(R weight, const ChainParts<R>& parts) { sums.marginals(weight, parts); }
  /// The same added to the unary parts, too.
  void add_marginals(R weight, const ChainParts<R>& parts) {
    const Table<R> unary = added.resize(parts.unary.rows, parts.unary.columns);
    sums.marginals(weight, {unary, parts.pairwise, parts.which});
    for (Index i = 0; i < unary.size(); ++i) parts.unary.data[i] += unary.data[i];
  }

  double minimize(const Chain<R>& chain) { return minima.minimize(chain, *couplings, room(chain)); }
  double minimize_excluding(const Chain<R>& chain, std::span<const Label> answer) {
    return minima.minimize_excluding(chain, *couplings, answer, room(chain));
  }
  /// The lowest labelling that `right`, the chain restricted label by label, forbids: it has some forbidden
  /// label at some position, and min-marginals tell which is the cheapest.
  double minimize_excluding(const Chain<R>& chain, const Chain<R>& right) {
    const Table<R> lowest = held.resize(chain.length(), chain.labels());
    minima.min_marginals(chain, *couplings, lowest);
    Index best = -1;
    for (Index i = 0; i < lowest.size(); ++i) {
      if (right.unary.data[i] < kInfinity<R> || !(lowest.data[i] < kInfinity<R>)) continue;
      if (best < 0 || lowest.data[i] < lowest.data[best]) best = i;
    }
    if (best < 0) return kInfinity<double>;
    std::copy_n(chain.unary.data, chain.unary.size(), lowest.data);
    R* const row = lowest[best / chain.labels()];
    const R only = lowest.data[best];
    std::fill_n(row, chain.labels(), kInfinity<R>);
    lowest.data[best] = only;
    return minimize({lowest, chain.pairwise, chain.which, chain.histories});
  }

  /// The table of a task cost against what is right, valid until the next.
  Table<const R> lower(const TaskCost& cost, const Problem<Chain<R>>& problem) {
    thalweg::lower(cost, problem.answer, shape(costs, problem.structure));
    return costs.view();
  }
  Table<const R> lower(const TaskCost& cost, const OpenProblem<Chain<R>>& problem) {
    const Table<std::uint8_t> allowed = shape(marked, problem.structure);
    for (Index i = 0; i < allowed.size(); ++i) allowed.data[i] = problem.right.unary.data[i] < kInfinity<R>;
    thalweg::lower(cost, Table<const std::uint8_t>(allowed), shape(costs, problem.structure));
    return costs.view();
  }
  /// The structure of E - factor * Delta, valid until the next.
  Chain<R> augment(const Chain<R>& chain, Table<const R> cost, double factor) {
    return thalweg::augment(chain, cost, augmented, static_cast<R>(factor));
  }

  /// [T + 1] by the number of positions whose cost is not 0.
  std::span<const double> lowest_by_cost(const Chain<R>& chain, Table<const R> cost) {
    const Table<std::uint8_t> wrong = shape(marked, chain);
    for (Index i = 0; i < wrong.size(); ++i) wrong.data[i] = cost.data[i] != 0;
    by_cost.run(chain, wrong);
    return by_cost.energies();
  }
  /// The labelling behind entry `errors`, in `labels`. Returns its energy.
  double take_by_cost(const Chain<R>& chain, Index errors) {
    by_cost.labels(errors, room(chain));
    return energy<R>(chain, labels);
  }

  double sparse_map(const Chain<R>& chain, double gap) { return sparse.solve(chain, *couplings, gap); }
  /// Adds weight * (expected parts of the last relaxed answer).
  void add_sparse(const Chain<R>& chain, double weight, const ChainParts<R>& parts) const {
    for (Index i = 0; i < sparse.size(); ++i)
      add_answer(chain, sparse.labels(i), static_cast<R>(weight * sparse.weight(i)), parts);
  }

  /// Energies of the labels at t, in `site` (energy/site_energies.h).
  void site_energies(const Chain<R>& chain, std::span<const Label> y, Index t) {
    site_row.resize(static_cast<std::size_t>(chain.labels()));
    thalweg::site_energies<R>(chain, y, t, site_row);
    site.assign(site_row.begin(), site_row.end());
  }
  void add_site(const Chain<R>& chain, std::span<const Label> y, Index t, const ChainParts<R>& parts) const {
    thalweg::add_site(chain, y, t, std::span<const double>(site_weights), parts);
  }

 private:
  std::span<Label> room(const Chain<R>& chain) {
    labels.resize(static_cast<std::size_t>(chain.length()));
    return labels;
  }
  template <class C>
  static Table<C> shape(TableBuffer<C>& table, const Chain<R>& chain) {
    return table.resize(chain.length(), chain.labels());
  }
};

/// Makes shared tables ready for what the loss will ask.
template <class R>
void prepare(const Loss& loss, Table<const R> pairwise, Index labels, Couplings<R>& couplings,
             const Histories* histories = nullptr) {
  if (const auto beta = beta_of_sums(loss)) {
    couplings.prepare_sums(pairwise, labels, static_cast<R>(*beta), histories);
  } else {
    couplings.prepare_minima(pairwise, labels, histories);
  }
}

}  // namespace thalweg
