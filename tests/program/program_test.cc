// The program as its users meet it: commands in, lines and exit codes out.

#include <algorithm>

#include "program/tools.h"

TEST_CASE("help teaches and exits 0", "[program]") {
  CHECK(run("thalweg --help").code == 0);
  CHECK(run("thalweg --version").code == 0);
  for (const char* command : {"train", "compare", "tag", "evaluate", "explain", "inspect", "dump", "load",
                              "minimize", "marginals", "flow", "completion", "man"}) {
    const Result r = run(std::string("thalweg ") + command + " --help");
    CHECK(r.code == 0);
    CHECK_THAT(r.out, ContainsSubstring("Examples:"));
    CHECK_THAT(r.out, ContainsSubstring(std::string("thalweg ") + command));
  }
}

TEST_CASE("wrong usage exits 2 with one line that helps", "[program]") {
  check_one_line_error(run("thalweg"), 2, "--help");
  check_one_line_error(run("thalweg tga x"), 2, "did you mean tag?");
  check_one_line_error(run("thalweg train x --modle y --model z"), 2, "did you mean --model?");
  check_one_line_error(run("thalweg train " + kNews + "train.txt"), 2, "--model");
  check_one_line_error(run("thalweg train " + kNews + "train.txt --model m --c2 x"), 2, "--c2");
  check_one_line_error(run("thalweg train " + kNews + "train.txt --model m --loss hinges"), 2, "likelihood");
  check_one_line_error(run("thalweg evaluate --scheme bioo < /dev/null"), 2, "bioes");
  check_one_line_error(run("thalweg explain - --sentence 0x --model m < /dev/null"), 2, "--sentence");
  const Result negative = run("thalweg train " + kNews + "train.txt --model /tmp/never --c2 -1");
  CHECK(negative.code == 2);
  CHECK_THAT(negative.err, ContainsSubstring("c2: is -1, must be finite and >= 0"));
}

TEST_CASE("bad input exits 1 and says where, what and how to mend", "[program]") {
  const TemporaryFolder folder;
  auto train = [&](const std::string& text, const std::string& more = "") {
    spill(folder / "train.txt", text);
    return run("thalweg train " + (folder / "train.txt") + " --model " + (folder / "m") + " " + more);
  };
  check_one_line_error(run("thalweg train /no/such/file --model m"), 1, "/no/such/file");
  check_one_line_error(run("thalweg train " + folder.path() + " --model m"), 1, "directory");
  check_one_line_error(train(""), 1, "there is no sentence");
  check_one_line_error(train("\n \n\n"), 1, "there is no sentence");
  check_one_line_error(train("a X\nb c Y\n"), 1, "train.txt:2: 3 columns, 2 expected");
  check_one_line_error(train("a X\n\xff Y\n"), 1, "train.txt:2");
  check_one_line_error(train(std::string("a X\nb\0c Y\n", 11)), 1, "train.txt:2");
  check_one_line_error(train("a\nb\n"), 1, "train.txt:1: a token has one column");
  spill(folder / "far.tpl", "U:%x[0,0]\nU:%x[0,7]\n");
  check_one_line_error(train("a X\nb Y\n", "--templates " + (folder / "far.tpl")), 1, "far.tpl:2");
  spill(folder / "bad.tpl", "U:%y[0,0]\n");
  check_one_line_error(train("a X\nb Y\n", "--templates " + (folder / "bad.tpl")), 1, "bad.tpl:1");
  CHECK(train("a X\nb X\n").code == 1);
  CHECK_THAT(train("a X\nb X\n").err, ContainsSubstring("every token has the label X"));
  check_one_line_error(train("X\ta:nan\n", "--format attributes"), 1, "train.txt:1");
  check_one_line_error(run("thalweg tag --model " + kNews + "train.txt < /dev/null"), 1, "train.txt");
  check_one_line_error(run("thalweg tag --model /no/model < /dev/null"), 1, "/no/model");
  check_one_line_error(run("thalweg evaluate < /dev/null"), 1, "there is no sentence");
  check_one_line_error(run("echo word | thalweg evaluate"), 1, "one column");
  CHECK(folder.names().count("m") == 0);  // nothing was left behind
}

