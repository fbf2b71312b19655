#include "learning/solver_runs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "learning/state_checks.h"
#include "thalweg/learning/batch_objective.h"
#include "thalweg/learning/chain_margins.h"
#include "thalweg/learning/class_weights.h"
#include "thalweg/learning/exponentiated_gradient.h"
#include "thalweg/learning/margin_solver.h"
#include "thalweg/learning/minibatch_learner.h"
#include "thalweg/learning/online_learner.h"
#include "thalweg/optimization/lbfgs.h"

namespace thalweg {
namespace {

// Passes over the dual after which the problem is so nearly unregularised that L-BFGS gets on faster.
constexpr Index kDualPasses = 60;
constexpr double kDualGap = 1e-5, kMarginGap = 1e-3;
constexpr Index kOnlinePasses = 10, kMinibatchPasses = 30;

Index count_nonzeros(std::span<const double> w) {
  return static_cast<Index>(std::count_if(w.begin(), w.end(), [](double x) { return x != 0; }));
}

LbfgsOptions settings_of(const TrainOptions& options) {
  LbfgsOptions settings;
  // Float tables of exponentials, shared by all positions, round coherently: up to 1e-7 an occurrence of a
  // label pair.
  settings.objective_noise = 1e-6;
  settings.c1 = options.c1, settings.threads = options.threads, settings.memory = options.memory;
  if (options.iterations > 0) settings.max_iterations = options.iterations;
  return settings;
}

void begin(const Run& run, Lbfgs& lbfgs) {
  const TrainState* const from = run.options.resume;
  if (!from || !std::holds_alternative<LbfgsState>(from->learner)) return lbfgs.start(run.model.weights);
  const LbfgsState& kept = std::get<LbfgsState>(from->learner);
  require_size("state.x", kept.x.size(), static_cast<Index>(run.model.weights.size()));
  lbfgs.restore(kept);
}

// Exponentiated gradient with its certificate. The primal costs half a pass, so it is evaluated only when the
// rise of the dual lets the gap be small enough.
class DualClimb {
 public:
  explicit DualClimb(const Run& run)
      : run_(run),
        attributes_(fold(run.data.attributes, run.model.attributes, run.model.featurizer.templates())),
        chain_(run.model, &attributes_),
        learner_(run.model, run.data, std::get<LikelihoodLoss>(run.options.loss), run.options.c2,
                 run.options.seed) {
    chain_.raise(class_handicaps(run.data, std::get<LikelihoodLoss>(run.options.loss).beta));
  }

  void pass(Index pass, bool last) {
    const double rise = learner_.pass(),
                 tolerance = run_.options.gap.value_or(kDualGap) * std::abs(learner_.dual());
    TrainProgress progress;
    progress.iteration = progress.evaluations = run_.summary.iterations = run_.summary.evaluations = pass;
    progress.objective = std::numeric_limits<double>::quiet_NaN(), progress.dual = learner_.dual();
    progress.active = static_cast<Index>(run_.model.weights.size());
    certified_ = last || gap_by_rise_ * rise <= tolerance;
    if (certified_) {
      const double gap = certify();
      progress.objective = run_.summary.objective, progress.dual = run_.summary.dual;
      if (rise > 0) gap_by_rise_ = gap / rise;
      if (gap <= tolerance) run_.summary.stopped = "the gap to the optimum is small enough";
    } else {
      learner_.weights(run_.model.weights);
    }
    run_.report(progress, run_.model.weights, [&](TrainState& state) {
      state.learner = learner_.state(), state.gap_by_rise = gap_by_rise_;
    });
  }

  void resume(const TrainState& state) {
    learner_.restore(std::get<ExponentiatedGradientState>(state.learner));
    gap_by_rise_ = state.gap_by_rise;
  }

  void finish() {
    if (!certified_) certify();
  }

 private:
  double certify() {
    const int threads = run_.options.threads;
    learner_.refresh(chain_, run_.model.weights, threads);
    chain_.assign(run_.model.weights, threads);
    run_.summary.objective = learner_.primal(chain_, threads), run_.summary.dual = learner_.dual();
    return run_.summary.objective - run_.summary.dual;
  }

