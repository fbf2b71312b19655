#include "thalweg/learning/train.h"

#include <algorithm>

#include "learning/development_watch.h"
#include "learning/forecast.h"
#include "learning/solver_choice.h"
#include "learning/solver_runs.h"
#include "learning/warm_start.h"
#include "thalweg/core/error.h"

namespace thalweg {
namespace {

void check_labels(const Model& model, const Dataset& data) {
  if (data.positions() == 0)
    throw InputError("training data", "there is no token to learn from", "give it a sentence");
  if (model.labels.size() < 2) {
    throw InputError("training data", "every token has the label " + std::string(model.labels.name(0)),
                     "there must be two labels to tell apart; is the label the last column?");
  }
  if (std::count(data.labels.begin(), data.labels.end(), kNoLabel) > 0) {
    throw InputError("training data", "a token has a label that the model lacks",
                     "learn the labels of all data first");
  }
}

void choose_features(Model& model, const Dataset& data, const TrainOptions& options) {
  const Index A = static_cast<Index>(model.attributes.size()), K = static_cast<Index>(model.labels.size());
  const bool bigrams = !model.featurizer.has_templates() || model.featurizer.templates().transitions();
  model.emissions = options.all_features ? all_features(A, K)
                                         : observed_features(transpose(data.attributes, A), data.labels, K);
  model.transitions = !bigrams               ? FeatureIndex{std::vector<std::uint32_t>(K + 1, 0), {}}
                      : options.all_features ? all_features(K, K)
                                             : observed_transitions(data, K);
  const Index B = static_cast<Index>(model.pair_attributes.size());
  model.pairs = options.all_features ? all_features(B, K * K) : observed_pairs(data, B, K);
  model.contexts =
      options.all_features ? all_contexts(options.order, K) : observed_contexts(data, options.order, K);
  model.vector_columns = data.vector_columns;
  if (options.init) {
    model.weights = weights_from(*options.init, model);
  } else {
    model.weights.assign(static_cast<std::size_t>(model.features()), 0.0);
  }
}

}  // namespace

TrainSummary train_model(Model& model, const Dataset& data, const DevelopmentSet* development,
                         const TrainOptions& options, const TrainCallback& callback) {
  validate(options);
  TrainSummary summary;
  const Clock clock;
  check_labels(model, data);
  choose_features(model, data, options);
  summary.requested = options.solver, summary.used = choose_solver(model, data, options);
  DevelopmentWatch watch(model, development, options);
  const Run run{model, data, options, callback, watch, clock, summary};
  if (summary.used == Solver::Averaged || summary.used == Solver::PassiveAggressive) {
    run_online(run);
  } else if (summary.used == Solver::ExponentiatedGradient) {
    run_exponentiated_gradient(run);
  } else {
    run_lbfgs(run);
  }
  if (watch.active()) model.weights = watch.best_weights();
  summary.dev_f1 = watch.best_f1();
  summary.best_iteration = watch.active() ? watch.best_iteration() : summary.iterations;
  summary.sequences = data.size(), summary.positions = data.positions();
  summary.features = model.features(), summary.attributes = static_cast<Index>(model.attributes.size());
  summary.labels = static_cast<Index>(model.labels.size());
  summary.seconds = clock.seconds(), summary.cpu_seconds = clock.cpu_seconds();
  return summary;
}

}  // namespace thalweg
