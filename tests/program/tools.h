/// @file
/// The program as its users meet it: commands in, lines and exit codes out.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/temporary_folder.h"

using nlohmann::json;
using thalweg::testing::TemporaryFolder;

const std::string kNews = std::string(THALWEG_SOURCE_DIR) + "/data/river-news/";

struct Result {
  int code;
  std::string out, err;
};

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void spill(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

/// Runs in the shell; `thalweg` stands for the program.
inline Result run(const std::string& command) {
  const TemporaryFolder folder;
  const std::string script = "thalweg() { \"" THALWEG_PROGRAM "\" \"$@\"; }\nset -o pipefail\n" + command;
  spill(folder / "script", script);
  const int status = std::system(
      ("bash '" + (folder / "script") + "' > '" + (folder / "out") + "' 2> '" + (folder / "err") + "'")
          .c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(folder / "out"),
          slurp(folder / "err")};
}

/// One folder with a trained model for all cases.
inline const std::string& model() {
  static const TemporaryFolder folder;
  static const std::string path = folder / "news.model";
  static const Result made = run("thalweg train " + kNews + "train.txt --iterations 25 --model " + path);
  REQUIRE(made.code == 0);
  return path;
}

inline void check_one_line_error(const Result& r, int code, const std::string& says) {
  CHECK(r.code == code);
  CHECK(r.out.empty());
  CHECK(lines(r.err).size() == 1);
  CHECK_THAT(r.err, ContainsSubstring("thalweg: "));
  CHECK_THAT(r.err, ContainsSubstring(says));
}
