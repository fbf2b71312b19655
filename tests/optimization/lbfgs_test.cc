#include "thalweg/optimization/lbfgs.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "support/catch.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"
#include "thalweg/optimization/gradient_check.h"

#ifdef THALWEG_HAVE_LIBLBFGS
#include <lbfgs.h>
#endif

using namespace thalweg;

namespace {

using Vector = std::vector<double>;

// To the last digit: only the gradient stops the run.
LbfgsOptions tight(double tolerance = 1e-10) {
  return {.max_iterations = 5000, .gradient_tolerance = tolerance, .period = 0};
}

Vector random_vector(std::size_t n, std::uint64_t seed) {
  Rng rng(seed);
  Vector x(n);
  for (double& v : x) v = rng.normal();
  return x;
}

double norm(std::span<const double> x) {
  double sum = 0;
  for (double v : x) sum += v * v;
  return std::sqrt(sum);
}

double distance(std::span<const double> a, std::span<const double> b) {
  Vector difference(a.begin(), a.end());
  for (std::size_t i = 0; i < a.size(); ++i) difference[i] -= b[i];
  return norm(difference);
}

// sum_i curvature_i (x_i - optimum_i)^2 / 2
Objective quadratic(Vector curvature, Vector optimum) {
  return [=](std::span<const double> x, std::span<double> g) {
    double f = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      g[i] = curvature[i] * (x[i] - optimum[i]);
      f += 0.5 * g[i] * (x[i] - optimum[i]);
    }
    return f;
  };
}

// Extended Rosenbrock (More, Garbow and Hillstrom 1981, problem 21): 0 at (1, ..., 1), started at (-1.2, 1,
// -1.2, ...).
double rosenbrock(std::span<const double> x, std::span<double> g) {
  double f = 0;
  for (std::size_t i = 0; i < x.size(); i += 2) {
    const double a = 1 - x[i], b = x[i + 1] - x[i] * x[i];
    f += a * a + 100 * b * b;
    g[i] = -2 * a - 400 * x[i] * b;
    g[i + 1] = 200 * b;
  }
  return f;
}

Vector rosenbrock_start(std::size_t n) {
  Vector x(n, 1.0);
  for (std::size_t i = 0; i < n; i += 2) x[i] = -1.2;
  return x;
}

// Logistic regression on random rows whose column d is scaled by 10^(2 d / D - 1), with ridge/2 |w|^2.
struct Logistic {
  std::size_t dimension;
  double ridge;
  std::vector<Vector> rows;
  Vector signs;

  Logistic(std::size_t count, std::size_t d, double l2, std::uint64_t seed) : dimension(d), ridge(l2) {
    Rng rng(seed);
    const Vector truth = random_vector(d, seed + 1000);
    for (std::size_t n = 0; n < count; ++n) {
      Vector row = random_vector(d, rng());
      double margin = rng.normal();
      for (std::size_t j = 0; j < d; ++j) margin += row[j] * truth[j];
      for (std::size_t j = 0; j < d; ++j) {
        row[j] *= std::pow(10, 2 * static_cast<double>(j) / static_cast<double>(d) - 1);
      }
      rows.push_back(row);
      signs.push_back(margin > 0 ? 1 : -1);
    }
  }

  double operator()(std::span<const double> w, std::span<double> g) const {
    double f = 0;
    for (std::size_t j = 0; j < dimension; ++j) {
      f += 0.5 * ridge * w[j] * w[j];
      g[j] = ridge * w[j];
    }
    for (std::size_t n = 0; n < rows.size(); ++n) {
      double margin = 0;
      for (std::size_t j = 0; j < dimension; ++j) margin += signs[n] * rows[n][j] * w[j];
      f += margin > 0 ? std::log1p(std::exp(-margin)) : std::log1p(std::exp(margin)) - margin;
      for (std::size_t j = 0; j < dimension; ++j) g[j] -= signs[n] * rows[n][j] / (1 + std::exp(margin));
    }
    return f;
  }
};

// |A x - b|^2 / 2 with rows of A given.
Objective least_squares(std::vector<Vector> rows, Vector b) {
  return [=](std::span<const double> x, std::span<double> g) {
    std::fill(g.begin(), g.end(), 0.0);
    double f = 0;
    for (std::size_t n = 0; n < rows.size(); ++n) {
      double r = -b[n];
      for (std::size_t j = 0; j < x.size(); ++j) r += rows[n][j] * x[j];
      f += 0.5 * r * r;
      for (std::size_t j = 0; j < x.size(); ++j) g[j] += r * rows[n][j];
    }
    return f;
  };
}

