/// @file
/// One model, one set of examples, many losses: what each makes of the energy landscape.
///
///     for (const char* name : {"likelihood", "perceptron", "structured-hinge"}) {
///       TrainOptions options{.loss = loss_named(name)};
///       const LossReport report = train_under(examples, held_out, options);
///       print(name, report.score.f1, report.landscape.separated, report.cpu_seconds);
///     }
#pragma once

#include <functional>
#include <limits>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/learning/train.h"
#include "thalweg/pipeline/train.h"

namespace thalweg {

/// The energies of held-out answers under a model.
struct Landscape {
  Index sequences = 0;  ///< that could be looked at: all of their labels are the model's
  /// Percent of them whose right answer lies lower than any other.
  double separated = 0;
  /// Mean of Ebar - E: how far the most offending incorrect answer lies above the right one. Energies have
  /// the scale that the loss and its regulariser gave them, so its sign and its ratio to others of one loss
  /// mean something, its size alone does not. Sequences with one possible answer are left out.
  double gap = 0;
  /// Expected calibration error of the labels' marginals at beta = 1, in percent (evaluation/calibration.h).
  double calibration = 0;
};

/// O(two forward-backward passes over the set). The bits do not depend on `threads`.
THALWEG_EXPORT Landscape survey(const Model& model, const DevelopmentSet& set, int threads = 1);

/// How far a training was after some time.
struct CurvePoint {
  Index iteration = 0;
  double cpu_seconds = 0;  ///< of training alone
  LabellingScore score;
};

struct LossReport {
  TrainSummary training;
  double cpu_seconds = 0;  ///< of training alone, without what follows
  LabellingScore score;
  Landscape landscape;
  std::vector<CurvePoint> curve;  ///< an entry for each iteration
};

/// Trains a copy of the examples' model and looks at it on data that had no part in it: nothing is chosen by
/// them. @param callback as train_model's
/// @throws what train_model throws
THALWEG_EXPORT LossReport train_under(const Examples& examples, const DevelopmentSet& held_out,
                                      const TrainOptions& options, const TrainCallback& callback = {});

}  // namespace thalweg
