#include "thalweg/inference/trajectory_smoother.h"

#include <algorithm>
#include <cmath>

#include "support/catch.h"
#include "support/message.h"
#include "support/sanitized.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"
#include "thalweg/energy/trajectory_energy.h"
#include "thalweg/inference/langevin.h"
#include "thalweg/optimization/gradient_check.h"
#include "thalweg/optimization/lbfgs.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

const BendPrior kNormal{1.5};
const BendPrior kHeavy{0.7, 2.5};

// Two straight lines that meet in a corner, and noise of deviation 1.
std::vector<double> noisy_corner(std::size_t points, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<double> x;
  for (std::size_t t = 0; t < points; ++t) {
    const double at = static_cast<double>(t), half = static_cast<double>(points / 2);
    x.push_back(5 * at + rng.normal());
    x.push_back(5 * std::abs(at - half) + rng.normal());
  }
  return x;
}

double apart(std::span<const double> a, std::span<const double> b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

double energy_at(const TrajectoryEnergy& energy, std::span<const double> y) {
  std::vector<double> gradient(y.size());
  return energy(y, gradient);
}

double steepest(const TrajectoryEnergy& energy, std::span<const double> y) {
  std::vector<double> gradient(y.size());
  energy(y, gradient);
  double most = 0;
  for (double g : gradient) most = std::max(most, std::abs(g));
  return most;
}

// The inverse of the Hessian of a normal energy over one coordinate [T x T], by Gauss and Jordan.
std::vector<std::vector<double>> covariance(std::size_t points, double noise, double scale) {
  std::vector<std::vector<double>> a(points, std::vector<double>(2 * points));
  for (std::size_t t = 0; t < points; ++t) a[t][t] = 1 / (noise * noise), a[t][points + t] = 1;
  const double b[] = {1, -2, 1};
  for (std::size_t t = 0; t + 2 < points; ++t) {
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) a[t + i][t + j] += b[i] * b[j] / (scale * scale);
    }
  }
  for (std::size_t k = 0; k < points; ++k) {
    const double pivot = a[k][k];
    for (double& cell : a[k]) cell /= pivot;
    for (std::size_t i = 0; i < points; ++i) {
      const double factor = a[i][k];
      for (std::size_t j = 0; i != k && j < 2 * points; ++j) a[i][j] -= factor * a[k][j];
    }
  }
  for (auto& row : a) row.erase(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(points));
  return a;
}

}  // namespace

TEST_CASE("trajectory energies by hand", "[trajectory]") {
  const std::vector<double> x = {0, 0, 1, 0, 2, 0}, y = {0, 0, 1, 2, 2, 0};  // d = (0, -4)
  const double near = 4 / (2 * 0.25);
  CHECK(energy_at({x, 0.5, {2}}, y) == Approx(near + 16 / (2 * 4.0)));
  CHECK(energy_at({x, 0.5, {2, 3}}, y) == Approx(near + 2.5 * std::log(1 + 16 / 12.0)));
  CHECK(energy_at({x, 0.5, {2, 1e9}}, y) == Approx(energy_at({x, 0.5, {2}}, y)));
  CHECK(energy_at({x, 1, {2}}, x) == 0);
}

TEST_CASE("trajectory energies have the gradient that they claim", "[trajectory][gradients]") {
  for (std::size_t points : {0, 1, 2, 3, 4, 9}) {
    for (const BendPrior& prior : {kNormal, kHeavy}) {
      const std::vector<double> x = noisy_corner(points, 1), y = noisy_corner(points, 2);
      CHECK(check_gradient(TrajectoryEnergy(x, 0.8, prior), y).error < 1e-7);
    }
  }
}

TEST_CASE("trajectory energies refuse what they cannot use", "[trajectory]") {
  const std::vector<double> x(4), odd(3);
  CHECK_THROWS_AS(TrajectoryEnergy(odd, 1, {}), InputError);
  CHECK_THROWS_AS(TrajectoryEnergy(x, 0, {}), OptionError);
  CHECK_THROWS_AS(TrajectoryEnergy(x, 1, {0}), OptionError);
  CHECK_THROWS_AS(TrajectoryEnergy(x, 1, {1, 0}), OptionError);
  std::vector<double> y = x;
  CHECK_THROWS_AS(TrajectorySmoother().minimize({x, 1, {}}, y, {.solves = 0}), OptionError);
  CHECK_THROWS_AS(TrajectorySmoother().minimize({x, 1, {}}, y, {.tolerance = -1}), OptionError);
}

