// Attributes with real values, as attribute files give them: through training and tagging.
#include <cmath>

#include "support/catch.h"
#include "support/temporary_folder.h"
#include "thalweg/io/model_file.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using thalweg::testing::TemporaryFolder;

namespace {

// The label says whether `height` is positive; its presence says nothing.
Corpus heights(std::uint64_t seed, Index sentences) {
  Rng rng(seed);
  Corpus corpus;
  for (Index n = 0; n < sentences; ++n) {
    for (std::uint64_t t = 0, length = 1 + rng.below(5); t < length; ++t) {
      const float height = static_cast<float>(rng.normal());
      const std::string_view cells[] = {height > 0 ? "UP" : "DOWN", "height", "bias"};
      const float values[] = {1, height, 1};
      corpus.add_token(cells, values);
    }
    corpus.end_sentence();
  }
  return corpus;
}

}  // namespace

TEST_CASE("values decide where attributes alone cannot", "[learning][values]") {
  const Corpus corpus = heights(1, 300), fresh = heights(2, 200);
  for (const Loss& loss : {Loss{LikelihoodLoss{}}, Loss{PerceptronLoss{}}}) {
    std::vector<double> first;
    for (const int threads : {1, 3}) {
      Examples e = learn_examples(corpus, {.format = Format::Attributes});
      train_model(e.model, e.data, nullptr, {.loss = loss, .threads = threads});
      if (first.empty()) first = e.model.weights;
      REQUIRE(e.model.weights == first);
      const TemporaryFolder folder;
      save_model(pruned(e.model), folder / "m");
      const Tagger tagger = Tagger::load(folder / "m");
      Index right = 0;
      for (Index n = 0; n < fresh.size(); ++n) {
        const auto labels = tagger.tag(fresh[n]);
        for (Index t = 0; t < fresh[n].size(); ++t) right += labels[t] == fresh[n].cell(t, 0);
      }
      CHECK(static_cast<double>(right) / static_cast<double>(fresh.tokens()) > 0.95);
    }
  }
}

TEST_CASE("a value multiplies the weight: 2 is the attribute twice", "[pipeline][values]") {
  const Tagger tagger(train(heights(3, 100), {}, {.format = Format::Attributes}));
  Corpus corpus;
  const auto add = [&](std::initializer_list<std::string_view> cells, std::initializer_list<float> values) {
    corpus.add_token({cells.begin(), cells.size()}, {values.begin(), values.size()});
    corpus.end_sentence();
  };
  add({"?", "height"}, {1, 1});
  add({"?", "height"}, {1, 2});
  add({"?", "height", "height"}, {1, 1, 1});
  add({"?", "height"}, {1, -1});
  add({"?", "height"}, {1, 0});
  Decoder decoder(tagger);
  std::vector<float> energies;
  for (Index n = 0; n < corpus.size(); ++n) {
    decoder.read(corpus[n]);
    energies.push_back(decoder.chain().unary[0][0]);
  }
  REQUIRE(std::abs(energies[0]) > 0.1f);
  CHECK(energies[1] == Approx(2 * energies[0]));
  CHECK(energies[2] == Approx(2 * energies[0]));
  CHECK(energies[3] == Approx(-energies[0]));
  CHECK(energies[4] == 0);
}
