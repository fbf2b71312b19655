/// @file
/// A step length that satisfies the strong Wolfe conditions.
#pragma once

#include <functional>
#include <optional>

#include "thalweg/core/types.h"

namespace thalweg {

/// A point on the line: phi(step) and phi'(step).
struct LinePoint {
  double step;
  double value;
  double slope;
};

inline constexpr double kSufficientDecrease = 1e-4;  // Nocedal and Wright 2006, section 3.1
inline constexpr double kCurvature = 0.9;

/// Finds t with phi(t) <= phi(0) + 1e-4 t phi'(0) and |phi'(t)| <= 0.9 |phi'(0)| (Nocedal and Wright 2006,
/// algorithms 3.5 and 3.6 as one loop). Values that differ by less than `resolution` count as equal, so that
/// near an optimum the slopes decide. Where phi is not finite the step shrinks. After `max_evaluations` the
/// lowest point found is taken.
/// @param first the first t to try. @pre start.step == 0, start.slope < 0
/// @return the point at which `phi` was called last, or nothing when none lower was found.
std::optional<LinePoint> search_strong_wolfe(const std::function<LinePoint(double)>& phi,
                                             const LinePoint& start, double first, double resolution,
                                             Index max_evaluations);

}  // namespace thalweg
