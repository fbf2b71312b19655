/// @file
/// Losses against the lowest of all answers, the right one among them,
///
///     E - min (E(y') - Delta(y'))                      `minimize`, `augment`: perceptron (Delta = 0), hinge
///     (min E(y') - min (E(y') - eps Delta(y'))) / eps  the same: direct loss, ramp
///     max_d d (1 + E - e[d])                           `lowest_by_cost`, e[d] = lowest at each cost: slack
///     E + Omega(right) - min_p (<E, p> + Omega(p))     `sparse_map`
///
/// with differences of (expected) parts for derivatives. At a tie any of the tied answers gives a
/// subgradient. For an open answer the lowest that it allows is the right one. See learning/evaluate.h.
#pragma once

#include <optional>
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
