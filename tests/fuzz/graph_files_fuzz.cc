// Any bytes as a factor graph and as evidence: a graph whose energies are energies, or an InputError.
#include <cstdint>
#include <string_view>

#include "thalweg/core/error.h"
#include "thalweg/io/graph_files.h"

using namespace thalweg;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const OwnedFactorGraph graph = read_graph(TextReader::of_memory(text, "fuzz"), 1 << 16);
    check(graph.view());
  } catch (const Error&) {
  }
  try {
    read_uai_evidence(TextReader::of_memory(text, "fuzz"));
  } catch (const Error&) {
  }
  return 0;
}
