/// @file
/// A development set that decides which iteration is kept and when there is no use in going on.
#pragma once

#include <span>
#include <vector>

#include "thalweg/evaluation/score.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/learning/train.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

/// Scores the set after each iteration and remembers the best weights.
class DevelopmentWatch {
 public:
  /// @param set null: there is nothing to watch. All must outlive this.
  DevelopmentWatch(const Model& model, const DevelopmentSet* set, const TrainOptions& options);

  /// Writes the score into `progress`. False when there has been nothing better for too long.
  bool look(std::span<const double> weights, TrainProgress& progress);

  bool active() const { return set_ != nullptr && best_iteration_ > 0; }
  double best_f1() const { return best_f1_; }
  Index best_iteration() const { return best_iteration_; }
  const std::vector<double>& best_weights() const { return best_weights_; }

 private:
  void decode();
  void score(SpanScore& spans, LabelScore& tokens);

  const DevelopmentSet* set_;
  Index patience_;
  int threads_;
  LinearChain chain_;
  std::vector<Couplings<float>> couplings_;  // shared, or by thread
  std::vector<MinSum<float>> minima_;
  std::vector<ChainEnergies> energies_;
  std::vector<Label> predicted_;
  double best_ = -1, best_f1_ = -1;
  Index best_iteration_ = 0;
  std::vector<double> best_weights_;
};

}  // namespace thalweg
