#include "thalweg/inference/reweighted_messages.h"

#include "support/catch.h"
#include "support/graphs.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/elimination.h"
#include "thalweg/inference/single_site.h"

using namespace thalweg;
using namespace thalweg::testing;

TEMPLATE_TEST_CASE("bounds lie below the optimum and never fall, answers lie above", "[reweighted]", float,
                   double) {
  using R = TestType;
  const double rounding = sizeof(R) == 4 ? 1e-4 : 1e-9;
  Rng rng(1);
  int feasible = 0, tight = 0;
  for (int round = 0; round < 300; ++round) {
    const auto owned = random_graph<R>(rng, {.forbid = round % 3 == 0 ? 0.2 : 0});
    const FactorGraph<R> graph = owned.view();
    const Minimum all = enumerate_minimum(graph);
    ReweightedMessages<R> messages(graph);
    double before = -kInfinity<double>;
    for (int pass = 0; pass < 20; ++pass) {
      const double bound = messages.pass();
      REQUIRE(bound <= all.energy + rounding);
      REQUIRE(bound >= before - rounding);
      REQUIRE(messages.lower_bound() <= all.energy + rounding / 100);
      if (bound < kInfinity<double>) REQUIRE(messages.lower_bound() == Approx(bound).margin(rounding));
      before = bound;
    }
    const Minimum best = ReweightedMessages<R>(graph).minimize();
    REQUIRE(best.lower_bound <= all.energy + rounding);
    feasible += all.feasible();
    if (!best.feasible()) continue;  // hard constraints may leave it without an answer
    REQUIRE(best.energy == energy(graph, std::span<const Label>(best.labels)));
    REQUIRE(best.energy >= all.energy - rounding);
    if (all.feasible()) tight += best.energy <= all.energy + rounding;
  }
  CHECK(feasible > 220);
  CHECK(tight >= feasible * 9 / 10);
}

TEST_CASE("on trees the bound is the optimum, with forbidden states, too", "[reweighted]") {
  Rng rng(2);
  for (int round = 0; round < 100; ++round) {
    ScopeList scopes;  // each variable hangs on an earlier one; some pairs are triples
    std::vector<Index> states;
    for (std::uint32_t v = 0; v < 12; ++v) {
      states.push_back(2 + static_cast<Index>(rng.below(3)));
      if (v == 0) continue;
      scopes.add({static_cast<std::uint32_t>(rng.below(v)), v});
    }
    const auto owned = random_energies<double>(rng, states, scopes, 1, round % 2 * 0.2);
    const Minimum want = minimize(owned.view(), EliminationOrder(*owned.topology));
    const Minimum best = ReweightedMessages<double>(owned.view()).minimize({.tolerance = 1e-12});
    REQUIRE(best.feasible() == want.feasible());
    if (!want.feasible()) continue;
    CHECK(best.lower_bound == Approx(want.energy).margin(1e-9));
    CHECK(best.energy == Approx(want.energy).margin(1e-9));
  }
}

TEST_CASE("beliefs of a tree are its min-marginals up to a constant", "[reweighted]") {
  Rng rng(3);
  const auto owned = as_graph(random_chain<double>(rng, {6, 4}).view());
  ReweightedMessages<double> messages(owned.view());
  messages.pass();
  std::vector<double> low(owned.unary.size());
  min_marginals<double>(owned.view(), EliminationOrder(*owned.topology), low);
  // The backward sweep ends at the first variable, where all has been heard.
  const auto belief = messages.belief(0);
  for (Index l = 1; l < 4; ++l) CHECK(belief[l] - belief[0] == Approx(low[l] - low[0]).margin(1e-10));
}

TEST_CASE("a frustrated ring has a gap that the bound tells", "[reweighted]") {
  // Three variables that each want to differ from the next, of two states: the relaxation pays nothing.
  ScopeList scopes;
  scopes.add({0, 1}), scopes.add({1, 2}), scopes.add({0, 2});
  OwnedGraph<double> g{std::make_shared<const FactorTopology>(std::vector<Index>(3, 2), scopes), {}, {}};
  g.unary.assign(6, 0), g.tables = {1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1};
  Index calls = 0;
  const Minimum best = ReweightedMessages<double>(g.view()).minimize({}, [&](const ReweightedProgress& p) {
    ++calls;
    CHECK(p.passes == calls);
    CHECK(p.energy == 1);
    return true;
  });
  CHECK(calls >= 1);
  CHECK(best.energy == 1);
  CHECK(best.lower_bound == Approx(0).margin(1e-12));
  CHECK(best.guarantee == Guarantee::Bounded);
  CHECK_THROWS_AS(ReweightedMessages<double>(g.view()).minimize({.passes = 0}), OptionError);
}