TEST_CASE("constraints hold from training to tagging", "[program]") {
  const TemporaryFolder folder;
  const std::string m = folder / "m";
  auto train = [&](const std::string& text, const std::string& more) {
    spill(folder / "train.txt", text);
    return run("thalweg train " + (folder / "train.txt") + " --model " + m + " " + more);
  };
  const std::string legal = "a O\nb B-P\nc I-P\n\nd B-P\na O\n\n", broken = legal + "a O\nc I-P\n\n";
  check_one_line_error(train(broken, "--constraints auto"), 1, "train.txt:9: I-P behind O is forbidden");
  const Result skipped = train(broken, "--constraints auto --illegal skip");
  CHECK(skipped.code == 0);
  CHECK_THAT(skipped.err, ContainsSubstring("1 sentence breaks the constraints and was left out"));
  CHECK_THAT(run("thalweg inspect --model " + m).out, ContainsSubstring("2 forbidden transitions: O > I-P"));
  CHECK(json::parse(run("thalweg inspect --json --model " + m).out)["forbidden"] ==
        json::parse(R"([["O", "I-P"], ["<s>", "I-P"]])"));
  spill(folder / "list", "# one\nO I-P\nO B-Q\n");
  check_one_line_error(train(legal, "--constraints " + (folder / "list")), 1, "list:3: 'B-Q' is no label");
  check_one_line_error(train(legal, "--constraints " + (folder / "no")), 1, "no");

  // Sentences start with O and end with another label, so those of one token cannot be labelled.
  spill(folder / "list", "<s> B-P\n<s> I-P\nO </s>\n");
  REQUIRE(train("a O\nb B-P\n\na O\nc I-P\n\n", "--constraints " + (folder / "list")).code == 0);
  spill(folder / "in.txt", "a\nb\n\n# note\na\n\na\nc\n");
  const std::string tag = "thalweg tag " + (folder / "in.txt") + " --model " + m;
  for (const char* more :
       {"", " --nbest 2", " --marginals", " --energy", " --spans", " --pretty", " --threads 3"}) {
    const Result r = run(tag + more);
    CHECK(r.code == 1);
    CHECK_THAT(r.err, ContainsSubstring("in.txt:5: the model's constraints leave no labelling"));
    CHECK_THAT(r.out, !ContainsSubstring("note"));
    CHECK_FALSE(r.out.empty());
  }
  const Result on = run(tag + " --keep-going");
  CHECK(on.code == 1);
  CHECK_THAT(on.err, ContainsSubstring("in.txt:5: the model's constraints leave no labelling"));
  CHECK(on.out == "a O\nb B-P\n\n# note\na\n\na O\nc I-P\n");
  CHECK(run(tag + " --keep-going --threads 3").out == on.out);
  check_one_line_error(run("thalweg explain --sentence 2 --model " + m + " " + (folder / "in.txt")), 1,
                       "in.txt:5");
}

