// Losses, their solvers and their comparison, as the program offers them.

#include <cmath>
#include <nlohmann/json.hpp>

#include "program/tools.h"
#include "thalweg/learning/loss.h"

using nlohmann::json;
using namespace thalweg;

namespace {

std::vector<json> objects(const std::string& lines) {
  std::vector<json> all;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) all.push_back(json::parse(line));
  return all;
}

json last_object(const Result& r) { return objects(r.out).back(); }

// Words of letter.data: `abc` and `cab` with one pixel a letter.
std::string letters(int words) {
  std::string text;
  int id = 1;
  for (int word = 0; word < words; ++word) {
    const std::string spelt = word % 2 == 0 ? "abc" : "cab";
    for (std::size_t t = 0; t < spelt.size(); ++t, ++id) {
      text += std::to_string(id) + "\t" + spelt[t] + "\t" +
              (t + 1 < spelt.size() ? std::to_string(id + 1) : "-1") + "\t" + std::to_string(word + 1) +
              "\t" + std::to_string(t + 1) + "\t" + std::to_string(word % 10);
      for (int pixel = 0; pixel < 128; ++pixel) text += pixel == spelt[t] - 'a' ? "\t1" : "\t0";
      text += "\t\n";
    }
  }
  return text;
}

}  // namespace

TEST_CASE("every loss trains, by a solver of its own choice", "[program][losses]") {
  const TemporaryFolder folder;
  for (const std::string_view loss : loss_names()) {
    CAPTURE(loss);
    const std::string offset = loss.starts_with("square") ? " --offset 20" : "";
    const Result r = run("thalweg train " + kNews + "dev.txt --loss " + std::string(loss) + offset +
                         " --iterations 4 --json --model " + (folder / "m"));
    REQUIRE(r.code == 0);
    const json end = last_object(r);
    CHECK(std::isfinite(end["objective"].get<double>()));
    CHECK(end["solver"] != "auto");
  }
}

TEST_CASE("margin solvers certify a gap of the same objective", "[program][losses]") {
  const TemporaryFolder folder;
  const std::string train =
      "thalweg train " + kNews + "dev.txt --loss structured-hinge --json --model " + (folder / "m");
  const json bcfw = last_object(run(train + " --gap 0.01"));
  const json planes = last_object(run(train + " --gap 0.01 --solver cutting-plane"));
  const json steps = last_object(run(train + " --gap 0.01 --solver subgradient --iterations 30"));
  CHECK(bcfw["solver"] == "bcfw");
  const double sentences = bcfw["sequences"];
  for (const json& one : {bcfw, planes}) {
    CHECK(one["stopped"] == "the gap to the optimum is small enough");
    CHECK(one["gap"].get<double>() <= 0.01 * sentences);
  }
  // All bound the one optimum.
  for (const json& a : {bcfw, planes, steps}) {
    for (const json& b : {bcfw, planes, steps}) CHECK(a["primal"].get<double>() >= b["dual"].get<double>());
  }
  // lambda = 2 c2 / n.
  const json lambda = last_object(run(train + " --gap 0.01 --lambda " + std::to_string(2 / sentences)));
  CHECK(lambda["primal"].get<double>() == Approx(bcfw["primal"].get<double>()).margin(0.01 * sentences));
}

