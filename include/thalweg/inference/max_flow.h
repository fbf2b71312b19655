/// @file
/// Maximum flow and minimum cut: the lowest of all binary labellings x of V nodes under
///
///     E(x) = sum_v [source_v x_v + sink_v (1 - x_v)] + sum_e [capacity_e (1 - x_u) x_v + reverse_e x_u (1 -
///     x_v)]
///
/// where edge e runs from u to v, x_v = 0 puts v on the source's side of the cut and x_v = 1 on the sink's.
/// Its minimum is the maximum flow from a source with an arc of capacity source_v to every node, to a sink
/// with an arc of capacity sink_v from every node.
///
///     const std::int32_t from[] = {0, 1}, to[] = {1, 2}, capacity[] = {3, 4}, both[] = {3, 0};
///     const std::int32_t source[] = {5, 0, 0}, sink[] = {0, 1, 9};
///     FlowNetwork<std::int32_t> network(3, {from, to, capacity, both}, {source, sink});
///     const FlowSummary s = network.solve();          // s.value == 3
///     if (network.side(1) == CutSide::Sink) ...       // what stays with the sink
///     network.add_terminal(0, 0, 2);                  // sink_0 += 2 ...
///     network.solve();                                // ... goes on from the old flow and search trees
///
/// 36 bytes an edge in int32, 52 in the other types, and 32 to 36 a node. Nodes that come in an order without
/// locality are numbered anew inside.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// E edges. Parallel edges add up; a loop carries nothing.
template <class C>
struct FlowEdges {
  std::span<const std::int32_t> from, to;  ///< [E] nodes
  std::span<const C> capacity;             ///< [E] of from -> to, finite and >= 0
  std::span<const C> reverse;              ///< [E] of to -> from; empty: 0
};

/// Capacities between a node and the terminals, or what it costs a node to be cut off from them: finite, and
/// negative too, which adds a constant to every cut.
template <class C>
struct FlowTerminals {
  std::span<const C> source, sink;  ///< [V]; empty: 0
};

enum class FlowSolver {
  /// PushRelabel where not one node in 64 has a terminal and at least 8 arcs lie between source and sink,
  /// SearchTrees elsewhere.
  Auto,
  SearchTrees,  ///< incremental breadth-first search (Goldberg, Hed, Kaplan, Kohli, Tarjan, Werneck 2015)
  PushRelabel,  ///< highest label first, global relabelling, gaps (Cherkassky and Goldberg 1997)
};
THALWEG_EXPORT const char* name(FlowSolver solver);

struct FlowOptions {
  FlowSolver solver = FlowSolver::Auto;
  /// Tells CutSide::Either from CutSide::Sink, which costs up to one more visit of every arc.
  bool both_sides = false;
};

struct FlowSummary {
  double value = kInfinity<double>;  ///< of the minimum cut; see FlowNetwork::value for all its digits
  FlowSolver requested = FlowSolver::Auto, used = FlowSolver::Auto;
  std::string reason;  ///< why the used one
  bool warm = false;   ///< went on from the trees of the solve before
  Index steps = 0;     ///< augmentations, or pushes
  double seconds = 0;  ///< wall clock of this solve
};

enum class CutSide : std::uint8_t {
  Source,  ///< on the source's side of every minimum cut
  Sink,    ///< on the sink's side of every minimum cut; without `both_sides`, of this one
  Either,  ///< on the sink's side of this cut and on the source's of some other of the same value
};

/// A network, the flow in it, and what a later solve can go on from. C is std::int32_t, std::int64_t or
/// double. Whatever the solver, the cut is the one with the fewest nodes on the source's side.
///
/// With integers every figure is exact. With doubles, saturated arcs and used-up terminals are so exactly,
/// and the value is right to a few units in the last place of the sum of all terminal capacities.
template <class C>
class THALWEG_EXPORT FlowNetwork {
 public:
  using Total = std::conditional_t<std::is_integral_v<C>, std::int64_t, double>;

  /// O(V + E). @throws InputError that names the edge or node: arrays of different lengths, a node out of
  /// range, a capacity that is negative, not finite, or with its reverse exceeds C; terminals whose sum
  /// exceeds Total; more than 2^30 nodes or edges
  FlowNetwork(Index nodes, const FlowEdges<C>& edges, const FlowTerminals<C>& terminals);
  FlowNetwork(FlowNetwork&&) noexcept;
  FlowNetwork& operator=(FlowNetwork&&) noexcept;
  ~FlowNetwork();

  Index nodes() const;
  Index edges() const;

  /// Finds a minimum cut. After the first time, SearchTrees goes on from what is there: cheap after few
  /// changes. O(V^2 E) at worst, about linear on the graphs of vision and language.
  FlowSummary solve(const FlowOptions& options = {});

  /// E(x) at its minimum. @pre solved
  Total value() const;
  /// @pre solved, and nothing changed since
  CutSide side(Index v) const;
  /// Writes x [V]: 0 for the source's side, 1 for the sink's. @pre as `side`
  void cut(std::span<Label> x) const;

  /// Adds to source_v and sink_v; the sums may be negative. O(1). @pre v in [0, nodes)
  /// @throws InputError where a sum exceeds Total
  void add_terminal(Index v, C source, C sink);
  /// Adds to the capacities of edge e. O(1). @pre e in [0, edges)
  /// @throws InputError where one becomes negative or their sum exceeds C
  void add_capacity(Index e, C capacity, C reverse);

  /// What SearchTrees leaves after a first solve is a flow. PushRelabel, and changes before a solve, may
  /// leave a preflow, as good for the cut: this turns it into a flow (and costs about as much as a solve).
  void restore_flow();
  /// Capacity of e less the flow on it, in its own and in the other direction.
  C residual(Index e) const;
  C reverse_residual(Index e) const;
  /// source_v - sink_v less the flow that leaves v over edges.
  Total terminal_residual(Index v) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What makes a flow a maximum flow and a cut a minimum cut, measured. The excess over a bound is >= 0.
struct FlowCheck {
  double flow = 0;          ///< from source to sink, added up from the edges
  double cut = 0;           ///< E(x) of the network's cut
  double value = 0;         ///< what the network says
  double capacity = 0;      ///< by how much an edge's flow exceeds its capacity at most
  double conservation = 0;  ///< by how much a node gives or takes more than its terminals allow at most

  bool holds(double tolerance = 0) const;
};

/// Checks a solved network against the problem as it is now. Exact for integers up to 2^53. O(V + E).
/// Without `restore_flow`, `conservation` may be off where that function would mend it; everything else must
/// hold, and proves the cut already: no cut is below `flow`, which is a dual bound for preflows, too.
template <class C>
THALWEG_EXPORT FlowCheck check_flow(const FlowNetwork<C>& network, const FlowEdges<C>& edges,
                                    const FlowTerminals<C>& terminals);

}  // namespace thalweg
