/// @file
/// Stochastic minimisation of
///
///     f(w) = sum_n weight_n L(E(x_n, .; w), y_n) + c2 |w|^2 + c1 |w|_1
///
/// for any loss: a pass visits the sequences in a new random order, some at a time, and steps along the
/// gradient of each batch with a rate for each weight (optimization/adaptive_steps.h). For losses with kinks
/// or without a convex objective, and for a fast start with any.
///
///     MinibatchLearner learner(model, data, loss, {.batch = 64, .c2 = 1});
///     for (int pass = 0; pass < 30; ++pass) learner.pass();
///     learner.weights();
#pragma once

#include <array>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/random.h"
#include "thalweg/learning/sequence_loss.h"
#include "thalweg/model/linear_chain.h"
#include "thalweg/optimization/adaptive_steps.h"

namespace thalweg {

struct MinibatchOptions {
  AdaptiveMethod method = AdaptiveMethod::Adagrad;
  double rate = 0.1;  ///< as AdaptiveOptions::rate
  double c2 = 1, c1 = 0;
  Index batch = 64;  ///< sequences a step, >= 1
  int threads = 1;
  std::uint64_t seed = 1;
};

/// All that a run depends on beside the model, the data and the options, between two passes.
struct MinibatchState {
  std::vector<double> weights;  ///< [D]
  std::vector<Index> order;     ///< [N] of the last pass, which the next one shuffles
  std::array<std::uint64_t, 4> rng{};
  AdaptiveState steps;
  std::uint64_t round = 0;      ///< passes so far, for losses that draw
  PersistentChains persistent;  ///< [N] or empty
};

/// Sequences of a batch are evaluated in parallel, each into tables of its own, and pulled back in the order
/// of the batch: the same bits for any number of threads. A step costs O(D) beside the batch, so batches
/// should not be tiny where D is large.
class THALWEG_EXPORT MinibatchLearner {
 public:
  /// Starts from the weights of `model`. All three must outlive this.
  /// @pre every label of `data` is known or open
  /// @throws OptionError for values out of range
  MinibatchLearner(const Model& model, const Dataset& data, const Loss& loss,
                   const MinibatchOptions& options);

  /// Returns the sum of the losses, each at the weights its batch met.
  double pass();
  std::span<const double> weights() const { return weights_; }

  MinibatchState state() const;
  /// Goes on with the bits of the run that `state` was taken from. @throws InputError when its sizes do not
  /// fit
  void restore(const MinibatchState& state);

 private:
  // The energies and part gradients of one sequence of a batch.
  struct Seat {
    ChainEnergies energies;
    SequenceScratch scratch;
    Couplings<float> couplings;  // where sequences do not share them
    TableBuffer<float> unary, pairwise;
    double value = 0;
  };

  double step(std::span<const Index> batch);
  void evaluate(Index n, Seat& seat);

  const Dataset& data_;
  const Loss& loss_;
  MinibatchOptions options_;
  Rng rng_;
  std::vector<Index> order_;
  LinearChain chain_;
  std::vector<double> weights_, gradient_;
  AdaptiveSteps steps_;
  Couplings<float> couplings_;
  std::vector<Seat> seats_;  // [batch]
  std::uint64_t round_ = 0;
  PersistentChains persistent_;
};

}  // namespace thalweg