TEST_CASE("priors of highest likelihood are those that bends were drawn from", "[trajectory]") {
  // |d|^2 = l (u^(-2 / nu) - 1) has P(|d|^2 > r) = (1 + r / l)^(-nu / 2).
  constexpr int kBends = 20000;
  for (const BendPrior truth : {BendPrior{2, 1}, BendPrior{0.5, 3}, BendPrior{30, 8}}) {
    Rng rng(4);
    std::vector<double> squared;
    const double l = truth.tail * truth.scale * truth.scale;
    for (int n = 0; n < kBends; ++n)
      squared.push_back(l * (std::pow(1 - rng.uniform(), -2 / truth.tail) - 1));
    const BendPrior fit = fit_student_bends(squared);
    INFO(truth.tail << " found as " << fit.tail);
    CHECK(fit.scale == Approx(truth.scale).epsilon(0.03));
    CHECK(fit.tail == Approx(truth.tail).epsilon(0.1));
    // No prior near by is likelier.
    const auto log_likelihood = [&](double scale, double tail) {
      double sum = 0;
      for (double r : squared)
        sum -= std::log(scale * scale) + (tail + 2) / 2 * std::log1p(r / (tail * scale * scale));
      return sum;
    };
    const double best = log_likelihood(fit.scale, fit.tail);
    for (double by : {0.99, 1.01}) {
      CHECK(log_likelihood(fit.scale * by, fit.tail) < best);
      CHECK(log_likelihood(fit.scale, fit.tail * by) < best);
    }
  }
}

TEST_CASE("bends as the normal has them need no tail", "[trajectory]") {
  std::vector<double> squared, even;
  for (int n = 0; n < 1000; ++n) {
    even.push_back(8);  // lighter still
    squared.push_back(-2 * 9 * std::log(1 - (n + 0.5) / 1000));
  }
  CHECK(fit_normal_bends(even).scale == Approx(2));
  CHECK(fit_student_bends(even).tail == kInfinity<double>);
  CHECK(fit_student_bends(even).scale == Approx(2));
  CHECK(fit_student_bends(squared).scale == Approx(3).epsilon(0.01));
  CHECK(fit_student_bends(squared).tail > 100);
  const std::vector<double> none, zeros(3, 0.0);
  std::vector<double> coinciding(10, 0.0);
  coinciding.push_back(1);
  CHECK_THROWS_AS(fit_normal_bends(none), InputError);
  CHECK_THROWS_AS(fit_normal_bends(zeros), InputError);
  CHECK(message_of<InputError>([&] { fit_student_bends(coinciding); }).find("no bound") != std::string::npos);
}

TEST_CASE("the banded solve is the minimum of a normal trajectory energy", "[trajectory]") {
  TrajectorySmoother smoother;
  for (std::size_t points : {0, 1, 2, 3, 4, 5, 12, 40}) {
    const std::vector<double> x = noisy_corner(points, 3);
    const TrajectoryEnergy energy(x, 1.2, kNormal);
    std::vector<double> y = x;
    const SmoothingRun run = smoother.minimize(energy, y);
    CHECK((run.converged && run.solves == 1));
    CHECK(run.energy == energy_at(energy, y));
    CHECK(steepest(energy, y) < 1e-10);
    if (points > 0) {  // against the dense inverse
      const auto inverse = covariance(points, 1.2, kNormal.scale);
      for (std::size_t t = 0; t < points; ++t) {
        double expected = 0;
        for (std::size_t u = 0; u < points; ++u) expected += inverse[t][u] * x[2 * u] / (1.2 * 1.2);
        CHECK(y[2 * t] == Approx(expected).margin(1e-9));
      }
    }
  }
}

TEST_CASE("whitened trajectories: R R' is the inverse, gradients go through R'", "[trajectory]") {
  const std::size_t points = 9, size = 2 * points;
  const std::vector<double> x = noisy_corner(points, 4);
  const TrajectoryEnergy energy(x, 1.2, kNormal);
  TrajectorySmoother smoother;
  smoother.factor(energy, x);
  std::vector<std::vector<double>> columns, rows;
  for (std::size_t k = 0; k < size; ++k) {
    for (auto* images : {&columns, &rows}) images->emplace_back(size)[k] = 1;
    smoother.unwhiten(columns[k]), smoother.whiten_gradient(rows[k]);
  }
  const auto inverse = covariance(points, 1.2, kNormal.scale);
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < size; ++j) {
      double product = 0;
      for (std::size_t k = 0; k < size; ++k) product += columns[k][i] * columns[k][j];
      CHECK(product == Approx(i % 2 == j % 2 ? inverse[i / 2][j / 2] : 0).margin(1e-12));
      CHECK(rows[i][j] == Approx(columns[j][i]).margin(1e-12));
    }
  }
}

