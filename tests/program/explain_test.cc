// `thalweg explain`: what it says adds up, and fits what the other commands say.

#include <cmath>

#include "program/tools.h"

namespace {

std::vector<json> objects(const Result& r) {
  REQUIRE(r.code == 0);
  std::vector<json> all;
  for (const std::string& line : lines(r.out)) all.push_back(json::parse(line));
  return all;
}

std::string explain(const std::string& more) { return "thalweg explain --model " + model() + " " + more; }

double parts(const json& object) {
  double sum = object["rest"]["part"];
  for (const json& factor : object["factors"]) sum += factor["part"].get<double>();
  return sum;
}

}  // namespace

TEST_CASE("explanations add up and agree with tag", "[program][explain]") {
  const auto all = objects(run(explain("--json " + kNews + "test.txt")));
  CHECK(all.size() == 1009);
  std::istringstream tagged(run("thalweg tag --marginals --model " + model() + " " + kNews + "test.txt").out);
  for (const json& o : all) {
    std::string word, gold, label;
    double probability;
    tagged >> word >> gold >> label >> probability;
    REQUIRE(o["word"] == word);
    REQUIRE(o["gold"] == gold);
    REQUIRE(o["label"] == label);
    CHECK(o["probability"].get<double>() == Approx(probability).margin(1e-4));
    CHECK(o["runner_up"] != o["label"]);
    CHECK(o["margin"].get<double>() > -1e-4);
    CHECK(parts(o) == Approx(o["margin"].get<double>()).margin(1e-9));
    CHECK(o["factors"].size() <= 10);
    for (const json& f : o["factors"]) {
      CHECK(f["part"].get<double>() ==
            Approx(f["value"].get<double>() *
                   (f["weight"].get<double>() - f["runner_up_weight"].get<double>())));
      CHECK(f["labels"].size() == (f["kind"] == "emission" ? 1 : 2));
    }
    const int first = o["first"], last = o["last"], token = o["token"];
    CHECK((first <= token && token <= last));
    CHECK(o["labels"].size() == static_cast<std::size_t>(last - first + 1));
    CHECK(o["labels"][static_cast<std::size_t>(token - first)] == o["label"]);
  }
}

TEST_CASE("the margin of a sentence's closest call is that of its second best labelling",
          "[program][explain]") {
  const std::string words = "printf 'Mara\\nLindqvist\\nleft\\nPort\\nAmery\\n'";
  double closest = 1e300;
  for (const json& o : objects(run(words + " | " + explain("--json"))))
    closest = std::min(closest, o["margin"].get<double>());
  std::vector<double> energies;
  for (const std::string& line : lines(run(words + " | thalweg tag --nbest 2 --model " + model()).out)) {
    if (line.rfind("# rank", 0) == 0) energies.push_back(std::stod(line.substr(line.rfind(' '))));
  }
  REQUIRE(energies.size() == 2);
  CHECK(closest == Approx(energies[1] - energies[0]).margin(1e-4));
}

TEST_CASE("one token or one sentence is chosen by its number from 1", "[program][explain]") {
  const auto all = objects(run(explain("--json " + kNews + "test.txt")));
  const auto one = objects(run(explain("--json --sentence 3 --token 2 --top 1000 " + kNews + "test.txt")));
  REQUIRE(one.size() == 1);
  CHECK(one[0]["rest"]["factors"] == 0);
  CHECK(std::abs(one[0]["rest"]["part"].get<double>()) < 1e-4);  // the rounding of the tables
  const auto same = std::find_if(all.begin(), all.end(),
                                 [](const json& o) { return o["sentence"] == 3 && o["token"] == 2; });
  REQUIRE(same != all.end());
  CHECK((*same)["margin"] == one[0]["margin"]);
  CHECK(objects(run(explain("--json --token 2 " + kNews + "test.txt")))[0]["sentence"] == 1);
  const auto why_not =
      objects(run(explain("--json --sentence 3 --token 2 --against I-DATE " + kNews + "test.txt")));
  CHECK(why_not[0]["runner_up"] == "I-DATE");
  CHECK(why_not[0]["margin"].get<double>() >= one[0]["margin"].get<double>());
  CHECK(parts(why_not[0]) == Approx(why_not[0]["margin"].get<double>()).margin(1e-9));
  CHECK_THAT(run(explain("--token 1 --against O " + kNews + "test.txt")).out,
             ContainsSubstring("the label it is asked against"));
  check_one_line_error(run(explain("--against X " + kNews + "test.txt")), 2, "no label of the model");
  check_one_line_error(run(explain("--sentence 81 " + kNews + "test.txt")), 2, "--sentence: is 81, but");
  check_one_line_error(run(explain("--sentence 1 --token 999 " + kNews + "test.txt")), 2,
                       "--token: is 999, but sentence 1 has");
  check_one_line_error(run(explain("--token -1 " + kNews + "test.txt")), 2, "count from 1");
  check_one_line_error(run(explain("--sentence -1 " + kNews + "test.txt")), 2, "count from 1");
  check_one_line_error(run(explain("< /dev/null")), 1, "there is no sentence");
  check_one_line_error(run(explain("--format attributes < /dev/null")), 2, "does not fit the model");
  CHECK_THAT(run(explain("--help")).out, ContainsSubstring("counted from 1"));
}

