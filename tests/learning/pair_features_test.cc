// Transitions that depend on the input: B templates with macros, from text to trained models and back.
#include <cmath>
#include <string>

#include "support/catch.h"
#include "support/enumerate.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/chain.h"
#include "thalweg/io/model_file.h"
#include "thalweg/learning/batch_objective.h"
#include "thalweg/learning/online_learner.h"
#include "thalweg/learning/train.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

const FeatureOptions kTemplates{.templates = "U1:%x[0,0]\nB\nB1:%x[0,0]\nB2:%x[-1,0]/%x[0,0]\n*3:%x[1,0]\n"};

// "stay" keeps the label of the word before and "turn" changes it: no word says its label by itself.
Corpus turning_corpus(std::uint64_t seed, Index sentences) {
  Rng rng(seed);
  Corpus corpus;
  for (Index n = 0; n < sentences; ++n) {
    std::uint64_t label = rng.below(2);
    const std::uint64_t length = 1 + rng.below(6);
    for (std::uint64_t t = 0; t < length; ++t) {
      const std::uint64_t turn = rng.below(2);
      if (t > 0) label ^= turn;
      const std::string_view word = t == 0 ? (label ? "here" : "there") : (turn ? "turn" : "stay");
      const std::string_view cells[] = {word, label ? "X" : "Y"};
      corpus.add_token(cells);
    }
    corpus.end_sentence();
  }
  return corpus;
}

// Random words and labels, three of each and more.
Corpus random_corpus(std::uint64_t seed, Index sentences) {
  Rng rng(seed);
  Corpus corpus;
  const std::vector<std::string> words{"a", "b", "c", "d"}, labels{"X", "Y", "Z"};
  for (Index n = 0; n < sentences; ++n) {
    const std::uint64_t length = 1 + rng.below(5);
    for (std::uint64_t t = 0; t < length; ++t) {
      const std::string_view cells[] = {words[rng.below(4)], labels[rng.below(3)]};
      corpus.add_token(cells);
    }
    corpus.end_sentence();
  }
  return corpus;
}

void choose_all_observed(Examples& e) {
  Model& m = e.model;
  const Index K = static_cast<Index>(m.labels.size());
  m.emissions = observed_features(transpose(e.data.attributes, m.attributes.size()), e.data.labels, K);
  m.transitions = observed_transitions(e.data, K);
  m.pairs = observed_pairs(e.data, static_cast<Index>(m.pair_attributes.size()), K);
  m.weights.assign(static_cast<std::size_t>(m.features()), 0.0);
}

double weight(const FeatureIndex& index, std::uint32_t row, Label label, std::span<const double> w) {
  if (row == Vocabulary::kUnknown) return 0;
  for (std::uint32_t f = index.offsets[row]; f < index.offsets[row + 1]; ++f)
    if (index.labels[f] == label) return w[f];
  return 0;
}

// The attributes of kTemplates, spelt out.
std::vector<std::string> unary_names(const Sentence& s, Index t) {
  const std::string after = t + 1 < s.size() ? std::string(s.cell(t + 1, 0)) : "_B+1";
  return {"U1:" + std::string(s.cell(t, 0)), "*3:" + after};
}
std::vector<std::string> pair_names(const Sentence& s, Index t) {
  const std::string word(s.cell(t, 0)), before(s.cell(t - 1, 0));
  return {"B1:" + word, "B2:" + before + "/" + word, unary_names(s, t)[1]};
}

