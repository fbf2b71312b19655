/// @file
/// Trainers for the linear chain:
///
///     min_w  sum_n weight_n L(E(x_n, .; w), y_n) + c2 |w|^2 + c1 |w|_1
///
/// with weights 1 where the data have no others (Dataset::weights; 2 is as good as a second copy), and L the
/// likelihood, exactly and to convergence; or the averaged perceptron, which takes a few passes and no
/// regulariser.
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>

#include "thalweg/core/export.h"
#include "thalweg/corpus/vocabulary.h"
#include "thalweg/features/dataset.h"
#include "thalweg/learning/loss.h"
#include "thalweg/learning/train_state.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

enum class Solver {
  /// For the likelihood ExponentiatedGradient where it can; BlockFrankWolfe for the structured hinge where it
  /// can; Averaged for the perceptron; else Lbfgs for smooth losses, and Adagrad.
  Auto,
  /// The dual, one sequence at a time (learning/exponentiated_gradient.h): a tenth of the passes, and a
  /// certified gap. Needs c2 > 0, c1 = 0, no `init`, no open answers and no
  /// transitions that depend on the input.
  ExponentiatedGradient,
  Lbfgs,              ///< L-BFGS; OWL-QN where c1 > 0
  Averaged,           ///< averaged perceptron, one sequence at a time (learning/online_learner.h)
  PassiveAggressive,  ///< the same with steps just long enough for a margin
  Adagrad,  ///< stochastic steps, some sequences at a time, for any loss (learning/minibatch_learner.h)
  Adam,     ///< the same with running means of the gradient
  /// The dual of the structured hinge, with a certificate (learning/margin_solver.h): pairwise steps of
  /// block-coordinate Frank-Wolfe, one-slack cutting planes, stochastic subgradient steps. These need c2 > 0,
  /// c1 = 0, no `init`, no open answers, and a chain of first order without pairs, vectors or constraints.
  BlockFrankWolfe,
  CuttingPlane,
  Subgradient,
};

struct TrainOptions {
  /// One that is not convex starts from kFirstPasses of Adagrad on the likelihood, with the same
  /// regularisers, where there is no `init`: at weights of 0 it may be flat.
  Loss loss = LikelihoodLoss{};
  static constexpr Index kFirstPasses = 5;
  Solver solver = Solver::Auto;
  /// Weight of |w|^2, >= 0. 1 suits a few thousand sentences; less data or better features want 0.1 to 10.
  double c2 = 1;
  /// Weight of |w|_1, >= 0. Above 0 most weights are exactly 0 and the model is small.
  double c1 = 0;
  /// Stop when the objective is certified to be so near its optimum, >= 0; for solvers with a dual. For
  /// ExponentiatedGradient a share of the optimum, 1e-5 where nothing is said; for margin solvers absolute,
  /// of the objective over the number of sequences, and 1e-3.
  std::optional<double> gap = {};
  /// Bound on iterations (passes for online solvers), >= 1; 0 takes the solver's own: 1000 for Lbfgs, 60 for
  /// ExponentiatedGradient (after which Auto goes on with Lbfgs), 10 for the perceptron's two, 30 for Adagrad
  /// and Adam, 1000 for margin solvers.
  Index iterations = 0;
  /// C of passive-aggressive steps, > 0.
  double aggressiveness = 1;
  /// Sequences a step of Adagrad and Adam, >= 1.
  Index batch = 64;
  /// Of their steps (optimization/adaptive_steps.h); 0 takes kAdagradRate or kAdamRate.
  double rate = 0;
  static constexpr double kAdagradRate = 0.2, kAdamRate = 0.02;
  /// Every pair of attribute and label gets a weight, not only the pairs seen. A little better, several times
  /// larger.
  bool all_features = false;
  /// How many labels back a transition looks, 1 to kMostOrder; 2 is a chain of second order. Each string of
  /// labels seen before a label gets a weight (model/label_contexts.h). Lbfgs and the perceptron's two take
  /// more than 1.
  Index order = 1;
  static constexpr Index kMostOrder = 8;
  /// With a development set: stop when this many iterations brought nothing better, and keep the best. >= 1
  Index patience = 20;
  /// Curvature pairs of L-BFGS, >= 1.
  Index memory = 6;
  /// Before training, compares the gradient with differences of the objective at so many weights, >= 0; a
  /// disagreement is an error. For losses of your own (CustomCost), and for doubts. Losses that draw have no
  /// such gradient.
  Index check_gradient = 0;
  int threads = 1;
  /// Order of sequences for the online solvers.
  std::uint64_t seed = 1;
  /// Weights of this model are where training starts, for attributes and labels of the same names.
  const Model* init = nullptr;
  /// Goes on from here, with the bits of the run it was taken from, instead of starting. Everything but
  /// `threads` must be as it was there.
  const TrainState* resume = nullptr;
};

