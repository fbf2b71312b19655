#include <cmath>
#include <fstream>
#include <set>

#include "support/catch.h"
#include "support/enumerate.h"
#include "support/message.h"
#include "support/span_corpus.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/chain.h"
#include "thalweg/learning/batch_objective.h"
#include "thalweg/learning/evaluate.h"
#include "thalweg/learning/online_learner.h"
#include "thalweg/learning/open_answers.h"
#include "thalweg/learning/train.h"
#include "thalweg/pipeline/tagger.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

void write_text(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

FeatureOptions open_options() {
  FeatureOptions options = kSpanTemplates;
  options.partial = true;
  return options;
}

// The corpus with a share of its labels left open: half of those as any label, the others as one of two.
Corpus opened(const Corpus& corpus, std::uint64_t seed, double share) {
  Rng rng(seed);
  Corpus out;
  for (Index n = 0; n < corpus.size(); ++n) {
    for (Index t = 0; t < corpus[n].size(); ++t) {
      std::string label(corpus[n].cell(t, 1));
      if (rng.uniform() < share) label = rng.below(2) == 0 ? "?" : label == "O" ? "B-P|O" : label + "|O";
      const std::string_view cells[] = {corpus[n].cell(t, 0), label};
      out.add_token(cells);
    }
    out.end_sentence();
  }
  return out;
}

// Features and random weights.
void prepare_model(Examples& e, std::uint64_t seed) {
  Model& m = e.model;
  const Index K = static_cast<Index>(m.labels.size());
  m.emissions = observed_features(transpose(e.data.attributes, m.attributes.size()), e.data, K);
  m.transitions = observed_transitions(e.data, K);
  Rng rng(seed);
  m.weights.clear();
  for (Index f = 0; f < m.features(); ++f)
    m.weights.push_back(static_cast<double>(static_cast<float>(rng.normal())));
}

bool fits(const Dataset& data, Index n, std::span<const Label> y, Index K) {
  TableBuffer<std::uint8_t> storage;
  const auto allowed = data.allowed(n, K, storage);
  for (std::size_t t = 0; t < y.size(); ++t) {
    if (!allowed[static_cast<Index>(t)][y[t]]) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("losses of open answers and their gradients agree with enumeration and differences",
          "[learning][partial]") {
  using R = double;
  Rng rng(31);
  for (const Loss& loss : {Loss{LikelihoodLoss{}}, Loss{LikelihoodLoss{0.6}}, Loss{PerceptronLoss{}}}) {
    for (int round = 0; round < 20; ++round) {
      const Index T = 1 + static_cast<Index>(rng.below(4)), K = 3;
      auto owned = random_chain<R>(rng, {T, K, round % 2 ? 2 : 1});
      TableBuffer<std::uint8_t> allowed(T, K);
      for (Index t = 0; t < T; ++t) {
        for (Index l = 0; l < K; ++l) allowed[t][l] = rng.below(2) == 0;
        allowed[t][rng.below(3)] = 1;
      }
      const auto fits = [&](const Labelling& l) {
        for (Index t = 0; t < T; ++t) {
          if (!allowed[t][l.y[static_cast<std::size_t>(t)]]) return false;
        }
        return true;
      };
      Couplings<R> couplings;
      ChainOperations<R> on;
      on.couplings = &couplings;
      TableBuffer<R> unary(T, K), pairwise(owned.pairwise.rows(), K * K), storage;
      auto value = [&] {
        const Chain<R> chain = owned.view();
        prepare(loss, chain.pairwise, K, couplings);
        pairwise.resize(owned.pairwise.rows(), K * K);
        return evaluate(loss, OpenProblem<Chain<R>>{chain, restrict(chain, allowed.view(), storage)},
                        {unary, pairwise, owned.which}, on);
      };
      const double at = value();
      const auto all = enumerate(owned.view());
      const auto any = [](auto&) { return true; };
      if (const auto* l = std::get_if<LikelihoodLoss>(&loss)) {
        REQUIRE(at ==
                Approx(free_energy_of(all, l->beta, fits) - free_energy_of(all, l->beta, any)).margin(1e-10));
      } else {
        double right = kInfinity<double>, lowest = right;
        for (const auto& one : all) {
          lowest = std::min(lowest, one.energy);
          if (fits(one)) right = std::min(right, one.energy);
        }
        REQUIRE(at == Approx(right - lowest).margin(1e-10));
      }
      const TableBuffer<R> unary_gradient = unary, pairwise_gradient = pairwise;
      auto differences = [&](R& cell, double claimed) {
        const double h = 1e-6;
        const R kept = cell;
        cell = kept + h;
        const double up = value();
        cell = kept - h;
        const double down = value();
        cell = kept;
        REQUIRE((up - down) / (2 * h) == Approx(claimed).margin(1e-6));
      };
      for (Index i = 0; i < T * K; ++i) differences(owned.unary[0][i], unary_gradient[0][i]);
      for (Index i = 0; i < owned.pairwise.rows() * K * K; ++i)
        differences(owned.pairwise[0][i], pairwise_gradient[0][i]);
    }
  }
}

TEST_CASE("an open answer with nothing open costs what the answer costs", "[learning][partial]") {
  Rng rng(32);
  const auto owned = random_chain<double>(rng, {4, 3, 1});
  const std::vector<Label> y{2, 0, 1, 1};
  TableBuffer<std::uint8_t> allowed(4, 3);
  for (Index t = 0; t < 4; ++t) allowed[t][y[static_cast<std::size_t>(t)]] = 1;
  TableBuffer<double> storage, unary(4, 3), other(4, 3), pairs(1, 9), other_pairs(1, 9);
  for (const Loss& loss : {Loss{LikelihoodLoss{}}, Loss{PerceptronLoss{}}}) {
    Couplings<double> couplings;
    ChainOperations<double> on;
    on.couplings = &couplings;
    prepare(loss, owned.view().pairwise, 3, couplings);
    pairs.resize(1, 9), other_pairs.resize(1, 9);
    const double known = evaluate(loss, Problem<Chain<double>>{owned.view(), y}, {unary, pairs, {}}, on);
    const double open = evaluate(
        loss, OpenProblem<Chain<double>>{owned.view(), restrict(owned.view(), allowed.view(), storage)},
        {other, other_pairs, {}}, on);
    CHECK(open == Approx(known).margin(1e-12));
    for (Index i = 0; i < 12; ++i) CHECK(other[0][i] == Approx(unary[0][i]).margin(1e-12));
    for (Index i = 0; i < 9; ++i) CHECK(other_pairs[0][i] == Approx(pairs[0][i]).margin(1e-12));
  }
}

TEST_CASE("the batch objective of open answers is their sum, and its gradient the derivative",
          "[learning][partial]") {
  for (const char* templates : {"U1:%x[0,0]\nU2:%x[-1,0]\nB\n", "U1:%x[0,0]\nB1:%x[0,0]\nB\n"}) {
    FeatureOptions options = open_options();
    options.templates = templates;
    Examples e = learn_examples(opened(span_corpus(3, 25), 2, 0.4), options);
    prepare_model(e, 5);
    if (e.model.featurizer.pairs()) {
      e.model.pairs = observed_pairs(e.data, e.model.pair_attributes.size(), e.model.labels.size());
      Rng rng(7);
      while (std::ssize(e.model.weights) < e.model.features()) e.model.weights.push_back(0.5 * rng.normal());
    }
    const std::vector<double> w = e.model.weights;
    const FoldedAttributes folded =
        fold(e.data.attributes, e.model.attributes, e.model.featurizer.templates());
    LinearChain chain(e.model, &folded), plain(e.model);
    BatchObjective objective(chain, e.data, LikelihoodLoss{}, 0.3, 2);
    std::vector<double> gradient(w.size()), other(w.size());
    const double value = objective(w, gradient);
    double want = 0;
    for (double x : w) want += 0.3 * x * x;
    for (Index n = 0; n < e.data.size(); ++n) {
      ChainEnergies energies;
      const Chain<float> c = energies.of(plain, e.data, n, n + 1)[0];
      if (c.length() > 7) {
        TableBuffer<std::uint8_t> allowed;
        TableBuffer<float> storage;
        want += free_energy(restrict(c, e.data.allowed(n, c.labels(), allowed), storage)) - free_energy(c);
        continue;
      }
      const auto all = enumerate(c);
      want += free_energy_of(all, 1, [&](auto& l) { return fits(e.data, n, l.y, c.labels()); }) -
              free_energy_of(all, 1, [](auto&) { return true; });
    }
    CHECK(value == Approx(want).epsilon(1e-5));
    for (std::size_t f = 0; f < w.size(); f += 7) {
      std::vector<double> up = w, down = w;
      up[f] += 0.02, down[f] -= 0.02;
      const double slope = (objective(up, other) - objective(down, other)) / 0.04;
      REQUIRE(gradient[f] == Approx(slope).margin(5e-3).epsilon(2e-3));
    }
  }
}

TEST_CASE("features are observed with every label that a token may have", "[model][partial]") {
  Corpus corpus;
  corpus.add({{"a", "X"}, {"b", "Y|Z"}, {"c", "?"}, {"d", "Z"}});
  corpus.add({{"e", "Y"}});
  Examples e = learn_examples(corpus, {.templates = "U1:%x[0,0]\nB1:%x[-1,0]/%x[0,0]\nB\n", .partial = true});
  prepare_model(e, 1);
  const auto labels_of = [&](const char* attribute) {
    std::set<std::string> names;
    for (Label l : e.model.emissions.row(e.model.attributes.find(attribute)))
      names.emplace(e.model.labels.name(l));
    return names;
  };
  CHECK(labels_of("U1:a") == std::set<std::string>{"X"});
  CHECK(labels_of("U1:b") == std::set<std::string>{"Y", "Z"});
  CHECK(labels_of("U1:c") == std::set<std::string>{"X", "Y", "Z"});
  const Label x = e.model.labels.find("X"), y = e.model.labels.find("Y"), z = e.model.labels.find("Z");
  const auto follows = [&](Label i, Label j) {
    const auto row = e.model.transitions.row(i);
    return std::find(row.begin(), row.end(), j) != row.end();
  };
  CHECK(follows(x, y));
  CHECK(follows(x, z));
  CHECK(follows(y, x));
  CHECK(follows(z, z));
  CHECK_FALSE(follows(x, x));
  const FeatureIndex pairs = observed_pairs(e.data, e.model.pair_attributes.size(), 3);
  CHECK(pairs.row(e.model.pair_attributes.find("B1:a/b")).size() == 2);
  CHECK(pairs.row(e.model.pair_attributes.find("B1:b/c")).size() == 6);
  CHECK(pairs.row(e.model.pair_attributes.find("B1:c/d")).size() == 3);
}

TEST_CASE("data with nothing open train to the same bits with partial or without", "[learning][partial]") {
  const Corpus corpus = span_corpus(4, 60);
  for (const Solver solver :
       {Solver::ExponentiatedGradient, Solver::Lbfgs, Solver::Averaged, Solver::PassiveAggressive}) {
    const bool online = solver == Solver::Averaged || solver == Solver::PassiveAggressive;
    const TrainOptions options{
        .loss = online ? Loss{PerceptronLoss{}} : Loss{LikelihoodLoss{}}, .solver = solver, .iterations = 5};
    Examples plain = learn_examples(corpus, kSpanTemplates), open = learn_examples(corpus, open_options());
    CHECK(open.data.choices.empty());
    train_model(plain.model, plain.data, nullptr, options);
    train_model(open.model, open.data, nullptr, options);
    CHECK(plain.model.weights == open.model.weights);
  }
}

TEST_CASE("open answers are learnt from by every solver that can", "[learning][partial]") {
  const Corpus corpus = opened(span_corpus(4, 150), 3, 0.5);
  for (const Solver solver : {Solver::Auto, Solver::Averaged, Solver::PassiveAggressive}) {
    const bool online = solver != Solver::Auto;
    std::vector<double> first;
    for (const int threads : {1, 3}) {
      Examples e = learn_examples(corpus, open_options());
      const TrainSummary s = train_model(e.model, e.data, nullptr,
                                         {.loss = online ? Loss{PerceptronLoss{}} : Loss{LikelihoodLoss{}},
                                          .solver = solver,
                                          .iterations = online ? 8 : 0,
                                          .threads = threads});
      if (!online) CHECK(s.used == Solver::Lbfgs);
      if (first.empty()) first = e.model.weights;
      CHECK(e.model.weights == first);
      if (!online && threads == 1) {  // a stationary point
        const FoldedAttributes folded =
            fold(e.data.attributes, e.model.attributes, e.model.featurizer.templates());
        LinearChain chain(e.model, &folded);
        std::vector<double> gradient(first.size());
        BatchObjective(chain, e.data, LikelihoodLoss{}, 1, 1)(e.model.weights, gradient);
        for (double g : gradient) REQUIRE(std::abs(g) < 0.3);
      }
      // Tokens whose label was never open are told apart better than by chance.
      const Tagger tagger(e.model);
      const Corpus fresh = span_corpus(77, 100);
      Index right = 0, tokens = 0, outside = 0;
      for (Index n = 0; n < fresh.size(); ++n) {
        const auto labels = tagger.tag(fresh[n]);
        for (Index t = 0; t < fresh[n].size(); ++t, ++tokens)
          right += labels[t] == fresh[n].cell(t, 1), outside += fresh[n].cell(t, 1) == "O";
      }
      CHECK(right > 2 * outside);
      CHECK(2 * right > tokens);
    }
  }
}

TEST_CASE("open answers go with chains of second order", "[learning][partial]") {
  Examples e = learn_examples(opened(span_corpus(4, 60), 3, 0.3), open_options());
  train_model(e.model, e.data, nullptr, {.iterations = 8, .order = 2});
  REQUIRE_FALSE(e.model.contexts.empty());
  const std::vector<double> w = e.model.weights;
  LinearChain chain(e.model);
  BatchObjective objective(chain, e.data, LikelihoodLoss{}, 1, 1);
  std::vector<double> gradient(w.size()), other(w.size());
  objective(w, gradient);
  for (std::size_t f = 0; f < w.size(); f += 9) {
    std::vector<double> up = w, down = w;
    up[f] += 0.02, down[f] -= 0.02;
    const double slope = (objective(up, other) - objective(down, other)) / 0.04;
    REQUIRE(gradient[f] == Approx(slope).margin(5e-3).epsilon(2e-3));
  }
}

TEST_CASE("online learners mind only what is outside the set", "[learning][partial]") {
  Corpus corpus;
  corpus.add({{"a", "X|Y"}, {"b", "?"}, {"c", "?"}});
  corpus.add({{"d", "X"}, {"e", "Y"}, {"f", "Z"}});
  Examples e = learn_examples(corpus, open_options());
  prepare_model(e, 1);
  for (double& w : e.model.weights) w = 0;
  for (const bool pa : {false, true}) {
    OnlineLearner learner(e.model, e.data, {.passive_aggressive = pa});
    Index wrong = 1;
    for (int pass = 0; pass < 20 && wrong > 0; ++pass) wrong = learner.pass();
    CHECK(wrong == 0);
  }
}

TEST_CASE("eg is refused where answers are open", "[learning][partial]") {
  Examples e = learn_examples(opened(span_corpus(4, 20), 3, 0.5), open_options());
  const std::string said = message_of<OptionError>(
      [&] { train_model(e.model, e.data, nullptr, {.solver = Solver::ExponentiatedGradient}); });
  CHECK_THAT(said, ContainsSubstring("solver: "));
  CHECK_THAT(said, ContainsSubstring("not convex"));
}

TEST_CASE("sets that make no sense are named by file and line", "[pipeline][partial]") {
  const TemporaryFolder folder;
  const std::string path = folder / "train.txt";
  const auto error = [&](std::string_view text, const FeatureOptions& options = open_options()) {
    write_text(path, text);
    return message_of<InputError>([&] {
      Examples e = read_examples(path, options);
      train_model(e.model, e.data, nullptr, {});
    });
  };
  CHECK_THAT(error("a X\nb |Y\n"), ContainsSubstring("train.txt:2: the set of labels '|Y' has an empty one"));
  CHECK_THAT(error("a X\n\nb Y\nc X|\n"), ContainsSubstring("train.txt:4"));
  CHECK_THAT(error("a X\nb X||Y\n"), ContainsSubstring("train.txt:2"));
  CHECK_THAT(error("a NN\nb VB\nc NN|VBB\n"),
             ContainsSubstring("train.txt:3: no token has the label 'VBB' for itself; did you mean VB?"));
  CHECK_THAT(error("a ?\nb ?\n"), ContainsSubstring("every token is open"));
  CHECK_THAT(error("a X\nb ?\n"), ContainsSubstring("label X"));
  CHECK(error("a X\nb X|X|Y\nc Y\n") == "no error");
  // Without the option these are labels like others.
  write_text(path, "a X|Y\nb ?\n");
  const Examples plain = read_examples(path, kSpanTemplates);
  CHECK(plain.model.labels.find("X|Y") != kNoLabel);
  CHECK(plain.model.labels.find("?") != kNoLabel);

  FeatureOptions legal = open_options();
  legal.constraints.source = ConstraintOptions::Source::Spans;
  const std::string known = "a B-P\nb I-P\n\n";
  CHECK(error(known + "a O\nb I-P|B-Q\n\nc B-Q\nd ?\n\n", legal) == "no error");
  CHECK_THAT(error(known + "a O\nb I-P|I-Q\n\nc B-Q\nd I-Q\n\n", legal),
             ContainsSubstring("train.txt:5: what is open behind O is forbidden"));
  CHECK(error(known + "a O\nb ?\nd I-P\n", legal) == "no error");
  CHECK_THAT(error(known + "a O\nb O|B-Q\nd I-P\n\nc B-Q\n", legal),
             ContainsSubstring("train.txt:6: I-P behind what is open is forbidden"));
}

TEST_CASE("dropped sequences take their choices with them", "[features][partial]") {
  Corpus corpus;
  corpus.add({{"a", "X|Y"}, {"b", "X"}});
  corpus.add({{"c", "?"}});
  corpus.add({{"d", "Y"}, {"e", "?"}});
  Examples e = learn_examples(corpus, open_options());
  drop_sequences(e.data, std::vector<std::uint8_t>{1, 0, 0});
  TableBuffer<std::uint8_t> storage;
  const auto row = [&](Index n, Index t) {
    const auto table = e.data.allowed(n, 2, storage);
    return std::vector<int>(table[t], table[t] + 2);
  };
  CHECK(row(0, 0) == std::vector<int>{1, 1});
  CHECK(row(1, 0) == std::vector<int>{0, 1});
  CHECK(row(1, 1) == std::vector<int>{1, 1});
}
