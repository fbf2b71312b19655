#include "thalweg/pipeline/explanation.h"

#include <algorithm>
#include <cmath>

#include "support/catch.h"
#include "support/enumerate.h"
#include "thalweg/inference/chain.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

const std::string kNews = std::string(THALWEG_SOURCE_DIR) + "/data/river-news/";

const Tagger& news_tagger() {
  static const Tagger tagger(train(read_corpus(kNews + "train.txt", Format::Columns), {.iterations = 20}));
  return tagger;
}

double sum_of(const Explanation& e) {
  double sum = 0;
  for (const Factor& f : e.factors) sum += f.difference();
  return sum;
}

// A model with random weights for all pairs and attributes with values: labels are its only regularity.
Model random_model(std::uint64_t seed, double scale) {
  Rng rng(seed);
  Model model;
  for (const char* label : {"X", "Y", "Z"}) model.labels.add(label);
  for (const char* attribute : {"a", "b", "c", "d"}) model.attributes.add(attribute);
  model.emissions = all_features(4, 3);
  model.transitions = all_features(3, 3);
  for (Index f = 0; f < model.features(); ++f) model.weights.push_back(scale * rng.normal());
  return model;
}

Corpus random_sentence(std::uint64_t seed, Index length) {
  constexpr std::string_view kNames[] = {"a", "b", "c", "d", "unheard of"};
  Rng rng(seed);
  Corpus corpus;
  for (Index t = 0; t < length; ++t) {
    std::vector<std::string_view> cells{"?"};
    std::vector<float> values{1};
    for (std::string_view name : kNames) {
      if (rng.uniform() < 0.5) continue;
      cells.push_back(name), values.push_back(static_cast<float>(rng.normal()));
    }
    corpus.add_token(cells, values);
  }
  corpus.end_sentence();
  return corpus;
}

// Every explanation of a sentence against all its labellings, one by one.
void check_against_enumeration(const Tagger& tagger, const Sentence& sentence) {
  Decoder decoder(tagger);
  decoder.read(sentence);
  const auto all = enumerate(decoder.chain());
  const double f = free_energy_of(all, 1, [](auto&) { return true; });
  for (Index t = 0; t < sentence.size(); ++t) {
    const Explanation e = explain(tagger, sentence, t);
    double lowest = kInfinity<double>, other = kInfinity<double>;
    for (const auto& l : all) {
      lowest = std::min(lowest, l.energy);
      if (l.y[t] != e.best[t]) other = std::min(other, l.energy);
    }
    CHECK(e.energy == Approx(lowest).margin(1e-5));
    CHECK(e.margin == Approx(other - lowest).margin(1e-5));
    CHECK(energy<float>(decoder.chain(), e.runner_up) - e.energy == Approx(e.margin).margin(1e-9));
    CHECK(sum_of(e) + e.rounding == Approx(e.margin).margin(1e-12));
    CHECK(std::abs(e.rounding) < 1e-5);
    for (Label against = 0; against < static_cast<Label>(tagger.labels()); ++against) {
      Explainer explainer(tagger);
      explainer.read(sentence);
      const Explanation why_not = explainer.explain(t, against);
      double held = kInfinity<double>;
      for (const auto& l : all) held = l.y[t] == against ? std::min(held, l.energy) : held;
      CHECK(why_not.runner_up[t] == against);
      CHECK(why_not.margin == Approx(held - lowest).margin(1e-5));
      CHECK(std::abs(why_not.rounding) < 1e-5);
    }
    CHECK(e.probability ==
          Approx(std::exp(f - free_energy_of(all, 1, [&](auto& l) { return l.y[t] == e.best[t]; })))
              .margin(1e-4));
  }
}

// Transitions that depend on the input, with random weights; one attribute of pairs comes twice at "a a".
Model pair_model(std::uint64_t seed) {
  Rng rng(seed);
  Model model;
  model.featurizer = Featurizer(
      TemplateSet::parse("U:%x[0,0]\nB\nB01:%x[0,0]\nB02:%x[-1,0]\nB02:%x[0,0]\n", "pairs"), Boundary::Marks);
  for (const char* label : {"X", "Y", "Z"}) model.labels.add(label);
  for (const char* attribute : {"U:a", "U:b", "U:c"}) model.attributes.add(attribute);
  for (const char* attribute : {"B01:a", "B01:b", "B01:c", "B02:a"}) model.pair_attributes.add(attribute);
  model.emissions = all_features(3, 3), model.transitions = all_features(3, 3);
  model.pairs = all_features(4, 9);
  for (Index f = 0; f < model.features(); ++f) model.weights.push_back(rng.normal());
  return model;
}

Corpus random_words(std::uint64_t seed, Index length) {
  Rng rng(seed);
  Corpus corpus;
  for (Index t = 0; t < length; ++t) {
    const std::string word(1, "abcd"[rng.below(4)]);
    const std::string_view cells[] = {word};
    corpus.add_token(cells);
  }
  corpus.end_sentence();
  return corpus;
}

}  // namespace

