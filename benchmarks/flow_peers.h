/// @file
/// Maximum flow by others, where they are installed: what `flow_benchmark` measures the library beside.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// As the library takes it: edges in both directions, terminal capacities per node.
struct FlowProblem {
  std::int32_t nodes = 0;
  std::vector<std::int32_t> from, to, capacity, reverse, source, sink;

  void edge(std::int32_t u, std::int32_t v, std::int32_t c, std::int32_t r) {
    from.push_back(u), to.push_back(v), capacity.push_back(c), reverse.push_back(r);
  }
  void resize(std::int32_t n) { nodes = n, source.assign(n, 0), sink.assign(n, 0); }
};

struct FlowRun {
  long long value = 0;
  double build = 0, solve = 0;  ///< CPU seconds
};

double cpu_seconds();

struct FlowPeer {
  std::string name;
  std::function<FlowRun(const FlowProblem&)> run;
};
std::vector<FlowPeer> flow_peers();
