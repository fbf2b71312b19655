#include "thalweg/learning/train.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <numeric>

#include "thalweg/core/error.h"
#include "thalweg/core/parallel.h"
#include "thalweg/evaluation/score.h"
#include "thalweg/learning/batch_objective.h"
#include "thalweg/learning/exponentiated_gradient.h"
#include "thalweg/learning/online_learner.h"
#include "thalweg/optimization/lbfgs.h"

namespace thalweg {
namespace {

void require(bool holds, const char* option, double value, const char* constraint, const char* mend) {
  if (holds) return;
  std::string shown = std::to_string(value);
  shown.erase(shown.find_last_not_of('0') + 1);
  if (shown.back() == '.') shown.pop_back();
  throw OptionError(option, "is " + shown + ", must be " + constraint, mend);
}

// Whether the likelihood has a dual that fits into memory.
bool has_dual(const Model& model, const Dataset& data, const TrainOptions& o) {
  constexpr double kMostBytes = 4e9;
  return o.c2 > 0 && o.c1 == 0 && !o.init && model.pairs.features() == 0 && model.vector_columns == 0 &&
         ExponentiatedGradient::bytes(model, data) <= kMostBytes;
}

Solver choose(const Model& model, const Dataset& data, const TrainOptions& o) {
  const bool perceptron = std::holds_alternative<PerceptronLoss>(o.loss);
  if (o.solver == Solver::Auto) {
    if (perceptron) return Solver::Averaged;
    return has_dual(model, data, o) ? Solver::ExponentiatedGradient : Solver::Lbfgs;
  }
  const bool online = o.solver == Solver::Averaged || o.solver == Solver::PassiveAggressive;
  if (perceptron && !online) {
    throw OptionError("solver",
                      std::string(name(o.solver)) + " needs a smooth loss and the perceptron's has kinks",
                      "leave --solver out");
  }
  if (o.solver == Solver::ExponentiatedGradient && model.pairs.features() > 0) {
    throw OptionError("solver", "eg does not offer transitions that depend on the input", "use lbfgs");
  }
  if (o.solver == Solver::ExponentiatedGradient && model.vector_columns > 0)
    throw OptionError("solver", "eg does not offer vectors", "use lbfgs");
  if (o.solver == Solver::ExponentiatedGradient && (o.c1 > 0 || !(o.c2 > 0) || o.init)) {
    throw OptionError("solver", "the dual that eg climbs is there for c2 > 0, c1 = 0 and a start at 0 alone",
                      "use lbfgs");
  }
  if (!perceptron && online) {
    throw OptionError("solver", std::string(name(o.solver)) + " learns from mistakes, not from a likelihood",
                      "use --loss perceptron");
  }
  return o.solver;
}

void validate(const TrainOptions& o) {
  require(o.c2 >= 0 && std::isfinite(o.c2), "c2", o.c2, "finite and >= 0", "1 is the usual start");
  require(o.c1 >= 0 && std::isfinite(o.c1), "c1", o.c1, "finite and >= 0", "0 turns it off");
  require(o.gap >= 0 && std::isfinite(o.gap), "gap", o.gap, "finite and >= 0", "1e-5 is the default");
  require(o.aggressiveness > 0 && std::isfinite(o.aggressiveness), "aggressiveness", o.aggressiveness,
          "finite and > 0", "1 is the default");
  require(o.iterations >= 0, "iterations", static_cast<double>(o.iterations), ">= 0",
          "0 takes the solver's own");
  require(o.patience >= 1, "patience", static_cast<double>(o.patience), ">= 1", "20 is the default");
  require(o.memory >= 1, "memory", static_cast<double>(o.memory), ">= 1", "6 is the default");
  require(o.threads >= 1, "threads", o.threads, ">= 1", "1 is the default");
  if (const auto* likelihood = std::get_if<LikelihoodLoss>(&o.loss)) {
    require(likelihood->beta > 0 && std::isfinite(likelihood->beta), "beta", likelihood->beta,
            "finite and > 0", "1 is the plain likelihood");
  } else if (o.c1 > 0) {
    throw OptionError("c1", "the perceptron has no regulariser", "leave it out");
  }
}

double weight_of(const FeatureIndex& index, std::uint32_t row, Label label, std::span<const double> weights) {
  if (row == Vocabulary::kUnknown) return 0;
  const auto labels = index.row(row);
  const auto at = std::lower_bound(labels.begin(), labels.end(), label);
  return at == labels.end() || *at != label ? 0 : weights[index.offsets[row] + (at - labels.begin())];
}

// Weights of another model, found by the names of their attributes and labels.
std::vector<double> weights_from(const Model& init, const Model& model) {
  std::vector<double> weights;
  weights.reserve(static_cast<std::size_t>(model.features()));
  std::vector<Label> labels;  // of `init`, by ours
  for (Label l = 0; l < model.labels.size(); ++l) labels.push_back(init.labels.find(model.labels.name(l)));
  const std::span<const double> all(init.weights);
  for (Index a = 0; a < model.emissions.rows(); ++a) {
    const std::uint32_t row = init.attributes.find(model.attributes.name(static_cast<std::uint32_t>(a)));
    for (Label l : model.emissions.row(a)) weights.push_back(weight_of(init.emissions, row, labels[l], all));
  }
  for (Index i = 0; i < model.transitions.rows(); ++i) {
    for (Label l : model.transitions.row(i)) {
      weights.push_back(
          weight_of(init.transitions, labels[i], labels[l], all.subspan(init.emissions.features())));
    }
  }
  // Label pairs by ours, then a pair's attributes like a token's.
  const Index offset = init.emissions.features() + init.transitions.features();
  const Label K = static_cast<Label>(model.labels.size()), init_K = static_cast<Label>(init.labels.size());
  for (Index b = 0; b < model.pairs.rows(); ++b) {
    const auto row = init.pair_attributes.find(model.pair_attributes.name(static_cast<std::uint32_t>(b)));
    for (Label pair : model.pairs.row(b)) {
      const Label i = labels[pair / K], j = labels[pair % K];
      const bool known = i != kNoLabel && j != kNoLabel;
      weights.push_back(known ? weight_of(init.pairs, row, i * init_K + j, all.subspan(offset)) : 0);
    }
  }
  for (Index d = 0; d < model.vector_columns; ++d) {
    for (Label l : labels) {
      const bool known = d < init.vector_columns && l != kNoLabel;
      weights.push_back(known ? init.weights[init.first_vector_weight() + d * init_K + l] : 0);
    }
  }
  return weights;
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
  model.vector_columns = data.vector_columns;
  if (options.init) {
    model.weights = weights_from(*options.init, model);
  } else {
    model.weights.assign(static_cast<std::size_t>(model.features()), 0.0);
  }
}

// Scores the development set and remembers the best weights.
class Watch {
 public:
  Watch(const Model& model, const DevelopmentSet* set, const TrainOptions& options)
      : set_(set), patience_(options.patience), threads_(options.threads), chain_(model) {}

