// Samplers against exact transition matrices, exact marginals and Geweke's joint distribution test.

#include "thalweg/inference/samplers.h"

#include <functional>

#include "support/catch.h"
#include "support/graphs.h"
#include "support/message.h"
#include "support/sanitized.h"
#include "support/transition.h"
#include "thalweg/inference/annealed_importance.h"
#include "thalweg/inference/blocked_gibbs.h"
#include "thalweg/inference/chain.h"
#include "thalweg/inference/replica_exchange.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

constexpr int kDraws = kSanitized ? 2000 : 20000;

// Calls test(structure) for small ones: a chain, one that forbids, one of higher order, loopy graphs.
template <class Test>
void on_small_structures(Test test) {
  Rng rng(11);
  const auto plain = random_chain<double>(rng, {.length = 5, .labels = 3, .tables = 2});
  auto forbidding = random_chain<double>(rng, {.length = 4, .labels = 3});
  forbidding.unary[1][2] = forbidding.pairwise[0][5] = kInfinity<double>;
  const auto higher = random_chain<double>(rng, {.length = 5, .labels = 2, .contexts = 6});
  const auto graph = loopy_graph<double>(rng);
  auto scarce = loopy_graph<double>(rng, 1.5);
  scarce.unary[3] = scarce.tables[2] = kInfinity<double>;
  test(plain.view()), test(forbidding.view()), test(higher.view()), test(graph.view()), test(scarce.view());
}

// Row i: one site of answer i drawn anew, as Gibbs says.
template <class S>
Matrix site_matrix(const S& s, const Support& support, double beta, Index v) {
  Gibbs<S> gibbs;
  Matrix m = zeros(support.size());
  for (std::size_t i = 0; i < support.size(); ++i) {
    std::vector<Label> y = support.answers[i];
    const auto p = gibbs.conditional(s, beta, y, v);
    for (Label l = 0; l < p.size(); ++l) {
      y[v] = l;
      if (p[l] > 0) m[i][support.number.at(y)] += p[l];
    }
  }
  return m;
}

template <class S>
Matrix random_scan_matrix(const S& s, const Support& support, double beta) {
  Matrix m = zeros(support.size());
  const Index V = variables(s);
  for (Index v = 0; v < V; ++v) {
    const Matrix site = site_matrix(s, support, beta, v);
    for (std::size_t i = 0; i < m.size(); ++i) {
      for (std::size_t j = 0; j < m.size(); ++j) m[i][j] += site[i][j] / static_cast<double>(V);
    }
  }
  return m;
}

template <class S>
Matrix systematic_matrix(const S& s, const Support& support, double beta) {
  Matrix m = site_matrix(s, support, beta, 0);
  for (Index v = 1; v < variables(s); ++v) m = product(m, site_matrix(s, support, beta, v));
  return m;
}

// Locally balanced proposals, accepted by Zanella's rule min(1, Z(y) / Z(y')) or all of them.
template <class S>
Matrix balanced_matrix(const S& s, const Support& support, double beta, Balance balance, bool corrected) {
  LocallyBalanced<S> sampler(balance);
  std::vector<double> totals;
  for (const auto& y : support.answers) sampler.start(s, beta, y), totals.push_back(sampler.total());
  Matrix m = zeros(support.size());
  for (std::size_t i = 0; i < support.size(); ++i) {
    std::vector<Label> y = support.answers[i];
    sampler.start(s, beta, y);
    double stay = 1;
    for (Index v = 0; v < variables(s); ++v) {
      const Label here = y[v];
      for (Label l = 0; l < static_cast<Label>(states(s, v)); ++l) {
        const double weight = sampler.weights(v)[l];
        if (!(weight > 0)) continue;
        y[v] = l;
        const std::size_t j = support.number.at(y);
        m[i][j] = weight / totals[i] * (corrected ? std::min(1.0, totals[i] / totals[j]) : 1.0);
        stay -= m[i][j];
      }
      y[v] = here;
    }
    m[i][i] = std::max(0.0, stay);
  }
  return m;
}

}  // namespace

