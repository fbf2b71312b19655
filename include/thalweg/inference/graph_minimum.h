/// @file
/// The lowest answer of a factor graph of any shape: detects what the graph is, takes what fits, and says how
/// good the answer is.
///
///     const GraphMinimum found = minimize_graph(graph, {.seconds = 10});
///     // found.minimum.energy, .lower_bound, .labels; found.certificate says why to believe it
///
/// Variables of one state go first, then each connected component by itself: bucket elimination where its
/// tables fit (inference/elimination.h), else messages for a bound and a good answer
/// (inference/reweighted_messages.h), and depth-first branch and bound on them until it is proved or the time
/// is up. Energies come out as summed in double from the graph that went in.
#pragma once

#include <functional>
#include <string>

#include "thalweg/core/export.h"
#include "thalweg/energy/factor_graph.h"
#include "thalweg/inference/minimum.h"

namespace thalweg {

enum class GraphSolver {
  Auto,
  Elimination,     ///< exact; refused where tables would be too large
  Messages,        ///< tree-reweighted messages and local search alone
  BranchAndBound,  ///< messages, and search until the time is up
};
/// "auto", "elimination", "messages", "branch-and-bound"
THALWEG_EXPORT const char* name(GraphSolver solver);

/// Why the answer is the lowest; of several components, the weakest reason.
enum class Certificate {
  Tree,         ///< dynamic programming on a forest
  Elimination,  ///< dynamic programming on a graph of low width
  BoundMet,     ///< the lower bound is the energy, to a billionth
  Granularity,  ///< all energies are multiples of a step, and the gap is smaller than one
  Search,       ///< branch and bound looked everywhere else
  None,         ///< it may not be: see the gap
};
THALWEG_EXPORT const char* name(Certificate certificate);

struct GraphMinimum {
  Minimum minimum;
  Certificate certificate = Certificate::None;
  GraphSolver requested = GraphSolver::Auto;
  std::string used;  ///< what did it, and why
};

struct GraphMinimumProgress {
  double energy, lower_bound;  ///< of the whole graph, so far; +-infinity at first
  double seconds;
};

struct GraphMinimumOptions {
  GraphSolver solver = GraphSolver::Auto;
  double seconds = 30;  ///< of wall clock, for what has no exact solution in reach; > 0
  /// Cells of the largest table of an elimination; 8 bytes each.
  double most_cells = 0x1p25;
};

/// @param callback called now and then; false ends it with the best so far
/// @throws InputError as `check`, and where Elimination is asked for and its tables are too large;
/// OptionError for seconds out of range
template <class R>
THALWEG_EXPORT GraphMinimum
minimize_graph(const FactorGraph<R>& graph, const GraphMinimumOptions& options = {},
               const std::function<bool(const GraphMinimumProgress&)>& callback = {});

}  // namespace thalweg
