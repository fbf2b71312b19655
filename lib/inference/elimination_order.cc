#include <algorithm>
#include <queue>
#include <set>

#include "core/require.h"
#include "thalweg/core/random.h"
#include "thalweg/inference/elimination.h"

namespace thalweg {
namespace {

constexpr Index kSmall = 2000;  // variables, up to which several orders are tried

using Neighbours = std::vector<std::vector<std::uint32_t>>;  // sorted

Neighbours neighbours_of(const FactorTopology& topology) {
  Neighbours all(static_cast<std::size_t>(topology.variables()));
  for (Index v = 0; v < topology.variables(); ++v) {
    auto& mine = all[v];
    for (const auto& place : topology.factors_of(v)) {
      for (const std::uint32_t u : topology.scope(place.factor)) {
        if (u != static_cast<std::uint32_t>(v)) mine.push_back(u);
      }
    }
    std::sort(mine.begin(), mine.end());
    mine.erase(std::unique(mine.begin(), mine.end()), mine.end());
  }
  return all;
}

struct Cost {
  double fill = 0, cells = 0;
  std::uint64_t tie = 0;
  auto operator<=>(const Cost&) const = default;
};

struct Tried {
  std::vector<std::uint32_t> order;
  Index width = 0;
  double largest = 0, cells = 0;
  bool complete = false;
};

class Greedy {
 public:
  Greedy(const FactorTopology& topology, Neighbours neighbours, const EliminationOptions& options, Rng rng)
      : topology_(topology), near_(std::move(neighbours)), options_(options), rng_(rng), cost_(near_.size()) {
    for (std::uint32_t v = 0; v < near_.size(); ++v) queue_.insert({cost_[v] = price(v), v});
  }

  Tried run() {
    Tried tried;
    while (!queue_.empty()) {
      const auto [cost, v] = *queue_.begin();
      tried.largest = std::max(tried.largest, cost.cells);
      if (cost.cells > options_.most_cells) return tried;
      tried.order.push_back(v);
      tried.width = std::max(tried.width, std::ssize(near_[v]));
      tried.cells += cost.cells / static_cast<double>(topology_.states(v));
      eliminate(v);
    }
    tried.complete = true;
    return tried;
  }

 private:
  bool joined(std::uint32_t u, std::uint32_t w) const {
    return std::binary_search(near_[u].begin(), near_[u].end(), w);
  }
  Cost price(std::uint32_t v) {
    Cost cost{0, static_cast<double>(topology_.states(v)), rng_()};
    const auto& near = near_[v];
    for (const std::uint32_t u : near) cost.cells *= static_cast<double>(topology_.states(u));
    // What is too large is not going to leave: its fill need not be counted.
    if (cost.cells > options_.most_cells) return {kInfinity<double>, cost.cells, cost.tie};
    for (std::size_t i = 0; i < near.size(); ++i) {
      for (std::size_t j = i + 1; j < near.size(); ++j) cost.fill += !joined(near[i], near[j]);
    }
    return cost;
  }
  void eliminate(std::uint32_t v) {
    queue_.erase({cost_[v], v});
    const std::vector<std::uint32_t> near = std::move(near_[v]);
    std::set<std::uint32_t> changed(near.begin(), near.end());
    for (const std::uint32_t u : near) {
      auto& list = near_[u];
      merged_.clear();
      std::set_union(list.begin(), list.end(), near.begin(), near.end(), std::back_inserter(merged_));
      merged_.erase(std::remove_if(merged_.begin(), merged_.end(), [&](auto w) { return w == u || w == v; }),
                    merged_.end());
      list.assign(merged_.begin(), merged_.end());
      // New edges may save fill to whoever sees both of their ends.
      if (topology_.variables() <= kSmall) changed.insert(list.begin(), list.end());
    }
    for (const std::uint32_t u : changed) {
      queue_.erase({cost_[u], u});
      queue_.insert({cost_[u] = price(u), u});
    }
  }

  const FactorTopology& topology_;
  Neighbours near_;
  const EliminationOptions& options_;
  Rng rng_;
  std::vector<Cost> cost_;
  std::set<std::pair<Cost, std::uint32_t>> queue_;
  std::vector<std::uint32_t> merged_;
};

bool better(const Tried& a, const Tried& b) {
  if (a.complete != b.complete) return a.complete;
  if (!a.complete) return a.order.size() > b.order.size();
  return a.cells < b.cells;
}

}  // namespace

EliminationOrder::EliminationOrder(const FactorTopology& topology, const EliminationOptions& options) {
  require(options.most_cells >= 1, "most_cells", options.most_cells, ">= 1");
  require(options.tries >= 1, "tries", options.tries, ">= 1");
  const Neighbours neighbours = neighbours_of(topology);
  Rng rng(options.seed);
  Tried best;
  const Index tries = topology.variables() <= kSmall ? options.tries : 1;
  for (Index t = 0; t < tries; ++t) {
    Tried tried = Greedy(topology, neighbours, options, Rng(rng())).run();
    if (t == 0 || better(tried, best)) best = std::move(tried);
    if (best.complete && best.width <= 1) break;  // a forest: nothing is better
  }
  order_ = std::move(best.order), width_ = best.width, largest_ = best.largest, cells_ = best.cells,
  complete_ = best.complete;
}

}  // namespace thalweg
