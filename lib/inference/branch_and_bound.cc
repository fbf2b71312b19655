#include "inference/branch_and_bound.h"

#include <algorithm>
#include <cmath>

#include "inference/neighbourhood_search.h"
#include "thalweg/inference/elimination.h"
#include "thalweg/inference/local_search.h"
#include "thalweg/inference/reweighted_messages.h"

namespace thalweg::detail {
namespace {

constexpr double kSmallTable = 0x1p16;  // cells, where elimination is faster than searching on
constexpr Index kRootPasses = 400, kNodePasses = 25, kKicks = 100'000;

class Search {
 public:
  explicit Search(const SearchLimits& limits) : limits_(limits) {}

  SearchResult run(const OwnedFactorGraph& graph) {
    const auto begin = Clock::now();
    end_ = begin + (limits_.end - begin) / 2;
    result_.complete = true;
    node(
        graph, [](std::span<const Label> y) { return std::vector<Label>(y.begin(), y.end()); }, true);
    Minimum& best = result_.minimum;
    if (!result_.complete && best.feasible()) {
      // The second half of the time is for better answers rather than for the proof that there are none.
      end_ = limits_.end;
      search_on(graph, best.labels, limits_.branch ? kKicks : 0);
      best.energy = energy(graph.view(), std::span<const Label>(best.labels)) + graph.constant;
    }
    best.lower_bound = result_.complete ? best.energy : root_bound_;
    best.guarantee = result_.complete ? Guarantee::Exact : Guarantee::Bounded;
    return std::move(result_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  using Lift = std::function<std::vector<Label>(std::span<const Label>)>;  // to an answer of the whole graph

  // Whether a node with this bound can still hold something better.
  bool hopeless(double bound) const { return hopeless_beside(bound, result_.minimum.energy); }
  bool hopeless_beside(double bound, double best) const {
    if (!(bound < kInfinity<double>)) return true;
    if (!(best < kInfinity<double>)) return false;
    const double slack = limits_.step > 0 ? limits_.step * (1 - 1e-6) : 1e-9 * (1 + std::abs(best));
    return bound > best - slack;
  }
  bool out_of_time() {
    if (stopped_) return true;
    stopped_ = Clock::now() >= end_ || (limits_.go_on && !limits_.go_on(result_.minimum.energy, root_bound_));
    return stopped_;
  }
  void offer(const OwnedFactorGraph& graph, std::span<const Label> y, const Lift& lift) {
    const double e = energy(graph.view(), y) + graph.constant;
    if (e < result_.minimum.energy) result_.minimum.energy = e, result_.minimum.labels = lift(y);
  }

  // Searches a graph, given how its answers become those of the whole.
  void node(OwnedFactorGraph graph, Lift lift, bool root) {
    ++result_.nodes;
    std::vector<std::vector<double>> beliefs;
    for (;;) {
      if (!(graph.constant < kInfinity<double>)) return;
      if (graph.topology->variables() == 0) return offer(graph, {}, lift);
      const EliminationOrder order(*graph.topology, {.most_cells = kSmallTable, .tries = 1});
      if (order.complete()) {
        const Minimum best = minimize(graph.view(), order);
        if (best.feasible()) offer(graph, best.labels, lift);
        return;
      }
      if (!root && out_of_time()) {
        result_.complete = false;
        return;
      }
      const double bound = bounded(graph, lift, root, beliefs);
      if (root) root_bound_ = std::max(root_bound_, bound);
      if (hopeless(bound)) return;
      // States that no better answer can have.
      std::vector<std::uint8_t> allowed;
      bool less = false;
      for (const auto& belief : beliefs) {
        const double low = *std::min_element(belief.begin(), belief.end());
        for (const double e : belief) {
          allowed.push_back(!hopeless(bound + e - low));
          less |= !allowed.back();
        }
      }
      if (!less) break;
      descend(graph, lift, allowed);
      root = false;
    }
    if (!limits_.branch) {
      result_.complete = false;
      return;
    }
    branch(graph, lift, beliefs);
  }

  // Lower bound of a graph; offers an answer on the way.
  double bounded(const OwnedFactorGraph& graph, const Lift& lift, bool root,
                 std::vector<std::vector<double>>& beliefs) {
    const FactorGraph<double> view = graph.view();
    ReweightedMessages<double> messages(view);
    const std::chrono::duration<double> left = end_ - Clock::now();
    const auto keep_on = [&](const ReweightedProgress& p) {
      if (hopeless(p.lower_bound + graph.constant)) return false;
      if (!root) return true;
      root_bound_ = std::max(root_bound_, p.lower_bound + graph.constant - 1e-9 * std::abs(p.lower_bound));
      return !limits_.go_on ||
             limits_.go_on(std::min(result_.minimum.energy, p.energy + graph.constant), root_bound_);
    };
    Minimum found = messages.minimize({.passes = root ? kRootPasses : kNodePasses,
                                       .seconds = std::max(left.count() / 2, 1e-3),
                                       .tolerance = root ? 1e-7 : 1e-4},
                                      keep_on);
    if (found.feasible()) {
      if (root) {
        search_.improve(view, found.labels, 2);
        search_on(graph, found.labels, 0);
      }
      offer(graph, found.labels, lift);
    }
    beliefs.clear();
    for (Index v = 0; v < variables(view); ++v) {
      const auto belief = messages.belief(v);
      beliefs.emplace_back(belief.begin(), belief.end());
    }
    return found.lower_bound + graph.constant;
  }

  // Large neighbourhoods of the whole graph's or the root's answer.
  void search_on(const OwnedFactorGraph& graph, std::span<Label> y, Index kicks) {
    search_neighbourhoods(graph.view(), y, rng_, kicks, [&](double e) {
      return Clock::now() < end_ && !hopeless_beside(root_bound_, e + graph.constant) &&
             (!limits_.go_on || limits_.go_on(e + graph.constant, root_bound_));
    });
  }

  static void descend(OwnedFactorGraph& graph, Lift& lift, std::span<const std::uint8_t> allowed) {
    Reduced rest = keep_states(graph.view(), allowed, graph.constant);
    graph = std::move(rest.graph);
    lift = [above = std::move(lift), rest = std::move(rest)](std::span<const Label> y) {
      return above(rest.complete(y));
    };
  }

  // The variable with the most factors for its states; its lowest state first, all others then.
  void branch(const OwnedFactorGraph& graph, const Lift& lift,
              const std::vector<std::vector<double>>& beliefs) {
    const FactorTopology& topology = *graph.topology;
    Index chosen = 0;
    double most = -1;
    for (Index v = 0; v < topology.variables(); ++v) {
      const double degree =
          static_cast<double>(topology.factors_of(v).size()) / static_cast<double>(topology.states(v));
      if (degree > most) most = degree, chosen = v;
    }
    const auto& belief = beliefs[chosen];
    const Index low = std::min_element(belief.begin(), belief.end()) - belief.begin();
    for (const bool at_low : {true, false}) {
      std::vector<std::uint8_t> allowed(static_cast<std::size_t>(topology.unary_cells()), 1);
      for (Index l = 0; l < topology.states(chosen); ++l)
        allowed[topology.first(chosen) + l] = (l == low) == at_low;
      OwnedFactorGraph part = graph;
      Lift to_whole = lift;
      descend(part, to_whole, allowed);
      node(std::move(part), std::move(to_whole), false);
      if (stopped_) {
        result_.complete = false;
        return;
      }
    }
  }

  const SearchLimits& limits_;
  Rng rng_;
  Clock::time_point end_;
  LocalSearch<FactorGraph<double>> search_;
  SearchResult result_;
  double root_bound_ = -kInfinity<double>;
  bool stopped_ = false;
};

}  // namespace

SearchResult branch_and_bound(const OwnedFactorGraph& graph, const SearchLimits& limits) {
  return Search(limits).run(graph);
}

}  // namespace thalweg::detail
