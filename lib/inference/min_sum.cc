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
  return pass;
}

}  // namespace

template <class R>
void MinSum<R>::forward(const Chain<R>& chain, const Couplings<R>& couplings) {
  const Index T = chain.length();
  stride_ = couplings.stride();
  forward_.resize(static_cast<std::size_t>(T * stride_));
  row_.resize(static_cast<std::size_t>(stride_));
  base_.resize(static_cast<std::size_t>(T / kRebase + 1));
  auto pass = min_pass(chain, couplings);
  pass.forward = forward_.data(), pass.factor = row_.data(), pass.base = base_.data();
  detail::chain_kernels<R>().min_forward(pass);
}

template <class R>
double MinSum<R>::prefix_base(Index t) const {
  return base_[t / kRebase];
}

// prices_[i] = lowest prefix that ends in i at t, less prefix_base(t), plus its coupling to *next (if there
// is one).
template <class R>
void MinSum<R>::price(const Chain<R>& chain, Index t, const Label* next) {
  const Index K = chain.labels();
  prices_.assign(&forward_[t * stride_], &forward_[t * stride_] + K);
  if (!next) return;
  const R* column = chain.coupling(t) + *next;
  for (Index i = 0; i < K; ++i) prices_[i] += column[i * K];
}

// Completes y[0 .. t) given y[t].
template <class R>
void MinSum<R>::trace(const Chain<R>& chain, Index t, std::span<Label> y) const {
  const Index K = chain.labels();
  for (; t > 0; --t) {
    const R* before = &forward_[(t - 1) * stride_];
    const R* column = chain.coupling(t - 1) + y[t];
    Label best = 0;
    R lowest = before[0] + column[0];
    for (Index i = 1; i < K; ++i) {
      const R price = before[i] + column[i * K];
      if (price < lowest) lowest = price, best = static_cast<Label>(i);
    }
    y[t - 1] = best;
  }
}

// The lowest labelling of all, after `forward`; false where nothing is allowed.
template <class R>
bool MinSum<R>::finish(const Chain<R>& chain, std::span<Label> y) const {
  const Index last = chain.length() - 1;
  const R* row = &forward_[last * stride_];
  const R* lowest = std::min_element(row, row + chain.labels());
  if (!(*lowest < kInfinity<R>)) return false;
  y[last] = static_cast<Label>(lowest - row);
  trace(chain, last, y);
  return true;
}

template <class R>
double MinSum<R>::minimize(const Chain<R>& chain, const Couplings<R>& couplings, std::span<Label> y) {
  if (chain.length() == 0) return 0;
  forward(chain, couplings);
  return finish(chain, y) ? energy<R>(chain, y) : kInfinity<double>;
}

// Splits what is left of a set whose lowest labelling is `y`, known to be free up to position `last`: for
// every t <= last, the labellings that agree with y after t and take a dearer label at t. `keep` bounds the
// list.
template <class R>
void MinSum<R>::branch(const Chain<R>& chain, std::span<const Label> y, Index parent, Index last,
                       std::size_t keep) {
  const Index K = chain.labels(), T = chain.length();
  double suffix = 0;  // energy of y after t, the coupling with t left out
  for (Index t = T - 1; t >= 0; --t) {
    if (t <= last) {
      price(chain, t, t + 1 < T ? &y[t + 1] : nullptr);
      const Index taken = y[t];
      Index best = -1;
      for (Index j = 0; j < K; ++j) {
        const bool dearer = prices_[j] > prices_[taken] || (prices_[j] == prices_[taken] && j > taken);
        if (dearer && (best < 0 || prices_[j] < prices_[best])) best = j;
      }
      const double total = best < 0 ? kInfinity<double> : prices_[best] + prefix_base(t) + suffix;
      if (total < kInfinity<double> && (branches_.size() < keep || total < branches_.back().energy)) {
        const Branch made{total, parent, t, static_cast<Label>(best)};
        branches_.insert(std::upper_bound(branches_.begin(), branches_.end(), total,
                                          [](double e, const Branch& b) { return e < b.energy; }),
                         made);
        if (branches_.size() > keep) branches_.pop_back();
      }
    }
    suffix += chain.unary[t][y[t]];
    if (t + 1 < T) suffix += chain.coupling(t)[y[t] * K + y[t + 1]];
  }
}

template <class R>
double MinSum<R>::minimize_excluding(const Chain<R>& chain, const Couplings<R>& couplings,
                                     std::span<const Label> excluded, std::span<Label> y) {
  const double lowest = minimize(chain, couplings, y);
  if (chain.length() == 0) return kInfinity<double>;
  if (!(lowest < kInfinity<double>) || !std::equal(y.begin(), y.end(), excluded.begin())) return lowest;
  branches_.clear();
  branch(chain, excluded, 0, chain.length() - 1, 1);
  if (branches_.empty()) return kInfinity<double>;
  y[branches_[0].at] = branches_[0].label;
  trace(chain, branches_[0].at, y);
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
    m.energy = m.lower_bound = energy<R>(chain, m.labels);
    m.guarantee = Guarantee::Exact;
    if (++count < k) branch(chain, m.labels, count - 1, last, static_cast<std::size_t>(k - count));
  };
  if (k > 0) {
    found[0].labels.resize(static_cast<std::size_t>(chain.length()));
    if (chain.length() == 0) {
      found[0].energy = found[0].lower_bound = 0, count = 1;
    } else {
      forward(chain, couplings);
      if (finish(chain, found[0].labels)) take(chain.length() - 1);
    }
  }
  while (count < k && !branches_.empty()) {
    const Branch next = branches_.front();
    branches_.erase(branches_.begin());
    found[count].labels = found[next.parent].labels;
    found[count].labels[next.at] = next.label;
    trace(chain, next.at, found[count].labels);
    take(next.at);
  }
  found.resize(static_cast<std::size_t>(count));
  // Branches are priced in R, energies in double: let rounding not show in the order.
  std::stable_sort(found.begin(), found.end(),
                   [](const Minimum& a, const Minimum& b) { return a.energy < b.energy; });
}

template <class R>
void MinSum<R>::min_marginals(const Chain<R>& chain, const Couplings<R>& couplings, Table<R> out) {
  const Index T = chain.length(), K = chain.labels();
  if (T == 0) return;
  forward(chain, couplings);
  const R* last = &forward_[(T - 1) * stride_];
  const double lowest = *std::min_element(last, last + K) + prefix_base(T - 1);
  backward_.resize(forward_.size());
  auto pass = min_pass(chain, couplings);
  pass.backward = backward_.data(), pass.factor = row_.data();
  detail::chain_kernels<R>().min_backward(pass);
  for (Index t = 0; t < T; ++t) {
    // Every row has the global minimum among its sums, which fixes the constant that backward rows leave
    // open.
    R low = kInfinity<R>;
    for (Index j = 0; j < K; ++j) {
      out[t][j] = forward_[t * stride_ + j] + backward_[t * stride_ + j];
      low = std::min(low, out[t][j]);
    }
    if (!(low < kInfinity<R>)) continue;
    for (Index j = 0; j < K; ++j) out[t][j] = static_cast<R>(lowest + (out[t][j] - low));
  }
}

template class MinSum<float>;
template class MinSum<double>;

}  // namespace thalweg
