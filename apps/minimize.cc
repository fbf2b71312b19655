#include <unistd.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "graph_options.h"
#include "terminal.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/graph_minimum.h"

namespace thalweg::app {
namespace {

struct Options {
  GraphOptions graph;
  GraphSolver solver = GraphSolver::Auto;
  double seconds = 30;
  int threads = 1;
  bool json = false;
};

// JSON has no infinities.
nlohmann::ordered_json number(double x) {
  return std::isfinite(x) ? nlohmann::ordered_json(x) : nlohmann::ordered_json();
}

struct Answer {
  GraphMinimum found;
  double energy, lower_bound, seconds;
  std::vector<Label> labels;

  double gap() const { return energy < kInfinity<double> ? energy - lower_bound : kInfinity<double>; }
};

void print_json(const Answer& a) {
  Output out;
  out << nlohmann::ordered_json{{"energy", number(a.energy)},
                                {"lower_bound", number(a.lower_bound)},
                                {"gap", number(a.gap())},
                                {"certificate", name(a.found.certificate)},
                                {"requested", name(a.found.requested)},
                                {"used", a.found.used},
                                {"seconds", a.seconds},
                                {"labels", a.labels}}
             .dump()
      << "\n";
  out.flush();
}

void print_text(const Answer& a) {
  const Palette palette(colours(STDOUT_FILENO));
  Output out;
  if (!(a.energy < kInfinity<double>)) {
    out << (a.lower_bound < kInfinity<double> ? "no answer found that is allowed\n"
                                              : "no answer is allowed\n");
    out.flush();
    return;
  }
  const bool proved = a.found.certificate != Certificate::None;
  out.print("energy       {}\n", palette.bold(fmt::format("{:.10g}", a.energy)));
  out.print("lower bound  {:.10g}   {}\n", a.lower_bound,
            proved ? palette.good(fmt::format("the lowest there is: {}", name(a.found.certificate)))
                   : palette.warning(fmt::format("gap {:.4g}, not proved", a.gap())));
  out.print("{}\n\n", palette.dim(fmt::format("{}, {:.2f} s", a.found.used, a.seconds)));
  for (std::size_t v = 0; v < a.labels.size(); ++v) out.print("{}{}", a.labels[v], v % 40 == 39 ? "\n" : " ");
  out << "\n";
  out.flush();
}

void run(const Options& o) {
  if (o.threads < 1)
    throw OptionError("threads", fmt::format("is {}, must be >= 1", o.threads), "1 is the default");
  const ObservedGraph graph = read_observed(o.graph);
  const double constant = graph.rest.graph.constant;
  const auto start = std::chrono::steady_clock::now();
  ProgressLine line;
  const bool terminal = is_terminal(STDERR_FILENO);
  double shown = 0;
  const auto show = [&](const GraphMinimumProgress& p) {
    if (terminal && p.seconds > shown + 0.1) {
      shown = p.seconds;
      line.show(std::min(p.seconds / o.seconds, 1.0),
                fmt::format("energy {:.6g}, bound {:.6g}", p.energy + constant, p.lower_bound + constant));
    }
    return true;
  };
  Answer a{
      minimize_graph(graph.rest.graph.view(), {.solver = o.solver, .seconds = o.seconds}, show), 0, 0, 0, {}};
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  a.seconds = spent.count();
  a.energy = a.found.minimum.energy + constant, a.lower_bound = a.found.minimum.lower_bound + constant;
  if (a.energy < kInfinity<double>) a.labels = graph.rest.complete(a.found.minimum.labels);
  o.json ? print_json(a) : print_text(a);
}

constexpr const char* kHelp = R"(Find the answer of lowest energy of a factor graph, and say how good it is.

Graphs of low width are solved exactly by elimination (chains and trees are such); others by messages for a lower
bound, and by branch and bound until the answer is proved or the time is up.

  tree, elimination  dynamic programming: nothing is lower
  bound met          the lower bound is the energy
  granularity        energies are multiples of a step, and the gap is smaller
  search             branch and bound looked everywhere else
  none               what is between bound and energy is not known

Examples:
  thalweg minimize grid.uai --time 10
  thalweg minimize pedigree.uai.gz --evidence pedigree.uai.evid --json)";

}  // namespace

void add_minimize(CLI::App& program) {
  auto o = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("minimize", kHelp);
  add_graph_options(*app, o->graph);
  std::map<std::string, GraphSolver> solvers;
  for (const GraphSolver s :
       {GraphSolver::Auto, GraphSolver::Elimination, GraphSolver::Messages, GraphSolver::BranchAndBound})
    solvers.emplace(name(s), s);
  app->add_option("--solver", o->solver, "elimination is refused where its tables would be too large")
      ->transform(CLI::CheckedTransformer(solvers))
      ->default_str("auto")
      ->option_text("auto|elimination|messages|branch-and-bound [auto]");
  app->add_option("--time", o->seconds, "Seconds for what has no exact solution in reach, > 0")
      ->capture_default_str();
  app->add_option("--threads", o->threads, "Accepted for scripts, >= 1: one thread does the work for now")
      ->capture_default_str();
  app->add_flag("--json", o->json,
                "One object: energy, lower_bound, gap, certificate, requested, used, seconds, labels");
  app->callback([o] { run(*o); });
}

}  // namespace thalweg::app
