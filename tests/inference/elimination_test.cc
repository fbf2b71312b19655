#include "thalweg/inference/elimination.h"

#include <cmath>

#include "support/catch.h"
#include "support/graphs.h"
#include "support/sanitized.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/chain.h"
#include "thalweg/inference/single_site.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

// Everything that elimination answers, beside all answers tried one by one.
template <class R>
void check_against_enumeration(const FactorGraph<R>& graph, double beta, double tolerance) {
  const EliminationOrder order(*graph.topology);
  REQUIRE(order.complete());
  const Minimum all = enumerate_minimum(graph), best = minimize(graph, order);
  REQUIRE(best.feasible() == all.feasible());
  const FactorTopology& topology = *graph.topology;
  std::vector<R> unary(graph.unary.size(), R(7)), tables(graph.tables.size(), R(7));
  std::vector<double> low(unary.size());
  const double f = marginals<R>(graph, order, beta, {&topology, unary, tables});
  const double lowest = min_marginals<R>(graph, order, low);
  if (!all.feasible()) {
    CHECK(f == kInfinity<double>);
    CHECK(lowest == kInfinity<double>);
    CHECK(free_energy(graph, order, beta) == kInfinity<double>);
    CHECK(*std::max_element(unary.begin(), unary.end()) == 0);
    return;
  }
  CHECK(best.energy == Approx(all.energy).margin(tolerance));
  CHECK(best.lower_bound == best.energy);
  CHECK(lowest == Approx(all.energy).margin(tolerance));
  CHECK(f == Approx(enumerate_free_energy(graph, beta)).margin(tolerance));
  CHECK(free_energy(graph, order, beta) == f);

  std::vector<double> want_unary(unary.size(), 0), want_tables(tables.size(), 0),
      want_low(unary.size(), kInfinity<double>);
  each_answer(graph, [&](std::span<const Label> y) {
    const double e = energy(graph, y), p = std::exp(beta * (f - e));
    for (Index v = 0; v < topology.variables(); ++v) {
      const Index cell = topology.first(v) + static_cast<Index>(y[v]);
      want_unary[cell] += p, want_low[cell] = std::min(want_low[cell], e);
    }
    for (Index n = 0; n < topology.factors(); ++n) want_tables[topology.cell(n, y)] += p;
  });
  for (std::size_t i = 0; i < unary.size(); ++i) {
    CHECK(static_cast<double>(unary[i]) == Approx(want_unary[i]).margin(tolerance));
    if (want_low[i] < kInfinity<double>)
      CHECK(low[i] == Approx(want_low[i]).margin(tolerance));
    else
      CHECK(low[i] == kInfinity<double>);
  }
  for (std::size_t i = 0; i < tables.size(); ++i)
    CHECK(static_cast<double>(tables[i]) == Approx(want_tables[i]).margin(tolerance));
}

}  // namespace

TEMPLATE_TEST_CASE("elimination agrees with enumeration on random graphs", "[elimination]", float, double) {
  using R = TestType;
  Rng rng(5);
  for (int round = 0; round < 60; ++round) {
    const double forbid = round % 3 == 0 ? 0.25 : 0;
    check_against_enumeration(random_graph<R>(rng, {.forbid = forbid}).view(), 0.5 + round % 2,
                              sizeof(R) == 4 ? 1e-4 : 1e-10);
  }
  check_against_enumeration(loopy_graph<R>(rng).view(), 1, sizeof(R) == 4 ? 1e-4 : 1e-10);
}

TEST_CASE("on chains elimination is dynamic programming", "[elimination]") {
  Rng rng(6);
  const auto owned = random_chain<double>(rng, {200, 7, 3, 2, 0.1, 0.1});
  const Chain<double> chain = owned.view();
  const auto graph = as_graph(chain);
  const EliminationOrder order(*graph.topology);
  CHECK(order.width() == 1);
  CHECK(order.largest() == 49);
  CHECK(minimize(graph.view(), order).energy == Approx(minimize(chain).energy).margin(1e-10));
  CHECK(free_energy(graph.view(), order) == Approx(free_energy(chain)).margin(1e-10));
}

TEST_CASE("long chains have their marginals in linear time", "[elimination]") {
  Rng rng(9);
  const Index T = kSanitized ? 2'000 : 100'000;
  const auto owned = random_chain<double>(rng, {T, 2});
  const auto graph = as_graph(owned.view());
  std::vector<double> unary(graph.unary.size()), tables(graph.tables.size());
  const EliminationOrder order(*graph.topology);
  marginals<double>(graph.view(), order, 1, {graph.topology.get(), unary, tables});
  const auto want = marginals(owned.view());
  double worst = 0;
  for (Index i = 0; i < want.unary.view().size(); ++i)
    worst = std::max(worst, std::abs(unary[i] - want.unary[0][i]));
  CHECK(worst < 1e-8);
}

TEST_CASE("what is too wide is refused with what it would take", "[elimination]") {
  ScopeList scopes;
  for (std::uint32_t v = 0; v < 12; ++v) {
    for (std::uint32_t u = 0; u < v; ++u) scopes.add({u, v});
  }
  Rng rng(7);
  const auto graph = random_energies<double>(rng, std::vector<Index>(12, 2), scopes);
  const EliminationOrder wide(*graph.topology, {.most_cells = 1024});
  CHECK_FALSE(wide.complete());
  CHECK(wide.variables().empty());
  CHECK(wide.largest() == 4096);
  CHECK_THROWS_WITH(minimize(graph.view(), wide), ContainsSubstring("needs a table of 4.1e+03 cells"));
  CHECK(EliminationOrder(*graph.topology, {.most_cells = 4096}).complete());
  CHECK_THROWS_AS(EliminationOrder(*graph.topology, {.most_cells = 0}), OptionError);
}

TEST_CASE("graphs without factors, with one state, or with nothing at all", "[elimination]") {
  Rng rng(8);
  check_against_enumeration(random_energies<double>(rng, {3, 1, 2}, ScopeList()).view(), 1, 1e-12);
  check_against_enumeration(random_energies<double>(rng, {3, 2}, ScopeList(), 1, 1).view(), 1, 1e-12);
  const FactorTopology nothing({}, {std::vector<Index>{0}, {}, {}});
  const FactorGraph<double> empty{&nothing, {}, {}};
  const EliminationOrder order(nothing);
  CHECK(minimize(empty, order).energy == 0);
  CHECK(free_energy(empty, order) == 0);
}
