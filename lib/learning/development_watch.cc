#include "learning/development_watch.h"

#include <algorithm>
#include <string_view>

#include "learning/state_checks.h"
#include "thalweg/core/parallel.h"
#include "thalweg/evaluation/score.h"

namespace thalweg {

LabellingScore DevelopmentScorer::operator()(std::span<const double> weights) {
  chain_.assign(weights);
  decode();
  SpanScore spans;
  LabelScore tokens;
  const Dataset& data = set_.data;
  std::vector<std::string_view> gold, guess;
  for (Index n = 0; n < data.size(); ++n) {
    gold.clear(), guess.clear();
    for (Index p = data.sequences[n]; p < data.sequences[n + 1]; ++p) {
      gold.push_back(set_.labels.name(data.labels[p]));
      guess.push_back(predicted_[p] == kNoLabel ? std::string_view() : set_.labels.name(predicted_[p]));
    }
    spans.add(gold, guess), tokens.add(gold, guess);
  }
  return {spans.overall().f1(), tokens.accuracy(), spans.overall().gold > 0};
}

void DevelopmentScorer::decode() {
  const Dataset& data = set_.data;
  const Index K = chain_.labels();
  const bool shared = chain_.shares_pairwise();
  couplings_.resize(shared ? 1 : static_cast<std::size_t>(threads_));
  if (shared) couplings_[0].prepare_minima(chain_.pairwise(), K, chain_.histories());
  predicted_.resize(static_cast<std::size_t>(data.positions()));
  minima_.resize(static_cast<std::size_t>(threads_)), energies_.resize(minima_.size());
  parallel_chunks(data.size(), 32, threads_, [&](Index begin, Index end, int slot) {
    const ChainBlock<float> chains = energies_[slot].of(chain_, data, begin, end);
    Couplings<float>& couplings = couplings_[shared ? 0 : slot];
    if (!shared) couplings.prepare_minima(chains.pairwise, K, chain_.histories());
    for (Index n = begin; n < end; ++n) {
      const Chain<float> chain = chains[n - begin];
      const auto y = std::span(predicted_).subspan(data.sequences[n], chain.length());
      if (!(minima_[slot].minimize(chain, couplings, y) < kInfinity<double>))
        std::fill(y.begin(), y.end(), kNoLabel);
    }
  });
}

DevelopmentWatch::DevelopmentWatch(const Model& model, const DevelopmentSet* set, const TrainOptions& options)
    : patience_(options.patience) {
  if (set) scorer_.emplace(model, *set, options.threads);
}

bool DevelopmentWatch::look(std::span<const double> weights, TrainProgress& progress) {
  if (!scorer_) return true;
  const LabellingScore score = (*scorer_)(weights);
  progress.dev_f1 = score.f1, progress.dev_accuracy = score.accuracy;
  if (score.quality() > state_.best)
    state_ = {score.quality(), score.f1, progress.iteration, {weights.begin(), weights.end()}};
  return progress.iteration - state_.best_iteration < patience_;
}

void DevelopmentWatch::restore(const WatchState& state) {
  if (scorer_ && state.best_iteration > 0)
    require_size("state.watch.best_weights", state.best_weights.size(), scorer_->parameters());
  state_ = state;
}

LabellingScore score(const Model& model, const DevelopmentSet& set, int threads) {
  return DevelopmentScorer(model, set, threads)(model.weights);
}

}  // namespace thalweg
