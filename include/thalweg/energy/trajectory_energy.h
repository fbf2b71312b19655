/// @file
/// `TrajectoryEnergy`: an energy over a continuous answer, the clean trajectory y of a pen whose samples x
/// are noisy. Both are T points of the plane, [2 T] numbers x_0 y_0 x_1 y_1 ...:
///
///     E(y | x) = sum_t |y_t - x_t|^2 / (2 s^2) + sum_{0 < t < T - 1} rho(|d_t|^2)
///     d_t = y_{t-1} - 2 y_t + y_{t+1}
///     rho(r) = (nu + 2) / 2 log(1 + r / (nu c^2)),       r / (2 c^2) for nu = +infinity
///
/// exp(-rho) is, but for its constant, Student's t in the plane with nu degrees of freedom and scale c, and
/// at nu = +infinity the normal with variance c^2 a coordinate. A normal prior bends a little everywhere;
/// under a low nu most bends are small and corners come at a price that grows with the logarithm of their
/// size.
///
///     const BendPrior prior = fit_student_bends(squared_bends);   // of clean trajectories
///     const TrajectoryEnergy energy(x, 3, prior);                 // noise of 3 pixels a coordinate
///     std::vector<double> y = x, gradient(y.size());
///     double e = energy(y, gradient);
///
/// It is what minimize_lbfgs, Langevin and inference/trajectory_smoother.h minimise or sample. E is convex
/// for nu = +infinity alone; for others minima may be local.
#pragma once

#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// The distribution of the second differences d.
struct BendPrior {
  double scale = 1;                 ///< c, finite and > 0; in the units of the trajectory
  double tail = kInfinity<double>;  ///< nu > 0; 1 is Cauchy's, +infinity normal

  /// 2 rho'(r) of r = |d|^2: the stiffness of the spring that bends as rho does at r.
  double stiffness(double squared) const {
    if (tail == kInfinity<double>) return 1 / (scale * scale);
    return (tail + 2) / (tail * scale * scale + squared);
  }
};

/// |d_t|^2 for 0 < t < T - 1, appended to `squared`. @param y [2 T]
THALWEG_EXPORT void squared_bends(std::span<const double> y, std::vector<double>& squared);

/// The normal prior of highest likelihood: c^2 is half the mean of |d|^2.
/// @throws InputError where there are none, one is negative or not finite, or all are 0
THALWEG_EXPORT BendPrior fit_normal_bends(std::span<const double> squared);

/// The Student prior of highest likelihood. P(|d|^2 > r) = (1 + r / (nu c^2))^(-nu / 2), so that
/// nu = 2 n / sum log(1 + r / l) for a given l = nu c^2, and l is searched for on a line: a grid, then golden
/// section. nu = +infinity where nothing heavier than the normal fits better. Some 100 passes.
///
/// The density of samples that coincide has no bound: trajectories rounded to a grid, where bends of exactly
/// 0 are frequent, need noise uniform over a cell of it first.
/// @throws InputError as fit_normal_bends, and where the likelihood has no bound
THALWEG_EXPORT BendPrior fit_student_bends(std::span<const double> squared);

/// A view of x, which must outlive it.
class THALWEG_EXPORT TrajectoryEnergy {
 public:
  /// @param x [2 T]  @param noise s > 0, the deviation a coordinate
  /// @throws OptionError for s, c or nu out of range; InputError where x has an odd size
  TrajectoryEnergy(std::span<const double> x, double noise, const BendPrior& prior);

  /// E(y), and dE/dy in `gradient`. O(T). @pre both are [2 T]
  double operator()(std::span<const double> y, std::span<double> gradient) const;

  std::span<const double> x() const { return x_; }
  double noise() const { return noise_; }
  const BendPrior& prior() const { return prior_; }
  Index points() const { return static_cast<Index>(x_.size() / 2); }

 private:
  std::span<const double> x_;
  double noise_;
  BendPrior prior_;
};

}  // namespace thalweg
