#include "thalweg/learning/unrolled_descent.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "support/catch.h"
#include "support/counted_labels.h"
#include "support/message.h"
#include "support/sanitized.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/relaxed_descent.h"
#include "thalweg/optimization/gradient_check.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

constexpr Index kLength = 5, kLabels = 3;

TableBuffer<double> random_table(Index rows, Index columns, Rng& rng) {
  TableBuffer<double> table(rows, columns);
  for (Index i = 0; i < rows * columns; ++i) table[0][i] = rng.normal();
  return table;
}

// Weights larger than those that training starts from, so that curvature and mixed derivatives are.
ShareNetwork random_network(Rng& rng, const ShareNetworkOptions& o) {
  ShareNetwork net(kLabels, o);
  for (double& w : net.weights()) w += rng.normal();
  return net;
}

Table<const double> as_table(std::span<const double> x, Index columns = kLabels) {
  return {x.data(), static_cast<Index>(x.size()) / columns, columns};
}
Table<double> as_table(std::span<double> x, Index columns = kLabels) {
  return {x.data(), static_cast<Index>(x.size()) / columns, columns};
}
std::span<const double> cells(const TableBuffer<double>& table) {
  return {table.view().data, static_cast<std::size_t>(table.view().size())};
}
double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
void set_weights(GlobalEnergy& net, std::span<const double> w) {
  std::copy(w.begin(), w.end(), net.weights().begin());
}

const ShareNetworkOptions kNetworks[] = {
    {.hidden = 4, .scale = 2}, {.hidden = 3, .stretches = 2, .scale = 2}, {.stretches = kLength, .scale = 2}};

}  // namespace

TEST_CASE("a network of shares is the formula it claims", "[learning][unrolled]") {
  ShareNetwork net(2, {.hidden = 1, .stretches = 2});
  set_weights(net, std::vector<double>{1, 2, -3, 4, 0.5, -2});  // A, b, w
  TableBuffer<double> q(4, 2), gradient(4, 2);
  for (Index t = 0; t < 4; ++t) q[t][0] = 0.1 * static_cast<double>(t + 1), q[t][1] = 1 - q[t][0];
  // s = (.3, 1.7, .7, 1.3) / 4
  const double a = (0.3 + 2 * 1.7 - 3 * 0.7 + 4 * 1.3) / 4 + 0.5, slope = -2 / (1 + std::exp(-a));
  CHECK(net.evaluate(q, gradient) == Approx(-8 * std::log1p(std::exp(a))).epsilon(1e-12));
  CHECK(gradient[0][1] == Approx(2 * slope).epsilon(1e-12));
  CHECK(gradient[1][0] == Approx(1 * slope).epsilon(1e-12));
  CHECK(gradient[2][0] == Approx(-3 * slope).epsilon(1e-12));
}

TEST_CASE("gradients and pull-backs of a global energy are its derivatives", "[learning][unrolled]") {
  Rng rng(31);
  for (const ShareNetworkOptions& o : kNetworks) {
    ShareNetwork net = random_network(rng, o);
    const auto q = random_table(kLength, kLabels, rng), v = random_table(kLength, kLabels, rng);
    const std::vector<double> w(net.weights().begin(), net.weights().end());
    const auto along = [&](Table<const double> at) {  // v' dE_g/dq
      TableBuffer<double> gradient(kLength, kLabels);
      net.evaluate(at, gradient);
      return dot(cells(v), cells(gradient));
    };
    const auto value = check_gradient(
        [&](std::span<const double> x, std::span<double> gradient) {
          std::fill(gradient.begin(), gradient.end(), 0.0);
          return net.evaluate(as_table(x), as_table(gradient));
        },
        cells(q));
    CHECK(value.error < 1e-6);
    const auto hessian = check_gradient(
        [&](std::span<const double> x, std::span<double> gradient) {
          std::vector<double> unused(w.size());
          std::fill(gradient.begin(), gradient.end(), 0.0);
          net.pull_back(as_table(x), v, as_table(gradient), unused);
          return along(as_table(x));
        },
        cells(q));
    CHECK(hessian.error < 1e-6);
    const auto mixed = check_gradient(
        [&](std::span<const double> x, std::span<double> gradient) {
          set_weights(net, x);
          TableBuffer<double> unused(kLength, kLabels);
          std::fill(gradient.begin(), gradient.end(), 0.0);
          net.pull_back(q, v, unused, gradient);
          return along(q);
        },
        w);
    CHECK(mixed.error < 1e-6);
  }
}

