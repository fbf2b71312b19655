#include "inference/residual_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

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

// Whether nodes are numbered without locality, judged by a sample of edges: the mean of log2 |u - v| over
// random numberings lies a bit more than 1 below log2 V.
template <class C>
bool scattered(Index nodes, const FlowEdges<C>& edges) {
  constexpr Index kSmall = 1 << 14, kSample = 1 << 10;
  const auto count = static_cast<Index>(edges.from.size());
  if (nodes < kSmall || count < kSample) return false;
  Index bits = 0;
  for (Index i = 0; i < kSample; ++i) {
    const auto e = static_cast<std::size_t>(i * (count / kSample));
    const auto gap = static_cast<std::uint32_t>(std::abs(Index{edges.from[e]} - edges.to[e]));
    bits += static_cast<Index>(std::bit_width(gap));
  }
  return bits > kSample * (static_cast<Index>(std::bit_width(static_cast<std::uint64_t>(nodes))) - 4);
}

}  // namespace

template <class C>
void ResidualGraph<C>::build(Index node_count, const FlowEdges<C>& edges, const FlowTerminals<C>& terminals) {
  const std::size_t E = edges.from.size(), V = static_cast<std::size_t>(node_count);
  check_sizes(node_count, E, edges.to.size(), edges.capacity.size(), edges.reverse.size(),
              terminals.source.size(), terminals.sink.size());
  nodes = BareArray<Node>(V + 1);
  for (Node& node : nodes) node = {0, kRoot, 0, 0};

  // Degrees. Nodes that come scattered are numbered in the order in which the edges name them.
  const auto reverse = [&](std::size_t e) { return edges.reverse.empty() ? C{0} : edges.reverse[e]; };
  const auto in_range = [&](std::int32_t v) {
    return static_cast<std::uint32_t>(v) < static_cast<std::uint32_t>(V);
  };
  const auto check = [&](std::size_t e) {
    if (in_range(edges.from[e]) && in_range(edges.to[e]) && fits(edges.capacity[e], reverse(e))) return;
    refuse_edge(e, node_count, edges.from[e], edges.to[e], edges.capacity[e], reverse(e));
  };
  ArcId loops = 0;
  if (scattered(node_count, edges)) {
    ids = BareArray<NodeId>(V);
    for (NodeId& i : ids) i = -1;
    NodeId next = 0;
    const auto number = [&](std::int32_t v) {
      if (ids[v] < 0) ids[v] = next++;
      return ids[v];
    };
    for (std::size_t e = 0; e < E; ++e) {
      check(e);
      const NodeId u = number(edges.from[e]), v = number(edges.to[e]);
      if (u == v) {
        ++loops;
      } else {
        ++nodes[u].first, ++nodes[v].first;
      }
    }
    for (NodeId& i : ids) {
      if (i < 0) i = next++;
    }
  } else {
    for (std::size_t e = 0; e < E; ++e) {
      check(e);
      const NodeId u = edges.from[e], v = edges.to[e];
      if (u == v) {
        ++loops;
      } else {
        ++nodes[u].first, ++nodes[v].first;
      }
    }
  }
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
  for (std::size_t e = 0; e < E; ++e) {
    const NodeId u = id(edges.from[e]), v = id(edges.to[e]);
    const bool is_loop = u == v;
    const ArcId a = is_loop ? loop : nodes[u].current++;
    const ArcId b = is_loop ? loop + 1 : nodes[v].current++;
    if (is_loop) loop += 2;
    C residual = edges.capacity[e], other = reverse(e);
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
  }
  neighbours_pushed = true;
}

template struct ResidualGraph<std::int32_t>;
template struct ResidualGraph<std::int64_t>;
template struct ResidualGraph<double>;

}  // namespace thalweg
