/// @file
/// Sequences whose labels obey a rule of the whole: how often label 0 occurs. What rivals make of them, the
/// exact minimum of those that know the rule among them.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "thalweg/core/random.h"
#include "thalweg/learning/chain_layer.h"
#include "thalweg/learning/unrolled_descent.h"
#include "thalweg/optimization/adaptive_steps.h"

namespace thalweg::testing {

struct CountedRule {
  Index length = 20, labels = 3;
  std::vector<Index> counts{10};  ///< of label 0; one of them, each as often
  double evidence = 2;            ///< d of the evidence below
  double offset = 2;              ///< standard deviation of what all evidence for label 0 is off by
};

/// u_t[l] = -d (d [l = y_t] + noise_t[l]) - offset [l = 0], noise standard normal: without the offset minus
/// the logarithm of the odds. Label 0 is at random places, the other labels are drawn alike.
struct CountedSequence {
  TableBuffer<double> u;
  std::vector<Label> y;
};

inline std::vector<CountedSequence> counted_sequences(const CountedRule& rule, Index count, Rng& rng) {
  std::vector<CountedSequence> sequences(static_cast<std::size_t>(count));
  for (auto& [u, y] : sequences) {
    const auto zeros = static_cast<std::size_t>(rule.counts[rng.below(rule.counts.size())]);
    for (std::size_t t = 0; t < static_cast<std::size_t>(rule.length); ++t)
      y.push_back(t < zeros ? 0 : 1 + static_cast<Label>(rng.below(rule.labels - 1)));
    rng.shuffle(std::span(y));
    u.resize(rule.length, rule.labels);
    const double offset = rule.offset * rng.normal();
    for (Index t = 0; t < rule.length; ++t) {
      for (Index l = 0; l < rule.labels; ++l) {
        const double right = l == static_cast<Index>(y[t]) ? rule.evidence : 0;
        u[t][l] = -rule.evidence * (right + rng.normal()) - (l == 0 ? offset : 0);
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

/// The lowest local energies of all labellings that obey the rule: the positions that label 0 suits best.
inline void lowest_by_rule(const CountedRule& rule, const CountedSequence& s, std::span<Label> y) {
  const Index T = s.u.rows(), K = s.u.columns();
  std::vector<Index> order(static_cast<std::size_t>(T));
  std::iota(order.begin(), order.end(), Index{0});
  const auto other = [&](Index t) { return std::min_element(s.u[t] + 1, s.u[t] + K) - s.u[t]; };
  const auto gain = [&](Index t) { return s.u[t][0] - s.u[t][other(t)]; };
  std::sort(order.begin(), order.end(), [&](Index a, Index b) { return gain(a) < gain(b); });
  Index best = -1;
  double lowest = kInfinity<double>;
  for (Index n : rule.counts) {
    double sum = 0;
    for (Index i = 0; i < n; ++i) sum += gain(order[i]);
    if (sum < lowest) lowest = sum, best = n;
  }
  for (Index i = 0; i < T; ++i) y[order[i]] = i < best ? 0 : static_cast<Label>(other(order[i]));
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
