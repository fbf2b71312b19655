/// @file
/// Brute force as the referee: every labelling of a small chain with its energy, and random chains to try.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "thalweg/core/random.h"
#include "thalweg/energy/chain.h"

namespace thalweg::testing {

struct Labelling {
  std::vector<Label> y;
  double energy;
};

/// All K^T labellings.
template <class R>
std::vector<Labelling> enumerate(const Chain<R>& chain) {
  std::vector<Labelling> all;
  std::vector<Label> y(static_cast<std::size_t>(chain.length()), 0);
  for (;;) {
    all.push_back({y, energy<R>(chain, y)});
    std::size_t t = 0;
    while (t < y.size() && ++y[t] == static_cast<Label>(chain.labels())) y[t++] = 0;
    if (t == y.size()) return all;
  }
}

/// -(1/beta) log sum exp(-beta E) of those that `keep` accepts.
template <class Keep>
double free_energy_of(const std::vector<Labelling>& all, double beta, Keep keep) {
  double low = kInfinity<double>, sum = 0;
  for (const auto& l : all) {
    if (keep(l)) low = std::min(low, l.energy);
  }
  if (!(low < kInfinity<double>)) return low;
  for (const auto& l : all) {
    if (keep(l)) sum += std::exp(-beta * (l.energy - low));
  }
  return low - std::log(sum) / beta;
}

/// A chain that owns its tables.
template <class R>
struct OwnedChain {
  TableBuffer<R> unary, pairwise;
  std::vector<std::uint32_t> which;
  std::shared_ptr<const Histories> histories;

  Chain<R> view() const { return {unary, pairwise, which, histories.get()}; }
};

struct RandomChainOptions {
  Index length = 4, labels = 3, tables = 1;  ///< several tables: chosen per position
  double scale = 1;                          ///< energies are normal times this
  double forbid_labels = 0, forbid_pairs = 0;
  Index contexts = 0;  ///< at most so many: a chain of higher order
};

/// Random contexts: each one label more than a label or an earlier one.
inline std::vector<Histories::Context> random_contexts(Rng& rng, Index K, Index count) {
  std::vector<Histories::Context> contexts;
  for (Index c = 0; c < count; ++c) {
    const auto known = static_cast<std::uint64_t>(K) + contexts.size();
    const Histories::Context made{static_cast<std::uint32_t>(rng.below(known)),
                                  static_cast<Label>(rng.below(static_cast<std::uint64_t>(K)))};
    if (std::find(contexts.begin(), contexts.end(), made) == contexts.end()) contexts.push_back(made);
  }
  return contexts;
}

template <class R>
OwnedChain<R> random_chain(Rng& rng, const RandomChainOptions& o) {
  OwnedChain<R> c;
  auto fill = [&](Table<R> table, double forbid) {
    for (Index i = 0; i < table.size(); ++i) {
      table.data[i] = rng.uniform() < forbid ? kInfinity<R> : static_cast<R>(o.scale * rng.normal());
    }
  };
  fill(c.unary.resize(o.length, o.labels), o.forbid_labels);
  if (o.contexts > 0)
    c.histories = std::make_shared<Histories>(o.labels, random_contexts(rng, o.labels, o.contexts));
  const Index rows = c.histories ? c.histories->states() : o.labels;
  fill(c.pairwise.resize(o.tables, rows * o.labels), o.forbid_pairs);
  if (o.tables > 1) {
    for (Index t = 0; t + 1 < o.length; ++t) {
      c.which.push_back(static_cast<std::uint32_t>(rng.below(static_cast<std::uint64_t>(o.tables))));
    }
  }
  return c;
}

}  // namespace thalweg::testing
