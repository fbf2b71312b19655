/// @file
/// Regularisers chosen by how well models label what they have not seen:
///
///     const Tuned t = tune(examples, development, options, {.c1 = true, .c2 = true});
///     options.c1 = t.best().c1, options.c2 = t.best().c2;
///
/// The search is coordinate-wise and small. A regulariser is tried at powers of ten from `lowest` to
/// `highest` (c1 also at 0), and beyond an end while the end is best, to a thousandth or a thousandfold of
/// it; then the best is doubled, or halved, while that is better. With two, c2 goes first, and they take
/// turns until neither moves: 7 to 10 tries for one, about 20 for two. No try is repeated. What is tried
/// depends on the scores alone, never on threads or time.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/pipeline/cross_validation.h"

namespace thalweg {

struct TuneOptions {
  bool c1 = false, c2 = false;         ///< which to choose; the other stays as TrainOptions has it
  double lowest = 0.01, highest = 10;  ///< powers of ten between them, both included; > 0
  /// With a development set a try ends when it has not got better for so many iterations, where
  /// TrainOptions::patience is longer. >= 1
  Index patience = 10;
  /// A try over folds is abandoned when it lies this far behind the best over the first half of the folds;
  /// points of F1 or accuracy, > 0.
  double behind = 1;
};

/// One choice, and what came of it.
struct Trial {
  double c1 = 0, c2 = 0;
  double f1 = 0, accuracy = 0;  ///< over folds: the means of those that were trained
  double quality = 0;           ///< F1, or accuracy where there are no spans
  double deviation = 0;         ///< of quality, over folds
  double first_half = 0;        ///< quality over the first half of the folds
  Index iterations = 0;         ///< of all models trained
  double seconds = 0;
  bool abandoned = false;  ///< early, for others are better: it is not chosen
};

struct Tuned {
  std::vector<Trial> trials;  ///< in the order they were made
  std::size_t chosen = 0;
  const Trial& best() const { return trials[chosen]; }
};

/// What a choice is worth. @param best the best so far, or null for the first
using TrialRun = std::function<Trial(double c1, double c2, const Trial* best)>;
/// Sees each trial as it is done.
using TuneCallback = std::function<void(const Trial&)>;

/// The search by itself. Higher quality wins; of equals the more regularised.
/// @throws OptionError for a grid that is none, or nothing to choose
THALWEG_EXPORT Tuned search(double c1, double c2, const TuneOptions& options, const TrialRun& run,
                            const TuneCallback& callback = {});

/// Judged by a development set: a trial is as good as its best iteration, which training with that set would
/// keep. L-BFGS and OWL-QN start from the weights of the trial before, as the problem is convex; the dual and
/// the first trial start at 0 (or at `init`).
/// @throws as train_model; OptionError where the loss has no regulariser
THALWEG_EXPORT Tuned tune(const Examples& examples, const DevelopmentSet& development,
                          const TrainOptions& training, const TuneOptions& options,
                          const TuneCallback& callback = {});

/// Judged by the mean over folds (make_fold), each of which keeps its own warm start. Folds are trained side
/// by side where there are threads.
THALWEG_EXPORT Tuned tune(std::span<Fold> folds, const TrainOptions& training, const TuneOptions& options,
                          const TuneCallback& callback = {});

}  // namespace thalweg
