#include "thalweg/inference/langevin.h"

#include "support/catch.h"
#include "support/message.h"
#include "support/sanitized.h"
#include "support/transition.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

constexpr int kDraws = kSanitized ? 4000 : 40000;

// E = x' A x / 2 with A = [[2, 0.8], [0.8, 1]].
double gaussian(std::span<const double> x, std::span<double> g) {
  g[0] = 2 * x[0] + 0.8 * x[1], g[1] = 0.8 * x[0] + x[1];
  return (x[0] * g[0] + x[1] * g[1]) / 2;
}

// A covariance of pairs (x, y) about 0: xx, xy, yy.
struct Covariance {
  double xx = 0, xy = 0, yy = 0;
};

// The largest |z| of the second moments of `kDraws` independent ends of `steps` steps from exact draws with
// covariance `from`, against `expected`; moments of a normal have variance E[x^2] E[y^2] + E[xy]^2.
template <class Step>
double worst_moment(const Covariance& from, const Covariance& expected, Step step) {
  Rng rng(3);
  Covariance sum;
  const double a = std::sqrt(from.xx), b = from.xy / a, c = std::sqrt(from.yy - b * b);
  for (int n = 0; n < kDraws; ++n) {
    const double u = rng.normal(), v = rng.normal();
    double x[2] = {a * u, b * u + c * v};
    step(rng, std::span<double>(x));
    sum.xx += x[0] * x[0], sum.xy += x[0] * x[1], sum.yy += x[1] * x[1];
  }
  const auto z = [](double total, double mean, double variance) {
    return std::abs(total / kDraws - mean) / std::sqrt(variance / kDraws);
  };
  const Covariance& e = expected;
  return std::max({z(sum.xx, e.xx, 2 * e.xx * e.xx), z(sum.yy, e.yy, 2 * e.yy * e.yy),
                   z(sum.xy, e.xy, e.xx * e.yy + e.xy * e.xy)});
}

// (beta A (1 - h A / 2))^-1, or with h = 0 the exact covariance.
Covariance stationary(double beta, double h) {
  const double a = 2, b = 0.8, d = 1;
  const double aa = a * a + b * b, ab = a * b + b * d, dd = b * b + d * d;
  const double p = beta * (a - h / 2 * aa), q = beta * (b - h / 2 * ab), r = beta * (d - h / 2 * dd);
  const double det = p * r - q * q;
  return {r / det, -q / det, p / det};
}

}  // namespace

TEST_CASE("adjusted Langevin keeps a Gaussian, unadjusted one keeps a wider one", "[inference][langevin]") {
  for (double beta : {1.0, 3.0}) {
    const double h = 0.5;
    const Covariance exact = stationary(beta, 0), wide = stationary(beta, h);
    Langevin langevin(2, {.step = h, .beta = beta});
    int taken = 0;
    const auto adjusted = [&](Rng& rng, std::span<double> x) {
      langevin.start(gaussian, x);
      for (int k = 0; k < 3; ++k) taken += langevin.adjusted_step(gaussian, rng, x);
    };
    const auto unadjusted = [&](Rng& rng, std::span<double> x) {
      langevin.start(gaussian, x);
      for (int k = 0; k < 3; ++k) langevin.step(gaussian, rng, x);
    };
    CHECK(worst_moment(exact, exact, adjusted) < 4.5);
    CHECK(taken > 1.5 * kDraws);
    CHECK(taken < 2.9 * kDraws);
    CHECK(worst_moment(wide, wide, unadjusted) < 4.5);
    CHECK(worst_moment(exact, exact, unadjusted) > 8);  // the negative control
  }
}

TEST_CASE("adjusted Langevin reaches both wells of a double well", "[inference][langevin]") {
  const auto wells = [](std::span<const double> x, std::span<double> g) {
    const double y = x[0];
    if (y > 2) return kInfinity<double>;  // a wall
    g[0] = 4 * y * (y * y - 1) + 0.3;
    return (y * y - 1) * (y * y - 1) + 0.3 * y;
  };
  constexpr int kBins = 16;
  std::vector<double> p(kBins, 0), counts(kBins, 0);
  double unused[1];
  for (int i = 0; i < kBins * 1000; ++i) {  // midpoints of [-2, 2]
    const double x[] = {-2 + 4 * (i + 0.5) / (kBins * 1000)};
    p[static_cast<std::size_t>(i / 1000)] += std::exp(-wells(x, unused));
  }
  double total = 0;
  for (double v : p) total += v;
  for (double& v : p) v /= total;
  Rng rng(4);
  Langevin langevin(1, {.step = 0.15});
  double x[] = {1};
  langevin.start(wells, x);
  for (int n = 0; n < kDraws / 4; ++n) {
    for (int k = 0; k < 50; ++k) langevin.adjusted_step(wells, rng, x);
    REQUIRE(x[0] <= 2);
    if (x[0] > -2) ++counts[static_cast<std::size_t>((x[0] + 2) / 4 * kBins)];  // below: once in 10^4
  }
  CHECK(chi_square_ratio(counts, p) < 1);
}

TEST_CASE("without noise Langevin is gradient descent", "[inference][langevin]") {
  Rng rng(5);
  Langevin langevin(2, {.step = 0.3, .beta = kInfinity<double>});
  for (bool adjusted : {false, true}) {
    double x[] = {3, -4};
    langevin.start(gaussian, x);
    for (int k = 0; k < 200; ++k) {
      const double before = langevin.energy();
      if (adjusted) {
        langevin.adjusted_step(gaussian, rng, x);
      } else {
        langevin.step(gaussian, rng, x);
      }
      REQUIRE(langevin.energy() <= before);
    }
    CHECK(std::abs(x[0]) + std::abs(x[1]) < 1e-9);
  }
}

TEST_CASE("bad options of Langevin are refused by name", "[inference][langevin]") {
  const auto refused = [](Index n, LangevinOptions o) {
    return message_of<OptionError>([&] { Langevin(n, o); });
  };
  CHECK_THAT(refused(2, {.step = 0}), ContainsSubstring("step: must be finite and > 0"));
  CHECK_THAT(refused(2, {.beta = -1}), ContainsSubstring("beta: must be > 0"));
  CHECK_THAT(refused(-1, {}), ContainsSubstring("n: must be >= 0"));
  Langevin langevin(1);
  const double x[] = {0};
  CHECK_THROWS_AS(langevin.start([](auto, auto) { return kInfinity<double>; }, x), InputError);
}
