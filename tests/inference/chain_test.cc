#include "thalweg/inference/chain.h"

#include <map>
#include <set>

#include "support/catch.h"
#include "support/enumerate.h"
#include "support/sanitized.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/inference/sum_product.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

constexpr int kRounds = kSanitized ? 2 : 12;

// Every combination that has a code path of its own: lengths, widths, tables, forbidden parts, wide ranges.
std::vector<RandomChainOptions> small_shapes() {
  std::vector<RandomChainOptions> shapes;
  for (double scale : {1.0, 40.0}) {
    for (double forbid : {0.0, 0.25}) {
      for (Index tables : {1, 3}) {
        for (auto [T, K] : std::vector<std::pair<Index, Index>>{{0, 3},
                                                                {1, 1},
                                                                {1, 4},
                                                                {2, 1},
                                                                {2, 2},
                                                                {3, 3},
                                                                {5, 2},
                                                                {4, 4},
                                                                {3, 5},
                                                                {6, 3},
                                                                {2, 9},
                                                                {3, 17},
                                                                {2, 22},
                                                                {2, 33},
                                                                {2, 70}}) {
          shapes.push_back({T, K, tables, scale, forbid, forbid});
        }
        for (auto [T, K, contexts] : std::vector<std::tuple<Index, Index, Index>>{{0, 2, 3},
                                                                                  {1, 3, 4},
                                                                                  {2, 3, 5},
                                                                                  {5, 2, 2},
                                                                                  {6, 2, 7},
                                                                                  {6, 2, 20},
                                                                                  {5, 3, 9},
                                                                                  {4, 5, 40},
                                                                                  {3, 9, 50}}) {
          shapes.push_back({T, K, tables, scale, forbid, forbid, contexts});
        }
      }
    }
  }
  return shapes;
}

// Relative to what rounding of sums of `scale`-sized energies allows.
template <class R>
double tolerance(const RandomChainOptions& o) {
  return (sizeof(R) == 4 ? 1e-5 : 1e-11) * std::max(1.0, o.scale);
}

template <class R>
bool close(double a, double b, double margin) {
  return a == b || std::abs(a - b) <= margin * std::max({1.0, std::abs(b)});
}

}  // namespace

