// Trainings that are interrupted, killed, and taken up again.

#include <fcntl.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "program/tools.h"
#include "support/child_process.h"
#include "support/sanitized.h"
#include "support/small_corpus.h"
#include "thalweg/core/random.h"
#include "thalweg/io/checkpoint_file.h"
#include "thalweg/io/model_file.h"

namespace fs = std::filesystem;
using thalweg::testing::random_corpus;
using thalweg::testing::start_child;
using thalweg::testing::wait_for;

namespace {

void write_corpus(const std::string& path, std::uint64_t seed, thalweg::Index sentences) {
  std::string text;
  const thalweg::Corpus corpus = random_corpus(seed, sentences);
  for (thalweg::Index n = 0; n < corpus.size(); ++n) {
    for (thalweg::Index t = 0; t < corpus[n].size(); ++t)
      text.append(corpus[n].cell(t, 0)).append(" ").append(corpus[n].cell(t, 1)).append("\n");
    text += "\n";
  }
  spill(path, text);
}

// The program with these arguments, silent, as a process that can be sent signals.
pid_t start(std::vector<std::string> arguments, const std::string& err = "/dev/null") {
  arguments.insert(arguments.begin(), THALWEG_PROGRAM);
  return start_child([&] {
    const int out = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(out, STDOUT_FILENO), ::dup2(out, STDERR_FILENO);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    return 98;
  });
}

template <class Condition>
bool wait_until(Condition condition) {
  for (int i = 0; i < 5000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  return condition();
}

void pause_up_to(thalweg::Rng& rng, std::uint64_t microseconds) {
  std::this_thread::sleep_for(std::chrono::microseconds(rng.below(microseconds)));
}

}  // namespace

TEST_CASE("Ctrl-C leaves a checkpoint, from which --resume makes the same model", "[program][resume]") {
  const std::vector<std::string> solvers{"--solver lbfgs --c2 0.01", "--c1 0.1",
                                         "--solver eg --c2 0.001 --gap 0", "--loss perceptron",
                                         "--loss perceptron --solver pa"};
  for (std::size_t s = 0; s < solvers.size(); s += thalweg::testing::kSanitized ? 3 : 1) {
    CAPTURE(solvers[s]);
    const TemporaryFolder folder;
    const std::string train = folder / "train", model = folder / "m", checkpoint = folder / "m.checkpoint";
    write_corpus(train, 1, 2000), write_corpus(folder / "dev", 2, 50);
    const std::string command =
        train + " --dev " + (folder / "dev") + " --patience 1000 --iterations 60 " + solvers[s] + " --model ";
    REQUIRE(run("thalweg train " + command + (folder / "whole")).code == 0);

    std::istringstream words(command + model + " --checkpoint-every 0 --threads 2");
    std::vector<std::string> arguments{"train"};
    for (std::string word; words >> word;) arguments.push_back(word);
    const pid_t child = start(arguments, folder / "err");
    REQUIRE(wait_until([&] { return fs::exists(checkpoint); }));
    ::kill(child, s % 2 ? SIGTERM : SIGINT);
    REQUIRE(wait_for(child) == (s % 2 ? 128 + SIGTERM : 128 + SIGINT));
    CHECK_THAT(slurp(folder / "err"), ContainsSubstring("the same command with --resume goes on from here"));
    REQUIRE(fs::exists(checkpoint));
    CHECK(run("thalweg inspect --model " + model).code == 0);  // what has been learnt can be used
    CHECK(slurp(model) != slurp(folder / "whole"));

    check_one_line_error(run("thalweg train " + command + model +
                             " --resume --seed 7 2>&1 >/dev/null | tail -n 1 >&2; "
                             "exit ${PIPESTATUS[0]}"),
                         2, "resume: the checkpoint is of a training with");
    const Result resumed = run("thalweg train " + command + model + " --resume");
    CHECK(resumed.code == 0);
    CHECK_THAT(resumed.err, ContainsSubstring("going on after iteration"));
    CHECK(slurp(model) == slurp(folder / "whole"));
    CHECK(folder.names() == std::set<std::string>{"dev", "err", "m", "train", "whole"});
  }
}

TEST_CASE("checkpoints are where they are wanted, and what is none is refused", "[program][resume]") {
  const TemporaryFolder folder;
  write_corpus(folder / "train", 1, 50);
  const std::string command =
      "thalweg train " + (folder / "train") + " --iterations 5 --model " + (folder / "m");
  const Result none = run(command + " --resume");
  CHECK(none.code == 0);
  CHECK_THAT(none.err, ContainsSubstring("there is no checkpoint; training begins at the start"));
  spill(folder / "m.checkpoint", "not one");
  const Result damaged = run(command + " --resume");
  CHECK(damaged.code == 1);
  CHECK_THAT(damaged.err, ContainsSubstring("m.checkpoint") && ContainsSubstring("leave --resume out"));
  const Result over = run(command);
  CHECK(over.code == 0);
  CHECK_THAT(over.err, ContainsSubstring("--resume goes on from it"));
  CHECK(folder.names() == std::set<std::string>{"m", "train"});
  check_one_line_error(run(command + " --checkpoint " + folder.path() + "/no/folder"), 1, "no/folder");
  check_one_line_error(run(command + " --checkpoint-every -1"), 2, "checkpoint-every");
  check_one_line_error(run("thalweg train " + (folder / "train") + " --model /dev/null --resume"), 2,
                       "--checkpoint");
  CHECK(run("thalweg train " + (folder / "train") + " --iterations 2 --model /dev/null").code == 0);
  CHECK(folder.names() == std::set<std::string>{"m", "train"});
}

TEST_CASE("killed 200 times while training and saving, there is always a model and a way on",
          "[program][resume]") {
  const TemporaryFolder folder;
  const std::string model = folder / "m", checkpoint = folder / "m.checkpoint";
  write_corpus(folder / "train", 1, 60);
  const std::string command =
      "thalweg train " + (folder / "train") + " --solver lbfgs --c2 0.01 --iterations 30 --model ";
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(run(command + (folder / "whole") + " --checkpoint-every 0").code == 0);
  const auto takes =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
  REQUIRE(run("thalweg train " + (folder / "train") + " --loss perceptron --iterations 1 --model " + model)
              .code == 0);
  const std::uint64_t most = std::min<std::uint64_t>(100000, static_cast<std::uint64_t>(takes.count()));
  thalweg::Rng rng(9);
  int finished = 0, unfinished = 0;
  for (int round = 0; round < 200; ++round) {
    const pid_t child = start({"train", folder / "train", "--solver", "lbfgs", "--c2", "0.01", "--iterations",
                               "30", "--model", model, "--checkpoint-every", "0", "--resume"});
    pause_up_to(rng, most);
    ::kill(child, SIGKILL);
    finished += wait_for(child) == 0;
    CHECK_NOTHROW(thalweg::load_model(model));
    if (fs::exists(checkpoint)) {
      ++unfinished;
      const thalweg::TrainState state = thalweg::load_checkpoint(checkpoint);
      CHECK((state.iterations >= 1 && state.iterations <= 30));
    }
    CHECK(folder.names().size() <= 6);  // a temporary beside each of the two at most
  }
  CHECK(unfinished > 20);  // else nobody was killed while training
  CHECK(finished < 180);
  CHECK(run(command + model + " --resume").code == 0);
  CHECK(slurp(model) == slurp(folder / "whole"));
  CHECK(folder.names() == std::set<std::string>{"m", "train", "whole"});
}
