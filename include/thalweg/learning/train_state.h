/// @file
/// A training between two iterations, as plain data: keep it (io/checkpoint_file.h writes it to a file), and
/// later train_model goes on from there with the bits of the run that was not interrupted:
///
///     TrainState kept;
///     train_model(model, data, nullptr, options, [&](const TrainProgress& p) {
///       kept = p.state();  // copies; a large model's state is a matter of seconds or minutes, not
///       iterations return !interrupted;
///     });
///     options.resume = &kept;
///     train_model(model, data, nullptr, options);
#pragma once

#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "thalweg/core/types.h"
#include "thalweg/learning/exponentiated_gradient.h"
#include "thalweg/learning/minibatch_learner.h"
#include "thalweg/learning/online_learner.h"
#include "thalweg/optimization/lbfgs.h"

namespace thalweg {

/// What a development set has decided so far.
struct WatchState {
  double best = -1;  ///< F1, or accuracy where there are no spans
  double best_f1 = -1;
  Index best_iteration = 0;          ///< 0: none yet
  std::vector<double> best_weights;  ///< [D] those of the best iteration
};

struct TrainState {
  /// All that the course of the training depends on beside the number of threads, one `name value` a line:
  /// options as they are, data and features by a hash.
  std::string fingerprint;
  Index iterations = 0, evaluations = 0;
  double objective = 0, dual = std::numeric_limits<double>::quiet_NaN();  ///< at the last evaluation
  double gap_by_rise = 2;  ///< for the dual: the gap over the rise of the pass, at the last evaluation
  std::string stopped;     ///< why there will be no other iteration; or empty
  double seconds = 0, cpu_seconds = 0;  ///< that it took so far
  WatchState watch;
  /// Solver::Auto may have gone on from ExponentiatedGradient to Lbfgs, which then made fewer `iterations`.
  std::variant<LbfgsState, ExponentiatedGradientState, OnlineState, MinibatchState> learner;
};

}  // namespace thalweg