TEST_CASE("pairs of loss, solver and option that make no sense are refused", "[program][losses]") {
  const auto refused = [](const std::string& more, const std::string& hint) {
    CAPTURE(more);
    const Result r = run("thalweg train " + kNews + "dev.txt --model /tmp/never " + more);
    CHECK(r.code == 2);
    CHECK_THAT(lines(r.err).back(), ContainsSubstring("thalweg: --"));
    CHECK_THAT(lines(r.err).back(), ContainsSubstring(hint));
  };
  refused("--loss hinge --solver lbfgs", "smooth");
  refused("--loss hinge --solver eg", "likelihood");
  refused("--loss hinge --solver bcfw", "structured hinge");
  refused("--loss structured-hinge --solver bcfw --c2 0", "c2 > 0");
  refused("--loss structured-hinge --solver bcfw --order 2", "second order");
  refused("--loss hinge --beta 2", "hinge has none");
  refused("--loss likelihood --cost hamming", "likelihood has none");
  refused("--loss likelihood --beta 0", "finite and > 0");
  refused("--loss hinge --margin -1", "finite and > 0");
  refused("--loss direct --epsilon 0", "finite and > 0");
  refused("--loss contrastive-divergence --cd-steps 0", ">= 1");
  refused("--loss structured-hinge --gap -1", "finite and >= 0");
  refused("--loss slack-hinge --cost spans", "slack");
  refused("--solver adam --batch 0", ">= 1");
  refused("--folds two", ">= 2");
}

TEST_CASE("compare tells what each loss makes of one model", "[program][losses]") {
  const TemporaryFolder folder;
  const std::string compare = "thalweg compare " + kNews + "train.txt --test " + kNews +
                              "test.txt --losses likelihood,structured-hinge,ramp";
  const Result shown = run(compare + " --svg " + (folder / "curves.svg"));
  REQUIRE(shown.code == 0);
  for (const char* text : {"likelihood", "structured-hinge", "ramp", "separated", "calibration"})
    CHECK_THAT(shown.out, ContainsSubstring(text));
  CHECK_THAT(slurp(folder / "curves.svg"), ContainsSubstring("</svg>"));

  const auto reports = objects(run(compare + " --json --threads 2").out);
  REQUIRE(reports.size() == 3);
  for (const json& report : reports) {
    CHECK(report["f1"].get<double>() > 60);
    CHECK(report["accuracy"].get<double>() > 90);
    CHECK(report["curve"].size() == report["iterations"].get<std::size_t>());
  }
  // The likelihood's probabilities are to be believed, margins are no probabilities.
  CHECK(reports[0]["calibration_error"].get<double>() < 6);
  CHECK(reports[1]["calibration_error"].get<double>() > reports[0]["calibration_error"].get<double>());

  // What train and evaluate say of the same.
  REQUIRE(run("thalweg train " + kNews + "train.txt --model " + (folder / "m")).code == 0);
  const Result tagged =
      run("thalweg tag " + kNews + "test.txt --model " + (folder / "m") + " | thalweg evaluate --json");
  CHECK(reports[0]["f1"].get<double>() == Approx(json::parse(tagged.out)["f1"].get<double>()));
}

TEST_CASE("letters are read by their folds", "[program][losses]") {
  const TemporaryFolder folder;
  spill(folder / "letter.data", letters(20));
  const std::string train =
      "thalweg train " + (folder / "letter.data") + " --format letters --json --model " + (folder / "m");
  const json all = last_object(run(train)), some = last_object(run(train + " --folds 0,2-3"));
  CHECK(all["sequences"] == 20);
  CHECK(some["sequences"] == 6);
  CHECK(some["features"] == some["attributes"].get<int>() * 3 + 9);  // all of them
  const auto reports = objects(run("thalweg compare " + (folder / "letter.data") +
                                   " --format letters --folds 1-9 --test-folds 0 --json --losses "
                                   "structured-hinge,likelihood --test " +
                                   (folder / "letter.data"))
                                   .out);
  REQUIRE(reports.size() == 2);
  for (const json& report : reports) CHECK(report["accuracy"] == 100.0);
  check_one_line_error(run(train + " --folds 10"), 2, "0 to 9");
  check_one_line_error(run(train + " --folds x"), 2, "0 to 9");
  check_one_line_error(run("thalweg compare " + kNews + "dev.txt --test x --folds 1 "), 2, "letters");
  const TemporaryFolder unlabelled;
  spill(unlabelled / "words", "in\nTolbeck\n");
  check_one_line_error(run("thalweg compare " + kNews + "dev.txt --test " + (unlabelled / "words")), 1,
                       "words: none of its labels is one of the model's");
}
