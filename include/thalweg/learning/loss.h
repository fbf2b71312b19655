/// @file
/// Losses: functionals of a structure's energies and the right answer,
///
///     L(E, y) with its derivative dL / dE(part) for every part of the structure.
///
/// Here stand their names and options; learning/evaluate.h evaluates them. A loss knows nothing of where
/// energies come from. Notation: E = energy of the right answer; Ebar = that of the most offending incorrect
/// answer, +infinity where there is none (the formulas hold then as they stand); E(y') of any answer;
/// Delta(y') >= 0 its task cost; F = -(1/beta) log sum_y' exp(-beta E(y')); p(y') = exp(beta (F - E(y'))).
/// Where the right answer leaves something open, E is the minimum over what it allows for margin losses and
/// the free energy over it for the likelihood family. LeCun et al. 2006, "A tutorial on energy-based
/// learning", has the first table of these.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/learning/label_noise.h"
#include "thalweg/learning/task_cost.h"

namespace thalweg {

// --- The likelihood family.

/// E - F, the negative log-likelihood over beta (maximum mutual information). Convex in the energies, margin
/// > 0.
struct LikelihoodLoss {
  double beta = 1;
};

/// 1 - p(right answer), the expected error of drawing answers (minimum empirical error). Not convex.
struct MeeLoss {
  double beta = 1;
};

/// E + (1/beta) log sum_y' exp(beta (Delta(y') - E(y'))) (Gimpel and Smith 2010). Convex; never below the
/// structured hinge, which it tends to as beta grows.
struct SoftmaxMarginLoss {
  double beta = 1;
  TaskCost cost = HammingCost{};
};

// --- Margin losses.

/// E. Pushes nothing up, so it is unbounded below on a chain without a regulariser, and it collapses where
/// both sides of a distance are learnt.
struct EnergyLoss {};

/// E - min_y' E(y') (LeCun et al. 1998; Collins 2002). Convex, margin 0; 0 exactly where the answer is a
/// lowest one.
struct PerceptronLoss {};

/// max(0, margin + E - Ebar), the generalised hinge (Altun et al. 2003). Convex.
struct HingeLoss {
  double margin = 1;
};

/// log(1 + exp(E - Ebar)). Convex, margin > 0.
struct LogLoss {};

/// min(ceiling, max(0, E - Ebar)) (Kohonen 1995). Margin 0; the ceiling forgives outliers.
struct Lvq2Loss {
  double ceiling = 1;
};

/// 1 / (1 + exp(-(E - Ebar))), a smoothed count of errors (Juang et al. 1997). Not convex.
struct MceLoss {};

/// E^2 + max(0, margin - Ebar)^2, of energies that are never below 0: then the right answer is drawn to 0 and
/// the offending one past the margin. Energies of a linear model have any sign, and their squares would pull
/// low ones *up*; they are refused unless an `offset` is stated, which is added to E and Ebar, so that right
/// answers are drawn to -offset.
struct SquareSquareLoss {
  double margin = 1;
  std::optional<double> offset = {};
};

/// E^2 + gamma exp(-Ebar), with the offset of SquareSquareLoss.
struct SquareExponentialLoss {
  double gamma = 1;
  std::optional<double> offset = {};
};

// --- Losses with a task cost. The right answer is among the y', at Delta = 0.

/// max_y' [Delta(y') - E(y')] + E, the structured hinge by margin rescaling (Taskar et al. 2003). Convex.
struct StructuredHingeLoss {
  TaskCost cost = HammingCost{};
};

/// max_y' Delta(y') (1 + E - E(y')), by slack rescaling (Tsochantaridis et al. 2005). Convex. On chains the
/// cost must be `hamming` or `hamming-mean`.
struct SlackHingeLoss {
  TaskCost cost = HammingCost{};
};

/// max_y' [Delta(y') - E(y')] - max_y' [-E(y')] (Chapelle et al. 2008): DirectLoss at epsilon 1. Not convex.
struct RampLoss {
  TaskCost cost = HammingCost{};
};

/// (1/epsilon) [min_y' E(y') - min_y' (E(y') - epsilon Delta(y'))] (McAllester et al. 2010), whose gradient
/// tends to that of the expected task cost. Not convex.
struct DirectLoss {
  double epsilon = 1;
  TaskCost cost = HammingCost{};
};

// --- Fenchel-Young.

/// max_p [<-E, p> - Omega(p)] + E + Omega(right), Omega half the squared norm of the unary marginals
/// (SparseMAP; Niculae et al. 2018, Blondel et al. 2020). Omega = 0 would be the perceptron, entropy / beta
/// the likelihood. Convex, smooth in unary energies; 0 where the answer is the lowest by a margin of the
/// Hamming distance.
struct SparseMapLoss {
  double gap = 1e-6;  ///< of the inner minimisation: the value is low by at most that
};

// --- Losses that look around the right answer, or draw others. Those need a whole answer.

/// E - E(y^k), y^k being the right answer after k = `steps` steps of Gibbs sampling, each of T updates at
/// random positions (Hinton 2002). The update is not the gradient of this value but an estimate of the
/// likelihood's, biased by what k steps leave of the right answer. `persistent`: the steps go on from where
/// the last update of this sequence ended (Tieleman 2008), in Operations::chains.
struct ContrastiveDivergence {
  Index steps = 1;
  double beta = 1;
  bool persistent = false;
  std::uint64_t seed = 1;
};

/// -(1/beta) sum_t log p(y_t | the rest of y) (Besag 1975). Convex.
struct PseudoLikelihoodLoss {
  double beta = 1;
};

/// sum over y' that differ from y at one position of exp(beta (E - E(y')) / 2) (Sohl-Dickstein et al. 2011).
/// Convex.
struct MinimumProbabilityFlowLoss {
  double beta = 1;
};

/// sum over the same y' of sigma(beta (E - E(y')))^2, sigma(x) = 1 / (1 + exp(-x)) (Hyvarinen 2007). Not
/// convex.
struct RatioMatchingLoss {
  double beta = 1;
};

/// -(1/beta) log softmax over {y, y^1 ... y^M} of (-beta E(.) - log q(.)), at y, for M = `samples` answers
/// drawn from `noise` q (Ma and Collins 2018). Convex for given samples.
struct RankingNoiseLoss {
  Index samples = 8;
  double beta = 1;
  LabelNoise noise = {};
  std::uint64_t seed = 1;
};

using Loss =
    std::variant<LikelihoodLoss, PerceptronLoss, EnergyLoss, HingeLoss, LogLoss, Lvq2Loss, MceLoss,
                 SquareSquareLoss, SquareExponentialLoss, MeeLoss, StructuredHingeLoss, SlackHingeLoss,
                 SoftmaxMarginLoss, RampLoss, DirectLoss, SparseMapLoss, ContrastiveDivergence,
                 PseudoLikelihoodLoss, MinimumProbabilityFlowLoss, RatioMatchingLoss, RankingNoiseLoss>;

/// `likelihood`, `perceptron`, `hinge` ...
THALWEG_EXPORT std::string_view name(const Loss& loss);
/// All of them, `persistent-contrastive-divergence` among them.
THALWEG_EXPORT std::vector<std::string_view> loss_names();
/// The loss of that name, with its defaults.
/// @throws OptionError with all names
THALWEG_EXPORT Loss loss_named(std::string_view name);

/// @throws OptionError with the field, its value and the constraint
THALWEG_EXPORT void validate(const Loss& loss);

/// The inverse temperature at which the loss sums over all answers; none where it does not.
THALWEG_EXPORT std::optional<double> beta_of_sums(const Loss& loss);
/// Whether the value has a continuous derivative, which is what the gradient is, so that L-BFGS may follow
/// it.
THALWEG_EXPORT bool is_smooth(const Loss& loss);
/// Whether what is called its gradient is a drawn update, and not the derivative of its value.
THALWEG_EXPORT bool is_drawn(const Loss& loss);
/// Whether it is convex in the energies while the right answer is known.
THALWEG_EXPORT bool is_convex(const Loss& loss);
/// The operation of a structure that the loss asks for, for errors.
THALWEG_EXPORT std::string_view operation_of(const Loss& loss);
/// The task cost in it, or null.
THALWEG_EXPORT const TaskCost* cost_of(const Loss& loss);

}  // namespace thalweg
