#include "thalweg/inference/trajectory_smoother.h"

#include <algorithm>
#include <cmath>

#include "core/require.h"

namespace thalweg {

// (I / s^2 + sum_t w_t b_t b_t') y' = x / s^2, where b_t holds 1, -2, 1 from t - 1 on; the same matrix for
// both coordinates.
void TrajectorySmoother::solve(const TrajectoryEnergy& energy, std::span<const double> y) {
  const std::span<const double> x = energy.x();
  const std::size_t points = x.size() / 2;
  const double precision = 1 / (energy.noise() * energy.noise());
  diagonal_.assign(points, precision), next_.assign(points, 0), second_.assign(points, 0);
  for (std::size_t t = 1; t + 1 < points; ++t) {
    double squared = 0;
    for (std::size_t i = 2 * t; i < 2 * t + 2; ++i) {
      const double d = y[i - 2] - 2 * y[i] + y[i + 2];
      squared += d * d;
    }
    const double w = energy.prior().stiffness(squared);
    diagonal_[t - 1] += w, diagonal_[t] += 4 * w, diagonal_[t + 1] += w;
    next_[t - 1] -= 2 * w, next_[t] -= 2 * w;
    second_[t - 1] += w;
  }
  // next_[t] and second_[t] turn from A[t + 1][t] and A[t + 2][t] into those of L.
  solution_.resize(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) solution_[i] = precision * x[i];
  for (std::size_t t = 0; t < points; ++t) {
    const double one = next_[t] / diagonal_[t], two = second_[t] / diagonal_[t];
    if (t + 1 < points) {
      diagonal_[t + 1] -= one * next_[t];
      next_[t + 1] -= one * second_[t];
      for (std::size_t i = 0; i < 2; ++i) solution_[2 * t + 2 + i] -= one * solution_[2 * t + i];
    }
    if (t + 2 < points) {
      diagonal_[t + 2] -= two * second_[t];
      for (std::size_t i = 0; i < 2; ++i) solution_[2 * t + 4 + i] -= two * solution_[2 * t + i];
    }
    next_[t] = one, second_[t] = two;
  }
  for (std::size_t t = points; t-- > 0;) {
    for (std::size_t i = 2 * t; i < 2 * t + 2; ++i) {
      solution_[i] /= diagonal_[t];
      if (t + 1 < points) solution_[i] -= next_[t] * solution_[i + 2];
      if (t + 2 < points) solution_[i] -= second_[t] * solution_[i + 4];
    }
  }
}

SmoothingRun TrajectorySmoother::minimize(const TrajectoryEnergy& energy, std::span<double> y,
                                          const SmoothingOptions& o) {
  require(o.solves >= 1, "solves", o.solves, ">= 1");
  require(o.tolerance >= 0, "tolerance", o.tolerance, ">= 0");
  const bool one_solve = energy.prior().tail == kInfinity<double>;
  SmoothingRun run;
  while (!run.converged && run.solves < o.solves) {
    solve(energy, y);
    ++run.solves;
    double far = 0;
    for (std::size_t i = 0; i < y.size(); ++i) far = std::max(far, std::abs(solution_[i] - y[i]));
    std::copy(solution_.begin(), solution_.end(), y.begin());
    run.converged = one_solve || far <= o.tolerance * energy.noise();
  }
  gradient_.resize(y.size());
  run.energy = energy(y, gradient_);
  return run;
}

}  // namespace thalweg
