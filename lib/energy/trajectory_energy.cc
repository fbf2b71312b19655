#include "thalweg/energy/trajectory_energy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/require.h"
#include "thalweg/core/error.h"

namespace thalweg {
namespace {

constexpr double kEndless = kInfinity<double>;

std::array<double, 2> bend(std::span<const double> y, std::size_t t) {
  const double* at = y.data() + 2 * t;
  return {at[-2] - 2 * at[0] + at[2], at[-1] - 2 * at[1] + at[3]};
}

double mean(std::span<const double> squared) {
  double sum = 0;
  for (double r : squared) {
    if (!(r >= 0 && r < kEndless)) throw InputError("squared", "a bend is negative or not finite", "");
    sum += r;
  }
  if (!(sum > 0)) throw InputError("squared", "there is no bend above 0", "is this a straight line?");
  return sum / static_cast<double>(squared.size());
}

// With shape a = nu / 2 and l = nu c^2 the density of r = |d|^2 is a / l (1 + r / l)^-(a + 1) (Lomax 1954).
struct Fit {
  double shape = 0;
  double log_likelihood = -kEndless;  // a sample
};
Fit fit_shape(std::span<const double> squared, double l) {
  double sum = 0;
  for (double r : squared) sum += std::log1p(r / l);
  sum /= static_cast<double>(squared.size());
  return {1 / sum, -std::log(sum * l) - 1 - sum};
}

}  // namespace

void squared_bends(std::span<const double> y, std::vector<double>& squared) {
  for (std::size_t t = 1; t + 1 < y.size() / 2; ++t) {
    const auto [dx, dy] = bend(y, t);
    squared.push_back(dx * dx + dy * dy);
  }
}

BendPrior fit_normal_bends(std::span<const double> squared) { return {std::sqrt(mean(squared) / 2)}; }

BendPrior fit_student_bends(std::span<const double> squared) {
  const double typical = std::log(mean(squared));
  const auto at = [&](double log_l) { return fit_shape(squared, std::exp(log_l)).log_likelihood; };
  constexpr int kLowest = -16, kHighest = 16;  // l may be e^16 times the mean of r
  int best = kLowest;
  double highest = -kEndless;
  for (int k = kLowest; k <= kHighest; ++k) {
    const double value = at(typical + k);
    if (value > highest) highest = value, best = k;
  }
  if (best == kLowest)
    throw InputError("squared", "the likelihood has no bound: too many bends are 0",
                     "add noise uniform over a cell of the grid that trajectories are rounded to");
  if (best == kHighest) return fit_normal_bends(squared);
  double low = typical + best - 1, high = typical + best + 1;
  constexpr double kGolden = 1 / std::numbers::phi;
  double a = high - kGolden * (high - low), b = low + kGolden * (high - low);
  double value_a = at(a), value_b = at(b);
  while (high - low > 1e-6) {
    if (value_a > value_b) {
      high = b, b = a, value_b = value_a;
      a = high - kGolden * (high - low), value_a = at(a);
    } else {
      low = a, a = b, value_a = value_b;
      b = low + kGolden * (high - low), value_b = at(b);
    }
  }
  const double l = std::exp((low + high) / 2), nu = 2 * fit_shape(squared, l).shape;
  return {std::sqrt(l / nu), nu};
}

TrajectoryEnergy::TrajectoryEnergy(std::span<const double> x, double noise, const BendPrior& prior)
    : x_(x), noise_(noise), prior_(prior) {
  require(noise > 0 && noise < kEndless, "noise", noise, "finite and > 0");
  require(prior.scale > 0 && prior.scale < kEndless, "scale", prior.scale, "finite and > 0");
  require(prior.tail > 0, "tail", prior.tail, "> 0", "+infinity is the normal prior");
  if (x.size() % 2 != 0) throw InputError("x", "has an odd size", "it is x_0 y_0 x_1 y_1 ...");
}

double TrajectoryEnergy::operator()(std::span<const double> y, std::span<double> gradient) const {
  const double precision = 1 / (noise_ * noise_);
  double e = 0;
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const double off = y[i] - x_[i];
    e += precision * off * off / 2;
    gradient[i] = precision * off;
  }
  const double l = prior_.tail * prior_.scale * prior_.scale;
  for (std::size_t t = 1; t + 1 < x_.size() / 2; ++t) {
    const auto d = bend(y, t);
    const double squared = d[0] * d[0] + d[1] * d[1], stiffness = prior_.stiffness(squared);
    e += l < kEndless ? (prior_.tail + 2) / 2 * std::log1p(squared / l) : stiffness * squared / 2;
    for (std::size_t i = 0; i < 2; ++i) {
      const double pull = stiffness * d[i];
      gradient[2 * t - 2 + i] += pull, gradient[2 * t + i] -= 2 * pull, gradient[2 * t + 2 + i] += pull;
    }
  }
  return e;
}

}  // namespace thalweg
