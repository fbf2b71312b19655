// Numbers beside the tokens: from the file to trained models and back.
#include <cmath>
#include <fstream>

#include "io/array_file_tools.h"
#include "support/catch.h"
#include "support/enumerate.h"
#include "support/message.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/io/model_file.h"
#include "thalweg/learning/batch_objective.h"
#include "thalweg/learning/train.h"
#include "thalweg/model/linear_terms.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

// Words say nothing; the label is which of three numbers is largest.
struct Told {
  Corpus corpus;
  std::vector<float> vectors;
};

Told told(std::uint64_t seed, Index sentences) {
  Rng rng(seed);
  Told t;
  for (Index n = 0; n < sentences; ++n) {
    for (std::uint64_t p = 0, length = 1 + rng.below(6); p < length; ++p) {
      float x[3];
      for (float& one : x) t.vectors.push_back(one = static_cast<float>(rng.normal()));
      const std::string_view cells[] = {"word", x[0] > x[1] && x[0] > x[2] ? "X" : x[1] > x[2] ? "Y" : "Z"};
      t.corpus.add_token(cells);
    }
    t.corpus.end_sentence();
  }
  return t;
}

const FeatureOptions kTemplates{.templates = "U1:%x[0,0]\nB\nB1:%x[0,0]\n"};

Examples examples(const Told& t) {
  Examples e = learn_examples(t.corpus, kTemplates);
  e.data.vector_columns = 3, e.data.vectors = t.vectors;
  return e;
}

double accuracy(const Model& model, const Told& t) {
  const Tagger tagger{Model(model)};
  Decoder decoder(tagger);
  Index right = 0, at = 0;
  for (Index n = 0; n < t.corpus.size(); ++n) {
    const Sentence s = t.corpus[n];
    decoder.read(s, {t.vectors.data() + 3 * at, s.size(), 3});
    const auto y = decoder.minimize();
    for (Index p = 0; p < s.size(); ++p) right += tagger.label(y[p]) == s.cell(p, 1);
    at += s.size();
  }
  return static_cast<double>(right) / static_cast<double>(at);
}

}  // namespace

TEST_CASE("a dense term is the product that it says, there and back", "[model][vectors][kernels]") {
  Rng rng(1);
  for (const Index K : {1, 2, 3, 5, 8, 17, 22, 40, 70}) {
    for (const Index D : {1, 3, 19, 50}) {
      const Index P = 300 + D, from = 7;
      std::vector<float> x(static_cast<std::size_t>((P + from) * D)), g(static_cast<std::size_t>(P * K));
      std::vector<double> w(static_cast<std::size_t>(D * K)), into(w.size(), 1.0);
      for (float& one : x) one = static_cast<float>(rng.normal());
      for (float& one : g) one = static_cast<float>(rng.normal());
      for (double& one : w) one = rng.normal();
      DenseLinear term(D, K);
      term.assign(w, 1);
      const std::vector<Index> sequences{from, from + P};
      const Block block{sequences, nullptr, {x.data(), P + from, D}};
      TableBuffer<float> out(P, K, 1.f);
      term.energies(block, out);
      for (Index p = 0; p < P; p += 13) {
        for (Index l = 0; l < K; ++l) {
          double want = 1;
          for (Index d = 0; d < D; ++d) want -= static_cast<double>(x[(p + from) * D + d]) * w[d * K + l];
          REQUIRE(out[p][l] == Approx(want).margin(1e-4));
        }
      }
      term.pull_back(block, {g.data(), P, K}, into, 1);
      std::vector<double> again(w.size(), 1.0);
      term.pull_back(block, {g.data(), P, K}, again, 3);
      REQUIRE(into == again);
      for (Index d = 0; d < D; ++d) {
        for (Index l = 0; l < K; ++l) {
          double want = 1;
          for (Index p = 0; p < P; ++p)
            want -= static_cast<double>(x[(p + from) * D + d]) * static_cast<double>(g[p * K + l]);
          REQUIRE(into[d * K + l] == Approx(want).margin(1e-3));
        }
      }
    }
  }
}

