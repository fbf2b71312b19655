#include "support/boost_flow.h"

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/boykov_kolmogorov_max_flow.hpp>
#include <vector>

namespace thalweg::testing {
namespace {

using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
using Edge = Traits::edge_descriptor;
struct Arc {
  double capacity = 0, residual = 0;
  Edge back;
};
using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, Arc>;

}  // namespace

double boost_flow(Index nodes, const FlowEdges<double>& edges, const FlowTerminals<double>& terminals) {
  const auto s = static_cast<std::size_t>(nodes), t = s + 1;
  Graph graph(t + 1);
  const auto add = [&](std::size_t u, std::size_t v, double capacity, double reverse) {
    const Edge a = boost::add_edge(u, v, {capacity, 0, {}}, graph).first;
    const Edge b = boost::add_edge(v, u, {reverse, 0, {}}, graph).first;
    graph[a].back = b, graph[b].back = a;
  };
  for (std::size_t v = 0; v < s; ++v) add(s, v, terminals.source[v], 0), add(v, t, terminals.sink[v], 0);
  for (std::size_t e = 0; e < edges.from.size(); ++e)
    add(edges.from[e], edges.to[e], edges.capacity[e], edges.reverse[e]);
  std::vector<Edge> predecessor(t + 1);
  std::vector<boost::default_color_type> colour(t + 1);
  std::vector<long> distance(t + 1);
  return boost::boykov_kolmogorov_max_flow(graph, boost::get(&Arc::capacity, graph),
                                           boost::get(&Arc::residual, graph), boost::get(&Arc::back, graph),
                                           predecessor.data(), colour.data(), distance.data(),
                                           boost::get(boost::vertex_index, graph), s, t);
}

}  // namespace thalweg::testing
