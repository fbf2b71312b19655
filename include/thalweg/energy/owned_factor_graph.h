/// @file
/// A factor graph with the arrays that it views, as readers and reductions make it.
///
///     const OwnedFactorGraph graph = read_uai("grid.uai");
///     const Reduced rest = keep_states(graph.view(), observed(*graph.topology, {{3, 1}}));   // y_3 is 1
///     const Minimum best = minimize(rest.graph.view(), EliminationOrder(*rest.graph.topology));
///     const std::vector<Label> y = rest.complete(best.labels);
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/energy/factor_graph.h"

namespace thalweg {

struct OwnedFactorGraph {
  std::shared_ptr<const FactorTopology> topology;
  std::vector<double> unary, tables;
  double constant = 0;  ///< part of every energy; +infinity where nothing is allowed

  FactorGraph<double> view() const { return {topology.get(), unary, tables}; }
};

struct Observation {
  std::uint32_t variable;
  Label state;
};

/// [unary_cells], 0 for what the observations rule out and 1 elsewhere.
/// @throws InputError for a variable or state out of range, and where two contradict each other
THALWEG_EXPORT std::vector<std::uint8_t> observed(const FactorTopology& topology,
                                                  std::span<const Observation> evidence);

/// What is left of a graph when states are taken away: variables with one state left are in its constant.
struct THALWEG_EXPORT Reduced {
  OwnedFactorGraph graph;
  std::vector<std::uint32_t> variables;    ///< [of graph] their numbers before
  std::vector<std::vector<Label>> states;  ///< [variables before] the states that are left

  /// An answer of the graph before. @param y of the graph that is left
  std::vector<Label> complete(std::span<const Label> y) const;
};

/// Keeps state l of v where `allowed[first(v) + l]` is not 0 and its unary energy is finite; a variable
/// without any makes the constant +infinity and keeps its states. Factors on one table stay on one where they
/// lose the same states. O(V + cells of all factors).
template <class R>
THALWEG_EXPORT Reduced keep_states(const FactorGraph<R>& graph, std::span<const std::uint8_t> allowed,
                                   double constant = 0);

}  // namespace thalweg
