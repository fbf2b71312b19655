// Maximum flow, building the network included, beside libmaxflow (Boykov and Kolmogorov) and Boost.Graph
// where they are installed; every solver must find the same value. Names are family/solver; the counters
// `build` and `solve` are CPU milliseconds. At the end a table: milliseconds (the fastest repetition) as
// build + solve, and how many times that libmaxflow needs; below it, how much cheaper a solve is after a part
// of the terminals has changed.
//
//     flow_benchmark --benchmark_repetitions=5 --benchmark_enable_random_interleaving=true

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>
#include <optional>

#include "flow_peers.h"
#include "thalweg/core/random.h"
#include "thalweg/inference/max_flow.h"

namespace {

using namespace thalweg;
using Network = FlowNetwork<std::int32_t>;

void add_unary(FlowProblem& p, Index v, double energy) {
  const auto rounded = static_cast<std::int32_t>(std::lround(energy));
  (rounded > 0 ? p.source : p.sink)[v] = std::abs(rounded);
}

// A picture of blobs under noise, in two or three dimensions, with one weight for all neighbours.
FlowProblem image(std::int32_t width, std::int32_t height, std::int32_t depth) {
  Rng rng(1);
  FlowProblem p;
  p.resize(width * height * depth);
  const double scale = 12.0 / width;
  for (std::int32_t z = 0, v = 0; z < depth; ++z) {
    for (std::int32_t y = 0; y < height; ++y) {
      for (std::int32_t x = 0; x < width; ++x, ++v) {
        const double blob =
            std::sin(x * scale) * std::cos(y * scale) + (depth > 1 ? std::sin(z * scale) : 0.0);
        add_unary(p, v, 60 * (blob > 0 ? 1 : -1) + 60 * rng.normal());
        if (x + 1 < width) p.edge(v, v + 1, 40, 40);
        if (y + 1 < height) p.edge(v, v + width, 40, 40);
        if (z + 1 < depth) p.edge(v, v + width * height, 25, 25);
      }
    }
  }
  return p;
}

FlowProblem random_grid(std::int32_t side) {
  Rng rng(2);
  FlowProblem p;
  p.resize(side * side);
  const auto weight = [&] { return static_cast<std::int32_t>(rng.below(101)); };
  for (std::int32_t v = 0; v < p.nodes; ++v) {
    add_unary(p, v, 100 * (2 * rng.uniform() - 1));
    if (v % side + 1 < side) p.edge(v, v + 1, weight(), weight());
    if (v + side < p.nodes) p.edge(v, v + side, weight(), weight());
  }
  return p;
}

// A sequence whose positions agree with their neighbours and with one earlier position each.
FlowProblem skip_chain(std::int32_t length) {
  Rng rng(3);
  FlowProblem p;
  p.resize(length);
  for (std::int32_t v = 0; v < length; ++v) {
    add_unary(p, v, 100 * rng.normal());
    if (v > 0) p.edge(v - 1, v, 50, 50);
  }
  for (std::int32_t v = 1; v < length; ++v) p.edge(static_cast<std::int32_t>(rng.below(v)), v, 30, 30);
  return p;
}

// Frames of a x a nodes in a row, b of them: capacious within, and from each a random matching to the next
// (Goldfarb and Grigoriadis 1988).
FlowProblem genrmf(std::int32_t a, std::int32_t b) {
  constexpr std::int32_t kLeast = 1, kMost = 10000;
  Rng rng(4);
  FlowProblem p;
  const std::int32_t frame = a * a, within = kMost * a * a / 10;
  p.resize(frame * b);
  std::vector<std::int32_t> match(frame);
  std::iota(match.begin(), match.end(), 0);
  for (std::int32_t f = 0; f < b; ++f) {
    rng.shuffle(std::span(match));
    for (std::int32_t i = 0; i < frame; ++i) {
      const std::int32_t v = f * frame + i;
      if (i % a + 1 < a) p.edge(v, v + 1, within, within);
      if (i + a < frame) p.edge(v, v + a, within, within);
      if (f + 1 < b)
        p.edge(v, (f + 1) * frame + match[i],
               kLeast + static_cast<std::int32_t>(rng.below(kMost - kLeast + 1)), 0);
    }
  }
  p.source.front() = p.sink.back() = 1000000000;
  return p;
}

FlowProblem renumbered(const FlowProblem& p, bool edges_too) {
  Rng rng(5);
  std::vector<std::int32_t> number(p.nodes);
  std::iota(number.begin(), number.end(), 0);
  rng.shuffle(std::span(number));
  std::vector<std::size_t> order(p.from.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (edges_too) rng.shuffle(std::span(order));
  FlowProblem q;
  q.resize(p.nodes);
  for (std::int32_t v = 0; v < p.nodes; ++v) q.source[number[v]] = p.source[v], q.sink[number[v]] = p.sink[v];
  for (const std::size_t e : order) q.edge(number[p.from[e]], number[p.to[e]], p.capacity[e], p.reverse[e]);
  return q;
}

struct Family {
  std::string name;
  FlowProblem (*make)();
};
const std::vector<Family> kFamilies = {
    {"image 1024^2", [] { return image(1024, 1024, 1); }},
    {"image 1024^2 renumbered", [] { return renumbered(image(1024, 1024, 1), false); }},
    {"image 1024^2 shuffled", [] { return renumbered(image(1024, 1024, 1), true); }},
    {"random grid 512^2", [] { return random_grid(512); }},
    {"random grid 512^2 renumbered", [] { return renumbered(random_grid(512), false); }},
    {"volume 64^3", [] { return image(64, 64, 64); }},
    {"volume 64^3 renumbered", [] { return renumbered(image(64, 64, 64), false); }},
    {"skip-chain 1e5", [] { return skip_chain(100000); }},
    {"skip-chain 1e5 renumbered", [] { return renumbered(skip_chain(100000), false); }},
    {"skip-chain 1e6", [] { return skip_chain(1000000); }},
    {"skip-chain 1e6 renumbered", [] { return renumbered(skip_chain(1000000), false); }},
    {"genrmf long 8x8x128", [] { return genrmf(8, 128); }},
    {"genrmf long 6x6x512", [] { return genrmf(6, 512); }},
    {"genrmf wide 32x32x8", [] { return genrmf(32, 8); }},
};

const FlowProblem& problem(const Family& family) {
  static std::map<std::string, FlowProblem> made;
  auto& p = made[family.name];
  if (p.nodes == 0) p = family.make();
  return p;
}

FlowEdges<std::int32_t> edges(const FlowProblem& p) { return {p.from, p.to, p.capacity, p.reverse}; }
FlowTerminals<std::int32_t> terminals(const FlowProblem& p) { return {p.source, p.sink}; }

FlowRun thalweg_flow(const FlowProblem& p, FlowSolver solver) {
  FlowRun run;
  double start = cpu_seconds();
  Network network(p.nodes, edges(p), terminals(p));
  run.build = cpu_seconds() - start;
  start = cpu_seconds();
  network.solve({.solver = solver});
  run.solve = cpu_seconds() - start;
  run.value = network.value();
  return run;
}

std::map<std::string, std::map<std::string, FlowRun>> best;  // family, solver

void measure(benchmark::State& state, const Family& family, const FlowPeer& peer) {
  const FlowProblem& p = problem(family);
  static std::map<std::string, long long> values;
  for ([[maybe_unused]] auto _ : state) {
    const FlowRun run = peer.run(p);
    const auto value = values.try_emplace(family.name, run.value).first->second;
    if (run.value != value) state.SkipWithError("not the value that another solver finds");
    state.SetIterationTime(run.build + run.solve);
    FlowRun& kept = best[family.name].try_emplace(peer.name, run).first->second;
    if (run.build + run.solve < kept.build + kept.solve) kept = run;
  }
  state.counters["build"] = 1e3 * best[family.name][peer.name].build;
  state.counters["solve"] = 1e3 * best[family.name][peer.name].solve;
}

struct Warm {
  double build = 0, solve = 0, warm = 0;
};
std::map<std::string, std::map<double, Warm>> best_warm;

// A film: from frame to frame a share of the terminals is drawn anew. Cold is a new network for the last
// frame.
void measure_warm(benchmark::State& state, const Family& family, double share) {
  constexpr int kFrames = 10;
  FlowProblem p = problem(family);
  Rng rng(6);
  for ([[maybe_unused]] auto _ : state) {
    Network network(p.nodes, edges(p), terminals(p));
    network.solve({.solver = FlowSolver::SearchTrees});
    double warm = 0;
    for (int frame = 0; frame < kFrames; ++frame) {
      std::vector<std::array<std::int32_t, 3>> changes;
      for (std::int32_t v = 0; v < p.nodes; ++v) {
        if (rng.uniform() >= share) continue;
        const std::int32_t source = p.source[v], sink = p.sink[v];
        p.source[v] = p.sink[v] = 0;
        add_unary(p, v, (source > sink ? 60 : -60) + 60 * rng.normal());
        changes.push_back({v, p.source[v] - source, p.sink[v] - sink});
      }
      const double start = cpu_seconds();
      for (const auto& [v, source, sink] : changes) network.add_terminal(v, source, sink);
      network.solve();
      warm += (cpu_seconds() - start) / kFrames;
    }
    const FlowRun cold = thalweg_flow(p, FlowSolver::SearchTrees);
    if (cold.value != network.value()) state.SkipWithError("a warm start finds another value");
    state.SetIterationTime(warm);
    Warm& kept = best_warm[family.name].try_emplace(share, Warm{cold.build, cold.solve, warm}).first->second;
    kept = {std::min(kept.build, cold.build), std::min(kept.solve, cold.solve), std::min(kept.warm, warm)};
  }
  const Warm& kept = best_warm[family.name][share];
  state.counters["cold/warm"] = (kept.build + kept.solve) / kept.warm;
}

void print_tables(const std::vector<FlowPeer>& solvers) {
  std::printf("\n| build + solve, CPU ms |");
  for (const auto& solver : solvers) std::printf(" %s |", solver.name.c_str());
  std::printf("\n|---|");
  for (std::size_t i = 0; i < solvers.size(); ++i) std::printf("---|");
  for (const auto& family : kFamilies) {
    const auto found = best.find(family.name);
    if (found == best.end()) continue;
    std::printf("\n| %s |", family.name.c_str());
    const auto peer = found->second.find("libmaxflow");
    for (const auto& solver : solvers) {
      const auto run = found->second.find(solver.name);
      if (run == found->second.end()) {
        std::printf(" |");
        continue;
      }
      const auto total = [](const FlowRun& r) { return r.build + r.solve; };
      std::printf(" %.1f + %.1f", 1e3 * run->second.build, 1e3 * run->second.solve);
      if (peer != found->second.end()) std::printf(" (%.2f)", total(run->second) / total(peer->second));
      std::printf(" |");
    }
  }
  std::printf("\n");
  for (const auto& [family, shares] : best_warm) {
    for (const auto& [share, w] : shares)
      std::printf("\n%s, %g %% of the terminals changed: cold %.2f + %.2f ms, warm %.2f ms: %.1fx",
                  family.c_str(), 100 * share, 1e3 * w.build, 1e3 * w.solve, 1e3 * w.warm,
                  (w.build + w.solve) / w.warm);
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<FlowPeer> solvers;
  for (const FlowSolver solver : {FlowSolver::Auto, FlowSolver::SearchTrees, FlowSolver::PushRelabel})
    solvers.push_back({name(solver), [solver](const FlowProblem& p) { return thalweg_flow(p, solver); }});
  for (FlowPeer& peer : flow_peers()) solvers.push_back(std::move(peer));
  for (const Family& family : kFamilies) {
    for (const FlowPeer& solver : solvers) {
      benchmark::RegisterBenchmark((family.name + "/" + solver.name).c_str(),
                                   [&](benchmark::State& state) { measure(state, family, solver); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond)
          ->Iterations(1);
    }
  }
  static const std::vector<Family> films = {{"image 512^2", [] { return image(512, 512, 1); }},
                                            {"skip-chain 1e5", [] { return skip_chain(100000); }}};
  for (const Family& family : films) {
    for (const double share : {.001, .01, .1}) {
      benchmark::RegisterBenchmark(
          ("warm/" + family.name + "/" + std::to_string(share)).c_str(),
          [&family, share](benchmark::State& state) { measure_warm(state, family, share); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond)
          ->Iterations(1);
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  print_tables(solvers);
}
