/// @file
/// The likelihood family: functions psi of x = E - F, with expected parts for derivative,
///
///     L = psi(E - F),      dL / dE(part) = psi'(E - F) ([part of the right answer] - p(part))
///
/// psi(x) = x for the likelihood, 1 - exp(-beta x) for the minimum empirical error; the softmax-margin is the
/// likelihood of the structure of E - Delta. For an open answer E is the free energy over what it allows.
/// Needs `free_energy` and `marginals`, the softmax-margin `augment`, too. See learning/evaluate.h.
#pragma once

#include <cmath>
#include <concepts>

#include "thalweg/learning/loss.h"
#include "thalweg/learning/problem.h"

namespace thalweg::detail {

template <class L>
concept SumLoss =
    std::same_as<L, LikelihoodLoss> || std::same_as<L, MeeLoss> || std::same_as<L, SoftmaxMarginLoss>;

template <class On, class S>
concept Summing = requires(On on, const S& s, typename S::Scalar w, const Parts<S>& parts) {
  on.free_energy(s);
  on.marginals(w, parts);
};

struct Psi {
  double value, slope;
};
inline Psi psi(const LikelihoodLoss&, double x) { return {x, 1}; }
inline Psi psi(const SoftmaxMarginLoss&, double x) { return {x, 1}; }
inline Psi psi(const MeeLoss& loss, double x) {
  return {-std::expm1(-loss.beta * x), loss.beta * std::exp(-loss.beta * x)};
}

/// The structure whose free energy stands for all answers.
template <class L, class P, class On>
auto summed(const L&, const P& problem, On&) {
  return problem.structure;
}
template <class P, class On>
requires requires(On on, P p, TaskCost c) { on.augment(p.structure, on.lower(c, p), 1.0); }
auto summed(const SoftmaxMarginLoss& loss, const P& problem, On& on) {
  return on.augment(problem.structure, on.lower(loss.cost, problem), 1.0);
}

template <SumLoss L, class S, class On>
requires Summing<On, S>
double evaluate_one(const L& loss, const Problem<S>& problem, const Parts<S>& gradient, On& on) {
  using R = typename S::Scalar;
  const double right = energy(problem.structure, problem.answer);
  if (!(right < kInfinity<double>)) return right;
  const double f = on.free_energy(summed(loss, problem, on));
  const Psi at = psi(loss, right - f);
  on.marginals(static_cast<R>(-problem.weight * at.slope), gradient);
  add_slope(problem, at.slope, problem.answer, gradient);
  return problem.weight * at.value;
}

template <SumLoss L, class S, class On>
requires Summing<On, S>
double evaluate_one(const L& loss, const OpenProblem<S>& problem, const Parts<S>& gradient, On& on) {
  using R = typename S::Scalar;
  double f = 0, slope = 1;
  // Expected parts are taken from the last forward pass, so a slope that depends on both costs a third.
  if constexpr (std::same_as<L, MeeLoss>) f = on.free_energy(problem.structure);
  const double right = on.free_energy(problem.right);
  if (!(right < kInfinity<double>)) return right;
  if constexpr (std::same_as<L, MeeLoss>) slope = psi(loss, right - f).slope;
  on.marginals(static_cast<R>(problem.weight * slope), gradient);
  f = on.free_energy(summed(loss, problem, on));
  on.add_marginals(static_cast<R>(-problem.weight * slope), gradient);
  return problem.weight * psi(loss, right - f).value;
}

}  // namespace thalweg::detail
