#include "thalweg/inference/trajectory_smoother.h"

#include <algorithm>
#include <cmath>

#include "core/require.h"

namespace thalweg {

// Both coordinates have the same matrix. b_t holds 1, -2, 1 from t - 1 on.
void TrajectorySmoother::factor(const TrajectoryEnergy& energy, std::span<const double> y) {
  const std::size_t points = y.size() / 2;
  diagonal_.assign(points, 1 / (energy.noise() * energy.noise()));
  next_.assign(points, 0), second_.assign(points, 0);
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
  // next_[t] and second_[t] turn from A[t + 1][t] and A[t + 2][t] into those of L; they are 0 beyond its end.
  for (std::size_t t = 0; t < points; ++t) {
    const double one = next_[t] / diagonal_[t], two = second_[t] / diagonal_[t];
    if (t + 1 < points) diagonal_[t + 1] -= one * next_[t], next_[t + 1] -= one * second_[t];
    if (t + 2 < points) diagonal_[t + 2] -= two * second_[t];
    next_[t] = one, second_[t] = two;
  }
}

// L^-1 v
void TrajectorySmoother::forward(std::span<double> v) const {
  for (std::size_t i = 2; i < v.size(); ++i) {
    v[i] -= next_[i / 2 - 1] * v[i - 2];
    if (i >= 4) v[i] -= second_[i / 2 - 2] * v[i - 4];
  }
}

// L'^-1 v
void TrajectorySmoother::backward(std::span<double> v) const {
  for (std::size_t i = v.size(); i-- > 0;) {
    if (i + 2 < v.size()) v[i] -= next_[i / 2] * v[i + 2];
    if (i + 4 < v.size()) v[i] -= second_[i / 2] * v[i + 4];
  }
}

void TrajectorySmoother::unwhiten(std::span<double> z) const {
  for (std::size_t i = 0; i < z.size(); ++i) z[i] /= std::sqrt(diagonal_[i / 2]);
  backward(z);
}

void TrajectorySmoother::whiten_gradient(std::span<double> g) const {
  forward(g);
  for (std::size_t i = 0; i < g.size(); ++i) g[i] /= std::sqrt(diagonal_[i / 2]);
}

SmoothingRun TrajectorySmoother::minimize(const TrajectoryEnergy& energy, std::span<double> y,
                                          const SmoothingOptions& o) {
  require(o.solves >= 1, "solves", o.solves, ">= 1");
  require(o.tolerance >= 0, "tolerance", o.tolerance, ">= 0");
  const bool one_solve = energy.prior().tail == kInfinity<double>;
  const double precision = 1 / (energy.noise() * energy.noise());
  solution_.resize(y.size()), gradient_.resize(y.size());
  SmoothingRun run;
  while (!run.converged && run.solves < o.solves) {
    factor(energy, y);
    for (std::size_t i = 0; i < y.size(); ++i) solution_[i] = precision * energy.x()[i];
    forward(solution_);
    for (std::size_t i = 0; i < y.size(); ++i) solution_[i] /= diagonal_[i / 2];
    backward(solution_);
    ++run.solves;
    double far = 0;
    for (std::size_t i = 0; i < y.size(); ++i) far = std::max(far, std::abs(solution_[i] - y[i]));
    std::copy(solution_.begin(), solution_.end(), y.begin());
    run.converged = one_solve || far <= o.tolerance * energy.noise();
  }
  run.energy = energy(y, gradient_);
  return run;
}

}  // namespace thalweg
