#include "thalweg/learning/averaged_perceptron.h"

#include <algorithm>
#include <numeric>

namespace thalweg {

AveragedPerceptron::AveragedPerceptron(const Model& model, const Dataset& data, std::uint64_t seed)
    : model_(model),
      data_(data),
      rng_(seed),
      order_(static_cast<std::size_t>(data.size())),
      weights_(model.weights) {
  const Index K = static_cast<Index>(model.labels.size());
  std::iota(order_.begin(), order_.end(), Index{0});
  steps_.assign(weights_.size(), 0.0);
  transition_.assign(static_cast<std::size_t>(K * K), -1);
  pairwise_.resize(1, K * K);
  const FeatureIndex& pairs = model.transitions;
  for (Index i = 0; i < pairs.rows(); ++i) {
    for (Index f = pairs.offsets[i]; f < static_cast<Index>(pairs.offsets[i + 1]); ++f) {
      const Index pair = i * K + pairs.labels[f];
      transition_[pair] = model.emissions.features() + f;
      pairwise_[0][pair] = -static_cast<float>(weights_[transition_[pair]]);
    }
  }
  couplings_.prepare_minima(pairwise_.view(), K);
}

Index AveragedPerceptron::pass() {
  rng_.shuffle(std::span(order_));
  Index wrong = 0;
  for (Index n : order_) {
    const auto answer = data_.answer(n);
    energies(n);
    labels_.resize(answer.size());
    minima_.minimize(Chain<float>{unary_, pairwise_, {}}, couplings_, labels_);
    Index here = 0;
    for (std::size_t t = 0; t < answer.size(); ++t) here += labels_[t] != answer[t];
    if (here > 0) update(n);
    wrong += here;
    ++step_;
  }
  return wrong;
}

void AveragedPerceptron::energies(Index n) {
  const Index begin = data_.sequences[n], T = data_.sequences[n + 1] - begin;
  Table<float> unary = unary_.resize(T, static_cast<Index>(model_.labels.size()));
  for (Index t = 0; t < T; ++t) {
    const auto attributes = data_.attributes.row(begin + t);
    const auto values = data_.attributes.row_values(begin + t);
    for (std::size_t e = 0; e < attributes.size(); ++e) {
      const double value = values.empty() ? 1.0 : static_cast<double>(values[e]);
      const auto& index = model_.emissions;
      for (Index f = index.offsets[attributes[e]]; f < static_cast<Index>(index.offsets[attributes[e] + 1]);
           ++f) {
        unary[t][index.labels[f]] -= static_cast<float>(value * weights_[f]);
      }
    }
  }
}

void AveragedPerceptron::move(Index feature, double by) {
  weights_[feature] += by;
  steps_[feature] += step_ * by;
}

void AveragedPerceptron::update(Index n) {
  const Index begin = data_.sequences[n], K = static_cast<Index>(model_.labels.size());
  const auto answer = data_.answer(n);
  for (std::size_t t = 0; t < answer.size(); ++t) {
    if (labels_[t] != answer[t]) {
      const Index p = begin + static_cast<Index>(t);
      const auto attributes = data_.attributes.row(p);
      const auto values = data_.attributes.row_values(p);
      for (std::size_t e = 0; e < attributes.size(); ++e) {
        const double value = values.empty() ? 1.0 : static_cast<double>(values[e]);
        for (Index f = model_.emissions.offsets[attributes[e]];
             f < static_cast<Index>(model_.emissions.offsets[attributes[e] + 1]); ++f) {
          const Label label = model_.emissions.labels[f];
          if (label == answer[t]) move(f, value);
          if (label == labels_[t]) move(f, -value);
        }
      }
    }
    if (t == 0 || (labels_[t] == answer[t] && labels_[t - 1] == answer[t - 1])) continue;
    for (const auto& [labels, by] :
         {std::pair{answer, 1.0}, std::pair{std::span<const Label>(labels_), -1.0}}) {
      const Index pair = static_cast<Index>(labels[t - 1]) * K + labels[t];
      if (transition_[pair] < 0) continue;
      move(transition_[pair], by);
      pairwise_[0][pair] = -static_cast<float>(weights_[transition_[pair]]);
    }
  }
  couplings_.prepare_minima(pairwise_.view(), K);
}

std::vector<double> AveragedPerceptron::average() const {
  std::vector<double> mean(weights_.size());
  for (std::size_t f = 0; f < mean.size(); ++f) mean[f] = weights_[f] - steps_[f] / step_;
  return mean;
}

}  // namespace thalweg
