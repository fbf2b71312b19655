#include <unistd.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "graph_options.h"
#include "terminal.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/elimination.h"

namespace thalweg::app {
namespace {

struct Options {
  GraphOptions graph;
  bool json = false;
};

// [variables of the file][states], those observed included.
std::vector<std::vector<double>> spread(const ObservedGraph& graph, std::span<const double> unary) {
  std::vector<std::vector<double>> p;
  for (Index v = 0; v < graph.whole.topology->variables(); ++v) {
    p.emplace_back(static_cast<std::size_t>(graph.whole.topology->states(v)), 0.0);
    if (graph.rest.states[v].size() == 1) p.back()[graph.rest.states[v][0]] = 1;
  }
  for (std::size_t i = 0; i < graph.rest.variables.size(); ++i) {
    const std::uint32_t v = graph.rest.variables[i];
    const Index first = graph.rest.graph.topology->first(static_cast<Index>(i));
    for (std::size_t s = 0; s < graph.rest.states[v].size(); ++s)
      p[v][graph.rest.states[v][s]] = unary[first + static_cast<Index>(s)];
  }
  return p;
}

void run(const Options& o) {
  const ObservedGraph graph = read_observed(o.graph);
  const FactorTopology& topology = *graph.rest.graph.topology;
  const EliminationOrder order(topology);
  std::vector<double> unary(static_cast<std::size_t>(topology.unary_cells())),
      tables(static_cast<std::size_t>(topology.table_cells()));
  const double f = marginals<double>(graph.rest.graph.view(), order, 1, {&topology, unary, tables}) +
                   graph.rest.graph.constant;
  if (!(f < kInfinity<double>))
    throw InputError(o.graph.file == "-" ? "standard input" : o.graph.file, "no answer is allowed",
                     "is the evidence right?");
  const auto p = spread(graph, unary);
  Output out;
  if (o.json) {
    out << nlohmann::ordered_json{{"log_partition", -f},
                                  {"lower", -f},
                                  {"upper", -f},
                                  {"exact", true},
                                  {"marginals", p}}
               .dump()
        << "\n";
  } else {
    out.print("log partition  {:.10g} (log10 {:.8g}), exact: elimination of width {}\n\n", -f,
              -f / std::log(10), order.width());
    std::vector<std::vector<std::string>> rows{{"variable", "state", "probability", ""}};
    for (std::size_t v = 0; v < p.size(); ++v) {
      for (std::size_t s = 0; s < p[v].size(); ++s)
        rows.push_back({s == 0 ? std::to_string(v) : "", std::to_string(s), fmt::format("{:.6f}", p[v][s]),
                        bar(p[v][s], 20)});
    }
    out << table(rows, "rrrl");
  }
  out.flush();
}

constexpr const char* kHelp =
    R"(Probabilities of a factor graph: its partition function and the marginals of its variables.

Exact, by elimination; graphs whose tables would be too large are refused, with the memory that they would take.

Examples:
  thalweg marginals model.uai
  thalweg marginals model.uai --evidence model.uai.evid --json)";

}  // namespace

void add_marginals(CLI::App& program) {
  auto o = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("marginals", kHelp);
  add_graph_options(*app, o->graph);
  app->add_flag("--json", o->json, "One object: log_partition, lower, upper, exact, marginals");
  app->callback([o] { run(*o); });
}

}  // namespace thalweg::app
