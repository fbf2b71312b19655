/// @file
/// Is a gradient the derivative of its function? Every loss and energy term of the library is held to this
/// check, and so should yours be:
///
///     const GradientCheck check = check_gradient(f, x);
///     if (check.error > 1e-6) log(check.coordinate, check.claimed, check.numeric);
#pragma once

#include <cstdint>
#include <span>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/optimization/objective.h"

namespace thalweg {

struct GradientCheckOptions {
  /// Coordinate x_i is moved by step * max(1, |x_i|) both ways. Near the cube root of the rounding error of f
  /// truncation and rounding balance (Nocedal and Wright 2006, section 8.1): 1e-5 for sums in double, 1e-2
  /// for sums in float.
  double step = 1e-5;
  /// Errors are relative to the derivative, but not to less than this.
  double floor = 1;
  /// A kink is where the slopes to both sides differ by more than this (relative, as above). There any claim
  /// between the two is right. Curvature alone makes them differ by step * f''.
  double kink = 1e-3;
  /// Coordinates to check, drawn without replacement; 0 checks all.
  Index samples = 0;
  std::uint64_t seed = 1;
};

/// The coordinate with the largest error.
struct GradientCheck {
  double error = 0;  ///< relative; infinite where a claim or a difference is not finite or was never written
  Index coordinate = -1;  ///< -1: none differs
  double claimed = 0;
  double numeric = 0;  ///< the central difference
  Index checked = 0;   ///< coordinates looked at
  Index kinks = 0;     ///< of those, at a kink
};

/// Compares the gradient that `f` claims at `x` with central differences. Costs two evaluations of f a
/// coordinate.
/// @throws OptionError when step, floor or kink is not positive or samples is negative; what `f` throws.
THALWEG_EXPORT GradientCheck check_gradient(const Objective& f, std::span<const double> x,
                                            const GradientCheckOptions& options = {});

}  // namespace thalweg
