/// @file
/// What the solvers of maximum flow share: residual arcs in the order of their tails, a signed excess per
/// node that stands for both terminals, and the problem's books.
///
/// excess(v) = source_v - sink_v - flow out of v over arcs: above 0 it is what the source still has for v,
/// below 0 what the sink would still take. Flow through a node from source to sink needs no arc. The value
/// of the flow is then sum_v sink_v less what the sink would still take: `supply - sum_v max(0, -excess_v)`.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include "thalweg/inference/max_flow.h"

namespace thalweg {

/// Uninitialised storage, on large pages where the system gives them: solvers jump through all of it.
template <class T>
class BareArray {
 public:
  BareArray() = default;
  explicit BareArray(std::size_t size) : size_(size) {
    constexpr std::size_t kLargePage = std::size_t{2} << 20;
    std::size_t bytes = size * sizeof(T);
    const std::size_t alignment = bytes < 2 * kLargePage ? 64 : kLargePage;
    bytes = (bytes / alignment + 1) * alignment;
    data_.reset(static_cast<T*>(std::aligned_alloc(alignment, bytes)));
    if (!data_) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    if (alignment == kLargePage) ::madvise(data_.get(), bytes, MADV_HUGEPAGE);
#endif
  }
  T& operator[](std::size_t i) { return data_.get()[i]; }
  const T& operator[](std::size_t i) const { return data_.get()[i]; }
  T* begin() { return data_.get(); }
  T* end() { return data_.get() + size_; }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  static_assert(std::is_trivial_v<T>);
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

using NodeId = std::int32_t;
using ArcId = std::int32_t;

constexpr ArcId kRoot = -1, kOrphan = -2;  // in place of a parent

template <class C>
struct ResidualGraph {
  using Total = typename FlowNetwork<C>::Total;

  struct Arc {
    NodeId head;
    ArcId back;           // the arc the other way
    C residual, reverse;  // of this arc and of `back`: both are in both, so that looking follows no index
  };
  struct Node {
    ArcId first;         // of its arcs; those of v end where those of v + 1 begin
    ArcId parent;        // an arc of this node, or kRoot, kOrphan
    std::int32_t label;  // SearchTrees: distance from the source's roots, or minus that from the sink's, or 0
    ArcId current;       // arcs before it lead to no parent
  };

  /// @throws as FlowNetwork
  void build(Index node_count, const FlowEdges<C>& edges, const FlowTerminals<C>& terminals);

  Index size() const { return static_cast<Index>(excess.size()); }
  NodeId id(Index v) const { return ids.size() == 0 ? static_cast<NodeId>(v) : ids[v]; }
  void count_unfilled() {
    unfilled = 0;
    for (const Total& x : excess) unfilled += x < 0 ? -x : 0;
  }
  void push(ArcId a, C flow) {
    Arc& arc = arcs[a];
    Arc& back = arcs[arc.back];
    arc.residual -= flow, arc.reverse += flow;
    back.residual += flow, back.reverse -= flow;
  }

  BareArray<Arc> arcs;
  BareArray<Node> nodes;           // [V + 1]
  BareArray<Total> excess;         // [V]
  BareArray<Total> terminal;       // [V] source_v - sink_v
  BareArray<NodeId> ids;           // [V] of the caller's nodes; empty where they are the same
  BareArray<ArcId> arc_of;         // [E]
  bool neighbours_pushed = false;  // no arc leads on from a node with excess to one with a deficit
  Total unfilled = 0;              // sum of the deficits
  Total supply = 0;                // sum of sink_v
};

}  // namespace thalweg
