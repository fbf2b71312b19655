#include "thalweg/energy/factor_graph.h"

#include <set>

#include "support/catch.h"
#include "support/graphs.h"
#include "support/message.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/chain.h"
#include "thalweg/inference/single_site.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

// Site energies differ as the energies of whole answers do.
template <class S>
void check_sites(const S& s) {
  using R = typename S::Scalar;
  const double margin = sizeof(R) == 4 ? 1e-5 : 1e-12;
  each_answer(s, [&](std::span<const Label> answer) {
    if (!(energy(s, answer) < kInfinity<double>)) return;
    for (Index v = 0; v < variables(s); ++v) {
      std::vector<Label> y(answer.begin(), answer.end());
      std::vector<R> e(static_cast<std::size_t>(states(s, v)), R(-7));
      const Label here = y[v];
      y[v] = static_cast<Label>(states(s, v)) - 1;  // not read
      site_energies(s, std::span<const Label>(y), v, std::span<R>(e));
      for (Label l = 0; l < e.size(); ++l) {
        y[v] = l;
        const double whole = energy(s, std::span<const Label>(y));
        REQUIRE((whole < kInfinity<double>) == (e[l] < kInfinity<R>));
        if (whole < kInfinity<double>)
          REQUIRE(std::abs(static_cast<double>(e[l]) - e[here] - (whole - energy(s, answer))) < margin * 20);
      }
    }
  });
}

// Changing y_v changes the site energies of its neighbours, and of them alone.
template <class S>
void check_neighbours(const S& s, std::span<const Label> answer) {
  using R = typename S::Scalar;
  for (Index v = 0; v < variables(s); ++v) {
    std::set<Index> neighbours, changed;
    each_neighbour(s, v, [&](Index u) { neighbours.insert(u); });
    std::vector<Label> y(answer.begin(), answer.end());
    const auto differences = [&](Index u) {
      std::vector<R> e(static_cast<std::size_t>(states(s, u)));
      site_energies(s, std::span<const Label>(y), u, std::span<R>(e));
      for (R& x : e) x -= e.back();
      return e;
    };
    for (Index u = 0; u < variables(s); ++u) {
      if (u == v) continue;
      y[v] = answer[v];
      const auto before = differences(u);
      for (Label l = 0; l < static_cast<Label>(states(s, v)); ++l) {
        y[v] = l;
        const auto after = differences(u);
        for (std::size_t i = 0; i < after.size(); ++i) {
          if (std::abs(after[i] - before[i]) > R(1e-4)) changed.insert(u);
        }
      }
    }
    CHECK(std::includes(neighbours.begin(), neighbours.end(), changed.begin(), changed.end()));
    CHECK(neighbours.count(v) == 0);
  }
}

std::string refusal(const std::vector<Index>& states, const ScopeList& scopes) {
  return message_of<InputError>([&] { FactorTopology(states, scopes); });
}

}  // namespace

TEST_CASE("a factor graph by hand", "[energy][graph]") {
  const Index states[] = {2, 3};
  ScopeList scopes;
  scopes.add({1, 0});
  const FactorTopology topology(states, scopes);
  CHECK(topology.unary_cells() == 5);
  CHECK(topology.table_cells() == 6);
  const std::vector<double> unary{1, 2, 10, 20, 30}, tables{100, 200, 300, 400, 500, 600};  // [y_1, y_0]
  const FactorGraph<double> graph{&topology, unary, tables};
  CHECK(energy(graph, std::vector<Label>{0, 0}) == 1 + 10 + 100);
  CHECK(energy(graph, std::vector<Label>{1, 0}) == 2 + 10 + 200);
  CHECK(energy(graph, std::vector<Label>{1, 2}) == 2 + 30 + 600);
  std::vector<double> e(2);
  site_energies(graph, std::vector<Label>{0, 1}, 0, std::span<double>(e));
  CHECK(e == std::vector<double>{1 + 300, 2 + 400});
  CHECK(enumerate_minimum(graph).labels == std::vector<Label>{0, 0});
}

