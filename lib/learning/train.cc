#include "thalweg/learning/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "learning/development_watch.h"
#include "learning/fingerprint.h"
#include "learning/forecast.h"
#include "learning/named_labels.h"
#include "learning/solver_choice.h"
#include "learning/solver_runs.h"
#include "learning/warm_start.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"
#include "thalweg/learning/batch_objective.h"
#include "thalweg/learning/legality.h"
#include "thalweg/optimization/gradient_check.h"

namespace thalweg {
namespace {

void check_weights(const Model& model, const Dataset& data) {
  const auto sound = [](double weight) { return weight > 0 && std::isfinite(weight); };
  for (Index n = 0; n < data.size(); ++n) {
    if (!sound(data.weight(n)))
      throw InputError(place(data, n, 0), "the sentence's weight is not finite and above 0", "1 is neutral");
  }
  const auto& weights = data.class_weights;
  if (!weights.empty() && weights.size() != model.labels.size())
    throw InputError("class weights", "there is not one for each label", "1 is neutral");
  if (!std::all_of(weights.begin(), weights.end(), sound))
    throw InputError("class weights", "one is not finite and above 0", "1 is neutral");
}

void check_labels(const Model& model, const Dataset& data) {
  if (data.positions() == 0)
    throw InputError("training data", "there is no token to learn from", "give it a sentence");
  if (model.labels.size() == 0)
    throw InputError("training data", "every token is open", "give some tokens a label to learn from");
  if (model.labels.size() < 2) {
    throw InputError("training data", "every token has the label " + std::string(model.labels.name(0)),
                     "there must be two labels to tell apart; is the label the last column?");
  }
  if (data.choices.empty() && std::count(data.labels.begin(), data.labels.end(), kNoLabel) > 0) {
    throw InputError("training data", "a token has a label that the model lacks",
                     "learn the labels of all data first");
  }
  check_legal(data, model.constraints, model.labels);
}

void choose_features(Model& model, const Dataset& data, const TrainOptions& options) {
  const Index A = static_cast<Index>(model.attributes.size()), K = static_cast<Index>(model.labels.size());
  const bool bigrams = !model.featurizer.has_templates() || model.featurizer.templates().transitions();
  model.emissions =
      options.all_features ? all_features(A, K) : observed_features(transpose(data.attributes, A), data, K);
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

// The loss with what it takes from the labels and the data.
Loss completed(Loss loss, const Model& model, const Dataset& data) {
  const Index K = static_cast<Index>(model.labels.size());
  std::visit(
      [&](auto& one) {
        if constexpr (requires { one.cost; }) {
          auto* const spans = std::get_if<SpanCost>(&one.cost);
          if (spans && spans->inside.empty()) *spans = span_cost(names_of(model.labels));
        }
        if constexpr (requires { one.noise; }) {
          if (one.noise.first.empty()) one.noise = label_noise(data, K);
        }
      },
      loss);
  return loss;
}

void warm_up(Model& model, const Dataset& data, const TrainOptions& options) {
  const Loss likelihood = LikelihoodLoss{};
  MinibatchLearner learner(model, data, likelihood,
                           {.rate = TrainOptions::kAdagradRate,
                            .c2 = options.c2,
                            .c1 = options.c1,
                            .batch = options.batch,
                            .threads = options.threads,
                            .seed = options.seed});
  for (Index pass = 0; pass < TrainOptions::kFirstPasses; ++pass) learner.pass();
  model.weights.assign(learner.weights().begin(), learner.weights().end());
}

// The largest relative error at weights near where training starts. Energies are floats, so steps are long,
// and what they show is a gradient that is wrong, not one that is a little inexact.
double gradient_error(const Model& model, const Dataset& data, const TrainOptions& options) {
  constexpr double kStep = 1e-2, kSpread = 0.3, kWrong = 0.05;
  const FoldedAttributes attributes = fold(data.attributes, model.attributes, model.featurizer.templates());
  LinearChain chain(model, &attributes);
  BatchObjective objective(chain, data, options.loss, options.c2, options.threads);
  std::vector<double> w = model.weights;
  Rng rng(options.seed);
  for (double& x : w) x += kSpread * rng.normal();
  const GradientCheck check =
      check_gradient(std::ref(objective), w,
                     {.step = kStep,
                      .samples = std::min<Index>(options.check_gradient, std::ssize(w)),
                      .seed = options.seed});
  if (check.error > kWrong) {
    throw InputError("gradient",
                     fmt::format("at weight {} it is {:.6g}, differences of the objective say {:.6g}",
                                 check.coordinate, check.claimed, check.numeric),
                     "a task cost must depend on the answers alone");
  }
  return check.error;
}

// Auto may have gone on from the dual.
Solver solver_of(const TrainState& from, const TrainSummary& summary) {
  const bool lbfgs = std::holds_alternative<LbfgsState>(from.learner);
  const bool dual = std::holds_alternative<ExponentiatedGradientState>(from.learner);
  const bool minibatches = std::holds_alternative<MinibatchState>(from.learner);
  const bool expects_minibatches = summary.used == Solver::Adagrad || summary.used == Solver::Adam;
  const bool expects_lbfgs = summary.used == Solver::Lbfgs;
  const bool expects_dual = summary.used == Solver::ExponentiatedGradient;
  if (lbfgs && expects_dual && summary.requested == Solver::Auto) return Solver::Lbfgs;
  if (lbfgs == expects_lbfgs && dual == expects_dual && minibatches == expects_minibatches)
    return summary.used;
  throw InputError("state.learner", "it is another solver's", "go on with the solver it was taken from");
}

// What the solvers share of a training that goes on.
void take_up(const TrainState& from, const std::string& now, DevelopmentWatch& watch, Clock& clock,
             TrainSummary& summary) {
  require_same(from.fingerprint, now);
  watch.restore(from.watch);
  clock.seconds_before = from.seconds, clock.cpu_seconds_before = from.cpu_seconds;
  summary.iterations = from.iterations, summary.evaluations = from.evaluations;
  summary.objective = from.objective, summary.dual = from.dual, summary.stopped = from.stopped;
  summary.used = solver_of(from, summary);
}

}  // namespace

TrainSummary train_model(Model& model, const Dataset& data, const DevelopmentSet* development,
                         const TrainOptions& given, const TrainCallback& callback) {
  validate(given);
  TrainSummary summary;
  Clock clock;
  check_labels(model, data);
  check_weights(model, data);
  TrainOptions options = given;
  options.loss = completed(given.loss, model, data);
  choose_features(model, data, options);
  if (!is_convex(options.loss) && !options.init) warm_up(model, data, options);
  if (options.check_gradient > 0) summary.gradient_error = gradient_error(model, data, options);
  summary.requested = options.solver, summary.used = choose_solver(model, data, options);
  DevelopmentWatch watch(model, development, options);
  const std::string now = fingerprint(model, data, development, options);
  if (options.resume && is_margin_solver(summary.used))
    throw OptionError("resume", std::string(name(summary.used)) + " keeps no checkpoints", "leave it out");
  if (options.resume) take_up(*options.resume, now, watch, clock, summary);
  const Run run{model, data, options, callback, watch, clock, now, summary};
  if (summary.used == Solver::Averaged || summary.used == Solver::PassiveAggressive) {
    run_online(run);
  } else if (summary.used == Solver::ExponentiatedGradient) {
    run_exponentiated_gradient(run);
  } else if (summary.used == Solver::Adagrad || summary.used == Solver::Adam) {
    run_minibatches(run);
  } else if (is_margin_solver(summary.used)) {
    run_margin(run);
  } else {
    run_lbfgs(run);
  }
  if (watch.active()) model.weights = watch.state().best_weights;
  summary.dev_f1 = watch.state().best_f1;
  summary.best_iteration = watch.active() ? watch.state().best_iteration : summary.iterations;
  summary.sequences = data.size(), summary.positions = data.positions();
  summary.features = model.features(), summary.attributes = static_cast<Index>(model.attributes.size());
  summary.labels = static_cast<Index>(model.labels.size());
  summary.seconds = clock.seconds(), summary.cpu_seconds = clock.cpu_seconds();
  return summary;
}

}  // namespace thalweg
