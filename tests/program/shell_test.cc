// What makes the program at home in a shell: models as text, completions, the manual page.

#include "program/tools.h"

namespace {

// What bash offers for the words typed so far, the last of them unfinished.
std::vector<std::string> bash_offers(const std::string& words) {
  const Result r =
      run("eval \"$(thalweg completion bash)\"\nCOMP_WORDS=(" + words +
          ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_thalweg\nprintf '%s\\n' \"${COMPREPLY[@]}\"");
  CHECK(r.code == 0);
  CHECK(r.err.empty());
  auto offers = lines(r.out);
  std::erase(offers, "");
  return offers;
}

using Words = std::vector<std::string>;

bool present(const char* program) { return run(std::string("command -v ") + program).code == 0; }

}  // namespace

TEST_CASE("dump and load give the model back byte for byte", "[program][model_text]") {
  const TemporaryFolder folder;
  const std::string text = folder / "m.txt", back = folder / "m.model";
  REQUIRE(run("thalweg dump --model " + model() + " " + text).code == 0);
  CHECK(run("thalweg dump --model " + model()).out == slurp(text));
  REQUIRE(run("thalweg load " + text + " --model " + back).code == 0);
  CHECK(slurp(back) == slurp(model()));
  CHECK(run("gzip -c " + text + " | thalweg load - --model " + back).code == 0);
  CHECK(slurp(back) == slurp(model()));
  // One weight a line, its columns parted by tabs.
  const json told = json::parse(run("thalweg inspect --json --model " + model()).out);
  CHECK(run("awk -F'\\t' 'NF == 3' " + text + " | wc -l").out ==
        std::to_string(told["features"].get<int>()) + "\n");
}

TEST_CASE("a text that is no model leaves the old one alone", "[program][model_text]") {
  const TemporaryFolder folder;
  spill(folder / "old.model", "old");
  const std::string load = "thalweg load " + (folder / "m.txt") + " --model " + (folder / "old.model");
  spill(folder / "m.txt", "thalweg model text 1\n[boundary]\nperhaps\n");
  check_one_line_error(run(load), 1, "m.txt:3: the boundary");
  check_one_line_error(
      run("thalweg dump --model " + model() + " | head -n 40 > " + (folder / "m.txt") + "\n" + load), 1,
      "m.txt:40: the text ends before");
  CHECK(slurp(folder / "old.model") == "old");
  CHECK(folder.names() == std::set<std::string>{"m.txt", "old.model"});
  CHECK(run("thalweg dump --model " + model() + " " + folder.path()).code == 1);
  CHECK(run("thalweg dump --model " + model() + " > /dev/full").code == 1);
}

TEST_CASE("bash completes commands, options and values", "[program][completion]") {
  CHECK(run("thalweg completion bash | bash -n").code == 0);
  CHECK(bash_offers("thalweg ev") == Words{"evaluate"});
  CHECK(bash_offers("thalweg ex") == Words{"explain"});
  CHECK(bash_offers("thalweg explain --sen") == Words{"--sentence"});
  CHECK(bash_offers("thalweg evaluate --scheme bio") == Words{"bio", "bioes"});
  CHECK(bash_offers("thalweg evaluate --scheme = bioe") == Words{"bioes"});
  CHECK(bash_offers("thalweg evaluate --scheme =").size() == 4);
  CHECK(bash_offers("thalweg tag --marginals --en") == Words{"--energy"});  // a flag takes no value
  CHECK(bash_offers("thalweg completion z") == Words{"zsh"});
  CHECK(bash_offers("thalweg tag --model some").empty());  // a file: bash's own
  CHECK(bash_offers("thalweg tag some").empty());
  // Every option of every command is there.
  for (const std::string& option : bash_offers("thalweg train --"))
    CHECK_THAT(run("thalweg train --help").out, ContainsSubstring(option));
  CHECK(bash_offers("thalweg train --").size() > 10);
}

TEST_CASE("zsh and fish can read their completions, where installed", "[program][completion]") {
  CHECK_THAT(run("thalweg completion zsh").out, ContainsSubstring("#compdef thalweg"));
  CHECK_THAT(run("thalweg completion fish").out, ContainsSubstring("-l model"));
  if (present("zsh")) CHECK(run("thalweg completion zsh | zsh -n").code == 0);
  if (present("fish")) {
    CHECK(run("thalweg completion fish | fish -n").code == 0);
    const TemporaryFolder folder;
    const std::string script = folder / "t.fish";
    CHECK_THAT(run("thalweg completion fish > " + script + "; fish -c \"source " + script +
                   "; complete -C 'thalweg evaluate --scheme bioe'\"")
                   .out,
               ContainsSubstring("bioes"));
  }
  check_one_line_error(run("thalweg completion tcsh"), 2, "tcsh");
}

TEST_CASE("the manual page has all commands and options", "[program][completion]") {
  const Result page = run("thalweg man");
  CHECK(page.code == 0);
  CHECK(page.out.rfind(".TH THALWEG 1", 0) == 0);
  for (const char* command : {"train", "tag", "evaluate", "explain", "inspect", "dump", "load", "completion"})
    CHECK_THAT(page.out, ContainsSubstring(std::string(".SS thalweg ") + command));
  CHECK_THAT(page.out, ContainsSubstring("\\fB\\-\\-sentence\\fR"));
  CHECK_THAT(page.out, ContainsSubstring("\\fB\\-\\-marginals\\fR\n"));
  if (!present("groff")) return;
  const Result set = run("thalweg man | groff -man -ww -Tutf8 -P-c");
  CHECK(set.code == 0);
  CHECK(set.err.empty());
  CHECK_THAT(set.out, ContainsSubstring("awk -F'\\t' 'NF < 3"));  // nothing was lost on the way
}
