#include "thalweg/optimization/gradient_check.h"

#include <cmath>
#include <set>

#include "support/catch.h"
#include "thalweg/core/error.h"

using namespace thalweg;

namespace {

// sum_i sin(x_i) x_(i+1); the derivative by coordinate `wrong` is off by the factor `factor`.
Objective waves(Index wrong = -1, double factor = 1) {
  return [=](std::span<const double> x, std::span<double> g) {
    std::fill(g.begin(), g.end(), 0.0);
    double f = 0;
    for (std::size_t i = 0; i + 1 < x.size(); ++i) {
      f += std::sin(x[i]) * x[i + 1];
      g[i] += std::cos(x[i]) * x[i + 1];
      g[i + 1] += std::sin(x[i]);
    }
    if (wrong >= 0) g[wrong] *= factor;
    return f;
  };
}

// max(0, 1 - x) at the kink or not, claiming `slope`.
Objective hinge(double slope) {
  return [=](std::span<const double> x, std::span<double> g) {
    g[0] = slope;
    return std::max(0.0, 1 - x[0]);
  };
}

const std::vector<double> kPoint{0.3, -1.2, 2.0, 50.0, -0.7};

}  // namespace

TEST_CASE("a right gradient passes", "[optimization][gradient]") {
  const GradientCheck check = check_gradient(waves(), kPoint);
  CHECK(check.error < 1e-7);
  CHECK(check.checked == 5);
  CHECK(check.kinks == 0);
  const auto square = [](std::span<const double> x, std::span<double> g) {
    return g[0] = 2 * x[0], x[0] * x[0];
  };
  CHECK(check_gradient(square, std::vector{1e8}).error < 1e-7);  // the step grows with x
}

TEST_CASE("a gradient wrong in the fifth digit is found, with its coordinate", "[optimization][gradient]") {
  for (Index wrong : {0, 2, 4}) {
    const GradientCheck check = check_gradient(waves(wrong, 1 + 1e-5), kPoint);
    CHECK(check.coordinate == wrong);
    CHECK(check.error > 2e-6);
    CHECK(check.claimed == Approx(check.numeric * (1 + 1e-5)).epsilon(1e-7));
  }
}

TEST_CASE("entries left unwritten and values that are not finite are errors", "[optimization][gradient]") {
  const auto forgets = [](std::span<const double> x, std::span<double> g) { return g[0] = 1, x[0]; };
  const GradientCheck forgotten = check_gradient(forgets, std::vector{1.0, 2.0});
  CHECK(forgotten.error == kInfinity<double>);
  CHECK(forgotten.coordinate == 1);
  const auto root = [](std::span<const double> x, std::span<double> g) { return g[0] = 1, std::sqrt(x[0]); };
  CHECK(check_gradient(root, std::vector{0.0}).error == kInfinity<double>);
}

TEST_CASE("at a kink every slope between the two sides is right, and no other", "[optimization][gradient]") {
  for (double slope : {-1.0, -0.3, 0.0}) {
    const GradientCheck check = check_gradient(hinge(slope), std::vector{1.0});
    CHECK(check.error < 1e-9);
    CHECK(check.kinks == 1);
  }
  CHECK(check_gradient(hinge(0.1), std::vector{1.0}).error == Approx(0.1));
  CHECK(check_gradient(hinge(-1.5), std::vector{1.0}).error == Approx(0.5 / 1.5));
  CHECK(check_gradient(hinge(-0.3), std::vector{0.9}).error == Approx(0.7));
  CHECK(check_gradient(hinge(-0.3), std::vector{0.9}).kinks == 0);
}

TEST_CASE("samples are distinct coordinates", "[optimization][gradient]") {
  const std::vector<double> x(40, 1.0);
  std::set<Index> moved;
  const Objective spy = [&](std::span<const double> at, std::span<double> g) {
    double f = 0;
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (at[i] != 1) moved.insert(static_cast<Index>(i));
      g[i] = 1;
      f += at[i];
    }
    return f;
  };
  CHECK(check_gradient(spy, x, {.samples = 12, .seed = 3}).checked == 12);
  CHECK(moved.size() == 12);
  moved.clear();
  CHECK(check_gradient(spy, x, {.samples = 100}).checked == 40);
  CHECK(moved.size() == 40);
  CHECK_THROWS_WITH(check_gradient(spy, x, {.step = 0}), "step: 0 is out of range; must be positive");
  CHECK_THROWS_AS(check_gradient(spy, x, {.floor = 0}), OptionError);
  CHECK_THROWS_AS(check_gradient(spy, x, {.kink = -1}), OptionError);
  CHECK_THROWS_AS(check_gradient(spy, x, {.samples = -1}), OptionError);
}
