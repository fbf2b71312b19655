// Sums over chains that forbid and spread widely: which domain they run in must never show in the result.

#include <cmath>

#include "support/catch.h"
#include "support/enumerate.h"
#include "support/sanitized.h"
#include "thalweg/inference/chain.h"
#include "thalweg/inference/sum_product.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

double log_sum(const std::vector<double>& x) {
  double top = -kInfinity<double>, sum = 0;
  for (double v : x) top = std::max(top, v);
  if (!(top > -kInfinity<double>)) return top;
  for (double v : x) sum += std::exp(v - top);
  return top + std::log(sum);
}

// Takes the largest out of a row of logarithms; returns it.
double take_top(double* row, Index K) {
  const double top = *std::max_element(row, row + K);
  for (Index j = 0; top > -kInfinity<double> && j < K; ++j) row[j] -= top;
  return top;
}

// Forward-backward in plain logarithms of doubles: the referee where enumeration does not reach.
struct Referee {
  double free_energy = 0;
  TableBuffer<double> unary, pairwise;

  template <class R>
  explicit Referee(const Chain<R>& c, double beta = 1)
      : unary(c.length(), c.labels()), pairwise(c.pairwise.rows, c.pairwise.columns) {
    const Index T = c.length(), K = c.labels();
    TableBuffer<double> a(T, K), b(T, K), pairs(K, K);
    std::vector<double> terms(static_cast<std::size_t>(K));
    long double log_z = 0;
    for (Index t = 0; t < T; ++t) {
      for (Index j = 0; j < K; ++j) {
        for (Index i = 0; t > 0 && i < K; ++i) terms[i] = a[t - 1][i] - beta * c.coupling(t - 1)[i * K + j];
        a[t][j] = -beta * c.unary[t][j] + (t > 0 ? log_sum(terms) : 0.0);
      }
      log_z += take_top(a[t], K);
    }
    log_z += log_sum({a[T - 1], a[T - 1] + K});
    free_energy = -static_cast<double>(log_z) / beta;
    if (!(free_energy < kInfinity<double>)) return;
    for (Index t = T - 1; t >= 0; --t) {
      for (Index i = 0; t + 1 < T && i < K; ++i) {
        for (Index j = 0; j < K; ++j) {
          terms[j] = b[t + 1][j] - beta * (static_cast<double>(c.coupling(t)[i * K + j]) + c.unary[t + 1][j]);
          pairs[i][j] = a[t][i] + terms[j];
        }
        b[t][i] = log_sum(terms);
      }
      std::vector<double> held(a[t], a[t] + K);
      for (Index i = 0; i < K; ++i) held[i] += b[t][i];
      const double total = log_sum(held);
      for (Index i = 0; i < K; ++i) unary[t][i] = std::exp(held[i] - total);
      for (Index i = 0; t + 1 < T && i < K * K; ++i) {
        const Index p = c.which.empty() ? 0 : static_cast<Index>(c.which[t]);
        pairwise[p][i] += std::exp(pairs[0][i] - total);
      }
      take_top(b[t], K);
    }
  }
};

// `margin` is relative to the free energy, absolute for probabilities.
template <class R>
void agree(const Chain<R>& chain, double margin, double beta = 1) {
  const Referee want(chain, beta);
  const auto m = marginals(chain, beta);
  if (!(want.free_energy < kInfinity<double>)) {
    REQUIRE(m.free_energy == kInfinity<double>);
    return;
  }
  REQUIRE(std::abs(m.free_energy - want.free_energy) <= margin * std::max(1.0, std::abs(want.free_energy)));
  double worst = 0, worst_pair = 0;
  for (Index i = 0; i < chain.unary.size(); ++i)
    worst = std::max(worst, std::abs(m.unary[0][i] - want.unary[0][i]));
  for (Index i = 0; i < chain.pairwise.size(); ++i)
    worst_pair = std::max(worst_pair, std::abs(m.pairwise[0][i] - want.pairwise[0][i]));
  REQUIRE(worst <= margin);
  REQUIRE(worst_pair <= margin * static_cast<double>(chain.length()));
}

// O, then B-X and I-X for each of `types`: only B-X and I-X may precede I-X.
template <class R>
void forbid_bio(Table<R> pairwise, Index types) {
  const Index K = 1 + 2 * types;
  for (Index i = 0; i < K; ++i) {
    for (Index x = 0; x < types; ++x) {
      const Index inside = 2 + 2 * x;
      if (i != inside && i != inside - 1) pairwise[0][i * K + inside] = kInfinity<R>;
    }
  }
}

