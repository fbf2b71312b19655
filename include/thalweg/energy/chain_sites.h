/// @file
/// One position of a chain with the rest of the labelling held:
///
///     site[l] = E(y with y_t = l) - (what of E(y) does not depend on y_t)
///
///     std::vector<double> site(K);
///     site_energies(chain, y, t, site);            // p(y_t = l | the rest) is proportional to exp(-site[l])
///     add_site(chain, y, t, weights, parts);       // parts += sum_l weights[l] * (the parts that site[l]
///     sums)
///
/// What Gibbs samplers, pseudo-likelihood and its kin, and coordinate descent go by. O(K) in a chain of first
/// order; O(T + K n) where histories reach n positions ahead.
#pragma once

#include <span>

#include "thalweg/energy/chain.h"

namespace thalweg {
namespace detail {

/// The history of labels before t. @pre t > 0
template <class R>
State history_before(const Chain<R>& chain, std::span<const Label> y, Index t) {
  if (!chain.histories) return y[t - 1];
  State state = chain.start(y[0]);
  for (Index u = 1; u < t; ++u) state = chain.next(state, y[u]);
  return state;
}

/// One after the last position whose coupling to the one before depends on y_t.
template <class R>
Index site_end(const Chain<R>& chain, std::span<const Label> y, Index t, State before) {
  Index end = t + 1;
  const auto at = [&](Label l) { return t > 0 ? chain.next(before, l) : chain.start(l); };
  for (Label l = 1; l < static_cast<Label>(chain.labels()); ++l) {
    State one = at(0), other = at(l);
    Index u = t + 1;
    for (; u < chain.length() && one != other; ++u)
      one = chain.next(one, y[u]), other = chain.next(other, y[u]);
    end = u > end ? u : end;
    if (!chain.histories) break;  // all labels are alike
  }
  return end;
}

/// Calls coupling(u, cell) for every coupling between u and u + 1 that depends on y_t, label l being there.
template <class R, class F>
void each_site_coupling(const Chain<R>& chain, std::span<const Label> y, Index t, Index end, State before,
                        Label l, F coupling) {
  State state = before;
  for (Index u = t; u < end; ++u) {
    const Label here = u == t ? l : y[u];
    if (u > 0) coupling(u - 1, state * chain.labels() + here);
    state = u > 0 ? chain.next(state, here) : chain.start(here);
  }
}

}  // namespace detail

/// Assigns to `site` [K]. @pre 0 <= t < chain.length() == y.size(), every label below K
template <class R>
void site_energies(const Chain<R>& chain, std::span<const Label> y, Index t, std::span<double> site) {
  const State before = t > 0 ? detail::history_before(chain, y, t) : 0;
  const Index end = detail::site_end(chain, y, t, before);
  for (Label l = 0; l < static_cast<Label>(chain.labels()); ++l) {
    double total = static_cast<double>(chain.unary[t][l]);
    detail::each_site_coupling(chain, y, t, end, before, l, [&](Index u, Index cell) {
      total += static_cast<double>(chain.coupling(u)[cell]);
    });
    site[l] = total;
  }
}

/// Adds sum_l weights[l] (d site[l] / d part). @pre as above; weights of 0 are free, forbidden labels
/// included
template <class R>
void add_site(const Chain<R>& chain, std::span<const Label> y, Index t, std::span<const double> weights,
              const ChainParts<R>& parts) {
  const State before = t > 0 ? detail::history_before(chain, y, t) : 0;
  const Index end = detail::site_end(chain, y, t, before);
  for (Label l = 0; l < static_cast<Label>(chain.labels()); ++l) {
    const R weight = static_cast<R>(weights[l]);
    if (weight == 0) continue;
    parts.unary[t][l] += weight;
    detail::each_site_coupling(chain, y, t, end, before, l,
                               [&](Index u, Index cell) { parts.coupling(u)[cell] += weight; });
  }
}

}  // namespace thalweg
