// Chains of second order and beyond, from data to trained models and back.
#include <cmath>
#include <map>
#include <string>

#include "support/catch.h"
#include "support/enumerate.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/io/model_file.h"
#include "thalweg/io/model_text.h"
#include "thalweg/learning/batch_objective.h"
#include "thalweg/pipeline/explanation.h"
#include "thalweg/pipeline/spans.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

// With and without tables of their own for each pair of words.
const FeatureOptions kPlain{.templates = "U1:%x[0,0]\nB\n"};
const FeatureOptions kPairs{.templates = "U1:%x[0,0]\nB\nB1:%x[0,0]\n"};

// A label is what it was three, or two, words ago; the words say little.
Corpus recurring_corpus(std::uint64_t seed, Index sentences, Index period) {
  Rng rng(seed);
  Corpus corpus;
  const std::vector<std::string> words{"a", "b", "c"}, labels{"X", "Y", "Z"};
  for (Index n = 0; n < sentences; ++n) {
    std::vector<std::uint64_t> y;
    for (Index t = 0, length = static_cast<Index>(rng.below(9)); t <= length; ++t) {
      y.push_back(t < period || rng.below(20) == 0 ? rng.below(3) : y[static_cast<std::size_t>(t - period)]);
      // Only the first labels of a sentence can be read off its words.
      const std::uint64_t word = t < period ? y.back() : rng.below(3);
      const std::string_view cells[] = {words[word], labels[y.back()]};
      corpus.add_token(cells);
    }
    corpus.end_sentence();
  }
  return corpus;
}

double weight(const FeatureIndex& index, std::uint32_t row, Label label, std::span<const double> w) {
  if (row == Vocabulary::kUnknown) return 0;
  for (std::uint32_t f = index.offsets[row]; f < index.offsets[row + 1]; ++f)
    if (index.labels[f] == label) return w[f];
  return 0;
}

// The energy of a labelling by the definition: every context that its labels end with has its say.
double energy_by_hand(const Model& m, std::span<const double> w, const Sentence& s,
                      std::span<const Label> y) {
  const auto K = static_cast<Index>(m.labels.size());
  const auto transitions = w.subspan(m.emissions.features()),
             pairs = transitions.subspan(m.transitions.features()),
             contexts = w.subspan(m.first_context_weight());
  double e = 0;
  for (Index t = 0; t < s.size(); ++t) {
    e -= weight(m.emissions, m.attributes.find("U1:" + std::string(s.cell(t, 0))), y[t], w);
    if (t == 0) continue;
    e -= weight(m.transitions, y[t - 1], y[t], transitions);
    if (m.pairs.rows() > 0) {
      const auto row = m.pair_attributes.find("B1:" + std::string(s.cell(t, 0)));
      e -= weight(m.pairs, row, static_cast<Label>(y[t - 1] * K + y[t]), pairs);
    }
    for (Index c = 0; c < m.contexts.next.rows(); ++c) {
      const std::vector<Label> string = spell(m.contexts, c, K);
      if (static_cast<Index>(string.size()) > t) continue;
      if (std::equal(string.begin(), string.end(), y.begin() + (t - static_cast<Index>(string.size()))))
        e -= weight(m.contexts.next, static_cast<std::uint32_t>(c), y[t], contexts);
    }
  }
  return e;
}

std::vector<Labelling> enumerate_by_hand(const Model& m, std::span<const double> w, const Sentence& s) {
  const TableBuffer<float> unary(s.size(), static_cast<Index>(m.labels.size())),
      pairwise(1, unary.columns() * unary.columns());
  auto all = enumerate(Chain<float>{unary, pairwise, {}});
  for (Labelling& l : all) l.energy = energy_by_hand(m, w, s, l.y);
  return all;
}

