// What lies at the top of the repository is settled, so that nobody has to search there.

#include <cstdio>
#include <set>
#include <string>

#include "support/catch.h"

TEST_CASE("the top level holds what it should", "[house]") {
  const std::string list = "git -c safe.directory='*' -C '" THALWEG_SOURCE_DIR
                           "' ls-files --cached --others --exclude-standard 2>/dev/null";
  std::FILE* output = ::popen(list.c_str(), "r");
  REQUIRE(output != nullptr);
  std::set<std::string> found;
  std::string path;
  for (int c; (c = std::fgetc(output)) != EOF;) {
    if (c != '\n') {
      path += static_cast<char>(c);
    } else {
      if (path[0] != '.') found.insert(path.substr(0, path.find('/')));
      path.clear();
    }
  }
  if (::pclose(output) != 0) {
    WARN("not a git checkout: nothing to look at");
    return;
  }
  CHECK(found == std::set<std::string>{"CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "apps",
                                       "benchmarks", "data", "include", "lib", "tests"});
}
