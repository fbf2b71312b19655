#include "inference/node_order.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <vector>

namespace thalweg {
namespace {

using Ends = std::span<const NodeId>;

// The mean length in bits of |u - v| over a sample of the edges, as a share of that of a node's number. Over
// random numberings the mean is about two bits below.
template <class Number>
double mean_gap(Index nodes, Ends from, Ends to, Number number) {
  constexpr std::size_t kSample = 1 << 10;
  if (from.size() < kSample) return 0;
  double bits = 0;
  for (std::size_t i = 0; i < kSample; ++i) {
    const std::size_t e = i * (from.size() / kSample);
    const auto gap = static_cast<std::uint32_t>(std::abs(Index{number(from[e])} - number(to[e])));
    bits += static_cast<double>(std::bit_width(gap));
  }
  return bits / static_cast<double>(kSample * std::bit_width(static_cast<std::uint64_t>(nodes)));
}

BareArray<NodeId> no_numbers(Index nodes) {
  BareArray<NodeId> ids(static_cast<std::size_t>(nodes));
  std::fill(ids.begin(), ids.end(), -1);
  return ids;
}

BareArray<NodeId> by_appearance(Index nodes, Ends from, Ends to) {
  BareArray<NodeId> ids = no_numbers(nodes);
  NodeId next = 0;
  for (std::size_t e = 0; e < from.size(); ++e) {
    for (const NodeId v : {from[e], to[e]}) {
      if (ids[v] < 0) ids[v] = next++;
    }
  }
  for (NodeId& id : ids) {
    if (id < 0) id = next++;
  }
  return ids;
}

BareArray<NodeId> breadth_first(Index nodes, Ends from, Ends to) {
  std::vector<std::uint32_t> begin(static_cast<std::size_t>(nodes) + 2);  // of the neighbours of v, at v + 1
  for (std::size_t e = 0; e < from.size(); ++e) ++begin[from[e] + 2], ++begin[to[e] + 2];
  for (std::size_t v = 2; v < begin.size(); ++v) begin[v] += begin[v - 1];
  BareArray<NodeId> neighbours(2 * from.size());
  for (std::size_t e = 0; e < from.size(); ++e) {
    neighbours[begin[from[e] + 1]++] = to[e];
    neighbours[begin[to[e] + 1]++] = from[e];
  }
  BareArray<NodeId> ids = no_numbers(nodes), queue(static_cast<std::size_t>(nodes));
  NodeId next = 0;
  const auto reach = [&](NodeId v) {
    if (ids[v] < 0) ids[v] = next, queue[next++] = v;
  };
  constexpr NodeId kAhead = 8;
  for (NodeId root = 0, i = 0; root < nodes; ++root) {
    for (reach(root); i < next; ++i) {
      if (i + kAhead < next) __builtin_prefetch(&neighbours[begin[queue[i + kAhead]]]);
      const NodeId v = queue[i];
      for (std::uint32_t n = begin[v]; n < begin[v + 1]; ++n) reach(neighbours[n]);
    }
  }
  return ids;
}

}  // namespace

NodeOrder find_node_order(Index nodes, Ends from, Ends to) {
  constexpr Index kSmall = 1 << 14;
  constexpr double kScattered = .8, kFoundNone = .65;  // pictures come to .3, skip-chains to .5
  const auto inside = [&](NodeId v) { return v >= 0 && v < nodes; };
  if (nodes < kSmall || from.size() != to.size()) return {};
  if (mean_gap(nodes, from, to, [](NodeId v) { return v; }) < kScattered) return {};
  if (!std::all_of(from.begin(), from.end(), inside) || !std::all_of(to.begin(), to.end(), inside)) return {};
  NodeOrder order{by_appearance(nodes, from, to), false};
  order.edges_scattered = mean_gap(nodes, from, to, [&](NodeId v) { return order.ids[v]; }) > kFoundNone;
  if (order.edges_scattered) order.ids = breadth_first(nodes, from, to);
  return order;
}

}  // namespace thalweg
