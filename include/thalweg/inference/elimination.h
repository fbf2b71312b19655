/// @file
/// Exact answers on graphs of low width: bucket elimination (Dechter 1999, "Bucket elimination: a unifying
/// framework for reasoning") along a min-fill order. Variables leave one by one; the factors of a variable v
/// become one message over the neighbours N(v) that it has by then
///
///     m_v(y_N) = min_{y_v}  sum of the factors and messages that hold v          (or -log sum exp - )
///
/// and going back through the buckets gives the lowest answer, or, summed, every marginal (the junction tree
/// of Lauritzen and Spiegelhalter 1988 without its cliques). Chains and trees have width 1, so this is
/// dynamic programming there.
///
///     const EliminationOrder order(topology);
///     if (order.complete()) best = minimize(graph, order);         // else: order.largest() cells are too
///     many
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/energy/factor_graph.h"
#include "thalweg/inference/minimum.h"

namespace thalweg {

struct EliminationOptions {
  double most_cells = 0x1p26;  ///< of the largest table: what exceeds it stays in the graph
  Index tries = 8;             ///< orders tried on graphs of up to 2000 variables, ties broken at random
  std::uint64_t seed = 1;
};

/// In which order variables leave. Where all tables would be too large, it is a beginning of one.
class THALWEG_EXPORT EliminationOrder {
 public:
  /// Greedy: the variable that adds the fewest edges between its neighbours leaves next (min-fill), of these
  /// one with the smallest table. O(V d^2 log V) a try, for cliques of d variables.
  explicit EliminationOrder(const FactorTopology& topology, const EliminationOptions& options = {});

  std::span<const std::uint32_t> variables() const { return order_; }  ///< those that leave, the first first
  bool complete() const { return complete_; }                          ///< all of them leave
  Index width() const { return width_; }  ///< the most neighbours a variable has as it leaves
  double largest() const {
    return largest_;
  }  ///< cells of the largest table, that of the first which stays included
  double cells() const { return cells_; }  ///< of all messages, 8 bytes each

 private:
  std::vector<std::uint32_t> order_;
  Index width_ = 0;
  double largest_ = 0, cells_ = 0;
  bool complete_ = false;
};

/// The lowest answer, Exact; no labels where nothing is allowed. O(sum of cliques' cells x factors in them).
/// @throws InputError where the order is not complete, saying its width and the memory it would take
template <class R>
THALWEG_EXPORT Minimum minimize(const FactorGraph<R>& graph, const EliminationOrder& order);

/// F = -(1/beta) log sum_y exp(-beta E(y)), or +infinity. Time and errors as above.
template <class R>
THALWEG_EXPORT double free_energy(const FactorGraph<R>& graph, const EliminationOrder& order,
                                  double beta = 1);

/// F, and its gradient: parts.unary[first(v) + l] = p(y_v = l), and each table's cells become the sum over
/// its factors of p(scope = cell). Twice the time of free_energy. With F = +infinity parts are all 0.
template <class R>
THALWEG_EXPORT double marginals(const FactorGraph<R>& graph, const EliminationOrder& order, double beta,
                                const FactorParts<R>& parts);

/// min { E(y) : y_v = l } in out[first(v) + l]. @return the lowest of all
template <class R>
THALWEG_EXPORT double min_marginals(const FactorGraph<R>& graph, const EliminationOrder& order,
                                    std::span<double> out);

}  // namespace thalweg
