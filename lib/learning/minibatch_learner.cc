#include "thalweg/learning/minibatch_learner.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "learning/state_checks.h"
#include "thalweg/core/parallel.h"
#include "thalweg/learning/class_weights.h"

namespace thalweg {
namespace {

AdaptiveOptions steps_of(const MinibatchOptions& options, Index sequences) {
  if (options.batch < 1)
    throw OptionError("batch", "is " + std::to_string(options.batch) + ", must be >= 1", "64 is the default");
  const Index steps = std::max<Index>(1, (sequences + options.batch - 1) / options.batch);
  return {.method = options.method, .rate = options.rate, .halving = static_cast<double>(steps)};
}

}  // namespace

MinibatchLearner::MinibatchLearner(const Model& model, const Dataset& data, const Loss& loss,
                                   const MinibatchOptions& options)
    : data_(data),
      loss_(loss),
      options_(options),
      rng_(options.seed),
      order_(static_cast<std::size_t>(data.size())),
      chain_(model, data.attributes),
      weights_(model.weights),
      gradient_(weights_.size()),
      steps_(static_cast<Index>(weights_.size()), steps_of(options, data.size())),
      seats_(static_cast<std::size_t>(std::min(options.batch, data.size()))) {
  const auto* const likelihood = std::get_if<LikelihoodLoss>(&loss);
  chain_.raise(class_handicaps(data, likelihood ? likelihood->beta : 1));
  std::iota(order_.begin(), order_.end(), Index{0});
  const auto* const divergence = std::get_if<ContrastiveDivergence>(&loss);
  if (divergence && divergence->persistent) persistent_.resize(order_.size());
  for (Seat& seat : seats_) {
    seat.scratch.operations.couplings = chain_.shares_pairwise() ? &couplings_ : &seat.couplings;
    seat.scratch.operations.persistent = persistent_.empty() ? nullptr : &persistent_;
  }
}

double MinibatchLearner::pass() {
  rng_.shuffle(std::span(order_));
  double total = 0;
  const std::span<const Index> order(order_);
  for (std::size_t at = 0; at < order.size(); at += seats_.size())
    total += step(order.subspan(at, std::min(seats_.size(), order.size() - at)));
  ++round_;
  return total;
}

void MinibatchLearner::evaluate(Index n, Seat& seat) {
  const ChainBlock<float> chains = seat.energies.of(chain_, data_, n, n + 1);
  const Chain<float> chain = chains[0];
  if (!chain_.shares_pairwise())
    prepare(loss_, chains.pairwise, chain_.labels(), seat.couplings, chain_.histories());
  seat.scratch.operations.round = round_;
  const ChainParts<float> gradient{seat.unary.resize(chain.length(), chain.labels()),
                                   seat.pairwise.resize(chains.pairwise.rows, chains.pairwise.columns),
                                   chain.which};
  seat.value = evaluate_sequence(loss_, data_, n, chain, gradient, seat.scratch);
}

double MinibatchLearner::step(std::span<const Index> batch) {
  const Index size = static_cast<Index>(batch.size());
  chain_.assign(weights_, options_.threads);
  if (chain_.shares_pairwise())
    prepare(loss_, chain_.pairwise(), chain_.labels(), couplings_, chain_.histories());
  parallel_chunks(size, 1, options_.threads,
                  [&](Index i, Index, int) { evaluate(batch[static_cast<std::size_t>(i)], seats_[i]); });
  std::fill(gradient_.begin(), gradient_.end(), 0.0);
  const std::span<double> gradient(gradient_);
  double total = 0;
  for (Index i = 0; i < size; ++i) {
    const Seat& seat = seats_[i];
    total += seat.value;
    if (!(seat.value < kInfinity<double>)) continue;
    const Block& block = seat.energies.block();
    chain_.pull_back_unary(block, seat.unary, gradient, 1);
    chain_.pull_back_pairwise(block, seat.pairwise,
                              gradient.subspan(static_cast<std::size_t>(chain_.first_pairwise()),
                                               static_cast<std::size_t>(chain_.pairwise_parameters())));
  }
  // Of the mean over sequences, so that rates do not depend on how many there are.
  const double share = 1 / static_cast<double>(size), n = static_cast<double>(data_.size());
  for (double& g : gradient_) g *= share;
  steps_.step(weights_, gradient_, options_.c2 / n, options_.c1 / n, options_.threads);
  return total;
}

MinibatchState MinibatchLearner::state() const {
  return {weights_, order_, rng_.state(), steps_.state(), round_, persistent_};
}

void MinibatchLearner::restore(const MinibatchState& state) {
  require_size("state.weights", state.weights.size(), static_cast<Index>(weights_.size()));
  require_order(state.order, data_.size());
  require_size("state.persistent", state.persistent.size(), static_cast<Index>(persistent_.size()));
  const auto K = static_cast<Label>(chain_.labels());
  for (std::size_t n = 0; n < state.persistent.size(); ++n) {
    const auto& y = state.persistent[n];
    if (!y.empty()) require_size("state.persistent", y.size(), data_.sequences[n + 1] - data_.sequences[n]);
    if (std::any_of(y.begin(), y.end(), [&](Label l) { return l >= K; }))
      throw InputError("state.persistent", "it has a label that the model lacks",
                       "go on from a state as it was taken");
  }
  steps_.restore(state.steps);
  weights_ = state.weights, order_ = state.order, rng_ = Rng::restored(state.rng);
  round_ = state.round, persistent_ = state.persistent;
}

}  // namespace thalweg