// The energy of a labelling by the definition.
double energy_by_hand(const Model& m, std::span<const double> w, const Sentence& s,
                      std::span<const Label> y) {
  const auto transitions = w.subspan(m.emissions.features());
  const auto pairs = transitions.subspan(m.transitions.features());
  const Label K = static_cast<Label>(m.labels.size());
  double e = 0;
  for (Index t = 0; t < s.size(); ++t) {
    for (const auto& name : unary_names(s, t)) e -= weight(m.emissions, m.attributes.find(name), y[t], w);
    if (t == 0) continue;
    e -= weight(m.transitions, y[t - 1], y[t], transitions);
    for (const auto& name : pair_names(s, t))
      e -= weight(m.pairs, m.pair_attributes.find(name), y[t - 1] * K + y[t], pairs);
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

std::vector<double> random_weights(Rng& rng, std::size_t size) {
  std::vector<double> w(size);
  for (double& x : w) x = static_cast<double>(static_cast<float>(rng.normal()));
  return w;
}

}  // namespace

TEST_CASE("distinct rows are kept once", "[features][pairs]") {
  DistinctRows rows;
  Rng rng(2);
  std::vector<std::vector<std::uint32_t>> added;
  std::vector<std::vector<float>> values;
  for (int i = 0; i < 500; ++i) {
    std::vector<std::uint32_t> row;
    std::vector<float> value;
    const bool valued = i > 250 && rng.below(2) == 0;
    for (std::uint64_t c = 0, n = rng.below(4); c < n; ++c) {
      row.push_back(static_cast<std::uint32_t>(10 * c + rng.below(3)));
      value.push_back(valued ? static_cast<float>(1 + rng.below(2)) : 1.f);
    }
    rows.add(row, valued ? std::span<const float>(value) : std::span<const float>());
    added.push_back(row), values.push_back(value);
  }
  REQUIRE(rows.which().size() == 500);
  for (std::size_t i = 0; i < 500; ++i) {
    const auto row = rows.rows().row(rows.which()[i]);
    REQUIRE(std::ranges::equal(row, added[i]));
    REQUIRE(std::ranges::equal(rows.rows().row_values(rows.which()[i]), values[i]));
    for (std::size_t j = 0; j < i; ++j)
      REQUIRE((rows.which()[i] == rows.which()[j]) == (added[i] == added[j] && values[i] == values[j]));
  }
  rows.clear();
  CHECK(rows.empty());
  CHECK(rows.rows().rows() == 0);
}

TEST_CASE("B templates with macros give attributes of pairs", "[features][pairs]") {
  Corpus corpus;
  corpus.add({{"a", "X"}, {"b", "Y"}, {"a", "X"}, {"b", "Y"}});
  corpus.add({{"c", "X"}});
  const Examples e = learn_examples(corpus, {.templates = "U:%x[0,0]\nB1:%x[-1,0]%x[0,0]\n*:%x[0,0]\n"});
  const Model& m = e.model;
  CHECK_FALSE(m.featurizer.templates().transitions());
  CHECK(m.pair_attributes.find("B1:ab") != Vocabulary::kUnknown);
  CHECK(m.pair_attributes.find("*:b") != Vocabulary::kUnknown);
  CHECK(m.attributes.find("*:c") != Vocabulary::kUnknown);
  CHECK(m.attributes.find("B1:ab") == Vocabulary::kUnknown);
  CHECK(m.pair_attributes.size() == 4);  // nothing of the first tokens
  REQUIRE(e.data.pairs.which().size() == 5);
  CHECK(e.data.pairs.rows().rows() == 2);
  CHECK(e.data.pairs.which()[0] == e.data.pairs.which()[2]);
  CHECK(e.data.pairs.which()[0] != e.data.pairs.which()[1]);

  const FeatureIndex index = observed_pairs(e.data, 4, 2);
  const auto row = index.row(m.pair_attributes.find("B1:ab"));
  REQUIRE(row.size() == 1);
  CHECK(row[0] == m.labels.find("X") * 2 + m.labels.find("Y"));

  // Without marks there is no attribute of the edge, and __BOS__ is no pair's.
  const Examples none =
      learn_examples(corpus, {.templates = "U:%x[0,0]\nB1:%x[1,0]\n", .boundary = Boundary::None});
  CHECK(none.model.pair_attributes.size() == 2);

  const Examples often =
      learn_examples(corpus, {.templates = "U:%x[0,0]\nB1:%x[-1,0]%x[0,0]\nB2:%x[0,0]\n", .min_count = 2});
  CHECK(often.model.pair_attributes.size() == 2);  // B1:ab and B2:b
  CHECK(often.data.pairs.rows().rows() == 2);
  CHECK(often.data.pairs.which().size() == 5);
}

TEST_CASE("a B template that reads a missing column is refused", "[features][pairs]") {
  Corpus corpus;
  corpus.add({{"a", "X"}, {"b", "Y"}});
  CHECK_THROWS_AS(learn_examples(corpus, {.templates = "U:%x[0,0]\nB1:%x[0,1]\n"}), InputError);
  Corpus wide;
  wide.add({{"a", "p", "X"}, {"b", "q", "Y"}});
  const Tagger tagger(train(wide, {}, {.templates = "B1:%x[0,1]\n"}));
  CHECK_THROWS_AS(tagger.tag({"a", "b"}), InputError);
}

TEST_CASE("with pairs the objective is that of the definition, and its gradient the derivative",
          "[learning][pairs][kernels]") {
  const Corpus corpus = random_corpus(5, 40);
  Examples e = learn_examples(corpus, kTemplates);
  choose_all_observed(e);
  const FoldedAttributes folded = fold(e.data.attributes, e.model.attributes, e.model.featurizer.templates());
  LinearChain chain(e.model, &folded);
  Rng rng(6);
  std::vector<double> w = random_weights(rng, e.model.weights.size()), gradient(w.size()), other(w.size());
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

TEST_CASE("a decoder of a model with pairs answers as enumeration does", "[pipeline][pairs]") {
  Examples e = learn_examples(random_corpus(7, 60), kTemplates);
  choose_all_observed(e);
  Rng rng(8);
  e.model.weights = random_weights(rng, e.model.weights.size());
  const Model& m = e.model;
  const Tagger tagger{Model(m)};
  Decoder decoder(tagger);
  Corpus fresh = random_corpus(9, 30);
  fresh.add({{"new"}, {"a"}, {"newer"}});
  for (Index n = 0; n < fresh.size(); ++n) {
    decoder.read(fresh[n]);
    auto all = enumerate_by_hand(m, m.weights, fresh[n]);
    std::ranges::sort(all, {}, &Labelling::energy);
    const auto y = decoder.minimize();
    CHECK(decoder.energy() == Approx(all[0].energy).margin(1e-5));
    CHECK(energy_by_hand(m, m.weights, fresh[n], y) == Approx(all[0].energy).margin(1e-5));
    const double F = free_energy_of(all, 1, [](auto&) { return true; });
    CHECK(decoder.free_energy() == Approx(F).margin(1e-5));
    const auto p = decoder.marginals();
    for (Label l = 0; l < 3; ++l) {
      const double without = free_energy_of(all, 1, [&](auto& one) { return one.y.back() == l; });
      CHECK(p[fresh[n].size() - 1][l] == Approx(std::exp(F - without)).margin(1e-5));
    }
    std::vector<Minimum> best;
    decoder.k_lowest(5, best);
    for (std::size_t r = 0; r < best.size(); ++r) CHECK(best[r].energy == Approx(all[r].energy).margin(1e-5));
  }
}

TEST_CASE("a B template learns what no other can", "[learning][pairs]") {
  const Corpus corpus = turning_corpus(3, 300), fresh = turning_corpus(4, 200);
  const auto accuracy = [&](const char* templates, const Loss& loss) {
    const Tagger tagger(train(corpus, {.loss = loss, .c2 = 0.1}, {.templates = templates}));
    Index right = 0, all = 0;
    for (Index n = 0; n < fresh.size(); ++n) {
      const auto labels = tagger.tag(fresh[n]);
      for (Index t = 0; t < fresh[n].size(); ++t, ++all) right += labels[t] == fresh[n].cell(t, 1);
    }
    return static_cast<double>(right) / static_cast<double>(all);
  };
  for (const Loss& loss : {Loss{LikelihoodLoss{}}, Loss{PerceptronLoss{}}}) {
    CHECK(accuracy("U:%x[0,0]\nB\n", loss) < 0.8);
    CHECK(accuracy("U:%x[0,0]\nB\nB1:%x[0,0]\n", loss) > 0.93);
  }
  CHECK(accuracy("U:%x[0,0]\nB\nB1:%x[0,0]\n", LikelihoodLoss{}) == 1.0);
}

TEST_CASE("with pairs, the same bits for any number of threads", "[learning][pairs][threads]") {
  const Corpus corpus = random_corpus(7, 4000);
  for (const Loss& loss : {Loss{LikelihoodLoss{}}, Loss{PerceptronLoss{}}}) {
    std::vector<double> first;
    for (int threads : {1, 2, 3, 8}) {
      Examples e = learn_examples(corpus, kTemplates);
      DevelopmentSet dev{e.data, e.model.labels};
      train_model(e.model, e.data, &dev, {.loss = loss, .iterations = 4, .threads = threads});
      if (first.empty()) first = e.model.weights;
      REQUIRE(e.model.weights == first);
    }
  }
}

TEST_CASE("the averaged perceptron with pairs is Collins' algorithm", "[learning][pairs]") {
  const Corpus corpus = random_corpus(11, 30);
  Examples e = learn_examples(corpus, kTemplates);
  choose_all_observed(e);
  const Model& m = e.model;
  OnlineLearner fast(m, e.data, {.seed = 3});
  // In the plainest way: every weight vector kept and averaged, features added by name.
  Rng rng(3);
  std::vector<Index> order(static_cast<std::size_t>(e.data.size()));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
  std::vector<double> w(m.weights.size(), 0.0), sum(w.size(), 0.0);
  double steps = 1;
  const auto bump = [&](const FeatureIndex& index, Index offset, std::uint32_t row, Label label, double by) {
    for (std::uint32_t f = index.offsets[row]; f < index.offsets[row + 1]; ++f)
      if (index.labels[f] == label) w[offset + f] += by;
  };
  const auto add = [&](const Sentence& s, std::span<const Label> y, double by) {
    const Index second = m.emissions.features(), third = second + m.transitions.features();
    for (Index t = 0; t < s.size(); ++t) {
      for (const auto& name : unary_names(s, t)) bump(m.emissions, 0, m.attributes.find(name), y[t], by);
      if (t == 0) continue;
      bump(m.transitions, second, y[t - 1], y[t], by);
      for (const auto& name : pair_names(s, t))
        bump(m.pairs, third, m.pair_attributes.find(name), y[t - 1] * 3 + y[t], by);
    }
  };
  LinearChain chain(m);
  for (int pass = 0; pass < 3; ++pass) {
    rng.shuffle(std::span(order));
    for (Index n : order) {
      chain.assign(w);
      ChainEnergies energies;
      const auto y = minimize(energies.of(chain, e.data, n, n + 1)[0]).labels;  // breaks ties the same way
      if (!std::ranges::equal(y, e.data.answer(n)))
        add(corpus[n], e.data.answer(n), 1), add(corpus[n], y, -1);
      for (std::size_t f = 0; f < w.size(); ++f) sum[f] += w[f];
      ++steps;
    }
    fast.pass();
  }
  const auto average = fast.average();
  for (std::size_t f = 0; f < w.size(); ++f) REQUIRE(average[f] == Approx(sum[f] / steps).margin(1e-9));
}

TEST_CASE("models with pairs are saved, pruned and trained further", "[pipeline][pairs][io]") {
  const TemporaryFolder folder;
  const Corpus corpus = random_corpus(12, 200);
  Examples e = learn_examples(corpus, kTemplates);
  train_model(e.model, e.data, nullptr, {.c1 = 0.5});
  const Model small = pruned(e.model);
  CHECK(small.pairs.features() < e.model.pairs.features());
  CHECK(small.pairs.features() > 0);
  save_model(small, folder / "pairs.model");
  const Tagger whole{Model(e.model)}, loaded = Tagger::load(folder / "pairs.model");
  for (Index n = 0; n < corpus.size(); ++n) CHECK(whole.tag(corpus[n]) == loaded.tag(corpus[n]));

  // From there there is little left to do, whatever the ids.
  Examples cold = learn_examples(random_corpus(12, 200), kTemplates);
  const TrainSummary first = train_model(cold.model, cold.data, nullptr, {});
  Examples warm = learn_examples(random_corpus(12, 200), kTemplates);
  const TrainSummary again = train_model(warm.model, warm.data, nullptr, {.init = &cold.model});
  CHECK(again.iterations < first.iterations);
  CHECK(again.objective == Approx(first.objective).epsilon(1e-4));
}