std::vector<Vector> random_rows(std::size_t count, std::size_t dimension, std::uint64_t seed) {
  std::vector<Vector> rows;
  for (std::size_t n = 0; n < count; ++n) rows.push_back(random_vector(dimension, seed + n));
  return rows;
}

// Gram-Schmidt, twice for accuracy.
void orthonormalize(std::vector<Vector>& rows) {
  for (std::size_t n = 0; n < rows.size(); ++n) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t k = 0; k < n; ++k) {
        double product = 0;
        for (std::size_t j = 0; j < rows[n].size(); ++j) product += rows[n][j] * rows[k][j];
        for (std::size_t j = 0; j < rows[n].size(); ++j) rows[n][j] -= product * rows[k][j];
      }
      const double length = norm(rows[n]);
      for (double& v : rows[n]) v /= length;
    }
  }
}

double soft_threshold(double b, double c) { return std::copysign(std::max(0.0, std::abs(b) - c), b); }

// How far 0 is from the subdifferential of f + c1 |x|_1, in the largest coordinate.
double optimality_gap(const Objective& f, const Vector& x, double c1) {
  Vector g(x.size());
  f(x, g);
  double gap = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double miss =
        x[i] == 0 ? std::max(0.0, std::abs(g[i]) - c1) : std::abs(g[i] + std::copysign(c1, x[i]));
    gap = std::max(gap, miss);
  }
  return gap;
}

// Waves of many lengths in a shallow bowl: not convex, with many optima.
Objective waves(std::uint64_t seed) {
  return [=](std::span<const double> x, std::span<double> g) {
    Rng rng(seed);
    double f = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      g[i] = 0.02 * x[i];
      f += 0.01 * x[i] * x[i];
    }
    for (int wave = 0; wave < 6; ++wave) {
      const double frequency = std::pow(10, 2 * rng.uniform() - 1), height = rng.uniform() / frequency;
      double phase = 6 * rng.uniform();
      Vector direction(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        direction[i] = frequency * rng.normal();
        phase += direction[i] * x[i];
      }
      f += height * std::sin(phase);
      for (std::size_t i = 0; i < x.size(); ++i) g[i] += height * std::cos(phase) * direction[i];
    }
    return f;
  };
}

// Rounding noise of relative size `size`, the same whenever f is asked at the same x.
Objective noisy(const Objective& f, double size) {
  return [=](std::span<const double> x, std::span<double> g) {
    std::uint64_t hash = 1;
    for (double v : x) hash = Rng(hash ^ std::bit_cast<std::uint64_t>(v))();
    return f(x, g) * (1 + size * (2 * Rng(hash).uniform() - 1));
  };
}

template <class T>
void put(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put(std::string& bytes, const Vector& values) {
  put(bytes, values.size());
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
}

template <class T>
void take(std::string_view& bytes, T& value) {
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
}

void take(std::string_view& bytes, Vector& values) {
  std::size_t size = 0;
  take(bytes, size);
  values.resize(size);
  if (size > 0) std::memcpy(values.data(), bytes.data(), size * sizeof(double));
  bytes.remove_prefix(size * sizeof(double));
}

std::string to_bytes(const LbfgsState& s) {
  std::string bytes;
  put(bytes, s.x), put(bytes, s.gradient), put(bytes, s.window), put(bytes, s.history.size());
  for (const LbfgsPair& p : s.history) put(bytes, p.step), put(bytes, p.change), put(bytes, p.curvature);
  put(bytes, s.scale), put(bytes, s.objective), put(bytes, s.gradient_norm), put(bytes, s.step_length);
  put(bytes, s.nonzeros), put(bytes, s.iterations), put(bytes, s.evaluations), put(bytes, s.stop);
  return bytes;
}

LbfgsState from_bytes(std::string_view bytes) {
  LbfgsState s;
  std::size_t pairs = 0;
  take(bytes, s.x), take(bytes, s.gradient), take(bytes, s.window), take(bytes, pairs);
  s.history.resize(pairs);
  for (LbfgsPair& p : s.history) take(bytes, p.step), take(bytes, p.change), take(bytes, p.curvature);
  take(bytes, s.scale), take(bytes, s.objective), take(bytes, s.gradient_norm), take(bytes, s.step_length);
  take(bytes, s.nonzeros), take(bytes, s.iterations), take(bytes, s.evaluations), take(bytes, s.stop);
  REQUIRE(bytes.empty());
  return s;
}

}  // namespace

