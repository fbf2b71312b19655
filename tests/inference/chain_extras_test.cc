// Lowest energies by cost, energies of one site, and the quadratic-regularised relaxed answer.

#include <cmath>

#include "support/catch.h"
#include "support/enumerate.h"
#include "thalweg/core/error.h"
#include "thalweg/energy/site_energies.h"
#include "thalweg/inference/chain.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

std::vector<RandomChainOptions> shapes() {
  std::vector<RandomChainOptions> all;
  for (double forbid : {0.0, 0.2}) {
    for (Index tables : {1, 3}) {
      for (Index contexts : {0, 6}) {
        for (auto [T, K] :
             std::vector<std::pair<Index, Index>>{{0, 2}, {1, 1}, {1, 3}, {3, 1}, {4, 3}, {5, 2}})
          all.push_back({T, K, tables, 1.5, forbid, forbid, contexts});
      }
    }
  }
  return all;
}

std::vector<Label> random_labels(Rng& rng, Index T, Index K) {
  std::vector<Label> y;
  for (Index t = 0; t < T; ++t) y.push_back(static_cast<Label>(rng.below(static_cast<std::uint64_t>(K))));
  return y;
}

std::size_t errors(const std::vector<Label>& a, const std::vector<Label>& b) {
  std::size_t wrong = 0;
  for (std::size_t t = 0; t < a.size(); ++t) wrong += a[t] != b[t];
  return wrong;
}

}  // namespace

TEMPLATE_TEST_CASE("the lowest labelling at each number of errors agrees with enumeration", "[inference]",
                   float, double) {
  using R = TestType;
  Rng rng(101);
  for (int round = 0; round < 4; ++round) {
    for (const auto& shape : shapes()) {
      const auto owned = random_chain<R>(rng, shape);
      const Chain<R> chain = owned.view();
      const auto right = random_labels(rng, shape.length, shape.labels);
      const auto lowest = lowest_by_cost<R>(chain, right);
      REQUIRE(lowest.size() == static_cast<std::size_t>(shape.length) + 1);
      std::vector<double> want(lowest.size(), kInfinity<double>);
      for (const auto& l : enumerate(chain)) {
        double& held = want[errors(l.y, right)];
        held = std::min(held, l.energy);
      }
      for (std::size_t d = 0; d < want.size(); ++d) {
        REQUIRE(lowest[d].feasible() == (want[d] < kInfinity<double>));
        if (!lowest[d].feasible()) continue;
        REQUIRE(lowest[d].energy == Approx(want[d]).margin(1e-10));  // of the double sums of both
        REQUIRE(lowest[d].energy == energy<R>(chain, lowest[d].labels));
        REQUIRE(errors(lowest[d].labels, right) == d);
      }
    }
  }
}

TEST_CASE("site energies are what the energy changes by, and their parts its derivative", "[energy]") {
  Rng rng(102);
  for (int round = 0; round < 6; ++round) {
    for (const auto& shape : shapes()) {
      const auto owned = random_chain<double>(rng, shape);
      const Chain<double> chain = owned.view();
      auto y = random_labels(rng, shape.length, shape.labels);
      if (!(energy<double>(chain, y) < kInfinity<double>)) continue;
      const auto K = static_cast<std::size_t>(shape.labels);
      for (Index t = 0; t < shape.length; ++t) {
        std::vector<double> site(K), weights(K);
        site_energies(chain, y, t, std::span(site));
        const Label held = y[t];
        const double base = energy<double>(chain, y) - site[held];
        TableBuffer<double> unary(shape.length, shape.labels), pairs(shape.tables, chain.pairwise.columns);
        TableBuffer<double> want = unary, want_pairs = pairs;
        const ChainParts<double> parts{unary, pairs, chain.which}, wanted{want, want_pairs, chain.which};
        double sum = 0;
        for (std::size_t l = 0; l < K; ++l) {
          y[t] = static_cast<Label>(l);
          const double whole = energy<double>(chain, y);
          REQUIRE((whole < kInfinity<double>) == (site[l] < kInfinity<double>));
          if (whole < kInfinity<double>) REQUIRE(whole == Approx(base + site[l]).margin(1e-12));
          weights[l] = rng.normal(), sum += weights[l];
          add_answer<double>(chain, y, weights[l], wanted);
        }
        // What all labels share cancels where the weights sum to 0.
        y[t] = held;
        weights[held] -= sum;
        add_answer<double>(chain, y, -sum, wanted);
        add_site(chain, y, t, weights, parts);
        for (Index i = 0; i < shape.length * shape.labels; ++i)
          REQUIRE(unary[0][i] == Approx(want[0][i]).margin(1e-12));
        for (Index i = 0; i < chain.pairwise.size(); ++i)
          REQUIRE(pairs[0][i] == Approx(want_pairs[0][i]).margin(1e-12));
      }
    }
  }
}

TEMPLATE_TEST_CASE("the relaxed answer is optimal, by the slopes of all labellings", "[inference]", float,
                   double) {
  using R = TestType;
  Rng rng(103);
  const double asked = sizeof(R) == 4 ? 1e-4 : 1e-12;
  for (int round = 0; round < 6; ++round) {
    for (const auto& shape : shapes()) {
      const auto owned = random_chain<R>(rng, shape);
      const Chain<R> chain = owned.view();
      const auto all = enumerate(chain);
      const SparseAnswer got = sparse_map(chain, asked);
      double total = 0, value = 0;
      TableBuffer<double> u(shape.length, shape.labels);
      for (std::size_t i = 0; i < got.weights.size(); ++i) {
        const auto& one = got.labellings[i];
        REQUIRE(one.energy == energy<R>(chain, one.labels));
        total += got.weights[i], value += got.weights[i] * one.energy;
        for (Index t = 0; t < shape.length; ++t) u[t][one.labels[t]] += got.weights[i];
      }
      double squares = 0, lowest = kInfinity<double>;
      for (Index i = 0; i < shape.length * shape.labels; ++i) squares += u[0][i] * u[0][i];
      for (const auto& l : all) {
        double slope = l.energy;
        for (Index t = 0; t < shape.length; ++t) slope += u[t][l.y[t]];
        lowest = std::min(lowest, slope);
      }
      REQUIRE((got.value < kInfinity<double>) == (lowest < kInfinity<double>));
      if (!(got.value < kInfinity<double>)) {
        REQUIRE(got.weights.empty());
        continue;
      }
      REQUIRE(total == Approx(1).margin(1e-12));
      REQUIRE(got.value == Approx(value + squares / 2).margin(1e-10));
      REQUIRE(value + squares - lowest <= asked + 1e-12);  // the true gap
      REQUIRE(got.gap == Approx(value + squares - lowest).margin(sizeof(R) == 4 ? 1e-5 : 1e-11));
    }
  }
  const auto owned = random_chain<R>(rng, {2, 2});
  CHECK_THROWS_AS(sparse_map(owned.view(), 0), OptionError);
}
