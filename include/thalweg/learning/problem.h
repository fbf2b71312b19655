/// @file
/// What a loss is evaluated on: a structure, and what is right there.
#pragma once

#include <span>

#include "thalweg/energy/chain.h"

namespace thalweg {

/// One training example: a structure and its right answer.
template <class S>
struct Problem {
  S structure;
  std::span<const Label> answer;
  double weight = 1;  ///< of its loss
  Index number = 0;   ///< among the training examples, for losses that draw (each its own) or remember
};

/// One whose answer leaves something open: `right` is `restrict(structure, what the answer allows)`, and the
/// loss takes the free energy, or the minimum, over what is left where otherwise the answer's energy stands.
/// No longer convex.
template <class S>
struct OpenProblem {
  S structure, right;
  double weight = 1;
  Index number = 0;
};

namespace detail {

/// The right answer as margin losses see it: its energy, and the labelling of it.
struct RightAnswer {
  double energy;
  std::span<const Label> labels;
  bool allowed() const { return energy < kInfinity<double>; }
};

template <class S, class Operations>
RightAnswer right_answer(const Problem<S>& problem, Operations&) {
  return {energy(problem.structure, problem.answer), problem.answer};
}

/// The lowest of what is right.
template <class S, class Operations>
requires requires(Operations on, S s) { on.minimize(s); }
RightAnswer right_answer(const OpenProblem<S>& problem, Operations& on) {
  const double lowest = on.minimize(problem.right);
  on.right_labels = on.labels;
  return {lowest, on.right_labels};
}

/// Adds weight * slope at the parts of an answer.
template <class P, class Gradient>
void add_slope(const P& problem, double slope, std::span<const Label> y, const Gradient& gradient) {
  using R = typename decltype(problem.structure)::Scalar;
  add_answer(problem.structure, y, static_cast<R>(problem.weight * slope), gradient);
}

}  // namespace detail
}  // namespace thalweg
