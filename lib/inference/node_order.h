/// @file
/// Numbers of nodes under which neighbours lie close together in memory: solvers of flow problems are four to
/// six times as fast then.
#pragma once

#include <cstdint>
#include <span>

#include "inference/residual_graph.h"

namespace thalweg {

struct NodeOrder {
  BareArray<NodeId> ids;  ///< [nodes], or none where they are numbered with locality, or too few to matter
  bool edges_scattered = false;  ///< edges that follow each other lie anywhere under `ids`
};

/// First as edges name them: edges mostly come in an order that has locality. Where they do not, breadth
/// first. Both are judged by a sample of the edges. O(nodes + edges); nothing where an end is out of range.
NodeOrder find_node_order(Index nodes, std::span<const NodeId> from, std::span<const NodeId> to);

}  // namespace thalweg