TEST_CASE("Gibbs by random scan is stationary and reversible, and draws as its matrix says",
          "[inference][samplers]") {
  on_small_structures([](const auto& s) {
    for (double beta : {1.0, 0.4}) {
      const Support support(s, beta);
      const Matrix m = random_scan_matrix(s, support, beta);
      CHECK(drift(support.p, m) < 1e-14);
      CHECK(imbalance(support.p, m) < 1e-14);
      Gibbs<std::decay_t<decltype(s)>> gibbs;
      Rng rng(5);
      CHECK(worst_row(support, m, kDraws, [&](std::span<Label> y) { gibbs.step(s, beta, rng, y); }) < 1);
    }
  });
}

TEST_CASE("a systematic sweep is stationary but not reversible", "[inference][samplers]") {
  on_small_structures([](const auto& s) {
    const Support support(s, 1);
    const Matrix m = systematic_matrix(s, support, 1);
    CHECK(drift(support.p, m) < 1e-14);
    CHECK(imbalance(support.p, m) > 1e-4);
    Gibbs<std::decay_t<decltype(s)>> gibbs;
    Rng rng(6);
    CHECK(worst_row(support, m, kDraws, [&](std::span<Label> y) { gibbs.systematic_sweep(s, 1, rng, y); }) <
          1);
  });
}

TEST_CASE("locally balanced proposals are reversible with their correction and biased without",
          "[inference][samplers]") {
  on_small_structures([](const auto& s) {
    for (Balance balance : {Balance::Barker, Balance::SquareRoot}) {
      const Support support(s, 1.3);
      const Matrix m = balanced_matrix(s, support, 1.3, balance, true);
      CHECK(drift(support.p, m) < 1e-14);
      CHECK(imbalance(support.p, m) < 1e-14);
      CHECK(drift(support.p, balanced_matrix(s, support, 1.3, balance, false)) > 1e-4);
      LocallyBalanced<std::decay_t<decltype(s)>> sampler(balance);
      Rng rng(7);
      CHECK(worst_row(support, m, kDraws / 4, [&](std::span<Label> y) {
              sampler.start(s, 1.3, y);
              sampler.step(rng, y);
            }) < 1);
    }
  });
}

TEST_CASE("locally balanced steps keep the prices of all neighbours", "[inference][samplers]") {
  on_small_structures([](const auto& s) {
    using S = std::decay_t<decltype(s)>;
    LocallyBalanced<S> going, fresh;
    Rng rng(8);
    std::vector<Label> y = Support(s, 1).answers[0];
    going.start(s, 1, y);
    int taken = 0;
    for (int n = 0; n < 60; ++n) {
      taken += going.step(rng, y);
      fresh.start(s, 1, y);
      for (Index v = 0; v < variables(s); ++v) {
        const auto a = going.weights(v), b = fresh.weights(v);
        REQUIRE(std::equal(a.begin(), a.end(), b.begin()));
      }
      REQUIRE(going.total() == fresh.total());
    }
    CHECK(taken > 10);
  });
}

TEST_CASE("an answer without neighbours stays", "[inference][samplers]") {
  Rng rng(1);
  auto owned = random_chain<double>(rng, {.length = 1, .labels = 2});
  owned.unary[0][1] = kInfinity<double>;
  LocallyBalanced<Chain<double>> sampler;
  Gibbs<Chain<double>> gibbs;
  std::vector<Label> y{0}, none;
  sampler.start(owned.view(), 1, y);
  CHECK_FALSE(sampler.step(rng, y));
  gibbs.sweep(owned.view(), 1, rng, y);
  CHECK(y[0] == 0);
  const auto nothing = random_chain<double>(rng, {.length = 0, .labels = 2});
  const Chain<double> empty = nothing.view();
  sampler.start(empty, 1, none);
  CHECK_FALSE(sampler.step(rng, none));
  gibbs.step(empty, 1, rng, none);
}

