// Models in the formats that were ever written, with the tags that they gave then (kept/tagged.txt). All are
// the same model; a new format adds its file:
//
//   thalweg dump --model kept/format-1.1.model | thalweg load - --model kept/format-NEW.model

#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/catch.h"
#include "thalweg/io/model_file.h"
#include "thalweg/io/model_text.h"
#include "thalweg/pipeline/tagger.h"

using namespace thalweg;

namespace {

const std::string kKept = std::string(THALWEG_SOURCE_DIR) + "/tests/pipeline/kept/";

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// kept/sentences.txt with a column of labels.
std::string tagged(const Tagger& tagger) {
  std::istringstream in(text_of(kKept + "sentences.txt"));
  std::string out;
  std::vector<std::string> words;
  const auto end_sentence = [&] {
    const auto labels = tagger.tag(words);
    for (std::size_t t = 0; t < words.size(); ++t) out += words[t] + " " + labels[t] + "\n";
    words.clear();
  };
  for (std::string line; std::getline(in, line);) {
    if (!line.empty())
      words.push_back(line);
    else
      end_sentence(), out += "\n";
  }
  end_sentence();
  return out;
}

}  // namespace

TEST_CASE("models of every format tag as when they were written", "[pipeline][io]") {
  const std::string want = text_of(kKept + "tagged.txt"),
                    model = model_text(load_model(kKept + "format-1.1.model"));
  REQUIRE(want.find(" B-LOC\n") != want.npos);
  int formats = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kKept)) {
    const std::string path = entry.path().string();
    if (entry.path().extension() != ".model") continue;
    INFO(path);
    ++formats;
    CHECK(tagged(Tagger::load(path)) == want);
    if (path.find("f16") == path.npos) CHECK(model_text(load_model(path)) == model);
  }
  CHECK(formats >= 3);
}
