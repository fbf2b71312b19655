#include "thalweg/energy/owned_factor_graph.h"

#include "support/catch.h"
#include "support/graphs.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/single_site.h"

using namespace thalweg;
using namespace thalweg::testing;

TEST_CASE("a graph without some states has the energies of the answers that are left", "[graph]") {
  Rng rng(1);
  for (int round = 0; round < 40; ++round) {
    const auto owned = random_graph<double>(rng, {.states = 4, .factors = 9, .forbid = round % 2 * 0.1});
    const FactorGraph<double> graph = owned.view();
    std::vector<std::uint8_t> allowed;
    for (std::size_t i = 0; i < graph.unary.size(); ++i) allowed.push_back(rng.uniform() < 0.6);
    const Reduced rest = keep_states(graph, allowed, 3);
    Index answers = 0, answers_left = 0;
    each_answer(graph, [&](std::span<const Label> y) {
      bool kept = true;
      for (Index v = 0; v < variables(graph); ++v) {
        const Index cell = graph.topology->first(v) + static_cast<Index>(y[v]);
        kept = kept && allowed[cell] && graph.unary[cell] < kInfinity<double>;
      }
      answers += kept;
    });
    each_answer(rest.graph.view(), [&](std::span<const Label> y) {
      ++answers_left;
      const double e = energy(rest.graph.view(), y) + rest.graph.constant;
      if (answers == 0) {
        CHECK(e == kInfinity<double>);
        return;
      }
      const double whole = energy(graph, std::span<const Label>(rest.complete(y))) + 3;
      if (whole < kInfinity<double>)
        CHECK(e == Approx(whole).margin(1e-12));
      else
        CHECK(e == kInfinity<double>);
    });
    if (answers > 0) CHECK(answers_left == answers);
    CHECK(rest.graph.topology->tables() <= graph.topology->tables() * 2 + 9);
  }
}

TEST_CASE("untouched factors keep sharing their table", "[graph]") {
  Rng rng(2);
  ScopeList scopes;
  for (std::uint32_t v = 0; v < 9; ++v) scopes.add({v, v + 1}), scopes.which.push_back(0);
  const auto owned = random_energies<double>(rng, std::vector<Index>(10, 3), scopes);
  const std::vector<Observation> evidence{{9, 2}};
  const Reduced rest = keep_states(owned.view(), observed(*owned.topology, evidence));
  CHECK(rest.graph.topology->variables() == 9);
  CHECK(rest.graph.topology->factors() == 9);
  CHECK(rest.graph.topology->tables() == 2);
  CHECK(rest.graph.tables.size() == 9 + 3);
}

TEST_CASE("evidence that makes no sense is refused", "[graph]") {
  const FactorTopology topology(std::vector<Index>{2, 3}, {std::vector<Index>{0}, {}, {}});
  const auto refused = [&](std::vector<Observation> evidence, const char* message) {
    CHECK_THROWS_WITH(observed(topology, evidence), ContainsSubstring(message));
  };
  refused({{2, 0}}, "names variable 2 of 2");
  refused({{1, 3}}, "variable 1: is state 3 of 3");
  refused({{0, 0}, {0, 1}}, "is 0 and 1");
  CHECK(observed(topology, std::vector<Observation>{{0, 1}, {0, 1}}) ==
        std::vector<std::uint8_t>{0, 1, 1, 1, 1});
}
