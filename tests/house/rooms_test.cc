// The rooms of the library and what each may include: the architecture, as far as a machine can hold it.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.h"

namespace {

using Names = std::set<std::string>;

// From the bottom up. An arrow leads to a room above it in this list, arrows are followed through, and every
// room includes itself and `core`.
struct Room {
  std::string name;
  Names arrows;
};
const std::vector<Room> kRooms = {
    {"core", {}},
    {"energy", {}},
    {"inference", {"energy"}},
    {"corpus", {}},
    {"features", {"corpus"}},
    {"optimization", {}},
    {"evaluation", {"corpus"}},
    {"representation", {"optimization"}},
    {"model", {"representation", "features", "energy"}},
    {"language", {"inference", "energy"}},
    {"handwriting", {"language", "inference", "energy"}},
    {"learning", {"model", "inference", "optimization", "evaluation", "energy", "corpus"}},
    {"io", {"model", "learning", "optimization", "features", "corpus", "language", "handwriting", "energy"}},
    {"pipeline", {"io"}},  // and so everything
};

// Room -> rooms it may include. Fails where an arrow does not lead downwards.
std::map<std::string, Names> reachable() {
  std::map<std::string, Names> reach;
  for (const auto& [name, arrows] : kRooms) {
    Names& rooms = reach[name];
    rooms = {name, "core"};
    for (const std::string& arrow : arrows) {
      REQUIRE(arrow != name);
      REQUIRE(reach.count(arrow) == 1);
      rooms.insert(reach[arrow].begin(), reach[arrow].end());
    }
  }
  return reach;
}

// One `#include`, quoted or in angle brackets.
struct Include {
  std::string name;
  bool quoted;
};

std::vector<Include> includes_of(const std::string& text) {
  std::vector<Include> includes;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::erase_if(line, [](char c) { return c == ' ' || c == '\t'; });
    const std::string start = "#include";
    if (!line.starts_with(start + '"') && !line.starts_with(start + '<')) continue;
    const std::string name = line.substr(start.size() + 1);
    includes.push_back({name.substr(0, name.find_first_of("\">")), line[start.size()] == '"'});
  }
  return includes;
}

std::string first_folder(const std::string& path) { return path.substr(0, path.find('/')); }

// "thalweg/core/types.h" and lib's own "core/vec.inl" are in the room core.
std::string room_of(const std::string& path) {
  const std::string ours = "thalweg/";
  return first_folder(path.starts_with(ours) ? path.substr(ours.size()) : path);
}

// @param path  below include/ or lib/
// @return one line for each include that the rules forbid
std::vector<std::string> violations(const std::string& path, const std::string& text) {
  const auto reach = reachable();
  const std::string room = room_of(path);
  if (reach.count(room) == 0) return {path + ": no such room as " + room};
  const bool is_public = first_folder(path) == "thalweg";
  const bool is_parallel = path == "core/parallel.cc";
  std::vector<std::string> found;
  auto forbid = [&](const Include& include, const std::string& why) {
    found.push_back(path + " includes " + include.name + ": " + why);
  };
  for (const Include& include : includes_of(text)) {
    const std::string target = room_of(include.name);
    const std::string folder = first_folder(include.name);
    if (include.quoted && reach.at(room).count(target) == 0) forbid(include, room + " may not use " + target);
    if (include.quoted && is_public && folder != "thalweg") forbid(include, "it is not installed");
    if (!include.quoted && is_public && include.name.find_first_of("./") != std::string::npos) {
      forbid(include, "a public header needs the standard library alone");
    }
    if (!include.quoted && !is_parallel && Names{"tbb", "oneapi", "thread", "future"}.count(folder) != 0) {
      forbid(include, "only core/parallel starts threads");
    }
    if (!include.quoted && include.name == "iostream") forbid(include, "the library is silent");
  }
  return found;
}

}  // namespace

TEST_CASE("no room includes upwards", "[house]") {
  namespace fs = std::filesystem;
  int files = 0;
  for (const char* top : {"include", "lib"}) {
    const fs::path root = fs::path(THALWEG_SOURCE_DIR) / top;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (!Names{".h", ".cc", ".inl"}.count(entry.path().extension().string())) continue;
      std::ifstream file(entry.path());
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      for (const std::string& line : violations(fs::relative(entry.path(), root).generic_string(), text)) {
        FAIL_CHECK(line);
      }
      ++files;
    }
  }
  CHECK(files > 50);
}

TEST_CASE("the rules about includes catch who breaks them", "[house]") {
  auto count = [](const std::string& path, const std::string& text) { return violations(path, text).size(); };
  CHECK(count("thalweg/energy/chain.h", "#include \"thalweg/core/types.h\"\n#include <vector>\n") == 0);
  CHECK(count("io/x.cc", "#include \"thalweg/optimization/lbfgs.h\"\n#include <sys/stat.h>\n") == 0);
  CHECK(count("learning/x.cc", "#include \"thalweg/representation/encoder.h\"\n") == 0);  // through model

  CHECK(count("thalweg/core/types.h", "#pragma once\n  # include  \"thalweg/energy/chain.h\"\n") == 1);
  CHECK(count("corpus/x.cc", "#include \"inference/chain_kernels.h\"") == 1);
  CHECK(count("learning/x.cc", "#include \"thalweg/io/model_file.h\"") == 1);
  CHECK(count("evaluation/x.cc", "#include \"thalweg/features/dataset.h\"") == 1);
  CHECK(count("attic/x.cc", "") == 1);
  CHECK(count("model/x.cc", "#include \"thalweg/attic/x.h\"") == 1);
  CHECK(count("thalweg/model/x.h", "#include \"model/sparse_kernels.h\"") == 1);
  CHECK(count("thalweg/io/x.h", "#include <zlib.h>") == 1);
  CHECK(count("learning/x.cc", "#include <tbb/parallel_for.h>\n#include <iostream>\n") == 2);
}
