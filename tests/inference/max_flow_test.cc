// Maximum flow: every solver against enumeration, augmenting paths of a textbook, and Boost where it is
// installed; on thousands of small graphs, cold and after changes.
#include "thalweg/inference/max_flow.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <queue>

#include "support/catch.h"
#include "support/message.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

#ifdef THALWEG_HAVE_BOOST
#include "support/boost_flow.h"
#include "support/sanitized.h"
#endif

using namespace thalweg;

namespace {

constexpr FlowSolver kSolvers[] = {FlowSolver::Auto, FlowSolver::SearchTrees, FlowSolver::PushRelabel};

template <class C>
struct Problem {
  Index nodes = 0;
  std::vector<std::int32_t> from, to;
  std::vector<C> capacity, reverse, source, sink;

  explicit Problem(Index n = 0) : nodes(n), source(n), sink(n) {}
  void edge(std::int32_t u, std::int32_t v, C c, C r = 0) {
    from.push_back(u), to.push_back(v), capacity.push_back(c), reverse.push_back(r);
  }
  FlowEdges<C> edges() const { return {from, to, capacity, reverse}; }
  FlowTerminals<C> terminals() const { return {source, sink}; }
  FlowNetwork<C> network() const { return {nodes, edges(), terminals()}; }

  // E(x), of bits.
  double cut(std::uint64_t x) const {
    const auto bit = [&](Index v) { return (x >> v & 1) != 0; };
    double sum = 0;
    for (Index v = 0; v < nodes; ++v) sum += static_cast<double>(bit(v) ? source[v] : sink[v]);
    for (std::size_t e = 0; e < from.size(); ++e) {
      if (bit(from[e]) != bit(to[e])) sum += static_cast<double>(bit(to[e]) ? capacity[e] : reverse[e]);
    }
    return sum;
  }
};

// Multiples of 1/8 are exact in double, so that one set of referees serves both types.
template <class C>
C random_capacity(Rng& rng, std::uint64_t most) {
  return static_cast<C>(rng.below(most + 1)) / (std::is_integral_v<C> ? C{1} : C{8});
}

template <class C>
Problem<C> random_problem(Rng& rng, Index nodes, Index edges, std::uint64_t most, double at_terminal) {
  Problem<C> p(nodes);
  for (Index v = 0; v < nodes; ++v) {
    if (rng.uniform() < at_terminal) p.source[v] = random_capacity<C>(rng, 2 * most);
    if (rng.uniform() < at_terminal) p.sink[v] = random_capacity<C>(rng, 2 * most);
  }
  for (Index e = 0; e < edges && nodes > 0; ++e) {
    const auto end = [&] { return static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(nodes))); };
    const std::int32_t u = end(), v = end();
    p.edge(u, v, random_capacity<C>(rng, most), rng.below(2) ? random_capacity<C>(rng, most) : C{0});
  }
  return p;
}

// Ford and Fulkerson with shortest paths, on a matrix of capacities.
template <class C>
double textbook_flow(const Problem<C>& p) {
  const std::size_t n = static_cast<std::size_t>(p.nodes) + 2, s = n - 2, t = n - 1;
  std::vector<std::vector<double>> r(n, std::vector<double>(n));
  for (std::size_t v = 0; v < s; ++v)
    r[s][v] += static_cast<double>(p.source[v]), r[v][t] += static_cast<double>(p.sink[v]);
  for (std::size_t e = 0; e < p.from.size(); ++e) {
    r[p.from[e]][p.to[e]] += static_cast<double>(p.capacity[e]);
    r[p.to[e]][p.from[e]] += static_cast<double>(p.reverse[e]);
  }
  for (double flow = 0;;) {
    std::vector<std::size_t> before(n, n);
    std::queue<std::size_t> queue;
    queue.push(s), before[s] = s;
    for (; !queue.empty() && before[t] == n; queue.pop()) {
      for (std::size_t w = 0; w < n; ++w)
        if (before[w] == n && r[queue.front()][w] > 0) before[w] = queue.front(), queue.push(w);
    }
    if (before[t] == n) return flow;
    double most = kInfinity<double>;
    for (std::size_t v = t; v != s; v = before[v]) most = std::min(most, r[before[v]][v]);
    for (std::size_t v = t; v != s; v = before[v]) r[before[v]][v] -= most, r[v][before[v]] += most;
    flow += most;
  }
}

std::uint64_t source_set(const auto& network) {
  std::uint64_t set = 0;
  for (Index v = 0; v < network.nodes(); ++v) set |= std::uint64_t{network.side(v) == CutSide::Source} << v;
  return set;
}

