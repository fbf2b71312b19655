/// @file
/// Value and gradient of any loss (learning/loss.h) on any structure that has the operations it needs:
///
///     double value = evaluate(loss, Problem<S>{structure, answer}, gradient, on);
///     double value = evaluate(loss, OpenProblem<S>{structure, right}, gradient, on);
///
/// `on` is the structure's operations with their scratch space, for chains learning/chain_operations.h. Each
/// loss is written once, in learning/{probabilistic,margin,structured,local,drawn}_losses.h, against the
/// operations by name.
#pragma once

#include "thalweg/core/export.h"
#include "thalweg/learning/drawn_losses.h"
#include "thalweg/learning/local_losses.h"
#include "thalweg/learning/loss.h"
#include "thalweg/learning/margin_losses.h"
#include "thalweg/learning/probabilistic_losses.h"
#include "thalweg/learning/problem.h"
#include "thalweg/learning/structured_losses.h"

namespace thalweg {
namespace detail {

/// @throws OptionError always: the structure lacks an operation, or the loss needs a whole answer
[[noreturn]] THALWEG_EXPORT void refuse(const Loss& loss, bool open);

}  // namespace detail

/// The value, times the weight, and the gradient with respect to the part energies: unary parts are assigned,
/// pairwise parts, which sequences share, added to. +infinity, and no gradient, where the right answer is
/// forbidden. Where it is the only answer, margin losses have nothing to compare it with: hinge, log, LVQ2
/// and MCE are 0 then, the square losses what E alone makes of them.
/// @throws OptionError where the structure does not offer what the loss needs, or an open answer is no
/// question for it; InputError for a task cost that does not fit, and for signed energies under a square loss
template <template <class> class P, class S, class Operations>
double evaluate(const Loss& loss, const P<S>& problem, const Parts<S>& gradient, Operations& on) {
  return std::visit(
      [&](const auto& one) -> double {
        if constexpr (requires { detail::evaluate_one(one, problem, gradient, on); }) {
          return detail::evaluate_one(one, problem, gradient, on);
        } else {
          constexpr bool whole = requires(const Problem<S>& closed) {
            detail::evaluate_one(one, closed, gradient, on);
          };
          detail::refuse(loss, whole);
        }
      },
      loss);
}

}  // namespace thalweg
