/// @file
/// The averaged structured perceptron (Collins 2002): decode, and where the answer is wrong move the weights
/// of its parts up and those of the mistake down by 1. The average over all steps is what generalises (Freund
/// and Schapire 1999).
#pragma once

#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/random.h"
#include "thalweg/features/dataset.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

/// One pass at a time; sequential by nature, so the number of threads does not come into it.
class THALWEG_EXPORT AveragedPerceptron {
 public:
  /// Starts from the weights of `model`. Both must outlive this. @pre every label of `data` is known
  AveragedPerceptron(const Model& model, const Dataset& data, std::uint64_t seed);

  /// Visits every sequence once, in a new order. Returns the wrong positions met. O(entries K + positions
  /// K^2).
  Index pass();
  /// The average of the weights over all steps so far.
  std::vector<double> average() const;

 private:
  void energies(Index n);
  void update(Index n);
  void move(Index feature, double by);

  const Model& model_;
  const Dataset& data_;
  Rng rng_;
  std::vector<Index> order_;
  std::vector<double> weights_, steps_;  // steps_: sum over updates of (step number * change)
  double step_ = 1;
  std::vector<Index> transition_;  // [K*K] feature of a label pair, -1 where it has none
  TableBuffer<float> unary_, pairwise_;
  Couplings<float> couplings_;
  MinSum<float> minima_;
  std::vector<Label> labels_;
};

}  // namespace thalweg
