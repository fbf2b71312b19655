// Contrastive divergence against the exact transition matrix of its Gibbs steps on small chains.

#include <cmath>
#include <map>

#include "support/catch.h"
#include "support/losses.h"
#include "support/message.h"
#include "support/sanitized.h"
#include "thalweg/core/error.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

using Vector = std::vector<double>;

// One step: T updates at random positions. Conditionals come from the energies of whole labellings.
struct GibbsMatrix {
  std::vector<Labelling> all;
  std::vector<Vector> update;  // [states x states]
  Index T;

  GibbsMatrix(const Chain<double>& chain, double beta) : all(enumerate(chain)), T(chain.length()) {
    update.assign(all.size(), Vector(all.size(), 0.0));
    for (std::size_t a = 0; a < all.size(); ++a) {
      for (Index t = 0; t < T; ++t) {
        double z = 0;
        for (std::size_t b = 0; b < all.size(); ++b) z += near(a, b, t) * std::exp(-beta * all[b].energy);
        for (std::size_t b = 0; b < all.size() && z > 0; ++b)
          update[a][b] += near(a, b, t) * std::exp(-beta * all[b].energy) / z / static_cast<double>(T);
      }
    }
  }
  bool near(std::size_t a, std::size_t b, Index t) const {
    for (Index u = 0; u < T; ++u) {
      if (u != t && all[a].y[u] != all[b].y[u]) return false;
    }
    return true;
  }
  std::size_t index_of(const std::vector<Label>& y) const {
    std::size_t i = 0;
    while (all[i].y != y) ++i;
    return i;
  }
  // A distribution after one step.
  Vector step(Vector p) const {
    for (Index u = 0; u < T; ++u) {
      Vector next(p.size(), 0.0);
      for (std::size_t a = 0; a < p.size(); ++a) {
        for (std::size_t b = 0; b < p.size(); ++b) next[b] += p[a] * update[a][b];
      }
      p = next;
    }
    return p;
  }
  Vector after(const std::vector<Label>& y, Index steps) const {
    Vector p(all.size(), 0.0);
    p[index_of(y)] = 1;
    for (Index k = 0; k < steps; ++k) p = step(p);
    return p;
  }
  Vector stationary(double beta) const {
    const double f = free_energy_of(all, beta, [](auto&) { return true; });
    Vector p;
    for (const auto& l : all) p.push_back(std::exp(beta * (f - l.energy)));
    return p;
  }
};

// [T x K] then [P x K*K]: the parts of the answer less the expected ones.
Vector expected_update(const LossProblem<double>& p, const GibbsMatrix& gibbs, const Vector& q) {
  const Chain<double> chain = p.owned.view();
  TableBuffer<double> unary(chain.length(), chain.labels());
  TableBuffer<double> pairwise(chain.pairwise.rows, chain.pairwise.columns);
  add_answer<double>(chain, p.y, 1, {unary, pairwise, chain.which});
  for (std::size_t i = 0; i < q.size(); ++i)
    add_answer<double>(chain, gibbs.all[i].y, -q[i], {unary, pairwise, chain.which});
  Vector flat(unary[0], unary[0] + chain.unary.size());
  flat.insert(flat.end(), pairwise[0], pairwise[0] + chain.pairwise.size());
  return flat;
}

Vector last_update(const LossProblem<double>& p) {
  Vector flat(p.unary[0], p.unary[0] + p.unary.rows() * p.unary.columns());
  flat.insert(flat.end(), p.pairwise[0], p.pairwise[0] + p.pairwise.rows() * p.pairwise.columns());
  return flat;
}

double distance(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

double length_of(const Vector& v) { return distance(v, Vector(v.size(), 0.0)); }

// Cells of expectation below 5 are left out.
double chi_square_excess(const Vector& p, const std::map<std::size_t, int>& seen, int draws) {
  double chi2 = 0, cells = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double expected = draws * p[i], got = seen.count(i) ? seen.at(i) : 0;
    if (p[i] == 0) REQUIRE(got == 0);
    if (expected < 5) continue;
    chi2 += (got - expected) * (got - expected) / expected, ++cells;
  }
  REQUIRE(cells > 2);
  return (chi2 - (cells - 1)) / std::sqrt(2 * (cells - 1));
}

constexpr int kDraws = kSanitized ? 2000 : 20000;

}  // namespace

TEST_CASE("contrastive divergence draws what its transition matrix says", "[learning][losses][sampling]") {
  Rng rng(401);
  for (int kind = 0; kind < 4; ++kind) {
    const RandomChainOptions shape{3, 3, kind % 2 ? 2 : 1, 1, kind / 2 * 0.2, kind / 2 * 0.15};
    auto p = random_problem<double>(rng, shape);
    for (const Index steps : {1, 3}) {
      const double beta = steps == 1 ? 1 : 0.6;
      const ContrastiveDivergence loss{steps, beta};
      const GibbsMatrix gibbs(p.owned.view(), beta);
      const Vector q = gibbs.after(p.y, steps), want = expected_update(p, gibbs, q);
      std::map<std::size_t, int> seen;
      Vector mean(want.size(), 0.0), squares(want.size(), 0.0);
      for (int n = 0; n < kDraws; ++n) {
        p.number = n;
        const double value = p.evaluate(loss);
        const std::size_t drawn = gibbs.index_of(p.on.labels);
        ++seen[drawn];
        CHECK(value == energy<double>(p.owned.view(), p.y) - gibbs.all[drawn].energy);
        const Vector update = last_update(p);
        for (std::size_t i = 0; i < mean.size(); ++i)
          mean[i] += update[i] / kDraws, squares[i] += update[i] * update[i] / kDraws;
      }
      CHECK(chi_square_excess(q, seen, kDraws) < 4);
      for (std::size_t i = 0; i < mean.size(); ++i) {
        const double deviation = std::sqrt(std::max(0.0, squares[i] - mean[i] * mean[i]) / kDraws);
        REQUIRE(std::abs(mean[i] - want[i]) <= 5 * deviation + 1e-12);
      }
    }
  }
}

