/// @file
/// Structured support vector machines with certificates:
///
///     min_w P(w) = lambda/2 |w|^2 + sum_i c_i max_y [ Delta_i(y) - w . psi_i(y) ],     sum_i c_i = 1,
///
/// over the blocks of a MarginProblem (learning/margin_problem.h). Its dual has a distribution alpha_i over
/// the answers of each block,
///
///     max_alpha D(alpha) = sum_i c_i sum_y alpha_i(y) Delta_i(y) - lambda/2 |w(alpha)|^2,
///     w(alpha) = clip( 1/lambda sum_i c_i sum_y alpha_i(y) psi_i(y) ),
///
/// and D <= P everywhere, so that P(w) - D(alpha) bounds what is left to gain: a certificate. `clip` sets to
/// 0 what breaks a sign constraint, and does nothing without them.
///
///     const ChainMargins<float> problem(model, data, HammingMeanCost{});
///     const MarginSummary found = minimize_margin_loss(problem, {.lambda = 0.01, .gap = 1e-3});
///     // found.weights, found.primal, found.dual; found.stopped says whether the gap was reached
///
/// In the terms of the command line lambda is 2 c2 / n (for blocks of weight 1).
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <variant>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/learning/margin_problem.h"

namespace thalweg {

/// Block-coordinate Frank-Wolfe (Lacoste-Julien, Jaggi, Schmidt and Pletscher 2013): a visit to block i asks
/// for its most offending answer, and moves alpha_i within the answers that such visits have found. Sound for
/// any problem, and the fastest here.
struct BlockFrankWolfe {
  enum class Step {
    FrankWolfe,  ///< towards the best answer, from all others: the method of 2013
    Away,  ///< that, or away from the worst answer in use, whichever promises more (Guelat, Marcotte 1986)
    Pairwise,  ///< from the worst answer in use to the best (Lacoste-Julien and Jaggi 2015)
  };
  enum class Order {
    Permuted,  ///< each block once a pass, in a new order
    Uniform,   ///< n draws a pass
    Gaps,      ///< n draws a pass, by the gap that the last visit saw (Osokin et al. 2016)
  };
  Step step = Step::Pairwise;
  Order order = Order::Permuted;
  /// Steps over the answers of a block for one call of its oracle, >= 1. They need only the products of the
  /// block's answers, so that they cost next to nothing; FrankWolfe with 1 is the method of 2013.
  Index inner_steps = 10;
  /// Passes without the oracle, over the answers that are known, between two with it, >= 0. They visit the
  /// blocks of larger gaps. Slow oracles want more, up to 10.
  Index cached_passes = 2;
  /// After each pass a line search along the way since the pass before, in which blocks stop where a weight
  /// would go below 0 (parallel tangents: Shah, Buehler and Kempthorne 1964). It takes weak regularisation.
  bool accelerate = true;
  /// An answer of weight 0 is forgotten when it was not used for so many visits, >= 1.
  Index patience = 10;
  /// Blocks are dealt to so many lanes, >= 1, each of which runs on a copy of the weights for a while; their
  /// steps are then joined by a line search. The result depends on it, and not on the number of threads,
  /// which is no more than it.
  Index lanes = 2;
};

/// One-slack cutting planes (Joachims, Finley and Yu 2009): a pass gives one plane below the whole loss, and
/// the minimum over all planes so far is found. Few and simple passes; memory of D numbers a plane.
struct CuttingPlane {
  /// A plane of weight 0 is forgotten when it was not used for so many passes, >= 1.
  Index patience = 50;
};

/// Stochastic subgradient steps of size 1 / (lambda t) (Pegasos: Shalev-Shwartz et al. 2011), each block once
/// a pass, and the average of the iterates weighted by t. After k passes w is that of the dual point which
/// gives each of the k answers found for a block the weight 1/k: hence a certificate here, too.
struct SubgradientDescent {};

using MarginMethod = std::variant<BlockFrankWolfe, CuttingPlane, SubgradientDescent>;

/// One pass, for people to watch.
struct MarginProgress {
  Index pass = 0, oracle_calls = 0;
  /// P at the best weights so far; NaN where the pass has not measured it.
  double primal = std::numeric_limits<double>::quiet_NaN();
  double dual = 0;  ///< D, which never falls (but with SubgradientDescent)
  double gap = std::numeric_limits<double>::quiet_NaN();  ///< primal - the highest dual so far, certified
  /// What the visits of the pass suggest about the gap, from BlockFrankWolfe: no certificate.
  double gap_estimate = std::numeric_limits<double>::quiet_NaN();
  std::span<const double> weights{};  ///< those of the best primal, or none yet; valid within the callback
};
/// Returns false to stop.
using MarginCallback = std::function<bool(const MarginProgress&)>;

struct MarginOptions {
  /// > 0. Strong regularisation is easy, weak (1/n and below) takes many passes.
  double lambda = 0.01;
  MarginMethod method = BlockFrankWolfe{};
  /// Stop when P - D is certified to be no more, >= 0. It is absolute: a loss of task costs is at most the
  /// largest.
  double gap = 1e-3;
  /// Passes over the blocks at most, >= 1.
  Index passes = 1000;
  /// Measure the primal, a pass of the oracle, after each pass, and not only when it may be low enough.
  bool certify_each_pass = false;
  /// [D] signs that weights must keep, or empty.
  std::vector<Sign> signs{};
  int threads = 1;
  std::uint64_t seed = 1;
};

struct MarginSummary {
  enum class Stop {
    Gap,       ///< the gap is reached
    Passes,    ///< it is not, and all passes are made
    Callback,  ///< the callback wanted no more
  };
  std::vector<double> weights;  ///< [D] those of `primal`
  double primal = kInfinity<double>, dual = -kInfinity<double>, gap = kInfinity<double>;
  Index passes = 0, oracle_calls = 0;
  Stop stopped = Stop::Passes;
};

/// @throws OptionError naming the option out of range, and what the problem throws
THALWEG_EXPORT MarginSummary minimize_margin_loss(const MarginProblem& problem, const MarginOptions& options,
                                                  const MarginCallback& callback = {});

}  // namespace thalweg
