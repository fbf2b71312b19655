// Large neighbourhood search (Shaw 1998): a connected region of the graph is minimised exactly by
// elimination, with all that is around it held, and again elsewhere.
#pragma once

#include <chrono>
#include <functional>
#include <span>

#include "thalweg/core/random.h"
#include "thalweg/energy/factor_graph.h"

namespace thalweg::detail {

/// Lowers the energy of y region by region, until some rounds in a row find nothing or `go_on` says no.
/// @param kicks then, so many times: a small region is drawn anew at random, and all of it once more from
/// there (iterated local search); the best is kept
/// @param go_on asked before each round with the lowest energy so far
/// @return E(y)
double search_neighbourhoods(const FactorGraph<double>& graph, std::span<Label> y, Rng& rng, Index kicks,
                             const std::function<bool(double)>& go_on);

}  // namespace thalweg::detail