TEST_CASE("partial labels and weights are options of training", "[program]") {
  const TemporaryFolder folder;
  auto train = [&](const std::string& text, const std::string& more) {
    spill(folder / "train.txt", text);
    return run("thalweg train " + (folder / "train.txt") + " --model " + (folder / "m") + " " + more);
  };
  const std::string open = "a X\nb X|Y\nc ?\n\nb Y\na X\n";
  const Result made = train(open, "--partial --json");
  CHECK(made.code == 0);
  CHECK(json::parse(lines(made.out).back())["solver"] == "lbfgs");
  CHECK(json::parse(lines(made.out).back())["labels"] == 2);
  const Result refused = train(open, "--partial --solver eg");
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, ContainsSubstring("not convex"));
  CHECK(train("a X\nb Y|\n", "--partial").code == 1);
  CHECK(train(open, "").code == 0);
  check_one_line_error(train(open, "--partial --folds 2"), 2, "partial: ");
  check_one_line_error(train(open, "--partial --encode bioes"), 2, "partial: ");

  const std::string weighted = "# weight 2\na X\nb Y\n\nb X\n", copied = "a X\nb Y\n\na X\nb Y\n\nb X\n";
  const auto objective = [](const Result& r) {
    return json::parse(lines(r.out).back())["objective"].get<double>();
  };
  const std::string options = " --json --solver lbfgs --lambda 0.1";
  const double by_weight = objective(train(weighted, "--instance-weights" + options));
  CHECK(by_weight == Approx(objective(train(copied, options))).epsilon(1e-4));
  CHECK(by_weight != Approx(objective(train(weighted, options))).epsilon(1e-4));
  spill(folder / "classes", "X 3\n");
  CHECK(train(weighted + "\n" + weighted,
              "--folds 2 --instance-weights --class-weights " + (folder / "classes"))
            .code == 0);
  CHECK_THAT(train("# weight 0\na X\nb Y\n", "--instance-weights").err, ContainsSubstring("train.txt:1: "));
  spill(folder / "classes", "X 3\nZ 2\n");
  CHECK_THAT(train(weighted, "--class-weights " + (folder / "classes")).err,
             ContainsSubstring("classes:2: "));
}

TEST_CASE("a model that cannot be written leaves the old one alone", "[program]") {
  const TemporaryFolder folder;
  const std::string path = folder / "old.model";
  spill(path, "old");
  const std::string train = "thalweg train " + kNews + "dev.txt --iterations 2 --model ";
  Result r = run("ulimit -f 8; trap '' XFSZ; " + train + path);
  CHECK(r.code == 1);
  CHECK_THAT(lines(r.err).back(), ContainsSubstring("old.model"));
  CHECK(slurp(path) == "old");
  CHECK(folder.names() == std::set<std::string>{"old.model"});
  CHECK(run(train + folder.path()).code == 1);
  CHECK(run(train + (folder / "missing/m")).code == 1);
  CHECK(run(train + "/dev/full").code == 1);
  CHECK(run(train + path).code == 0);
  CHECK(run("thalweg inspect --model " + path).code == 0);
}

TEST_CASE("output that cannot be written is an error", "[program]") {
  CHECK(run("thalweg tag --model " + model() + " " + kNews + "test.txt > /dev/full").code == 1);
  CHECK(run("thalweg inspect --json --model " + model() + " > /dev/full").code == 1);
  // A reader that has had enough is none of a tagger's business: no message.
  const Result r = run("thalweg tag --model " + model() + " " + kNews + "test.txt | head -n 1");
  CHECK(lines(r.out).size() == 1);
}

TEST_CASE("training tells machines what it did", "[program]") {
  const TemporaryFolder folder;
  const Result r =
      run("thalweg train " + kNews + "train.txt --dev " + kNews + "dev.txt --json --model " + (folder / "m"));
  REQUIRE(r.code == 0);
  const auto all = lines(r.out);
  REQUIRE(all.size() > 5);
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    const json o = json::parse(all[i]);
    CHECK(o["iteration"] == i + 1);
    // Exponentiated gradient knows its dual after each pass, the objective only where it evaluates it.
    CHECK((o["objective"].is_number() || (o.contains("dual") && o["dual"].is_number())));
    CHECK(o["dev_f1"].get<double>() >= 0);
  }
  const json last = json::parse(all.back());
  CHECK(last["objective"].is_number());
  if (last["solver"] == "eg") {
    for (const char* key : {"primal", "dual", "gap"}) CHECK((last.contains(key) && last[key].is_number()));
  }
  for (const char* key : {"objective", "features", "attributes", "labels", "evaluations", "iterations",
                          "seconds", "cpu_seconds", "peak_bytes", "stopped"}) {
    CHECK(last.contains(key));
  }
  CHECK(last["labels"] == 9);
  CHECK(last["dev_f1"].get<double>() > 75);
  CHECK(last["peak_bytes"].get<long long>() > 1'000'000);
  CHECK(run("thalweg inspect --top 3 --json --model " + (folder / "m") + " | grep -c top_features").out ==
        "1\n");
}

