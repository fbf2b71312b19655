/// @file
/// `Chain`: a labelling y of T positions with K labels each, and the energy that splits into parts
///
///     E(y) = sum_t unary[t][y_t] + sum_t pairwise[which[t]][y_t * K + y_{t+1}]
///
/// In a chain of higher order the coupling looks back further: `y_t * K` is `h_t * K` then, with h_t the
/// history of labels up to t (energy/histories.h), and tables have S rows, one for every history.
///
/// A chain is a topology over tables; it knows nothing of where the numbers came from. Everything here is a
/// view: cheap to copy, owning nothing. Energies are finite or `+infinity` (forbidden), never NaN or
/// `-infinity`.
///
///     std::vector<float> unary{0, 1,  2, 0,  0, 3}, pairwise{0, 1, 1, 0};
///     Chain<float> chain{{unary.data(), 3, 2}, {pairwise.data(), 1, 4}, {}};
///     double e = energy(chain, std::vector<Label>{0, 1, 1});   // 0 + 0 + 3 + 1 + 0
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "thalweg/core/types.h"
#include "thalweg/energy/histories.h"

namespace thalweg {

/// The energies of one sequence. R is float or double.
template <class R>
struct Chain {
  using Scalar = R;

  Table<const R> unary;     ///< [T x K]
  Table<const R> pairwise;  ///< [P x S*K]; entry i*K + j couples history i with label j one position later
  std::span<const std::uint32_t>
      which;  ///< [T-1] row of `pairwise` between t and t+1; empty: row 0 everywhere
  const Histories* histories = nullptr;  ///< null: the label before is all that counts, and S = K

  Index length() const { return unary.rows; }
  Index labels() const { return unary.columns; }
  Index states() const { return histories ? histories->states() : labels(); }
  State start(Label l) const { return histories ? histories->start(l) : l; }
  State next(State s, Label l) const { return histories ? histories->next(s, l) : l; }
  Label last(State s) const { return histories ? histories->last(s) : s; }
  /// Calls f(s) for every history s that may stand before `after`, in ascending order.
  template <class F>
  void each_before(State after, F f) const {
    if (histories) {
      for (State s : histories->before(after)) f(s);
    } else {
      for (State s = 0; s < static_cast<State>(labels()); ++s) f(s);
    }
  }
  /// The [S x K] table between t and t+1. @pre 0 <= t < length() - 1
  const R* coupling(Index t) const { return pairwise[which.empty() ? 0 : static_cast<Index>(which[t])]; }
};

/// The same tables in their other role: gradients with respect to part energies, or expected parts.
template <class R>
struct ChainParts {
  Table<R> unary;     ///< [T x K]; belongs to the sequence, so operations assign it
  Table<R> pairwise;  ///< [P x S*K]; shared between sequences, so operations add to it
  std::span<const std::uint32_t> which;

  R* coupling(Index t) const { return pairwise[which.empty() ? 0 : static_cast<Index>(which[t])]; }
};

/// The parts type of a structure: what a loss writes its derivative to.
template <class S>
struct PartsOf;
template <class R>
struct PartsOf<Chain<R>> {
  using type = ChainParts<R>;
};
template <class S>
using Parts = typename PartsOf<S>::type;

/// Many sequences over one arena: position p of the block is row p of `unary`; sequence n covers the
/// positions [sequences[n], sequences[n + 1]). `which[p]`, where present, couples p with p + 1 and is unused
/// at sequence ends.
template <class R>
struct ChainBlock {
  Table<const R> unary;                  ///< [positions x K]
  Table<const R> pairwise;               ///< [P x S*K]
  std::span<const std::uint32_t> which;  ///< [positions] or empty
  std::span<const Index> sequences;      ///< [N + 1]; the first entry is where row 0 of `unary` stands
  const Histories* histories = nullptr;

  Index size() const { return static_cast<Index>(sequences.size()) - 1; }
  Chain<R> operator[](Index n) const {
    const Index begin = sequences[n] - sequences[0], length = sequences[n + 1] - sequences[n];
    return {
        unary.slice(begin, length), pairwise,
        which.empty() || length == 0 ? std::span<const std::uint32_t>{} : which.subspan(begin, length - 1),
        histories};
  }
};

/// E(y), summed in double. O(T). @pre y.size() == chain.length(), every label below K
template <class R>
double energy(const Chain<R>& chain, std::span<const Label> y) {
  double total = 0;
  State history = 0;
  for (Index t = 0; t < chain.length(); ++t) {
    total += chain.unary[t][y[t]];
    if (t > 0) total += chain.coupling(t - 1)[history * chain.labels() + y[t]];
    history = t > 0 ? chain.next(history, y[t]) : chain.start(y[t]);
  }
  return total;
}

/// Adds `weight` at every part that y touches. O(T).
template <class R>
void add_answer(const Chain<R>& chain, std::span<const Label> y, R weight, const ChainParts<R>& parts) {
  State history = 0;
  for (Index t = 0; t < chain.length(); ++t) {
    parts.unary[t][y[t]] += weight;
    if (t > 0) parts.coupling(t - 1)[history * chain.labels() + y[t]] += weight;
    history = t > 0 ? chain.next(history, y[t]) : chain.start(y[t]);
  }
}

/// Sets to 0 what a loss assigns: the parts that belong to the sequence alone.
template <class R>
void clear_own(const ChainParts<R>& parts) {
  std::fill_n(parts.unary.data, parts.unary.size(), R(0));
}

/// The same chain with answers taken away: label l at t stays where `allowed[t][l]` is not 0. Partial labels,
/// latent answers and legality constraints are all this. The unary table is copied to `storage`, which the
/// result views.
template <class R>
Chain<R> restrict(const Chain<R>& chain, Table<const std::uint8_t> allowed, TableBuffer<R>& storage) {
  Table<R> unary = storage.resize(chain.length(), chain.labels());
  for (Index i = 0; i < unary.size(); ++i) {
    unary.data[i] = allowed.data[i] ? chain.unary.data[i] : kInfinity<R>;
  }
  return {unary, chain.pairwise, chain.which, chain.histories};
}

/// The chain of E(y) - factor * sum_t cost[t][y_t]: its minimum is the most offending answer of margin
/// rescaling, its free energy the softmax-margin's. `cost` is [T x K]; the unary table is copied to
/// `storage`, which the result views.
template <class R>
Chain<R> augment(const Chain<R>& chain, Table<const R> cost, TableBuffer<R>& storage, R factor = 1) {
  Table<R> unary = storage.resize(chain.length(), chain.labels());
  for (Index i = 0; i < unary.size(); ++i) unary.data[i] = chain.unary.data[i] - factor * cost.data[i];
  return {unary, chain.pairwise, chain.which, chain.histories};
}

}  // namespace thalweg
