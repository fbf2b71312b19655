/// @file
/// Maximum flow by incremental breadth-first search from both sides (Goldberg, Hed, Kaplan, Kohli, Tarjan and
/// Werneck, "Faster and more dynamic maximum flow by incremental breadth-first search", ESA 2015).
///
/// Two forests of residual arcs, S from the nodes with excess and T to those with a deficit, grow level by
/// level. Where they meet, flow is pushed from root to root; nodes whose arc to the parent that saturates,
/// and roots that run dry, become orphans. Orphans are taken by buckets of their labels, lowest first: all
/// nodes with a lower label are settled then, and one of them is the new parent, or the label rises, or the
/// node is free. The maximum is reached when a forest cannot grow any more.
#pragma once

#include <utility>
#include <vector>

#include "inference/residual_graph.h"

namespace thalweg {

template <class C>
class SearchTrees {
 public:
  explicit SearchTrees(ResidualGraph<C>& graph) : g_(graph) {}

  /// Forgets the trees there are.
  void start();
  /// Mends the trees after `excess` of the nodes `touched` and residuals of the arcs `changed` have changed.
  void repair(const std::vector<NodeId>& touched, const std::vector<ArcId>& changed);
  /// To the maximum, and then on until S is all that residual arcs reach from nodes with excess.
  void run();
  /// Lets T be all from which residual arcs reach nodes with a deficit. @pre run
  void complete_sink_side();

  Index augmentations() const { return augmentations_; }

 private:
  using Arc = typename ResidualGraph<C>::Arc;
  using Total = typename ResidualGraph<C>::Total;
  using Node = typename ResidualGraph<C>::Node;
  using Buckets = std::vector<std::vector<NodeId>>;  // by label

  struct Forest {
    Buckets active;           // nodes that have still to be grown; ones whose label has changed are skipped
    std::int32_t lowest = 1;  // no active node has a lower label
    std::int32_t limit = 1;   // labels of orphans do not rise above this one
    Buckets orphans;          // ~v where the label of v has risen
    std::int32_t first_orphan = 0, last_orphan = -1;

    void activate(NodeId v, std::int32_t label);
    void add_orphan(NodeId entry, std::int32_t label);
    bool can_grow();
  };
  template <bool S>
  Forest& forest() {
    return S ? source_ : sink_;
  }

  void push_between_roots();
  template <bool S>
  void grow_roots();
  template <bool S>
  void plant(NodeId v);
  template <bool S>
  void grow();
  template <bool S>
  void grow_from(NodeId u, std::int32_t label);
  void augment(ArcId bridge);
  template <bool S>
  void lose_parent(NodeId v);
  template <bool S>
  void lose_children(NodeId v);
  template <bool S>
  void adopt();
  template <bool S>
  void find_parent(NodeId v, bool risen);
  template <bool S>
  void settle(NodeId v, ArcId to_parent, bool risen);
  template <bool S>
  void set_free(NodeId v);
  template <bool S>
  void activate_parents(NodeId v);
  template <bool S>
  void repair_root(NodeId v);

  ResidualGraph<C>& g_;
  Forest source_, sink_;
  std::vector<NodeId> dry_;  // nodes that are no roots at the start
  bool warm_ = false;
  Index augmentations_ = 0;
};

}  // namespace thalweg