TEMPLATE_TEST_CASE("site energies are those of whole answers", "[energy][graph]", float, double) {
  using R = TestType;
  Rng rng(3);
  for (double forbid : {0.0, 0.2}) {
    for (int round = 0; round < 3; ++round) {
      const auto graph = loopy_graph<R>(rng, 1, forbid);
      check(graph.view());
      check_sites(graph.view());
      for (Index tables : {1, 3}) {
        for (Index contexts : {0, 2, 6, 20}) {
          const auto chain = random_chain<R>(rng, {.length = 6,
                                                   .labels = 2,
                                                   .tables = tables,
                                                   .forbid_labels = forbid / 2,
                                                   .contexts = contexts});
          check_sites(chain.view());
        }
      }
    }
  }
  for (Index T : {0, 1, 2}) check_sites(random_chain<R>(rng, {.length = T, .labels = 4}).view());
}

TEST_CASE("the neighbours of a variable are all whose site energies it changes", "[energy][graph]") {
  Rng rng(4);
  check_neighbours(loopy_graph<double>(rng).view(), std::vector<Label>{1, 2, 0, 1, 0});
  for (Index contexts : {0, 3, 9}) {
    const auto chain = random_chain<double>(rng, {.length = 8, .labels = 2, .contexts = contexts});
    check_neighbours(chain.view(), std::vector<Label>{1, 0, 0, 1, 0, 1, 1, 0});
  }
}

TEMPLATE_TEST_CASE("the energy is the inner product of parts and tables", "[energy][graph]", float, double) {
  using R = TestType;
  Rng rng(5);
  const auto owned = loopy_graph<R>(rng);
  const auto graph = owned.view();
  each_answer(graph, [&](std::span<const Label> y) {
    std::vector<R> unary(graph.unary.size(), 0), tables(graph.tables.size(), 0);
    add_answer(graph, y, R(2), FactorParts<R>{graph.topology, unary, tables});
    double product = 0;
    for (std::size_t i = 0; i < unary.size(); ++i) product += static_cast<double>(unary[i]) * graph.unary[i];
    for (std::size_t i = 0; i < tables.size(); ++i)
      product += static_cast<double>(tables[i]) * graph.tables[i];
    REQUIRE(std::abs(product - 2 * energy(graph, y)) < 1e-12);
  });
}

TEST_CASE("a chain as a factor graph has its energies, minimum and free energy", "[energy][graph]") {
  Rng rng(6);
  for (Index tables : {1, 3}) {
    const auto owned =
        random_chain<double>(rng, {.length = 5, .labels = 3, .tables = tables, .forbid_pairs = .1});
    const auto graph = as_graph(owned.view());
    for (const auto& l : enumerate(owned.view()))
      REQUIRE((l.energy == kInfinity<double> ? energy(graph.view(), l.y) == l.energy
                                             : std::abs(energy(graph.view(), l.y) - l.energy) < 1e-12));
    CHECK(enumerate_minimum(graph.view()).energy == Approx(minimize(owned.view()).energy).epsilon(1e-12));
    CHECK(enumerate_minimum(owned.view()).energy == Approx(minimize(owned.view()).energy).epsilon(1e-12));
    CHECK(enumerate_free_energy(graph.view(), 0.7) == Approx(free_energy(owned.view(), 0.7)).epsilon(1e-12));
  }
}

TEST_CASE("a restricted factor graph keeps the allowed answers as they are", "[energy][graph]") {
  Rng rng(7);
  const auto owned = loopy_graph<double>(rng);
  const auto graph = owned.view();
  std::vector<std::uint8_t> allowed(graph.unary.size());
  for (auto& a : allowed) a = rng.uniform() < .6;
  std::vector<double> storage;
  const auto restricted = restrict(graph, allowed, storage);
  Index kept = 0;
  each_answer(graph, [&](std::span<const Label> y) {
    bool keep = true;
    for (Index v = 0; v < variables(graph); ++v) keep = keep && allowed[graph.topology->first(v) + y[v]];
    kept += keep;
    REQUIRE(energy(restricted, y) == (keep ? energy(graph, y) : kInfinity<double>));
  });
  CHECK(kept > 0);
  CHECK(kept < 72);
}

TEST_CASE("adjacency goes both ways", "[energy][graph]") {
  Rng rng(8);
  const auto owned = loopy_graph<float>(rng);
  const FactorTopology& g = *owned.topology;
  Index places = 0;
  for (Index v = 0; v < g.variables(); ++v) {
    Index last = -1;
    for (const auto& [factor, slot, stride] : g.factors_of(v)) {
      CHECK(g.scope(factor)[slot] == v);
      CHECK(g.strides(factor)[slot] == stride);
      CHECK(last < static_cast<Index>(factor));
      last = factor, ++places;
    }
  }
  CHECK(places == 14);
  CHECK(g.tables() == 6);
  CHECK(g.begin(0) == g.begin(2));
}

