#include "inference/residual_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "inference/node_order.h"
#include "thalweg/core/error.h"

namespace thalweg {
namespace {

constexpr Index kMost = (Index{1} << 30) - 1;  // of nodes and of edges: arcs are twice as many

[[noreturn]] void fail(const std::string& where, const std::string& problem, const char* mend) {
  throw InputError(where, problem, mend);
}

void check_sizes(Index nodes, std::size_t edges, std::size_t to, std::size_t capacity, std::size_t reverse,
                 std::size_t source, std::size_t sink) {
  const auto size = [](const char* what, std::size_t found, Index expected) {
    if (static_cast<Index>(found) != expected)
      fail(what, fmt::format("{} entries, expected {}", found, expected), "give one for each");
  };
  if (nodes < 0 || nodes > kMost)
    fail("network", fmt::format("{} nodes", nodes), "0 to 2^30 - 1 are possible");
  const auto count = static_cast<Index>(edges);
  if (count > kMost) fail("network", fmt::format("{} edges", count), "up to 2^30 - 1 are possible");
  size("to", to, count), size("capacity", capacity, count);
  if (reverse > 0) size("reverse", reverse, count);
  if (source > 0) size("source", source, nodes);
  if (sink > 0) size("sink", sink, nodes);
}

template <class C>
bool fits(C capacity, C reverse) {
  if constexpr (std::is_integral_v<C>) {
    C sum;
    return capacity >= 0 && reverse >= 0 && !__builtin_add_overflow(capacity, reverse, &sum);
  } else {
    return capacity >= 0 && reverse >= 0 && std::isfinite(capacity + reverse);
  }
}

template <class C>
[[noreturn]] void refuse_edge(std::size_t e, Index nodes, std::int32_t from, std::int32_t to, C capacity,
                              C reverse) {
  const std::string where = fmt::format("edge {}", e);
  for (const std::int32_t v : {from, to}) {
    if (v < 0 || v >= nodes)
      fail(where, fmt::format("node {} of {} nodes", v, nodes), "nodes are counted from 0");
  }
  for (const C c : {capacity, reverse}) {
    if (!fits(c, C{0})) fail(where, fmt::format("capacity {}", c), "capacities are finite and not negative");
  }
  fail(where,
       fmt::format("capacities {} and {} together exceed {}", capacity, reverse,
                   std::numeric_limits<C>::max()),
       "scale them down or use a wider type");
}

// Adds magnitudes up and says whether sums of them are still numbers.
template <class Total>
class Bound {
 public:
  bool add(Total x) {
    if constexpr (std::is_integral_v<Total>) {
      return x != std::numeric_limits<Total>::min() && !__builtin_add_overflow(sum_, x < 0 ? -x : x, &sum_);
    } else {
      return std::isfinite(sum_ += std::abs(x));
    }
  }

