// `thalweg minimize` and `thalweg marginals` as their users meet them.

#include <cmath>

#include "program/tools.h"

namespace {

// Two variables of two states: p(0,0) = 1/8, p(0,1) = 3/8, p(1,0) = 1/2, p(1,1) = 0, times 8 and again 3.
const char* const kGraph = "MARKOV\n2\n2 2\n2\n2 0 1\n0\n4\n1 3\n4 0\n1 3\n";

}  // namespace

TEST_CASE("a graph is minimised, with and without evidence", "[program][graphs]") {
  const TemporaryFolder folder;
  spill(folder / "g.uai", kGraph), spill(folder / "evidence", "1 0 0");
  const std::string minimize = "thalweg minimize " + (folder / "g.uai");
  const json all = json::parse(run(minimize + " --json").out);
  CHECK(all["energy"].get<double>() == Approx(-std::log(12)));
  CHECK(all["lower_bound"] == all["energy"]);
  CHECK(all["gap"] == 0);
  CHECK(all["labels"] == json::parse("[1, 0]"));
  CHECK(all["certificate"] == "tree");
  CHECK(all["requested"] == "auto");
  CHECK(all["seconds"].get<double>() >= 0);
  CHECK_THAT(all["used"].get<std::string>(), ContainsSubstring("elimination (width 1)"));
  const json seen = json::parse(run(minimize + " --json --evidence " + (folder / "evidence")).out);
  CHECK(seen["energy"].get<double>() == Approx(-std::log(9)));
  CHECK(seen["labels"] == json::parse("[0, 1]"));
  const Result text = run(minimize + " --solver messages");
  CHECK(text.code == 0);
  CHECK_THAT(text.out, ContainsSubstring("-2.484906"));
  CHECK_THAT(text.out, ContainsSubstring("\n1 0 \n"));
  spill(folder / "none", "w 1 2 1 9\n2\n1 0 9 0\n");
  const Result none = run("thalweg minimize " + (folder / "none"));
  CHECK(none.out == "no answer is allowed\n");
  CHECK(json::parse(run("thalweg minimize --json " + (folder / "none")).out)["energy"].is_null());
}

TEST_CASE("marginals and the partition function", "[program][graphs]") {
  const TemporaryFolder folder;
  spill(folder / "g.uai", kGraph), spill(folder / "evidence", "1 1 1"), spill(folder / "never", "2 0 1 1 1");
  const std::string marginals = "thalweg marginals " + (folder / "g.uai");
  const json all = json::parse(run(marginals + " --json").out);
  CHECK(all["log_partition"].get<double>() == Approx(std::log(24)));
  CHECK(all["exact"] == true);
  CHECK(all["lower"] == all["upper"]);
  CHECK(all["marginals"][0][0].get<double>() == Approx(0.5));
  CHECK(all["marginals"][1][1].get<double>() == Approx(0.375));
  const json seen = json::parse(run(marginals + " --json --evidence " + (folder / "evidence")).out);
  CHECK(seen["log_partition"].get<double>() == Approx(std::log(9)));
  CHECK(seen["marginals"] == json::parse("[[1.0, 0.0], [0.0, 1.0]]"));
  CHECK_THAT(run(marginals).out, ContainsSubstring("0.375000"));
  check_one_line_error(run(marginals + " --evidence " + (folder / "never")), 1, "no answer is allowed");
}

TEST_CASE("graphs that make no sense are refused in one line", "[program][graphs]") {
  const TemporaryFolder folder;
  spill(folder / "g.uai", kGraph), spill(folder / "bad.uai", "MARKOV\n2\n2 2\n1\n2 0 5\n");
  spill(folder / "evidence", "1 5 1");
  check_one_line_error(run("thalweg minimize " + (folder / "bad.uai")), 1, "bad.uai:5: variable 5 of 2");
  check_one_line_error(run("thalweg minimize " + (folder / "g.uai") + " --evidence " + (folder / "evidence")),
                       1, "variable 5 of 2");
  check_one_line_error(run("thalweg minimize " + (folder / "g.uai") + " --time 0"), 2,
                       "time: is 0, must be > 0");
  check_one_line_error(run("thalweg minimize " + (folder / "g.uai") + " --solver x"), 2, "--solver");
  check_one_line_error(run("thalweg minimize " + (folder / "g.uai") + " --threads 0"), 2,
                       "threads: is 0, must be >= 1");
  check_one_line_error(run("thalweg minimize " + (folder / "none")), 1, "cannot be read");
}
