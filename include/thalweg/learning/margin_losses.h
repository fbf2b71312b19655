/// @file
/// Losses of minima: the right answer against the lowest of others,
///
///     phi(E, Ebar)                                       Ebar = lowest incorrect answer
///     (`minimize_excluding`) E - min (E(y') - Delta(y'))                        `minimize`, `augment` max_d
///     d (1 + E - e[d])                             e[d] = lowest at each cost (`lowest_by_cost`) E +
///     Omega(right) - min_p (<E, p> + Omega(p))       `sparse_map`
///
/// Derivatives are differences of answers' parts. At a tie any of the tied answers gives a subgradient. For
/// an open answer the lowest that it allows is the right one. See learning/evaluate.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <string>

#include "thalweg/core/error.h"
#include "thalweg/learning/loss.h"
#include "thalweg/learning/problem.h"

namespace thalweg::detail {

template <class On, class P>
concept Minimizing = requires(On on, const P& p) {
  on.minimize(p.structure);
  right_answer(p, on);
};
template <class On, class P>
concept Costing = Minimizing<On, P> && requires(On on, const P& p, const TaskCost& cost) {
  on.minimize(on.augment(p.structure, on.lower(cost, p), 1.0));
};

// --- phi(E, Ebar)

/// With its two derivatives. Ebar = +infinity: there is no other answer.
struct Phi {
  double value, right, wrong;
};

inline Phi phi(const HingeLoss& loss, double e, double wrong) {
  const double violation = loss.margin + e - wrong;
  return violation > 0 ? Phi{violation, 1, -1} : Phi{0, 0, 0};
}
inline Phi phi(const LogLoss&, double e, double wrong) {
  const double d = e - wrong, tail = std::exp(-std::abs(d));
  const double slope = (d > 0 ? 1 : tail) / (1 + tail);
  return {std::max(d, 0.0) + std::log1p(tail), slope, -slope};
}
inline Phi phi(const Lvq2Loss& loss, double e, double wrong) {
  const double d = e - wrong, slope = d > 0 && d < loss.ceiling;
  return {std::clamp(d, 0.0, loss.ceiling), slope, -slope};
}
inline Phi phi(const MceLoss&, double e, double wrong) {
  const double d = e - wrong, tail = std::exp(-std::abs(d)), p = (d > 0 ? 1 : tail) / (1 + tail);
  const double slope = tail / ((1 + tail) * (1 + tail));
  return {p, slope, -slope};
}

inline double shift_of(const std::optional<double>& offset, double e, double wrong) {
  if (offset) return *offset;
  const double low = std::min(e, wrong);
  if (low >= 0) return 0;
  throw InputError("loss",
                   "squares energies, which must be >= 0 for that, and one is " + std::to_string(low) +
                       ": its square would pull low energies up",
                   "state an offset to be added to them, or take the hinge loss");
}
inline Phi phi(const SquareSquareLoss& loss, double e, double wrong) {
  const double shift = shift_of(loss.offset, e, wrong), right = e + shift,
               short_by = std::max(0.0, loss.margin - (wrong + shift));
  return {right * right + short_by * short_by, 2 * right, -2 * short_by};
}
inline Phi phi(const SquareExponentialLoss& loss, double e, double wrong) {
  const double shift = shift_of(loss.offset, e, wrong), right = e + shift,
               push = loss.gamma * std::exp(-(wrong + shift));
  return {right * right + push, 2 * right, -push};
}

template <class S>
std::span<const Label> what_is_right(const Problem<S>& problem) {
  return problem.answer;
}
template <class S>
const S& what_is_right(const OpenProblem<S>& problem) {
  return problem.right;
}

template <class L, template <class> class P, class S, class On>
requires requires(const L& loss, const P<S>& p, On on) {
  phi(loss, 0.0, 0.0);
  right_answer(p, on);
  on.minimize_excluding(p.structure, what_is_right(p));
}
double evaluate_one(const L& loss, const P<S>& problem, const Parts<S>& gradient, On& on) {
  const RightAnswer right = right_answer(problem, on);
  if (!right.allowed()) return right.energy;
  const double wrong = on.minimize_excluding(problem.structure, what_is_right(problem));
  const Phi at = phi(loss, right.energy, wrong);
  clear_own(gradient);
  if (at.right != 0) add_slope(problem, at.right, right.labels, gradient);
  if (at.wrong != 0) add_slope(problem, at.wrong, on.labels, gradient);
  return problem.weight * at.value;
}

// --- Against the lowest of all, perhaps at a cost

template <template <class> class P, class S, class On>
requires requires(const P<S>& p, On on) { right_answer(p, on); }
double evaluate_one(const EnergyLoss&, const P<S>& problem, const Parts<S>& gradient, On& on) {
  const RightAnswer right = right_answer(problem, on);
  if (!right.allowed()) return right.energy;
  clear_own(gradient);
  add_slope(problem, 1, right.labels, gradient);
  return problem.weight * right.energy;
}

template <class P, class On>
requires Minimizing<On, P>
auto opponents(const PerceptronLoss&, const P& problem, On&) { return problem.structure; }
template <class P, class On>
requires Costing<On, P>
auto opponents(const StructuredHingeLoss& loss, const P& problem, On& on) {
  return on.augment(problem.structure, on.lower(loss.cost, problem), 1.0);
}

template <class L, template <class> class P, class S, class On>
requires requires(const L& loss, const P<S>& p, On on) { opponents(loss, p, on); }
double evaluate_one(const L& loss, const P<S>& problem, const Parts<S>& gradient, On& on) {
  const RightAnswer right = right_answer(problem, on);
  if (!right.allowed()) return right.energy;
  const double lowest = on.minimize(opponents(loss, problem, on));
  clear_own(gradient);
  add_slope(problem, 1, right.labels, gradient);
  add_slope(problem, -1, on.labels, gradient);
  return problem.weight * (right.energy - lowest);
}

inline double epsilon_of(const DirectLoss& loss) { return loss.epsilon; }
inline double epsilon_of(const RampLoss&) { return 1; }

template <class L, template <class> class P, class S, class On>
requires Costing<On, P<S>> && requires(const L& loss) { epsilon_of(loss); }
double evaluate_one(const L& loss, const P<S>& problem, const Parts<S>& gradient, On& on) {
  const double epsilon = epsilon_of(loss);
  const RightAnswer right = right_answer(problem, on);
  if (!right.allowed()) return right.energy;
  clear_own(gradient);
  const double lowest = on.minimize(problem.structure);
  add_slope(problem, 1 / epsilon, on.labels, gradient);
  const double augmented = on.minimize(on.augment(problem.structure, on.lower(loss.cost, problem), epsilon));
  add_slope(problem, -1 / epsilon, on.labels, gradient);
  return problem.weight * (lowest - augmented) / epsilon;
}

// --- Slack rescaling

template <template <class> class P, class S, class On>
requires requires(const P<S>& p, const TaskCost& cost, On on) {
  right_answer(p, on);
  on.lowest_by_cost(p.structure, on.lower(cost, p));
}
double evaluate_one(const SlackHingeLoss& loss, const P<S>& problem, const Parts<S>& gradient, On& on) {
  const RightAnswer right = right_answer(problem, on);
  if (!right.allowed()) return right.energy;
  const auto cost = on.lower(loss.cost, problem);
  const std::optional<double> price = price_of_error(loss.cost, cost.rows);
  if (!price) {
    throw OptionError("cost",
                      std::string(name(loss.cost)) +
                          " is not a multiple of the number of errors, which slack rescaling searches over",
                      "use hamming or hamming-mean, or the structured hinge by margin rescaling");
  }
  const auto lowest = on.lowest_by_cost(problem.structure, cost);
  Index worst = 0;
  double value = 0;
  for (Index d = 1; d < static_cast<Index>(lowest.size()); ++d) {
    const double here = static_cast<double>(d) * *price * (1 + right.energy - lowest[d]);
    if (here > value) value = here, worst = d;
  }
  clear_own(gradient);
  if (worst == 0) return 0;
  const double delta = static_cast<double>(worst) * *price, wrong = on.take_by_cost(problem.structure, worst);
  add_slope(problem, delta, right.labels, gradient);
  add_slope(problem, -delta, on.labels, gradient);
  return problem.weight * delta * (1 + right.energy - wrong);
}

// --- Fenchel-Young

template <class S, class On>
requires requires(const S& s, const Parts<S>& parts, On on) {
  on.sparse_map(s, 1.0);
  on.add_sparse(s, 1.0, parts);
}
double evaluate_one(const SparseMapLoss& loss, const Problem<S>& problem, const Parts<S>& gradient, On& on) {
  const double right = energy(problem.structure, problem.answer);
  if (!(right < kInfinity<double>)) return right;
  const double omega = static_cast<double>(problem.answer.size()) / 2;
  const double all = on.sparse_map(problem.structure, loss.gap);
  clear_own(gradient);
  on.add_sparse(problem.structure, -problem.weight, gradient);
  add_slope(problem, 1, problem.answer, gradient);
  return problem.weight * (right + omega - all);
}

template <class S, class On>
requires requires(const S& s, const Parts<S>& parts, On on) {
  on.sparse_map(s, 1.0);
  on.add_sparse(s, 1.0, parts);
}
double evaluate_one(const SparseMapLoss& loss, const OpenProblem<S>& problem, const Parts<S>& gradient,
                    On& on) {
  const double right = on.sparse_map(problem.right, loss.gap);
  if (!(right < kInfinity<double>)) return right;
  clear_own(gradient);
  on.add_sparse(problem.structure, problem.weight, gradient);
  const double all = on.sparse_map(problem.structure, loss.gap);
  on.add_sparse(problem.structure, -problem.weight, gradient);
  return problem.weight * (right - all);
}

}  // namespace thalweg::detail