TEST_CASE("the sample corpus is learnt well", "[program]") {
  const TemporaryFolder folder;
  const Result r =
      run("thalweg train " + kNews + "train.txt --dev " + kNews + "dev.txt --model " + (folder / "m") +
          " && thalweg tag " + kNews + "test.txt --model " + (folder / "m") + " | thalweg evaluate --json");
  REQUIRE(r.code == 0);
  const json o = json::parse(r.out);
  CHECK(o["f1"].get<double>() > 75);
  CHECK(o["accuracy"].get<double>() > 93);
  CHECK(o["types"].size() == 4);
  CHECK(o["sentences"] == 80);
}

TEST_CASE("the perceptron trains, and starts another training", "[program]") {
  const TemporaryFolder folder;
  CHECK(run("thalweg train " + kNews + "train.txt --loss perceptron --model " + (folder / "p")).code == 0);
  const Result r = run("thalweg train " + kNews + "train.txt --init " + (folder / "p") +
                       " --iterations 3 --model " + (folder / "m"));
  CHECK(r.code == 0);
  CHECK(run("thalweg train " + kNews + "train.txt --loss perceptron --solver lbfgs --model " + (folder / "p"))
            .code == 2);
}

TEST_CASE("one model for any number of threads, another for another regulariser", "[program]") {
  const TemporaryFolder folder;
  for (const char* threads : {"1", "2", "3"}) {
    REQUIRE(run("thalweg train " + kNews + "train.txt --iterations 8 --threads " + threads + " --model " +
                (folder / threads))
                .code == 0);
  }
  CHECK(slurp(folder / "1") == slurp(folder / "2"));
  CHECK(slurp(folder / "1") == slurp(folder / "3"));
  REQUIRE(run("thalweg train " + kNews + "train.txt --iterations 8 --c2 2 --model " + (folder / "c")).code ==
          0);
  CHECK(slurp(folder / "1") != slurp(folder / "c"));
  // lambda is 2 c2 / n, with n = 320 sentences.
  REQUIRE(run("thalweg train " + kNews + "train.txt --iterations 8 --lambda 0.0125 --model " + (folder / "l"))
              .code == 0);
  CHECK(slurp(folder / "c") == slurp(folder / "l"));
}

TEST_CASE("tagging keeps the input as it was and adds one column", "[program]") {
  const TemporaryFolder folder;
  for (const std::string& input :
       {slurp(kNews + "test.txt"), std::string("one x\n\n\n\ntwo y"), std::string("a\tx\r\nb\ty\r\n\r\n")}) {
    spill(folder / "in", input);
    const Result r = run("thalweg tag --model " + model() + " " + (folder / "in"));
    REQUIRE(r.code == 0);
    // Taking the last column away gives the input back.
    std::string back;
    std::size_t at = 0;
    while (at < r.out.size()) {
      std::size_t end = r.out.find('\n', at);
      const bool newline = end != std::string::npos;
      if (!newline) end = r.out.size();
      std::string line = r.out.substr(at, end - at);
      std::string ending = newline ? "\n" : "";
      if (!line.empty() && line.back() == '\r') line.pop_back(), ending = "\r" + ending;
      const std::size_t cut = line.find_last_of(" \t");
      if (cut != std::string::npos) {
        CHECK((line[cut] == '\t') == (line.find('\t') != std::string::npos));
        line.resize(cut);
      }
      back += line + ending;
      at = end + (newline ? 1 : 0);
    }
    CHECK(back == input);
  }
  // From standard input, named or not, and from gzip, the same.
  const std::string want = run("thalweg tag --model " + model() + " " + kNews + "test.txt").out;
  CHECK(run("thalweg tag --model " + model() + " < " + kNews + "test.txt").out == want);
  CHECK(run("thalweg tag --model " + model() + " - < " + kNews + "test.txt").out == want);
  CHECK(run("gzip -c " + kNews + "test.txt | thalweg tag --model " + model()).out == want);
  CHECK(run("thalweg tag --threads 3 --model " + model() + " " + kNews + "test.txt").out == want);
  CHECK(run("thalweg tag --model " + model() + " < /dev/null").code == 0);
}

