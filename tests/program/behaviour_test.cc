// How the program behaves as a member of pipelines and scripts, and where it cannot write or read.

#include <sys/stat.h>

#include "program/tools.h"

namespace {

const std::vector<std::string> kCommands{"train", "tag",  "evaluate",   "explain", "inspect",
                                         "dump",  "load", "completion", "man"};

}  // namespace

TEST_CASE("every command has its help, long or short, wherever it stands", "[program][behaviour]") {
  for (const std::string& command : kCommands) {
    INFO(command);
    const Result plain = run("thalweg " + command + " --help");
    CHECK(plain.code == 0);
    CHECK(plain.err.empty());
    CHECK(run("thalweg " + command + " -h").out == plain.out);
    check_one_line_error(run("thalweg " + command + " --help > /dev/full"), 1, "standard output");
    check_one_line_error(run("thalweg " + command + " --no-such-option"), 2, "--no-such-option");
  }
}

TEST_CASE("what was meant is guessed", "[program][behaviour]") {
  const std::vector<std::pair<std::string, std::string>> guesses{
      {"trian x", "did you mean train?"},
      {"tagg x", "did you mean tag?"},
      {"evalute", "did you mean evaluate?"},
      {"explian x", "did you mean explain?"},
      {"insepct", "did you mean inspect?"},
      {"dmup", "did you mean dump?"},
      {"laod", "did you mean load?"},
      {"tag --modle=m", "did you mean --model?"},
      {"tag --marginal --model m", "did you mean --marginals?"},
      {"train x --model m --iteration 3", "did you mean --iterations?"},
      {"train x --model m --solvr eg", "did you mean --solver?"},
      {"evaluate --jsn", "did you mean --json?"}};
  for (const auto& [typed, guess] : guesses) {
    INFO(typed);
    check_one_line_error(run("thalweg " + typed + " < /dev/null"), 2, guess);
  }
  // Nothing near: no guess.
  CHECK(run("thalweg quux").err.find("did you mean") == std::string::npos);
}

TEST_CASE("numbers that are none, or out of range, are wrong usage", "[program][behaviour]") {
  const TemporaryFolder folder;
  const std::string train = "thalweg train " + kNews + "dev.txt --model " + (folder / "never") + " ";
  for (const char* option :
       {"--c2 nan", "--c2 inf", "--c2 -1e-9", "--c2 1,5", "--c2 1x", "--c1 nan", "--c1 -inf", "--gap nan",
        "--gap -1", "--threads 0", "--threads -1", "--threads 1.5", "--iterations -1", "--iterations 1e3",
        "--min-count 0", "--hash-bits -1", "--hash-bits 99", "--memory 0", "--patience 0"}) {
    INFO(option);
    const Result r = run(train + option);
    CHECK(r.code == 2);
    CHECK(r.out.empty());
    CHECK_FALSE(r.err.empty());
  }
  CHECK(folder.names().empty());
}

TEST_CASE("a dash is standard input wherever a text is read", "[program][behaviour]") {
  const TemporaryFolder folder;
  const std::string train =
      "thalweg train - --iterations 3 --model " + (folder / "m") + " < " + kNews + "dev.txt";
  REQUIRE(run(train).code == 0);
  REQUIRE(run("thalweg train " + kNews + "dev.txt --iterations 3 --model " + (folder / "n")).code == 0);
  CHECK(slurp(folder / "m") == slurp(folder / "n"));
  const std::string tagged = run("thalweg tag - --model " + (folder / "m") + " < " + kNews + "test.txt").out;
  spill(folder / "tagged", tagged);
  CHECK(run("thalweg evaluate - < " + (folder / "tagged")).out ==
        run("thalweg evaluate " + (folder / "tagged")).out);
  CHECK(run("thalweg explain - --sentence 2 --model " + (folder / "m") + " < " + kNews + "test.txt").out ==
        run("thalweg explain " + kNews + "test.txt --sentence 2 --model " + (folder / "m")).out);
  const Result again =
      run("thalweg dump --model " + (folder / "m") + " | thalweg load - --model " + (folder / "o"));
  REQUIRE(again.code == 0);
  CHECK(slurp(folder / "o") == slurp(folder / "m"));
  // An error names it.
  CHECK_THAT(run("printf 'a X\\nb c Y\\n' | thalweg train - --model " + (folder / "p")).err,
             ContainsSubstring("standard input:2: 3 columns"));
}