TEMPLATE_TEST_CASE("blocked Gibbs draws chains exactly given the rest", "[inference][samplers]", float,
                   double) {
  using R = TestType;
  Rng rng(21);
  // A chain 0-1-2-3-4 of 2 or 3 states with a skip edge, a shared table, a triple and a double edge.
  ScopeList scopes;
  scopes.add({0, 1}), scopes.add({2, 1}), scopes.add({2, 3}), scopes.add({3, 2}), scopes.add({3, 4});
  scopes.add({0, 4}), scopes.add({1, 2, 4}), scopes.add({4});
  scopes.which = {0, 0, 1, 2, 3, 4, 5, 6};
  auto owned = random_energies<R>(rng, {2, 3, 2, 3, 2}, scopes);
  owned.unary[3] = owned.tables[4] = kInfinity<R>;
  const auto graph = owned.view();
  const Support support(graph, 0.8);
  for (const std::vector<std::vector<std::uint32_t>>& chains :
       {std::vector<std::vector<std::uint32_t>>{{0, 1, 2, 3}, {4}},
        {{4}, {3}, {2}, {1}, {0}},
        {{3, 4}, {2, 1, 0}}}) {
    std::vector<std::span<const std::uint32_t>> blocks(chains.begin(), chains.end());
    BlockedGibbs<R> gibbs(*owned.topology, blocks);
    gibbs.start(graph, 0.8);
    Matrix scan = zeros(support.size()), sweep;
    for (std::size_t b = 0; b < chains.size(); ++b) {
      Matrix m = zeros(support.size());
      for (std::size_t i = 0; i < support.size(); ++i) {
        double total = 0;
        for (std::size_t j = 0; j < support.size(); ++j) {
          bool same = true;  // outside of the block
          for (std::uint32_t v = 0; v < 5; ++v) {
            const bool inside = std::count(chains[b].begin(), chains[b].end(), v) > 0;
            same = same && (inside || support.answers[i][v] == support.answers[j][v]);
          }
          if (same) total += m[i][j] = support.p[j];
        }
        for (double& x : m[i]) x /= total;
      }
      sweep = b == 0 ? m : product(sweep, m);
      for (std::size_t i = 0; i < m.size(); ++i) {
        for (std::size_t j = 0; j < m.size(); ++j) scan[i][j] += m[i][j] / static_cast<double>(chains.size());
      }
      CHECK(worst_row(support, m, kDraws / 4,
                      [&](std::span<Label> y) { gibbs.update(static_cast<Index>(b), rng, y); }) < 1);
    }
    CHECK(drift(support.p, scan) < 1e-14);
    CHECK(imbalance(support.p, scan) < 1e-14);
    CHECK(worst_row(support, scan, kDraws / 4, [&](std::span<Label> y) { gibbs.step(rng, y); }) < 1);
    CHECK(worst_row(support, sweep, kDraws / 4, [&](std::span<Label> y) { gibbs.systematic_sweep(rng, y); }) <
          1);
  }
}

TEST_CASE("one block that is the whole chain draws independently", "[inference][samplers]") {
  Rng rng(22);
  ScopeList scopes;  // one table for all, read from either side
  scopes.add({0, 1}), scopes.add({2, 1}), scopes.add({2, 3});
  scopes.which = {0, 0, 0};
  const auto owned = random_energies<double>(rng, {3, 3, 3, 3}, scopes, 2);
  const std::uint32_t all[] = {3, 2, 1, 0};  // a chain runs either way
  const std::span<const std::uint32_t> blocks[] = {all};
  BlockedGibbs<double> gibbs(*owned.topology, blocks);
  const Support support(owned.view(), 1.5);
  gibbs.start(owned.view(), 1.5);
  CHECK(worst_row(support, Matrix(support.size(), support.p), kDraws / 4,
                  [&](std::span<Label> y) { gibbs.step(rng, y); }) < 1);
}