  const Run& run_;
  const FoldedAttributes attributes_;
  LinearChain chain_;  // over all of the data
  ExponentiatedGradient learner_;
  double gap_by_rise_ = 2;  // at the last evaluation; it changes slowly
  bool certified_ = false;
};

}  // namespace

void Run::report(TrainProgress& progress, std::span<const double> weights,
                 const std::function<void(TrainState&)>& keep) const {
  progress.seconds = clock.seconds(), progress.weights = weights;
  if (!watch.look(weights, progress)) summary.stopped = "nothing better on the development set";
  if (keep) progress.state = [&] { return state(keep); };
  if (callback && !callback(progress)) summary.stopped = "asked to";
}

TrainState Run::state(const std::function<void(TrainState&)>& keep) const {
  TrainState state;
  state.fingerprint = fingerprint;
  state.iterations = summary.iterations, state.evaluations = summary.evaluations;
  state.objective = summary.objective, state.dual = summary.dual;
  state.stopped = summary.stopped;
  state.seconds = clock.seconds(), state.cpu_seconds = clock.cpu_seconds();
  state.watch = watch.state();
  keep(state);
  return state;
}

void run_lbfgs(const Run& run) {
  TrainSummary& summary = run.summary;
  summary.used = Solver::Lbfgs;
  const FoldedAttributes attributes =
      fold(run.data.attributes, run.model.attributes, run.model.featurizer.templates());
  LinearChain chain(run.model, &attributes);
  const auto* const likelihood = std::get_if<LikelihoodLoss>(&run.options.loss);
  chain.raise(class_handicaps(run.data, likelihood ? likelihood->beta : 1));
  BatchObjective objective(chain, run.data, run.options.loss, run.options.c2, run.options.threads);
  const LbfgsOptions settings = settings_of(run.options);
  Forecast forecast(settings.period, settings.delta);
  Lbfgs lbfgs(settings);
  begin(run, lbfgs);
  const LbfgsState& state = lbfgs.state();
  const Index before = summary.iterations - state.iterations;  // passes over the dual
  bool more = true;
  while (more && summary.stopped.empty()) {
    const Index made = state.iterations;
    more = lbfgs.step(std::ref(objective));
    summary.iterations = before + state.iterations, summary.evaluations = before + state.evaluations;
    summary.objective = state.objective, summary.gradient_norm = state.gradient_norm;
    if (state.iterations == made) break;
    TrainProgress progress;
    progress.iteration = summary.iterations, progress.evaluations = summary.evaluations;
    progress.objective = state.objective, progress.gradient_norm = state.gradient_norm;
    progress.active = state.nonzeros;
    progress.remaining = forecast.remaining(state.objective, run.clock.seconds_here());
    run.report(progress, state.x, [&](TrainState& kept) { kept.learner = state; });
  }
  summary.objective = state.objective, summary.gradient_norm = state.gradient_norm;
  if (summary.stopped.empty()) summary.stopped = describe(state.stop);
  run.model.weights = state.x;
}

void run_exponentiated_gradient(const Run& run) {
  const TrainOptions& options = run.options;
  {
    DualClimb climb(run);
    if (options.resume) climb.resume(*options.resume);
    const Index passes = options.iterations > 0 ? options.iterations : kDualPasses;
    for (Index pass = run.summary.iterations + 1; pass <= passes && run.summary.stopped.empty(); ++pass)
      climb.pass(pass, pass == passes);
    climb.finish();
  }
  if (!run.summary.stopped.empty()) return;
  if (options.solver == Solver::Auto && options.iterations == 0) return run_lbfgs(run);
  run.summary.stopped = "all passes made";
}

void run_online(const Run& run) {
  TrainSummary& summary = run.summary;
  std::vector<double>& weights = run.model.weights;
  OnlineLearner learner(run.model, run.data,
                        {.passive_aggressive = summary.used == Solver::PassiveAggressive,
                         .aggressiveness = run.options.aggressiveness,
                         .seed = run.options.seed});
  if (run.options.resume) {
    learner.restore(std::get<OnlineState>(run.options.resume->learner));
    weights = learner.average();
  }
  const Index passes = run.options.iterations > 0 ? run.options.iterations : kOnlinePasses;
  for (Index pass = summary.iterations + 1; pass <= passes && summary.stopped.empty(); ++pass) {
    const Index wrong = learner.pass();
    weights = learner.average();
    TrainProgress progress;
    progress.iteration = progress.evaluations = summary.iterations = summary.evaluations = pass;
    progress.objective = summary.objective = static_cast<double>(wrong);
    progress.active = count_nonzeros(weights);
    progress.remaining = run.clock.seconds() * static_cast<double>(passes - pass) / static_cast<double>(pass);
    if (wrong == 0) summary.stopped = "no mistake in a pass";
    run.report(progress, weights, [&](TrainState& state) { state.learner = learner.state(); });
  }
  if (summary.stopped.empty()) summary.stopped = "all passes made";
}

namespace {

double regularisers(std::span<const double> w, const TrainOptions& options) {
  double squares = 0, sizes = 0;
  for (double x : w) squares += x * x, sizes += std::abs(x);
  return options.c2 * squares + options.c1 * sizes;
}

MinibatchOptions minibatches_of(const TrainOptions& o, Solver used) {
  const bool adam = used == Solver::Adam;
  return {.method = adam ? AdaptiveMethod::Adam : AdaptiveMethod::Adagrad,
          .rate = o.rate > 0 ? o.rate : (adam ? TrainOptions::kAdamRate : TrainOptions::kAdagradRate),
          .c2 = o.c2,
          .c1 = o.c1,
          .batch = o.batch,
          .threads = o.threads,
          .seed = o.seed};
}

}  // namespace

void run_minibatches(const Run& run) {
  TrainSummary& summary = run.summary;
  const TrainOptions& options = run.options;
  MinibatchLearner learner(run.model, run.data, options.loss, minibatches_of(options, summary.used));
  if (options.resume) learner.restore(std::get<MinibatchState>(options.resume->learner));
  const Index passes = options.iterations > 0 ? options.iterations : kMinibatchPasses;
  for (Index pass = summary.iterations + 1; pass <= passes && summary.stopped.empty(); ++pass) {
    // The losses that the batches of the pass met, and the regularisers at its end.
    const double met = learner.pass();
    TrainProgress progress;
    progress.iteration = progress.evaluations = summary.iterations = summary.evaluations = pass;
    progress.objective = summary.objective = met + regularisers(learner.weights(), options);
    progress.active = count_nonzeros(learner.weights());
    progress.remaining = run.clock.seconds() * static_cast<double>(passes - pass) / static_cast<double>(pass);
    run.report(progress, learner.weights(), [&](TrainState& state) { state.learner = learner.state(); });
  }
  run.model.weights.assign(learner.weights().begin(), learner.weights().end());
  if (summary.stopped.empty()) summary.stopped = "all passes made";
}

namespace {

MarginOptions margin_options(const Run& run, double total_weight) {
  const TrainOptions& o = run.options;
  MarginOptions m{.lambda = 2 * o.c2 / total_weight,
                  .gap = o.gap.value_or(kMarginGap),
                  .certify_each_pass = true,
                  .threads = o.threads,
                  .seed = o.seed};
  if (run.summary.used == Solver::CuttingPlane) m.method = CuttingPlane{};
  if (run.summary.used == Solver::Subgradient) m.method = SubgradientDescent{};
  if (o.iterations > 0) m.passes = o.iterations;
  return m;
}

const char* describe(MarginSummary::Stop stop) {
  return stop == MarginSummary::Stop::Gap ? "the gap to the optimum is small enough" : "all passes made";
}

}  // namespace

void run_margin(const Run& run) {
  TrainSummary& summary = run.summary;
  const auto& loss = std::get<StructuredHingeLoss>(run.options.loss);
  const ChainMargins<float> problem(run.model, run.data, loss.cost);
  double total = 0;  // by which the mean of the solver becomes the sum of the objective
  for (Index n = 0; n < run.data.size(); ++n) total += run.data.weight(n);
  const MarginOptions options = margin_options(run, total);
  const MarginSummary found = minimize_margin_loss(problem, options, [&](const MarginProgress& pass) {
    TrainProgress progress;
    progress.iteration = progress.evaluations = summary.iterations = summary.evaluations = pass.pass;
    progress.objective = summary.objective = total * pass.primal;
    progress.dual = summary.dual = total * pass.dual;
    progress.active = count_nonzeros(pass.weights);
    run.report(progress, pass.weights, {});
    return summary.stopped.empty();
  });
  run.model.weights = found.weights;
  summary.objective = total * found.primal, summary.dual = total * found.dual;
  if (summary.stopped.empty()) summary.stopped = describe(found.stopped);
}

}  // namespace thalweg