  /// False when there has been nothing better for too long.
  bool look(std::span<const double> weights, TrainProgress& progress) {
    if (!set_) return true;
    chain_.assign(weights);
    SpanScore spans;
    LabelScore tokens;
    score(spans, tokens);
    progress.dev_f1 = spans.overall().f1(), progress.dev_accuracy = tokens.accuracy();
    // Without spans there is accuracy to watch.
    const double quality = spans.overall().gold > 0 ? progress.dev_f1 : progress.dev_accuracy;
    if (quality > best_)
      best_ = quality, best_f1_ = progress.dev_f1, best_iteration_ = progress.iteration,
      best_weights_.assign(weights.begin(), weights.end());
    return progress.iteration - best_iteration_ < patience_;
  }
  bool active() const { return set_ != nullptr && best_iteration_ > 0; }
  double best_f1() const { return best_f1_; }
  Index best_iteration() const { return best_iteration_; }
  const std::vector<double>& best_weights() const { return best_weights_; }

 private:
  void score(SpanScore& spans, LabelScore& tokens) {
    const Dataset& data = set_->data;
    const Index K = chain_.labels();
    const bool shared = chain_.shares_pairwise();
    couplings_.resize(shared ? 1 : static_cast<std::size_t>(threads_));
    if (shared) couplings_[0].prepare_minima(chain_.pairwise(), K);
    predicted_.resize(static_cast<std::size_t>(data.positions()));
    minima_.resize(static_cast<std::size_t>(threads_)), energies_.resize(minima_.size());
    parallel_chunks(data.size(), 32, threads_, [&](Index begin, Index end, int slot) {
      const ChainBlock<float> chains = energies_[slot].of(chain_, data, begin, end);
      Couplings<float>& couplings = couplings_[shared ? 0 : slot];
      if (!shared) couplings.prepare_minima(chains.pairwise, K);
      for (Index n = begin; n < end; ++n) {
        const Chain<float> chain = chains[n - begin];
        minima_[slot].minimize(chain, couplings,
                               std::span(predicted_).subspan(data.sequences[n], chain.length()));
      }
    });
    std::vector<std::string_view> gold, guess;
    for (Index n = 0; n < data.size(); ++n) {
      gold.clear(), guess.clear();
      for (Index p = data.sequences[n]; p < data.sequences[n + 1]; ++p) {
        gold.push_back(set_->labels.name(data.labels[p]));
        guess.push_back(set_->labels.name(predicted_[p]));
      }
      spans.add(gold, guess), tokens.add(gold, guess);
    }
  }

