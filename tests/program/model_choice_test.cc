// Cross-validation, tuning and warm starts as the program offers them.

#include <cmath>

#include "program/tools.h"

namespace {

const std::string kTrain = "thalweg train " + kNews + "dev.txt ";

std::vector<json> objects(const Result& r) {
  std::vector<json> all;
  for (const std::string& line : lines(r.out)) all.push_back(json::parse(line));
  return all;
}

std::string two_digits(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", x);
  return text;
}

}  // namespace

TEST_CASE("folds validate, and trains only where a model is wanted", "[program][folds]") {
  const TemporaryFolder folder;
  const Result only = run(kTrain + "--folds 4 --json --iterations 5");
  REQUIRE(only.code == 0);
  const std::vector<json> rows = objects(only);
  REQUIRE(rows.size() == 5);
  double f1 = 0, squares = 0;
  long long sentences = 0;
  for (int k = 0; k < 4; ++k) {
    CHECK(rows[k]["fold"] == k + 1);
    f1 += rows[k]["f1"].get<double>() / 4;
    sentences += rows[k]["sentences"].get<long long>();
  }
  for (int k = 0; k < 4; ++k) squares += std::pow(rows[k]["f1"].get<double>() - f1, 2);
  CHECK(sentences == 60);
  CHECK(rows[4]["folds"] == 4);
  CHECK(rows[4]["f1"].get<double>() == Approx(f1));
  CHECK(rows[4]["f1_deviation"].get<double>() == Approx(std::sqrt(squares / 3)));
  for (const char* key : {"accuracy", "accuracy_deviation"}) CHECK(rows[4][key].is_number());

  const Result table = run(kTrain + "--folds 4 --iterations 5 --threads 2 --model " + (folder / "m"));
  CHECK(table.code == 0);
  CHECK_THAT(table.out,
             ContainsSubstring("accuracy") && ContainsSubstring("mean") && ContainsSubstring("deviation"));
  CHECK_THAT(table.out, ContainsSubstring(two_digits(f1)));
  CHECK(run(kTrain + "--iterations 5 --model " + (folder / "plain")).code == 0);
  CHECK(slurp(folder / "m") == slurp(folder / "plain"));
  CHECK(run("cat " + kNews + "dev.txt | thalweg train - --folds 2 --iterations 2").code == 0);

  CHECK(run(kTrain + "--folds 2 --min-count 2 --iterations 2").code == 0);
  check_one_line_error(run(kTrain + "--folds 1"), 2, "folds: is 1, must be 2 to 60");
  check_one_line_error(run(kTrain + "--folds 3 --dev " + kNews + "dev.txt"), 2, "excludes");
}

TEST_CASE("the tuner chooses, shows all tries and trains the best", "[program][tune]") {
  const TemporaryFolder folder;
  const std::string dev = "--dev " + kNews + "test.txt ";
  const Result r = run(kTrain + dev + "--tune c2 --json --iterations 8 --model " + (folder / "m"));
  REQUIRE(r.code == 0);
  double best = -1, chosen = -1, c2 = 0;
  int trials = 0;
  for (const json& o : objects(r)) {
    if (!o.contains("trial")) continue;
    CHECK(o["trial"] == ++trials);
    CHECK(o["c1"] == 0);
    best = std::max(best, o["f1"].get<double>());
    if (o["best"].get<bool>()) chosen = o["f1"].get<double>(), c2 = o["c2"].get<double>();
  }
  CHECK(trials >= 5);
  CHECK(chosen == best);
  const std::string by_hand = kTrain + dev + "--iterations 8 --c2 " + std::to_string(c2) + " --model ";
  CHECK(run(by_hand + (folder / "hand")).code == 0);
  CHECK(slurp(folder / "m") == slurp(folder / "hand"));

  const std::string both = kTrain + "--folds 2 --tune c1,c2 --tune-range 0.1,1 --iterations 6 ";
  const Result one = run(both), two = run(both + "--threads 3");
  CHECK(one.code == 0);
  CHECK_THAT(one.out, ContainsSubstring("best"));
  const auto without_times = [](const Result& result) {
    std::vector<std::string> rows;
    for (const std::string& line : lines(result.out)) {
      std::istringstream cells(line);
      std::string row, cell;
      for (int i = 0; i < 6 && cells >> cell; ++i) row += cell + " ";
      rows.push_back(row);
    }
    return rows;
  };
  CHECK(without_times(one) == without_times(two));

  check_one_line_error(run(kTrain + "--tune c2"), 2, "give --dev FILE or --folds K");
  check_one_line_error(run(kTrain + "--tune c3 --folds 2"), 2, "--tune");
  check_one_line_error(run(kTrain + "--tune c2 --folds 2 --lambda 1"), 2, "lambda");
  CHECK(run(kTrain + "--tune c2 --folds 2 --loss perceptron").code == 2);
  CHECK(run(kTrain + "--tune c2 --folds 2 --tune-range 1,0.1").code == 2);
}

TEST_CASE("a model given to start from goes on with more data and labels", "[program][warm]") {
  const TemporaryFolder folder;
  const std::string more = folder / "more";
  spill(more, slurp(kNews + "dev.txt") + "\nZorblax B-PLANET\nis O\nfar O\n\n");
  REQUIRE(run(kTrain + "--solver lbfgs --model " + (folder / "old")).code == 0);
  const auto iterations = [&](const std::string& options) {
    const Result r =
        run("thalweg train " + more + " --solver lbfgs --json --model " + (folder / "new") + options);
    REQUIRE(r.code == 0);
    return objects(r).back()["iterations"].get<int>();
  };
  const int cold = iterations("");
  CHECK(iterations(" --init " + (folder / "old")) < cold);
  CHECK_THAT(run("thalweg inspect --model " + (folder / "new")).out, ContainsSubstring("B-PLANET"));
  const Result hashed =
      run(kTrain + "--hash-bits 12 --init " + (folder / "old") + " --model " + (folder / "new"));
  CHECK(hashed.code == 2);
  CHECK_THAT(hashed.err, ContainsSubstring("--init: its attributes are hashed to 0 bits"));
}
