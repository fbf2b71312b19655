// Template files: whatever the text, only thalweg::Error comes out; what parses reads back from its own text
// and expands over sentences of 0, 1 and 3 tokens.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "thalweg/core/error.h"
#include "thalweg/features/featurizer.h"

using namespace thalweg;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

Corpus sentences() {
  Corpus corpus;
  corpus.add({});
  corpus.add({{"", "é"}});
  corpus.add({{"The", "DT", "x"},
              {"McDonald's-97", "NN\xFF", "y"},
              {"a word of more than sixteen bytes", "Ω€", "z"}});
  return corpus;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Corpus corpus = sentences();
  try {
    const TemplateSet set = TemplateSet::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
    require(TemplateSet::parse(set.text(), "text").text() == set.text());
    for (const Boundary boundary : {Boundary::Marks, Boundary::None}) {
      const Featurizer featurizer(set, boundary);
      AttributeBuffer buffer;
      for (Index n = 0; n < corpus.size(); ++n) {
        featurizer.attributes(corpus[n], buffer);
        require(buffer.size() == corpus[n].size());
        for (const std::string_view name : buffer.all_names()) require(!name.empty());
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
