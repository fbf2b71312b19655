#include <map>

#include "support/catch.h"
#include "support/small_corpus.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/io/atomic_file.h"
#include "thalweg/io/model_file.h"
#include "thalweg/learning/train.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

const char* const kTemplates = "U1:%x[0,0]\nU2:%x[-1,0]/%x[0,0]\nB\nB1:%x[1,0]\n";

using Weights = std::map<std::string, double>;

// Every weight under the names of what it belongs to.
Weights weights_by_name(const Model& m) {
  Weights found;
  std::size_t f = 0;
  const Label K = static_cast<Label>(m.labels.size());
  const auto label = [&](Label l) { return "/" + std::string(m.labels.name(l)); };
  const auto add = [&](const FeatureIndex& index, auto row_name, auto cell_name) {
    for (Index r = 0; r < index.rows(); ++r) {
      for (const Label l : index.row(r)) found[row_name(r) + cell_name(l)] = m.weights[f++];
    }
  };
  add(
      m.emissions, [&](Index a) { return std::string(m.attributes.name(static_cast<std::uint32_t>(a))); },
      label);
  add(
      m.transitions, [&](Index i) { return label(static_cast<Label>(i)); }, label);
  add(
      m.pairs, [&](Index b) { return std::string(m.pair_attributes.name(static_cast<std::uint32_t>(b))); },
      [&](Label pair) { return label(pair / K) + label(pair % K); });
  for (Index c = 0; c < m.contexts.next.rows(); ++c) {
    std::string string;
    for (const Label l : spell(m.contexts, c, K)) string += label(l);
    for (const Label l : m.contexts.next.row(c)) found["after" + string + label(l)] = m.weights[f++];
  }
  for (Index d = 0; d < m.vector_columns; ++d) {
    for (Label l = 0; l < K; ++l) found["v" + std::to_string(d) + label(l)] = m.weights[f++];
  }
  REQUIRE(f == m.weights.size());
  return found;
}

using Words = std::vector<std::pair<std::string, std::string>>;

struct Text {
  Corpus corpus;
  std::string vectors;  // a row for each token
  void add(const Words& words, const std::string& row) {
    for (const auto& [word, label] : words) {
      const std::string_view cells[] = {word, label};
      corpus.add_token(cells);
      vectors += row + "\n";
    }
    corpus.end_sentence();
  }
};

Examples learn(const Text& text, const TemporaryFolder& folder) {
  write_file(folder / "vectors", std::as_bytes(std::span(text.vectors)));
  return learn_examples(text.corpus, {.templates = kTemplates, .vectors = folder / "vectors"});
}

const Words kFirst{{"a", "X"}, {"b", "Y"}, {"c", "Z"}}, kSecond{{"b", "Y"}, {"a", "X"}},
    kThird{{"d", "Z"}, {"c", "Z"}, {"a", "X"}};

}  // namespace

TEST_CASE("weights go to the same names in another order, and what is new begins at 0", "[learning][warm]") {
  const TemporaryFolder folder;
  Text old;
  for (const Words& words : {kFirst, kSecond, kThird}) old.add(words, "0.5 -1");
  Examples first = learn(old, folder);
  train_model(first.model, first.data, nullptr, {.solver = Solver::Lbfgs, .c2 = 0.001, .order = 2});
  save_model(first.model, folder / "model");
  const Model start = load_model(folder / "model");
  const Weights before = weights_by_name(start);

  // New labels W and V and the attributes of new words, which nothing speaks about, so that the first label
  // wins; Z and its words are gone in the second.
  for (const bool dropped : {false, true}) {
    Text text;
    text.add({{"new", "W"}}, "0 0");
    text.add(kSecond, "0.5 -1");
    if (!dropped) text.add(kThird, "0.5 -1"), text.add(kFirst, "0.5 -1");
    Examples second = learn(text, folder);
    const TrainSummary s = train_model(second.model, second.data, nullptr,
                                       {.loss = PerceptronLoss{}, .order = 2, .init = &start});
    // All were right, so the weights are those it began with.
    REQUIRE(s.iterations == 1);
    REQUIRE(s.stopped == "no mistake in a pass");
    Index taken = 0;
    for (const auto& [name, weight] : weights_by_name(second.model)) {
      CAPTURE(name);
      const auto at = before.find(name);
      CHECK(weight == (at == before.end() ? 0.0 : at->second));
      taken += weight != 0;
    }
    CHECK(taken >= 10);
    CHECK((second.model.labels.find("Z") == kNoLabel) == dropped);
    CHECK(second.model.labels.find("W") == 0);
  }
}

