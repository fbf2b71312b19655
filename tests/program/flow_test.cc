// `thalweg flow`.
#include "program/tools.h"

namespace {

const std::string kDiamond =
    "'p max 4 5\\nn 1 s\\nn 4 t\\na 1 2 4\\na 1 3 2\\na 2 3 3\\na 2 4 2\\na 3 4 5\\n'";

}  // namespace

TEST_CASE("flow says the value, what found it and how long that took", "[program]") {
  for (const std::string solver : {"search-trees", "push-relabel"}) {
    const Result r = run("printf " + kDiamond + " | gzip | thalweg flow --json --solver " + solver);
    REQUIRE(r.code == 0);
    const json j = json::parse(r.out);
    CHECK(j["value"] == 6);
    CHECK(j["solver"] == solver);
    CHECK(j["seconds"] >= 0);
  }
  const Result text = run("printf " + kDiamond + " | thalweg flow -");
  CHECK(text.code == 0);
  CHECK_THAT(text.out, ContainsSubstring("maximum flow 6\n4 nodes, 5 arcs; search-trees (2 of 4 nodes"));
}

TEST_CASE("flow of what is no network", "[program]") {
  check_one_line_error(run("echo 'p max 2 x' | thalweg flow"), 1, "standard input:1: number of arcs 'x'");
  check_one_line_error(run("thalweg flow /nowhere.max"), 1, "/nowhere.max: cannot be read");
  CHECK(run("thalweg flow --solver simplex x").code == 2);
}
