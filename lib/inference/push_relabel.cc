#include "inference/push_relabel.h"

#include <algorithm>

namespace thalweg {
namespace {

constexpr Index kRelabelWork = 12;  // of a relabelling beside its arcs; as in the paper

}  // namespace

template <class C>
void PushRelabel<C>::run() {
  const Index V = g_.size();
  active_.resize(V + 2), level_.resize(V + 2), next_.resize(V), previous_.resize(V);
  const Index patience = 6 * V + g_.nodes[V].first / 2;
  measure_distances();
  while (highest_ > 0) {
    auto& nodes = active_[highest_];
    if (nodes.empty()) {
      --highest_;
      continue;
    }
    const NodeId v = nodes.back();
    nodes.pop_back();
    if (g_.nodes[v].label == highest_) discharge(v);
    if (2 * work_ > patience) measure_distances();
  }
}

// Labels become distances to the nearest deficit; V + 1 is none.
template <class C>
void PushRelabel<C>::measure_distances() {
  const auto V = static_cast<NodeId>(g_.size());
  for (auto& nodes : active_) nodes.clear();
  std::fill(level_.begin(), level_.end(), -1);
  queue_.clear();
  for (NodeId v = 0; v < V; ++v) {
    Node& node = g_.nodes[v];
    node.label = V + 1, node.current = node.first;
    if (g_.excess[v] < 0) node.label = 1, queue_.push_back(v);
  }
  highest_ = top_ = 0, work_ = 0;
  for (std::size_t i = 0; i < queue_.size(); ++i) {
    const NodeId v = queue_[i];
    const std::int32_t label = g_.nodes[v].label;
    enter_level(v);
    if (g_.excess[v] > 0) activate(v);
    for (ArcId a = g_.nodes[v].first; a < g_.nodes[v + 1].first; ++a) {
      const Arc& arc = g_.arcs[a];
      if (!(arc.reverse > 0) || g_.nodes[arc.head].label <= V) continue;
      g_.nodes[arc.head].label = label + 1;
      queue_.push_back(arc.head);
    }
  }
}

template <class C>
void PushRelabel<C>::activate(NodeId v) {
  const std::int32_t label = g_.nodes[v].label;
  active_[label].push_back(v);
  highest_ = std::max(highest_, label);
}

template <class C>
void PushRelabel<C>::discharge(NodeId v) {
  Node& node = g_.nodes[v];
  const ArcId end = g_.nodes[v + 1].first;
  auto& excess = g_.excess[v];
  do {
    for (; node.current < end; ++node.current) {
      const Arc& arc = g_.arcs[node.current];
      if (!(arc.residual > 0) || g_.nodes[arc.head].label != node.label - 1) continue;
      auto& other = g_.excess[arc.head];
      const C flow = excess < arc.residual ? static_cast<C>(excess) : arc.residual;
      const bool was_active = other > 0;
      g_.push(node.current, flow);
      excess -= flow, other += flow, ++pushes_;
      if (!was_active && other > 0) activate(arc.head);
      if (!(excess > 0)) return;
    }
  } while (relabel(v));
}

// False where v reaches no deficit any more.
template <class C>
bool PushRelabel<C>::relabel(NodeId v) {
  Node& node = g_.nodes[v];
  const auto V = static_cast<std::int32_t>(g_.size());
  const ArcId end = g_.nodes[v + 1].first;
  work_ += kRelabelWork + (end - node.first);
  std::int32_t nearest = V;
  for (ArcId a = node.first; a < end; ++a) {
    const std::int32_t label = g_.nodes[g_.arcs[a].head].label;
    if (label < nearest && g_.arcs[a].residual > 0) nearest = label, node.current = a;
  }
  leave_level(v);
  if (level_[node.label] < 0) {
    give_up_above(node.label);
    nearest = V;
  }
  node.label = nearest + 1;
  if (nearest == V) return false;
  enter_level(v);
  return true;
}

template <class C>
void PushRelabel<C>::enter_level(NodeId v) {
  const std::int32_t label = g_.nodes[v].label;
  NodeId& first = level_[label];
  next_[v] = first, previous_[v] = -1;
  if (first >= 0) previous_[first] = v;
  first = v;
  top_ = std::max(top_, label);
}

template <class C>
void PushRelabel<C>::leave_level(NodeId v) {
  if (next_[v] >= 0) previous_[next_[v]] = previous_[v];
  (previous_[v] >= 0 ? next_[previous_[v]] : level_[g_.nodes[v].label]) = next_[v];
}

// Over a level without nodes no residual path leads down.
template <class C>
void PushRelabel<C>::give_up_above(std::int32_t level) {
  for (std::int32_t l = level + 1; l <= top_; ++l) {
    for (NodeId v = level_[l]; v >= 0; v = next_[v])
      g_.nodes[v].label = static_cast<std::int32_t>(g_.size()) + 1;
    level_[l] = -1;
  }
  top_ = level;
}

template class PushRelabel<std::int32_t>;
template class PushRelabel<std::int64_t>;
template class PushRelabel<double>;

}  // namespace thalweg
