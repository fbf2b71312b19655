#include "flow_peers.h"

#include <ctime>
#include <memory>
#include <numeric>

#ifdef THALWEG_HAVE_BOOST
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/boykov_kolmogorov_max_flow.hpp>
#include <boost/graph/compressed_sparse_row_graph.hpp>
#endif
#ifdef THALWEG_HAVE_LIBMAXFLOW
#include <maxflow.h>
#endif

double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

namespace {

// Runs `build`, then `solve` on what it made.
template <class Build, class Solve>
FlowRun timed(Build build, Solve solve) {
  FlowRun run;
  double start = cpu_seconds();
  auto graph = build();
  run.build = cpu_seconds() - start;
  start = cpu_seconds();
  run.value = solve(*graph);
  run.solve = cpu_seconds() - start;
  return run;
}

#ifdef THALWEG_HAVE_LIBMAXFLOW
FlowRun libmaxflow(const FlowProblem& p) {
  using Graph = maxflow::Graph_III;
  return timed(
      [&] {
        const auto edges = static_cast<int>(p.from.size());
        auto graph = std::make_unique<Graph>(p.nodes, edges);
        graph->add_node(p.nodes);
        for (int v = 0; v < p.nodes; ++v) graph->add_tweights(v, p.source[v], p.sink[v]);
        for (int e = 0; e < edges; ++e) graph->add_edge(p.from[e], p.to[e], p.capacity[e], p.reverse[e]);
        return graph;
      },
      [](Graph& graph) { return graph.maxflow(); });
}
#endif

#ifdef THALWEG_HAVE_BOOST
FlowRun boost_list(const FlowProblem& p) {
  using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
  using Edge = Traits::edge_descriptor;
  struct Arc {
    int capacity, residual;
    Edge back;
  };
  using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, Arc>;
  const auto n = static_cast<std::size_t>(p.nodes), s = n, t = n + 1;
  return timed(
      [&] {
        auto graph = std::make_unique<Graph>(n + 2);
        const auto add = [&](std::size_t u, std::size_t v, int capacity, int reverse) {
          const Edge a = boost::add_edge(u, v, {capacity, 0, {}}, *graph).first;
          const Edge b = boost::add_edge(v, u, {reverse, 0, {}}, *graph).first;
          (*graph)[a].back = b, (*graph)[b].back = a;
        };
        for (std::size_t v = 0; v < n; ++v) {
          if (p.source[v] > 0) add(s, v, p.source[v], 0);
          if (p.sink[v] > 0) add(v, t, p.sink[v], 0);
        }
        for (std::size_t e = 0; e < p.from.size(); ++e) add(p.from[e], p.to[e], p.capacity[e], p.reverse[e]);
        return graph;
      },
      [&](Graph& graph) {
        std::vector<Edge> predecessor(n + 2);
        std::vector<boost::default_color_type> colour(n + 2);
        std::vector<int> distance(n + 2);
        return boost::boykov_kolmogorov_max_flow(
            graph, boost::get(&Arc::capacity, graph), boost::get(&Arc::residual, graph),
            boost::get(&Arc::back, graph), predecessor.data(), colour.data(), distance.data(),
            boost::get(boost::vertex_index, graph), s, t);
      });
}

struct CsrArc {
  int capacity = 0, residual = 0;
};
using Csr = boost::compressed_sparse_row_graph<boost::directedS, boost::no_property, CsrArc,
                                               boost::no_property, int, int>;
struct CsrNetwork {
  Csr graph;
  std::vector<Csr::edge_descriptor> back;
};

FlowRun boost_csr(const FlowProblem& p) {
  const int n = p.nodes, s = n, t = n + 1;
  return timed(
      [&] {
        std::vector<std::pair<int, int>> ends;
        std::vector<int> capacities;
        const auto add = [&](int u, int v, int capacity, int reverse) {
          ends.emplace_back(u, v), ends.emplace_back(v, u);
          capacities.push_back(capacity), capacities.push_back(reverse);
        };
        for (int v = 0; v < n; ++v) {
          if (p.source[v] > 0) add(s, v, p.source[v], 0);
          if (p.sink[v] > 0) add(v, t, p.sink[v], 0);
        }
        for (std::size_t e = 0; e < p.from.size(); ++e) add(p.from[e], p.to[e], p.capacity[e], p.reverse[e]);
        std::vector<int> place(n + 3), at(ends.size());
        for (const auto& [u, v] : ends) ++place[u + 1];
        std::partial_sum(place.begin(), place.end(), place.begin());
        for (std::size_t a = 0; a < ends.size(); ++a) at[a] = place[ends[a].first]++;
        std::vector<std::pair<int, int>> sorted(ends.size());
        std::vector<CsrArc> arcs(ends.size());
        for (std::size_t a = 0; a < ends.size(); ++a)
          sorted[at[a]] = ends[a], arcs[at[a]].capacity = capacities[a];
        auto network = std::make_unique<CsrNetwork>();
        network->graph = Csr(boost::edges_are_sorted, sorted.begin(), sorted.end(), arcs.begin(), n + 2);
        network->back.resize(ends.size());
        for (std::size_t a = 0; a < ends.size(); ++a) {
          const std::size_t b = a ^ 1;
          network->back[at[a]] = Csr::edge_descriptor(ends[b].first, at[b]);
        }
        return network;
      },
      [&](CsrNetwork& network) {
        Csr& graph = network.graph;
        std::vector<Csr::edge_descriptor> predecessor(n + 2);
        std::vector<boost::default_color_type> colour(n + 2);
        std::vector<int> distance(n + 2);
        return boost::boykov_kolmogorov_max_flow(
            graph, boost::get(&CsrArc::capacity, graph), boost::get(&CsrArc::residual, graph),
            boost::make_iterator_property_map(network.back.begin(), boost::get(boost::edge_index, graph)),
            predecessor.data(), colour.data(), distance.data(), boost::get(boost::vertex_index, graph), s, t);
      });
}
#endif

}  // namespace

std::vector<FlowPeer> flow_peers() {
  return {
#ifdef THALWEG_HAVE_LIBMAXFLOW
      {"libmaxflow", libmaxflow},
#endif
#ifdef THALWEG_HAVE_BOOST
      {"Boost, lists", boost_list},
      {"Boost, compressed rows", boost_csr},
#endif
  };
}