TEST_CASE("replica exchange leaves the product distribution as it is", "[inference][samplers]") {
  Rng rng(31);
  const auto owned = random_chain<double>(rng, {.length = 2, .labels = 2, .scale = 1.5});
  const Chain<double> chain = owned.view();
  const double betas[] = {2, 1, 0.3};
  std::vector<Support> at;
  std::vector<Matrix> sweeps;
  for (double beta : betas) {
    at.emplace_back(chain, beta);
    const Matrix step = random_scan_matrix(chain, at.back(), beta);
    sweeps.push_back(product(step, step));
  }
  // Answer a of replica 0, b of 1, c of 2 is state (a * 4 + b) * 4 + c of the product.
  std::vector<double> p(64), energies(4);
  for (std::size_t i = 0; i < 4; ++i) energies[i] = energy<double>(chain, at[0].answers[i]);
  const auto part = [](std::size_t state, std::size_t r) { return state >> (4 - 2 * r) & 3; };
  for (std::size_t i = 0; i < 64; ++i) p[i] = at[0].p[part(i, 0)] * at[1].p[part(i, 1)] * at[2].p[part(i, 2)];
  Matrix sweep = zeros(64), rounds[2];
  for (std::size_t i = 0; i < 64; ++i) {
    for (std::size_t j = 0; j < 64; ++j)
      sweep[i][j] = sweeps[0][part(i, 0)][part(j, 0)] * sweeps[1][part(i, 1)][part(j, 1)] *
                    sweeps[2][part(i, 2)][part(j, 2)];
  }
  for (std::size_t r : {0, 1}) {
    Matrix swap = zeros(64);
    for (std::size_t i = 0; i < 64; ++i) {
      const std::size_t a = part(i, r), b = part(i, r + 1), shift = 2 - 2 * r;
      const std::size_t j = (i & ~(std::size_t{15} << shift)) | (b << 2 | a) << shift;
      const double accept = std::min(1.0, std::exp((betas[r] - betas[r + 1]) * (energies[a] - energies[b])));
      swap[i][j] += accept, swap[i][i] += 1 - accept;
    }
    CHECK(drift(p, swap) < 1e-14);
    CHECK(imbalance(p, swap) < 1e-14);
    rounds[r] = product(sweep, swap);
    CHECK(drift(p, rounds[r]) < 1e-14);
  }
  const Matrix both = product(rounds[0], rounds[1]);
  ReplicaExchange<Chain<double>> replicas(betas);
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<double> counts(64, 0);
    for (int n = 0; n < kDraws; ++n) {
      replicas.start(chain, at[0].answers[i]);
      replicas.round(rng), replicas.round(rng);
      std::size_t state = 0;
      for (Index r = 0; r < 3; ++r) {
        const auto y = replicas.answer(r);
        state = state * 4 + at[0].number.at({y.begin(), y.end()});
        REQUIRE(replicas.energy_of(r) == energy<double>(chain, y));
      }
      ++counts[state];
    }
    CHECK(chi_square_ratio(counts, both[i * 21]) < 1);
  }
}

TEST_CASE("samplers started from exact draws keep the marginals of a larger chain", "[inference][samplers]") {
  Rng rng(41);
  constexpr Index T = 20, K = 5;
  const auto owned = random_chain<double>(rng, {.length = T, .labels = K, .tables = 3});
  const Chain<double> chain = owned.view();
  const auto exact = marginals(chain);
  const auto graph = as_graph(chain);
  std::vector<std::uint32_t> ends, middle;
  for (std::uint32_t t = 0; t < T; ++t) (t < 5 || t > 14 ? ends : middle).push_back(t);
  // 4 and 15 are not coupled: a block may be several chains.
  const std::span<const std::uint32_t> blocks[] = {ends, middle};
  BlockedGibbs<double> blocked(*graph.topology, blocks);
  blocked.start(graph.view(), 1);
  Gibbs<Chain<double>> gibbs;
  LocallyBalanced<Chain<double>> balanced;
  const std::vector<std::function<void(std::span<Label>)>> samplers = {
      [&](std::span<Label> y) { gibbs.sweep(chain, 1, rng, y); },
      [&](std::span<Label> y) { gibbs.systematic_sweep(chain, 1, rng, y); },
      [&](std::span<Label> y) {
        balanced.start(chain, 1, y);
        for (int n = 0; n < 10; ++n) balanced.step(rng, y);
      },
      [&](std::span<Label> y) { blocked.step(rng, y); }};
  for (const auto& sampler : samplers) {
    TableBuffer<double> counts(T, K);
    for (auto& y : sample(chain, 1, rng, kDraws / 10)) {
      sampler(y);
      for (Index t = 0; t < T; ++t) ++counts[t][y[t]];
    }
    double worst = 0;
    for (Index t = 0; t < T; ++t)
      worst =
          std::max(worst, chi_square_ratio({counts[t], counts[t] + K}, {exact.unary[t], exact.unary[t] + K}));
    CHECK(worst < 1);
  }
}

