/// @file
/// Margin losses: functions of the energy of the right answer and that of the most offending incorrect one,
///
///     L = phi(E, Ebar),      dL / dE(part) = phi_1 [part of the right answer] + phi_2 [of the offending one]
///
/// Needs `minimize_excluding`. At a tie any of the tied answers gives a subgradient. For an open answer the
/// lowest that it allows is the right one, and what it forbids is incorrect. See learning/evaluate.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "thalweg/core/error.h"
#include "thalweg/learning/loss.h"
#include "thalweg/learning/problem.h"

namespace thalweg::detail {

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

// --- E alone

template <template <class> class P, class S, class On>
requires requires(const P<S>& p, On on) { right_answer(p, on); }
double evaluate_one(const EnergyLoss&, const P<S>& problem, const Parts<S>& gradient, On& on) {
  const RightAnswer right = right_answer(problem, on);
  if (!right.allowed()) return right.energy;
  clear_own(gradient);
  add_slope(problem, 1, right.labels, gradient);
  return problem.weight * right.energy;
}

}  // namespace thalweg::detail