namespace {

// Random-scan updates are reversible, so it comes from powers of the symmetric form of the step.
double second_eigenvalue(const GibbsMatrix& gibbs, const Vector& pi, Rng& rng) {
  Vector v(pi.size());
  for (double& x : v) x = rng.normal();
  double second = 0;
  for (int i = 0; i < 150; ++i) {
    double along = 0;
    for (std::size_t a = 0; a < v.size(); ++a) along += v[a] * std::sqrt(pi[a]);
    for (std::size_t a = 0; a < v.size(); ++a) v[a] -= along * std::sqrt(pi[a]);
    const double before = length_of(v);
    for (std::size_t a = 0; a < v.size(); ++a) v[a] *= std::sqrt(pi[a]) / before;
    v = gibbs.step(v);
    for (std::size_t a = 0; a < v.size(); ++a) v[a] /= std::sqrt(pi[a]);
    second = length_of(v);
  }
  return second;
}

}  // namespace

TEST_CASE("the bias of CD-k falls by the second-largest eigenvalue a step", "[learning][losses][sampling]") {
  struct Model {
    std::uint64_t seed;
    Index T, K, from, to;  // steps at which the ratio is looked at
  };
  // In the last one the answer has little of that eigenvector, and others take longer to die out.
  for (const Model& m : {Model{404, 3, 4, 10, 16}, Model{405, 3, 4, 10, 16}, Model{402, 4, 3, 35, 40}}) {
    Rng rng(m.seed);
    const auto p = random_problem<double>(rng, {m.T, m.K});
    const GibbsMatrix gibbs(p.owned.view(), 1);
    const Vector pi = gibbs.stationary(1), likelihood = expected_update(p, gibbs, pi);
    const double second = second_eigenvalue(gibbs, pi, rng);
    Vector q = gibbs.after(p.y, 1);
    double last = distance(expected_update(p, gibbs, q), likelihood);
    CHECK(last > 0.05 * length_of(likelihood));  // a real bias
    for (Index k = 2; k <= m.to; ++k) {
      q = gibbs.step(q);
      const double bias = distance(expected_update(p, gibbs, q), likelihood);
      INFO("seed " << m.seed << ", k " << k << ", ratio " << bias / last);
      CHECK(bias < last);
      if (k >= m.from) CHECK(std::abs(bias / last - second) < 2e-3);
      last = bias;
    }
  }
}

TEST_CASE("persistent chains go on from where they were", "[learning][losses][sampling]") {
  Rng rng(403);
  auto p = random_problem<double>(rng, {3, 2});
  const GibbsMatrix gibbs(p.owned.view(), 1);
  PersistentChains kept(static_cast<std::size_t>(kDraws));
  p.on.persistent = &kept;
  const ContrastiveDivergence loss{.persistent = true};
  for (p.on.round = 0; p.on.round < 3; ++p.on.round) {
    for (p.number = 0; p.number < kDraws; ++p.number) p.evaluate(loss);
  }
  std::map<std::size_t, int> seen;
  for (const auto& y : kept) ++seen[gibbs.index_of(y)];
  CHECK(chi_square_excess(gibbs.after(p.y, 3), seen, kDraws) < 4);
  CHECK(chi_square_excess(gibbs.after(p.y, 1), seen, kDraws) > 4);
  // One that has been forbidden meanwhile starts again.
  p.number = 0, kept[0] = {1, 1, 1}, p.y = {0, 0, 0};
  for (Index t = 0; t < 3; ++t) p.owned.unary[t][1] = kInfinity<double>;
  CHECK(p.evaluate(loss) == 0);
  CHECK(kept[0] == p.y);
  // And there must be something to keep them in.
  p.number = kDraws;
  CHECK_THROWS_AS(p.evaluate(loss), OptionError);
  p.on.persistent = nullptr;
  CHECK_THAT(message_of<OptionError>([&] { p.evaluate(loss); }), ContainsSubstring("PersistentChains"));
}

TEST_CASE("draws depend on seed, round and number, and on nothing else", "[learning][losses][sampling]") {
  Rng rng(404);
  auto p = random_problem<double>(rng, {6, 4});
  for (const bool noise : {false, true}) {
    const auto draw = [&](std::uint64_t seed, std::uint64_t round, Index number) {
      p.on.round = round, p.number = number;
      p.evaluate(noise ? Loss(RankingNoiseLoss{.samples = 3, .seed = seed})
                       : Loss(ContrastiveDivergence{.steps = 2, .seed = seed}));
      return last_update(p);
    };
    const auto first = draw(1, 0, 0);
    CHECK(draw(2, 0, 0) != first);
    CHECK(draw(1, 1, 0) != first);
    CHECK(draw(1, 0, 1) != first);
    CHECK(draw(1, 0, 0) == first);
  }
}
