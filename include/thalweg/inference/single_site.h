/// @file
/// `SingleSite`: what a structure offers to code that changes one variable at a time, written once for all of
/// them; and the exhaustive referees, which need no more.
///
///     variables(s)               V
///     states(s, v)               the states of v are 0 .. states - 1
///     energy(s, y)               E(y)
///     site_energies(s, y, v, e)  e[l] = E(y with y_v = l) + a constant
///     each_neighbour(s, v, f)    f(u) for the u whose site energies depend on y_v
///
/// `Chain` (energy/site_energies.h) and `FactorGraph` are such structures; a structure of your own is one
/// when these five functions are found beside it.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <span>
#include <string>
#include <vector>

#include "thalweg/core/error.h"
#include "thalweg/core/types.h"
#include "thalweg/energy/factor_graph.h"
#include "thalweg/energy/site_energies.h"
#include "thalweg/inference/minimum.h"

namespace thalweg {

template <class S>
concept SingleSite = requires(const S& s, std::span<const Label> y, Index v,
                              std::span<typename S::Scalar> out) {
  { variables(s) } -> std::convertible_to<Index>;
  { states(s, v) } -> std::convertible_to<Index>;
  { energy(s, y) } -> std::convertible_to<double>;
  site_energies(s, y, v, out);
  each_neighbour(s, v, [](Index) {});
};

/// The largest number of states of one variable.
template <SingleSite S>
Index most_states(const S& s) {
  Index most = 0;
  for (Index v = 0; v < variables(s); ++v) most = std::max<Index>(most, states(s, v));
  return most;
}

/// @throws InputError unless y is an answer of finite energy, from which a sampler or a search can start
template <SingleSite S>
void check_start(const S& s, std::span<const Label> y) {
  if (static_cast<Index>(y.size()) != variables(s))
    throw InputError(
        "y", "has " + std::to_string(y.size()) + " labels for " + std::to_string(variables(s)) + " variables",
        "give one for each");
  for (Index v = 0; v < variables(s); ++v) {
    if (static_cast<Index>(y[v]) >= states(s, v))
      throw InputError("y[" + std::to_string(v) + "]",
                       "is " + std::to_string(y[v]) + " of " + std::to_string(states(s, v)) + " states",
                       "states count from 0");
  }
  if (!(energy(s, y) < kInfinity<double>))
    throw InputError("y", "is a forbidden answer", "start from one of finite energy");
}

/// Calls f(y) for every answer, the first variable fastest. Time is the product of all states.
template <SingleSite S, class F>
void each_answer(const S& s, F f) {
  const Index V = variables(s);
  std::vector<Label> y(static_cast<std::size_t>(V), 0);
  for (;;) {
    f(std::span<const Label>(y));
    Index v = 0;
    while (v < V && ++y[v] == static_cast<Label>(states(s, v))) y[v++] = 0;
    if (v == V) return;
  }
}

namespace detail {
/// @throws OptionError where there are more than 2^26 answers
template <SingleSite S>
void check_enumerable(const S& s) {
  double answers = 1;
  for (Index v = 0; v < variables(s); ++v) answers *= static_cast<double>(states(s, v));
  if (answers > 0x1p26)
    throw OptionError("enumeration", "has more than 2^26 answers to try",
                      "it is a referee for small structures");
}
}  // namespace detail

/// The lowest answer, by trying all of them. @throws OptionError where there are more than 2^26
template <SingleSite S>
Minimum enumerate_minimum(const S& s) {
  detail::check_enumerable(s);
  Minimum best;
  each_answer(s, [&](std::span<const Label> y) {
    const double e = energy(s, y);
    if (e < best.energy) best.energy = best.lower_bound = e, best.labels.assign(y.begin(), y.end());
  });
  return best;
}

/// -(1/beta) log sum_y exp(-beta E(y)), term by term. @throws as above
template <SingleSite S>
double enumerate_free_energy(const S& s, double beta = 1) {
  const double low = enumerate_minimum(s).energy;
  if (!(low < kInfinity<double>)) return low;
  double sum = 0;
  each_answer(s, [&](std::span<const Label> y) { sum += std::exp(-beta * (energy(s, y) - low)); });
  return low - std::log(sum) / beta;
}

}  // namespace thalweg
