/// @file
/// Lower bounds, and answers near them, for graphs of any shape: sequential tree-reweighted message passing
/// (TRW-S, Kolmogorov 2006, "Convergent tree-reweighted message passing for energy minimization"), for
/// factors of more than two variables in the form of Kolmogorov 2015 ("A new look at reweighted message
/// passing"; his SRMP with messages to single variables). Messages move energy between factors and variables
/// and change no answer's energy:
///
///     E(y) = sum_v (unary_v + sum_f m_fv)(y_v) + sum_f (table_f - sum_v m_fv)(y_f),
///
/// so the sum of all minima is a lower bound, whatever the messages. A pass visits the variables in order: v
/// takes from each factor with an earlier variable the minimum over the others, and gives each one with a
/// later variable an equal share of what it has then. Passes alternate in direction; their bounds do not
/// fall, but for rounding. On trees they reach the lowest energy.
///
///     ReweightedMessages<float> messages(graph);
///     const Minimum best = messages.minimize({.passes = 200});   // best.lower_bound <= E* <= best.energy
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "thalweg/core/aligned.h"
#include "thalweg/core/export.h"
#include "thalweg/energy/factor_graph.h"
#include "thalweg/inference/minimum.h"

namespace thalweg {

struct ReweightedProgress {
  Index passes = 0;        ///< back and forth count as one
  double lower_bound = 0;  ///< as the passes know it, in the graph's precision
  double energy = 0;       ///< of the best answer so far
};

struct ReweightedOptions {
  Index passes = 1000;
  double seconds = kInfinity<double>;  ///< of wall clock
  /// Stop when the gap is at most so much of 1 + |E|, or a pass lifts the bound by less than a hundredth of
  /// it.
  double tolerance = 1e-6;
};

/// Holds the messages of one graph, so that it can go on where it was. Memory: a copy of the tables of pairs
/// in both orientations and one number for each state of each variable of each factor.
template <class R>
class THALWEG_EXPORT ReweightedMessages {
 public:
  /// @param graph its arrays must outlive this. @throws InputError as `check`
  explicit ReweightedMessages(const FactorGraph<R>& graph);

  /// Back and forth over all variables. O(cells of all factors). @return a lower bound up to rounding of R;
  /// +infinity: nothing is allowed
  double pass();
  /// What the messages prove, summed in double.
  double lower_bound() const;
  /// An answer, variables in order, each the lowest given those before it and the messages of those behind.
  void decode(std::span<Label> y) const;
  /// The energies of the states of v with all that its factors told it: at the fixed point, min-marginals of
  /// the relaxation. [states]
  std::span<const R> belief(Index v) const;

  /// Passes until one of the options stops it. Answers are improved by single changes (iterated conditional
  /// modes). Guarantee: Bounded, or Exact where the bound is met.
  using Callback = std::function<bool(const ReweightedProgress&)>;  ///< false stops
  Minimum minimize(const ReweightedOptions& options = {}, const Callback& callback = {});

 private:
  enum class Direction { Forward, Backward };
  struct Place {
    std::uint32_t factor, slot;
    Index message;     // where its message begins
    bool first, last;  // whether v is the first or last variable of the factor
  };
  std::span<const Place> places(Index v) const;
  double sweep(Direction direction);
  double visit(Index v, Direction direction);
  void collect(const Place& place, R* out);
  void collect_pair(Index f, Index slot, R* out);
  void collect_any(Index f, Index slot, R* out);

  FactorGraph<R> graph_;
  std::vector<Index> offsets_;  // [V + 1] into places_
  std::vector<Place> places_;
  std::vector<Index> message_;  // [F] where the messages of a factor begin
  std::vector<R> messages_;
  std::vector<Index> oriented_;  // [tables] where the padded copy of a pair's table begins, and its transpose
  AlignedVector<R> pairs_;
  std::vector<R> sum_, negated_, row_;
  mutable std::vector<R> belief_;
};

}  // namespace thalweg
