#include "thalweg/learning/online_learner.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace thalweg {

OnlineLearner::OnlineLearner(const Model& model, const Dataset& data, const OnlineOptions& options)
    : data_(data),
      options_(options),
      rng_(options.seed),
      order_(static_cast<std::size_t>(data.size())),
      current_(model, data.attributes),
      weighted_(model, data.attributes) {
  std::iota(order_.begin(), order_.end(), Index{0});
  weighted_.assign(std::vector<double>(static_cast<std::size_t>(weighted_.parameters()), 0.0));
  pairwise_gradient_.resize(1, current_.labels() * current_.labels());
  couplings_.prepare_minima(current_.pairwise(), current_.labels());
}

Index OnlineLearner::pass() {
  rng_.shuffle(std::span(order_));
  Index wrong = 0;
  for (Index n : order_) {
    const auto answer = data_.answer(n);
    current_.unary(block(n), unary_.resize(static_cast<Index>(answer.size()), current_.labels()));
    const Chain<float> chain{unary_, current_.pairwise(), {}};
    labels_.resize(answer.size());
    const double lowest = minima_.minimize(chain, couplings_, labels_);
    Index here = 0;
    for (std::size_t t = 0; t < answer.size(); ++t) here += labels_[t] != answer[t];
    if (here > 0) update(n, here, energy<float>(chain, answer) - lowest);
    wrong += here;
    ++step_;
  }
  return wrong;
}

// `violation` = E(y) - E(y'), by which the mistake lies below the answer.
void OnlineLearner::update(Index n, Index wrong, double violation) {
  const ChainParts<float> parts{
      unary_gradient_.resize(unary_.rows(), unary_.columns()), pairwise_gradient_, {}};
  std::fill_n(parts.pairwise.data, parts.pairwise.size(), 0.f);
  const Chain<float> chain{unary_, current_.pairwise(), {}};
  add_answer<float>(chain, data_.answer(n), 1, parts);
  add_answer<float>(chain, labels_, -1, parts);
  double tau = 1;
  // |w|^2 grows by 2 w . d + |d|^2, and w . d = -violation.
  const double grown = current_.descend(block(n), parts.unary, parts.pairwise, 1);
  if (options_.passive_aggressive) {
    const double length = grown + 2 * violation, loss = violation + std::sqrt(static_cast<double>(wrong));
    tau = std::min(options_.aggressiveness, loss / std::max(length, 1e-12));
    current_.descend(block(n), parts.unary, parts.pairwise, static_cast<float>(tau - 1));
  }
  weighted_.descend(block(n), parts.unary, parts.pairwise, static_cast<float>(step_ * tau));
  couplings_.prepare_minima(current_.pairwise(), current_.labels());
}

std::vector<double> OnlineLearner::average() const {
  std::vector<double> mean(static_cast<std::size_t>(current_.parameters())), steps(mean.size());
  current_.weights(mean), weighted_.weights(steps);
  for (std::size_t f = 0; f < mean.size(); ++f) mean[f] -= steps[f] / step_;
  return mean;
}

}  // namespace thalweg