TEST_CASE("a quadratic is solved to its known optimum", "[optimization][lbfgs]") {
  const Vector optimum = random_vector(50, 1);
  Vector curvature(50), x(50, 0.0);
  for (std::size_t i = 0; i < 50; ++i) curvature[i] = 1 + static_cast<double>(i);
  const LbfgsSummary summary = minimize_lbfgs(quadratic(curvature, optimum), x, tight());
  CHECK(summary.stop == LbfgsStop::SmallGradient);
  CHECK(distance(x, optimum) < 1e-8);
  CHECK(summary.objective < 1e-16);
  CHECK(summary.nonzeros == 50);
  CHECK(summary.evaluations < 100);
  CHECK(summary.gradient_norm <= 1e-10 * norm(x));
}

TEST_CASE("extended Rosenbrock is solved to 1e-8", "[optimization][lbfgs]") {
  for (std::size_t n : {2, 4, 10, 100, 1000}) {
    for (Index memory : {1, 3, 6, 10}) {
      Vector x = rosenbrock_start(n);
      LbfgsOptions options = tight();
      options.memory = memory;
      const LbfgsSummary summary = minimize_lbfgs(rosenbrock, x, options);
      INFO("n " << n << ", memory " << memory << ": " << summary.evaluations << " evaluations");
      CHECK(summary.stop == LbfgsStop::SmallGradient);
      CHECK(distance(x, Vector(n, 1.0)) < 1e-8 * std::sqrt(static_cast<double>(n)));
      CHECK(summary.evaluations < (memory == 1 ? 200 : 70));
    }
  }
}

TEST_CASE("every step satisfies the strong Wolfe conditions", "[optimization][lbfgs]") {
  Index steps = 0, evaluations = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Objective f = waves(seed);
    LbfgsOptions options = tight(1e-6);
    options.objective_noise = 0;
    Lbfgs lbfgs(options);
    lbfgs.start(random_vector(1 + seed % 5, seed));
    Vector x = lbfgs.state().x, g(x.size());
    double value = f(x, g);
    for (bool more = true; more;) {
      more = lbfgs.step(f);
      const LbfgsState& state = lbfgs.state();
      double slope = 0, arrival = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        slope += g[i] * (state.x[i] - x[i]);
        arrival += state.gradient[i] * (state.x[i] - x[i]);
      }
      const double rounding = 1e-14 * std::abs(value);
      CHECK(state.objective <= value + 1e-4 * slope + rounding);
      CHECK(std::abs(arrival) <= 0.9 * std::abs(slope) + rounding);
      x = state.x, g = state.gradient, value = state.objective;
    }
    CHECK(lbfgs.state().stop == LbfgsStop::SmallGradient);
    steps += lbfgs.state().iterations, evaluations += lbfgs.state().evaluations;
  }
  INFO(evaluations << " evaluations for " << steps << " steps");
  CHECK(10 * evaluations < 15 * steps);
}

TEST_CASE("a step that hardly lowers the objective for its length is cut", "[optimization][lbfgs]") {
  const Objective bend = [](std::span<const double> x,
                            std::span<double> g) {  // steep at 0, flat from 1e-4 on
    g[0] = -std::exp(-1e5 * x[0]);
    return -1e-5 - 1e-5 * g[0];
  };
  Vector x{0.0};
  const LbfgsSummary summary = minimize_lbfgs(bend, x, {.max_iterations = 1, .objective_noise = 0});
  CHECK(summary.iterations == 1);
  CHECK(summary.objective <= -1e-4 * x[0]);
}

TEST_CASE("a line search cut short leaves its lowest point, complete", "[optimization][lbfgs]") {
  Index cut = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    LbfgsOptions options = tight(1e-6);
    options.max_line_search = 2;
    const Objective f = waves(seed);
    Lbfgs lbfgs(options);
    lbfgs.start(random_vector(3, seed));
    Vector g(3);
    double before = kInfinity<double>;
    for (Index evaluations = 1; lbfgs.step(f); evaluations = lbfgs.state().evaluations) {
      CHECK(lbfgs.state().objective == f(lbfgs.state().x, g));
      CHECK(lbfgs.state().gradient == g);
      CHECK(lbfgs.state().objective <= before + 1e-7 * std::abs(before));
      before = lbfgs.state().objective;
      cut += lbfgs.state().evaluations - evaluations == 3;  // the last of three was to come back
    }
  }
  CHECK(cut > 5);
}

