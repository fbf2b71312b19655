#include "thalweg/inference/graph_minimum.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "core/require.h"
#include "inference/branch_and_bound.h"
#include "thalweg/energy/owned_factor_graph.h"
#include "thalweg/inference/elimination.h"

namespace thalweg {

const char* name(GraphSolver solver) {
  constexpr const char* kNames[] = {"auto", "elimination", "messages", "branch-and-bound"};
  return kNames[static_cast<int>(solver)];
}

const char* name(Certificate certificate) {
  constexpr const char* kNames[] = {"tree", "elimination", "bound met", "granularity", "search", "none"};
  return kNames[static_cast<int>(certificate)];
}

namespace {

// The largest of 1, .1, .01 and .001 of which all finite energies are multiples, or 0.
double step_of(const OwnedFactorGraph& graph) {
  for (const double inverse : {1.0, 10.0, 100.0, 1000.0}) {
    const auto multiple = [&](double e) {
      return !(e < kInfinity<double>) ||
             (std::abs(e) < 1e12 && std::abs(e * inverse - std::round(e * inverse)) < 1e-9);
    };
    if (multiple(graph.constant) && std::all_of(graph.unary.begin(), graph.unary.end(), multiple) &&
        std::all_of(graph.tables.begin(), graph.tables.end(), multiple))
      return 1 / inverse;
  }
  return 0;
}

// The number of each variable's connected component.
std::vector<Index> components(const FactorTopology& topology, Index& count) {
  std::vector<Index> of(static_cast<std::size_t>(topology.variables()), -1), stack;
  count = 0;
  for (Index start = 0; start < topology.variables(); ++start) {
    if (of[start] >= 0) continue;
    of[start] = count, stack.assign(1, start);
    while (!stack.empty()) {
      const Index v = stack.back();
      stack.pop_back();
      for (const auto& place : topology.factors_of(v)) {
        for (const std::uint32_t u : topology.scope(place.factor)) {
          if (of[u] < 0) of[u] = count, stack.push_back(u);
        }
      }
    }
    ++count;
  }
  return of;
}

struct Component {
  OwnedFactorGraph graph;
  std::vector<std::uint32_t> variables;  // their numbers in the whole
};

std::vector<Component> split(const OwnedFactorGraph& graph) {
  const FactorTopology& topology = *graph.topology;
  Index count = 0;
  const std::vector<Index> of = components(topology, count);
  std::vector<Component> parts(static_cast<std::size_t>(count));
  if (count == 1) {
    parts[0].graph = graph, parts[0].graph.constant = 0;
    parts[0].variables.resize(of.size());
    std::iota(parts[0].variables.begin(), parts[0].variables.end(), 0u);
    return parts;
  }
  struct Lists {
    std::vector<Index> states, offsets{0};
    std::vector<std::uint32_t> scopes, which;
    std::vector<std::pair<Index, std::uint32_t>> tables;  // of the whole, and here
  };
  std::vector<Lists> lists(parts.size());
  std::vector<std::uint32_t> number(of.size());
  for (Index v = 0; v < topology.variables(); ++v) {
    Component& part = parts[of[v]];
    number[v] = static_cast<std::uint32_t>(part.variables.size());
    part.variables.push_back(static_cast<std::uint32_t>(v));
    lists[of[v]].states.push_back(topology.states(v));
    part.graph.unary.insert(part.graph.unary.end(), graph.unary.begin() + topology.first(v),
                            graph.unary.begin() + topology.first(v) + topology.states(v));
  }
  std::vector<std::pair<Index, std::uint32_t>> known(static_cast<std::size_t>(topology.tables()), {-1, 0});
  for (Index f = 0; f < topology.factors(); ++f) {
    const Index c = of[topology.scope(f)[0]];
    Lists& list = lists[c];
    auto& table = known[topology.table_of(f)];
    if (table.first != c) {  // components are met in any order: one that comes again copies again
      table = {c, static_cast<std::uint32_t>(list.tables.size())};
      list.tables.emplace_back(topology.table_of(f), table.second);
      parts[c].graph.tables.insert(parts[c].graph.tables.end(), graph.tables.begin() + topology.begin(f),
                                   graph.tables.begin() + topology.begin(f) + topology.cells(f));
    }
    list.which.push_back(table.second);
    for (const std::uint32_t v : topology.scope(f)) list.scopes.push_back(number[v]);
    list.offsets.push_back(std::ssize(list.scopes));
  }
  for (std::size_t c = 0; c < parts.size(); ++c) {
    parts[c].graph.topology = std::make_shared<const FactorTopology>(
        lists[c].states, Scopes{lists[c].offsets, lists[c].scopes, lists[c].which});
  }
  return parts;
}

struct Solved {
  Minimum minimum;
  Certificate certificate;
  std::string used;
};

Solved solve_by_search(const OwnedFactorGraph& graph, const detail::SearchLimits& limits,
                       const std::string& why) {
  detail::SearchResult found = branch_and_bound(graph, limits);
  Solved solved{std::move(found.minimum), Certificate::None,
                found.nodes > 1 ? fmt::format("branch and bound on messages, {} nodes", found.nodes)
                                : std::string("messages")};
  if (!why.empty()) solved.used += " (" + why + ")";
  Minimum& m = solved.minimum;
  const double gap = m.energy - m.lower_bound;
  if (found.complete) {
    solved.certificate = found.nodes > 1 ? Certificate::Search : Certificate::BoundMet;
  } else if (m.feasible() && gap <= 1e-9 * (1 + std::abs(m.energy))) {
    solved.certificate = Certificate::BoundMet;
  } else if (m.feasible() && limits.step > 0 && gap < limits.step * (1 - 1e-6)) {
    solved.certificate = Certificate::Granularity;
  }
  return solved;
}

Solved solve(const OwnedFactorGraph& graph, const GraphMinimumOptions& options, detail::SearchLimits limits) {
  std::string why;
  if (options.solver == GraphSolver::Auto || options.solver == GraphSolver::Elimination) {
    const EliminationOrder order(*graph.topology, {.most_cells = options.most_cells});
    if (order.complete() || options.solver == GraphSolver::Elimination) {
      return {minimize(graph.view(), order),
              order.width() <= 1 ? Certificate::Tree : Certificate::Elimination,
              fmt::format("elimination (width {})", order.width())};
    }
    why = fmt::format("elimination would need {:.1e} cells", order.largest());
  }
  limits.step = step_of(graph);
  limits.branch = options.solver != GraphSolver::Messages;
  return solve_by_search(graph, limits, why);
}

}  // namespace

template <class R>
GraphMinimum minimize_graph(const FactorGraph<R>& graph, const GraphMinimumOptions& options,
                            const std::function<bool(const GraphMinimumProgress&)>& callback) {
  require(options.seconds > 0, "time", options.seconds, "> 0");
  check(graph);
  const auto start = std::chrono::steady_clock::now();
  GraphMinimum result;
  result.requested = options.solver, result.certificate = Certificate::Tree;
  const std::vector<std::uint8_t> all(graph.unary.size(), 1);
  const Reduced rest = keep_states(graph, all);
  std::vector<Component> parts = split(rest.graph);
  std::stable_sort(parts.begin(), parts.end(),
                   [](auto& a, auto& b) { return a.variables.size() < b.variables.size(); });

  double energy_so_far = rest.graph.constant, bound_so_far = rest.graph.constant;
  const double whole = std::min(options.seconds, 1e9);
  std::vector<Label> y(rest.variables.size());
  bool feasible = rest.graph.constant < kInfinity<double>;
  for (std::size_t c = 0; c < parts.size() && bound_so_far < kInfinity<double>; ++c) {
    detail::SearchLimits limits;
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> left =
        start + std::chrono::duration<double>(whole) - now;  // shared by the components still open
    limits.end = now + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                           left / static_cast<double>(parts.size() - c));
    if (callback) {
      limits.go_on = [&](double e, double bound) {
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        const bool last = c + 1 == parts.size();  // until then there is no answer of the whole
        return callback({last ? energy_so_far + e : kInfinity<double>,
                         last ? bound_so_far + bound : -kInfinity<double>, spent.count()});
      };
    }
    Solved solved = solve(parts[c].graph, options, limits);
    // One that is impossible decides it; of others the weakest reason counts.
    const bool impossible = !(solved.minimum.lower_bound < kInfinity<double>);
    if (impossible || solved.certificate >= result.certificate) {
      result.certificate = solved.certificate;
      result.used = std::move(solved.used);
    }
    energy_so_far += solved.minimum.energy, bound_so_far += solved.minimum.lower_bound;
    feasible = feasible && solved.minimum.feasible();
    if (!solved.minimum.feasible()) continue;  // without an answer, but the others have bounds
    for (std::size_t i = 0; i < parts[c].variables.size(); ++i)
      y[parts[c].variables[i]] = solved.minimum.labels[i];
  }
  if (parts.empty()) result.used = "nothing to choose";
  if (parts.size() > 1) result.used += fmt::format(", {} components", parts.size());
  Minimum& best = result.minimum;
  best.lower_bound = bound_so_far;
  best.guarantee = result.certificate == Certificate::None ? Guarantee::Bounded : Guarantee::Exact;
  if (!feasible) return result;
  best.labels = rest.complete(y);
  best.energy = energy(graph, std::span<const Label>(best.labels));
  if (best.guarantee == Guarantee::Exact) best.lower_bound = best.energy;
  best.lower_bound = std::min(best.lower_bound, best.energy);
  return result;
}

template GraphMinimum minimize_graph(const FactorGraph<float>&, const GraphMinimumOptions&,
                                     const std::function<bool(const GraphMinimumProgress&)>&);
template GraphMinimum minimize_graph(const FactorGraph<double>&, const GraphMinimumOptions&,
                                     const std::function<bool(const GraphMinimumProgress&)>&);

}  // namespace thalweg
