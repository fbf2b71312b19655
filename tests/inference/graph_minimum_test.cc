#include "thalweg/inference/graph_minimum.h"

#include "support/catch.h"
#include "support/graphs.h"
#include "support/sanitized.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/single_site.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

// All methods beside all answers tried one by one: exact where they say so, bounds and answers on their
// sides.
void check_minimum(const FactorGraph<double>& graph, const GraphMinimumOptions& options) {
  const Minimum all = enumerate_minimum(graph);
  const GraphMinimum found = minimize_graph(graph, options);
  CAPTURE(name(options.solver), found.used, name(found.certificate));
  const Minimum& best = found.minimum;
  REQUIRE(best.lower_bound <= all.energy + 1e-9);
  REQUIRE(best.energy >= all.energy - 1e-9);
  if (best.feasible()) REQUIRE(best.energy == energy(graph, std::span<const Label>(best.labels)));
  if (found.certificate == Certificate::None) return;
  REQUIRE(best.feasible() == all.feasible());
  if (all.feasible()) REQUIRE(best.energy == Approx(all.energy).margin(1e-9));
}

}  // namespace

TEST_CASE("graphs of every kind are minimised, and certificates are true", "[graph_minimum]") {
  Rng rng(1);
  for (int round = 0; round < 200; ++round) {
    const auto owned = random_graph<double>(
        rng, {.variables = 7, .factors = 3 + round % 9, .forbid = round % 4 == 0 ? 0.15 : 0});
    for (const GraphSolver solver :
         {GraphSolver::Auto, GraphSolver::Elimination, GraphSolver::Messages, GraphSolver::BranchAndBound})
      check_minimum(owned.view(), {.solver = solver});
  }
}

TEST_CASE("what is too wide for elimination is searched to the end", "[graph_minimum]") {
  Rng rng(2);
  for (int round = 0; round < (kSanitized ? 2 : 4); ++round) {
    const std::uint32_t side = 16;  // of a grid whose couplings are frustrated
    ScopeList scopes;
    for (std::uint32_t v = 0; v < side * side; ++v) {
      if (v % side + 1 < side) scopes.add({v, v + 1});
      if (v + side < side * side) scopes.add({v, v + side});
    }
    const bool integers = round % 2 == 1;
    auto owned = random_energies<double>(rng, std::vector<Index>(side * side, 2), scopes, integers ? 3 : 1);
    for (double& e : owned.tables) e = integers ? std::round(e) : e;
    for (double& e : owned.unary) e = integers ? std::round(4 * e) : 2 * e;
    const GraphMinimum want = minimize_graph(owned.view());
    CHECK(want.certificate == Certificate::Elimination);
    // Too small for the whole, so that it must branch.
    const GraphMinimum found = minimize_graph(owned.view(), {.seconds = 60, .most_cells = 0x1p10});
    CAPTURE(found.used, name(found.certificate));
    CHECK(found.certificate != Certificate::None);
    CHECK(found.minimum.energy == Approx(want.minimum.energy).margin(1e-9));
    CHECK_THAT(found.used, ContainsSubstring("elimination would need"));
  }
}

TEST_CASE("components are solved apart, and an impossible one is an outcome", "[graph_minimum]") {
  Rng rng(3);
  ScopeList scopes;
  scopes.add({0, 2}), scopes.add({4, 2}), scopes.add({1, 3}), scopes.add({0, 4}), scopes.add({5});
  scopes.which = {0, 1, 0, 2, 3};
  auto owned = random_energies<double>(rng, {2, 2, 3, 3, 2, 2, 1}, scopes);
  const GraphMinimum found = minimize_graph(owned.view());
  CHECK(found.minimum.energy == Approx(enumerate_minimum(owned.view()).energy));
  CHECK(found.minimum.guarantee == Guarantee::Exact);
  CHECK_THAT(found.used, ContainsSubstring("3 components"));
  owned.unary[0] = owned.unary[1] = kInfinity<double>;
  const GraphMinimum none = minimize_graph(owned.view());
  CHECK_FALSE(none.minimum.feasible());
  CHECK(none.minimum.labels.empty());
  CHECK(none.minimum.lower_bound == kInfinity<double>);
}

TEST_CASE("a component without an answer does not cost the others their bounds", "[graph_minimum]") {
  Rng rng(5);
  ScopeList scopes;  // twenty variables that must all differ, of three states, and a longer chain apart
  for (std::uint32_t v = 0; v < 20; ++v) {
    for (std::uint32_t u = 0; u < v; ++u) scopes.add({u, v});
  }
  for (std::uint32_t v = 20; v < 59; ++v) scopes.add({v, v + 1});
  auto owned = random_energies<double>(rng, std::vector<Index>(60, 3), scopes);
  std::fill_n(owned.unary.begin(), 60, 0.0);
  for (Index cell = 0; cell < 190 * 9; ++cell) owned.tables[cell] = cell % 9 % 4 == 0 ? kInfinity<double> : 0;
  const auto messages = minimize_graph(owned.view(), {.solver = GraphSolver::Messages, .most_cells = 4096});
  CHECK_FALSE(messages.minimum.feasible());
  CHECK(messages.certificate == Certificate::None);
  ScopeList chain;
  for (std::uint32_t v = 0; v < 39; ++v) chain.add({v, v + 1});
  OwnedGraph<double> rest{std::make_shared<const FactorTopology>(std::vector<Index>(40, 3), chain), {}, {}};
  rest.unary.assign(owned.unary.begin() + 60, owned.unary.end());
  rest.tables.assign(owned.tables.begin() + 190 * 9, owned.tables.end());
  const double lowest = minimize_graph(rest.view()).minimum.energy;
  CHECK(messages.minimum.lower_bound == Approx(lowest).margin(1e-6));
}

TEST_CASE("it can be watched and stopped", "[graph_minimum]") {
  Rng rng(4);
  ScopeList scopes;
  for (std::uint32_t v = 0; v < 30; ++v) {
    for (std::uint32_t u = 0; u < v; ++u) scopes.add({u, v});
  }
  const auto owned = random_energies<double>(rng, std::vector<Index>(30, 3), scopes);
  Index calls = 0;
  const GraphMinimum found =
      minimize_graph(owned.view(), {.most_cells = 4096}, [&](const GraphMinimumProgress& p) {
        CHECK(p.lower_bound <= p.energy);
        return ++calls < 5;
      });
  CHECK(calls >= 5);
  CHECK(found.certificate == Certificate::None);
  CHECK(found.minimum.feasible());
  CHECK(found.minimum.lower_bound < found.minimum.energy);
  CHECK_THROWS_AS(minimize_graph(owned.view(), {.seconds = 0}), OptionError);
  CHECK_THROWS_AS(minimize_graph(owned.view(), {.solver = GraphSolver::Elimination, .most_cells = 4096}),
                  InputError);
}