TEST_CASE("samplers reach the marginals of a larger chain from one start", "[inference][samplers]") {
  Rng rng(42);
  constexpr Index T = 20, K = 5;
  const auto owned = random_chain<double>(rng, {.length = T, .labels = K, .scale = 0.7});
  const Chain<double> chain = owned.view();
  const auto exact = marginals(chain);
  Gibbs<Chain<double>> gibbs;
  const double ladder[] = {1, 0.6, 0.3};
  ReplicaExchange<Chain<double>> replicas(ladder);
  TableBuffer<double> counts(T, K), exchanged(T, K);
  for (int n = 0; n < kDraws / 20; ++n) {
    std::vector<Label> y(T, 0);
    replicas.start(chain, y);
    for (int m = 0; m < 25; ++m) gibbs.sweep(chain, 1, rng, y), replicas.round(rng);
    for (Index t = 0; t < T; ++t) ++counts[t][y[t]], ++exchanged[t][replicas.answer(0)[t]];
  }
  double worst = 0;
  for (Index t = 0; t < T; ++t) {
    const std::vector<double> p(exact.unary[t], exact.unary[t] + K);
    worst = std::max({worst, chi_square_ratio({counts[t], counts[t] + K}, p),
                      chi_square_ratio({exchanged[t], exchanged[t] + K}, p)});
  }
  CHECK(worst < 1);
  CHECK(replicas.exchanged(0) > 0.05);
  CHECK(replicas.exchanged(1) < 1);
}

namespace {

// A chain whose site energies have the sign of one coupling wrong: what Geweke's test is for.
struct WrongSign {
  using Scalar = double;
  Chain<double> chain;
};
[[maybe_unused]] Index variables(const WrongSign& s) { return s.chain.length(); }
Index states(const WrongSign& s, Index) { return s.chain.labels(); }
[[maybe_unused]] double energy(const WrongSign& s, std::span<const Label> y) { return energy(s.chain, y); }
void site_energies(const WrongSign& s, std::span<const Label> y, Index t, std::span<double> out) {
  site_energies(s.chain, y, t, out);
  for (Label l = 0; t > 0 && l < out.size(); ++l)
    out[l] -= 2 * s.chain.coupling(t - 1)[y[t - 1] * static_cast<Label>(out.size()) + l];
}
template <class F>
void each_neighbour(const WrongSign& s, Index v, F f) {
  each_neighbour(s.chain, v, f);
}

// theta in {-1, 0, 1}, each with probability 1/3, scales the couplings of a chain with energies E_theta, and
// y given theta is exp(-E_theta(y)) / Z(theta).
struct Joint {
  OwnedChain<double> at[3];
  double free_energies[3];

