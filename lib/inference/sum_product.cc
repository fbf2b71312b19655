#include "thalweg/inference/sum_product.h"

#include <algorithm>
#include <cmath>

#include "inference/chain_kernels.h"

namespace thalweg {
namespace {

template <class R>
const detail::SumKernels<R>& sum_kernels(bool logs) {
  const auto& kernels = detail::chain_kernels<R>();
  return logs ? kernels.log : kernels.scaled;
}

// Draws an index with probability proportional to weight(i) of K.
template <class Weight>
Label draw(Rng& rng, Index K, Weight weight) {
  double total = 0;
  for (Index i = 0; i < K; ++i) total += weight(i);
  double left = rng.uniform() * total;
  Label last = 0;
  for (Index i = 0; i < K; ++i) {
    const double w = weight(i);
    if (w > 0) last = static_cast<Label>(i);
    if ((left -= w) < 0) break;
  }
  return last;
}

// log sum of exp(terms).
double log_sum(std::span<const double> terms) {
  const double top = *std::max_element(terms.begin(), terms.end());
  if (!(top > -kInfinity<double>)) return top;
  double sum = 0;
  for (double x : terms) sum += std::exp(x - top);
  return top + std::log(sum);
}

}  // namespace

// The chain and all rows, in the domain at hand.
template <class R>
detail::ChainPass<R> SumProduct<R>::pass() {
  detail::ChainPass<R> pass{};
  pass.length = chain_.length(), pass.labels = chain_.labels(), pass.stride = couplings_->stride();
  pass.unary = chain_.unary.data, pass.beta = couplings_->beta();
  pass.tables = tables(), pass.transposed = transposed(), pass.offsets = couplings_->offsets();
  pass.which = chain_.which.empty() ? nullptr : chain_.which.data();
  pass.forward = forward_.data(), pass.factor = factor_.data(), pass.scale = scale_.data();
  pass.backward = backward_.data();
  return pass;
}

template <class R>
double SumProduct<R>::forward(const Chain<R>& chain, const Couplings<R>& couplings) {
  chain_ = chain, couplings_ = &couplings;
  backward_done_ = logs_ = false;
  const Index T = chain.length();
  if (T == 0) return 0;
  const auto cells = static_cast<std::size_t>(T * couplings.stride());
  forward_.resize(cells), factor_.resize(cells), scale_.resize(static_cast<std::size_t>(T));
  const auto& kernels = detail::chain_kernels<R>();
  const bool checked = couplings.domain() == Couplings<R>::Domain::Checked;
  double energy = (checked ? kernels.checked_forward : kernels.scaled.forward)(pass());
  if (std::isnan(energy) && checked) {
    logs_ = true;
    energy = kernels.log.forward(pass());
  }
  return energy / static_cast<double>(couplings.beta());
}

template <class R>
void SumProduct<R>::backward(R weight, R* unary) {
  backward_.resize(forward_.size());
  sum_kernels<R>(logs_).backward(pass(), weight, unary);
  backward_done_ = true;
}

template <class R>
void SumProduct<R>::marginals(R weight, const ChainParts<R>& parts) {
  if (chain_.length() == 0) return;
  backward(weight, parts.unary.data);
  scratch_.resize(static_cast<std::size_t>(chain_.labels() * couplings_->stride()));
  if (chain_.length() > 1) {
    sum_kernels<R>(logs_).pairs(pass(), weight, parts.pairwise.data, scratch_.data());
  }
}

template <class R>
void SumProduct<R>::unary_marginals(Table<R> out) {
  if (chain_.length() > 0) backward(R(1), out.data);
}

template <class R>
void SumProduct<R>::sample(Rng& rng, std::span<Label> y) const {
  const Index K = chain_.labels(), S = couplings_->stride();
  for (Index t = chain_.length() - 1; t >= 0; --t) {
    const R* alpha = &forward_[t * S];
    if (t + 1 == chain_.length()) {
      y[t] =
          draw(rng, K, [&](Index i) { return logs_ ? std::exp(static_cast<double>(alpha[i])) : alpha[i]; });
      continue;
    }
    const Index table = chain_.which.empty() ? 0 : static_cast<Index>(chain_.which[t]);
    const R* column = transposed() + (table * K + y[t + 1]) * S;
    if (!logs_) {
      y[t] = draw(rng, K, [&](Index i) { return static_cast<double>(alpha[i]) * column[i]; });
      continue;
    }
    double top = -kInfinity<double>;
    for (Index i = 0; i < K; ++i) top = std::max(top, static_cast<double>(alpha[i]) + column[i]);
    y[t] = draw(rng, K, [&](Index i) { return std::exp(static_cast<double>(alpha[i]) + column[i] - top); });
  }
}

template <class R>
double SumProduct<R>::probability(Index begin, Table<const std::uint8_t> allowed) {
  if (allowed.rows == 0) return 1;
  if (!backward_done_) {
    scratch_.resize(static_cast<std::size_t>(chain_.unary.size()));
    backward(R(1), scratch_.data());
  }
  message_.resize(static_cast<std::size_t>(chain_.labels())), next_.resize(message_.size());
  const double p = logs_ ? log_probability(begin, allowed) : scaled_probability(begin, allowed);
  return std::clamp(p, 0.0, 1.0);
}

// Forward rows are normalised, backward rows carry 1 / Z, so the masked message ends in the probability
// itself.
template <class R>
double SumProduct<R>::scaled_probability(Index begin, Table<const std::uint8_t> allowed) {
  const Index K = chain_.labels(), S = couplings_->stride(), end = begin + allowed.rows;
  auto table = [&](Index t) {
    return tables() + (chain_.which.empty() ? 0 : static_cast<Index>(chain_.which[t])) * K * S;
  };
  for (Index i = 0; i < K; ++i)
    message_[i] = allowed[0][i] ? static_cast<double>(forward_[begin * S + i]) : 0.0;
  for (Index t = begin + 1; t < end; ++t) {
    std::fill(next_.begin(), next_.end(), 0.0);
    for (Index i = 0; i < K; ++i) {
      if (message_[i] == 0) continue;
      for (Index j = 0; j < K; ++j) next_[j] += message_[i] * table(t - 1)[i * S + j];
    }
    for (Index j = 0; j < K; ++j) {
      message_[j] = allowed[t - begin][j] ? next_[j] * factor_[t * S + j] / scale_[t] : 0.0;
    }
  }
  double total = 0;
  for (Index i = 0; i < K; ++i) {
    double after = 1;
    if (end < chain_.length()) {
      after = 0;
      for (Index j = 0; j < K; ++j) {
        after += static_cast<double>(table(end - 1)[i * S + j]) * backward_[(end - 1) * S + j];
      }
    }
    total += message_[i] * after;
  }
  return total;
}

template <class R>
double SumProduct<R>::log_probability(Index begin, Table<const std::uint8_t> allowed) {
  const Index K = chain_.labels(), S = couplings_->stride(), T = chain_.length(), end = begin + allowed.rows;
  constexpr double kNever = -kInfinity<double>;
  auto table = [&](Index t) {
    return tables() + (chain_.which.empty() ? 0 : static_cast<Index>(chain_.which[t])) * K * S;
  };
  terms_.resize(static_cast<std::size_t>(K));
  for (Index i = 0; i < K; ++i)
    message_[i] = allowed[0][i] ? static_cast<double>(forward_[begin * S + i]) : kNever;
  for (Index t = begin + 1; t < end; ++t) {
    for (Index j = 0; j < K; ++j) {
      for (Index i = 0; i < K; ++i) terms_[i] = message_[i] + table(t - 1)[i * S + j];
      next_[j] = allowed[t - begin][j] ? log_sum(terms_) + factor_[t * S + j] - scale_[t] : kNever;
    }
    std::swap(message_, next_);
  }
  if (end < T) {
    for (Index i = 0; i < K; ++i) {
      for (Index j = 0; j < K; ++j) {
        terms_[j] = static_cast<double>(table(end - 1)[i * S + j]) + backward_[(end - 1) * S + j];
      }
      message_[i] += log_sum(terms_);
    }
    return std::exp(log_sum(message_));
  }
  for (Index i = 0; i < K; ++i) terms_[i] = static_cast<double>(forward_[(T - 1) * S + i]);
  return std::exp(log_sum(message_) - log_sum(terms_));
}

template class SumProduct<float>;
template class SumProduct<double>;

}  // namespace thalweg
