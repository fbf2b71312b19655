// Any bytes as a flow problem: one that reads back as it was written and whose cut is proved, or an Error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "thalweg/core/error.h"
#include "thalweg/io/dimacs.h"

using namespace thalweg;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const DimacsFlow flow =
        read_dimacs(TextReader::of_memory({reinterpret_cast<const char*>(data), size}, "fuzz"));
    if (!(read_dimacs(TextReader::of_memory(dimacs_text(flow), "again")) == flow)) std::abort();
    if (flow.nodes > 10000) return 0;
    FlowNetwork<std::int64_t> trees = flow_network<std::int64_t>(flow),
                              pushes = flow_network<std::int64_t>(flow);
    trees.solve({.solver = FlowSolver::SearchTrees}), pushes.solve({.solver = FlowSolver::PushRelabel});
    if (trees.value() != pushes.value()) std::abort();
    for (Index v = 0; v < flow.nodes; ++v)
      if (trees.side(v) != pushes.side(v)) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
