/// @file
/// Models as text. Only an Error may come out; a text that is read must come back as the same bytes and tag.

#include <cstdlib>

#include "thalweg/core/error.h"
#include "thalweg/io/model_file.h"
#include "thalweg/io/model_text.h"
#include "thalweg/pipeline/tagger.h"

using namespace thalweg;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Model model = read_model_text(TextReader::of_memory(text, "fuzz"));
    const Model again = read_model_text(TextReader::of_memory(model_text(model), "again"));
    if (model_bytes(again) != model_bytes(model)) std::abort();
    const Tagger tagger(model);
    Corpus corpus;
    corpus.add({{"the", "D"}, {"dog", "N"}, {"sat", "V"}});
    tagger.tag(corpus[0]);
  } catch (const Error&) {
  }
  return 0;
}