template <class C>
void check_certificate(FlowNetwork<C>& network, const Problem<C>& p) {
  FlowCheck check = check_flow(network, p.edges(), p.terminals());
  CHECK(check.capacity == 0);
  CHECK(check.flow == check.cut);
  CHECK(check.value == check.cut);
  network.restore_flow();
  check = check_flow(network, p.edges(), p.terminals());
  CHECK(check.holds());
}

}  // namespace

TEMPLATE_TEST_CASE("cuts by enumeration, and who is on which side of all of them", "[flow]", std::int32_t,
                   std::int64_t, double) {
  Rng rng(1);
  for (int trial = 0; trial < 2000; ++trial) {
    const auto nodes = static_cast<Index>(rng.below(9));
    const auto p = random_problem<TestType>(rng, nodes, static_cast<Index>(rng.below(20)), 1 + rng.below(6),
                                            rng.uniform());
    double lowest = kInfinity<double>;
    std::uint64_t always_source = 0, ever_source = 0;
    for (std::uint64_t x = 0; x < std::uint64_t{1} << nodes; ++x) {
      const double cut = p.cut(x);
      if (cut < lowest) lowest = cut, always_source = ~std::uint64_t{0}, ever_source = 0;
      if (cut == lowest) always_source &= ~x, ever_source |= ~x;
    }
    for (const FlowSolver solver : kSolvers) {
      FlowNetwork<TestType> network = p.network();
      const FlowSummary summary = network.solve({.solver = solver, .both_sides = true});
      REQUIRE(summary.value == lowest);
      CHECK(network.value() == static_cast<TestType>(lowest));
      for (Index v = 0; v < nodes; ++v) {
        const CutSide side = always_source >> v & 1 ? CutSide::Source
                             : ever_source >> v & 1 ? CutSide::Either
                                                    : CutSide::Sink;
        REQUIRE(network.side(v) == side);
      }
      check_certificate(network, p);
    }
  }
}

TEMPLATE_TEST_CASE("flows of larger random graphs", "[flow]", std::int32_t, double) {
  Rng rng(2);
  for (int trial = 0; trial < (testing::kSanitized ? 1000 : 10000); ++trial) {
    const auto nodes = static_cast<Index>(2 + rng.below(40));
    const auto p = random_problem<TestType>(rng, nodes, static_cast<Index>(rng.below(200)),
                                            1 + rng.below(trial % 2 ? 3 : 1000), trial % 3 ? .1 : .7);
    const double flow = textbook_flow(p);
    for (const FlowSolver solver : kSolvers) {
      FlowNetwork<TestType> network = p.network();
      REQUIRE(network.solve({.solver = solver}).value == flow);
      check_certificate(network, p);
    }
#ifdef THALWEG_HAVE_BOOST
    const auto real = [](const auto& x) { return std::vector<double>(x.begin(), x.end()); };
    const auto capacity = real(p.capacity), reverse = real(p.reverse), source = real(p.source),
               sink = real(p.sink);
    REQUIRE(testing::boost_flow(nodes, {p.from, p.to, capacity, reverse}, {source, sink}) == flow);
#endif
  }
}

TEMPLATE_TEST_CASE("changes and what follows from them, beside a new network", "[flow]", std::int32_t,
                   double) {
  Rng rng(3);
  for (int trial = 0; trial < 1000; ++trial) {
    const auto nodes = static_cast<Index>(1 + rng.below(30));
    auto p =
        random_problem<TestType>(rng, nodes, static_cast<Index>(1 + rng.below(90)), 8, trial % 2 ? .2 : .8);
    FlowNetwork<TestType> network = p.network();
    network.solve({.solver = trial % 5 ? FlowSolver::SearchTrees : FlowSolver::PushRelabel});
    for (int round = 0; round < 8; ++round) {
      for (std::uint64_t changes = rng.below(6); changes > 0; --changes) {
        const auto v = static_cast<Index>(rng.below(nodes));
        const auto source = random_capacity<TestType>(rng, 16), sink = random_capacity<TestType>(rng, 16);
        network.add_terminal(v, source - p.source[v], sink - p.sink[v]);
        p.source[v] = source, p.sink[v] = sink;
      }
      for (std::uint64_t changes = rng.below(6); changes > 0; --changes) {
        const auto e = static_cast<Index>(rng.below(p.from.size()));
        const auto capacity = random_capacity<TestType>(rng, 8), reverse = random_capacity<TestType>(rng, 8);
        network.add_capacity(e, capacity - p.capacity[e], reverse - p.reverse[e]);
        p.capacity[e] = capacity, p.reverse[e] = reverse;
      }
      FlowNetwork<TestType> cold = p.network();
      cold.solve({.solver = FlowSolver::PushRelabel, .both_sides = true});
      const bool both = round % 2 == 0;
      const FlowSummary summary = network.solve({.both_sides = both});
      REQUIRE(summary.value == static_cast<double>(cold.value()));
      if (trial % 5 && round < 4) CHECK(summary.warm);
      for (Index v = 0; v < nodes; ++v) {
        if (both) REQUIRE(network.side(v) == cold.side(v));
        REQUIRE((network.side(v) == CutSide::Source) == (cold.side(v) == CutSide::Source));
      }
      const FlowCheck check = check_flow(network, p.edges(), p.terminals());
      CHECK((check.capacity == 0 && check.flow == check.cut && check.value == check.cut));
      if (round % 4 == 3) {
        network.restore_flow();
        REQUIRE(check_flow(network, p.edges(), p.terminals()).holds());
        REQUIRE(source_set(network) == source_set(cold));
      }
    }
  }
}

