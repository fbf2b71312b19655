#include "thalweg/learning/online_learner.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "learning/state_checks.h"
#include "thalweg/learning/class_weights.h"

namespace thalweg {

OnlineLearner::OnlineLearner(const Model& model, const Dataset& data, const OnlineOptions& options)
    : data_(data),
      options_(options),
      rng_(options.seed),
      order_(static_cast<std::size_t>(data.size())),
      current_(model, data.attributes),
      weighted_(model, data.attributes),
      raised_(class_handicaps(data, 1)) {
  current_.raise(raised_);
  std::iota(order_.begin(), order_.end(), Index{0});
  weighted_.assign(std::vector<double>(static_cast<std::size_t>(weighted_.parameters()), 0.0));
  couplings_.prepare_minima(current_.pairwise(), current_.labels(), current_.histories());
}

Index OnlineLearner::pass() {
  rng_.shuffle(std::span(order_));
  Index wrong = 0;
  for (Index n : order_) {
    const ChainBlock<float> chains = energies_.of(current_, data_, n, n + 1);
    if (!current_.shares_pairwise())
      couplings_.prepare_minima(chains.pairwise, current_.labels(), current_.histories());
    const Chain<float> chain = chains[0];
    const auto answer = this->answer(n, chain);
    labels_.resize(answer.size());
    const double lowest = minima_.minimize(chain, couplings_, labels_);
    const Index here = wrong_positions(n, answer);
    if (here > 0) update(chain, answer, here, energy<float>(chain, answer) - lowest, data_.weight(n));
    wrong += here;
    ++step_;
  }
  return wrong;
}

// What the data say, or the lowest labelling that they allow.
std::span<const Label> OnlineLearner::answer(Index n, const Chain<float>& chain) {
  if (!data_.is_open(n)) return data_.answer(n);
  open_answer_.resize(static_cast<std::size_t>(chain.length()));
  const auto allowed = data_.allowed(n, chain.labels(), allowed_);
  minima_.minimize(restrict(chain, allowed, restricted_), couplings_, open_answer_);
  return open_answer_;
}

// In `labels_`, against what the data allow; `answer` may be one of several.
Index OnlineLearner::wrong_positions(Index n, std::span<const Label> answer) const {
  const bool open = data_.is_open(n);
  Index wrong = 0;
  for (std::size_t t = 0; t < answer.size(); ++t)
    wrong += open ? !allowed_[static_cast<Index>(t)][labels_[t]] : labels_[t] != answer[t];
  return wrong;
}

// `violation` = E(y) - E(y'), by which the mistake lies below the answer.
void OnlineLearner::update(const Chain<float>& chain, std::span<const Label> answer, Index wrong,
                           double violation, double weight) {
  const ChainParts<float> parts{unary_gradient_.resize(chain.length(), chain.labels()),
                                pairwise_gradient_.resize(chain.pairwise.rows, chain.pairwise.columns),
                                chain.which};
  add_answer<float>(chain, answer, 1, parts);
  add_answer<float>(chain, labels_, -1, parts);
  const Block& block = energies_.block();
  double tau = weight;
  // |w|^2 grows by 2 w . d + |d|^2, and w . d = -violation but for what no weight has to do with.
  const double grown = current_.descend(block, parts.unary, parts.pairwise, 1);
  if (options_.passive_aggressive) {
    const double length = grown + 2 * (violation - handicap(answer)),
                 loss = violation + std::sqrt(static_cast<double>(wrong));
    tau = std::min(options_.aggressiveness * weight, loss / std::max(length, 1e-12));
  }
  if (tau != 1) current_.descend(block, parts.unary, parts.pairwise, static_cast<float>(tau - 1));
  weighted_.descend(block, parts.unary, parts.pairwise, static_cast<float>(step_ * tau));
  if (current_.shares_pairwise())
    couplings_.prepare_minima(current_.pairwise(), current_.labels(), current_.histories());
}

// How much the class weights raise the answer more than what is in `labels_`.
double OnlineLearner::handicap(std::span<const Label> answer) const {
  double more = 0;
  for (std::size_t t = 0; t < answer.size() && !raised_.empty(); ++t)
    more += static_cast<double>(raised_[answer[t]]) - static_cast<double>(raised_[labels_[t]]);
  return more;
}

std::vector<double> OnlineLearner::average() const {
  std::vector<double> mean(static_cast<std::size_t>(current_.parameters())), steps(mean.size());
  current_.weights(mean), weighted_.weights(steps);
  for (std::size_t f = 0; f < mean.size(); ++f) mean[f] -= steps[f] / step_;
  return mean;
}

OnlineState OnlineLearner::state() const {
  OnlineState state{{}, {}, order_, rng_.state(), step_};
  state.weights.resize(static_cast<std::size_t>(current_.parameters()));
  state.weighted.resize(state.weights.size());
  current_.weights(state.weights), weighted_.weights(state.weighted);
  return state;
}

void OnlineLearner::restore(const OnlineState& state) {
  require_size("state.weights", state.weights.size(), current_.parameters());
  require_size("state.weighted", state.weighted.size(), current_.parameters());
  require_order(state.order, data_.size());
  current_.assign(state.weights), weighted_.assign(state.weighted);
  order_ = state.order, rng_ = Rng::restored(state.rng), step_ = state.step;
  if (current_.shares_pairwise())
    couplings_.prepare_minima(current_.pairwise(), current_.labels(), current_.histories());
}

}  // namespace thalweg
