// Depth-first branch and bound on graphs whose bounds are tree-reweighted messages.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "thalweg/energy/owned_factor_graph.h"
#include "thalweg/inference/minimum.h"

namespace thalweg::detail {

struct SearchLimits {
  std::chrono::steady_clock::time_point end;
  std::function<bool(double energy, double bound)> go_on;  // may be empty
  double step = 0;     // all energies are multiples of it; 0: no such step is known
  bool branch = true;  // else the root alone
};

struct SearchResult {
  Minimum minimum;  // lower_bound is that of the root, or the energy where all was searched
  bool complete = false;
  Index nodes = 0;
};

/// Constants count. Every node: messages, states whose bound exceeds the best answer's energy taken away and
/// again; small rests by elimination; then a variable's best state against all others.
SearchResult branch_and_bound(const OwnedFactorGraph& graph, const SearchLimits& limits);

}  // namespace thalweg::detail