template <class R>
bool by_logarithms(const Chain<R>& chain) {
  Couplings<R> couplings;
  couplings.prepare_sums(chain.pairwise, chain.labels(), R(1));
  SumProduct<R> work;
  work.forward(chain, couplings);
  return work.in_logarithms();
}

}  // namespace

TEMPLATE_TEST_CASE("sums with forbidden pairs agree with logarithms", "[inference][kernels]", float, double) {
  using R = TestType;
  Rng rng(31);
  for (double forbid_pairs : {0.1, 0.5, 0.9}) {
    for (double forbid_labels : {0.0, 0.4}) {
      for (double scale : {1.0, 10.0, 100.0, 1e3, 1e6}) {
        for (Index K : {1, 2, 3, 5, 8, 17, 40, 70}) {
          for (Index tables : {1, 3}) {
            auto owned = random_chain<R>(rng, {15, K, tables, scale, forbid_labels, forbid_pairs});
            // A float sum of energies of `scale` is only as good as its largest term.
            agree(owned.view(), (sizeof(R) == 4 ? 2e-6 : 1e-14) * std::max(10.0, scale) * 15);
          }
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("ordinary chains with forbidden pairs stay off logarithms", "[inference][kernels]", float,
                   double) {
  using R = TestType;
  Rng rng(32);
  for (int round = 0; round < 20; ++round) {
    const Index types = 1 + static_cast<Index>(rng.below(12)), K = 1 + 2 * types;
    auto owned = random_chain<R>(rng, {40, K, 1, 3});
    forbid_bio<R>(owned.pairwise, types);
    for (Index x = 0; x < types; ++x) owned.unary[0][2 + 2 * x] = kInfinity<R>;  // not at the start
    CHECK_FALSE(by_logarithms(owned.view()));
    agree(owned.view(), sizeof(R) == 4 ? 2e-5 : 1e-12);
    // The right answer alone, and any of two labels: mostly zeros.
    auto restricted = owned;
    for (Index t = 0; t < 40; ++t) {
      const auto keep = rng.below(static_cast<std::uint64_t>(types));
      for (Index j = 0; j < K; ++j) {
        if (j != 0 && j != 1 + 2 * static_cast<Index>(keep)) restricted.unary[t][j] = kInfinity<R>;
      }
    }
    CHECK_FALSE(by_logarithms(restricted.view()));
    agree(restricted.view(), sizeof(R) == 4 ? 2e-5 : 1e-12);
  }
}

TEMPLATE_TEST_CASE("an answer that only a long detour allows is not lost", "[inference][kernels]", float,
                   double) {
  using R = TestType;
  // Label 0 is far cheaper everywhere but must not be left; the end forbids it. All of the mass is on a path
  // that any one position makes look hopeless.
  const R never = kInfinity<R>;
  for (R dear : {R(5), R(50), R(200), R(2000), R(1e6)}) {
    const Index T = 50, K = 3;
    OwnedChain<R> owned;
    owned.unary.resize(T, K), owned.pairwise.resize(1, K * K);
    const R pairs[] = {0, never, never, never, 1, 2, never, 0, 1};
    std::copy_n(pairs, 9, owned.pairwise[0]);
    for (Index t = 0; t < T; ++t) owned.unary[t][1] = dear, owned.unary[t][2] = dear + R(t % 3);
    owned.unary[T - 1][0] = never;
    const double margin = (sizeof(R) == 4 ? 1e-6 : 1e-14) * std::max(10.0, static_cast<double>(dear));
    agree(owned.view(), margin);
    // And from the other side: label 0 is out of reach, and its messages from the end would grow for ever.
    auto reversed = owned;
    for (Index t = 0; t < T; ++t) std::copy_n(owned.unary[T - 1 - t], K, reversed.unary[t]);
    agree(reversed.view(), margin);
  }
}

TEMPLATE_TEST_CASE("finite spreads beyond the scaled range", "[inference][kernels]", float, double) {
  using R = TestType;
  Rng rng(33);
  for (double pair_scale : {20.0, 100.0, 1000.0}) {
    for (double unary_scale : {0.1, 10.0, 300.0}) {
      auto owned = random_chain<R>(rng, {30, 6, 2, unary_scale});
      for (Index i = 0; i < 72; ++i) owned.pairwise[0][i] = static_cast<R>(pair_scale * rng.normal());
      agree(owned.view(), (sizeof(R) == 4 ? 2e-6 : 1e-14) * std::max(pair_scale, unary_scale) * 30);
    }
  }
}

TEMPLATE_TEST_CASE("forbidden pairs at a million positions and a thousand labels", "[inference][kernels]",
                   float, double) {
  using R = TestType;
  Rng rng(34);
  {
    auto owned = random_chain<R>(rng, {kSanitized ? 50'000 : 1'000'000, 3, 1, 2});
    forbid_bio<R>(owned.pairwise, 1);
    const Chain<R> chain = owned.view();
    const Referee want(chain);
    const auto m = marginals(chain);
    CHECK(m.free_energy == Approx(want.free_energy).epsilon(sizeof(R) == 4 ? 1e-6 : 1e-10));
    double worst = 0;
    for (Index i = 0; i < chain.unary.size(); ++i)
      worst = std::max(worst, std::abs(m.unary[0][i] - want.unary[0][i]));
    CHECK(worst < (sizeof(R) == 4 ? 1e-5 : 1e-12));
    CHECK_FALSE(by_logarithms(chain));
  }
  const auto wide = random_chain<R>(rng, {4, 1000, 1, 2, 0.2, 0.6});
  agree(wide.view(), sizeof(R) == 4 ? 2e-5 : 1e-12);
}

TEMPLATE_TEST_CASE("nothing allowed, however it comes about", "[inference][kernels]", float, double) {
  using R = TestType;
  const R never = kInfinity<R>;
  OwnedChain<R> owned;
  owned.unary.resize(4, 2), owned.pairwise.resize(1, 4, never);
  CHECK(free_energy(owned.view()) == kInfinity<double>);
  owned.pairwise[0][1] = 0;  // 0 before 1 alone: two positions and no more
  CHECK(free_energy(owned.view()) == kInfinity<double>);
  CHECK(free_energy(Chain<R>{owned.unary.view().slice(0, 2), owned.pairwise, {}}) == Approx(0).margin(1e-6));
  owned.pairwise[0][3] = 0, owned.unary[2][1] = never;
  CHECK(free_energy(owned.view()) == kInfinity<double>);
  owned.unary[2][1] = R(1e6), owned.unary[2][0] = R(0);  // what is left is dear, not forbidden
  CHECK(free_energy(owned.view()) == Approx(1e6 - std::log(2.0)).epsilon(1e-6));
}

TEMPLATE_TEST_CASE("windows and samples in both domains of one workspace", "[inference][kernels]", float,
                   double) {
  using R = TestType;
  Rng rng(35);
  auto plain = random_chain<R>(rng, {5, 3, 1, 1}), extreme = random_chain<R>(rng, {5, 3, 1, 1000});
  plain.pairwise[0][2] = plain.pairwise[0][3] = kInfinity<R>;
  extreme.pairwise = plain.pairwise;
  extreme.unary[2][0] = extreme.unary[2][1] = R(900), extreme.unary[2][2] = R(901);  // a real choice
  Couplings<R> couplings;
  couplings.prepare_sums(plain.pairwise.view(), 3, R(1));
  SumProduct<R> work;
  std::vector<Label> y(5);
  for (int round = 0; round < 4; ++round) {
    const Chain<R> chain = round % 2 ? extreme.view() : plain.view();
    const double f = work.forward(chain, couplings);
    CHECK(work.in_logarithms() == (round % 2 == 1));
    const auto all = enumerate(chain);
    for (Index begin = 0; begin < 5; ++begin) {
      TableBuffer<std::uint8_t> allowed(std::min<Index>(2, 5 - begin), 3, 1);
      for (Index i = 0; i < allowed.rows() * 3; ++i) allowed[0][i] = rng.below(2) > 0;
      double want = 0;
      for (const auto& l : all) {
        bool inside = true;
        for (Index s = 0; s < allowed.rows(); ++s) inside = inside && allowed[s][l.y[begin + s]];
        if (inside) want += std::exp(f - l.energy);
      }
      CHECK(work.probability(begin, allowed.view()) == Approx(want).margin(sizeof(R) == 4 ? 1e-3 : 1e-9));
    }
    for (int draw = 0; draw < 50; ++draw) {
      work.sample(rng, y);
      CHECK(energy<R>(chain, y) < f + 30);
    }
  }
}
