#include "inference/search_trees.h"

#include <algorithm>
#include <limits>

namespace thalweg {
namespace {

// Labels of S are positive, those of T negative: the distance in the forest asked for, or <= 0 elsewhere.
template <bool S>
std::int32_t distance(std::int32_t label) {
  return S ? label : -label;
}

// Capacity along the direction of flow in a forest, of an arc that leads from a node to its child: from
// parent to child in S, from child to parent in T.
template <bool S, class Arc>
auto capacity_to_child(const Arc& arc) {
  return S ? arc.residual : arc.reverse;
}
template <bool S, class Arc>
auto capacity_from_parent(const Arc& arc) {
  return S ? arc.reverse : arc.residual;
}

template <class Buckets>
auto& bucket(Buckets& buckets, std::int32_t label) {
  const auto i = static_cast<std::size_t>(label);
  if (i >= buckets.size()) buckets.resize(std::max(i + 1, 2 * buckets.size()));
  return buckets[i];
}

}  // namespace

template <class C>
void SearchTrees<C>::Forest::activate(NodeId v, std::int32_t label) {
  bucket(active, label).push_back(v);
  lowest = std::min(lowest, label);
}

template <class C>
void SearchTrees<C>::Forest::add_orphan(NodeId entry, std::int32_t label) {
  bucket(orphans, label).push_back(entry);
  if (first_orphan > last_orphan) first_orphan = last_orphan = label;
  first_orphan = std::min(first_orphan, label), last_orphan = std::max(last_orphan, label);
}

template <class C>
bool SearchTrees<C>::Forest::can_grow() {
  const auto end = static_cast<std::int32_t>(active.size());
  while (lowest < end && active[static_cast<std::size_t>(lowest)].empty()) ++lowest;
  return lowest < end;
}

template <class C>
void SearchTrees<C>::start() {
  for (Forest* forest : {&source_, &sink_}) {
    for (auto& nodes : forest->active) nodes.clear();
    forest->lowest = forest->limit = 1;
  }
  warm_ = false;
  if (!g_.neighbours_pushed) push_between_roots();
  dry_.clear();
  for (NodeId v = 0; v < g_.size(); ++v) {
    Node& node = g_.nodes[v];
    node.label = g_.excess[v] > 0 ? 1 : g_.excess[v] < 0 ? -1 : 0;
    node.parent = kRoot;
    if (node.label == 0) dry_.push_back(v);
  }
  grow_roots<true>();
  grow_roots<false>();
}

// The first level of a forest, seen from the nodes that are no roots: between roots of different forests
// nothing more can be pushed, and most nodes may be roots.
template <class C>
template <bool S>
void SearchTrees<C>::grow_roots() {
  Forest& f = forest<S>();
  f.lowest = f.limit = 2;
  bucket(f.active, 2);
  for (const NodeId v : dry_) {
    Node& node = g_.nodes[v];
    const ArcId end = g_.nodes[v + 1].first;
    for (ArcId a = node.first; a < end; ++a) {
      while (g_.nodes[g_.arcs[a].head].label == (S ? 1 : -1) && capacity_from_parent<S>(g_.arcs[a]) > 0) {
        if (distance<S>(node.label) > 0) break;
        if (node.label == 0) {
          node.label = S ? 2 : -2;
          node.parent = node.current = a;
          f.active[2].push_back(v);
          break;
        }
        augment(S ? g_.arcs[a].back : a);
      }
    }
  }
}

// Most flow on pictures and sequences needs no tree.
template <class C>
void SearchTrees<C>::push_between_roots() {
  for (NodeId v = 0; v < g_.size(); ++v) {
    auto& excess = g_.excess[v];
    if (!(excess > 0)) continue;
    const ArcId end = g_.nodes[v + 1].first;
    for (ArcId a = g_.nodes[v].first; a < end && excess > 0; ++a) {
      const Arc& arc = g_.arcs[a];
      auto& deficit = g_.excess[arc.head];
      if (!(deficit < 0) || !(arc.residual > 0)) continue;
      const C flow = static_cast<C>(std::min({Total{arc.residual}, excess, -deficit}));
      g_.push(a, flow);
      excess -= flow, deficit += flow;
      ++augmentations_;
    }
  }
}

template <class C>
template <bool S>
void SearchTrees<C>::plant(NodeId v) {
  g_.nodes[v].label = S ? 1 : -1, g_.nodes[v].parent = kRoot;
  forest<S>().activate(v, 1);
}

template <class C>
void SearchTrees<C>::run() {
  while (source_.can_grow() && sink_.can_grow()) {
    const auto size = [](const Forest& f) { return f.active[static_cast<std::size_t>(f.lowest)].size(); };
    if (source_.lowest < sink_.lowest || (source_.lowest == sink_.lowest && size(source_) <= size(sink_))) {
      grow<true>();
    } else {
      grow<false>();
    }
  }
  while (source_.can_grow()) grow<true>();
}

template <class C>
void SearchTrees<C>::complete_sink_side() {
  while (sink_.can_grow()) grow<false>();
}

// The nodes of one label. Those that join them on the way come to the end of the list.
template <class C>
template <bool S>
void SearchTrees<C>::grow() {
  Forest& f = forest<S>();
  const std::int32_t label = f.lowest;
  f.limit = std::max(f.limit, label + 1);
  bucket(f.active, label + 1);  // so that lists stay where they are
  for (std::size_t i = 0; i < f.active[label].size(); ++i) {
    const NodeId u = f.active[label][i];
    if (distance<S>(g_.nodes[u].label) == label) grow_from<S>(u, label);
  }
  f.active[label].clear();
}

template <class C>
template <bool S>
void SearchTrees<C>::grow_from(NodeId u, std::int32_t label) {
  Forest& f = forest<S>();
  const ArcId end = g_.nodes[u + 1].first;
  for (ArcId a = g_.nodes[u].first; a < end; ++a) {
    while (capacity_to_child<S>(g_.arcs[a]) > 0) {
      const NodeId w = g_.arcs[a].head;
      Node& node = g_.nodes[w];
      if (distance<S>(node.label) > 0) break;
      if (node.label == 0) {
        node.label = S ? label + 1 : -(label + 1);
        node.parent = g_.arcs[a].back, node.current = node.first;
        f.active[label + 1].push_back(w);
        break;
      }
      augment(S ? a : g_.arcs[a].back);
      if (distance<S>(g_.nodes[u].label) != label) return;
    }
  }
}

// Pushes what the path over `bridge`, an arc from S to T, carries.
template <class C>
void SearchTrees<C>::augment(ArcId bridge) {
  ++augmentations_;
  const NodeId s = g_.arcs[g_.arcs[bridge].back].head, t = g_.arcs[bridge].head;
  C flow = g_.arcs[bridge].residual;
  NodeId v = s;
  for (ArcId p; (p = g_.nodes[v].parent) >= 0; v = g_.arcs[p].head) flow = std::min(flow, g_.arcs[p].reverse);
  if (g_.excess[v] < flow) flow = static_cast<C>(g_.excess[v]);
  v = t;
  for (ArcId p; (p = g_.nodes[v].parent) >= 0; v = g_.arcs[p].head)
    flow = std::min(flow, g_.arcs[p].residual);
  if (-g_.excess[v] < flow) flow = static_cast<C>(-g_.excess[v]);

  g_.push(bridge, flow);
  g_.unfilled -= flow;
  v = s;
  for (ArcId p; (p = g_.nodes[v].parent) >= 0;) {
    g_.push(g_.arcs[p].back, flow);
    if (g_.arcs[p].reverse == 0) lose_parent<true>(v);
    v = g_.arcs[p].head;
  }
  if ((g_.excess[v] -= flow) == 0) lose_parent<true>(v);
  v = t;
  for (ArcId p; (p = g_.nodes[v].parent) >= 0;) {
    g_.push(p, flow);
    if (g_.arcs[p].residual == 0) lose_parent<false>(v);
    v = g_.arcs[p].head;
  }
  if ((g_.excess[v] += flow) == 0) lose_parent<false>(v);
  adopt<true>();
  adopt<false>();
}

template <class C>
template <bool S>
void SearchTrees<C>::lose_parent(NodeId v) {
  Node& node = g_.nodes[v];
  node.parent = kOrphan;
  forest<S>().add_orphan(v, distance<S>(node.label));
}

template <class C>
template <bool S>
void SearchTrees<C>::lose_children(NodeId v) {
  const ArcId end = g_.nodes[v + 1].first;
  for (ArcId a = g_.nodes[v].first; a < end; ++a) {
    const Arc& arc = g_.arcs[a];
    if (g_.nodes[arc.head].parent == arc.back) lose_parent<S>(arc.head);
  }
}

template <class C>
template <bool S>
void SearchTrees<C>::adopt() {
  Forest& f = forest<S>();
  while (f.first_orphan <= f.last_orphan) {
    const std::int32_t label = f.first_orphan;
    auto& orphans = f.orphans[static_cast<std::size_t>(label)];
    if (orphans.empty()) {
      ++f.first_orphan;
      continue;
    }
    const NodeId entry = orphans.back();
    orphans.pop_back();
    const bool risen = entry < 0;
    const NodeId v = risen ? ~entry : entry;
    const Node& node = g_.nodes[v];
    if (node.parent == kOrphan && distance<S>(node.label) == label) find_parent<S>(v, risen);
  }
}

template <class C>
template <bool S>
void SearchTrees<C>::find_parent(NodeId v, bool risen) {
  Forest& f = forest<S>();
  Node& node = g_.nodes[v];
  const std::int32_t label = distance<S>(node.label);
  const ArcId end = g_.nodes[v + 1].first;
  for (ArcId a = node.current; a < end; ++a) {
    if (!(capacity_from_parent<S>(g_.arcs[a]) > 0)) continue;
    const std::int32_t other = distance<S>(g_.nodes[g_.arcs[a].head].label);
    if (other > 0 && other < label) return settle<S>(v, a, risen);
  }

  constexpr std::int32_t kFar = std::numeric_limits<std::int32_t>::max() - 1;
  std::int32_t nearest = kFar;
  ArcId best = kRoot;
  for (ArcId a = node.first; a < end; ++a) {
    const Arc& arc = g_.arcs[a];
    const Node& head = g_.nodes[arc.head];
    const std::int32_t other = distance<S>(head.label);
    if (other <= 0) continue;
    if (other < nearest && capacity_from_parent<S>(arc) > 0) nearest = other, best = a;
    if (head.parent == arc.back) lose_parent<S>(arc.head);
  }
  if (nearest < label) return settle<S>(v, best, risen);
  // After a repair there is no tight limit: what has lost its root for good would climb and climb.
  if (nearest + 1 > f.limit || warm_) return set_free<S>(v);
  node.label = S ? nearest + 1 : -(nearest + 1);
  node.current = best;
  f.add_orphan(~v, nearest + 1);
}

template <class C>
template <bool S>
void SearchTrees<C>::settle(NodeId v, ArcId to_parent, bool risen) {
  Forest& f = forest<S>();
  Node& node = g_.nodes[v];
  node.parent = node.current = to_parent;
  const std::int32_t label = distance<S>(node.label);
  if ((risen || warm_) && label >= std::min(f.lowest, f.limit)) f.activate(v, label);
}

// In a first solve, nodes that could take v back later are all of the highest label, and active.
template <class C>
template <bool S>
void SearchTrees<C>::set_free(NodeId v) {
  Node& node = g_.nodes[v];
  node.label = 0, node.parent = kRoot;
  if (warm_) activate_parents<S>(v);
}

// Those that could have v for a child.
template <class C>
template <bool S>
void SearchTrees<C>::activate_parents(NodeId v) {
  const ArcId end = g_.nodes[v + 1].first;
  for (ArcId a = g_.nodes[v].first; a < end; ++a) {
    const NodeId u = g_.arcs[a].head;
    const std::int32_t label = distance<S>(g_.nodes[u].label);
    if (label > 0 && capacity_from_parent<S>(g_.arcs[a]) > 0) forest<S>().activate(u, label);
  }
}

// Puts v, whose excess has changed, into the forest that it belongs to, as a root.
template <class C>
template <bool S>
void SearchTrees<C>::repair_root(NodeId v) {
  const Node& node = g_.nodes[v];
  if (distance<S>(node.label) == 1 && node.parent == kRoot) return;
  const bool moves = distance<S>(node.label) < 0;
  if (moves) lose_children<!S>(v);
  plant<S>(v);
  if (moves) activate_parents<!S>(v);
}

template <class C>
void SearchTrees<C>::repair(const std::vector<NodeId>& touched, const std::vector<ArcId>& changed) {
  warm_ = true;
  for (const NodeId v : touched) {
    Node& node = g_.nodes[v];
    if (g_.excess[v] > 0) {
      repair_root<true>(v);
    } else if (g_.excess[v] < 0) {
      repair_root<false>(v);
    } else if (node.parent == kRoot && node.label != 0) {
      node.label > 0 ? lose_parent<true>(v) : lose_parent<false>(v);
    }
  }
  for (const ArcId a : changed) {
    for (const ArcId b : {a, g_.arcs[a].back}) {
      const Arc& arc = g_.arcs[b];
      const NodeId u = g_.arcs[arc.back].head, v = arc.head;
      Node &tail = g_.nodes[u], &head = g_.nodes[v];
      if (arc.residual > 0) {
        if (tail.label > 0) source_.activate(u, tail.label);
        if (head.label < 0) sink_.activate(v, -head.label);
      } else {
        if (head.label > 0 && head.parent == arc.back) lose_parent<true>(v);
        if (tail.label < 0 && tail.parent == b) lose_parent<false>(u);
      }
    }
  }
  adopt<true>();
  adopt<false>();
}

template class SearchTrees<std::int32_t>;
template class SearchTrees<std::int64_t>;
template class SearchTrees<double>;

}  // namespace thalweg
