/// @file
/// Online learners for the fast start: decode, and where the answer y is wrong move the weights from the
/// mistake y' towards it,
///
///     w <- w + tau (phi(x, y) - phi(x, y')),      E(x, y; w) = -w . phi(x, y)
///
/// by tau = 1, the structured perceptron (Collins 2002), or by just enough to put a margin of the square root
/// of the wrong positions between the two, and no more than C: passive-aggressive (Crammer et al. 2006,
/// PA-I). The average over all steps is what generalises (Freund and Schapire 1999). Where the data leave the
/// answer open, y is the lowest labelling that they allow. A sequence's weight multiplies the perceptron's
/// tau and the passive-aggressive C.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/random.h"
#include "thalweg/features/dataset.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

struct OnlineOptions {
  bool passive_aggressive = false;
  /// C, the largest tau of passive-aggressive steps, > 0. Noisy labels want less.
  double aggressiveness = 1;
  /// Order of the sequences.
  std::uint64_t seed = 1;
};

/// All that a run depends on beside the model, the data and the options, between two passes.
struct OnlineState {
  std::vector<double> weights;   ///< [D] w
  std::vector<double> weighted;  ///< [D] the sum over updates of (step number * change)
  std::vector<Index> order;      ///< [N] of the last pass, which the next one shuffles
  std::array<std::uint64_t, 4> rng{};
  double step = 1;  ///< number of the next
};

/// One pass at a time; sequential by nature, so the number of threads does not come into it.
class THALWEG_EXPORT OnlineLearner {
 public:
  /// Starts from the weights of `model`. Both must outlive this. @pre every label of `data` is known or open
  OnlineLearner(const Model& model, const Dataset& data, const OnlineOptions& options = {});

  /// Visits every sequence once, in a new order. Returns the wrong positions met. O(entries K + positions
  /// K^2).
  Index pass();
  /// The average of the weights over all steps so far: as the model orders them.
  std::vector<double> average() const;

  OnlineState state() const;
  /// Goes on with the bits of the run that `state` was taken from. @throws InputError when its sizes do not
  /// fit
  void restore(const OnlineState& state);

 private:
  std::span<const Label> answer(Index n, const Chain<float>& chain);
  Index wrong_positions(Index n, std::span<const Label> answer) const;
  double handicap(std::span<const Label> answer) const;
  void update(const Chain<float>& chain, std::span<const Label> answer, Index wrong, double violation,
              double weight);

  const Dataset& data_;
  OnlineOptions options_;
  Rng rng_;
  std::vector<Index> order_;
  LinearChain current_, weighted_;  // w, and the sum over updates of (step number * change)
  std::vector<float> raised_;       // [K] by class weights, or empty
  double step_ = 1;
  ChainEnergies energies_;  // of the sequence at hand
  TableBuffer<float> unary_gradient_, pairwise_gradient_;
  Couplings<float> couplings_;
  MinSum<float> minima_;
  std::vector<Label> labels_, open_answer_;
  TableBuffer<std::uint8_t> allowed_;
  TableBuffer<float> restricted_;
};

}  // namespace thalweg