TEST_CASE("real capacities: every cut is as low as it says", "[flow]") {
  Rng rng(4);
  for (int trial = 0; trial < 100; ++trial) {
    const auto nodes = static_cast<Index>(2 + rng.below(9));
    Problem<double> p(nodes);
    for (Index v = 0; v < nodes; ++v) p.source[v] = rng.normal(), p.sink[v] = rng.normal();  // either sign
    for (int e = 0; e < 20; ++e)
      p.edge(static_cast<std::int32_t>(rng.below(nodes)), static_cast<std::int32_t>(rng.below(nodes)),
             rng.uniform(), rng.uniform());
    double lowest = kInfinity<double>;
    for (std::uint64_t x = 0; x < std::uint64_t{1} << nodes; ++x) lowest = std::min(lowest, p.cut(x));
    for (const FlowSolver solver : kSolvers) {
      FlowNetwork<double> network = p.network();
      network.solve({.solver = solver});
      network.restore_flow();
      const FlowCheck check = check_flow(network, p.edges(), p.terminals());
      CHECK(check.holds(1e-14 * static_cast<double>(nodes + 20)));
      CHECK(check.cut == Approx(lowest).epsilon(0).margin(1e-13));
      network.add_terminal(0, .1, -.3), network.add_capacity(0, -p.capacity[0], .2);
      auto changed = p;
      changed.source[0] += .1, changed.sink[0] -= .3, changed.capacity[0] = 0, changed.reverse[0] += .2;
      const double warm = network.solve().value;
      CHECK(warm == Approx(changed.network().solve().value).epsilon(0).margin(1e-13));
    }
  }
}

