#include "thalweg/inference/min_sum.h"

#include <algorithm>
#include <cmath>

#include "inference/chain_kernels.h"

namespace thalweg {
namespace {

using detail::kRebase;

template <class R>
detail::ChainPass<R> min_pass(const Chain<R>& chain, const Couplings<R>& couplings) {
  detail::ChainPass<R> pass{};
  pass.length = chain.length(), pass.labels = chain.labels(), pass.stride = couplings.stride();
  pass.unary = chain.unary.data;
  pass.beta = 1;
  pass.tables = couplings.tables(), pass.transposed = couplings.transposed();
  pass.which = chain.which.empty() ? nullptr : chain.which.data();
  pass.table_rows = couplings.states();
  if (chain.histories) pass.history = detail::history_pass(*chain.histories, couplings.state_stride());
  return pass;
}

// Labels to the histories they end, in place, and back. A plain chain's are the same.
template <class R>
void to_histories(const Chain<R>& chain, std::span<Label> y) {
  if (!chain.histories || y.empty()) return;
  y[0] = chain.start(y[0]);
  for (std::size_t t = 1; t < y.size(); ++t) y[t] = chain.next(y[t - 1], y[t]);
}
template <class R>
void to_labels(const Chain<R>& chain, std::span<Label> y) {
  if (!chain.histories) return;
  for (Label& label : y) label = chain.last(label);
}

}  // namespace

template <class R>
void MinSum<R>::forward(const Chain<R>& chain, const Couplings<R>& couplings) {
  const Index T = chain.length();
  stride_ = couplings.state_stride();
  forward_.resize(static_cast<std::size_t>(T * stride_));
  row_.resize(static_cast<std::size_t>(2 * couplings.stride()));
  base_.resize(static_cast<std::size_t>(T / kRebase + 1));
  auto pass = min_pass(chain, couplings);
  pass.forward = forward_.data(), pass.factor = row_.data(), pass.base = base_.data();
  pass.row = row_.data() + couplings.stride();
  const auto& kernels = detail::chain_kernels<R>();
  (chain.histories ? kernels.history_min_forward : kernels.min_forward)(pass);
}

template <class R>
double MinSum<R>::prefix_base(Index t) const {
  return base_[t / kRebase];
}

// prices_[s] = lowest prefix that ends in history s at t, less prefix_base(t), plus its coupling to *next (if
// there is one), which other histories cannot precede.
template <class R>
void MinSum<R>::price(const Chain<R>& chain, Index t, const State* next) {
  const R* row = &forward_[t * stride_];
  if (!next) {
    prices_.assign(row, row + chain.states());
    return;
  }
  const Index K = chain.labels();
  const R* column = chain.coupling(t) + chain.last(*next);
  prices_.assign(static_cast<std::size_t>(chain.states()), kInfinity<R>);
  chain.each_before(*next, [&](State s) { prices_[s] = row[s] + column[s * K]; });
}

// Completes the histories h[0 .. t) given h[t].
template <class R>
void MinSum<R>::trace(const Chain<R>& chain, Index t, std::span<State> h) const {
  const Index K = chain.labels();
  for (; t > 0; --t) {
    const R* before = &forward_[(t - 1) * stride_];
    const R* column = chain.coupling(t - 1) + chain.last(h[t]);
    State best = 0;
    R lowest = kInfinity<R>;
    chain.each_before(h[t], [&](State s) {
      const R price = before[s] + column[s * K];
      if (price < lowest) lowest = price, best = s;
    });
    h[t - 1] = best;
  }
}

// The lowest histories of all, after `forward`; false where nothing is allowed.
template <class R>
bool MinSum<R>::finish(const Chain<R>& chain, std::span<State> h) const {
  const Index last = chain.length() - 1;
  const R* row = &forward_[last * stride_];
  const R* lowest = std::min_element(row, row + chain.states());
  if (!(*lowest < kInfinity<R>)) return false;
  h[last] = static_cast<State>(lowest - row);
  trace(chain, last, h);
  return true;
}

template <class R>
double MinSum<R>::minimize(const Chain<R>& chain, const Couplings<R>& couplings, std::span<Label> y) {
  if (chain.length() == 0) return 0;
  forward(chain, couplings);
  if (!finish(chain, y)) return kInfinity<double>;
  to_labels(chain, y);
  return energy<R>(chain, y);
}

// Splits what is left of a set whose lowest histories are `h`, known to be free up to position `last`: for
// every t <= last, those that agree with h after t and take a dearer history at t. `keep` bounds the list.
template <class R>
void MinSum<R>::branch(const Chain<R>& chain, std::span<const State> h, Index parent, Index last,
                       std::size_t keep) {
  const Index K = chain.labels(), S = chain.states(), T = chain.length();
  double suffix = 0;  // energy of h after t, the coupling with t left out
  for (Index t = T - 1; t >= 0; --t) {
    if (t <= last) {
      price(chain, t, t + 1 < T ? &h[t + 1] : nullptr);
      const Index taken = h[t];
      Index best = -1;
      for (Index s = 0; s < S; ++s) {
        const bool dearer = prices_[s] > prices_[taken] || (prices_[s] == prices_[taken] && s > taken);
        if (dearer && (best < 0 || prices_[s] < prices_[best])) best = s;
      }
      const double total = best < 0 ? kInfinity<double> : prices_[best] + prefix_base(t) + suffix;
      if (total < kInfinity<double> && (branches_.size() < keep || total < branches_.back().energy)) {
        const Branch made{total, parent, t, static_cast<State>(best)};
        branches_.insert(std::upper_bound(branches_.begin(), branches_.end(), total,
                                          [](double e, const Branch& b) { return e < b.energy; }),
                         made);
        if (branches_.size() > keep) branches_.pop_back();
      }
    }
    suffix += chain.unary[t][chain.last(h[t])];
    if (t + 1 < T) suffix += chain.coupling(t)[h[t] * K + chain.last(h[t + 1])];
  }
}

template <class R>
double MinSum<R>::minimize_excluding(const Chain<R>& chain, const Couplings<R>& couplings,
                                     std::span<const Label> excluded, std::span<Label> y) {
  const double lowest = minimize(chain, couplings, y);
  if (chain.length() == 0) return kInfinity<double>;
  if (!(lowest < kInfinity<double>) || !std::equal(y.begin(), y.end(), excluded.begin())) return lowest;
  to_histories(chain, y);
  branches_.clear();
  branch(chain, y, 0, chain.length() - 1, 1);
  if (branches_.empty()) return kInfinity<double>;
  y[branches_[0].at] = branches_[0].history;
  trace(chain, branches_[0].at, y);
  to_labels(chain, y);
  return energy<R>(chain, y);
}

template <class R>
void MinSum<R>::k_lowest(const Chain<R>& chain, const Couplings<R>& couplings, Index k,
                         std::vector<Minimum>& found) {
  found.resize(static_cast<std::size_t>(std::max<Index>(k, 0)));
  Index count = 0;
  branches_.clear();
  auto take = [&](Index last) {
    Minimum& m = found[count];
    m.guarantee = Guarantee::Exact;
    if (++count < k) branch(chain, m.labels, count - 1, last, static_cast<std::size_t>(k - count));
  };
  if (k > 0) {
    found[0].labels.resize(static_cast<std::size_t>(chain.length()));
    if (chain.length() == 0) {
      count = 1;
    } else {
      forward(chain, couplings);
      if (finish(chain, found[0].labels)) take(chain.length() - 1);
    }
  }
  while (count < k && !branches_.empty()) {
    const Branch next = branches_.front();
    branches_.erase(branches_.begin());
    found[count].labels = found[next.parent].labels;
    found[count].labels[next.at] = next.history;
    trace(chain, next.at, found[count].labels);
    take(next.at);
  }
  found.resize(static_cast<std::size_t>(count));
  for (Minimum& m : found) {
    to_labels<R>(chain, m.labels);
    m.energy = m.lower_bound = energy<R>(chain, m.labels);
  }
  // Branches are priced in R, energies in double: let rounding not show in the order.
  std::stable_sort(found.begin(), found.end(),
                   [](const Minimum& a, const Minimum& b) { return a.energy < b.energy; });
}

template <class R>
void MinSum<R>::min_marginals(const Chain<R>& chain, const Couplings<R>& couplings, Table<R> out) {
  const Index T = chain.length(), K = chain.labels();
  if (T == 0) return;
  forward(chain, couplings);
  const Index S = chain.states();
  const R* last = &forward_[(T - 1) * stride_];
  const double lowest = *std::min_element(last, last + S) + prefix_base(T - 1);
  backward_.resize(forward_.size());
  auto pass = min_pass(chain, couplings);
  pass.backward = backward_.data(), pass.factor = row_.data(), pass.row = row_.data() + couplings.stride();
  const auto& kernels = detail::chain_kernels<R>();
  (chain.histories ? kernels.history_min_backward : kernels.min_backward)(pass);
  for (Index t = 0; t < T; ++t) {
    // Every row has the global minimum among its sums, which fixes the constant that backward rows leave
    // open.
    std::fill_n(out[t], K, kInfinity<R>);
    R low = kInfinity<R>;
    for (Index s = 0; s < S; ++s) {
      const R sum = forward_[t * stride_ + s] + backward_[t * stride_ + s];
      R& held = out[t][chain.last(static_cast<State>(s))];
      held = std::min(held, sum), low = std::min(low, sum);
    }
    if (!(low < kInfinity<R>)) continue;
    for (Index j = 0; j < K; ++j) out[t][j] = static_cast<R>(lowest + (out[t][j] - low));
  }
}

template class MinSum<float>;
template class MinSum<double>;

}  // namespace thalweg
