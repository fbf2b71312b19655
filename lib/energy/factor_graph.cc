#include "thalweg/energy/factor_graph.h"

#include <algorithm>
#include <limits>
#include <string>

#include "energy/check_energies.h"
#include "thalweg/core/error.h"

namespace thalweg {
namespace {

std::string named(const char* what, Index number) { return what + (" " + std::to_string(number)); }

[[noreturn]] void refuse(const std::string& where, const std::string& problem, const char* mend) {
  throw InputError(where, problem, mend);
}

void check_offsets(const Scopes& scopes) {
  const auto& o = scopes.offsets;
  const char* mend = "give F + 1 offsets that ascend from 0 to the number of entries";
  if (o.empty() || o.front() != 0) refuse("offsets", "do not begin with 0", mend);
  for (std::size_t f = 0; f + 1 < o.size(); ++f) {
    if (o[f + 1] < o[f])
      refuse(named("factor", static_cast<Index>(f)), "its scope ends before it begins", mend);
    if (o[f + 1] == o[f])
      refuse(named("factor", static_cast<Index>(f)), "its scope is empty",
             "a constant belongs in some unary energy");
  }
  if (o.back() != static_cast<Index>(scopes.variables.size()))
    refuse("offsets", "end at " + std::to_string(o.back()) + " of " + std::to_string(scopes.variables.size()),
           mend);
  if (!scopes.which.empty() && scopes.which.size() + 1 != o.size())
    refuse("which",
           "names tables for " + std::to_string(scopes.which.size()) + " factors of " +
               std::to_string(o.size() - 1),
           "one for each, or none");
}

template <class R>
void check_energies(const char* name, std::span<const R> values, Index expected) {
  if (static_cast<Index>(values.size()) != expected)
    refuse(name, "has " + std::to_string(values.size()) + " energies, expected " + std::to_string(expected),
           "the topology gives the size");
  const Index bad = detail::first_bad(values);
  if (bad < expected) detail::refuse_energy(detail::at(name, {bad}), values[bad]);
}

}  // namespace

FactorTopology::FactorTopology(std::span<const Index> states, const Scopes& scopes)
    : first_(states.size() + 1, 0),
      offsets_(scopes.offsets.begin(), scopes.offsets.end()),
      scopes_(scopes.variables.begin(), scopes.variables.end()),
      strides_(scopes.variables.size()),
      incident_(states.size() + 1, 0) {
  check_offsets(scopes);
  for (std::size_t v = 0; v < states.size(); ++v) {
    if (states[v] <= 0)
      refuse(named("variable", static_cast<Index>(v)), "has no states", "give it one or more");
    first_[v + 1] = first_[v] + states[v];
  }
  std::vector<Index> seen(states.size(), -1);  // the last factor that named a variable
  for (Index f = 0; f < factors(); ++f) {
    for (const std::uint32_t v : scope(f)) {
      if (v >= states.size())
        refuse(named("factor", f),
               "names variable " + std::to_string(v) + " of " + std::to_string(states.size()),
               "variables count from 0");
      if (seen[v] == f)
        refuse(named("factor", f), "names variable " + std::to_string(v) + " twice", "name it once");
      seen[v] = f;
      ++incident_[v + 1];
    }
  }
  number_tables(scopes.which);
  for (std::size_t v = 0; v < states.size(); ++v) incident_[v + 1] += incident_[v];
  incidences_.resize(scopes_.size());
  std::vector<Index> at(incident_.begin(), incident_.end() - 1);
  for (Index f = 0; f < factors(); ++f) {
    for (Index i = offsets_[f]; i < offsets_[f + 1]; ++i) {
      incidences_[at[scopes_[i]]++] = {static_cast<std::uint32_t>(f),
                                       static_cast<std::uint32_t>(i - offsets_[f]), strides_[i]};
    }
  }
}

// Strides of every factor, and the place of every table in one array.
void FactorTopology::number_tables(std::span<const std::uint32_t> which) {
  which_.assign(which.begin(), which.end());
  for (Index f = 0; which.empty() && f < factors(); ++f) which_.push_back(static_cast<std::uint32_t>(f));
  const std::size_t tables =
      which_.empty() ? 0 : std::size_t{*std::max_element(which_.begin(), which_.end())} + 1;
  if (tables > which_.size())
    refuse("which", "names more tables than there are factors", "number tables from 0");
  table_.assign(tables + 1, 0);
  std::vector<Index> owner(tables, -1);
  for (Index f = 0; f < factors(); ++f) {
    Index cells = 1;
    for (Index i = offsets_[f + 1] - 1; i >= offsets_[f]; --i) {
      strides_[i] = cells;
      const Index K = states(scopes_[i]);
      if (cells > std::numeric_limits<std::int32_t>::max() / K)
        refuse(named("factor", f), "needs a table of more than 2^31 cells", "split its scope");
      cells *= K;
    }
    Index& first = owner[which_[f]];
    if (first < 0) first = f, table_[which_[f] + 1] = cells;
    const auto shape = [&](Index g) {
      std::vector<Index> sizes;
      for (const std::uint32_t v : scope(g)) sizes.push_back(states(v));
      return sizes;
    };
    if (first != f && (table_[which_[f] + 1] != cells || shape(f) != shape(first)))
      refuse(named("factor", f),
             "has table " + std::to_string(which_[f]) + " of factor " + std::to_string(first) +
                 ", whose variables have other numbers of states",
             "give it a table of its own");
  }
  for (std::size_t p = 0; p < tables; ++p) {
    if (owner[p] < 0)
      refuse(named("table", static_cast<Index>(p)), "belongs to no factor", "number tables from 0");
    table_[p + 1] += table_[p];
  }
}

template <class R>
void check(const FactorGraph<R>& graph) {
  check_energies("unary", graph.unary, graph.topology->unary_cells());
  check_energies("tables", graph.tables, graph.topology->table_cells());
}

template <class R>
double energy(const FactorGraph<R>& graph, std::span<const Label> y) {
  const FactorTopology& g = *graph.topology;
  double total = 0;
  for (Index v = 0; v < g.variables(); ++v) total += graph.unary[g.first(v) + y[v]];
  for (Index f = 0; f < g.factors(); ++f) total += graph.tables[g.cell(f, y)];
  return total;
}

template <class R>
void add_answer(const FactorGraph<R>& graph, std::span<const Label> y, R weight,
                const FactorParts<R>& parts) {
  const FactorTopology& g = *graph.topology;
  for (Index v = 0; v < g.variables(); ++v) parts.unary[g.first(v) + y[v]] += weight;
  for (Index f = 0; f < g.factors(); ++f) parts.tables[g.cell(f, y)] += weight;
}

template <class R>
void site_energies(const FactorGraph<R>& graph, std::span<const Label> y, Index v, std::span<R> out) {
  const FactorTopology& g = *graph.topology;
  const Index K = g.states(v);
  std::copy_n(&graph.unary[g.first(v)], K, out.begin());
  for (const auto& [factor, slot, stride] : g.factors_of(v)) {
    const auto scope = g.scope(factor);
    const auto strides = g.strides(factor);
    const R* row = graph.tables.data() + g.begin(factor);
    for (std::size_t i = 0; i < scope.size(); ++i) {
      if (i != slot) row += strides[i] * static_cast<Index>(y[scope[i]]);
    }
    for (Index l = 0; l < K; ++l) out[l] += row[l * stride];
  }
}

template <class R>
FactorGraph<R> restrict(const FactorGraph<R>& graph, std::span<const std::uint8_t> allowed,
                        std::vector<R>& storage) {
  storage.assign(graph.unary.begin(), graph.unary.end());
  for (std::size_t i = 0; i < storage.size(); ++i) {
    if (!allowed[i]) storage[i] = kInfinity<R>;
  }
  return {graph.topology, storage, graph.tables};
}

#define THALWEG_INSTANTIATE(R)                                                                       \
  template void check(const FactorGraph<R>&);                                                        \
  template double energy(const FactorGraph<R>&, std::span<const Label>);                             \
  template void add_answer(const FactorGraph<R>&, std::span<const Label>, R, const FactorParts<R>&); \
  template void site_energies(const FactorGraph<R>&, std::span<const Label>, Index, std::span<R>);   \
  template FactorGraph<R> restrict(const FactorGraph<R>&, std::span<const std::uint8_t>, std::vector<R>&);
THALWEG_INSTANTIATE(float)
THALWEG_INSTANTIATE(double)
#undef THALWEG_INSTANTIATE

}  // namespace thalweg