TEST_CASE("probabilities, energies and n-best lists agree with one another", "[program]") {
  const std::string words = "printf 'Mara\\nLindqvist\\nleft\\nPort\\nAmery\\n\\nOn\\nFriday\\n'";
  const Result plain = run(words + " | thalweg tag --model " + model());
  const Result full = run(words + " | thalweg tag --marginals --energy --model " + model());
  REQUIRE(full.code == 0);
  const auto rows = lines(full.out), plain_rows = lines(plain.out);
  CHECK(rows[0].rfind("# energy ", 0) == 0);
  CHECK(rows[0].find(" log-probability -") != std::string::npos);
  std::istringstream first(rows[1]);
  std::string word, label;
  double p;
  first >> word >> label >> p;
  CHECK(word + " " + label == plain_rows[0]);
  CHECK((p > 0 && p <= 1));

  const Result best = run(words + " | thalweg tag --nbest 3 --model " + model());
  REQUIRE(best.code == 0);
  double before = -1e300;
  int heads = 0, blanks = 0;
  for (const std::string& row : lines(best.out)) {
    if (row.empty()) ++blanks;
    if (row.rfind("# rank ", 0) != 0) continue;
    std::istringstream head(row);
    std::string hash, rank, energy_word;
    int r;
    double e;
    head >> hash >> rank >> r >> energy_word >> e;
    CHECK(r == heads % 3 + 1);
    if (r > 1) CHECK(e >= before - 1e-5);
    if (r == 1) CHECK(energy_word == "energy");
    before = e, ++heads;
  }
  CHECK(heads == 6);
  CHECK(blanks == 5);  // between all copies, and as the input had it at the end
  CHECK_THAT(best.out, ContainsSubstring(plain_rows[0] + "\n" + plain_rows[1]));
}

TEST_CASE("spans come with their place, text and probability", "[program]") {
  const Result r = run("thalweg tag " + kNews + "test.txt --spans --model " + model());
  REQUIRE(r.code == 0);
  const Result tagged = run("thalweg tag " + kNews + "test.txt --marginals --model " + model());
  // The tokens of every sentence, with their columns.
  std::vector<std::vector<std::vector<std::string>>> sentences(1);
  for (const std::string& line : lines(tagged.out)) {
    if (line.empty()) {
      sentences.emplace_back();
      continue;
    }
    std::istringstream cells(line);
    sentences.back().emplace_back(std::istream_iterator<std::string>(cells),
                                  std::istream_iterator<std::string>());
  }
  std::size_t opened = 0, found = 0;
  for (const auto& sentence : sentences) {
    for (const auto& token : sentence) opened += token[token.size() - 2].starts_with("B-");
  }
  for (const std::string& line : lines(r.out)) {
    const json span = json::parse(line);
    const auto& sentence = sentences.at(span["sentence"].get<std::size_t>() - 1);
    const auto begin = span["begin"].get<std::size_t>(), end = span["end"].get<std::size_t>();
    REQUIRE(begin < end);
    REQUIRE(end <= sentence.size());
    std::string text;
    for (std::size_t t = begin; t < end; ++t) {
      const auto& token = sentence[t];
      text += (t > begin ? " " : "") + token[0];
      const std::string type = span["type"];
      CHECK(token[token.size() - 2] == (t > begin ? "I-" : "B-") + type);
    }
    CHECK(span["text"] == text);
    CHECK(span["probability"] >= 0);
    CHECK(span["probability"] <= 1);
    ++found;
  }
  CHECK(found > 100);
  CHECK(found == opened);
  CHECK(run("thalweg tag " + kNews + "test.txt --spans --threads 3 --model " + model()).out == r.out);
  CHECK(run("thalweg tag " + kNews + "test.txt --spans --nbest 2 --model " + model()).code == 2);
}