// A model with features and random weights.
Examples random_examples(const Corpus& corpus, const FeatureOptions& features, Index order,
                         std::uint64_t seed) {
  Examples e = learn_examples(corpus, features);
  train_model(e.model, e.data, nullptr, {.iterations = 1, .order = order});
  Rng rng(seed);
  for (double& w : e.model.weights) w = static_cast<double>(static_cast<float>(rng.normal()));
  return e;
}

Corpus short_corpus(std::uint64_t seed, Index sentences) {
  const Corpus all = recurring_corpus(seed, sentences, 2);
  Corpus some;
  for (Index n = 0; n < all.size(); ++n) {
    if (all[n].size() > 6) continue;
    for (Index t = 0; t < all[n].size(); ++t) {
      const std::string_view cells[] = {all[n].cell(t, 0), all[n].cell(t, 1)};
      some.add_token(cells);
    }
    some.end_sentence();
  }
  return some;
}

}  // namespace

TEST_CASE("contexts are the strings of labels that stand before a label", "[model][order]") {
  Dataset data;
  data.labels = {0, 1, 0, 1, 1, 0, 0, kNoLabel, 0};
  data.sequences = {0, 5, 6, 9};
  const LabelContexts contexts = observed_contexts(data, 3, 2);
  std::map<std::vector<Label>, std::vector<Label>> found;
  for (Index c = 0; c < contexts.next.rows(); ++c) {
    const auto row = contexts.next.row(c);
    found[spell(contexts, c, 2)] = {row.begin(), row.end()};
  }
  const std::map<std::vector<Label>, std::vector<Label>> want{
      {{0, 1}, {0, 1}}, {{1, 0}, {1}}, {{0, 1, 0}, {1}}, {{1, 0, 1}, {1}}};
  CHECK(found == want);
  CHECK(Histories::valid(2, contexts.strings));
  CHECK(observed_contexts(data, 1, 2).empty());

  const LabelContexts all = all_contexts(3, 2);
  CHECK(all.strings.size() == 4 + 8);
  CHECK(all.next.features() == 2 * (4 + 8));
  CHECK(Histories::valid(2, all.strings));
  CHECK_THROWS_AS(all_contexts(8, 20), OptionError);
}

TEST_CASE("with contexts the objective is that of the definition, and its gradient the derivative",
          "[learning][order][kernels]") {
  const Corpus corpus = short_corpus(5, 30);
  for (const FeatureOptions& features : {kPlain, kPairs}) {
    for (Index order : {2, 3}) {
      Examples e = random_examples(corpus, features, order, 6);
      REQUIRE(e.model.contexts.next.features() > 5);
      const FoldedAttributes folded =
          fold(e.data.attributes, e.model.attributes, e.model.featurizer.templates());
      LinearChain chain(e.model, &folded);
      const std::vector<double> w = e.model.weights;
      std::vector<double> gradient(w.size()), other(w.size());
      for (const Loss& loss : {Loss{LikelihoodLoss{}}, Loss{PerceptronLoss{}}}) {
        BatchObjective objective(chain, e.data, loss, 0.3, 1);
        double want = 0;
        for (double x : w) want += 0.3 * x * x;
        for (Index n = 0; n < corpus.size(); ++n) {
          const auto all = enumerate_by_hand(e.model, w, corpus[n]);
          want += energy_by_hand(e.model, w, corpus[n], e.data.answer(n));
          want -= std::holds_alternative<LikelihoodLoss>(loss)
                      ? free_energy_of(all, 1, [](auto&) { return true; })
                      : std::ranges::min(all, {}, &Labelling::energy).energy;
        }
        CHECK(objective(w, gradient) == Approx(want).epsilon(1e-6));
        if (!std::holds_alternative<LikelihoodLoss>(loss)) continue;  // has kinks
        for (std::size_t f = 0; f < w.size(); ++f) {
          std::vector<double> up = w, down = w;
          up[f] += 0.02, down[f] -= 0.02;
          const double slope = (objective(up, other) - objective(down, other)) / 0.04;
          REQUIRE(gradient[f] == Approx(slope).margin(5e-3).epsilon(2e-3));
        }
      }
    }
  }
}