TEST_CASE("a graph without factors, and one without variables", "[energy][graph]") {
  const FactorTopology lonely(std::vector<Index>{2}, ScopeList{}), none(std::vector<Index>{}, ScopeList{});
  CHECK(enumerate_minimum(FactorGraph<double>{&lonely, std::vector<double>{3, 1}, {}}).energy == 1);
  CHECK(enumerate_minimum(FactorGraph<double>{&none, {}, {}}).energy == 0);
}

TEST_CASE("bad factor graphs are refused by name", "[energy][graph]") {
  ScopeList empty, ok, twice, far, shapes, gap, many;
  ok.add({0, 1});
  empty.add(std::vector<std::uint32_t>{});
  twice.add({1, 1});
  far.add({0}), far.add({2});
  shapes.add({0, 1}), shapes.add({1, 0});
  shapes.which = {0, 0};
  gap.add({0}), gap.add({1});
  gap.which = {0, 5};
  for (std::uint32_t v = 0; v < 40; ++v) many.variables.push_back(v);
  many.offsets.push_back(40);
  CHECK_THAT(refusal({2, 0}, ok), ContainsSubstring("variable 1: has no states"));
  CHECK_THAT(refusal({2, 3}, empty), ContainsSubstring("factor 0: its scope is empty"));
  CHECK_THAT(refusal({2, 3}, twice), ContainsSubstring("factor 0: names variable 1 twice"));
  CHECK_THAT(refusal({2, 3}, far), ContainsSubstring("factor 1: names variable 2 of 2"));
  CHECK_THAT(refusal({2, 3}, shapes), ContainsSubstring("factor 1: has table 0 of factor 0"));
  CHECK_THAT(refusal({2, 3}, gap), ContainsSubstring("which: names more tables"));
  CHECK_THAT(refusal(std::vector<Index>(40, 2), many),
             ContainsSubstring("factor 0: needs a table of more than 2^31"));
  gap.which = {1, 1};
  CHECK_THAT(refusal({2, 2}, gap), ContainsSubstring("table 0: belongs to no factor"));
  gap.which = {0};
  CHECK_THAT(refusal({2, 2}, gap), ContainsSubstring("which: names tables for 1 factors of 2"));
  ok.offsets = {0, 1};
  CHECK_THAT(refusal({2, 3}, ok), ContainsSubstring("offsets: end at 1 of 2"));
  ok.offsets = {0, 3, 2};
  CHECK_THAT(refusal({2, 3}, ok), ContainsSubstring("factor 1: its scope ends before it begins"));
  ok.offsets = {1, 2};
  CHECK_THAT(refusal({2, 3}, ok), ContainsSubstring("offsets: do not begin with 0"));

  const FactorTopology pair(
      std::vector<Index>{2, 2}, far = [] {
        ScopeList s;
        s.add({0, 1});
        return s;
      }());
  std::vector<double> unary(4, 0), tables(4, 0);
  const auto refused = [&] {
    return message_of<InputError>([&] { check(FactorGraph<double>{&pair, unary, tables}); });
  };
  CHECK(refused() == "no error");
  tables[2] = std::nan("");
  CHECK_THAT(refused(), ContainsSubstring("tables[2]: is NaN"));
  unary[3] = -kInfinity<double>;
  CHECK_THAT(refused(), ContainsSubstring("unary[3]: is -infinity"));
  unary.pop_back();
  CHECK_THAT(refused(), ContainsSubstring("unary: has 3 energies, expected 4"));
}

TEST_CASE("enumeration and starts refuse what they cannot do", "[energy][graph]") {
  Rng rng(9);
  const auto large = random_chain<double>(rng, {.length = 20, .labels = 5});
  CHECK_THROWS_AS(enumerate_minimum(large.view()), OptionError);
  const auto owned = random_chain<double>(rng, {.length = 3, .labels = 2});
  const auto start = [&](std::vector<Label> y) {
    return message_of<InputError>([&] { check_start(owned.view(), std::span<const Label>(y)); });
  };
  CHECK(start({0, 1, 0}) == "no error");
  CHECK_THAT(start({0, 1}), ContainsSubstring("y: has 2 labels for 3 variables"));
  CHECK_THAT(start({0, 2, 0}), ContainsSubstring("y[1]: is 2 of 2 states"));
}