TEST_CASE("the margin is what enumeration finds, and its factors sum to it", "[pipeline][explain]") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Tagger tagger(random_model(seed, seed % 3 == 0 ? 0.1 : 2));
    check_against_enumeration(tagger, random_sentence(seed, 1 + static_cast<Index>(seed % 6))[0]);
  }
}

TEST_CASE("attributes of pairs take part in margins", "[pipeline][explain]") {
  bool seen = false, twice = false;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Tagger tagger(pair_model(seed));
    const Corpus corpus = random_words(seed, 1 + static_cast<Index>(seed % 6));
    check_against_enumeration(tagger, corpus[0]);
    for (const Factor& f : explain(tagger, corpus[0], 0).factors) {
      if (f.kind != Factor::Kind::Pair) continue;
      const std::string word(corpus[0].cell(f.position + 1, 0));
      const std::string_view name = tagger.model().pair_attributes.name(f.attribute);
      CHECK((name == "B01:" + word || name == "B02:a"));
      CHECK(f.value == (name == "B02:a" && word == "a" && corpus[0].cell(f.position, 0) == "a" ? 2 : 1));
      seen = true, twice = twice || f.value == 2;
    }
  }
  CHECK(seen);
  CHECK(twice);
}

TEST_CASE("margins of a sentence agree with its min-marginals", "[pipeline][explain]") {
  const Corpus test = read_corpus(kNews + "test.txt", Format::Columns);
  Decoder decoder(news_tagger());
  Explainer explainer(news_tagger());
  for (Index n = 0; n < 12; ++n) {
    decoder.read(test[n]);
    const auto held = min_marginals(decoder.chain());
    explainer.read(test[n]);
    const std::vector<std::string> labels = news_tagger().tag(test[n]);
    for (Index t = 0; t < test[n].size(); ++t) {
      const Explanation e = explainer.explain(t);
      CHECK(news_tagger().label(e.best[t]) == labels[t]);
      double other = kInfinity<double>;
      for (Label l = 0; l < static_cast<Label>(news_tagger().labels()); ++l) {
        if (l != e.best[t]) other = std::min(other, static_cast<double>(held[t][l]));
      }
      CHECK(e.margin == Approx(other - static_cast<double>(held[t][e.best[t]])).margin(1e-3));
      CHECK(static_cast<double>(held[t][e.runner_up[t]]) == Approx(other).margin(1e-3));
      CHECK(std::abs(e.rounding) < 1e-4);
      CHECK(std::is_sorted(e.factors.begin(), e.factors.end(), [](const Factor& a, const Factor& b) {
        return std::abs(a.difference()) > std::abs(b.difference());
      }));
      CHECK(e.begin <= t);
      CHECK(t < e.end);
      for (Index s = 0; s < test[n].size(); ++s) {
        CHECK((e.best[s] != e.runner_up[s]) == (s >= e.begin && s < e.end));
      }
    }
  }
}

TEST_CASE("a decision worked by hand", "[pipeline][explain]") {
  // b alone says Y by 1; but X is glued to X by 3, so the runner-up at the second token changes both.
  Model model;
  model.labels.add("X"), model.labels.add("Y");
  model.attributes.add("a"), model.attributes.add("b");
  model.emissions = {{0, 1, 2}, {0, 1}};    // (a, X), (b, Y)
  model.transitions = {{0, 1, 2}, {0, 1}};  // (X, X), (Y, Y)
  model.weights = {0.5, 1, 3, 3};
  Corpus corpus;
  corpus.add({{"?", "a"}, {"?", "b"}});
  const Tagger tagger(model);
  const Explanation e = explain(tagger, corpus[0], 1);  // YY -4, XX -3.5
  CHECK(e.best == std::vector<Label>{1, 1});
  CHECK(e.runner_up == std::vector<Label>{0, 0});
  CHECK(e.energy == -4);
  CHECK(e.margin == 0.5);
  REQUIRE(e.factors.size() == 2);  // the transitions weigh the same
  CHECK(e.factors[0].attribute == 1);
  CHECK(e.factors[0].position == 1);
  CHECK(e.factors[0].difference() == 1);
  CHECK(e.factors[1].attribute == 0);
  CHECK(e.factors[1].difference() == -0.5);
  CHECK((e.begin == 0 && e.end == 2));
}

TEST_CASE("with one label there is no runner-up", "[pipeline][explain]") {
  Model model;
  model.labels.add("X"), model.attributes.add("a");
  model.emissions = {{0, 1}, {0}}, model.transitions = {{0, 0}, {}};
  model.weights = {2};
  Corpus corpus;
  corpus.add({{"?", "a"}, {"?", "b"}});
  const Explanation e = explain(Tagger(model), corpus[0], 0);
  CHECK(e.best == std::vector<Label>{0, 0});
  CHECK(e.runner_up.empty());
  CHECK(e.margin == kInfinity<double>);
  CHECK(e.factors.empty());
  CHECK(e.probability == Approx(1));
}