TEST_CASE("for people: every token a line, one token in full", "[program][explain]") {
  const auto all = lines(run(explain("--sentence 1 " + kNews + "test.txt")).out);
  const auto json_lines = objects(run(explain("--json --sentence 1 " + kNews + "test.txt")));
  CHECK(all.size() == json_lines.size() + 3);  // the sentence's number, the heads, a blank line
  const Result full = run(explain("--sentence 1 --token 1 " + kNews + "test.txt"));
  char margin[32];
  std::snprintf(margin, sizeof margin, "%.3f", json_lines[0]["margin"].get<double>());
  CHECK_THAT(full.out, ContainsSubstring(std::string("lies ") + margin + " higher"));
  CHECK(full.out.find('\x1b') == std::string::npos);
  CHECK_THAT(run("CLICOLOR_FORCE=1 " THALWEG_PROGRAM " explain --token 1 --model " + model() + " " + kNews +
                 "test.txt")
                 .out,
             ContainsSubstring("\x1b["));
}

TEST_CASE("the label column is seen where it is there", "[program][explain]") {
  const auto gold = objects(run("printf 'Mara O\\nleft O\\n' | " + explain("--json")));
  CHECK(gold[0]["gold"] == "O");
  CHECK(objects(run("printf 'Mara\\nleft\\n' | " + explain("--json")))[0]["gold"].is_null());
  CHECK(objects(run("printf 'Mara NNP\\nleft VBD\\n' | " + explain("--json")))[0]["gold"].is_null());
  CHECK_THAT(run("printf 'Mara I-DATE\\nleft O\\n' | " + explain("--token 1")).out,
             ContainsSubstring("the file says I-DATE"));
}

TEST_CASE("models with weights of pairs and word lists are explained, inspected, dumped and loaded",
          "[program][explain]") {
  const TemporaryFolder folder;
  const std::string m = folder / "m", test = kNews + "test.txt";
  spill(folder / "tpl", "U0:%x[0,0]\nB\nB1:%x[0,0]\nU2:%gazetteer[0,0,towns]\n");
  spill(folder / "towns", "Old Dunmere Head\nTolbeck\n");
  REQUIRE(run("thalweg train " + kNews + "train.txt --iterations 10 --templates " + (folder / "tpl") +
              " --gazetteer-lower towns=" + (folder / "towns") + " --model " + m)
              .code == 0);
  bool pairs = false;
  for (const json& o : objects(run("thalweg explain --json --top 1000 --model " + m + " " + test))) {
    CHECK(parts(o) == Approx(o["margin"].get<double>()).margin(1e-9));
    CHECK(std::abs(o["rest"]["part"].get<double>()) < 1e-4);
    for (const json& f : o["factors"]) {
      if (f["kind"] != "pair") continue;
      pairs = true;
      CHECK(f["attribute"].get<std::string>().rfind("B1:", 0) == 0);
      CHECK(f["labels"].size() == 2);
    }
  }
  CHECK(pairs);
  CHECK_THAT(run("thalweg explain --model " + m + " " + test).out, ContainsSubstring("B1:"));
  CHECK_THAT(run("thalweg inspect --label B-PER --model " + m).out, ContainsSubstring("depend on the input"));
  const json one = json::parse(run("thalweg inspect --json --label B-PER --model " + m).out);
  REQUIRE(one["top_pairs"].size() > 0);
  for (const json& f : one["top_pairs"])
    CHECK_THAT(" " + f["labels"].get<std::string>() + " ", ContainsSubstring(" B-PER "));
  CHECK(run("thalweg dump --model " + m + " | thalweg load - --model " + (folder / "n") + " && cmp " + m +
            " " + (folder / "n"))
            .code == 0);
}