TEST_CASE("a step moves the weights of contexts as the gradient says", "[model][order]") {
  for (const FeatureOptions& features : {kPlain, kPairs}) {
    Examples e = random_examples(short_corpus(8, 20), features, 3, 9);
    LinearChain chain(e.model, e.data.attributes);
    ChainEnergies energies;
    Rng rng(10);
    const ChainBlock<float> chains = energies.of(chain, e.data, 2, 5);
    TableBuffer<float> unary(chains.unary.rows, chains.unary.columns),
        pairwise(chains.pairwise.rows, chains.pairwise.columns);
    for (Table<float> table : {Table<float>(unary), Table<float>(pairwise)})
      for (Index i = 0; i < table.size(); ++i) table.data[i] = static_cast<float>(rng.normal());
    std::vector<double> gradient(e.model.weights.size()), moved(gradient.size());
    const Block block = energies.block();
    chain.pull_back(block, unary, pairwise, gradient, 1);
    const double grown = chain.descend(block, unary, pairwise, 0.25f);
    chain.weights(moved);
    double want = 0;
    for (std::size_t f = 0; f < moved.size(); ++f) {
      REQUIRE(moved[f] == Approx(e.model.weights[f] - 0.25 * gradient[f]).margin(1e-5));
      want += moved[f] * moved[f] - e.model.weights[f] * e.model.weights[f];
    }
    CHECK(grown == Approx(want).margin(1e-3));
  }
}

TEST_CASE("a decoder of a model with contexts answers as enumeration does", "[pipeline][order]") {
  for (const FeatureOptions& features : {kPlain, kPairs}) {
    const Examples e = random_examples(short_corpus(11, 40), features, 3, 12);
    const Tagger tagger{Model(e.model)};
    Decoder decoder(tagger);
    Explainer explainer(tagger);
    const Corpus fresh = short_corpus(13, 15);
    for (Index n = 0; n < fresh.size(); ++n) {
      decoder.read(fresh[n]);
      auto all = enumerate_by_hand(e.model, e.model.weights, fresh[n]);
      std::ranges::sort(all, {}, &Labelling::energy);
      const auto y = decoder.minimize();
      CHECK(decoder.energy() == Approx(all[0].energy).margin(1e-5));
      CHECK(energy_by_hand(e.model, e.model.weights, fresh[n], y) == Approx(all[0].energy).margin(1e-5));
      const double F = free_energy_of(all, 1, [](auto&) { return true; });
      CHECK(decoder.free_energy() == Approx(F).margin(1e-5));
      const auto p = decoder.marginals();
      for (Label l = 0; l < 3; ++l) {
        const double held = free_energy_of(all, 1, [&](auto& one) { return one.y.back() == l; });
        CHECK(p[fresh[n].size() - 1][l] == Approx(std::exp(F - held)).margin(1e-5));
      }
      std::vector<Minimum> best;
      decoder.k_lowest(5, best);
      for (std::size_t r = 0; r < best.size(); ++r)
        CHECK(best[r].energy == Approx(all[r].energy).margin(1e-5));
      // Explanations are exact: the margin is the sum of what decides it.
      explainer.read(fresh[n]);
      for (Index t = 0; t < fresh[n].size(); ++t) {
        const Explanation why = explainer.explain(t);
        double sum = 0;
        for (const Factor& f : why.factors) sum += f.difference();
        double other = kInfinity<double>;
        for (const Labelling& l : all) {
          if (l.y[t] != why.best[t]) other = std::min(other, l.energy);
        }
        REQUIRE(why.margin == Approx(other - all[0].energy).margin(1e-5));
        REQUIRE(sum == Approx(why.margin).margin(1e-5));
      }
    }
  }
}