TEST_CASE("evaluations and pull-backs add", "[learning][unrolled]") {
  Rng rng(32);
  const ShareNetwork net = random_network(rng, {.hidden = 4});
  const auto q = random_table(kLength, kLabels, rng), v = random_table(kLength, kLabels, rng);
  const std::size_t D = net.weights().size();
  TableBuffer<double> once(kLength, kLabels), twice(kLength, kLabels), none(0, kLabels);
  std::vector<double> to_weights(D), both(D);
  net.evaluate(q, once), net.pull_back(q, v, once, to_weights);
  for (int n = 0; n < 2; ++n) net.evaluate(q, twice), net.pull_back(q, v, twice, both);
  for (std::size_t i = 0; i < D; ++i) CHECK(both[i] == Approx(2 * to_weights[i]));
  for (std::size_t i = 0; i < cells(q).size(); ++i) CHECK(cells(twice)[i] == Approx(2 * cells(once)[i]));
  // Of no positions nothing comes.
  CHECK(net.evaluate(none, none) == 0);
  net.pull_back(none, none, none, to_weights);
  for (std::size_t i = 0; i < D; ++i) CHECK(both[i] == Approx(2 * to_weights[i]));
}

TEST_CASE("the loss through all steps has its derivatives", "[learning][unrolled]") {
  Rng rng(33);
  const std::vector<Label> answer{2, 0, 1, 1, 0};
  for (const UnrolledOptions& o :
       {UnrolledOptions{.steps = 0}, UnrolledOptions{.steps = 1}, UnrolledOptions{.steps = 7},
        UnrolledOptions{.steps = 4, .rate = 0.6, .temperature = 0.5},
        UnrolledOptions{.steps = 3, .rate = 1}}) {
    for (const ShareNetworkOptions& shape : kNetworks) {
      ShareNetwork net = random_network(rng, shape);
      const auto u = random_table(kLength, kLabels, rng), slope = random_table(kLength, kLabels, rng);
      const std::vector<double> w(net.weights().begin(), net.weights().end());
      UnrolledDescent descent(o);
      // The loss of answers, and a linear function of the last q.
      const auto value = [&](bool likelihood, Table<const double> at, Table<double> to_u,
                             std::span<double> to_weights) {
        if (likelihood) return descent.loss(net, at, answer, to_u, to_weights);
        REQUIRE(descent.run(net, at));
        descent.pull_back(net, slope, to_u, to_weights);
        return dot(cells(slope), {descent.q().data, static_cast<std::size_t>(descent.q().size())});
      };
      for (bool likelihood : {true, false}) {
        const auto local = check_gradient(
            [&](std::span<const double> x, std::span<double> gradient) {
              std::vector<double> unused(w.size());
              std::fill(gradient.begin(), gradient.end(), 0.0);
              return value(likelihood, as_table(x), as_table(gradient), unused);
            },
            cells(u));
        CHECK(local.error < 1e-6);
        const auto global = check_gradient(
            [&](std::span<const double> x, std::span<double> gradient) {
              set_weights(net, x);
              TableBuffer<double> unused(kLength, kLabels);
              std::fill(gradient.begin(), gradient.end(), 0.0);
              return value(likelihood, u, unused, gradient);
            },
            w);
        CHECK(global.error < 1e-6);
      }
    }
  }
}

TEST_CASE("unrolled steps are those of annealed descent at one temperature", "[learning][unrolled]") {
  // One step of AnnealedDescent is at the first temperature, here 0.7 of it.
  Rng rng(34);
  const ShareNetwork net = random_network(rng, {.hidden = 4});
  const auto u = random_table(kLength, kLabels, rng);
  UnrolledDescent unrolled({.steps = 0, .rate = 0.4, .temperature = 0.7}),
      once({.steps = 1, .rate = 0.4, .temperature = 0.7});
  REQUIRE((unrolled.run(net, u) && once.run(net, u)));
  const RelaxedSum sum(u, net);
  RelaxedDescent descent;
  REQUIRE(descent.start(sum));
  std::copy_n(unrolled.q().data, unrolled.q().size(), descent.q().begin());
  descent.run(sum, AnnealedDescent{.steps = 1, .rate = 0.4, .temperature = 0.7});
  for (Index i = 0; i < kLength * kLabels; ++i)
    CHECK(descent.q()[i] == Approx(once.q().data[i]).epsilon(1e-12));
}

