/// @file
/// The energies of all states of one variable, the rest of an answer held:
///
///     out[l] = E(y with y_t = l) + c,         c the same for every l
///
/// What Gibbs sampling, pseudo-likelihood, ratio matching and local search ask of a structure. Here for
/// chains, together with the three names by which code that is written once for every structure asks for its
/// variables: `variables(s)`, `states(s, v)`, `each_neighbour(s, v, f)`.
///
///     std::vector<double> e(chain.labels());
///     site_energies<double>(chain, y, t, e);    // e[l] - e[y[t]] = E(y with y_t = l) - E(y)
///     add_site(chain, y, t, weights, parts);    // parts += sum_l weights[l] * (the parts that e[l] sums)
#pragma once

#include <algorithm>
#include <span>

#include "thalweg/energy/chain.h"

namespace thalweg {

template <class R>
Index variables(const Chain<R>& chain) {
  return chain.length();
}
/// The number of states of variable v, which are 0 .. states - 1.
template <class R>
Index states(const Chain<R>& chain, Index) {
  return chain.labels();
}

/// Positions back and forth that a label's energy depends on: 1, or more with histories.
template <class R>
Index reach(const Chain<R>& chain) {
  return chain.histories ? chain.histories->reach() : 1;
}

/// Calls f(u) for every variable u whose site energies depend on y_v; v itself is not among them.
template <class R, class F>
void each_neighbour(const Chain<R>& chain, Index v, F f) {
  const Index n = reach(chain), end = std::min(chain.length(), v + n + 1);
  for (Index u = std::max<Index>(0, v - n); u < end; ++u) {
    if (u != v) f(u);
  }
}

/// The history of y[0 .. t]. O(reach), which is all of the past that can matter. @pre 0 <= t < length()
template <class R>
State history_at(const Chain<R>& chain, std::span<const Label> y, Index t) {
  if (!chain.histories) return y[t];
  Index s = std::max<Index>(0, t + 1 - reach(chain));
  State history = chain.start(y[s]);
  while (s < t) history = chain.next(history, y[++s]);
  return history;
}

/// Writes E(y with y_t = l) up to a constant to `out` [K]; y_t itself is not read. +infinity where l is
/// forbidden there, beside these neighbours or by a pair that all l share. O(K), with histories O(K reach).
/// @pre 0 <= t < length(), labels of y other than y_t below K
template <class R>
void site_energies(const Chain<R>& chain, std::span<const Label> y, Index t, std::span<R> out) {
  const Index K = chain.labels(), T = chain.length();
  std::copy_n(chain.unary[t], K, out.begin());
  State before = 0;
  if (t > 0) {
    before = history_at(chain, y, t - 1);
    const R* row = chain.coupling(t - 1) + before * K;
    for (Index l = 0; l < K; ++l) out[l] += row[l];
  }
  if (!chain.histories) {
    if (t + 1 == T) return;
    const R* column = chain.coupling(t) + y[t + 1];
    for (Index l = 0; l < K; ++l) out[l] += column[l * K];
    return;
  }
  const Index end = std::min(T, t + 1 + reach(chain));
  for (Label l = 0; l < static_cast<Label>(K); ++l) {
    State history = t > 0 ? chain.next(before, l) : chain.start(l);
    for (Index s = t + 1; s < end; ++s) {
      out[l] += chain.coupling(s - 1)[history * K + y[s]];
      history = chain.next(history, y[s]);
    }
  }
}

/// Adds sum_l weights[l] * (d out[l] / d part) of the above. Parts of weight 0 are not touched, those of
/// forbidden labels included. O(K), with histories O(K reach). @pre as above, weights [K]
template <class R>
void add_site(const Chain<R>& chain, std::span<const Label> y, Index t, std::span<const double> weights,
              const ChainParts<R>& parts) {
  const Index K = chain.labels(), end = std::min(chain.length(), t + 1 + reach(chain));
  const State before = t > 0 ? history_at(chain, y, t - 1) : 0;
  for (Label l = 0; l < static_cast<Label>(K); ++l) {
    const R weight = static_cast<R>(weights[l]);
    if (weight == 0) continue;
    parts.unary[t][l] += weight;
    if (t > 0) parts.coupling(t - 1)[before * K + l] += weight;
    State history = t > 0 ? chain.next(before, l) : chain.start(l);
    for (Index s = t + 1; s < end; ++s) {
      parts.coupling(s - 1)[history * K + y[s]] += weight;
      history = chain.next(history, y[s]);
    }
  }
}

}  // namespace thalweg
