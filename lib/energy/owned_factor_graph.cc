#include "thalweg/energy/owned_factor_graph.h"

#include <algorithm>
#include <map>
#include <string>

#include "thalweg/core/error.h"

namespace thalweg {

std::vector<std::uint8_t> observed(const FactorTopology& topology, std::span<const Observation> evidence) {
  std::vector<std::uint8_t> allowed(static_cast<std::size_t>(topology.unary_cells()), 1);
  std::vector<Label> seen(static_cast<std::size_t>(topology.variables()), kNoLabel);
  for (const auto& [v, state] : evidence) {
    if (v >= seen.size())
      throw InputError("evidence",
                       "names variable " + std::to_string(v) + " of " + std::to_string(seen.size()),
                       "variables count from 0");
    const std::string name = "evidence on variable " + std::to_string(v);
    const Index K = topology.states(v);
    if (static_cast<Index>(state) >= K)
      throw InputError(name, "is state " + std::to_string(state) + " of " + std::to_string(K),
                       "states count from 0");
    if (seen[v] != kNoLabel && seen[v] != state)
      throw InputError(name, "is " + std::to_string(seen[v]) + " and " + std::to_string(state),
                       "a variable has one state");
    seen[v] = state;
    for (Index l = 0; l < K; ++l) allowed[topology.first(v) + l] = static_cast<Label>(l) == state;
  }
  return allowed;
}

std::vector<Label> Reduced::complete(std::span<const Label> y) const {
  std::vector<Label> all;
  all.reserve(states.size());
  for (const auto& left : states) all.push_back(left.front());
  for (std::size_t i = 0; i < variables.size(); ++i) all[variables[i]] = states[variables[i]][y[i]];
  return all;
}

namespace {

// Copies a table without the states that are gone, row-major as before.
template <class R>
std::vector<double> slice(const R* table, std::span<const Index> strides,
                          const std::vector<const std::vector<Label>*>& kept) {
  std::vector<double> out;
  std::vector<std::size_t> y(kept.size(), 0);
  for (;;) {
    Index cell = 0;
    for (std::size_t i = 0; i < y.size(); ++i) cell += strides[i] * static_cast<Index>((*kept[i])[y[i]]);
    out.push_back(static_cast<double>(table[cell]));
    std::size_t i = y.size();
    while (i > 0 && ++y[i - 1] == kept[i - 1]->size()) y[--i] = 0;
    if (i == 0) return out;
  }
}

}  // namespace

template <class R>
Reduced keep_states(const FactorGraph<R>& graph, std::span<const std::uint8_t> allowed, double constant) {
  const FactorTopology& topology = *graph.topology;
  Reduced r;
  r.graph.constant = constant;
  r.states.resize(static_cast<std::size_t>(topology.variables()));
  std::vector<std::uint32_t> number(r.states.size());
  std::vector<Index> states;
  for (Index v = 0; v < topology.variables(); ++v) {
    auto& left = r.states[v];
    const Index first = topology.first(v), K = topology.states(v);
    for (Index l = 0; l < K; ++l) {
      if (allowed[first + l] && graph.unary[first + l] < kInfinity<R>) left.push_back(static_cast<Label>(l));
    }
    if (left.empty()) {
      r.graph.constant = kInfinity<double>;
      for (Index l = 0; l < K; ++l) left.push_back(static_cast<Label>(l));
    }
    if (left.size() == 1) {
      r.graph.constant += static_cast<double>(graph.unary[first + static_cast<Index>(left[0])]);
      continue;
    }
    number[v] = static_cast<std::uint32_t>(r.variables.size());
    r.variables.push_back(static_cast<std::uint32_t>(v)), states.push_back(std::ssize(left));
    for (const Label l : left)
      r.graph.unary.push_back(static_cast<double>(graph.unary[first + static_cast<Index>(l)]));
  }

  std::vector<Index> offsets{0};
  std::vector<std::uint32_t> scopes, which;
  std::map<std::pair<Index, std::vector<std::vector<Label>>>, std::uint32_t>
      tables;  // what they were cut from
  for (Index f = 0; f < topology.factors(); ++f) {
    std::vector<const std::vector<Label>*> kept;
    std::vector<std::uint32_t> open;
    for (const std::uint32_t v : topology.scope(f)) {
      kept.push_back(&r.states[v]);
      if (kept.back()->size() > 1) open.push_back(number[v]);
    }
    const R* table = graph.tables.data() + topology.begin(f);
    if (open.empty()) {
      r.graph.constant += slice(table, topology.strides(f), kept)[0];
      continue;
    }
    std::vector<std::vector<Label>> cut;
    for (const auto* left : kept) cut.push_back(*left);
    const auto [at, added] =
        tables.try_emplace({topology.table_of(f), std::move(cut)}, static_cast<std::uint32_t>(tables.size()));
    if (added) {
      const std::vector<double> cells = slice(table, topology.strides(f), kept);
      r.graph.tables.insert(r.graph.tables.end(), cells.begin(), cells.end());
    }
    which.push_back(at->second);
    scopes.insert(scopes.end(), open.begin(), open.end());
    offsets.push_back(std::ssize(scopes));
  }
  r.graph.topology = std::make_shared<const FactorTopology>(states, Scopes{offsets, scopes, which});
  return r;
}

template Reduced keep_states(const FactorGraph<float>&, std::span<const std::uint8_t>, double);
template Reduced keep_states(const FactorGraph<double>&, std::span<const std::uint8_t>, double);

}  // namespace thalweg