TEST_CASE("long unrolled descents end at the mean field, from local energies alone at once",
          "[learning][unrolled]") {
  Rng rng(35);
  ShareNetwork net = random_network(rng, {.hidden = 4, .scale = 1});
  const auto u = random_table(kLength, kLabels, rng);
  for (bool local : {false, true}) {
    if (local) std::fill(net.weights().begin(), net.weights().end(), 0.0);
    UnrolledDescent descent({.steps = local ? 0 : 300, .rate = 0.1, .temperature = 2});
    REQUIRE(descent.run(net, u));
    TableBuffer<double> field = u;
    net.evaluate(descent.q(), field);
    for (Index t = 0; t < kLength; ++t) {
      double sum = 0;
      for (Index l = 0; l < kLabels; ++l) sum += std::exp(-field[t][l] / 2);
      for (Index l = 0; l < kLabels; ++l)
        CHECK(descent.q()[t][l] == Approx(std::exp(-field[t][l] / 2) / sum).epsilon(1e-9));
    }
  }
}

TEST_CASE("what local energies forbid stays away, and has no slope", "[learning][unrolled]") {
  Rng rng(36);
  const ShareNetwork net = random_network(rng, {.hidden = 4});
  auto u = random_table(kLength, kLabels, rng);
  u[1][2] = kInfinity<double>;
  TableBuffer<double> to_u(kLength, kLabels);
  std::vector<double> to_weights(net.weights().size());
  for (double rate : {0.5, 1.0}) {
    UnrolledDescent descent({.rate = rate});
    CHECK(descent.loss(net, u, std::vector<Label>{0, 1, 2, 0, 1}, to_u, to_weights) < 100);
    CHECK(descent.q()[1][2] == 0);
    CHECK(to_u[1][2] == 0);
    CHECK(std::all_of(to_weights.begin(), to_weights.end(), [](double x) { return std::isfinite(x); }));
    const auto before = to_weights;
    CHECK(descent.loss(net, u, std::vector<Label>{0, 2, 2, 0, 1}, to_u, to_weights) == kInfinity<double>);
    CHECK(to_weights == before);
    auto none = u;
    std::fill_n(none[3], kLabels, kInfinity<double>);
    CHECK_FALSE(descent.run(net, none));
  }
  const RelaxedSum sum(u, net);
  CHECK_FALSE(sum.allowed()[5]);
  RelaxedDescent descent;
  REQUIRE(descent.start(sum));
  CHECK(std::isfinite(descent.run(sum, AnnealedDescent{}).energy));
  std::vector<double> gradient(u.view().size());
  CHECK(std::isfinite(sum.evaluate(descent.q(), gradient)));
  CHECK(gradient[5] == kInfinity<double>);
}

TEST_CASE("training through the steps learns rules of the whole that a chain cannot",
          "[learning][unrolled]") {
  // Accuracy on others of what 400 sequences teach, in percent: by position, chain, steps, posterior of the
  // rule.
  const CountedRule rules[] = {{.length = 20, .counts = {{10, 10}}},
                               {.length = 20, .counts = {{5, 15}, {15, 5}}, .evidence = 1.2, .offset = 0}};
  for (const CountedRule& rule : rules) {
    Rng rng(1);
    const auto seen = counted_sequences(rule, kSanitized ? 40 : 400, rng),
               others = counted_sequences(rule, kSanitized ? 20 : 1000, rng);
    ShareNetwork net(rule.labels());
    const auto summary =
        train_unrolled(net, unrolled_examples(seen), UnrolledTraining{.passes = kSanitized ? 1 : 20});
    CHECK(summary.skipped == 0);
    CountedChain chain(seen, kSanitized ? 1 : 20);
    UnrolledDescent descent;
    const double by_chain = counted_accuracy(others, [&](const auto& s, auto y) { chain.label(s, y); });
    const double by_steps = counted_accuracy(others, [&](const auto& s, auto y) {
      REQUIRE(descent.run(net, s.u));
      descent.labels(y);
    });
    if (kSanitized) continue;  // too little to learn from
    const double by_position = counted_accuracy(others, lowest_local);
    const double best =
        counted_accuracy(others, [&](const auto& s, auto y) { likeliest_by_rule(rule, s, y); });
    UNSCOPED_INFO(by_position << ' ' << by_chain << ' ' << by_steps << ' ' << best);
    CHECK(by_chain > by_position);
    CHECK(by_steps > by_chain + 2);
    CHECK(by_steps > best - 1);
    CHECK(summary.losses.back() < summary.losses.front());
  }
}