  explicit Joint(Rng& rng) {
    const auto drawn = random_chain<double>(rng, {.length = 6, .labels = 3, .scale = 0.8});
    for (int k = 0; k < 3; ++k) {
      at[k] = drawn;
      for (Index i = 0; i < 9; ++i) at[k].pairwise[0][i] = (k - 1) * drawn.pairwise[0][i];
      free_energies[k] = free_energy(at[k].view());
    }
  }
  int theta_given(std::span<const Label> y, Rng& rng) const {
    double p[3];
    for (int k = 0; k < 3; ++k) p[k] = std::exp(free_energies[k] - energy<double>(at[k].view(), y));
    return static_cast<int>(rng.pick(p));
  }
};

struct Moments {
  std::vector<double> sum = std::vector<double>(4, 0), squares = std::vector<double>(4, 0);
  double n = 0;
  void add(const std::vector<double>& g) {
    ++n;
    for (std::size_t i = 0; i < g.size(); ++i) sum[i] += g[i], squares[i] += g[i] * g[i];
  }
  double mean(std::size_t i) const { return sum[i] / n; }
  double variance_of_mean(std::size_t i) const { return (squares[i] / n - mean(i) * mean(i)) / n; }
};

// Geweke 2004, "Getting it right": theta and y drawn in turns, y by `sample_y(k, y)`, must have the moments
// of theta from its prior with y drawn exactly. The largest |z| over four functions of (theta, y); the
// standard error of the chain comes from means of batches.
template <class SampleY>
double geweke(const Joint& joint, Rng& rng, SampleY sample_y) {
  const auto functions = [&](int k, std::span<const Label> y) {
    const double f = energy<double>(joint.at[2].view(), y) - energy<double>(joint.at[1].view(), y);
    return std::vector<double>{k - 1.0, f, (k - 1) * f, f * f};
  };
  constexpr int kRounds = 10000;  // fewer would miss the error
  Moments exact, batches;
  for (int n = 0; n < kRounds; ++n) {
    const int k = static_cast<int>(rng.below(3));
    exact.add(functions(k, sample(joint.at[k].view(), 1, rng, 1)[0]));
  }
  int k = 1;
  std::vector<Label> y = sample(joint.at[k].view(), 1, rng, 1)[0];
  for (int b = 0; b < 100; ++b) {
    Moments batch;
    for (int n = 0; n < kRounds / 50; ++n) {
      sample_y(k, y);
      k = joint.theta_given(y, rng);
      batch.add(functions(k, y));
    }
    batches.add({batch.mean(0), batch.mean(1), batch.mean(2), batch.mean(3)});
  }
  double worst = 0;
  for (std::size_t i = 0; i < 4; ++i)
    worst = std::max(worst, std::abs(exact.mean(i) - batches.mean(i)) /
                                std::sqrt(exact.variance_of_mean(i) + batches.variance_of_mean(i)));
  return worst;
}

}  // namespace

TEST_CASE("Geweke's joint distribution test passes samplers and catches a wrong sign",
          "[inference][samplers]") {
  Rng rng(51);
  const Joint joint(rng);
  Gibbs<Chain<double>> gibbs;
  Gibbs<WrongSign> wrong;
  LocallyBalanced<Chain<double>> balanced;
  const double sweep =
      geweke(joint, rng, [&](int k, std::span<Label> y) { gibbs.sweep(joint.at[k].view(), 1, rng, y); });
  const double informed = geweke(joint, rng, [&](int k, std::span<Label> y) {
    const Chain<double> chain = joint.at[k].view();
    balanced.start(chain, 1, y);
    for (int n = 0; n < 4; ++n) balanced.step(rng, y);
  });
  const double planted = geweke(
      joint, rng, [&](int k, std::span<Label> y) { wrong.sweep(WrongSign{joint.at[k].view()}, 1, rng, y); });
  CHECK(sweep < 4);
  CHECK(informed < 4);
  CHECK(planted > 6);
}

TEST_CASE("annealed importance sampling estimates free energies within its error", "[inference][samplers]") {
  Rng rng(61);
  const auto owned = random_chain<double>(rng, {.length = 20, .labels = 5});
  const AnnealingOptions options{.temperatures = 1000, .particles = 20};
  const auto a = anneal_free_energy(owned.view(), options);
  CHECK(a.standard_error < 0.15);
  CHECK(std::abs(a.free_energy(1) - free_energy(owned.view())) < 4 * a.standard_error);
  CHECK(a.effective_particles > 10);

  auto loopy = loopy_graph<double>(rng);
  loopy.unary[3] = loopy.tables[2] = kInfinity<double>;
  const auto b = anneal_free_energy(loopy.view(), {.beta = 2, .temperatures = 100, .particles = 1000});
  CHECK(b.standard_error < 0.1);
  CHECK(std::abs(b.free_energy(2) - enumerate_free_energy(loopy.view(), 2)) < 4 * b.standard_error);

  for (double& e : loopy.unary) e = kInfinity<double>;
  const auto none = anneal_free_energy(loopy.view(), {.temperatures = 10, .particles = 5});
  CHECK(none.log_partition == -kInfinity<double>);
  CHECK(none.standard_error == kInfinity<double>);
}