TEST_CASE("the first step has length one, and Newton's with a diagonal", "[optimization][lbfgs]") {
  const Vector curvature{100.0, 4.0}, optimum{1.0, 2.0};
  for (bool with_diagonal : {false, true}) {
    std::vector<Vector> points;
    const Objective spy = [&, f = quadratic(curvature, optimum)](std::span<const double> x,
                                                                 std::span<double> g) {
      points.emplace_back(x.begin(), x.end());
      return f(x, g);
    };
    Vector x{5.0, -3.0};
    minimize_lbfgs(spy, x, tight(), {}, with_diagonal ? curvature : Vector());
    CHECK(distance(points[1], with_diagonal ? optimum : points[0]) ==
          Approx(with_diagonal ? 0 : 1).margin(1e-12));
  }
  Vector far{0.0};  // a million first steps away
  CHECK(minimize_lbfgs(quadratic({1e-6}, {1e6}), far, tight()).evaluations < 12);
  CHECK(far[0] == Approx(1e6));
  Vector near{1e-3};  // the tolerance is absolute for |x| < 1
  CHECK(minimize_lbfgs(quadratic({1e-6}, {0.0}), near, {.gradient_tolerance = 1e-8}).iterations == 0);
}

TEST_CASE("ill-conditioned logistic regression ends where the gradient is zero", "[optimization][lbfgs]") {
  const Logistic f(200, 20, 1e-3, 5);
  Vector x(20, 0.0), g(20);
  CHECK(check_gradient(f, random_vector(20, 2)).error < 1e-6);
  const LbfgsSummary summary = minimize_lbfgs(f, x, tight(1e-9));
  CHECK(summary.stop == LbfgsStop::SmallGradient);
  CHECK(summary.objective == f(x, g));
  CHECK(norm(g) <= 1e-9 * norm(x));
  CHECK(norm(g) == Approx(summary.gradient_norm));
}

TEST_CASE("OWL-QN finds the soft threshold of an orthogonal design", "[optimization][owlqn]") {
  std::vector<Vector> rows = random_rows(30, 30, 7);
  orthonormalize(rows);
  const Vector b = random_vector(30, 8);
  for (double c1 : {0.01, 0.3, 1.0, 10.0}) {
    Vector x = random_vector(30, 9);
    LbfgsOptions options = tight();
    options.c1 = c1;
    const LbfgsSummary summary = minimize_lbfgs(least_squares(rows, b), x, options);
    INFO("c1 " << c1 << ": " << describe(summary.stop));
    Index nonzeros = 0;
    for (std::size_t j = 0; j < 30; ++j) {
      double projection = 0;
      for (std::size_t n = 0; n < 30; ++n) projection += rows[n][j] * b[n];
      const double expected = soft_threshold(projection, c1);
      CHECK(std::abs(x[j] - expected) < 1e-8);
      CHECK((x[j] == 0) == (expected == 0));
      nonzeros += expected != 0;
    }
    CHECK(summary.nonzeros == nonzeros);
  }
}

TEST_CASE("OWL-QN meets the optimality conditions of lasso and L1 logistic regression",
          "[optimization][owlqn]") {
  const auto solve = [](const Objective& f, std::size_t dimension, double c1) {
    Vector x(dimension, 0.0);
    LbfgsOptions options = tight(1e-8);
    options.c1 = c1;
    const LbfgsSummary summary = minimize_lbfgs(f, x, options);
    INFO("c1 " << c1 << ": " << describe(summary.stop) << ", " << summary.evaluations << " evaluations");
    CHECK(optimality_gap(f, x, c1) < 1e-6);
    CHECK(summary.nonzeros < static_cast<Index>(dimension));
    return summary;
  };
  for (double c1 : {1.0, 5.0}) {
    solve(least_squares(random_rows(40, 60, 11), random_vector(40, 12)), 60,
          c1);  // more unknowns than equations
    solve(Logistic(150, 30, 0, 13), 30, c1);
  }
  const LbfgsSummary none = solve(Logistic(150, 30, 0, 13), 30, 1e6);
  CHECK(none.nonzeros == 0);
  CHECK(none.iterations == 0);
}

TEST_CASE("only pairs of positive curvature are kept", "[optimization][owlqn]") {
  bool skipped = false;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Lbfgs lbfgs({.max_iterations = 30, .period = 0, .c1 = 0.05});
    lbfgs.start(random_vector(3, seed));
    while (lbfgs.step(waves(seed))) {
      for (const LbfgsPair& pair : lbfgs.state().history) CHECK(pair.curvature > 0);
      CHECK(lbfgs.state().scale > 0);
      skipped = skipped || static_cast<Index>(lbfgs.state().history.size()) <
                               std::min<Index>(6, lbfgs.state().iterations);
    }
  }
  CHECK(skipped);
}

