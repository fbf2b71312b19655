/// @file
/// A training under way: the iterations of each solver, each of which the callback and the development set
/// see.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "learning/development_watch.h"
#include "learning/forecast.h"
#include "thalweg/features/dataset.h"
#include "thalweg/learning/train.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

/// What the solvers share. They leave the last weights in the model, and in the summary what is theirs to
/// say.
struct Run {
  Model& model;
  const Dataset& data;
  const TrainOptions& options;
  const TrainCallback& callback;
  DevelopmentWatch& watch;
  const Clock& clock;
  const std::string& fingerprint;
  TrainSummary& summary;

  /// Shows an iteration to whoever watches; the summary then says whether they want no more, and why.
  /// @param keep adds to a state what is the solver's own
  void report(TrainProgress& progress, std::span<const double> weights,
              const std::function<void(TrainState&)>& keep) const;
  TrainState state(const std::function<void(TrainState&)>& keep) const;
};

/// Each goes on from TrainOptions::resume, if there, of which the summary and the watch know already.

/// From the weights of the model, after whatever iterations have been made.
void run_lbfgs(const Run& run);
/// Passes over the dual; Solver::Auto goes on with L-BFGS where they do not get there.
void run_exponentiated_gradient(const Run& run);
/// Passes of the averaged perceptron, or of passive-aggressive steps.
void run_online(const Run& run);
/// Passes of Adagrad or Adam.
void run_minibatches(const Run& run);
/// Passes of a margin solver, with its certificate after each.
void run_margin(const Run& run);

}  // namespace thalweg
