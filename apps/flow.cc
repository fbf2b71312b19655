#include <unistd.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "terminal.h"
#include "thalweg/io/dimacs.h"

namespace thalweg::app {
namespace {

struct Options {
  std::string file = "-";
  FlowSolver solver = FlowSolver::Auto;
  bool json = false;
};

struct Answer {
  std::int64_t value = 0;
  FlowSummary summary;
};

template <class C>
Answer solve(const DimacsFlow& flow, FlowSolver solver) {
  FlowNetwork<C> network = flow_network<C>(flow);
  const FlowSummary summary = network.solve({.solver = solver});
  return {network.value(), summary};
}

void run(const Options& o) {
  announce_keyboard(o.file);
  const DimacsFlow flow = read_dimacs(o.file);
  const auto start = std::chrono::steady_clock::now();
  const Answer answer =
      fits_int32(flow) ? solve<std::int32_t>(flow, o.solver) : solve<std::int64_t>(flow, o.solver);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const FlowSummary& s = answer.summary;
  Output out;
  if (o.json) {
    const nlohmann::ordered_json j{{"value", answer.value},
                                   {"solver", name(s.used)},
                                   {"seconds", seconds},
                                   {"requested", name(s.requested)}};
    out << j.dump() << "\n";
  } else {
    const Palette palette(colours(STDOUT_FILENO));
    out << palette.bold(fmt::format("maximum flow {}", answer.value));
    out.print("\n{} nodes, {} arcs; {} ({}), {:.3g} s\n", flow.nodes, flow.from.size(), name(s.used),
              s.reason, seconds);
  }
  out.flush();
}

constexpr const char* kHelp = R"(The maximum flow of a network, which is the capacity of its minimum cut.

The file is in the format of DIMACS, gzipped or not: `p max NODES ARCS`, `n NODE s`, `n NODE t`, and for each arc
`a FROM TO CAPACITY`, capacities whole numbers.

  search-trees  breadth-first trees from both ends that are mended, never grown anew
  push-relabel  better where source and sink are many arcs apart

Examples:
  thalweg flow network.max
  zcat network.max.gz | thalweg flow - --solver push-relabel --json)";

}  // namespace

void add_flow(CLI::App& program) {
  auto o = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("flow", kHelp);
  app->add_option("FILE", o->file, "A maximum-flow problem of DIMACS; - is standard input")
      ->capture_default_str();
  app->add_option("--solver", o->solver, "auto looks at the network")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, FlowSolver>{{name(FlowSolver::Auto), FlowSolver::Auto},
                                            {name(FlowSolver::SearchTrees), FlowSolver::SearchTrees},
                                            {name(FlowSolver::PushRelabel), FlowSolver::PushRelabel}}))
      ->default_str("auto")
      ->option_text("auto|search-trees|push-relabel [auto]");
  app->add_flag("--json", o->json,
                "One object: value, solver, seconds (without reading the file), requested");
  app->callback([o] { run(*o); });
}

}  // namespace thalweg::app
