/// @file
/// The lowest trajectory of a TrajectoryEnergy by banded linear solves:
///
///     y' = argmin_y sum_t |y_t - x_t|^2 / s^2 + sum_t w_t |y_{t-1} - 2 y_t + y_{t+1}|^2
///     w_t = 2 rho'(|d_t|^2) at the y before
///
/// rho is concave in |d|^2, so the right side lies above 2 E up to a constant and touches it at y: each solve
/// lowers E (iteratively reweighted least squares, Holland and Welsch 1977; as a majorisation, Hunter and
/// Lange 2004). With a normal prior the w_t are 1 / c^2 and the first solve is the answer: the smoother of
/// Whittaker (1923).
///
///     TrajectorySmoother smoother;
///     std::vector<double> y = x;
///     const SmoothingRun run = smoother.minimize(TrajectoryEnergy(x, 3, prior), y);
///
/// The factors serve sampling too: in z with y = m + R z, R R' the inverse of the matrix, E bends about as
/// much every way, |z|^2 / 2 for a normal prior about its minimum m, and Langevin steps need not be as small
/// as the sharpest bend asks:
///
///     smoother.factor(energy, y);
///     auto whitened = [&](std::span<const double> z, std::span<double> gradient) {
///       std::copy(z.begin(), z.end(), at.begin()), smoother.unwhiten(at);
///       for (std::size_t i = 0; i < at.size(); ++i) at[i] += y[i];
///       const double e = energy(at, gradient);
///       return smoother.whiten_gradient(gradient), e;
///     };
///
/// A solve factors a symmetric matrix with two diagonals beside the main one, O(T) time and memory, without
/// pivots: it is positive definite, its lowest eigenvalue at least 1 / s^2.
#pragma once

#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/energy/trajectory_energy.h"

namespace thalweg {

struct SmoothingOptions {
  Index solves = 100;       ///< at most, >= 1; heavy tails take 10 to 50
  double tolerance = 1e-3;  ///< >= 0; stops where a solve moves no coordinate by more than this times s
};

struct SmoothingRun {
  double energy = kInfinity<double>;  ///< E at the y returned
  Index solves = 0;
  bool converged = false;  ///< the last solve moved no coordinate by more than the tolerance
};

/// One per thread, allocating nothing once it has seen the longest trajectory.
class THALWEG_EXPORT TrajectorySmoother {
 public:
  /// A local minimum below the start `y` [2 T], which it replaces; the minimum for a normal prior. O(T) a
  /// solve. @throws OptionError for an option out of range
  SmoothingRun minimize(const TrajectoryEnergy& energy, std::span<double> y, const SmoothingOptions& o = {});

  /// Factors A = I / s^2 + sum_t w_t b_t b_t' with the w_t of y [2 T], where b_t' y = d_t: the Hessian of E
  /// for a normal prior, and a convex stand-in for it otherwise. O(T).
  void factor(const TrajectoryEnergy& energy, std::span<const double> y);
  /// z -> R z with R R' = A^-1, in place, [2 T]. O(T). @pre of the T that was factored
  void unwhiten(std::span<double> z) const;
  /// g -> R' g, in place: makes dE/dy the dE/dz of y = m + R z.
  void whiten_gradient(std::span<double> g) const;

 private:
  void forward(std::span<double> v) const;
  void backward(std::span<double> v) const;

  std::vector<double> diagonal_, next_,
      second_;                               // [T] of A = L D L': D, and the diagonals of L below its ones
  std::vector<double> solution_, gradient_;  // [2 T]
};

}  // namespace thalweg