TEST_CASE("with vectors the gradient is the derivative, and training learns from them",
          "[learning][vectors]") {
  const Told small = told(2, 40);
  Examples e = examples(small);
  train_model(e.model, e.data, nullptr, {.iterations = 3});
  const FoldedAttributes folded = fold(e.data.attributes, e.model.attributes, e.model.featurizer.templates());
  LinearChain chain(e.model, &folded);
  BatchObjective objective(chain, e.data, LikelihoodLoss{}, 0.3, 1);
  std::vector<double> w = e.model.weights, gradient(w.size()), other(w.size());
  CHECK(std::ssize(w) == e.model.first_vector_weight() + 9);
  objective(w, gradient);
  for (std::size_t f = 0; f < w.size(); ++f) {
    std::vector<double> up = w, down = w;
    up[f] += 0.02, down[f] -= 0.02;
    const double slope = (objective(up, other) - objective(down, other)) / 0.04;
    REQUIRE(gradient[f] == Approx(slope).margin(5e-3).epsilon(2e-3));
  }

  const Told large = told(3, 400), fresh = told(4, 200);
  for (const Loss& loss : {Loss{LikelihoodLoss{}}, Loss{PerceptronLoss{}}}) {
    std::vector<double> first;
    for (int threads : {1, 2, 3, 8}) {
      Examples many = examples(large);
      DevelopmentSet dev{many.data, many.model.labels};
      train_model(many.model, many.data, &dev, {.loss = loss, .iterations = 20, .threads = threads});
      if (first.empty()) {
        first = many.model.weights;
        CHECK(accuracy(many.model, fresh) > 0.93);
        const TemporaryFolder folder;
        save_model(pruned(many.model), folder / "m");
        CHECK(accuracy(load_model(folder / "m"), fresh) == accuracy(many.model, fresh));
        Examples warm = examples(large);
        const auto more = train_model(warm.model, warm.data, nullptr, {.iterations = 1, .init = &many.model});
        if (std::holds_alternative<LikelihoodLoss>(loss))
          CHECK(more.objective < 0.6 * static_cast<double>(warm.data.positions()));
      }
      REQUIRE(many.model.weights == first);
    }
  }
}

TEST_CASE("vectors and tokens go together or are refused", "[pipeline][vectors]") {
  const TemporaryFolder folder;
  Told t = told(5, 30);
  const auto write = [&](Index rows) {
    std::ofstream out(folder / "v.txt");
    for (Index r = 0; r < rows; ++r)
      out << t.vectors[3 * r] << " " << t.vectors[3 * r + 1] << " " << t.vectors[3 * r + 2] << "\n";
    return folder / "v.txt";
  };
  const Index tokens = t.corpus.tokens();
  FeatureOptions options = kTemplates;
  options.vectors = write(tokens);
  const Model model = train(t.corpus, {}, options);
  CHECK(model.vector_columns == 3);
  options.vectors = write(tokens - 1);
  CHECK_THAT(
      message_of<InputError>([&] { learn_examples(t.corpus, options); }),
      ContainsSubstring("v.txt: it has " + std::to_string(tokens - 1) + " rows, and there are more tokens"));
  t.vectors.resize(t.vectors.size() + 3);
  options.vectors = write(tokens + 1);
  CHECK_THAT(message_of<InputError>([&] { learn_examples(t.corpus, options); }),
             ContainsSubstring("it has more rows than the " + std::to_string(tokens) + " tokens"));

  const Tagger tagger{Model(model)};
  Decoder decoder(tagger);
  CHECK_THROWS_AS(decoder.read(t.corpus[0]), OptionError);
  CHECK_THROWS_AS(decoder.read(t.corpus[0], {t.vectors.data(), t.corpus[0].size() + 1, 3}), OptionError);
  CHECK_THROWS_AS(decoder.read(t.corpus[0], {t.vectors.data(), t.corpus[0].size(), 2}), OptionError);
  CHECK_THROWS_AS(tagger.tag({"word"}), OptionError);
  decoder.read(t.corpus[0], {t.vectors.data(), t.corpus[0].size(), 3});
  CHECK(std::ssize(decoder.minimize()) == t.corpus[0].size());
  Corpus empty;
  empty.end_sentence();
  decoder.read(empty[0], {nullptr, 0, 3});
  CHECK(decoder.minimize().empty());

  Model bad = model;
  bad.vector_columns = (1 << 20) + 1;
  save_model(bad, folder / "m");
  CHECK_THAT(message_of<ModelError>([&] { load_model(folder / "m"); }), ContainsSubstring("vector-columns"));
  bad.vector_columns = 4;
  save_model(bad, folder / "m");
  CHECK_THAT(message_of<ModelError>([&] { load_model(folder / "m"); }), ContainsSubstring("weights"));
}
