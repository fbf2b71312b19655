/// @file
/// Limited-memory BFGS and its orthant-wise form for an L1 penalty:
///
///     minimise F(x) = f(x) + c1 |x|_1,     x in R^D, f smooth
///
/// Each iteration moves along -H g, where H approximates the inverse Hessian of f by the last m pairs of
/// steps s = x' - x and gradient changes y = f'(x') - f'(x) (Nocedal and Wright 2006, algorithm 7.4), and
/// chooses the step length by a line search (strong Wolfe conditions for c1 = 0, projected backtracking for
/// c1 > 0: Andrew and Gao 2007).
///
///     std::vector<double> x(dimension, 0.0);
///     const LbfgsSummary summary = minimize_lbfgs(
///         [&](std::span<const double> at, std::span<double> gradient) { return loss(at, gradient); },
///         x, {.c1 = 0.5, .threads = 4},
///         [](const LbfgsProgress& p) { log(p.iteration, p.objective, p.nonzeros); return true; });
///     log(describe(summary.stop));
///
/// An iteration costs one or two evaluations of f and O(m D) time; memory is (2 m + 5) D doubles, D more for
/// c1 > 0 and for a diagonal. Results have the same bits for any number of threads, and a run restored from a
/// state continues with the bits of the uninterrupted one.
#pragma once

#include <array>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/optimization/objective.h"

namespace thalweg {

/// The defaults that stop a run are those of CRFsuite 0.12 (Okazaki 2007), so that results compare.
struct LbfgsOptions {
  /// Pairs kept, m >= 1. 6 (CRFsuite, liblbfgs) to 10; more seldom saves evaluations and always costs memory.
  Index memory = 6;
  /// A bound on iterations, >= 0. Conditional random fields need 50 to 300.
  Index max_iterations = 1000;
  /// Stop when |g| <= gradient_tolerance * max(1, |x|), Euclidean norms; g is the pseudo-gradient for c1 > 0.
  double gradient_tolerance = 1e-5;
  /// Stop when the last `period` iterations together lowered F by no more than delta * |F|; period 0 turns
  /// this test off, and delta = 0 stops only a run that no longer gets lower.
  Index period = 10;
  double delta = 1e-5;
  /// Weight of the L1 penalty, >= 0. Above 0 many coordinates of the optimum are exactly 0.
  double c1 = 0;
  /// Evaluations that one line search may use, >= 1. It seldom needs more than 3.
  Index max_line_search = 20;
  /// Relative error of f by rounding. Values closer than that are not compared; the slopes decide instead, as
  /// in the approximate Wolfe conditions of Hager and Zhang 2005 (section 4). Energies in float give 1e-8
  /// over a corpus.
  double objective_noise = 1e-8;
  /// Threads for the vector operations, >= 1. f may use its own.
  int threads = 1;
};

/// @throws OptionError that names the field, its value and what it must be.
THALWEG_EXPORT void validate(const LbfgsOptions& options);

/// Why a run ended.
enum class LbfgsStop {
  None,           ///< It has not: more steps are possible.
  SmallGradient,  ///< The gradient is small: a stationary point.
  SmallDecrease,  ///< The objective hardly fell over the last iterations.
  MaxIterations,  ///< The bound on iterations was reached.
  NoDecrease,     ///< Not even steepest descent lowers F measurably: the optimum to its precision, or a wrong
                  ///< gradient.
  Callback,       ///< The callback asked for it.
};

/// One line for people, e.g. "the gradient is small".
THALWEG_EXPORT const char* describe(LbfgsStop stop);

/// A curvature pair.
struct LbfgsPair {
  std::vector<double> step;    ///< s [D]
  std::vector<double> change;  ///< y [D]
  double curvature = 0;        ///< s'y > 0
};

/// All that a run depends on beside f, the options and the diagonal: copy it (or write it to a file) after
/// any step and `Lbfgs::restore` it later.
struct LbfgsState {
  std::vector<double> x;           ///< [D]
  std::vector<double> gradient;    ///< f'(x) [D], without the penalty
  std::vector<LbfgsPair> history;  ///< at most m, oldest first
  std::vector<double> window;      ///< F after each of the last `period` + 1 iterations, oldest first
  double scale = 1;                ///< H before the pairs is scale * diagonal^-1
  double objective = kInfinity<double>;
  double gradient_norm = kInfinity<double>;  ///< of the pseudo-gradient for c1 > 0
  double step_length = 0;                    ///< of the last iteration, in units of the direction
  Index nonzeros = 0;                        ///< coordinates of x that are not 0
  Index iterations = 0;
  Index evaluations = 0;
  LbfgsStop stop = LbfgsStop::None;
};

/// How a run went.
struct LbfgsSummary {
  LbfgsStop stop = LbfgsStop::None;
  Index iterations = -1;
  Index evaluations = -1;  ///< of f, those of failed line searches included
  double objective = std::numeric_limits<double>::quiet_NaN();      ///< F, penalty included
  double gradient_norm = std::numeric_limits<double>::quiet_NaN();  ///< of the pseudo-gradient for c1 > 0
  Index nonzeros = -1;
};

/// What a callback sees after each iteration.
struct LbfgsProgress {
  Index iteration;  ///< from 1
  Index evaluations;
  double objective;
  double gradient_norm;
  double step_length;
  Index nonzeros;
  std::span<const double> x;  ///< [D], valid during the call
};

/// Returns false to stop the run.
using LbfgsCallback = std::function<bool(const LbfgsProgress&)>;

/// The minimiser one iteration at a time, for whoever checkpoints or interleaves other work.
class THALWEG_EXPORT Lbfgs {
 public:
  /// `diagonal` [D], positive, approximates the diagonal of the Hessian of f: H starts from its inverse.
  /// Empty stands for the identity. It is copied. @throws OptionError, InputError
  explicit Lbfgs(const LbfgsOptions& options = {}, std::span<const double> diagonal = {});

