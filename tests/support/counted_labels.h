/// @file
/// Sequences whose labels obey a rule of the whole: how often each occurs. What rivals make of them, the best
/// that anyone can do among them.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "thalweg/core/random.h"
#include "thalweg/learning/chain_layer.h"
#include "thalweg/learning/unrolled_descent.h"
#include "thalweg/optimization/adaptive_steps.h"

namespace thalweg::testing {

struct CountedRule {
  Index length = 20;  ///< T
  std::vector<std::vector<Index>> counts{
      {10, 10}};        ///< of each label [K], their sum T; one of them, each as often
  double evidence = 2;  ///< d of the evidence below
  double offset = 1.5;  ///< standard deviation of b
  Index labels() const { return static_cast<Index>(counts[0].size()); }
};

/// u_t[l] = -d (d [l = y_t] + noise_t[l]) - b_l with standard normal noise: without b, which is another for
/// every sequence, minus the logarithm of the odds. All orders of the labels are as likely.
struct CountedSequence {
  TableBuffer<double> u;
  std::vector<Label> y;
};

inline std::vector<CountedSequence> counted_sequences(const CountedRule& rule, Index count, Rng& rng) {
  const Index K = rule.labels();
  std::vector<CountedSequence> sequences(static_cast<std::size_t>(count));
  for (auto& [u, y] : sequences) {
    const auto& counts = rule.counts[rng.below(rule.counts.size())];
    std::vector<double> b;
    for (Index l = 0; l < K; ++l) {
      y.insert(y.end(), static_cast<std::size_t>(counts[l]), static_cast<Label>(l));
      b.push_back(rule.offset * rng.normal());
    }
    rng.shuffle(std::span(y));
    u.resize(rule.length, K);
    for (Index t = 0; t < rule.length; ++t) {
      for (Index l = 0; l < K; ++l) {
        const double right = l == static_cast<Index>(y[t]) ? rule.evidence : 0;
        u[t][l] = -rule.evidence * (right + rng.normal()) - b[l];
      }
    }
  }
  return sequences;
}

/// Percent of the labels that `label(sequence, y)` gets right.
template <class Labeller>
double counted_accuracy(const std::vector<CountedSequence>& sequences, Labeller label) {
  double right = 0, all = 0;
  for (const CountedSequence& s : sequences) {
    std::vector<Label> y(s.y.size());
    label(s, std::span<Label>(y));
    for (std::size_t t = 0; t < y.size(); ++t) right += y[t] == s.y[t];
    all += static_cast<double>(y.size());
  }
  return 100 * right / all;
}

inline void lowest_local(const CountedSequence& s, std::span<Label> y) {
  for (Index t = 0; t < s.u.rows(); ++t)
    y[t] = static_cast<Label>(std::min_element(s.u[t], s.u[t] + s.u.columns()) - s.u[t]);
}

/// The likeliest label of each position by the posterior of the rule, of two labels, given u without offsets:
/// no labelling has fewer errors in expectation. Where there is one count, offsets change nothing. O(T^2).
inline void likeliest_by_rule(const CountedRule& rule, const CountedSequence& s, std::span<Label> y) {
  const Index T = s.u.rows();
  // Weights of the labels 1 of the first t positions, by how many there are; and of those from t on.
  const auto odds = [&](Index t) { return std::exp(s.u[t][0] - s.u[t][1]); };
  TableBuffer<double> before(T + 1, T + 2), after(T + 1, T + 2);
  before[0][0] = after[T][0] = 1;
  for (Index t = 0; t < T; ++t) {
    const Index r = T - 1 - t;
    for (Index n = 0; n <= T; ++n) {
      before[t + 1][n] = before[t][n] + (n > 0 ? odds(t) * before[t][n - 1] : 0);
      after[r][n] = after[r + 1][n] + (n > 0 ? odds(r) * after[r + 1][n - 1] : 0);
    }
  }
  for (Index t = 0; t < T; ++t) {
    double zero = 0, one = 0;
    for (const auto& counts : rule.counts) {
      const Index ones = counts[1];
      const double ways = std::exp(std::lgamma(T + 1) - std::lgamma(ones + 1) - std::lgamma(T - ones + 1));
      for (Index n = 0; n <= ones; ++n) {
        zero += before[t][n] * after[t + 1][ones - n] / ways;
        if (n < ones) one += odds(t) * before[t][n] * after[t + 1][ones - n - 1] / ways;
      }
    }
    y[t] = one > zero;
  }
}

/// A chain on top of scaled u, trained by Adam on the likelihood: pairs, start, end, and the scale.
class CountedChain {
 public:
  CountedChain(const std::vector<CountedSequence>& sequences, Index passes)
      : T_(sequences[0].u.rows()), K_(sequences[0].u.columns()), x_((K_ + 2) * K_ + 1, 0.0) {
    x_.back() = 1;
    AdaptiveSteps adam(static_cast<Index>(x_.size()), {.method = AdaptiveMethod::Adam, .rate = 0.05});
    constexpr std::size_t kBatch = 50;
    for (Index pass = 0; pass < passes; ++pass) {
      for (std::size_t begin = 0; begin < sequences.size(); begin += kBatch)
        step(std::span(sequences).subspan(begin, std::min(kBatch, sequences.size() - begin)), adam);
    }
  }
  void label(const CountedSequence& s, std::span<Label> y) {
    double energy = 0;
    layer_.decode(batch({&s, 1}), y, {&energy, 1});
  }

 private:
  ChainBatch<double> batch(std::span<const CountedSequence> sequences) {
    emissions_.clear();
    for (const CountedSequence& s : sequences) {
      for (Index i = 0; i < T_ * K_; ++i) emissions_.push_back(x_.back() * s.u.view().data[i]);
    }
    const std::span<const double> x(x_);
    return {static_cast<Index>(sequences.size()),
            T_,
            K_,
            emissions_,
            x.subspan(0, K_ * K_),
            {},
            x.subspan(K_ * K_, K_),
            x.subspan(K_ * K_ + K_, K_)};
  }
  void step(std::span<const CountedSequence> sequences, AdaptiveSteps& adam) {
    std::vector<Label> right;
    for (const CountedSequence& s : sequences) right.insert(right.end(), s.y.begin(), s.y.end());
    const auto energies = batch(sequences);
    std::vector<double> losses(sequences.size()), slopes(emissions_.size()), gradient(x_.size());
    const std::span<double> g(gradient);
    layer_.value_and_gradient(
        LikelihoodLoss{}, energies, {right}, losses,
        {slopes, g.subspan(0, K_ * K_), g.subspan(K_ * K_, K_), g.subspan(K_ * K_ + K_, K_)});
    for (std::size_t i = 0; i < slopes.size(); ++i) g.back() += slopes[i] * emissions_[i] / x_.back();
    for (double& d : gradient) d /= static_cast<double>(sequences.size());
    adam.step(x_, gradient);
  }

  Index T_, K_;
  std::vector<double> x_, emissions_;
  ChainLayer<double> layer_;
};

inline std::vector<UnrolledExample> unrolled_examples(const std::vector<CountedSequence>& sequences) {
  std::vector<UnrolledExample> examples;
  for (const CountedSequence& s : sequences) examples.push_back({s.u.view(), s.y});
  return examples;
}

}  // namespace thalweg::testing
