#include "inference/neighbourhood_search.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "thalweg/energy/owned_factor_graph.h"
#include "thalweg/inference/elimination.h"

namespace thalweg::detail {
namespace {

constexpr double kMostCells = 0x1p18;  // of a region's tables
constexpr Index kFruitless = 60;       // rounds, at least, that must find nothing

// The `size` variables nearest to a start, in the order found.
std::vector<std::uint32_t> region(const FactorTopology& topology, Index start, Index size) {
  std::vector<std::uint32_t> found{static_cast<std::uint32_t>(start)};
  std::vector<bool> seen(static_cast<std::size_t>(topology.variables()));
  seen[start] = true;
  for (std::size_t i = 0; i < found.size() && std::ssize(found) < size; ++i) {
    for (const auto& place : topology.factors_of(found[i])) {
      for (const std::uint32_t u : topology.scope(place.factor)) {
        if (!seen[u] && std::ssize(found) < size) seen[u] = true, found.push_back(u);
      }
    }
  }
  return found;
}

class Search {
 public:
  Search(const FactorGraph<double>& graph, Rng& rng) : graph_(graph), topology_(*graph.topology), rng_(rng) {
    allowed_.resize(static_cast<std::size_t>(topology_.unary_cells()));
    size_ = std::min<Index>(topology_.variables(), 16);
  }

  // Until nothing is found for a while. @return E(y)
  double descend(std::span<Label> y, const std::function<bool(double)>& go_on) {
    double now = energy(graph_, std::span<const Label>(y));
    const Index V = topology_.variables();
    for (Index fruitless = 0; fruitless < std::max(kFruitless, 8 * V / size_) && go_on(now); ++fruitless) {
      if (improve(y, now)) fruitless = -1;
    }
    return now;
  }
  void kick(std::span<Label> y) {
    for (const std::uint32_t v : somewhere(std::max<Index>(2, size_ / 8)))
      y[v] = static_cast<Label>(rng_.below(static_cast<std::uint64_t>(topology_.states(v))));
  }

 private:
  std::vector<std::uint32_t> somewhere(Index size) {
    const auto V = static_cast<std::uint64_t>(topology_.variables());
    return region(topology_, static_cast<Index>(rng_.below(V)), size);
  }
  // One region, as large as its tables allow.
  bool improve(std::span<Label> y, double& now) {
    std::fill(allowed_.begin(), allowed_.end(), 0);
    for (Index v = 0; v < topology_.variables(); ++v)
      allowed_[topology_.first(v) + static_cast<Index>(y[v])] = 1;
    for (const std::uint32_t v : somewhere(size_)) {
      const auto first = allowed_.begin() + topology_.first(v);
      std::fill(first, first + topology_.states(v), 1);
    }
    const Reduced rest = keep_states(graph_, allowed_);
    const EliminationOrder order(*rest.graph.topology, {.most_cells = kMostCells, .tries = 1});
    if (!order.complete()) {
      size_ = std::max<Index>(2, size_ * 9 / 10);
      return false;
    }
    if (order.largest() < kMostCells / 4)
      size_ = std::min(topology_.variables(), size_ + std::max<Index>(1, size_ / 8));
    const Minimum best = minimize(rest.graph.view(), order);
    if (!best.feasible()) return false;
    const std::vector<Label> whole = rest.complete(best.labels);
    const double then = energy(graph_, std::span<const Label>(whole));
    if (!(then < now - 1e-12 * (1 + std::abs(then)))) return false;
    std::copy(whole.begin(), whole.end(), y.begin());
    now = then;
    return true;
  }

  const FactorGraph<double>& graph_;
  const FactorTopology& topology_;
  Rng& rng_;
  std::vector<std::uint8_t> allowed_;
  Index size_;
};

}  // namespace

double search_neighbourhoods(const FactorGraph<double>& graph, std::span<Label> y, Rng& rng, Index kicks,
                             const std::function<bool(double)>& go_on) {
  Search search(graph, rng);
  double best = search.descend(y, go_on);
  std::vector<Label> tried(y.begin(), y.end());
  for (Index k = 0; k < kicks && go_on(best); ++k) {
    tried.assign(y.begin(), y.end());
    search.kick(tried);
    const double e = search.descend(tried, [&](double now) { return go_on(std::min(best, now)); });
    if (e < best) best = e, std::copy(tried.begin(), tried.end(), y.begin());
  }
  return best;
}

}  // namespace thalweg::detail