TEST_CASE("a failed search starts over from steepest descent", "[optimization][lbfgs]") {
  for (double c1 : {0.0, 0.1}) {
    const Logistic f(60, 12, 1e-2, 17);
    LbfgsOptions options = tight(1e-8);
    options.c1 = c1;
    Lbfgs lbfgs(options);
    lbfgs.start(Vector(12, 0.0));
    for (int i = 0; i < 8; ++i) lbfgs.step(f);
    LbfgsState turned = lbfgs.state();  // H of the wrong sign points uphill
    turned.scale = -turned.scale;
    for (LbfgsPair& pair : turned.history) pair.curvature = -pair.curvature;
    const Index before = turned.evaluations;
    lbfgs.restore(turned);
    lbfgs.step(f);
    CHECK(lbfgs.state().history.size() == 1);
    CHECK(lbfgs.state().evaluations < before + 10);  // none is spent uphill
    CHECK(lbfgs.state().objective < turned.objective);
    while (lbfgs.step(f)) {
    }
    CHECK(lbfgs.state().stop == LbfgsStop::SmallGradient);
  }
}

TEST_CASE("a run that can go no further ends", "[optimization][lbfgs]") {
  for (double c1 : {0.0, 0.1}) {
    Vector x = random_vector(12, 3);
    const LbfgsOptions options{.max_iterations = 5000, .gradient_tolerance = 0, .delta = 0, .c1 = c1};
    const LbfgsSummary summary = minimize_lbfgs(Logistic(60, 12, 1e-2, 17), x, options);
    CHECK(summary.stop == LbfgsStop::SmallDecrease);
    CHECK(summary.gradient_norm < 1e-7);
    CHECK(summary.iterations < 500);
  }
  Vector x{1e17};  // the step is lost in the rounding of x
  const Objective linear = [](std::span<const double> at, std::span<double> g) { return g[0] = 1, at[0]; };
  const LbfgsSummary summary = minimize_lbfgs(linear, x, {.gradient_tolerance = 0, .c1 = 0.5});
  CHECK(summary.stop == LbfgsStop::NoDecrease);
  CHECK(summary.evaluations == 1);
}

TEST_CASE("a run continues from every checkpoint with the same bits", "[optimization][lbfgs][checkpoint]") {
  for (double c1 : {0.0, 0.4}) {
    const Logistic f(60, 12, 1e-2, 17);
    const LbfgsOptions options{
        .memory = 4, .max_iterations = 20, .gradient_tolerance = 0, .delta = 0, .c1 = c1};
    Lbfgs whole(options);
    whole.start(Vector(12, 0.0));
    std::vector<std::string> checkpoints{to_bytes(whole.state())};
    while (whole.step(f)) checkpoints.push_back(to_bytes(whole.state()));
    REQUIRE(checkpoints.size() == 20);
    for (const std::string& bytes : checkpoints) {
      Lbfgs resumed(options);
      resumed.restore(from_bytes(bytes));
      while (resumed.step(f)) {
      }
      CHECK(to_bytes(resumed.state()) == to_bytes(whole.state()));
    }
  }
}

TEST_CASE("a run that reached its bound goes on under a higher one", "[optimization][lbfgs][checkpoint]") {
  const Logistic f(60, 12, 1e-2, 17);
  Lbfgs all({.max_iterations = 15}), first({.max_iterations = 6}), second({.max_iterations = 15});
  all.start(Vector(12, 0.0)), first.start(Vector(12, 0.0));
  while (all.step(f)) {
  }
  while (first.step(f)) {
  }
  CHECK(first.state().stop == LbfgsStop::MaxIterations);
  CHECK(first.state().iterations == 6);
  CHECK_FALSE(first.step(f));
  second.restore(first.state());
  while (second.step(f)) {
  }
  CHECK(to_bytes(second.state()) == to_bytes(all.state()));
  Lbfgs lower({.memory = 2, .max_iterations = 3});
  lower.restore(all.state());
  CHECK(lower.state().history.size() == 2);
  CHECK(lower.state().history.back().step == all.state().history.back().step);
  CHECK_FALSE(lower.step(f));
}

