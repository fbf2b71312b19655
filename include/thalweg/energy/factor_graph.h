/// @file
/// `FactorGraph`: V variables, each with its own number of states, and the energy that splits into parts over
/// any scopes
///
///     E(y) = sum_v unary_v[y_v] + sum_f table[which_f][y_a, y_b, ...],      (a, b, ...) = scope of f
///
/// A table is row-major over its scope, the last variable fastest; many factors may share one, as the skip
/// edges of a sequence do. As with `Chain`, the topology knows nothing of where the numbers came from: it is
/// made once, const and shared, and a FactorGraph is a view of it with two arrays of energies.
///
///     const Index states[] = {2, 2, 3};
///     const std::uint32_t scopes[] = {0, 1,  1, 2};                 // two factors of two variables each
///     const Index ends[] = {0, 2, 4};
///     const FactorTopology topology(states, {ends, scopes, {}});    // {}: a table for every factor
///     std::vector<double> unary(topology.unary_cells()), tables(topology.table_cells());
///     FactorGraph<double> graph{&topology, unary, tables};
///     double e = energy(graph, std::vector<Label>{0, 1, 2});
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/energy/chain.h"

namespace thalweg {

/// The scopes of F factors, one after the other.
struct Scopes {
  std::span<const Index> offsets;            ///< [F + 1] into ...
  std::span<const std::uint32_t> variables;  ///< ... the variables of each factor; none twice in one
  std::span<const std::uint32_t> which;      ///< [F] the table of each factor; empty: factor f has table f
};

/// Who touches whom, in flat arrays. O(V + F + entries) memory, cells apart.
class THALWEG_EXPORT FactorTopology {
 public:
  /// A place of a variable: the scope of `factor`, and the step between its states in the factor's table.
  struct Incidence {
    std::uint32_t factor;
    std::uint32_t slot;
    Index stride;
  };

  /// O(V + F + entries). @throws InputError that names the variable or factor: a variable without states, an
  /// empty scope, a variable out of range or twice in a scope, offsets that do not ascend from 0 to the
  /// number of entries, factors of different shapes on one table, a table no factor has, a table too large
  FactorTopology(std::span<const Index> states, const Scopes& scopes);

  Index variables() const { return static_cast<Index>(first_.size()) - 1; }
  Index states(Index v) const { return first_[v + 1] - first_[v]; }
  Index first(Index v) const { return first_[v]; }  ///< where the unary energies of v begin
  Index unary_cells() const { return first_.back(); }
  std::span<const Index> firsts() const { return first_; }  ///< [V + 1]

  Index factors() const { return static_cast<Index>(offsets_.size()) - 1; }
  std::span<const std::uint32_t> scope(Index f) const {
    return std::span(scopes_).subspan(offsets_[f], offsets_[f + 1] - offsets_[f]);
  }
  /// The steps between states of the variables of f in its table; the last is 1.
  std::span<const Index> strides(Index f) const {
    return std::span(strides_).subspan(offsets_[f], offsets_[f + 1] - offsets_[f]);
  }
  std::span<const Incidence> factors_of(Index v) const {
    return std::span(incidences_).subspan(incident_[v], incident_[v + 1] - incident_[v]);
  }

  Index tables() const { return static_cast<Index>(table_.size()) - 1; }
  Index table_of(Index f) const { return which_[f]; }
  Index begin(Index f) const { return table_[which_[f]]; }  ///< where the table of f begins
  Index cells(Index f) const { return table_[which_[f] + 1] - table_[which_[f]]; }
  Index table_cells() const { return table_.back(); }

  /// The cell of factor f that y chooses, counted from the first of all tables.
  Index cell(Index f, std::span<const Label> y) const {
    Index c = begin(f);
    for (Index i = offsets_[f]; i < offsets_[f + 1]; ++i)
      c += strides_[i] * static_cast<Index>(y[scopes_[i]]);
    return c;
  }

 private:
  void number_tables(std::span<const std::uint32_t> which);

  std::vector<Index> first_;           // [V + 1]
  std::vector<Index> offsets_;         // [F + 1]
  std::vector<std::uint32_t> scopes_;  // [entries]
  std::vector<Index> strides_;         // [entries]
  std::vector<std::uint32_t> which_;   // [F]
  std::vector<Index> table_;           // [tables + 1]
  std::vector<Index> incident_;        // [V + 1]
  std::vector<Incidence> incidences_;  // [entries], of each variable by factor
};

/// A view, cheap to copy. R is float or double; energies are finite or +infinity.
template <class R>
struct FactorGraph {
  using Scalar = R;

  const FactorTopology* topology = nullptr;
  std::span<const R> unary;   ///< [unary_cells]; those of v begin at topology->first(v)
  std::span<const R> tables;  ///< [table_cells]
};

/// The same arrays in their other role: gradients with respect to part energies, or expected parts.
template <class R>
struct FactorParts {
  const FactorTopology* topology = nullptr;
  std::span<R> unary, tables;
};
template <class R>
struct PartsOf<FactorGraph<R>> {
  using type = FactorParts<R>;
};

/// @throws InputError where an array is not of the topology's size, or an energy is NaN or -infinity
template <class R>
THALWEG_EXPORT void check(const FactorGraph<R>& graph);

template <class R>
Index variables(const FactorGraph<R>& graph) {
  return graph.topology->variables();
}
template <class R>
Index states(const FactorGraph<R>& graph, Index v) {
  return graph.topology->states(v);
}

/// Calls f(u) for every variable u that shares a factor with v, once for each that they share.
template <class R, class F>
void each_neighbour(const FactorGraph<R>& graph, Index v, F f) {
  for (const auto& place : graph.topology->factors_of(v)) {
    for (const std::uint32_t u : graph.topology->scope(place.factor)) {
      if (u != v) f(static_cast<Index>(u));
    }
  }
}

/// E(y), summed in double. O(V + entries). @pre y has V labels, each below its variable's states
template <class R>
THALWEG_EXPORT double energy(const FactorGraph<R>& graph, std::span<const Label> y);

/// Adds `weight` at every part that y touches. O(V + entries).
template <class R>
THALWEG_EXPORT void add_answer(const FactorGraph<R>& graph, std::span<const Label> y, R weight,
                               const FactorParts<R>& parts);

/// Writes E(y with y_v = l) up to a constant to `out` [states(v)]; y_v itself is not read. O(entries of the
/// factors of v + states(v) of them).
template <class R>
THALWEG_EXPORT void site_energies(const FactorGraph<R>& graph, std::span<const Label> y, Index v,
                                  std::span<R> out);

/// The same graph with answers taken away: state l of v stays where `allowed[first(v) + l]` is not 0. The
/// unary energies are copied to `storage`, which the result views.
template <class R>
THALWEG_EXPORT FactorGraph<R> restrict(const FactorGraph<R>& graph, std::span<const std::uint8_t> allowed,
                                       std::vector<R>& storage);

}  // namespace thalweg