  /// A new run from `x`. Evaluates nothing yet. @throws InputError when `x` and the diagonal differ in size.
  void start(std::vector<double> x);

  /// The run that `state` was taken from, under these options: a state that stopped at a lower
  /// `max_iterations` goes on, and of a longer history or window the newest entries are kept. @throws
  /// InputError when its sizes do not fit.
  void restore(LbfgsState state);

  /// One iteration; the first call also evaluates f at the start. True when another may follow; after that
  /// the state stays as it is and `state().stop` says why. What `f` throws passes through and leaves x as it
  /// was.
  /// @throws InputError when f or f' is not finite at the start.
  bool step(const Objective& f);

  const LbfgsState& state() const { return state_; }
  LbfgsSummary summary() const;

 private:
  Index size() const { return static_cast<Index>(state_.x.size()); }
  void evaluate_start(const Objective& f);
  double evaluate_trial(const Objective& f);
  void measure();
  void test_convergence();
  double find_direction();
  bool search(const Objective& f);
  bool search_wolfe(const Objective& f, double slope, double first);
  bool search_orthant(const Objective& f, double first);
  std::array<double, 2> bend_trial(double t);
  double arrival_slope() const;
  double resolution() const;
  void move_to_trial();
  void remember(double curvature);

  LbfgsOptions options_;
  std::vector<double> inverse_diagonal_;  // [D], or empty for ones
  LbfgsState state_;
  std::vector<double> descent_;                   // H g [D]: the search goes along its negative
  std::vector<double> trial_x_, trial_gradient_;  // [D]
  std::vector<double> pseudo_gradient_;           // [D], only for c1 > 0
  double x_norm_ = 0;
};

/// Minimises from `x` and leaves the optimum there; `x` is untouched when anything throws.
/// @param diagonal see `Lbfgs`. @throws OptionError, InputError (f or f' not finite at the start), and what
/// `f` throws.
THALWEG_EXPORT LbfgsSummary minimize_lbfgs(const Objective& f, std::vector<double>& x,
                                           const LbfgsOptions& options = {},
                                           const LbfgsCallback& callback = {},
                                           std::span<const double> diagonal = {});

}  // namespace thalweg