TEST_CASE("a chain of higher order learns what one of first order cannot", "[learning][order]") {
  const auto accuracy = [](Index period, const TrainOptions& options) {
    const Corpus corpus = recurring_corpus(3, 500, period), fresh = recurring_corpus(4, 200, period);
    // With the beginning of a sentence known, words can be trusted there alone.
    const FeatureOptions features{.templates = "U1:%x[0,0]/%x[-2,0]\nU2:%x[0,0]/%x[-3,0]\nB\n"};
    const Tagger tagger(train(corpus, options, features));
    Index right = 0, all = 0;
    for (Index n = 0; n < fresh.size(); ++n) {
      const auto labels = tagger.tag(fresh[n]);
      for (Index t = period; t < fresh[n].size(); ++t, ++all) right += labels[t] == fresh[n].cell(t, 1);
    }
    return static_cast<double>(right) / static_cast<double>(all);
  };
  for (const Loss& loss : {Loss{LikelihoodLoss{}}, Loss{PerceptronLoss{}}}) {
    CHECK(accuracy(2, {.loss = loss, .c2 = 0.1, .order = 1}) < 0.7);
    CHECK(accuracy(2, {.loss = loss, .c2 = 0.1, .order = 2}) > 0.75);
    CHECK(accuracy(3, {.loss = loss, .c2 = 0.1, .order = 3}) >
          accuracy(3, {.loss = loss, .c2 = 0.1, .order = 2}) + 0.05);
  }
  CHECK_THROWS_AS(accuracy(2, {.order = 0}), OptionError);
  CHECK_THROWS_AS(accuracy(2, {.order = TrainOptions::kMostOrder + 1}), OptionError);
  CHECK_THROWS_AS(accuracy(2, {.solver = Solver::ExponentiatedGradient, .order = 2}), OptionError);
}

TEST_CASE("with contexts, the same bits for any number of threads", "[learning][order][threads]") {
  const Corpus corpus = recurring_corpus(7, 2000, 2);
  for (const Loss& loss : {Loss{LikelihoodLoss{}}, Loss{PerceptronLoss{}}}) {
    std::vector<double> first;
    for (int threads : {1, 2, 3}) {
      Examples e = learn_examples(corpus, kPlain);
      DevelopmentSet dev{e.data, e.model.labels};
      train_model(e.model, e.data, &dev, {.loss = loss, .iterations = 3, .order = 2, .threads = threads});
      if (first.empty()) first = e.model.weights;
      REQUIRE(e.model.weights == first);
    }
  }
}

TEST_CASE("models with contexts are saved, written as text, pruned and trained further",
          "[pipeline][order][io]") {
  const TemporaryFolder folder;
  const Corpus corpus = recurring_corpus(12, 200, 2);
  Examples e = learn_examples(corpus, kPlain);
  train_model(e.model, e.data, nullptr, {.c1 = 1, .order = 3});
  const Model small = pruned(e.model);
  CHECK(small.contexts.next.features() < e.model.contexts.next.features());
  CHECK(small.contexts.next.features() > 0);
  save_model(small, folder / "order.model");
  save_model_text(small, folder / "order.text");
  CHECK(model_bytes(load_model_text(folder / "order.text")) ==
        model_bytes(load_model(folder / "order.model")));
  const Tagger whole{Model(e.model)}, loaded = Tagger::load(folder / "order.model");
  for (Index n = 0; n < corpus.size(); ++n) CHECK(whole.tag(corpus[n]) == loaded.tag(corpus[n]));

  Examples cold = learn_examples(recurring_corpus(12, 200, 2), kPlain);
  const TrainSummary first = train_model(cold.model, cold.data, nullptr, {.order = 3});
  Examples warm = learn_examples(recurring_corpus(12, 200, 2), kPlain);
  const TrainSummary again = train_model(warm.model, warm.data, nullptr, {.order = 3, .init = &cold.model});
  CHECK(again.iterations < first.iterations);
  CHECK(again.objective == Approx(first.objective).epsilon(1e-4));
}
