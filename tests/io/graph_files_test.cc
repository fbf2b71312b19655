#include "thalweg/io/graph_files.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "support/catch.h"
#include "support/graphs.h"
#include "support/sanitized.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/elimination.h"
#include "thalweg/inference/graph_minimum.h"
#include "thalweg/inference/single_site.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

OwnedFactorGraph parse(const std::string& text) { return read_graph(TextReader::of_memory(text, "g")); }
std::vector<Observation> parse_evidence(const std::string& text) {
  return read_uai_evidence(TextReader::of_memory(text, "e"));
}

// The rows of a table with a head, # lines left out.
std::vector<std::vector<std::string>> rows_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> row(1);
    for (const char c : line) {
      if (c == '\t')
        row.emplace_back();
      else
        row.back() += c;
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

TEST_CASE("UAI: entries are probabilities, the last variable fastest", "[io][graph_files]") {
  const OwnedFactorGraph graph =
      parse("MARKOV\n2\n2 3\n4\n2 0 1\n1 1\n1 1\n0\n\n6\n 1 .5 .25\n 0 1e-3 2\n3 1 2 4\n3 1 1 .5\n1 .125\n");
  CHECK(graph.topology->variables() == 2);
  CHECK(graph.topology->factors() == 1);
  CHECK(graph.tables[1] == Approx(std::log(2)));
  CHECK(graph.tables[3] == kInfinity<double>);
  CHECK(graph.tables[5] == Approx(-std::log(2)));
  CHECK(graph.unary[4] == Approx(-std::log(2)));  // 4 * .5
  CHECK(graph.constant == Approx(3 * std::log(2)));
  CHECK(energy(graph.view(), std::vector<Label>{1, 2}) == Approx(-std::log(4)));
}

TEST_CASE("WCSP: defaults, tuples and top", "[io][graph_files]") {
  const OwnedFactorGraph graph =
      parse("name 3 3 4 10\n2 3 2\n2 0 1 1 2\n0 0 5\n1 2 10\n1 2 4 1\n0 0\n0 2 0\n3 0 1 2 0 1\n1 1 1 3\n");
  CHECK(graph.constant == 2);
  CHECK(graph.unary == std::vector<double>{0, 0, 0, 0, 0, 0, 4});
  const auto e = [&](Label a, Label b, Label c) { return energy(graph.view(), std::vector<Label>{a, b, c}); };
  CHECK(e(0, 0, 0) == 5);
  CHECK(e(1, 2, 0) == kInfinity<double>);
  CHECK(e(1, 1, 1) == 1 + 4 + 3);
}

TEST_CASE("what is no graph is refused with its line", "[io][graph_files]") {
  const auto refused = [](const std::string& text, const char* message) {
    CHECK_THROWS_WITH(parse(text), ContainsSubstring(message));
  };
  refused("", "is empty");
  refused("Confidence NN B-NP", "UAI begins with MARKOV or BAYES, WCSP with a name and four numbers");
  refused("MARKOV\n2\n2", "g:3: ends before a number of states");
  refused("MARKOV\nx", "g:2: 'x' is not the number of variables");
  refused("MARKOV\n-1", "the number of variables is -1");
  refused("MARKOV\n2\n2 0\n", "a number of states is 0");
  refused("MARKOV\n2\n2 2\n1\n2 0 2\n", "g:5: variable 2 of 2");
  refused("MARKOV\n2\n2 2\n1\n2 1 1\n", "variable 1 twice");
  refused("MARKOV\n2\n2 2\n1\n2 0 1\n3\n", "3 entries for a scope of 4 cells");
  refused("MARKOV\n1\n2\n1\n1 0\n2 1 -1\n", "the entry -1");
  refused("MARKOV\n1\n2\n1\n1 0\n2 1 nan\n", "the entry nan");
  refused("MARKOV\n1\n2\n1\n1 0\n2 1 1 1\n", "more words than the graph has");
  refused("MARKOV\n1\n2\n1\n1 0\n2 1 1e999\n", "is not an entry");
  refused("MARKOV\n9\n99999 99999 99999 99999 2 2 2 2 2\n1\n4 0 1 2 3\n1", "does not fit");
  refused("w 1 2 1 0\n2", "top is 0");
  refused("w 1 2 1 9\n2\n1 0 -1 3 alldiff", "a global function");
  refused("w 1 2 1 9\n2\n1 0 0 1\n2 1", "a state is 2");
  refused("w 1 2 1 9\n2\n1 0 0 3\n", "a number of tuples is 3");
  refused("w 1 2 1 9\n2\n-1 0 0 3\n", "an arity below 0");
}

TEST_CASE("evidence in both of its forms", "[io][graph_files]") {
  const auto two = parse_evidence("2 7 1 3 0\n");
  REQUIRE(two.size() == 2);
  CHECK(two[0].variable == 7);
  CHECK(two[1].state == 0);
  CHECK(parse_evidence("0").empty());
  CHECK(parse_evidence("1\n1 4 2").size() == 1);
  CHECK(parse_evidence("1 4 2").size() == 1);
  CHECK(parse_evidence("1 0").empty());
  CHECK_THROWS_WITH(parse_evidence("2 1 1"), ContainsSubstring("2 numbers for 2 observations"));
  CHECK_THROWS_WITH(parse_evidence(""), ContainsSubstring("is empty"));
  CHECK_THROWS_WITH(parse_evidence("1 x 2"), ContainsSubstring("e:1: 'x' is no variable"));
}

TEST_CASE("graphs are written, and read back with their energies", "[io][graph_files]") {
  const TemporaryFolder folder;
  Rng rng(1);
  for (int round = 0; round < 10; ++round) {
    const auto owned = random_graph<double>(rng, {.forbid = 0.1});
    const double constant = write_uai(folder / "g.uai", owned.view());
    const OwnedFactorGraph back = read_graph(folder / "g.uai");
    each_answer(owned.view(), [&](std::span<const Label> y) {
      const double want = energy(owned.view(), y);
      if (want < kInfinity<double>)
        REQUIRE(energy(back.view(), y) + constant == Approx(want).margin(1e-12));
      else
        REQUIRE(energy(back.view(), y) == kInfinity<double>);
    });
  }
  Rng again(2);
  write_dot(folder / "g.dot", *loopy_graph<double>(again).topology);
  std::ifstream file(folder / "g.dot");
  std::stringstream text;
  text << file.rdbuf();
  CHECK_THAT(text.str(), ContainsSubstring("v0 -- v1;"));
  CHECK_THAT(text.str(), ContainsSubstring("f5 -- v4;"));
}

TEST_CASE("UAI-2014: the published partition functions and maxima", "[io][graph_files][data]") {
  const char* data = std::getenv("THALWEG_DATA");
  if (!data || kSanitized) return;
  const std::string folder = std::string(data) + "/uai2014/";
  int checked = 0;
  for (const auto& row : rows_of(folder + "reference.tsv")) {
    if (row[0] == "task" || row[8] == "?") continue;
    const std::string file = folder + row[0] + "/" + row[1] + ".uai";
    CAPTURE(file);
    const OwnedFactorGraph graph = read_graph(file + ".gz");
    const auto evidence = read_uai_evidence(file + ".evid");
    const Reduced rest = keep_states(graph.view(), observed(*graph.topology, evidence), graph.constant);
    const EliminationOrder order(*rest.graph.topology);
    if (order.largest() > 0x1p20) continue;  // half a minute, for more of the same
    const double lowest = minimize(rest.graph.view(), order).energy + rest.graph.constant;
    const double f = free_energy(rest.graph.view(), order) + rest.graph.constant;
    CHECK(-lowest / std::log(10) == Approx(std::stod(row[8])).margin(1e-6));
    CHECK(-f / std::log(10) == Approx(std::stod(row[9])).margin(1e-6));
    ++checked;
  }
  CHECK(checked >= 6);
}

TEST_CASE("WCSP: the known optima", "[io][graph_files][data]") {
  const char* data = std::getenv("THALWEG_DATA");
  if (!data || kSanitized) return;
  const std::string folder = std::string(data) + "/wcsp_toulbar2/";
  int proved = 0;
  for (const auto& row : rows_of(folder + "reference.tsv")) {
    if (!row[0].ends_with(".wcsp")) continue;
    const double optimum = std::stod(row[5]);
    CAPTURE(row[0]);
    // Variables or functions without a table.
    if (const std::set<std::string> none{"10_1.wcsp", "latin.wcsp", "donald.wcsp", "magic3.wcsp",
                                         "oconnell_bayesnet.wcsp", "cat_paths_60_170_0005_clq.wcsp"};
        none.count(row[0])) {
      CHECK_THROWS_AS(read_graph(folder + row[0] + ".gz"), InputError);
      continue;
    }
    const OwnedFactorGraph graph = read_graph(folder + row[0] + ".gz");
    const GraphMinimum found = minimize_graph(graph.view(), {.seconds = 2});
    CHECK(found.minimum.lower_bound + graph.constant <= optimum + 1e-6);
    if (found.certificate == Certificate::None) continue;
    ++proved;
    CHECK(found.minimum.energy + graph.constant == Approx(optimum).margin(1e-6));
  }
  CHECK(proved >= 4);
}