 private:
  Total sum_ = 0;
};

template <class Total>
[[noreturn]] void refuse_terminals(std::size_t v, Total source, Total sink) {
  fail(fmt::format("node {}", v), fmt::format("terminal capacities {} and {}", source, sink),
       "they must be finite, and so must the sum of all");
}

template <class C>
struct EdgeOf {
  NodeId u, v;
  ArcId e;
  C capacity, reverse;
};

// The edges by blocks of their first nodes, so that what is written for edges that follow each other is in
// reach.
template <class C>
BareArray<EdgeOf<C>> gather(const FlowEdges<C>& edges, const BareArray<NodeId>& ids) {
  constexpr int kBlockBits = 12;
  const std::size_t E = edges.from.size();
  std::vector<std::size_t> begin((ids.size() >> kBlockBits) + 2);
  const auto block = [](NodeId u) { return static_cast<std::size_t>(u >> kBlockBits); };
  for (std::size_t e = 0; e < E; ++e) ++begin[block(ids[edges.from[e]]) + 1];
  for (std::size_t b = 1; b < begin.size(); ++b) begin[b] += begin[b - 1];
  BareArray<EdgeOf<C>> gathered(E);
  for (std::size_t e = 0; e < E; ++e) {
    const NodeId u = ids[edges.from[e]];
    gathered[begin[block(u)]++] = {u, ids[edges.to[e]], static_cast<ArcId>(e), edges.capacity[e],
                                   edges.reverse.empty() ? C{0} : edges.reverse[e]};
  }
  return gathered;
}

}  // namespace

template <class C>
void ResidualGraph<C>::build(Index node_count, const FlowEdges<C>& edges, const FlowTerminals<C>& terminals) {
  using Edge = EdgeOf<C>;
  const std::size_t E = edges.from.size(), V = static_cast<std::size_t>(node_count);
  check_sizes(node_count, E, edges.to.size(), edges.capacity.size(), edges.reverse.size(),
              terminals.source.size(), terminals.sink.size());
  nodes = BareArray<Node>(V + 1);
  for (Node& node : nodes) node = {0, kRoot, 0, 0};

  // Degrees.
  const auto reverse = [&](std::size_t e) { return edges.reverse.empty() ? C{0} : edges.reverse[e]; };
  const auto in_range = [&](std::int32_t v) {
    return static_cast<std::uint32_t>(v) < static_cast<std::uint32_t>(V);
  };
  const auto check = [&](std::size_t e) {
    if (in_range(edges.from[e]) && in_range(edges.to[e]) && fits(edges.capacity[e], reverse(e))) return;
    refuse_edge(e, node_count, edges.from[e], edges.to[e], edges.capacity[e], reverse(e));
  };
  for (std::size_t e = 0; e < E; ++e) check(e);
  NodeOrder order = find_node_order(node_count, edges.from, edges.to);
  ids = std::move(order.ids);
  BareArray<Edge> gathered;
  if (order.edges_scattered) gathered = gather(edges, ids);
  const auto each_edge = [&](auto&& visit) {
    for (const Edge& edge : gathered) visit(edge);
    for (std::size_t e = 0; e < E && gathered.size() == 0; ++e)
      visit(Edge{id(edges.from[e]), id(edges.to[e]), static_cast<ArcId>(e), edges.capacity[e], reverse(e)});
  };
  each_edge([&](const Edge& edge) {
    if (edge.u != edge.v) ++nodes[edge.u].first, ++nodes[edge.v].first;
  });
  ArcId begin = 0;
  for (Node& node : nodes) {
    const ArcId degree = node.first;
    node.first = node.current = begin;
    begin += degree;
  }

  Bound<Total> bound;
  excess = BareArray<Total>(V);
  terminal = BareArray<Total>(V);
  for (std::size_t v = 0; v < V; ++v) {
    const Total source = terminals.source.empty() ? 0 : terminals.source[v];
    const Total sink = terminals.sink.empty() ? 0 : terminals.sink[v];
    if (!bound.add(source) || !bound.add(sink)) refuse_terminals(v, source, sink);
    excess[id(v)] = source - sink;
    supply += sink;
  }
  for (std::size_t v = 0; v < V; ++v) terminal[v] = excess[v];

  // Arcs; those of loops behind all others, where no node has them. What flows from neighbour to neighbour is
  // pushed while they are at hand: on pictures and sequences most of all flow.
  arcs = BareArray<Arc>(2 * E);
  arc_of = BareArray<ArcId>(E);
  ArcId loop = begin;
  each_edge([&](const Edge& edge) {
    const auto [u, v, e, capacity, back] = edge;
    const bool is_loop = u == v;
    const ArcId a = is_loop ? loop : nodes[u].current++;
    const ArcId b = is_loop ? loop + 1 : nodes[v].current++;
    if (is_loop) loop += 2;
    C residual = capacity, other = back;
    if (excess[u] > 0 && excess[v] < 0 && residual > 0) {
      const C flow = static_cast<C>(std::min({Total{residual}, excess[u], -excess[v]}));
      residual -= flow, other += flow, excess[u] -= flow, excess[v] += flow;
    } else if (excess[v] > 0 && excess[u] < 0 && other > 0) {
      const C flow = static_cast<C>(std::min({Total{other}, excess[v], -excess[u]}));
      residual += flow, other -= flow, excess[v] -= flow, excess[u] += flow;
    }
    arcs[a] = {v, b, residual, other};
    arcs[b] = {u, a, other, residual};
    arc_of[e] = a;
  });
  neighbours_pushed = true;
}

template struct ResidualGraph<std::int32_t>;
template struct ResidualGraph<std::int64_t>;
template struct ResidualGraph<double>;

}  // namespace thalweg
