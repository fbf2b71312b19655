/// @file
/// Boost.Graph's maximum flow (Boykov and Kolmogorov), a referee.
#pragma once

#include "thalweg/inference/max_flow.h"

namespace thalweg::testing {

double boost_flow(Index nodes, const FlowEdges<double>& edges, const FlowTerminals<double>& terminals);

}  // namespace thalweg::testing
