// Sizes at the edges: everything is linear in what it is given, and nothing recurses.
#include <cmath>
#include <string>

#include "support/catch.h"
#include "support/sanitized.h"
#include "thalweg/core/random.h"
#include "thalweg/inference/chain.h"
#include "thalweg/learning/train.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;

namespace {

constexpr Index kMany = testing::kSanitized ? 20'000 : 1'000'000;

// Attribute i & 3 for position i; the label follows from it but for one position in eight.
Examples examples(Index sequences, Index length, Label labels) {
  Rng rng(5);
  Examples e;
  for (Label l = 0; l < labels; ++l) e.model.labels.add("L" + std::to_string(l));
  for (int a = 0; a < 4; ++a) e.model.attributes.add("a" + std::to_string(a));
  for (Index n = 0; n < sequences; ++n) {
    for (Index t = 0; t < length; ++t) {
      const auto attribute = static_cast<std::uint32_t>(rng.below(4));
      e.data.attributes.columns.push_back(attribute);
      e.data.attributes.offsets.push_back(e.data.attributes.entries());
      e.data.labels.push_back(rng.below(8) == 0 ? static_cast<Label>(rng.below(labels)) : attribute % labels);
    }
    e.data.sequences.push_back(e.data.positions() + length);
  }
  return e;
}

}  // namespace

TEST_CASE("a million sequences of one, and one of a million", "[learning][shapes]") {
  struct Shape {
    Index sequences, length;
    Solver solver;
  };
  const Loss likelihood = LikelihoodLoss{}, perceptron = PerceptronLoss{};
  for (const Shape& shape :
       {Shape{kMany, 1, Solver::ExponentiatedGradient}, Shape{kMany, 1, Solver::Lbfgs},
        Shape{kMany, 1, Solver::Averaged}, Shape{1, kMany, Solver::ExponentiatedGradient},
        Shape{1, kMany, Solver::Lbfgs}, Shape{1, kMany, Solver::Averaged}}) {
    Examples e = examples(shape.sequences, shape.length, 2);
    const bool online = shape.solver == Solver::Averaged;
    const TrainSummary done =
        train_model(e.model, e.data, nullptr,
                    {.loss = online ? perceptron : likelihood, .solver = shape.solver, .iterations = 2});
    CHECK(done.positions == kMany);
    CHECK(std::isfinite(done.objective));
    const Tagger tagger(std::move(e.model));
    CHECK(tagger.labels() == 2);
  }
}

TEST_CASE("sentences without tokens have one labelling of energy 0", "[inference][shapes]") {
  const Chain<float> none{{nullptr, 0, 3}, {nullptr, 0, 9}, {}};
  CHECK(minimize(none).feasible());
  CHECK(minimize(none).energy == 0);
  CHECK(k_lowest(none, 3).size() == 1);
  CHECK(free_energy(none) == 0);
}

TEST_CASE("a thousand labels are learnt and told apart", "[learning][shapes]") {
  constexpr Label kLabels = 1000;
  Examples e;
  for (Label l = 0; l < kLabels; ++l) {
    e.model.labels.add("L" + std::to_string(l)), e.model.attributes.add("a" + std::to_string(l));
    e.data.attributes.columns.push_back(l);
    e.data.attributes.offsets.push_back(e.data.attributes.entries());
    e.data.labels.push_back(l);
  }
  e.data.sequences = {0, 1, 2, static_cast<Index>(kLabels)};
  train_model(e.model, e.data, nullptr, {.loss = PerceptronLoss{}, .iterations = 3});
  const Tagger tagger(std::move(e.model));
  Decoder decoder(tagger);
  Corpus corpus;
  for (int l : {0, 1, 517, 999}) {
    const std::string name = "a" + std::to_string(l);
    const std::string_view cells[] = {"?", name};
    corpus.add_token(cells);
    corpus.end_sentence();
  }
  const Label want[] = {0, 1, 517, 999};
  for (Index n = 0; n < corpus.size(); ++n) {
    decoder.read(corpus[n]);
    CHECK(decoder.minimize()[0] == want[n]);
  }
}