TEST_CASE("gradient descent and L-BFGS end where the banded solve does", "[trajectory]") {
  const std::vector<double> x = noisy_corner(20, 5);
  const TrajectoryEnergy energy(x, 1, kNormal);
  std::vector<double> exact = x;
  TrajectorySmoother().minimize(energy, exact);

  // The Hessian's eigenvalues lie in [1 / s^2, 1 / s^2 + 16 / c^2].
  const double bent = 1 + 16 / (kNormal.scale * kNormal.scale);
  Langevin descent(static_cast<Index>(x.size()), {.step = 1 / bent, .beta = kInfinity<double>});
  Rng rng(1);
  std::vector<double> y = x;
  descent.start(energy, y);
  for (int k = 0; k < 250; ++k) descent.step(energy, rng, y);
  CHECK(apart(y, exact) < 1e-9);

  y = x;
  minimize_lbfgs(energy, y, {.gradient_tolerance = 1e-12, .delta = 0});
  CHECK(apart(y, exact) < 1e-6);
}

TEST_CASE("adjusted Langevin has the mean and the spread of a normal posterior", "[trajectory][langevin]") {
  const std::size_t points = 8;
  const std::vector<double> x = noisy_corner(points, 6);
  const TrajectoryEnergy energy(x, 1, kNormal);
  std::vector<double> exact = x;
  TrajectorySmoother().minimize(energy, exact);
  const auto spread = covariance(points, 1, kNormal.scale);

  // Chains of many steps are averaged in blocks long enough to be independent, whose spread gives the error.
  const int blocks = kSanitized ? 20 : 100, steps = 500;
  Langevin langevin(static_cast<Index>(x.size()), {.step = 0.12});
  Rng rng(2);
  std::vector<double> y = exact;
  langevin.start(energy, y);
  std::vector<double> mean(x.size()), squares(x.size()), deviation(x.size()), wide(x.size());
  int taken = 0;
  for (int b = 0; b < blocks; ++b) {
    std::vector<double> block(x.size());
    for (int k = 0; k < steps; ++k) {
      taken += langevin.adjusted_step(energy, rng, y);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double off = y[i] - exact[i];
        block[i] += off / steps, wide[i] += off * off / (steps * blocks);
      }
    }
    for (std::size_t i = 0; i < x.size(); ++i)
      mean[i] += block[i] / blocks, squares[i] += block[i] * block[i];
  }
  const double share = static_cast<double>(taken) / (steps * blocks);
  CHECK((share > 0.3 && share < 0.9));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = std::sqrt(squares[i]) / blocks;
    CHECK(std::abs(mean[i]) < 4 * error);
    CHECK(error < 0.05);
    CHECK(wide[i] == Approx(spread[i / 2][i / 2]).epsilon(0.15));
  }
}

TEST_CASE("each reweighted solve lowers a heavy-tailed energy, down to a minimum", "[trajectory]") {
  const std::vector<double> x = noisy_corner(30, 7);
  const TrajectoryEnergy energy(x, 1, kHeavy);
  TrajectorySmoother smoother;
  std::vector<double> y = x;
  double before = energy_at(energy, y);
  for (int k = 0; k < 30; ++k) {
    const double e = smoother.minimize(energy, y, {.solves = 1}).energy;
    CHECK(e <= before + 1e-12);
    before = e;
  }
  const SmoothingRun run = smoother.minimize(energy, y, {.solves = 2000, .tolerance = 1e-12});
  CHECK(run.converged);
  CHECK(steepest(energy, y) < 1e-9);
  // L-BFGS finds nothing lower from there, nor does any small move.
  std::vector<double> on = y;
  minimize_lbfgs(energy, on, {.gradient_tolerance = 1e-12, .delta = 0});
  CHECK(apart(on, y) < 1e-6);
  Rng rng(8);
  for (int n = 0; n < 200; ++n) {
    on = y;
    for (double& c : on) c += 1e-2 * rng.normal();
    CHECK(energy_at(energy, on) > run.energy);
  }
}

TEST_CASE("a heavy tail keeps the corner that a normal prior rounds off", "[trajectory]") {
  std::vector<double> corner;
  for (int t = 0; t < 21; ++t) corner.insert(corner.end(), {5.0 * t, 5.0 * std::abs(t - 10)});
  const auto off = [&](const BendPrior& prior) {
    std::vector<double> y = corner;
    TrajectorySmoother().minimize({corner, 1, prior}, y);
    return apart(y, corner);
  };
  CHECK(off({0.3}) > 1);
  CHECK(off({0.3, 2}) < 0.1);
}