TEST_CASE("a bad sentence is passed through when asked to go on", "[program]") {
  const TemporaryFolder folder;
  spill(folder / "in", "Mara x\nLindqvist x\n\nbad\n\nAmery x\n");
  const Result stop = run("thalweg tag --model " + model() + " " + (folder / "in"));
  CHECK(stop.code == 1);
  CHECK_THAT(stop.err, ContainsSubstring("in:4: 1 column"));
  CHECK(lines(stop.out).size() == 3);  // what came before went out
  const Result on = run("thalweg tag --keep-going --model " + model() + " " + (folder / "in"));
  CHECK(on.code == 1);
  CHECK_THAT(on.out, ContainsSubstring("\nbad\n\nAmery x "));
}

TEST_CASE("evaluation follows conlleval and skips what tag puts in between", "[program]") {
  const Result r = run("printf 'a B-X B-X\\nb I-X O\\nc O I-Y\\n\\n# B-X B-X\\n' | thalweg evaluate --json");
  REQUIRE(r.code == 0);
  const json o = json::parse(r.out);
  CHECK(o["tokens"] == 4);
  CHECK(o["gold"] == 2);
  CHECK(o["predicted"] == 3);
  CHECK(o["correct"] == 1);
  const std::string energy =
      run("thalweg tag --energy --model " + model() + " " + kNews + "test.txt | thalweg evaluate --json").out;
  const std::string plain =
      run("thalweg tag --model " + model() + " " + kNews + "test.txt | thalweg evaluate --json").out;
  CHECK(energy == plain);
  // Also where a header happens to have as many columns as the tokens.
  const std::string five =
      "printf 'a p q X\\nb p q Y\\n\\n' > $D/t; thalweg train $D/t --model $D/m 2> /dev/null; thalweg tag "
      "--energy --model $D/m $D/t";
  CHECK(json::parse(run("D=$(mktemp -d); " + five + " | thalweg evaluate --json; rm -r $D").out)["tokens"] ==
        2);
  const json text = json::parse(
      run("printf 'c c\\na o\\nt t\\n\\nd d\\no o\\n' | thalweg evaluate --cer --wer --json").out);
  CHECK(text["cer"].get<double>() == Approx(20));
  CHECK(text["wer"].get<double>() == Approx(50));
}

TEST_CASE("two models are compared on the same sentences", "[program]") {
  const TemporaryFolder folder;
  spill(folder / "a", "w B-X B-X\nw O O\n\nw B-Y B-Y\n");
  spill(folder / "b", "w B-X O\nw O O\n\nw B-Y B-Y\n");
  spill(folder / "short", "w B-X O\nw O O\n");
  const std::string evaluate = "thalweg evaluate " + (folder / "a") + " --against ";
  const json o = json::parse(run(evaluate + (folder / "b") + " --json").out)["against"];
  CHECK(o["of"] == "F1");
  CHECK(o["difference"].get<double>() == Approx(100 - 200.0 / 3));
  CHECK(o["low"] == 0);  // the second sentence twice, in a quarter of the draws
  CHECK(o["not_better"].get<double>() == Approx(25).margin(2));
  CHECK_THAT(run(evaluate + (folder / "b")).out, ContainsSubstring("b: +33.33 points, 95 % of"));
  check_one_line_error(run(evaluate + (folder / "short")), 1, "sentences: 2 against 1");
}

