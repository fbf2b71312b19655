/// @file
/// A development set that decides which iteration is kept and when there is no use in going on.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "thalweg/inference/min_sum.h"
#include "thalweg/learning/train.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

/// Labels a set with one vector of weights after another.
class DevelopmentScorer {
 public:
  /// Both must outlive this.
  DevelopmentScorer(const Model& model, const DevelopmentSet& set, int threads)
      : set_(set), threads_(threads), chain_(model) {}

  LabellingScore operator()(std::span<const double> weights);
  Index parameters() const { return chain_.parameters(); }

 private:
  void decode();

  const DevelopmentSet& set_;
  int threads_;
  LinearChain chain_;
  std::vector<Couplings<float>> couplings_;  // shared, or by thread
  std::vector<MinSum<float>> minima_;
  std::vector<ChainEnergies> energies_;
  std::vector<Label> predicted_;
};

/// Scores the set after each iteration and remembers the best weights.
class DevelopmentWatch {
 public:
  /// @param set null: there is nothing to watch. All must outlive this.
  DevelopmentWatch(const Model& model, const DevelopmentSet* set, const TrainOptions& options);

  /// Writes the score into `progress`. False when there has been nothing better for too long.
  bool look(std::span<const double> weights, TrainProgress& progress);

  /// Whether there is an iteration to keep.
  bool active() const { return scorer_ && state_.best_iteration > 0; }
  const WatchState& state() const { return state_; }
  /// @throws InputError when there is another number of weights
  void restore(const WatchState& state);

 private:
  std::optional<DevelopmentScorer> scorer_;
  Index patience_;
  WatchState state_;
};

}  // namespace thalweg