TEST_CASE("states that do not fit are refused", "[optimization][lbfgs][checkpoint]") {
  LbfgsState good;
  good.x = good.gradient = Vector(3, 1.0);
  good.window = {1.0};
  good.evaluations = 1;
  Lbfgs lbfgs;
  lbfgs.restore(good);
  LbfgsState bad = good;
  bad.gradient.pop_back();
  CHECK_THROWS_AS(lbfgs.restore(bad), InputError);
  bad = good, bad.window.clear();
  CHECK_THROWS_AS(lbfgs.restore(bad), InputError);
  bad = good, bad.history = {{Vector(3), Vector(2), 1.0}};
  CHECK_THROWS_WITH(lbfgs.restore(bad), ContainsSubstring("state.history: 2 entries, x has 3"));
  CHECK_THROWS_AS(Lbfgs({}, Vector(2, 1.0)).restore(good), InputError);
}

TEST_CASE("any number of threads gives the same bits", "[optimization][lbfgs]") {
  const std::size_t n = 60000;  // four blocks
  const Vector optimum = random_vector(n, 21);
  Vector curvature = random_vector(n, 22);
  for (double& c : curvature) c = 0.1 + c * c;
  for (double c1 : {0.0, 0.2}) {
    std::vector<std::string> results;
    for (int threads : {1, 2, 3}) {
      Lbfgs lbfgs({.max_iterations = 12, .gradient_tolerance = 0, .delta = 0, .c1 = c1, .threads = threads},
                  curvature);
      lbfgs.start(Vector(n, 0.5));
      const Objective f = quadratic(Vector(n, 1.0), optimum);
      while (lbfgs.step(f)) {
      }
      results.push_back(to_bytes(lbfgs.state()));
    }
    CHECK(results[1] == results[0]);
    CHECK(results[2] == results[0]);
  }
}

TEST_CASE("noise in the objective neither traps nor misleads a run", "[optimization][lbfgs]") {
  const Logistic smooth(200, 20, 1e-2, 23);
  const Objective f = noisy(smooth, 1e-8);
  for (double c1 : {0.0, 0.5}) {
    Vector exact(20, 0.0), x(20, 0.0);
    LbfgsOptions options = tight(1e-9);
    options.c1 = c1;
    const LbfgsSummary best = minimize_lbfgs(smooth, exact, options);
    options.period = 10, options.delta = 0;
    const LbfgsSummary summary = minimize_lbfgs(f, x, options);
    INFO(describe(summary.stop) << " after " << summary.evaluations << " against " << best.evaluations);
    CHECK(summary.objective <= best.objective * (1 + 3e-8));
    CHECK(summary.stop == LbfgsStop::SmallDecrease);
    CHECK(summary.evaluations < best.evaluations);
  }
  Vector x(5, 1.0);  // nothing but noise: no direction leads anywhere
  const Objective flat = [](std::span<const double>, std::span<double> g) {
    std::fill(g.begin(), g.end(), 1e-12);
    return 1.0;
  };
  LbfgsOptions options = tight(0);
  options.period = 10, options.delta = 0;
  CHECK(minimize_lbfgs(noisy(flat, 1e-8), x, options).evaluations < 500);
}

TEST_CASE("a gradient that points uphill ends the run at once", "[optimization][lbfgs]") {
  const Objective wrong = [](std::span<const double> x, std::span<double> g) {
    g[0] = -2 * x[0];
    return x[0] * x[0];
  };
  for (double c1 : {0.0, 0.1}) {
    Vector x{3.0};
    LbfgsOptions options = tight();
    options.c1 = c1;
    options.objective_noise = 1e-4;  // a licence to climb a little, which only right slopes may use
    Index calls = 0;
    const LbfgsSummary summary =
        minimize_lbfgs(wrong, x, options, [&](const LbfgsProgress&) { return ++calls > 0; });
    CHECK(summary.stop == LbfgsStop::NoDecrease);
    CHECK(calls == 0);
    CHECK(summary.iterations == 0);
    CHECK(x[0] == 3);
  }
}

TEST_CASE("a start that is not finite is refused, a step there is shortened", "[optimization][lbfgs]") {
  const Objective barrier = [](std::span<const double> x, std::span<double> g) {
    g[0] = 1 - 1e-3 / x[0];
    return x[0] - 1e-3 * std::log(x[0]);  // not a number for x < 0
  };
  for (double bad : {-1.0, 0.0, std::numeric_limits<double>::quiet_NaN()}) {
    Vector x{bad};
    CHECK_THROWS_AS(minimize_lbfgs(barrier, x), InputError);
  }
  for (double c1 : {0.0, 1.0}) {
    Vector x{0.5};
    LbfgsOptions options = tight();
    options.c1 = c1;
    const LbfgsSummary summary = minimize_lbfgs(barrier, x, options);
    CHECK(x[0] == Approx(1e-3 / (1 + c1)).epsilon(1e-8));
    CHECK(std::isfinite(summary.objective));
  }
  // No gradient, or a value that is too good to be true, left of 1.
  for (double value : {0.0, -kInfinity<double>}) {
    const Objective cliff = [&](std::span<const double> x, std::span<double> g) {
      if (x[0] > 1) return barrier(std::array{x[0] - 1}, g);
      g[0] = value == 0 ? std::numeric_limits<double>::quiet_NaN() : 1;
      return value;
    };
    for (double c1 : {0.0, 1.0}) {
      Vector x{1.5};
      LbfgsOptions options = tight();
      options.c1 = c1;
      minimize_lbfgs(cliff, x, options);
      CHECK(x[0] - 1 == Approx(1e-3 / (1 + c1)).epsilon(1e-6));
      x[0] = 0.5;
      CHECK_THROWS_AS(minimize_lbfgs(cliff, x, options), InputError);
    }
  }
}

