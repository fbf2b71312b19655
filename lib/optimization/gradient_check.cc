#include "thalweg/optimization/gradient_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

namespace thalweg {
namespace {

void require_positive(const char* field, double value) {
  if (!(value > 0)) throw OptionError(field, fmt::format("{} is out of range", value), "must be positive");
}

std::vector<Index> coordinates(Index dimension, const GradientCheckOptions& options) {
  std::vector<Index> all(static_cast<std::size_t>(dimension));
  std::iota(all.begin(), all.end(), 0);
  if (options.samples == 0 || options.samples >= dimension) return all;
  Rng(options.seed).shuffle(std::span(all));
  all.resize(static_cast<std::size_t>(options.samples));
  return all;
}

struct Slopes {
  double left, right, central;
};

Slopes slopes(const Objective& f, std::span<double> x, Index i, double value, double step,
              std::span<double> unused) {
  const double at = x[i], h = step * std::max(1.0, std::abs(at));
  // The moves that rounding leaves, not h, are what the differences are divided by.
  const double before = at - h, after = at + h;
  x[i] = before;
  const double low = f(x, unused);
  x[i] = after;
  const double high = f(x, unused);
  x[i] = at;
  return {(value - low) / (at - before), (high - value) / (after - at), (high - low) / (after - before)};
}

}  // namespace

GradientCheck check_gradient(const Objective& f, std::span<const double> x,
                             const GradientCheckOptions& options) {
  require_positive("step", options.step);
  require_positive("floor", options.floor);
  require_positive("kink", options.kink);
  if (options.samples < 0)
    throw OptionError("samples", fmt::format("{} is out of range", options.samples), "must be at least 0");

  std::vector<double> point(x.begin(), x.end()), unused(x.size());
  std::vector<double> claimed(x.size(),
                              std::numeric_limits<double>::quiet_NaN());  // finds what f leaves unwritten
  const double value = f(point, claimed);
  GradientCheck worst;
  for (Index i : coordinates(static_cast<Index>(x.size()), options)) {
    const Slopes s = slopes(f, point, i, value, options.step, unused);
    const double claim = claimed[i];
    const double scale = std::max({options.floor, std::abs(claim), std::abs(s.central)});
    double error = std::abs(claim - s.central) / scale;
    if (std::abs(s.right - s.left) > options.kink * scale) {
      ++worst.kinks;
      const double nearest = std::clamp(claim, std::min(s.left, s.right), std::max(s.left, s.right));
      error = std::abs(claim - nearest) / scale;
    }
    if (std::isnan(error)) error = kInfinity<double>;
    ++worst.checked;
    if (error > worst.error)
      worst.error = error, worst.coordinate = i, worst.claimed = claim, worst.numeric = s.central;
  }
  return worst;
}

}  // namespace thalweg
