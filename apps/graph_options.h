/// @file
/// What `minimize` and `marginals` share: a graph file, and what was observed of it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "thalweg/energy/owned_factor_graph.h"

namespace thalweg::app {

struct GraphOptions {
  std::string file, evidence;
};
void add_graph_options(CLI::App& app, GraphOptions& options);

/// A graph with its evidence put in; `whole` has the variables as the file numbers them.
struct ObservedGraph {
  OwnedFactorGraph whole;
  Reduced rest;
};
ObservedGraph read_observed(const GraphOptions& options);

}  // namespace thalweg::app