TEST_CASE("a reader that has had enough ends the writer, quietly", "[program][behaviour]") {
  const TemporaryFolder folder;
  for (int i = 0; i < 40; ++i) run("cat " + kNews + "test.txt >> " + (folder / "long"));
  for (const std::string& command :
       {"tag " + (folder / "long") + " --model " + model(),
        "tag - --marginals --model " + model() + " < " + (folder / "long"), "dump --model " + model(),
        "inspect --top 100000 --model " + model(), std::string("man")}) {
    INFO(command);
    const Result r = run("thalweg " + command + " | head -n 1; echo ${PIPESTATUS[1]}");
    CHECK(lines(r.out).size() == 2);
    CHECK(r.err.empty());
  }
}

TEST_CASE("a full disk is an error of every command that writes", "[program][behaviour]") {
  const TemporaryFolder folder;
  spill(folder / "tagged", run("thalweg tag " + kNews + "test.txt --model " + model()).out);
  for (const std::string& command :
       {"tag " + kNews + "test.txt --model " + model(),
        "tag --spans " + kNews + "test.txt --model " + model(), "evaluate " + (folder / "tagged"),
        "evaluate --json " + (folder / "tagged"),
        "explain " + kNews + "test.txt --sentence 1 --model " + model(), "inspect --model " + model(),
        "dump --model " + model(), std::string("completion bash"), std::string("man")}) {
    INFO(command);
    const Result r = run("thalweg " + command + " > /dev/full");
    CHECK(r.code == 1);
    CHECK(lines(r.err).size() == 1);
    CHECK_THAT(r.err, ContainsSubstring("thalweg: "));
  }
}

TEST_CASE("where no model can be written the old one stays, and nothing else",
          "[program][behaviour][files]") {
  const TemporaryFolder folder;
  const std::string old = folder / "old.model";
  REQUIRE(run("thalweg train " + kNews + "dev.txt --iterations 1 --model " + old).code == 0);
  const std::string before = slurp(old);
  run("thalweg dump --model " + model() + " > " + (folder / "text"));
  run("mkdir " + (folder / "closed") + " " + (folder / "folder") + "; cp " + old + " " +
      (folder / "closed/m") + "; chmod 500 " + (folder / "closed") + "; chmod 711 " + folder.path());
  const std::set<std::string> names = folder.names();

  // As somebody for whom permissions count: root is made nobody, where there is setpriv.
  const bool root = ::getuid() == 0;
  const std::string nobody = root ? "setpriv --reuid 65534 --clear-groups --bounding-set=-all " : "";
  const bool can_be_nobody =
      run(nobody + "true").code == 0 && run(nobody + "\"" THALWEG_PROGRAM "\" --version").code == 0;
  const std::string limited = "ulimit -f 1; trap '' XFSZ; ";

  for (const std::string& writes :
       {"train " + kNews + "dev.txt --iterations 2", "load " + (folder / "text")}) {
    const std::string program = "thalweg " + writes + " --model ";
    const auto fails = [&](const std::string& command, const std::string& says) {
      INFO(command);
      const Result r = run(command);
      CHECK(r.code == 1);
      REQUIRE_FALSE(r.err.empty());
      CHECK_THAT(lines(r.err).back(), ContainsSubstring("thalweg: "));
      CHECK_THAT(lines(r.err).back(), ContainsSubstring(says));
      CHECK(slurp(old) == before);
      CHECK(folder.names() == names);
    };
    fails(limited + program + old, "old.model");  // no more than a block may be written
    fails(program + "/dev/full", "/dev/full");
    fails(program + (folder / "folder"), "folder");
    fails(program + (folder / "nowhere/m"), "nowhere");
    fails(program + (old + "/m"), "old.model/m");  // a file as a folder
    if (can_be_nobody && root) {
      const std::string as_nobody = nobody + "\"" THALWEG_PROGRAM "\" " + writes + " --model ";
      run("chmod 444 " + old + "; chmod 755 " + folder.path() + "; chmod 644 " + (folder / "text"));
      fails(as_nobody + (folder / "closed/m"), "closed/m");
      fails(as_nobody + (folder / "new"), "new");
    } else {
      WARN("no way to become nobody: permissions not tried");
    }
  }
  run("chmod 700 " + (folder / "closed"));
}

TEST_CASE("what cannot be read is named", "[program][behaviour][files]") {
  const TemporaryFolder folder;
  spill(folder / "text", "a X\nb Y\n");
  for (const std::string& path :
       {folder / "nothing", folder.path(), folder / "text/below", std::string("/dev/null")}) {
    INFO(path);
    check_one_line_error(run("thalweg train " + path + " --model " + (folder / "m")), 1, path);
    check_one_line_error(run("thalweg tag --model " + path + " < /dev/null"), 1, path);
    check_one_line_error(run("thalweg inspect --model " + path), 1, path);
    check_one_line_error(run("thalweg dump --model " + path), 1, path);
    check_one_line_error(run("thalweg load " + path + " --model " + (folder / "m")), 1, path);
  }
  CHECK(folder.names() == std::set<std::string>{"text"});
}
