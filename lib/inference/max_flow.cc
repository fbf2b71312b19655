#include "thalweg/inference/max_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>
#include <vector>

#include "inference/push_relabel.h"
#include "inference/residual_graph.h"
#include "inference/search_trees.h"
#include "thalweg/core/error.h"

namespace thalweg {

const char* name(FlowSolver solver) {
  switch (solver) {
    case FlowSolver::Auto:
      return "auto";
    case FlowSolver::SearchTrees:
      return "search-trees";
    case FlowSolver::PushRelabel:
      return "push-relabel";
  }
  return "";
}

template <class C>
struct FlowNetwork<C>::State {
  ResidualGraph<C> graph;
  SearchTrees<C> trees{graph};
  bool trees_stand = false;     // for the excesses and residuals as they were at the last solve
  std::vector<NodeId> touched;  // since then
  std::vector<ArcId> changed;
  bool both_sides = false;
  Total value = 0;

  void choose(FlowSummary& summary) const;
  void run_push_relabel(FlowSummary& summary);
  void run_trees(FlowSummary& summary);
  void mark_reached(bool from_source);
  void settle(bool up);
};

namespace {

// Arcs from the nodes with excess to the nearest with a deficit, as far as `most`.
template <class C>
std::int32_t terminal_distance(const ResidualGraph<C>& g, std::int32_t most) {
  std::vector<NodeId> queue;
  std::vector<bool> seen(g.size());
  for (NodeId v = 0; v < g.size(); ++v) {
    if (g.excess[v] > 0) queue.push_back(v), seen[v] = true;
  }
  std::size_t i = 0;
  for (std::int32_t distance = 0; distance < most; ++distance) {
    for (const std::size_t end = queue.size(); i < end; ++i) {
      if (g.excess[queue[i]] < 0) return distance;
      for (ArcId a = g.nodes[queue[i]].first; a < g.nodes[queue[i] + 1].first; ++a) {
        const NodeId w = g.arcs[a].head;
        if (!(g.arcs[a].residual > 0) || seen[w]) continue;
        seen[w] = true;
        queue.push_back(w);
      }
    }
  }
  return most;
}

}  // namespace

template <class C>
void FlowNetwork<C>::State::choose(FlowSummary& summary) const {
  constexpr Index kFew = 64;  // nodes per terminal and more are few terminals
  constexpr std::int32_t kFar = 8;
  Index terminals = 0;
  for (NodeId v = 0; v < graph.size(); ++v) terminals += graph.excess[v] != 0;
  summary.used = FlowSolver::SearchTrees;
  if (terminals * kFew > graph.size()) {
    summary.reason = fmt::format("{} of {} nodes are at a terminal", terminals, graph.size());
    return;
  }
  const std::int32_t distance = terminal_distance(graph, kFar);
  if (distance == kFar) summary.used = FlowSolver::PushRelabel;
  summary.reason = fmt::format("{} of {} nodes are at a terminal, {}{} arcs between source and sink",
                               terminals, graph.size(), distance == kFar ? "at least " : "", distance);
}

// Labels what is reached breadth first from the nodes with excess along residual arcs, or from those with a
// deficit against them.
template <class C>
void FlowNetwork<C>::State::mark_reached(bool from_source) {
  std::vector<NodeId> queue;
  const auto reach = [&](NodeId v) {
    if (graph.nodes[v].label != 0) return;
    graph.nodes[v].label = from_source ? 1 : -1;
    queue.push_back(v);
  };
  for (NodeId v = 0; v < graph.size(); ++v) {
    if (from_source ? graph.excess[v] > 0 : graph.excess[v] < 0) reach(v);
  }
  while (!queue.empty()) {
    const NodeId v = queue.back();
    queue.pop_back();
    for (ArcId a = graph.nodes[v].first; a < graph.nodes[v + 1].first; ++a) {
      const auto& arc = graph.arcs[a];
      if ((from_source ? arc.residual : arc.reverse) > 0) reach(arc.head);
    }
  }
}

template <class C>
void FlowNetwork<C>::State::run_push_relabel(FlowSummary& summary) {
  PushRelabel<C> solver(graph);
  solver.run();
  summary.steps = solver.pushes();
  trees_stand = false;
  for (auto& node : graph.nodes) node.label = 0;
  mark_reached(true);
  if (both_sides) mark_reached(false);
}

template <class C>
void FlowNetwork<C>::State::run_trees(FlowSummary& summary) {
  summary.warm = trees_stand;
  const Index before = trees.augmentations();
  if (trees_stand) {
    trees.repair(touched, changed);
  } else {
    trees.start();
  }
  trees.run();
  if (both_sides) trees.complete_sink_side();
  trees_stand = true;
  summary.steps = trees.augmentations() - before;
}

// Nodes whose flow their terminals do not allow send it back to where it comes from (up) or goes to: a flow
// problem of its own in the residual graph, whose terminals are the flows out of nodes, above or below their
// bounds.
template <class C>
void FlowNetwork<C>::State::settle(bool up) {
  bool settled = true;
  for (NodeId v = 0; v < graph.size(); ++v) {
    const Total bound = up ? std::max(graph.terminal[v], Total{0}) : std::min(graph.terminal[v], Total{0});
    graph.excess[v] -= bound;
    settled = settled && (up ? graph.excess[v] <= 0 : graph.excess[v] >= 0);
  }
  if (!settled) {
    graph.neighbours_pushed = false;
    std::vector<std::int32_t> labels;  // of the cut, which stays
    for (const auto& node : graph.nodes) labels.push_back(node.label);
    SearchTrees<C> solver(graph);
    solver.start();
    solver.run();
    for (NodeId v = 0; v < graph.size(); ++v) graph.nodes[v].label = labels[v];
    trees_stand = false;
  }
  for (NodeId v = 0; v < graph.size(); ++v)
    graph.excess[v] += up ? std::max(graph.terminal[v], Total{0}) : std::min(graph.terminal[v], Total{0});
}

template <class C>
FlowNetwork<C>::FlowNetwork(Index nodes, const FlowEdges<C>& edges, const FlowTerminals<C>& terminals)
    : state_(std::make_unique<State>()) {
  state_->graph.build(nodes, edges, terminals);
}
template <class C>
FlowNetwork<C>::FlowNetwork(FlowNetwork&&) noexcept = default;
template <class C>
FlowNetwork<C>& FlowNetwork<C>::operator=(FlowNetwork&&) noexcept = default;
template <class C>
FlowNetwork<C>::~FlowNetwork() = default;

template <class C>
Index FlowNetwork<C>::nodes() const {
  return state_->graph.size();
}
template <class C>
Index FlowNetwork<C>::edges() const {
  return static_cast<Index>(state_->graph.arc_of.size());
}

template <class C>
FlowSummary FlowNetwork<C>::solve(const FlowOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  State& s = *state_;
  FlowSummary summary;
  summary.requested = summary.used = options.solver;
  summary.reason = "asked for";
  s.both_sides = options.both_sides;
  if (options.solver == FlowSolver::Auto) {
    if (s.trees_stand) {
      summary.used = FlowSolver::SearchTrees, summary.reason = "search trees are there already";
    } else {
      s.choose(summary);
    }
  }
  if (summary.used == FlowSolver::PushRelabel) {
    s.run_push_relabel(summary);
  } else {
    s.run_trees(summary);
  }
  s.touched.clear(), s.changed.clear();
  s.graph.neighbours_pushed = false;
  if (!std::is_integral_v<C> || !summary.warm) s.graph.count_unfilled();
  s.value = s.graph.supply - s.graph.unfilled;
  summary.value = static_cast<double>(s.value);
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return summary;
}

template <class C>
typename FlowNetwork<C>::Total FlowNetwork<C>::value() const {
  return state_->value;
}

template <class C>
CutSide FlowNetwork<C>::side(Index v) const {
  const std::int32_t label = state_->graph.nodes[state_->graph.id(v)].label;
  if (label > 0) return CutSide::Source;
  return label < 0 || !state_->both_sides ? CutSide::Sink : CutSide::Either;
}

template <class C>
void FlowNetwork<C>::cut(std::span<Label> x) const {
  for (Index v = 0; v < nodes(); ++v) x[v] = side(v) == CutSide::Source ? 0 : 1;
}

template <class C>
void FlowNetwork<C>::add_terminal(Index v, C source, C sink) {
  ResidualGraph<C>& g = state_->graph;
  const NodeId i = g.id(v);
  const auto sum = [&](Total a, Total b) {
    bool good = true;
    if constexpr (std::is_integral_v<C>) {
      good = !__builtin_add_overflow(a, b, &a);
    } else {
      good = std::isfinite(a += b);
    }
    if (!good)
      throw InputError(fmt::format("node {}", v), "the sums of terminal capacities are no numbers any more",
                       "scale them down");
    return a;
  };
  const Total less = -static_cast<Total>(sink);
  const Total terminal = sum(sum(g.terminal[i], source), less), excess = sum(sum(g.excess[i], source), less),
              supply = sum(g.supply, sink);  // all of them, or nothing changes
  g.unfilled += std::max(-excess, Total{0}) - std::max(-g.excess[i], Total{0});
  g.terminal[i] = terminal, g.excess[i] = excess, g.supply = supply;
  state_->touched.push_back(i);
  g.neighbours_pushed = false;
}

// Flow above a capacity that has become smaller leaves the arc: it is excess at the tail then, and missing at
// the head (Kohli and Torr 2007).
template <class C>
void FlowNetwork<C>::add_capacity(Index e, C capacity, C reverse) {
  State& s = *state_;
  const ArcId a = s.graph.arc_of[e];
  auto& arc = s.graph.arcs[a];
  auto& back = s.graph.arcs[arc.back];
  Total forth = Total{arc.residual} + capacity, other = Total{arc.reverse} + reverse;
  const Total moved = std::max(-forth, Total{0}) - std::max(-other, Total{0});
  forth += moved, other -= moved;
  const bool fits =
      std::is_integral_v<C> ? forth + other == static_cast<C>(forth + other) : std::isfinite(forth + other);
  if (forth < 0 || other < 0 || !fits)
    throw InputError(fmt::format("edge {}", e), "its capacities become negative or too large",
                     "add what leaves them in range");
  arc.residual = back.reverse = static_cast<C>(forth);
  arc.reverse = back.residual = static_cast<C>(other);
  const NodeId u = back.head, v = arc.head;
  if (u == v) return;
  for (const auto& [node, change] : {std::pair{u, moved}, std::pair{v, -moved}}) {
    s.graph.unfilled -= std::max(-s.graph.excess[node], Total{0});
    s.graph.excess[node] += change;
    s.graph.unfilled += std::max(-s.graph.excess[node], Total{0});
  }
  s.changed.push_back(a);
  s.graph.neighbours_pushed = false;
  if (moved != 0) s.touched.insert(s.touched.end(), {u, v});
}

template <class C>
void FlowNetwork<C>::restore_flow() {
  state_->settle(true);
  state_->settle(false);
}

template <class C>
C FlowNetwork<C>::residual(Index e) const {
  return state_->graph.arcs[state_->graph.arc_of[e]].residual;
}
template <class C>
C FlowNetwork<C>::reverse_residual(Index e) const {
  return state_->graph.arcs[state_->graph.arc_of[e]].reverse;
}
template <class C>
typename FlowNetwork<C>::Total FlowNetwork<C>::terminal_residual(Index v) const {
  return state_->graph.excess[state_->graph.id(v)];
}

bool FlowCheck::holds(double tolerance) const {
  return std::abs(flow - cut) <= tolerance && std::abs(value - cut) <= tolerance && capacity <= tolerance &&
         conservation <= tolerance;
}

template <class C>
FlowCheck check_flow(const FlowNetwork<C>& network, const FlowEdges<C>& edges,
                     const FlowTerminals<C>& terminals) {
  const auto V = network.nodes(), E = network.edges();
  const auto at = [](std::span<const C> values, Index i) {
    return values.empty() ? 0.0 : static_cast<double>(values[i]);
  };
  const auto sink_side = [&](Index v) { return network.side(v) != CutSide::Source; };
  FlowCheck check;
  check.value = static_cast<double>(network.value());
  std::vector<double> out(V);
  for (Index e = 0; e < E; ++e) {
    const Index u = edges.from[e], v = edges.to[e];
    const double capacity = at(edges.capacity, e), reverse = at(edges.reverse, e);
    const auto left = static_cast<double>(network.residual(e));
    const auto left_back = static_cast<double>(network.reverse_residual(e));
    check.capacity =
        std::max({check.capacity, -left, -left_back, std::abs(left + left_back - capacity - reverse)});
    if (u == v) continue;
    out[u] += capacity - left, out[v] -= capacity - left;
    if (sink_side(u) != sink_side(v)) check.cut += sink_side(v) ? capacity : reverse;
  }
  for (Index v = 0; v < V; ++v) {
    const double source = at(terminals.source, v), sink = at(terminals.sink, v), terminal = source - sink;
    check.cut += sink_side(v) ? source : sink;
    check.flow += sink - std::max(out[v] - terminal, 0.0);
    check.conservation =
        std::max({check.conservation, out[v] - std::max(terminal, 0.0), std::min(terminal, 0.0) - out[v]});
  }
  return check;
}

template class FlowNetwork<std::int32_t>;
template class FlowNetwork<std::int64_t>;
template class FlowNetwork<double>;
template FlowCheck check_flow(const FlowNetwork<std::int32_t>&, const FlowEdges<std::int32_t>&,
                              const FlowTerminals<std::int32_t>&);
template FlowCheck check_flow(const FlowNetwork<std::int64_t>&, const FlowEdges<std::int64_t>&,
                              const FlowTerminals<std::int64_t>&);
template FlowCheck check_flow(const FlowNetwork<double>&, const FlowEdges<double>&,
                              const FlowTerminals<double>&);

}  // namespace thalweg