  const DevelopmentSet* set_;
  Index patience_;
  int threads_;
  LinearChain chain_;
  std::vector<Couplings<float>> couplings_;  // shared, or by thread
  std::vector<MinSum<float>> minima_;
  std::vector<ChainEnergies> energies_;
  std::vector<Label> predicted_;
  double best_ = -1, best_f1_ = -1;
  Index best_iteration_ = 0;
  std::vector<double> best_weights_;
};

// Guesses when the relative improvement over a window, which falls about geometrically, will reach `delta`.
class Forecast {
 public:
  Forecast(Index window, double delta) : window_(window), delta_(delta) {}

  double remaining(double objective, double seconds) {
    objectives_.push_back(objective);
    const Index n = static_cast<Index>(objectives_.size());
    if (n <= 2 * window_) return -1;
    const double now = improvement(n - 1), before = improvement(n - 1 - window_);
    if (!(now > 0 && before > now)) return -1;
    const double iterations = static_cast<double>(window_) * std::log(now / delta_) / std::log(before / now);
    return std::max(0.0, iterations) * seconds / static_cast<double>(n);
  }

 private:
  double improvement(Index at) const {
    return (objectives_[at - window_] - objectives_[at]) / std::abs(objectives_[at]);
  }
  Index window_;
  double delta_;
  std::vector<double> objectives_;
};

struct Clock {
  std::chrono::steady_clock::time_point wall = std::chrono::steady_clock::now();
  std::clock_t cpu = std::clock();
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
  }
  double cpu_seconds() const { return static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC; }
};

// Passes over the dual after which the problem is so nearly unregularised that L-BFGS gets on faster.
constexpr Index kDualPasses = 60;

struct Run {
  Model& model;
  const Dataset& data;
  const TrainOptions& options;
  const TrainCallback& callback;
  Watch& watch;
  const Clock& clock;
  TrainSummary& summary;

  // Reports an iteration; says whether to go on, and if not, why.
  bool report(TrainProgress& progress, std::span<const double> weights) const {
    progress.seconds = clock.seconds();
    if (!watch.look(weights, progress)) {
      summary.stopped = "nothing better on the development set";
    }
    if (callback && !callback(progress)) summary.stopped = "asked to";
    return summary.stopped.empty();
  }

  // From the weights of the model, after whatever iterations have been made.
  void lbfgs() const {
    summary.used = Solver::Lbfgs;
    const Index before = summary.iterations;
    const FoldedAttributes attributes = fold(data.attributes, model.attributes, model.featurizer.templates());
    LinearChain chain(model, &attributes);
    BatchObjective objective(chain, data, options.loss, options.c2, options.threads);
    LbfgsOptions settings;
    // Float tables of exponentials, shared by all positions, round coherently: up to 1e-7 an occurrence of a
    // label pair.
    settings.objective_noise = 1e-6;
    settings.c1 = options.c1, settings.threads = options.threads, settings.memory = options.memory;
    if (options.iterations > 0) settings.max_iterations = options.iterations;
    Forecast forecast(settings.period, settings.delta);
    const LbfgsSummary done =
        minimize_lbfgs(std::ref(objective), model.weights, settings, [&](const LbfgsProgress& p) {
          TrainProgress progress;
          progress.iteration = before + p.iteration, progress.evaluations = before + p.evaluations;
          progress.objective = p.objective, progress.gradient_norm = p.gradient_norm,
          progress.active = p.nonzeros;
          progress.remaining = forecast.remaining(p.objective, clock.seconds());
          return report(progress, p.x);
        });
    summary.objective = done.objective, summary.gradient_norm = done.gradient_norm;
    summary.iterations = before + done.iterations, summary.evaluations = before + done.evaluations;
    if (summary.stopped.empty()) summary.stopped = describe(done.stop);
  }

