#include "thalweg/io/dimacs.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "support/catch.h"
#include "support/message.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

using namespace thalweg;

namespace {

DimacsFlow read(const std::string& text) { return read_dimacs(TextReader::of_memory(text, "net")); }

const std::string kDiamond =
    "c by hand\np max 4 5\nn 1 s\nn 4 t\na 1 2 4\na 1 3 2\n\na 2 3\t3 \na 2 4 2\nc\na 3 4 5\n";

}  // namespace

TEST_CASE("a flow problem as DIMACS writes it", "[dimacs]") {
  const DimacsFlow flow = read(kDiamond);
  CHECK(flow.nodes == 4);
  CHECK(flow.source == 0);
  CHECK(flow.sink == 3);
  CHECK(flow.from == std::vector<std::int32_t>{0, 0, 1, 1, 2});
  CHECK(flow.to == std::vector<std::int32_t>{1, 2, 2, 3, 3});
  CHECK(flow.capacity == std::vector<std::int64_t>{4, 2, 3, 2, 5});
  CHECK(read(dimacs_text(flow)) == flow);
  CHECK(flow_network<std::int32_t>(flow).solve().value == 6);
  CHECK(flow_network<std::int64_t>(flow).solve().value == 6);
  auto network = flow_network<double>(flow);
  CHECK(network.solve().value == 6);
  CHECK(network.side(0) == CutSide::Source);
  CHECK(network.side(3) == CutSide::Sink);
}

TEST_CASE("capacities of DIMACS problems beyond 32 bits", "[dimacs]") {
  const DimacsFlow flow =
      read("p max 3 3\nn 1 s\nn 3 t\na 1 2 2000000000\na 1 2 2000000000\na 2 3 2000000000\n");
  CHECK_FALSE(fits_int32(flow));
  CHECK(flow_network<std::int64_t>(flow).solve().value == 2e9);
  CHECK(fits_int32(read(kDiamond)));
}

TEST_CASE("what is no DIMACS problem is named", "[dimacs]") {
  const auto error = [](const std::string& text) { return message_of<InputError>([&] { read(text); }); };
  const std::string head = "p max 3 1\nn 1 s\nn 3 t\n";
  CHECK(error("") == "net: no problem line; it should read: p max NODES ARCS");
  CHECK(error("a 1 2 3\n") == "net:1: a line before the problem line; begin with: p max NODES ARCS");
  CHECK(error("p min 3 1\n") == "net:1: problem 'min'; only 'max', maximum flow, is read");
  CHECK(error("p max 3\n").find("net:1: 3 fields, expected 4; the line should read: p max NODES ARCS") == 0);
  CHECK(error(head + "a 1 2 3 4 5 6\n").find("net:4: too many fields, expected 4") == 0);
  CHECK(error(head + head).find("net:4: a second problem line") == 0);
  CHECK(error(head + "a 1 4 3\n") == "net:4: node 4 is out of range; it lies in 1 to 3");
  CHECK(error(head + "a 0 1 3\n").find("net:4: node 0 is out of range") == 0);
  CHECK(error(head + "a 1 2 -3\n").find("net:4: capacity -3 is out of range") == 0);
  CHECK(error(head + "a 1 2 1.5\n").find("net:4: capacity '1.5' is not a whole number") == 0);
  CHECK(error(head + "a 1 2 99999999999999999999\n")
            .find("net:4: capacity 99999999999999999999 is out of range") == 0);
  CHECK(error(head + "a 1 2 3\na 2 3 4\n").find("net:5: more than the 1 arcs announced") == 0);
  CHECK(error(head) == "net: 0 arcs, 1 were announced; was the file cut short?");
  CHECK(error(head + "n 2 s\n").find("net:4: a second node is named s") == 0);
  CHECK(error(head + "n 2 x\n").find("net:4: node of kind 'x'") == 0);
  CHECK(error(head + "b 2 3\n").find("net:4: line of unknown kind 'b'") == 0);
  CHECK(error("p max 2 0\nn 1 s\n") == "net: no node is named t; add a line: n NODE t");
  CHECK(error("p max 2 0\nn 1 s\nn 1 t\n").find("net: source and sink are one node") == 0);
  CHECK(error("p max 1000000000 0\nn 1 s\nn 2 t\n").find("net: 1000000000 nodes, but 0 arcs") == 0);
  CHECK(error("p max 3 2\nn 1 s\nn 3 t\na 1 2 4000000000000000000\na 2 3 4000000000000000000\n")
            .find("net:5: the sum of all capacities reaches 2^62") == 0);
}

TEST_CASE("published DIMACS problems: their values and source sides, by every solver", "[dimacs]") {
  const char* data = std::getenv("THALWEG_DATA");
  if (!data) return;
  const std::string folder = std::string(data) + "/maxflow_dimacs/";
  std::ifstream table(folder + "reference.tsv");
  std::string line;
  std::getline(table, line);
  int rows = 0;
  for (; std::getline(table, line); ++rows) {
    std::istringstream fields(line);
    std::string name;
    Index nodes = 0, arcs = 0, value = 0, source_side = 0;
    REQUIRE(fields >> name >> nodes >> arcs >> value >> source_side);
    CAPTURE(name);
    const DimacsFlow flow = read_dimacs(folder + name + ".gz");
    CHECK(flow.nodes == nodes);
    CHECK(static_cast<Index>(flow.from.size()) == arcs);
    CHECK(read(dimacs_text(flow)) == flow);
    for (const FlowSolver solver : {FlowSolver::Auto, FlowSolver::SearchTrees, FlowSolver::PushRelabel}) {
      auto network = flow_network<std::int64_t>(flow);
      network.solve({.solver = solver});
      CHECK(network.value() == value);
      Index reached = 0;
      for (Index v = 0; v < nodes; ++v) reached += network.side(v) == CutSide::Source;
      CHECK(reached == source_side);
    }
  }
  CHECK(rows == 9);
}
