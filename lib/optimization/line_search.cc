#include "optimization/line_search.h"

#include <algorithm>
#include <cmath>

namespace thalweg {
namespace {

bool is_finite(const LinePoint& p) { return std::isfinite(p.value) && std::isfinite(p.slope); }

// The minimiser of the cubic through both values and slopes; equation 3.59. It lies between a and b, and is
// kept a tenth of the interval away from both; the middle where a value or slope is not finite.
double interpolate(const LinePoint& a, const LinePoint& b) {
  const double width = b.step - a.step;
  const double d1 = a.slope + b.slope - 3 * (b.value - a.value) / width;
  const double d2 = std::copysign(std::sqrt(d1 * d1 - a.slope * b.slope), width);
  const double fraction = 1 - (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2);
  return a.step + width * (std::isfinite(fraction) ? std::clamp(fraction, 0.1, 0.9) : 0.5);
}

// Where the line through the slopes of two points that both go down meets zero, two to ten times as far as b.
double extrapolate(const LinePoint& a, const LinePoint& b) {
  const double t = b.step - b.slope * (b.step - a.step) / (b.slope - a.slope);
  return t > b.step ? std::clamp(t, 2 * b.step, 10 * b.step) : 10 * b.step;
}

}  // namespace

std::optional<LinePoint> search_strong_wolfe(const std::function<LinePoint(double)>& phi,
                                             const LinePoint& start, double first, double resolution,
                                             Index max_evaluations) {
  // `low` is the lowest point so far that decreases sufficiently; a good step lies between it and `high`.
  LinePoint low = start, high{kInfinity<double>, 0, 0};
  double t = first;
  for (Index i = 0; i < max_evaluations; ++i) {
    const LinePoint p = phi(t), before = low;
    const double bound =
        std::min(start.value + kSufficientDecrease * t * start.slope, low.value) + resolution;
    if (!is_finite(p) || p.value > bound) {
      high = p;
    } else if (std::abs(p.slope) <= kCurvature * std::abs(start.slope)) {
      return p;
    } else {
      if (p.slope * (high.step - low.step) >= 0) high = low;
      low = p;
    }
    t = high.step == kInfinity<double> ? extrapolate(before, low) : interpolate(low, high);
  }
  if (!(low.value < start.value)) return std::nullopt;
  return phi(low.step);
}

}  // namespace thalweg