TEST_CASE("nodes in any order: the same cut", "[flow]") {
  constexpr Index kSide = 160, kNodes = kSide * kSide;
  Rng rng(5);
  Problem<std::int32_t> grid(kNodes);
  for (Index v = 0; v < kNodes; ++v) {
    const auto unary = static_cast<std::int32_t>(rng.below(41)) - 20 + (v % kSide < kSide / 2 ? 8 : -8);
    (unary > 0 ? grid.source : grid.sink)[v] = std::abs(unary);
    if (v % kSide + 1 < kSide)
      grid.edge(static_cast<std::int32_t>(v), static_cast<std::int32_t>(v + 1), 9, 9);
    if (v + kSide < kNodes)
      grid.edge(static_cast<std::int32_t>(v), static_cast<std::int32_t>(v + kSide), 9, 9);
  }
  FlowNetwork<std::int32_t> natural = grid.network();
  natural.solve();
  check_certificate(natural, grid);

  std::vector<std::int32_t> number(kNodes);
  std::iota(number.begin(), number.end(), 0);
  rng.shuffle(std::span(number));
  std::vector<std::size_t> order(grid.from.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (const bool edges_too : {false, true}) {
    if (edges_too) rng.shuffle(std::span(order));
    Problem<std::int32_t> permuted(kNodes);
    for (Index v = 0; v < kNodes; ++v)
      permuted.source[number[v]] = grid.source[v], permuted.sink[number[v]] = grid.sink[v];
    for (const std::size_t e : order)
      permuted.edge(number[grid.from[e]], number[grid.to[e]], grid.capacity[e], grid.reverse[e]);
    FlowNetwork<std::int32_t> network = permuted.network();
    CHECK(network.solve().value == static_cast<double>(natural.value()));
    for (Index v = 0; v < kNodes; ++v) REQUIRE(network.side(number[v]) == natural.side(v));
    const auto v = number[kNodes / 2];
    network.add_terminal(v, 100, 0), natural.add_terminal(kNodes / 2, 100, 0);
    permuted.source[v] += 100;
    CHECK(network.solve().value == natural.solve().value);
    check_certificate(network, permuted);
    natural.add_terminal(kNodes / 2, -100, 0), natural.solve();
  }
}

TEST_CASE("the solver that goes with the graph", "[flow]") {
  const auto path = [](std::int32_t length) {
    Problem<std::int32_t> p(length);
    p.source[0] = p.sink[length - 1] = 3;
    for (std::int32_t v = 0; v + 1 < length; ++v) p.edge(v, v + 1, 2);
    return p;
  };
  FlowNetwork<std::int32_t> far = path(1000).network(), near = path(5).network();
  const FlowSummary f = far.solve(), n = near.solve();
  CHECK(f.used == FlowSolver::PushRelabel);
  CHECK(f.reason == "2 of 1000 nodes are at a terminal, at least 8 arcs between source and sink");
  CHECK(n.used == FlowSolver::SearchTrees);
  CHECK(f.value == 2);
  CHECK(n.value == 2);
  CHECK_FALSE(f.warm);
}

TEST_CASE("edges of flow problems", "[flow]") {
  CHECK(Problem<std::int32_t>(0).network().solve().value == 0);
  CHECK(Problem<std::int32_t>(3).network().solve().value == 0);
  const std::int32_t most = std::numeric_limits<std::int32_t>::max();
  Problem<std::int32_t> p(2);
  p.source = {most, most}, p.sink = {0, most};
  p.edge(0, 1, most), p.edge(0, 1, most), p.edge(0, 0, most), p.edge(1, 0, 0, most);
  for (const FlowSolver solver : kSolvers) {
    FlowNetwork<std::int32_t> network = p.network();
    CHECK(network.solve({.solver = solver}).value == most);
    check_certificate(network, p);
    std::vector<Label> x(2);
    network.cut(x);
    CHECK(x == std::vector<Label>{0, 0});
    network.add_terminal(1, 0, most);
    CHECK(network.solve({.solver = solver}).value == 2.0 * most);
  }
}

TEST_CASE("a change that is refused changes nothing", "[flow]") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::int32_t from[] = {0}, to[] = {1};
  const std::int64_t capacity[] = {3}, source[] = {5, 0}, sink[] = {0, kMost - 10};
  FlowNetwork<std::int64_t> network(2, {from, to, capacity, {}}, {source, sink});
  CHECK(network.solve().value == 3);
  CHECK_THROWS_AS(network.add_terminal(0, 1, 11), InputError);  // the sum over all sinks is what overflows
  CHECK(network.terminal_residual(0) == 2);
  CHECK(network.solve().value == 3);
  CHECK(network.value() == 3);
}

TEST_CASE("what is no flow problem is named", "[flow]") {
  const auto error = [](auto&& change) {
    Problem<std::int32_t> p(2);
    p.edge(0, 1, 5), p.edge(1, 0, 5);
    change(p);
    return message_of<InputError>([&] { p.network(); });
  };
  using P = Problem<std::int32_t>;
  CHECK(error([](P& p) { p.to[1] = 2; }) == "edge 1: node 2 of 2 nodes; nodes are counted from 0");
  CHECK(error([](P& p) { p.from[0] = -1; }).find("edge 0: node -1 of 2") == 0);
  CHECK(error([](P& p) { p.capacity[1] = -3; }).find("edge 1: capacity -3;") == 0);
  CHECK(error([](P& p) {
          p.capacity[1] = p.reverse[1] = 2000000000;
        }).find("edge 1: capacities 2000000000 and 2000000000 together exceed 2147483647") == 0);
  CHECK(error([](P& p) { p.capacity.pop_back(); }).find("capacity: 1 entries, expected 2") == 0);
  CHECK(error([](P& p) { p.source.push_back(1); }).find("source: 3 entries, expected 2") == 0);

  Problem<double> real(1);
  real.edge(0, 0, std::numeric_limits<double>::quiet_NaN());
  CHECK_THROWS_AS(real.network(), InputError);
  real.capacity[0] = 1, real.sink[0] = kInfinity<double>;
  CHECK(message_of<InputError>([&] { real.network(); }).find("node 0: terminal capacities 0 and inf") == 0);
  Problem<std::int64_t> wide(2);
  wide.source = {std::numeric_limits<std::int64_t>::max(), 1};
  CHECK(message_of<InputError>([&] { wide.network(); }).find("node 1: terminal capacities 1 and 0") == 0);

  Problem<std::int32_t> p(2);
  p.edge(0, 1, 5, 3);
  FlowNetwork<std::int32_t> network = p.network();
  CHECK(message_of<InputError>([&] {
          network.add_capacity(0, -9, 0);
        }).find("edge 0: its capacities become") == 0);
  CHECK_THROWS_AS(network.add_capacity(0, 2147483640, 0), InputError);
  network.solve();
  CHECK(check_flow(network, p.edges(), p.terminals()).holds());
}