  // Passes over the dual; the primal is evaluated when the dual's rise lets the gap be small enough.
  void exponentiated_gradient() const {
    const FoldedAttributes attributes = fold(data.attributes, model.attributes, model.featurizer.templates());
    LinearChain chain(model, &attributes);
    const auto likelihood = std::get<LikelihoodLoss>(options.loss);
    ExponentiatedGradient learner(model, data, likelihood, options.c2, options.seed);
    const auto certify = [&] {
      learner.refresh(chain, model.weights, options.threads);
      chain.assign(model.weights, options.threads);
      summary.objective = learner.primal(chain, options.threads), summary.dual = learner.dual();
      return summary.objective - summary.dual;
    };
    const Index passes = options.iterations > 0 ? options.iterations : kDualPasses;
    double gap_by_rise = 2;  // at the last evaluation; it changes slowly
    bool certified = false;
    for (Index pass = 1; pass <= passes && summary.stopped.empty(); ++pass) {
      const double rise = learner.pass(), tolerance = options.gap * std::abs(learner.dual());
      TrainProgress progress;
      progress.iteration = progress.evaluations = summary.iterations = summary.evaluations = pass;
      progress.objective = std::numeric_limits<double>::quiet_NaN(), progress.dual = learner.dual();
      progress.active = static_cast<Index>(model.weights.size());
      certified = pass == passes || gap_by_rise * rise <= tolerance;
      if (certified) {
        const double gap = certify();
        progress.objective = summary.objective, progress.dual = summary.dual;
        if (rise > 0) gap_by_rise = gap / rise;
        if (gap <= tolerance) summary.stopped = "the gap to the optimum is small enough";
      } else {
        learner.weights(model.weights);
      }
      report(progress, model.weights);
    }
    if (!certified) certify();
    if (!summary.stopped.empty()) return;
    if (options.solver == Solver::Auto && options.iterations == 0) return lbfgs();
    summary.stopped = "all passes made";
  }

  void online() const {
    OnlineLearner learner(model, data,
                          {.passive_aggressive = summary.used == Solver::PassiveAggressive,
                           .aggressiveness = options.aggressiveness,
                           .seed = options.seed});
    const Index passes = options.iterations > 0 ? options.iterations : 10;
    for (Index pass = 1; pass <= passes && summary.stopped.empty(); ++pass) {
      const Index wrong = learner.pass();
      model.weights = learner.average();
      TrainProgress progress;
      progress.iteration = progress.evaluations = pass;
      progress.objective = static_cast<double>(wrong);
      progress.active = static_cast<Index>(
          std::count_if(model.weights.begin(), model.weights.end(), [](double w) { return w != 0; }));
      progress.remaining = clock.seconds() * static_cast<double>(passes - pass) / static_cast<double>(pass);
      summary.objective = progress.objective;
      summary.iterations = summary.evaluations = pass;
      report(progress, model.weights);
      if (wrong == 0 && summary.stopped.empty()) summary.stopped = "no mistake in a pass";
    }
    if (summary.stopped.empty()) summary.stopped = "all passes made";
  }
};

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

}  // namespace

const char* name(Solver solver) {
  switch (solver) {
    case Solver::ExponentiatedGradient:
      return "eg";
    case Solver::Lbfgs:
      return "lbfgs";
    case Solver::Averaged:
      return "averaged";
    case Solver::PassiveAggressive:
      return "pa";
    default:
      return "auto";
  }
}

TrainSummary train_model(Model& model, const Dataset& data, const DevelopmentSet* development,
                         const TrainOptions& options, const TrainCallback& callback) {
  validate(options);
  TrainSummary summary;
  const Clock clock;
  check_labels(model, data);
  choose_features(model, data, options);
  summary.requested = options.solver, summary.used = choose(model, data, options);
  Watch watch(model, development, options);
  const Run run{model, data, options, callback, watch, clock, summary};
  if (summary.used == Solver::Averaged || summary.used == Solver::PassiveAggressive) {
    run.online();
  } else if (summary.used == Solver::ExponentiatedGradient) {
    run.exponentiated_gradient();
  } else {
    run.lbfgs();
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
