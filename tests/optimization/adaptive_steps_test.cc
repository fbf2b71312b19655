#include "thalweg/optimization/adaptive_steps.h"

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

using namespace thalweg;

namespace {

// sum_i a_i (x_i - b_i)^2 / 2, whose minimum with l2 |x|^2 + l1 |x|_1 is known.
struct Separable {
  std::vector<double> a{4, 1, 0.5, 2, 9}, b{1, -2, 0.05, 0, 3};
  std::vector<double> gradient(const std::vector<double>& x) const {
    std::vector<double> g(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) g[i] = a[i] * (x[i] - b[i]);
    return g;
  }
  double optimum(std::size_t i, double l2, double l1) const {
    const double pull = a[i] * b[i];
    return std::copysign(std::max(std::abs(pull) - l1, 0.0), pull) / (a[i] + 2 * l2);
  }
};

}  // namespace

TEST_CASE("the first two steps are those of the papers", "[optimization][adaptive]") {
  std::vector<double> x{1};
  AdaptiveSteps adagrad(1, {.rate = 0.5, .epsilon = 1e-12});
  adagrad.step(x, std::vector<double>{3});
  CHECK(x[0] == Approx(1 - 0.5 * 3 / 3.0));
  adagrad.step(x, std::vector<double>{4});
  CHECK(x[0] == Approx(0.5 - 0.5 * 4 / 5.0));

  x = {1};
  AdaptiveSteps adam(1, {.method = AdaptiveMethod::Adam, .rate = 0.1, .epsilon = 1e-12, .halving = 1});
  adam.step(x, std::vector<double>{3});
  CHECK(x[0] == Approx(1 - 0.1));  // corrected means are 3 and 9
  adam.step(x, std::vector<double>{-1});
  const double mean = (0.9 * 0.1 * 3 - 0.1 * 1) / (1 - 0.81);
  const double square = (0.999 * 0.001 * 9 + 0.001 * 1) / (1 - 0.999 * 0.999);
  CHECK(x[0] == Approx(0.9 - 0.1 / std::sqrt(2.0) * mean / std::sqrt(square)));
}

TEST_CASE("l2 is part of the gradient, l1 is minimised exactly along a step", "[optimization][adaptive]") {
  // g = 2 + 2 * .4 * 1; the rate is .5 / g.
  std::vector<double> x{1, 1};
  AdaptiveSteps steps(2, {.rate = 0.5, .epsilon = 1e-12});
  steps.step(x, std::vector<double>{2, 2}, 0.4, 0.6);
  CHECK(x[0] == Approx(1 - 0.5 - 0.5 / 2.8 * 0.6));
  steps.step(x, std::vector<double>{2, 2}, 0, 100);
  CHECK(x[0] == 0);
}

TEST_CASE("a coordinate that nothing was said of stays", "[optimization][adaptive]") {
  for (const AdaptiveMethod method : {AdaptiveMethod::Adagrad, AdaptiveMethod::Adam}) {
    std::vector<double> x{1, 1};
    AdaptiveSteps steps(2, {.method = method, .rate = 0.01});
    for (int i = 0; i < 5; ++i) steps.step(x, std::vector<double>{1, 0}, 0, 0.1);
    CHECK(x[0] < 1);
    CHECK(x[1] == 1);
    // A little regularisation moves what a rare feature weighs by no more than the rate at first.
    steps.step(x, std::vector<double>{1, 0}, 1e-9);
    CHECK(x[1] >= 0.9);
  }
}

TEST_CASE("both methods reach the optimum, with exact zeros under l1", "[optimization][adaptive]") {
  const Separable f;
  for (const AdaptiveMethod method : {AdaptiveMethod::Adagrad, AdaptiveMethod::Adam}) {
    for (const double l1 : {0.0, 0.1}) {
      for (const double l2 : {0.0, 0.3}) {
        CAPTURE(static_cast<int>(method), l1, l2);
        std::vector<double> x(5, 0.7);
        AdaptiveSteps steps(5, {.method = method, .rate = 0.5});
        for (int i = 0; i < 20000; ++i) steps.step(x, f.gradient(x), l2, l1);
        for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == Approx(f.optimum(i, l2, l1)).margin(2e-3));
        if (l1 > 0) CHECK(x[2] == 0);  // |a b| < l1
      }
    }
  }
}

TEST_CASE("noise averages out", "[optimization][adaptive]") {
  const Separable f;
  for (const AdaptiveMethod method : {AdaptiveMethod::Adagrad, AdaptiveMethod::Adam}) {
    std::vector<double> x(5, 0.0), mean(5, 0.0);
    Rng rng(5);
    AdaptiveSteps steps(5, {.method = method, .rate = 0.3});
    for (int i = 0; i < 20000; ++i) {
      std::vector<double> g = f.gradient(x);
      for (double& one : g) one += rng.normal();
      steps.step(x, g);
      for (std::size_t k = 0; k < 5 && i >= 10000; ++k) mean[k] += x[k] / 10000;
    }
    // The mean of n noisy gradients has a deviation of 1 / sqrt(n), which is worth 1 / (a sqrt(n)) in x.
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(mean[i] == Approx(f.b[i]).margin(4 * 0.01 / f.a[i]));
  }
}

TEST_CASE("threads do not change a bit, and a state goes on", "[optimization][adaptive][parallel]") {
  const Index D = 100000;
  const auto run = [&](AdaptiveMethod method, int threads, bool interrupted) {
    std::vector<double> x(static_cast<std::size_t>(D), 0.1), g(x.size());
    AdaptiveSteps steps(D, {.method = method});
    Rng rng(1);
    for (int i = 0; i < 6; ++i) {
      for (double& one : g) one = rng.normal();
      steps.step(x, g, 0.1, 0.01, threads);
      if (interrupted && i == 2) {
        AdaptiveSteps other(D, {.method = method});
        other.restore(steps.state());
        steps = other;
      }
    }
    return x;
  };
  for (const AdaptiveMethod method : {AdaptiveMethod::Adagrad, AdaptiveMethod::Adam}) {
    const auto first = run(method, 1, false);
    REQUIRE(run(method, 2, false) == first);
    REQUIRE(run(method, 3, true) == first);
  }
}

TEST_CASE("steps that cannot be taken are refused", "[optimization][adaptive]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(AdaptiveSteps(1, {.rate = 0}), OptionError);
  CHECK_THROWS_AS(AdaptiveSteps(1, {.rate = nan}), OptionError);
  CHECK_THROWS_AS(AdaptiveSteps(1, {.epsilon = -1}), OptionError);
  CHECK_THROWS_AS(AdaptiveSteps(1, {.mean_decay = 1}), OptionError);
  CHECK_THROWS_AS(AdaptiveSteps(1, {.square_decay = -0.1}), OptionError);
  CHECK_THROWS_AS(AdaptiveSteps(1, {.halving = 0}), OptionError);
  AdaptiveSteps two(2), three(3), adam(2, {.method = AdaptiveMethod::Adam});
  CHECK_THROWS_AS(two.restore(three.state()), InputError);
  CHECK_THROWS_AS(two.restore(adam.state()), InputError);
}
