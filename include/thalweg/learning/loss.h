/// @file
/// Losses: functionals of a structure's energies and the right answer,
///
///     L(E, y) with its derivative dL / dE(part) for every part of the structure.
///
/// A loss sees tables through a structure's operations only, so it works on any structure that has them, and
/// knows nothing of where energies come from. Notation: E = E(y) of the right answer, F = -(1/beta) log
/// sum_y' exp(-beta E(y')).
#pragma once

#include <span>
#include <variant>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/energy/chain.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/inference/sum_product.h"

namespace thalweg {

/// E - F, the negative log-likelihood over beta (maximum mutual information). Convex in the energies, margin
/// > 0.
struct LikelihoodLoss {
  double beta = 1;
};

/// E - min_y' E(y') (LeCun et al. 1998; Collins 2002). Convex, margin 0; 0 exactly where the answer is a
/// lowest one.
struct PerceptronLoss {};

using Loss = std::variant<LikelihoodLoss, PerceptronLoss>;

/// One training example: a structure and its right answer.
template <class S>
struct Problem {
  S structure;
  std::span<const Label> answer;
  double weight = 1;  ///< of its loss
};

/// One whose answer leaves something open: `right` is `restrict(structure, what the answer allows)`, and the
/// loss takes the free energy, or the minimum, over what is left where otherwise the answer's energy stands.
/// No longer convex.
template <class S>
struct OpenProblem {
  S structure, right;
  double weight = 1;
};

/// The operations of a chain with their scratch space: what losses call. One per thread.
template <class R>
struct ChainOperations {
  const Couplings<R>* couplings = nullptr;  ///< shared; prepared as the loss needs it
  MinSum<R> minima;
  SumProduct<R> sums;
  std::vector<Label> labels;
  TableBuffer<R> added;

  double free_energy(const Chain<R>& chain) { return sums.forward(chain, *couplings); }
  void marginals(R weight, const ChainParts<R>& parts) { sums.marginals(weight, parts); }
  /// The same added to the unary parts, too.
  void add_marginals(R weight, const ChainParts<R>& parts) {
    const Table<R> unary = added.resize(parts.unary.rows, parts.unary.columns);
    sums.marginals(weight, {unary, parts.pairwise, parts.which});
    for (Index i = 0; i < unary.size(); ++i) parts.unary.data[i] += unary.data[i];
  }
  double minimize(const Chain<R>& chain) {
    labels.resize(static_cast<std::size_t>(chain.length()));
    return minima.minimize(chain, *couplings, labels);
  }
};

/// Makes shared tables ready for what the loss will ask.
template <class R>
void prepare(const Loss& loss, Table<const R> pairwise, Index labels, Couplings<R>& couplings,
             const Histories* histories = nullptr) {
  if (const auto* likelihood = std::get_if<LikelihoodLoss>(&loss)) {
    couplings.prepare_sums(pairwise, labels, static_cast<R>(likelihood->beta), histories);
  } else {
    couplings.prepare_minima(pairwise, labels, histories);
  }
}

/// The value, times the weight, and the gradient with respect to the part energies: unary parts are assigned,
/// pairwise parts, which sequences share, added to. +infinity, and no gradient, where the right answer is
/// forbidden.
template <class S, class Operations>
double evaluate(const LikelihoodLoss&, const Problem<S>& problem, const Parts<S>& gradient, Operations& on) {
  using R = typename S::Scalar;
  const double right = energy(problem.structure, problem.answer);
  if (!(right < kInfinity<double>)) return right;
  const double f = on.free_energy(problem.structure);
  on.marginals(R(-problem.weight), gradient);
  add_answer(problem.structure, problem.answer, R(problem.weight), gradient);
  return problem.weight * (right - f);
}

template <class S, class Operations>
double evaluate(const PerceptronLoss&, const Problem<S>& problem, const Parts<S>& gradient, Operations& on) {
  using R = typename S::Scalar;
  const double right = energy(problem.structure, problem.answer);
  if (!(right < kInfinity<double>)) return right;
  const double lowest = on.minimize(problem.structure);
  std::fill_n(gradient.unary.data, gradient.unary.size(), R(0));
  add_answer(problem.structure, problem.answer, R(problem.weight), gradient);
  add_answer(problem.structure, std::span<const Label>(on.labels), R(-problem.weight), gradient);
  return problem.weight * (right - lowest);
}

template <class S, class Operations>
double evaluate(const LikelihoodLoss&, const OpenProblem<S>& problem, const Parts<S>& gradient,
                Operations& on) {
  using R = typename S::Scalar;
  const double right = on.free_energy(problem.right);
  if (!(right < kInfinity<double>)) return right;
  on.marginals(R(problem.weight), gradient);
  const double f = on.free_energy(problem.structure);
  on.add_marginals(R(-problem.weight), gradient);
  return problem.weight * (right - f);
}

template <class S, class Operations>
double evaluate(const PerceptronLoss&, const OpenProblem<S>& problem, const Parts<S>& gradient,
                Operations& on) {
  using R = typename S::Scalar;
  const double right = on.minimize(problem.right);
  if (!(right < kInfinity<double>)) return right;
  std::fill_n(gradient.unary.data, gradient.unary.size(), R(0));
  add_answer(problem.structure, std::span<const Label>(on.labels), R(problem.weight), gradient);
  const double lowest = on.minimize(problem.structure);
  add_answer(problem.structure, std::span<const Label>(on.labels), R(-problem.weight), gradient);
  return problem.weight * (right - lowest);
}

template <template <class> class P, class S, class Operations>
double evaluate(const Loss& loss, const P<S>& problem, const Parts<S>& gradient, Operations& on) {
  return std::visit([&](const auto& one) { return evaluate(one, problem, gradient, on); }, loss);
}

}  // namespace thalweg