TEST_CASE("samples depend on the seed and not on the threads", "[inference][samplers][parallel]") {
  Rng rng(71);
  std::vector<OwnedChain<float>> chains;
  for (Index n = 0; n < 37; ++n)
    chains.push_back(random_chain<float>(rng, {.length = 1 + n % 9, .labels = 4}));
  const auto draw = [&](int threads, std::uint64_t seed) {
    std::vector<std::vector<Label>> answers(chains.size());
    sample_each<Gibbs<Chain<float>>>(37, threads, Rng(seed),
                                     [&](Index n, Gibbs<Chain<float>>& gibbs, Rng& own) {
                                       answers[n].assign(static_cast<std::size_t>(chains[n].unary.rows()), 0);
                                       for (int m = 0; m < 5; ++m)
                                         gibbs.sweep(chains[n].view(), 1, own, answers[n]);
                                     });
    return answers;
  };
  const auto once = draw(1, 3);
  CHECK(draw(2, 3) == once);
  CHECK(draw(3, 3) == once);
  CHECK(draw(1, 4) != once);

  const auto graph = loopy_graph<float>(rng);
  const auto estimate = [&](int threads) {
    return anneal_free_energy(graph.view(), {.temperatures = 20, .particles = 30, .threads = threads})
        .log_partition;
  };
  CHECK(estimate(2) == estimate(1));
  CHECK(estimate(3) == estimate(1));
}

TEST_CASE("bad input to samplers is refused by name", "[inference][samplers]") {
  Rng rng(81);
  auto owned = random_chain<double>(rng, {.length = 2, .labels = 2});
  using Replicas = ReplicaExchange<Chain<double>>;
  const auto ladder = [](std::vector<double> betas) {
    return message_of<OptionError>([&] { Replicas replicas(betas); });
  };
  CHECK_THAT(ladder({1}), ContainsSubstring("betas: a ladder of 1 exchanges nothing"));
  CHECK_THAT(ladder({1, 0}), ContainsSubstring("betas[1]: must be finite and > 0"));
  CHECK_THAT(ladder({1, .5, .7}), ContainsSubstring("betas[2]: does not go on as the ladder began"));
  CHECK_THAT(ladder({1, 1}), ContainsSubstring("betas[1]: does not go on"));
  CHECK(ladder({.5, 1}) == "no error");
  const auto anneal = [&](AnnealingOptions o) {
    return message_of<OptionError>([&] { anneal_free_energy(owned.view(), o); });
  };
  CHECK_THAT(anneal({.beta = 0}), ContainsSubstring("beta"));
  CHECK_THAT(anneal({.temperatures = 0}), ContainsSubstring("temperatures"));
  CHECK_THAT(anneal({.particles = 1}), ContainsSubstring("particles"));
  CHECK_THAT(anneal({.threads = 0}), ContainsSubstring("threads"));
  owned.unary[0][1] = kInfinity<double>;
  const double betas[] = {1, .5};
  Replicas replicas(betas);
  CHECK_THAT(message_of<InputError>([&] {
               replicas.start(owned.view(), std::vector<Label>{1, 0});
             }),
             ContainsSubstring("y: is a forbidden answer"));

  const auto graph = loopy_graph<double>(rng);
  const auto blocks = [&](const std::vector<std::vector<std::uint32_t>>& chains) {
    std::vector<std::span<const std::uint32_t>> spans(chains.begin(), chains.end());
    return message_of<InputError>([&] { BlockedGibbs<double>(*graph.topology, spans); });
  };
  CHECK(blocks({{1, 2, 3}, {4}, {0}}) == "no error");
  CHECK_THAT(blocks({{0, 1, 2, 3, 4}}), ContainsSubstring("block 0: factor"));
  CHECK_THAT(blocks({{1, 2, 3}, {4}}), ContainsSubstring("blocks: leave out variable 0"));
  CHECK_THAT(blocks({{1, 2, 3}, {4, 1}, {0}}),
             ContainsSubstring("block 1: names variable 1, which is in block 0"));
  CHECK_THAT(blocks({{1, 2, 9}}), ContainsSubstring("block 0: names variable 9 of 5"));
  const std::vector<std::uint32_t> singles[] = {{0}, {1}, {2}, {3}, {4}};
  const std::vector<std::span<const std::uint32_t>> spans(std::begin(singles), std::end(singles));
  BlockedGibbs<double> gibbs(*graph.topology, spans);
  CHECK_THROWS_AS(gibbs.start(graph.view(), 0), OptionError);
}
