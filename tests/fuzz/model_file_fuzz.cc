/// @file
/// Models from edits of a good one, with all checksums made right, so that the checks of meaning are what is
/// left. Only an Error may come out; a model that is mapped must tag.

#include "io/array_file_tools.h"
#include "thalweg/core/error.h"
#include "thalweg/io/model_file.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

Bytes good_model() {
  Corpus corpus;
  corpus.add({{"the", "D", "X"}, {"cat", "N", "Y"}, {"sat", "V", "X"}});
  corpus.add({{"a", "D", "X"}, {"dog", "N", "Z"}});
  const auto bytes =
      model_bytes(train(corpus, {.iterations = 3}, {.templates = "U0:%x[0,0]\nU1:%suffix[-1,0,2]\nB\n"}));
  return {bytes.begin(), bytes.end()};
}

const Bytes kGood = good_model();

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Each edit: 4 bytes to write, then 2 that say where.
  std::span edits(reinterpret_cast<const std::byte*>(data), size);
  Bytes bytes = kGood;
  for (; edits.size() >= 6; edits = edits.subspan(6)) {
    put(bytes, get<std::uint16_t>(edits, 4) % (bytes.size() - 3), get<std::uint32_t>(edits, 0));
  }
  fix_checksums(bytes);
  try {
    const Tagger tagger(map_model(ArrayFile::of_memory(bytes, "fuzz", kModelFormat)));
    Corpus corpus;
    corpus.add({{"the", "D"}, {"dog", "N"}, {"sat", "V"}});
    tagger.tag(corpus[0]);
    load_model(ArrayFile::of_memory(bytes, "fuzz", kModelFormat));
  } catch (const Error&) {
  }
  return 0;
}