TEST_CASE("the posterior of a counting rule meets enumeration", "[learning][unrolled]") {
  Rng rng(37);
  const CountedRule rule{.length = 6, .counts = {{2, 4}, {5, 1}}};
  for (const CountedSequence& s : counted_sequences(rule, 20, rng)) {
    std::vector<double> odds(6, 0.0);  // p(y_t = 0) - p(y_t = 1), not normalised
    for (unsigned bits = 0; bits < 64; ++bits) {
      const int zeros = 6 - std::popcount(bits);
      if (zeros != 2 && zeros != 5) continue;
      double e = 0;
      for (Index t = 0; t < 6; ++t) e += s.u[t][bits >> t & 1];
      const double ways = zeros == 2 ? 15 : 6;
      for (Index t = 0; t < 6; ++t) odds[t] += (bits >> t & 1 ? -1 : 1) * std::exp(-e) / ways;
    }
    std::vector<Label> y(6);
    likeliest_by_rule(rule, s, y);
    for (std::size_t t = 0; t < 6; ++t) CHECK(y[t] == (odds[t] < 0));
  }
}

TEST_CASE("the same seed trains the same weights", "[learning][unrolled]") {
  Rng rng(38);
  const CountedRule rule{.length = 6, .counts = {{3, 3}}};
  const auto seen = counted_sequences(rule, 20, rng);
  const auto trained = [&](std::uint64_t seed) {
    ShareNetwork net(2);
    train_unrolled(net, unrolled_examples(seen), UnrolledTraining{.passes = 2, .seed = seed});
    return std::vector<double>(net.weights().begin(), net.weights().end());
  };
  CHECK(trained(1) == trained(1));
  CHECK(trained(1) != trained(2));
}

TEST_CASE("bad input to unrolled descent is refused by name", "[learning][unrolled]") {
  const auto refused = [](const UnrolledOptions& o) {
    return message_of<OptionError>([&] { UnrolledDescent{o}; });
  };
  CHECK_THAT(refused({.steps = -1}), ContainsSubstring("steps: is -1, must be >= 0"));
  CHECK_THAT(refused({.rate = 0}), ContainsSubstring("rate: is 0, must be > 0"));
  CHECK_THAT(refused({.rate = 0.6, .temperature = 2}), ContainsSubstring("at most 1 / temperature"));
  CHECK_THAT(refused({.temperature = std::nan("")}), ContainsSubstring("temperature"));
  CHECK(refused({.rate = 1}) == "no error");
  const auto no_network = [](Index labels, const ShareNetworkOptions& o) {
    return message_of<OptionError>([&] { ShareNetwork(labels, o); });
  };
  CHECK_THAT(no_network(0, {}), ContainsSubstring("labels"));
  CHECK_THAT(no_network(2, {.hidden = 0}), ContainsSubstring("hidden"));
  CHECK_THAT(no_network(2, {.stretches = -3}), ContainsSubstring("stretches: is -3, must be >= 1"));
  CHECK_THAT(no_network(2, {.scale = kInfinity<double>}), ContainsSubstring("scale"));

  ShareNetwork net(2);
  TableBuffer<double> u(2, 2), wide(2, 3);
  const auto untaught = [&](Table<const double> energies, const std::vector<Label>& y) {
    const UnrolledExample example{energies, y};
    return message_of<InputError>([&] { train_unrolled(net, {&example, 1}); });
  };
  CHECK_THAT(untaught(wide.view(), {0, 0}), ContainsSubstring("example 0: has energies of 3 labels"));
  CHECK_THAT(untaught(u.view(), {0}), ContainsSubstring("2 positions and 1 labels"));
  CHECK_THAT(untaught(u.view(), {0, 2}), ContainsSubstring("has the label 2"));
  u[1][0] = std::nan("");
  CHECK_THAT(untaught(u.view(), {0, 1}), ContainsSubstring("NaN"));
  u[1][0] = 0;
  const std::vector<Label> y{0, 1};
  const UnrolledExample example{u.view(), y};
  const auto untrained = [&](const UnrolledTraining& o) {
    return message_of<OptionError>([&] { train_unrolled(net, {&example, 1}, o); });
  };
  CHECK_THAT(untrained({.passes = -1}), ContainsSubstring("passes"));
  CHECK_THAT(untrained({.batch = 0}), ContainsSubstring("batch"));
  CHECK_THAT(untrained({.rate = 0}), ContainsSubstring("rate"));
  CHECK_THAT(untrained({.clip = 0}), ContainsSubstring("clip"));
  CHECK_THAT(untrained({.l2 = -1}), ContainsSubstring("l2"));
  u[0][0] = kInfinity<double>;
  const auto before = std::vector<double>(net.weights().begin(), net.weights().end());
  CHECK(train_unrolled(net, {&example, 1}, {.passes = 2}).skipped == 1);
  CHECK(std::equal(before.begin(), before.end(), net.weights().begin()));
}