/// A labelled set to watch while training. Its labels have a vocabulary of their own that begins with the
/// model's, so that labels the model does not know have names and count as errors.
struct DevelopmentSet {
  Dataset data;
  Vocabulary labels;
};

/// How well a model labels a set, in percent.
struct LabellingScore {
  double f1 = 0, accuracy = 0;
  bool spans = false;  ///< whether there are any in the right labels
  /// What a choice goes by: without spans there is accuracy alone.
  double quality() const { return spans ? f1 : accuracy; }
};
/// O(one pass over the set). The bits do not depend on `threads`.
THALWEG_EXPORT LabellingScore score(const Model& model, const DevelopmentSet& set, int threads = 1);

/// One iteration, for people to watch.
struct TrainProgress {
  Index iteration = 0, evaluations = 0;
  /// With its regularisers; the perceptron's: mistakes over the pass. NaN where the pass did not evaluate it.
  double objective = 0;
  double dual =
      std::numeric_limits<double>::quiet_NaN();  ///< a lower bound of the optimum, from solvers with a dual
  double gradient_norm = 0;                      ///< 0 for the perceptron
  double seconds = 0;                            ///< since training began
  double remaining = -1;                         ///< estimate, seconds; negative: none yet
  Index active = 0;                              ///< weights that are not 0
  double dev_f1 = -1, dev_accuracy = -1;         ///< percent; negative without a development set
  std::span<const double> weights{};             ///< [D] as they are now; valid within the callback
  /// A copy of all that the iterations to come depend on, for TrainOptions::resume; to be called within the
  /// callback. Empty for margin solvers, which cannot go on.
  std::function<TrainState()> state;
};
/// Returns false to stop; the model is then that of the last iteration (or the best on the development set).
using TrainCallback = std::function<bool(const TrainProgress&)>;

struct TrainSummary {
  Solver requested = Solver::Auto, used = Solver::Auto;
  double objective = 0, gradient_norm = 0;
  double dual = std::numeric_limits<double>::quiet_NaN();  ///< objective - dual bounds what is left to gain
  Index iterations = 0, evaluations = 0;
  Index sequences = 0, positions = 0, features = 0, attributes = 0, labels = 0;
  double seconds = 0, cpu_seconds = 0;
  double gradient_error = 0;  ///< relative, the largest that TrainOptions::check_gradient found
  double dev_f1 = -1;
  Index best_iteration = 0;  ///< whose weights were kept
  std::string stopped;       ///< why, for people
};

/// Chooses features over the attributes and labels of `model`, which numbered `data`, and sets the weights.
/// @pre sort_by_use has numbered the attributes
/// @throws OptionError for values out of range or that do not go together, or a state to go on from that is
/// of another training, naming what differs; InputError when there is nothing to learn: no token, or one
/// label only; a weight is not finite and above 0; or when an answer breaks the model's constraints.
THALWEG_EXPORT TrainSummary train_model(Model& model, const Dataset& data, const DevelopmentSet* development,
                                        const TrainOptions& options, const TrainCallback& callback = {});

THALWEG_EXPORT const char* name(Solver solver);

}  // namespace thalweg
