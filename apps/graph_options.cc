#include "graph_options.h"

#include "terminal.h"
#include "thalweg/io/graph_files.h"

namespace thalweg::app {

void add_graph_options(CLI::App& app, GraphOptions& options) {
  app.add_option(
         "FILE", options.file,
         "A factor graph: UAI (MARKOV or BAYES; the energy is -ln of an entry) or WCSP; gzip is read as "
         "it is, - is standard input")
      ->required();
  app.add_option("--evidence", options.evidence,
                 "Observed variables and their states, as UAI .evid files say them");
}

ObservedGraph read_observed(const GraphOptions& options) {
  announce_keyboard(options.file);
  ObservedGraph graph{read_graph(options.file), {}};
  std::vector<Observation> evidence;
  if (!options.evidence.empty()) evidence = read_uai_evidence(options.evidence);
  graph.rest =
      keep_states(graph.whole.view(), observed(*graph.whole.topology, evidence), graph.whole.constant);
  return graph;
}

}  // namespace thalweg::app