TEST_CASE("a start from the optimum needs few iterations, with another label more, but fewer",
          "[learning][warm]") {
  const FeatureOptions templates{.templates = "U1:%x[0,0]\nU2:%x[-1,0]\nB\n"};
  Examples known = learn_examples(random_corpus(1, 300), templates);
  const TrainOptions options{.solver = Solver::Lbfgs, .c2 = 0.1};
  const TrainSummary cold = train_model(known.model, known.data, nullptr, options);
  const Model start = pruned(known.model);

  TrainOptions warm = options;
  warm.init = &start;
  Examples again = learn_examples(random_corpus(1, 300), templates);
  const TrainSummary same = train_model(again.model, again.data, nullptr, warm);
  CHECK(same.iterations <= 12);  // the test of convergence looks back over 10
  CHECK(same.objective == Approx(cold.objective).epsilon(1e-4));

  // The corpus again, and sentences with a label of their own.
  Corpus grown = random_corpus(1, 300);
  for (int n = 0; n < 20; ++n) grown.add({{"w3", "B-X"}, {"new", "B-NEW"}, {"w1", "O"}});
  Examples from_zero = learn_examples(grown, templates), from_old = learn_examples(grown, templates);
  const TrainSummary slow = train_model(from_zero.model, from_zero.data, nullptr, options);
  const TrainSummary fast = train_model(from_old.model, from_old.data, nullptr, warm);
  CHECK(fast.iterations < slow.iterations);
  CHECK(fast.objective == Approx(slow.objective).epsilon(1e-4));
}

TEST_CASE("online learners make fewer mistakes after a warm start", "[learning][warm]") {
  const FeatureOptions templates{.templates = "U1:%x[0,0]\nU2:%x[-1,0]\nB\n"};
  Examples known = learn_examples(random_corpus(1, 300), templates);
  train_model(known.model, known.data, nullptr, {.c2 = 0.1});
  for (const Solver solver : {Solver::Averaged, Solver::PassiveAggressive}) {
    const auto mistakes = [&](const Model* init) {
      Examples e = learn_examples(random_corpus(2, 100), templates);
      return train_model(e.model, e.data, nullptr,
                         {.loss = PerceptronLoss{}, .solver = solver, .iterations = 1, .init = init})
          .objective;
    };
    CHECK(mistakes(&known.model) < 0.9 * mistakes(nullptr));
  }
}

TEST_CASE("numbers of hashed attributes mean nothing in a model of another size", "[learning][warm]") {
  const auto learn_hashed = [](int bits) {
    return learn_examples(random_corpus(1, 50), {.templates = "U1:%x[0,0]\nB\n", .hash_bits = bits});
  };
  Examples hashed = learn_hashed(10), same = learn_hashed(10), other = learn_hashed(11),
           named = learn_hashed(0);
  train_model(hashed.model, hashed.data, nullptr, {});
  const TrainOptions warm{.init = &hashed.model};
  CHECK(train_model(same.model, same.data, nullptr, warm).iterations <= 12);
  CHECK_THROWS_WITH(train_model(other.model, other.data, nullptr, warm),
                    ContainsSubstring("init: ") && ContainsSubstring("--hash-bits 10"));
  CHECK_THROWS_AS(train_model(named.model, named.data, nullptr, warm), OptionError);
}