TEST_CASE("transitions that read the input, patterns and word lists, from the command line", "[program]") {
  const TemporaryFolder folder;
  spill(folder / "tpl",
        "U0:%x[0,0]\nU1:%t[0,0,\"^\\u\"]\nB\nB1:%gazetteer[0,0,towns]\nU2:%gazetteer[0,0,towns]\n");
  spill(folder / "towns", "Old Dunmere Head\nTolbeck\n");
  const std::string train = "thalweg train " + kNews + "train.txt --iterations 10 --templates " +
                            (folder / "tpl") + " --model " + (folder / "m");
  check_one_line_error(run(train + " 2>&1 >&2 | tail -1 >&2"), 1, "--gazetteer towns=FILE");
  REQUIRE(run(train + " --gazetteer-lower towns=" + (folder / "towns")).code == 0);
  const Result tagged = run("rm " + (folder / "towns") +
                            "; printf 'in\nold\ndunmere\nhead\n' | thalweg tag --model " + (folder / "m"));
  REQUIRE(tagged.code == 0);
  CHECK(lines(tagged.out).size() == 4);
  const json shown = json::parse(run("thalweg inspect --json --model " + (folder / "m")).out);
  REQUIRE(shown["top_pairs"].size() > 0);
  CHECK_THAT(shown["top_pairs"][0]["attribute"].get<std::string>(), ContainsSubstring("B1:"));
  CHECK_THAT(shown["top_pairs"][0]["labels"].get<std::string>(), ContainsSubstring(" > "));
  CHECK(run(train + " --gazetteer towns").code == 2);
  CHECK(run(train + " --gazetteer towns=" + (folder / "nowhere")).code == 1);
}

TEST_CASE("vectors go with the tokens of every file, from the command line", "[program]") {
  const TemporaryFolder folder;
  std::string rows, vectors;
  for (int n = 0; n < 40; ++n) {
    for (int t = 0; t < 3; ++t) {
      const bool x = (n * 7 + t * 5) % 3 == 0;
      rows += x ? "word X\n" : "word Y\n", vectors += x ? "1 0.5\n" : "-1 0.5\n";
    }
    rows += "\n";
  }
  spill(folder / "in", rows), spill(folder / "v", vectors), spill(folder / "short", "1 0.5\n");
  spill(folder / "wide", "1 2 3\n"), spill(folder / "nan", "nan 1\n");
  const std::string m = " --model " + (folder / "m"), in = folder / "in", v = " --vectors " + (folder / "v");
  const std::string train = "thalweg train " + in + m + " 2> /dev/null";
  REQUIRE(run(train + v + " --dev " + in + " --dev-vectors " + (folder / "v")).code == 0);
  const Result tagged = run("thalweg tag " + in + m + v + " | thalweg evaluate --json");
  REQUIRE(tagged.code == 0);
  CHECK(json::parse(tagged.out)["accuracy"].get<double>() == Approx(100));
  CHECK(run("thalweg tag --threads 3 " + in + m + v).out == run("thalweg tag " + in + m + v).out);
  CHECK_THAT(run("thalweg inspect" + m).out, ContainsSubstring("2 numbers a token, 4 weights"));

  check_one_line_error(run("thalweg tag " + in + m), 2, "the model reads 2 numbers a token");
  check_one_line_error(run("thalweg tag " + in + m + " --vectors " + (folder / "wide")), 1,
                       "3 numbers a row");
  check_one_line_error(run("thalweg tag " + in + m + " --vectors " + (folder / "nan")), 1, "nan:1: 'nan'");
  const Result cut = run("thalweg tag " + in + m + " --vectors " + (folder / "short"));
  CHECK(cut.code == 1);
  CHECK_THAT(cut.err, ContainsSubstring("short: it has 1 rows, and there are more tokens"));
  const Result rest = run("printf 'word\\n' | thalweg tag" + m + v);
  CHECK(rest.code == 1);
  CHECK_THAT(rest.err, ContainsSubstring("more rows than the 1 tokens"));
  check_one_line_error(run("thalweg train " + in + m + v + " --dev " + in), 2, "dev-vectors");
  check_one_line_error(run("thalweg tag " + in + " --model " + model() + v), 2, "trained without");
}
