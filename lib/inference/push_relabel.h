/// @file
/// A maximum preflow by push-relabel, highest label first, with exact distances recomputed from time to time
/// and a shortcut over gaps (Cherkassky and Goldberg, "On implementing the push-relabel method for the
/// maximum flow problem", Algorithmica 1997). Good where the source is many arcs away from the sink, for
/// search trees then walk long paths again and again.
#pragma once

#include <vector>

#include "inference/residual_graph.h"

namespace thalweg {

template <class C>
class PushRelabel {
 public:
  explicit PushRelabel(ResidualGraph<C>& graph) : g_(graph) {}

  /// Leaves excess only where no residual path leads on to a deficit.
  void run();

  Index pushes() const { return pushes_; }

 private:
  using Arc = typename ResidualGraph<C>::Arc;
  using Node = typename ResidualGraph<C>::Node;

  void measure_distances();
  void activate(NodeId v);
  void discharge(NodeId v);
  bool relabel(NodeId v);
  void enter_level(NodeId v);
  void leave_level(NodeId v);
  void give_up_above(std::int32_t level);

  ResidualGraph<C>& g_;
  std::vector<std::vector<NodeId>> active_;  // by label
  std::vector<NodeId> level_;                // a node of each label, or -1 ...
  std::vector<NodeId> next_, previous_;      // ... and the others
  std::vector<NodeId> queue_;
  std::int32_t highest_ = 0;  // no active node has a higher label
  std::int32_t top_ = 0;      // no node that reaches a deficit has
  Index work_ = 0, pushes_ = 0;
};

}  // namespace thalweg