TEST_CASE("the callback sees every iteration and can stop the run", "[optimization][lbfgs]") {
  Vector x = rosenbrock_start(10), seen;
  std::vector<LbfgsProgress> log;
  const LbfgsSummary summary = minimize_lbfgs(rosenbrock, x, tight(), [&](const LbfgsProgress& p) {
    log.push_back(p);
    seen.assign(p.x.begin(), p.x.end());
    return p.iteration < 7;
  });
  CHECK(summary.stop == LbfgsStop::Callback);
  CHECK(std::string(describe(summary.stop)) == "stopped by the callback");
  CHECK(summary.iterations == 7);
  REQUIRE(log.size() == 7);
  for (std::size_t i = 0; i < log.size(); ++i) CHECK(log[i].iteration == static_cast<Index>(i) + 1);
  CHECK(seen == x);
  CHECK(log.back().objective == summary.objective);
  CHECK(log.back().evaluations == summary.evaluations);
  CHECK(log.back().nonzeros == 10);
  CHECK(log[1].step_length > 0);
  CHECK(log[1].objective < log[0].objective);
  Vector optimum(4, 1.0);
  CHECK(minimize_lbfgs(rosenbrock, optimum, tight(), [](const LbfgsProgress&) { return false; }).stop ==
        LbfgsStop::SmallGradient);
}

TEST_CASE("what the objective throws passes through and leaves x alone", "[optimization][lbfgs]") {
  Vector x = rosenbrock_start(2);
  int calls = 0;
  const Objective f = [&](std::span<const double> at, std::span<double> g) {
    if (++calls == 5) throw std::runtime_error("the fifth call");
    return rosenbrock(at, g);
  };
  CHECK_THROWS_WITH(minimize_lbfgs(f, x, tight()), "the fifth call");
  CHECK(x == rosenbrock_start(2));
}

TEST_CASE("a run stops once the objective hardly falls", "[optimization][lbfgs]") {
  const Logistic f(200, 20, 1e-3, 5);
  Vector x(20, 0.0), history;
  LbfgsOptions options{.gradient_tolerance = 0, .period = 4, .delta = 1e-3};
  const LbfgsSummary summary = minimize_lbfgs(f, x, options, [&](const LbfgsProgress& p) {
    history.push_back(p.objective);
    return true;
  });
  CHECK(summary.stop == LbfgsStop::SmallDecrease);
  const std::size_t n = history.size();
  REQUIRE(n > 6);
  CHECK(history[n - 5] - history[n - 1] <= 1e-3 * history[n - 1]);
  CHECK(history[n - 6] - history[n - 2] > 1e-3 * history[n - 2]);
  x.assign(20, 0.0);
  options.delta = 100;  // any fall is too little: the first test ends it
  CHECK(minimize_lbfgs(f, x, options).iterations == options.period);
}

TEST_CASE("a diagonal near the curvature saves evaluations", "[optimization][lbfgs]") {
  const std::size_t n = 200;
  const Vector optimum = random_vector(n, 31);
  Vector curvature(n), diagonal(n);
  Rng rng(32);
  for (std::size_t i = 0; i < n; ++i) {
    curvature[i] = std::pow(10, 8 * rng.uniform() - 4);
    diagonal[i] = curvature[i] * (0.5 + rng.uniform());
  }
  for (double c1 : {0.0, 1e-3}) {
    LbfgsOptions options{.max_iterations = 3000, .gradient_tolerance = 1e-7, .period = 0, .c1 = c1};
    Vector plain(n, 0.0), helped(n, 0.0);
    const LbfgsSummary without = minimize_lbfgs(quadratic(curvature, optimum), plain, options);
    const LbfgsSummary with = minimize_lbfgs(quadratic(curvature, optimum), helped, options, {}, diagonal);
    INFO(without.evaluations << " evaluations without, " << with.evaluations << " with");
    CHECK(with.stop == LbfgsStop::SmallGradient);
    CHECK(with.evaluations < 40);
    CHECK(4 * with.evaluations < without.evaluations);
  }
  CHECK_THROWS_AS(Lbfgs({}, Vector{1.0, 0.0}), InputError);
  CHECK_THROWS_AS(Lbfgs({}, Vector{1.0}).start(Vector(2)), InputError);
}

