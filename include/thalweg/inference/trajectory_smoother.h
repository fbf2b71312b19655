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

 private:
  void solve(const TrajectoryEnergy& energy, std::span<const double> y);

  std::vector<double> diagonal_, next_, second_;  // [T] D, and the diagonals below it of L, of L D L'
  std::vector<double> solution_, gradient_;       // [2 T]
};

}  // namespace thalweg
