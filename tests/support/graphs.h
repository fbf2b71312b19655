/// @file
/// Factor graphs that own their tables: random ones, and chains as graphs.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "support/enumerate.h"
#include "thalweg/energy/factor_graph.h"

namespace thalweg::testing {

template <class R>
struct OwnedGraph {
  std::shared_ptr<const FactorTopology> topology;
  std::vector<R> unary, tables;

  FactorGraph<R> view() const { return {topology.get(), unary, tables}; }
};

/// Scopes while they are collected.
struct ScopeList {
  std::vector<Index> offsets{0};
  std::vector<std::uint32_t> variables, which;

  void add(std::initializer_list<std::uint32_t> scope) { add(std::vector<std::uint32_t>(scope)); }
  void add(const std::vector<std::uint32_t>& scope) {
    variables.insert(variables.end(), scope.begin(), scope.end());
    offsets.push_back(static_cast<Index>(variables.size()));
  }
  operator Scopes() const { return {offsets, variables, which}; }
};

/// Energies are normal times `scale`; a share `forbid` of them is +infinity.
template <class R>
OwnedGraph<R> random_energies(Rng& rng, const std::vector<Index>& states, const ScopeList& scopes,
                              double scale = 1, double forbid = 0) {
  OwnedGraph<R> g{std::make_shared<const FactorTopology>(states, scopes), {}, {}};
  const auto fill = [&](std::vector<R>& values, Index count) {
    for (Index i = 0; i < count; ++i)
      values.push_back(rng.uniform() < forbid ? kInfinity<R> : static_cast<R>(scale * rng.normal()));
  };
  fill(g.unary, g.topology->unary_cells());
  fill(g.tables, g.topology->table_cells());
  return g;
}

/// Five variables of 2 to 3 states: a loop of pairs, of which two share a table, a triple across it, and a
/// single.
template <class R>
OwnedGraph<R> loopy_graph(Rng& rng, double scale = 1, double forbid = 0) {
  ScopeList scopes;
  scopes.add({0, 1}), scopes.add({2, 1}), scopes.add({2, 3}), scopes.add({4, 3}), scopes.add({0, 4});
  scopes.add({4, 0, 2}), scopes.add({3});
  scopes.which = {0, 1, 0, 2, 3, 4, 5};
  return random_energies<R>(rng, {2, 3, 2, 3, 2}, scopes, scale, forbid);
}

struct RandomGraphOptions {
  Index variables = 6, states = 3, factors = 7, arity = 3;  ///< at most so many states, variables in a scope
  double scale = 1, forbid = 0;
};

/// Scopes, states and energies at random; factors of one shape share a table now and then.
template <class R>
OwnedGraph<R> random_graph(Rng& rng, const RandomGraphOptions& o) {
  const auto below = [&](Index n) {
    return static_cast<std::uint32_t>(rng.below(static_cast<std::uint64_t>(n)));
  };
  std::vector<Index> states;
  for (Index v = 0; v < o.variables; ++v) states.push_back(1 + below(o.states));
  ScopeList scopes;
  std::vector<std::vector<Index>> shapes;  // of tables
  for (Index f = 0; f < o.factors; ++f) {
    std::vector<std::uint32_t> scope;
    const Index arity = 1 + below(std::min(o.arity, o.variables));
    while (std::ssize(scope) < arity) {
      const std::uint32_t v = below(o.variables);
      if (std::find(scope.begin(), scope.end(), v) == scope.end()) scope.push_back(v);
    }
    std::vector<Index> shape;
    for (const std::uint32_t v : scope) shape.push_back(states[v]);
    const auto same = std::find(shapes.begin(), shapes.end(), shape);
    const bool share = same != shapes.end() && below(2) == 0;
    scopes.which.push_back(static_cast<std::uint32_t>((share ? same : shapes.end()) - shapes.begin()));
    if (!share) shapes.push_back(shape);
    scopes.add(scope);
  }
  return random_energies<R>(rng, states, scopes, o.scale, o.forbid);
}

/// The first-order chain with the same energies.
template <class R>
OwnedGraph<R> as_graph(const Chain<R>& chain) {
  ScopeList scopes;
  const auto T = static_cast<std::uint32_t>(chain.length());
  for (std::uint32_t t = 0; t + 1 < T; ++t) scopes.add({t, t + 1});
  OwnedGraph<R> g{
      std::make_shared<const FactorTopology>(std::vector<Index>(T, chain.labels()), scopes), {}, {}};
  g.unary.assign(chain.unary.data, chain.unary.data + chain.unary.size());
  for (Index t = 0; t + 1 < chain.length(); ++t)
    g.tables.insert(g.tables.end(), chain.coupling(t), chain.coupling(t) + chain.labels() * chain.labels());
  return g;
}

}  // namespace thalweg::testing