TEMPLATE_TEST_CASE("minima agree with enumeration", "[inference][kernels]", float, double) {
  using R = TestType;
  Rng rng(7);
  for (int round = 0; round < kRounds; ++round) {
    for (const auto& shape : small_shapes()) {
      const auto owned = random_chain<R>(rng, shape);
      const Chain<R> chain = owned.view();
      auto all = enumerate(chain);
      std::stable_sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.energy < b.energy; });
      const double margin = tolerance<R>(shape);

      const Minimum best = minimize(chain);
      REQUIRE(best.feasible() == (all[0].energy < kInfinity<double>));
      REQUIRE(close<R>(best.energy, all[0].energy, margin));
      if (best.feasible()) REQUIRE(best.energy == energy<R>(chain, best.labels));

      const auto& excluded = all[rng.below(2) ? 0 : rng.below(all.size())].y;
      const Minimum other = minimize_excluding<R>(chain, excluded);
      double want = kInfinity<double>;
      for (const auto& l : all) {
        if (l.y != excluded) want = std::min(want, l.energy);
      }
      REQUIRE(close<R>(other.energy, want, margin));
      if (other.feasible()) REQUIRE(other.labels != excluded);

      const Index k = static_cast<Index>(1 + rng.below(40));
      const auto lowest = k_lowest(chain, k);
      const auto allowed =
          std::count_if(all.begin(), all.end(), [](auto& l) { return l.energy < kInfinity<double>; });
      REQUIRE(static_cast<Index>(lowest.size()) == std::min<Index>(k, allowed));
      std::set<std::vector<Label>> distinct;
      for (std::size_t i = 0; i < lowest.size(); ++i) {
        REQUIRE(close<R>(lowest[i].energy, all[i].energy, margin));
        REQUIRE(lowest[i].energy == energy<R>(chain, lowest[i].labels));
        distinct.insert(lowest[i].labels);
      }
      REQUIRE(distinct.size() == lowest.size());

      const auto held = min_marginals(chain);
      for (Index t = 0; t < chain.length(); ++t) {
        for (Index j = 0; j < chain.labels(); ++j) {
          double low = kInfinity<double>;
          for (const auto& l : all) {
            if (l.y[t] == static_cast<Label>(j)) low = std::min(low, l.energy);
          }
          REQUIRE(close<R>(held[t][j], low, margin));
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("augmented and restricted minima agree with enumeration", "[inference][kernels]", float,
                   double) {
  using R = TestType;
  Rng rng(8);
  for (int round = 0; round < 60; ++round) {
    const auto owned = random_chain<R>(rng, {4, 3, round % 2 ? 3 : 1});
    const Chain<R> chain = owned.view();
    const auto all = enumerate(chain);
    TableBuffer<R> cost(4, 3), storage;
    TableBuffer<std::uint8_t> allowed(4, 3);
    for (Index i = 0; i < 12; ++i) {
      cost[0][i] = static_cast<R>(rng.uniform());
      allowed[0][i] = rng.below(3) > 0;
    }
    double augmented = kInfinity<double>, restricted = kInfinity<double>;
    for (const auto& l : all) {
      double c = 0;
      bool ok = true;
      for (Index t = 0; t < 4; ++t) c += cost[t][l.y[t]], ok = ok && allowed[t][l.y[t]];
      augmented = std::min(augmented, l.energy - c);
      if (ok) restricted = std::min(restricted, l.energy);
    }
    REQUIRE(close<R>(minimize_augmented<R>(chain, cost).energy, augmented, 1e-5));
    const Minimum m = minimize(restrict<R>(chain, allowed.view(), storage));
    REQUIRE(close<R>(m.energy, restricted, 1e-5));
  }
}

TEMPLATE_TEST_CASE("sums agree with enumeration at any beta", "[inference][kernels]", float, double) {
  using R = TestType;
  Rng rng(9);
  for (int round = 0; round < kRounds; ++round) {
    for (const auto& shape : small_shapes()) {
      const auto owned = random_chain<R>(rng, shape);
      const Chain<R> chain = owned.view();
      const auto all = enumerate(chain);
      const double beta = static_cast<double>(static_cast<R>(0.1 + 2 * rng.uniform()));
      const double margin = tolerance<R>(shape);

      const double f = free_energy_of(all, beta, [](auto&) { return true; });
      const auto m = marginals(chain, beta);
      REQUIRE(close<R>(m.free_energy, f, margin));
      REQUIRE(close<R>(free_energy(chain, beta), f, margin));
      if (!(f < kInfinity<double>)) continue;

      TableBuffer<double> unary(chain.length(), chain.labels());
      TableBuffer<double> pairwise(chain.pairwise.rows, chain.pairwise.columns);
      for (const auto& l : all) {
        const double p = std::exp(beta * (f - l.energy));
        State history = 0;
        for (Index t = 0; t < chain.length(); ++t) {
          unary[t][l.y[t]] += p;
          if (t > 0) {
            const Index table = chain.which.empty() ? 0 : static_cast<Index>(chain.which[t - 1]);
            pairwise[table][history * chain.labels() + l.y[t]] += p;
          }
          history = t > 0 ? chain.next(history, l.y[t]) : chain.start(l.y[t]);
        }
      }
      // A probability's error is beta times that of an energy.
      const double p_margin = margin * beta * 8;
      for (Index t = 0; t < chain.length(); ++t) {
        for (Index j = 0; j < chain.labels(); ++j) REQUIRE(std::abs(m.unary[t][j] - unary[t][j]) <= p_margin);
      }
      for (Index i = 0; i < chain.pairwise.size(); ++i) {
        REQUIRE(std::abs(m.pairwise[0][i] - pairwise[0][i]) <=
                p_margin * static_cast<double>(chain.length()));
      }

      if (chain.length() == 0) continue;
      const Index begin = static_cast<Index>(rng.below(static_cast<std::uint64_t>(chain.length())));
      const Index window =
          1 + static_cast<Index>(rng.below(static_cast<std::uint64_t>(chain.length() - begin)));
      TableBuffer<std::uint8_t> allowed(window, chain.labels());
      for (Index i = 0; i < window * chain.labels(); ++i) allowed[0][i] = rng.below(3) > 0;
      double want = 0;
      for (const auto& l : all) {
        bool inside = true;
        for (Index s = 0; s < window; ++s) inside = inside && allowed[s][l.y[begin + s]];
        if (inside) want += std::exp(beta * (f - l.energy));
      }
      REQUIRE(std::abs(window_probability<R>(chain, beta, begin, allowed) - want) <= p_margin * 4);
    }
  }
}

TEMPLATE_TEST_CASE("samples follow the distribution", "[inference]", float, double) {
  using R = TestType;
  Rng rng(10);
  for (double forbid : {0.0, 0.2}) {  // the scaled and the log domain
    for (auto [tables, contexts] : std::vector<std::pair<Index, Index>>{{1, 0}, {2, 0}, {1, 5}, {2, 9}}) {
      OwnedChain<R> owned;
      double f = kInfinity<double>;
      std::vector<Labelling> all;
      while (!(f < kInfinity<double>)) {
        owned = random_chain<R>(rng, {3, 3, tables, 1, 0, forbid, contexts});
        all = enumerate(owned.view());
        f = free_energy_of(all, 0.7, [](auto&) { return true; });
      }
      const Index draws = 40000;
      std::map<std::vector<Label>, double> seen;
      for (const auto& y : sample<R>(owned.view(), 0.7, rng, draws)) ++seen[y];
      double chi2 = 0;
      int cells = 0;
      for (const auto& l : all) {
        const double expected = draws * std::exp(0.7 * (f - l.energy));
        if (expected == 0) REQUIRE(seen.count(l.y) == 0);
        if (expected < 5) continue;
        chi2 += (seen[l.y] - expected) * (seen[l.y] - expected) / expected;
        ++cells;
      }
      REQUIRE(cells > 3);
      CHECK(chi2 < cells + 4 * std::sqrt(2.0 * cells));
    }
  }
  const auto owned = random_chain<R>(rng, {5, 4});
  Rng one(3), two(3);
  CHECK(sample<R>(owned.view(), 1, one, 20) == sample<R>(owned.view(), 1, two, 20));
}

TEST_CASE("a chain worked by hand", "[inference]") {
  // Two labels, three positions; staying costs 0, changing 1.
  const std::vector<double> unary{0, 1, 2, 0, 0, 3}, pairwise{0, 1, 1, 0};
  const Chain<double> chain{{unary.data(), 3, 2}, {pairwise.data(), 1, 4}, {}};
  CHECK(energy<double>(chain, std::vector<Label>{0, 1, 1}) == 4);
  const auto lowest = k_lowest(chain, 3);
  CHECK(lowest[0].labels == std::vector<Label>{0, 0, 0});
  CHECK(lowest[0].energy == 2);
  CHECK(lowest[1].energy == 2);  // 0 1 0: two changes
  CHECK(lowest[1].labels == std::vector<Label>{0, 1, 0});
  CHECK(lowest[2].energy == 2);  // 1 1 0: a dearer start, one change
  CHECK(minimize_excluding<double>(chain, std::vector<Label>{0, 0, 0}).energy == 2);
  // F of independent positions is the sum of theirs.
  const std::vector<double> none(4, 0.0);
  const Chain<double> free{{unary.data(), 3, 2}, {none.data(), 1, 4}, {}};
  CHECK(free_energy(free) ==
        Approx(-std::log(1 + std::exp(-1)) - std::log(std::exp(-2) + 1) - std::log(1 + std::exp(-3))));
  const Minimum mm = maximum_marginals(free);
  CHECK(mm.labels == std::vector<Label>{0, 1, 0});
}

TEST_CASE("metamorphic: constants, relabelling, reversal", "[inference][kernels]") {
  Rng rng(12);
  for (int round = 0; round < 50; ++round) {
    const Index T = 1 + static_cast<Index>(rng.below(30)), K = 1 + static_cast<Index>(rng.below(40));
    auto owned = random_chain<double>(rng, {T, K});
    const auto chain = owned.view();
    const double f = free_energy(chain, 0.8), e = minimize(chain).energy;
    auto reversed = owned;
    for (Index t = 0; t < T; ++t) std::copy_n(owned.unary[T - 1 - t], K, reversed.unary[t]);
    for (Index i = 0; i < K; ++i) {
      for (Index j = 0; j < K; ++j) reversed.pairwise[0][i * K + j] = owned.pairwise[0][j * K + i];
    }
    CHECK(free_energy(reversed.view(), 0.8) == Approx(f).epsilon(1e-12));
    CHECK(minimize(reversed.view()).energy == Approx(e).epsilon(1e-12));
    auto shifted = owned;
    for (Index j = 0; j < K; ++j) shifted.unary[T / 2][j] += 3.5;
    CHECK(free_energy(shifted.view(), 0.8) == Approx(f + 3.5).epsilon(1e-12));
    CHECK(minimize(shifted.view()).energy == Approx(e + 3.5).epsilon(1e-12));
    // Low temperature: F tends to the minimum from below.
    CHECK(free_energy(chain, 200) <= e + 1e-9);
    CHECK(free_energy(chain, 200) == Approx(e).margin(0.01 * static_cast<double>(T * K)));
  }
}

TEMPLATE_TEST_CASE("a million positions and a thousand labels neither overflow nor drift",
                   "[inference][kernels]", float, double) {
  using R = TestType;
  Rng rng(13);
  {
    const Index T = kSanitized ? 50'000 : 1'000'000;
    auto owned = random_chain<R>(rng, {T, 2, 1, 30});
    const Minimum best = minimize(owned.view());
    REQUIRE(best.feasible());
    const double rounding = sizeof(R) == 4 ? 1e-6 : 2e-10;  // 2 T additions in double: at worst 2e6 * 2^-53
    // Exact by a two-state recursion in long double.
    long double a = owned.unary[0][0], b = owned.unary[0][1];
    long double fa = -a, fb = -b;
    const R* p = owned.pairwise[0];
    for (Index t = 1; t < T; ++t) {
      const long double na = std::min(a + p[0], b + p[2]) + owned.unary[t][0];
      const long double nb = std::min(a + p[1], b + p[3]) + owned.unary[t][1];
      a = na, b = nb;
      auto lse = [](long double x, long double y) {
        return std::max(x, y) + std::log1p(std::exp(-std::abs(x - y)));
      };
      const long double ga = lse(fa - p[0], fb - p[2]) - owned.unary[t][0];
      const long double gb = lse(fa - p[1], fb - p[3]) - owned.unary[t][1];
      fa = ga, fb = gb;
    }
    CHECK(best.energy == Approx(static_cast<double>(std::min(a, b))).epsilon(rounding));
    const double f = -static_cast<double>(std::max(fa, fb) + std::log1p(std::exp(-std::abs(fa - fb))));
    CHECK(free_energy(owned.view()) == Approx(f).epsilon(rounding));
  }
  {
    const Index K = 1000;
    auto owned = random_chain<R>(rng, {3, K});
    const auto m = marginals(owned.view());
    for (Index t = 0; t < 3; ++t) {
      double sum = 0;
      for (Index j = 0; j < K; ++j) sum += m.unary[t][j];
      CHECK(sum == Approx(1).epsilon(1e-4));
    }
    const double e = minimize(owned.view()).energy;
    CHECK(m.free_energy < e);
    CHECK(m.free_energy > e - 3 * std::log(1000.0));
  }
}

TEST_CASE("nothing allowed is an outcome", "[inference]") {
  std::vector<float> unary{0, 0, kInfinity<float>, kInfinity<float>}, pairwise(4, 0.f);
  const Chain<float> chain{{unary.data(), 2, 2}, {pairwise.data(), 1, 4}, {}};
  CHECK_FALSE(minimize(chain).feasible());
  CHECK(minimize(chain).labels.empty());
  CHECK(free_energy(chain) == kInfinity<double>);
  CHECK(k_lowest(chain, 3).empty());
  Rng rng(1);
  CHECK(sample(chain, 1, rng, 3).empty());
  CHECK(marginals(chain).unary[0][0] == 0);
  // Forbidden by pairs alone.
  std::vector<float> open(4, 0.f), closed(4, kInfinity<float>);
  const Chain<float> cut{{open.data(), 2, 2}, {closed.data(), 1, 4}, {}};
  CHECK_FALSE(minimize(cut).feasible());
  CHECK(free_energy(cut) == kInfinity<double>);
}

TEST_CASE("one answer has no other", "[inference]") {
  std::vector<float> unary{0, 0, 0}, pairwise{0};
  const Chain<float> chain{{unary.data(), 3, 1}, {pairwise.data(), 1, 1}, {}};
  CHECK_FALSE(minimize_excluding<float>(chain, std::vector<Label>{0, 0, 0}).feasible());
  CHECK(k_lowest(chain, 5).size() == 1);
}

TEST_CASE("ties: lower labels first, all distinct", "[inference]") {
  std::vector<float> unary(9, 0.f), pairwise(9, 0.f);
  const Chain<float> chain{{unary.data(), 3, 3}, {pairwise.data(), 1, 9}, {}};
  CHECK(minimize(chain).labels == std::vector<Label>{0, 0, 0});
  std::set<std::vector<Label>> distinct;
  for (const auto& m : k_lowest(chain, 27)) distinct.insert(m.labels);
  CHECK(distinct.size() == 27);
}

TEST_CASE("a beta that means nothing is refused", "[inference]") {
  std::vector<float> unary(2, 0.f);
  const Chain<float> chain{{unary.data(), 1, 2}, {}, {}};
  for (double beta : {0.0, -1.0, kInfinity<double>, std::nan("")}) {
    CHECK_THROWS_AS(free_energy(chain, beta), OptionError);
    CHECK_THROWS_AS(marginals(chain, beta), OptionError);
  }
  CHECK(free_energy(chain, 2) == Approx(-std::log(2.0) / 2));
}
