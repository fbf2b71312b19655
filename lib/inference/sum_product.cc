#include "thalweg/inference/sum_product.h"

#include <algorithm>
#include <cmath>

#include "inference/chain_kernels.h"

namespace thalweg {
namespace {

template <class R>
const detail::SumKernels<R>& sum_kernels(bool histories, bool logs) {
  const auto& kernels = detail::chain_kernels<R>();
  if (histories) return logs ? kernels.history_log : kernels.history;
  return logs ? kernels.log : kernels.scaled;
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
  pass.table_rows = couplings_->states();
  if (chain_.histories) {
    pass.history = detail::history_pass(*chain_.histories, couplings_->state_stride());
    pass.norm = norm_.data(), pass.row = row_.data();
  }
  return pass;
}

template <class R>
double SumProduct<R>::forward(const Chain<R>& chain, const Couplings<R>& couplings) {
  chain_ = chain, couplings_ = &couplings;
  backward_done_ = logs_ = false;
  const Index T = chain.length();
  if (T == 0) return 0;
  forward_.resize(static_cast<std::size_t>(T * couplings.state_stride()));
  factor_.resize(static_cast<std::size_t>(T * couplings.stride())),
      scale_.resize(static_cast<std::size_t>(T));
  if (chain.histories) norm_.resize(scale_.size()), row_.resize(static_cast<std::size_t>(couplings.stride()));
  const bool checked = couplings.domain() == Couplings<R>::Domain::Checked;
  const bool histories = chain.histories != nullptr;
  const auto scaled = checked && !histories ? detail::chain_kernels<R>().checked_forward
                                            : sum_kernels<R>(histories, false).forward;
  double energy = scaled(pass());
  if (std::isnan(energy) && checked) {
    logs_ = true;
    energy = sum_kernels<R>(histories, true).forward(pass());
  }
  return energy / static_cast<double>(couplings.beta());
}

template <class R>
void SumProduct<R>::backward(R weight, R* unary) {
  backward_.resize(forward_.size());
  sum_kernels<R>(chain_.histories, logs_).backward(pass(), weight, unary);
  backward_done_ = true;
}

template <class R>
void SumProduct<R>::marginals(R weight, const ChainParts<R>& parts) {
  if (chain_.length() == 0) return;
  backward(weight, parts.unary.data);
  scratch_.resize(static_cast<std::size_t>(couplings_->states() * couplings_->stride()));
  if (chain_.length() > 1) {
    sum_kernels<R>(chain_.histories, logs_).pairs(pass(), weight, parts.pairwise.data, scratch_.data());
  }
}

template <class R>
void SumProduct<R>::unary_marginals(Table<R> out) {
  if (chain_.length() > 0) backward(R(1), out.data);
}

template <class R>
void SumProduct<R>::sample(Rng& rng, std::span<Label> y) {
  const Index K = chain_.labels(), S = couplings_->stride();
  State after = 0;
  for (Index t = chain_.length() - 1; t >= 0; --t) {
    const R* alpha = &forward_[t * couplings_->state_stride()];
    states_.clear(), terms_.clear();
    const auto add = [&](State s, double term) { states_.push_back(s), terms_.push_back(term); };
    if (t + 1 == chain_.length()) {
      for (State s = 0; s < static_cast<State>(chain_.states()); ++s) add(s, static_cast<double>(alpha[s]));
    } else {
      // Down a column of the table, which plain chains also have as a row.
      const bool plain = !chain_.histories;
      const Index step = plain ? 1 : S;
      const R* column = plain ? transposed() + table_at(t) * K * S + chain_.last(after) * S
                              : tables() + table_at(t) * chain_.states() * S + chain_.last(after);
      chain_.each_before(after, [&](State s) {
        const double a = static_cast<double>(alpha[s]);
        add(s, logs_ ? a + column[s * step] : a * column[s * step]);
      });
    }
    if (logs_) {
      const double top = *std::max_element(terms_.begin(), terms_.end());
      for (double& x : terms_) x = std::exp(x - top);
    }
    after = states_[rng.pick(terms_)];
    y[t] = chain_.last(after);
  }
}

template <class R>
double SumProduct<R>::probability(Index begin, Table<const std::uint8_t> allowed) {
  if (allowed.rows == 0) return 1;
  if (!backward_done_) {
    scratch_.resize(static_cast<std::size_t>(chain_.unary.size()));
    backward(R(1), scratch_.data());
  }
  message_.resize(static_cast<std::size_t>(chain_.states())), next_.resize(message_.size());
  const double p = logs_ ? log_probability(begin, allowed) : scaled_probability(begin, allowed);
  return std::clamp(p, 0.0, 1.0);
}

// p(y_t = the end of s, y_{t+1} = l, ...) / forward[t][s] for one history s at t and label l, in the domain
// at hand: what the backward pass knows of the labels after the window.
template <class R>
double SumProduct<R>::after(Index t, State s, Label l) const {
  const Index K = couplings_->states(), S = couplings_->stride();
  const double coupling = static_cast<double>(tables()[(table_at(t) * K + s) * S + l]);
  if (!chain_.histories) {
    const double later = static_cast<double>(backward_[t * S + l]);
    return logs_ ? coupling + later : coupling * later;
  }
  const State next = chain_.next(s, l);
  const Index Q = couplings_->state_stride();
  const double factor = static_cast<double>(factor_[(t + 1) * S + l]),
               beta = static_cast<double>(backward_[(t + 1) * Q + next]),
               norm = static_cast<double>(norm_[t]);
  if (logs_) return coupling + factor + beta - norm;
  return forward_[(t + 1) * Q + next] > 0 ? coupling * factor * beta * norm : 0;
}

// Forward rows are normalised, backward rows carry 1 / Z, so the masked message ends in the probability
// itself.
template <class R>
double SumProduct<R>::scaled_probability(Index begin, Table<const std::uint8_t> allowed) {
  const Index K = chain_.labels(), S = couplings_->stride(), end = begin + allowed.rows;
  const auto states = static_cast<State>(chain_.states());
  for (State s = 0; s < states; ++s) {
    const R alpha = forward_[begin * couplings_->state_stride() + s];
    message_[s] = allowed[0][chain_.last(s)] ? static_cast<double>(alpha) : 0.0;
  }
  for (Index t = begin + 1; t < end; ++t) {
    std::fill(next_.begin(), next_.end(), 0.0);
    for (State s = 0; s < states; ++s) {
      if (message_[s] == 0) continue;
      const R* row = tables() + (table_at(t - 1) * couplings_->states() + s) * S;
      for (Label l = 0; l < static_cast<Label>(K); ++l) next_[chain_.next(s, l)] += message_[s] * row[l];
    }
    for (State s = 0; s < states; ++s) {
      const Label l = chain_.last(s);
      message_[s] = allowed[t - begin][l] ? next_[s] * factor_[t * S + l] / scale_[t] : 0.0;
    }
  }
  double total = 0;
  for (State s = 0; s < states; ++s) {
    double later = end < chain_.length() ? 0 : 1;
    for (Label l = 0; l < static_cast<Label>(K) && end < chain_.length(); ++l) later += after(end - 1, s, l);
    total += message_[s] * later;
  }
  return total;
}

template <class R>
double SumProduct<R>::log_probability(Index begin, Table<const std::uint8_t> allowed) {
  const Index S = couplings_->stride(), Q = couplings_->state_stride(), T = chain_.length(),
              end = begin + allowed.rows;
  const auto states = static_cast<State>(chain_.states());
  constexpr double kNever = -kInfinity<double>;
  for (State s = 0; s < states; ++s)
    message_[s] = allowed[0][chain_.last(s)] ? static_cast<double>(forward_[begin * Q + s]) : kNever;
  for (Index t = begin + 1; t < end; ++t) {
    for (State s = 0; s < states; ++s) {
      const Label l = chain_.last(s);
      const R* column = tables() + table_at(t - 1) * couplings_->states() * S + l;
      terms_.clear();
      chain_.each_before(s, [&](State before) { terms_.push_back(message_[before] + column[before * S]); });
      next_[s] = allowed[t - begin][l] && !terms_.empty() ? log_sum(terms_) + factor_[t * S + l] - scale_[t]
                                                          : kNever;
    }
    std::swap(message_, next_);
  }
  if (end < T) {
    for (State s = 0; s < states; ++s) {
      terms_.clear();
      for (Label l = 0; l < static_cast<Label>(chain_.labels()); ++l) terms_.push_back(after(end - 1, s, l));
      message_[s] += log_sum(terms_);
    }
    return std::exp(log_sum(message_));
  }
  terms_.clear();
  for (State s = 0; s < states; ++s) terms_.push_back(static_cast<double>(forward_[(T - 1) * Q + s]));
  return std::exp(log_sum(message_) - log_sum(terms_));
}

template class SumProduct<float>;
template class SumProduct<double>;

}  // namespace thalweg