TEST_CASE("a wrong option is named with its value and what it must be", "[optimization][lbfgs]") {
  CHECK_THROWS_WITH(validate({.memory = 0}), "memory: is 0, must be >= 1");
  CHECK_THROWS_WITH(validate({.max_iterations = -2}), "max_iterations: is -2, must be >= 0");
  CHECK_THROWS_WITH(validate({.gradient_tolerance = -0.5}),
                    ContainsSubstring("gradient_tolerance: is -0.5,"));
  CHECK_THROWS_WITH(validate({.period = -1}), ContainsSubstring("period: is -1,"));
  CHECK_THROWS_WITH(validate({.delta = std::nan("")}), ContainsSubstring("delta: is nan,"));
  CHECK_THROWS_WITH(validate({.c1 = -1}), "c1: is -1, must be finite and >= 0");
  CHECK_THROWS_WITH(validate({.max_line_search = 0}), ContainsSubstring("max_line_search: is 0,"));
  CHECK_THROWS_WITH(validate({.objective_noise = 1}), ContainsSubstring("objective_noise: is 1,"));
  CHECK_THROWS_WITH(validate({.threads = 0}), ContainsSubstring("threads: is 0,"));
  CHECK_THROWS_AS(Lbfgs({.threads = 0}), OptionError);
  validate({});
}

TEST_CASE("an empty problem is solved at once", "[optimization][lbfgs]") {
  Vector x;
  const LbfgsSummary summary = minimize_lbfgs([](auto, auto) { return 2.0; }, x);
  CHECK(summary.stop == LbfgsStop::SmallGradient);
  CHECK(summary.objective == 2);
}

#ifdef THALWEG_HAVE_LIBLBFGS

namespace {

struct Referee {
  const Objective& f;
  double best = kInfinity<double>;
  int evaluations = 0;
};

double referee_evaluates(void* context, const double* x, double* g, int n, double) {
  Referee& referee = *static_cast<Referee*>(context);
  ++referee.evaluations;
  return referee.f({x, static_cast<std::size_t>(n)}, {g, static_cast<std::size_t>(n)});
}

// Once it can no longer move, liblbfgs ends at not-a-number: the best iterate is what counts.
int referee_progresses(void* context, const double*, const double*, double value, double, double, double, int,
                       int, int) {
  Referee& referee = *static_cast<Referee*>(context);
  referee.best = std::min(referee.best, value);
  return std::isnan(value);
}

Referee ask_liblbfgs(const Objective& f, const Vector& start, double c1) {
  lbfgs_parameter_t parameters;
  lbfgs_parameter_init(&parameters);
  parameters.epsilon = 1e-8;
  if (c1 > 0) {
    parameters.orthantwise_c = c1;
    parameters.linesearch = LBFGS_LINESEARCH_BACKTRACKING;
  }
  Referee referee{f};
  const int n = static_cast<int>(start.size());
  double* x = lbfgs_malloc(n);
  std::copy(start.begin(), start.end(), x);
  lbfgs(n, x, nullptr, referee_evaluates, referee_progresses, &referee, &parameters);
  lbfgs_free(x);
  return referee;
}

}  // namespace

TEST_CASE("the optimum is no worse than that of liblbfgs", "[optimization][lbfgs][referee]") {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    for (double c1 : {0.0, 0.5}) {
      const Objective f = Logistic(100 + 20 * seed, 10 + 10 * seed, 1e-2, 100 + seed);
      const Vector start = random_vector(10 + 10 * seed, 200 + seed);
      Vector x = start;
      LbfgsOptions options = tight(1e-8);
      options.c1 = c1;
      const LbfgsSummary ours = minimize_lbfgs(f, x, options);
      const Referee referee = ask_liblbfgs(f, start, c1);
      INFO("seed " << seed << ", c1 " << c1 << ": " << ours.evaluations << " evaluations against "
                   << referee.evaluations);
      CHECK(ours.objective <= referee.best * (1 + 1e-10));
      CHECK(ours.evaluations < 2 * referee.evaluations);
    }
  }
}

#endif
