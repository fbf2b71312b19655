#include <cmath>
#include <fstream>

#include "support/catch.h"
#include "support/message.h"
#include "support/span_corpus.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/chain.h"
#include "thalweg/io/checkpoint_file.h"
#include "thalweg/learning/batch_objective.h"
#include "thalweg/learning/class_weights.h"
#include "thalweg/learning/exponentiated_gradient.h"
#include "thalweg/learning/online_learner.h"
#include "thalweg/learning/train.h"
#include "thalweg/pipeline/tagger.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

void write_text(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

// Sentence n counts 1 + n % 3 times: by its weight, or in so many copies.
Corpus repeated(const Corpus& corpus, bool copies) {
  Corpus out;
  for (Index n = 0; n < corpus.size(); ++n) {
    for (Index copy = 0; copy < (copies ? 1 + n % 3 : 1); ++copy) {
      for (Index t = 0; t < corpus[n].size(); ++t) {
        const std::string_view cells[] = {corpus[n].cell(t, 0), corpus[n].cell(t, 1)};
        out.add_token(cells);
      }
      out.end_sentence(copies ? 1 : 1 + static_cast<double>(n % 3));
    }
  }
  return out;
}

struct Pair {
  Examples weighted;
  Dataset copies;  // by the same numbers
  explicit Pair(const Corpus& corpus, bool partial = false) {
    FeatureOptions options = kSpanTemplates;
    options.partial = partial;
    weighted = learn_examples(repeated(corpus, false), options);
    const Corpus all = repeated(corpus, true);
    FeatureScratch scratch;
    for (Index n = 0; n < all.size(); ++n)
      learn_sentence(weighted.model.featurizer, all[n], weighted.model.attributes, weighted.model.labels,
                     scratch, copies, partial);
  }
};

double weight_of(const Model& m, const char* attribute, const char* label) {
  const auto row = m.attributes.find(attribute);
  for (Index f = m.emissions.offsets[row]; f < static_cast<Index>(m.emissions.offsets[row + 1]); ++f) {
    if (m.emissions.labels[f] == m.labels.find(label)) return m.weights[f];
  }
  return 0;
}

// Words a to j, each a name one time in five: a plain classifier never finds any.
Corpus rare_names(std::uint64_t seed, Index sentences, Index length) {
  Rng rng(seed);
  Corpus corpus;
  for (Index n = 0; n < sentences; ++n) {
    for (Index t = 0; t < length; ++t) {
      const char word = static_cast<char>('a' + rng.below(10));
      const std::string_view cells[] = {{&word, 1}, rng.below(10) < (word < 'c' ? 4u : 1u) ? "N" : "O"};
      corpus.add_token(cells);
    }
    corpus.end_sentence();
  }
  return corpus;
}

}  // namespace

TEST_CASE("a weight is as good as copies: the same objective and gradient", "[learning][weights]") {
  Corpus open;
  const Corpus known = span_corpus(3, 40);
  for (Index n = 0; n < known.size(); ++n) {
    for (Index t = 0; t < known[n].size(); ++t) {
      const std::string_view cells[] = {known[n].cell(t, 0),
                                        n % 2 == 1 && t == 1 ? std::string_view("?") : known[n].cell(t, 1)};
      open.add_token(cells);
    }
    open.end_sentence();
  }
  for (const bool partial : {false, true}) {
    Pair p(partial ? open : known, partial);
    Model& m = p.weighted.model;
    CHECK(p.weighted.data.total_weight() == static_cast<double>(p.copies.size()));
    m.emissions = all_features(m.attributes.size(), m.labels.size());
    m.transitions = all_features(m.labels.size(), m.labels.size());
    Rng rng(4);
    for (Index f = 0; f < m.features(); ++f)
      m.weights.push_back(static_cast<double>(static_cast<float>(rng.normal())));
    for (const Loss& loss : {Loss{LikelihoodLoss{0.7}}, Loss{PerceptronLoss{}}}) {
      std::vector<double> g(m.weights.size()), want(g.size());
      const FoldedAttributes one = fold(p.weighted.data.attributes, m.attributes, m.featurizer.templates());
      const FoldedAttributes many = fold(p.copies.attributes, m.attributes, m.featurizer.templates());
      LinearChain chain(m, &one), other(m, &many);
      const double value = BatchObjective(chain, p.weighted.data, loss, 0.5, 2)(m.weights, g);
      CHECK(value == Approx(BatchObjective(other, p.copies, loss, 0.5, 2)(m.weights, want)).epsilon(1e-6));
      for (std::size_t f = 0; f < g.size(); ++f) REQUIRE(g[f] == Approx(want[f]).margin(2e-4));
    }
  }
}

TEST_CASE("lbfgs and eg reach the optimum of the copies", "[learning][weights]") {
  const Corpus corpus = span_corpus(5, 60);
  for (const double beta : {1.0, 0.5}) {
    Examples copies = learn_examples(repeated(corpus, true), kSpanTemplates);
    const LikelihoodLoss loss{beta};
    const double optimum =
        train_model(copies.model, copies.data, nullptr, {.loss = loss, .solver = Solver::Lbfgs}).objective;
    for (const Solver solver : {Solver::Lbfgs, Solver::ExponentiatedGradient}) {
      Examples e = learn_examples(repeated(corpus, false), kSpanTemplates);
      double last = -kInfinity<double>;
      const TrainSummary s = train_model(e.model, e.data, nullptr, {.loss = loss, .solver = solver},
                                         [&](const TrainProgress& p) {
                                           if (std::isfinite(p.dual)) CHECK(p.dual >= last - 1e-6 * optimum);
                                           if (std::isfinite(p.dual)) last = p.dual;
                                           return true;
                                         });
      CHECK(s.objective == Approx(optimum).epsilon(3e-5));
      if (solver == Solver::ExponentiatedGradient) {
        CHECK(s.stopped == "the gap to the optimum is small enough");
        CHECK(s.dual <= optimum * (1 + 1e-6));
      }
      for (const char* label : {"B-P", "I-P", "B-Q", "I-Q", "O"}) {
        CHECK(weight_of(e.model, "U1:a", label) ==
              Approx(weight_of(copies.model, "U1:a", label)).margin(0.02));
      }
    }
  }
}

TEST_CASE("weights that are all 1 change nothing", "[learning][weights]") {
  for (const Solver solver :
       {Solver::ExponentiatedGradient, Solver::Lbfgs, Solver::Averaged, Solver::PassiveAggressive}) {
    const bool online = solver == Solver::Averaged || solver == Solver::PassiveAggressive;
    const TrainOptions options{
        .loss = online ? Loss{PerceptronLoss{}} : Loss{LikelihoodLoss{}}, .solver = solver, .iterations = 5};
    Examples plain = learn_examples(span_corpus(4, 60), kSpanTemplates), ones = plain;
    ones.data.weights.assign(static_cast<std::size_t>(ones.data.size()), 1.0);
    train_model(plain.model, plain.data, nullptr, options);
    train_model(ones.model, ones.data, nullptr, options);
    CHECK(plain.model.weights == ones.model.weights);
  }
}

TEST_CASE("dual weights that are refreshed are those that weighted visits moved", "[learning][weights]") {
  Examples e = learn_examples(repeated(span_corpus(6, 50), false), kSpanTemplates);
  Model& m = e.model;
  const Index K = static_cast<Index>(m.labels.size());
  m.emissions = observed_features(transpose(e.data.attributes, m.attributes.size()), e.data, K);
  m.transitions = observed_transitions(e.data, K);
  m.weights.assign(static_cast<std::size_t>(m.features()), 0.0);
  ExponentiatedGradient learner(m, e.data, {}, 0.5, 4);
  const FoldedAttributes folded = fold(e.data.attributes, m.attributes, m.featurizer.templates());
  const LinearChain whole(m, &folded);
  std::vector<double> moved(m.weights.size()), summed(moved.size());
  for (int pass = 0; pass < 3; ++pass) {
    learner.pass();
    learner.weights(moved);
    const double before = learner.dual();
    learner.refresh(whole, summed, 2);
    for (std::size_t f = 0; f < moved.size(); ++f) REQUIRE(moved[f] == Approx(summed[f]).margin(2e-4));
    CHECK(learner.dual() == Approx(before).epsilon(1e-4));
  }
}

TEST_CASE("online steps are as long as the weight says", "[learning][weights]") {
  Corpus corpus;
  corpus.add({{"a", "X"}, {"b", "Y"}});
  Examples one = learn_examples(corpus, kSpanTemplates);
  Model& m = one.model;
  m.emissions = all_features(m.attributes.size(), m.labels.size());
  m.transitions = all_features(m.labels.size(), m.labels.size());
  Rng rng(3);
  for (Index f = 0; f < m.features(); ++f) m.weights.push_back(0);
  m.weights[static_cast<std::size_t>(m.emissions.offsets[m.attributes.find("U1:a")] + m.labels.find("Y"))] =
      1e-3;
  for (const bool pa : {false, true}) {
    const OnlineOptions options{.passive_aggressive = pa, .aggressiveness = 1e-2};
    const auto change = [&](double weight) {
      Dataset data = one.data;
      data.weights = {weight};
      OnlineLearner learner(m, data, options);
      REQUIRE(learner.pass() > 0);
      std::vector<double> by = learner.average();
      for (std::size_t f = 0; f < by.size(); ++f) by[f] -= m.weights[f];
      return by;
    };
    const auto single = change(1), triple = change(3);
    for (std::size_t f = 0; f < single.size(); ++f) REQUIRE(triple[f] == Approx(3 * single[f]).margin(1e-6));
  }
}

TEST_CASE("a passive-aggressive step leaves its margin under class weights, too", "[learning][weights]") {
  Corpus corpus;
  corpus.add({{"a", "X"}, {"b", "Y"}, {"a", "X"}});
  Examples e = learn_examples(corpus, kSpanTemplates);
  Model& m = e.model;
  m.emissions = all_features(m.attributes.size(), m.labels.size());
  m.transitions = all_features(m.labels.size(), m.labels.size());
  for (Index f = 0; f < m.features(); ++f) m.weights.push_back(-0.125 * static_cast<double>(f % 3));
  e.data.class_weights = {4, 1};
  const std::vector<float> raised = class_handicaps(e.data, 1);
  LinearChain chain(m);
  chain.raise(raised);
  TableBuffer<float> unary;
  const auto table = [&](std::span<const double> w) {
    chain.assign(w);
    chain.unary({e.data.sequences, &e.data.attributes}, unary.resize(3, 2));
    return Chain<float>{unary, chain.pairwise(), {}};
  };
  const std::vector<Label> mistake = minimize(table(m.weights)).labels;
  double wrong = 0;
  for (std::size_t t = 0; t < 3; ++t) wrong += mistake[t] != e.data.answer(0)[t];
  REQUIRE(wrong > 0);
  OnlineLearner learner(m, e.data, {.passive_aggressive = true, .aggressiveness = 100});
  learner.pass();
  std::vector<double> after = learner.average();  // half way
  for (std::size_t f = 0; f < after.size(); ++f) after[f] += after[f] - m.weights[f];
  const Chain<float> c = table(after);
  CHECK(energy<float>(c, mistake) - energy<float>(c, e.data.answer(0)) ==
        Approx(std::sqrt(wrong)).epsilon(1e-4));
}

TEST_CASE("a constrained and weighted training that goes on gets where it would have",
          "[learning][weights][resume]") {
  const TemporaryFolder folder;
  FeatureOptions features = kSpanTemplates;
  features.constraints.source = ConstraintOptions::Source::Spans;
  features.class_weights = "B-P 3\n";
  for (const Solver solver : {Solver::ExponentiatedGradient, Solver::Lbfgs, Solver::PassiveAggressive}) {
    const bool online = solver == Solver::PassiveAggressive;
    TrainOptions options{.loss = online ? Loss{PerceptronLoss{}} : Loss{LikelihoodLoss{}},
                         .solver = solver,
                         .gap = 0,
                         .iterations = 6};
    Examples whole = learn_examples(repeated(span_corpus(12, 50), false), features), again = whole;
    train_model(whole.model, whole.data, nullptr, options, [&](const TrainProgress& p) {
      if (p.iteration == 3) save_checkpoint(p.state(), folder / "state");
      return true;
    });
    const TrainState kept = load_checkpoint(folder / "state");
    options.resume = &kept;
    Examples other = again;
    train_model(again.model, again.data, nullptr, options);
    CHECK(again.model.weights == whole.model.weights);
    other.data.weights[0] = 7;
    CHECK_THROWS_WITH(train_model(other.model, other.data, nullptr, options),
                      ContainsSubstring("other training data"));
  }
}

TEST_CASE("class weights are listed by name", "[learning][weights]") {
  Vocabulary labels;
  for (const char* name : {"X", "Y", "Z"}) labels.add(name);
  CHECK(listed_class_weights("# rare\nX 4\n\nZ\t0.5\r\n", "w", labels) == std::vector<double>{4, 1, 0.5});
  const auto error = [&](std::string_view text) {
    return message_of<InputError>([&] { listed_class_weights(text, "w.txt", labels); });
  };
  CHECK_THAT(error("X 1\nY 0\n"),
             ContainsSubstring("w.txt:2: the weight '0' is not a finite number above 0"));
  CHECK_THAT(error("X -1"), ContainsSubstring("w.txt:1"));
  CHECK_THAT(error("X nan"), ContainsSubstring("not a finite number"));
  CHECK_THAT(error("X inf"), ContainsSubstring("not a finite number"));
  CHECK_THAT(error("X"), ContainsSubstring("write it like"));
  CHECK_THAT(error("X 1 2"), ContainsSubstring("write it like"));
  CHECK_THAT(error("X 1\nX 2"), ContainsSubstring("w.txt:2: 'X' is listed twice"));
  CHECK_THAT(error("W 1"), ContainsSubstring("is no label"));
  Examples e = learn_examples(span_corpus(4, 10), kSpanTemplates);
  e.data.class_weights = {1, 2};
  CHECK_THROWS_AS(train_model(e.model, e.data, nullptr, {}), InputError);
  e.data.class_weights = {1, 2, 3, 4, 0};
  CHECK_THROWS_AS(train_model(e.model, e.data, nullptr, {}), InputError);
}

TEST_CASE("class weights raise the energies of training by their logarithms", "[learning][weights]") {
  for (const double beta : {1.0, 0.5}) {
    Examples e = learn_examples(span_corpus(5, 60), kSpanTemplates);
    e.data.class_weights = {1, 3, 0.5, 8, 1};
    REQUIRE(e.model.labels.size() == 5);
    const LikelihoodLoss loss{beta};
    Model best = e.model;
    const double optimum =
        train_model(best, e.data, nullptr, {.loss = loss, .solver = Solver::Lbfgs}).objective;
    // The same by hand: what the weights found cost when every energy is raised.
    LinearChain chain(best);
    double want = 0;
    for (double w : best.weights) want += w * w;
    for (Index n = 0; n < e.data.size(); ++n) {
      ChainEnergies energies;
      const Chain<float> c = energies.of(chain, e.data, n, n + 1)[0];
      TableBuffer<float> unary(c.length(), 5);
      for (Index t = 0; t < c.length(); ++t) {
        for (Index l = 0; l < 5; ++l)
          unary[t][l] = c.unary[t][l] + static_cast<float>(std::log(e.data.class_weights[l]) / beta);
      }
      const Chain<float> raised{unary.view(), c.pairwise, {}};
      want += energy<float>(raised, e.data.answer(n)) - free_energy(raised, beta);
    }
    CHECK(optimum == Approx(want).epsilon(1e-5));

    double last = -kInfinity<double>;
    const TrainSummary s =
        train_model(e.model, e.data, nullptr, {.loss = loss, .solver = Solver::ExponentiatedGradient},
                    [&](const TrainProgress& p) {
                      CHECK(p.dual >= last - 1e-6 * optimum);
                      last = p.dual;
                      return true;
                    });
    CHECK(s.stopped == "the gap to the optimum is small enough");
    CHECK(s.objective == Approx(optimum).epsilon(3e-5));
    CHECK(s.dual <= optimum * (1 + 1e-6));
  }
}

TEST_CASE("a class weight multiplies odds, and so buys recall of its label for precision",
          "[learning][weights]") {
  const Corpus fresh = rare_names(92, 200, 6);
  for (const Index length : {Index{1}, Index{6}}) {
    for (const Solver solver : {Solver::Lbfgs, Solver::ExponentiatedGradient}) {
      double last_recall = -1, last_precision = 2;
      for (const double weight : {1.0, 4.0, 40.0}) {
        FeatureOptions options{.templates = "U1:%x[0,0]\n"};
        options.class_weights = "N " + std::to_string(weight);
        Examples e = learn_examples(rare_names(91, 3000 / length, length), options);
        train_model(e.model, e.data, nullptr, {.solver = solver, .c2 = 0.1});
        const Tagger tagger(e.model);
        double right = 0, gold = 0, said = 0;
        for (Index n = 0; n < fresh.size(); ++n) {
          const auto labels = tagger.tag(fresh[n]);
          for (Index t = 0; t < fresh[n].size(); ++t) {
            const bool is = fresh[n].cell(t, 1) == "N", says = labels[static_cast<std::size_t>(t)] == "N";
            // The odds are 4 to 6 for a and b, and 1 to 9 for the others.
            const double p = fresh[n].cell(t, 0) < "c" ? 0.4 : 0.1;
            REQUIRE(says == (weight * p > 1 - p));
            gold += is, said += says, right += is && says;
          }
        }
        const double recall = right / gold, precision = said > 0 ? right / said : 1;
        CHECK(recall > last_recall + 0.2 * (last_recall >= 0));
        CHECK(precision < last_precision);
        last_recall = recall, last_precision = precision;
      }
      CHECK(last_recall == 1);
    }
  }
}

TEST_CASE("a weight stands above its sentence", "[io][weights]") {
  const TemporaryFolder folder;
  const std::string path = folder / "train.txt";
  FeatureOptions options = kSpanTemplates;
  options.instance_weights = true;
  const auto read = [&](std::string_view text, Format format = Format::Columns) {
    write_text(path, text);
    options.format = format;
    if (format == Format::Attributes) options.templates.clear();
    return read_examples(path, options);
  };
  const auto error = [&](std::string_view text) { return message_of<InputError>([&] { read(text); }); };
  const Examples e = read("a X\nb Y\n\n# weight 2.5\nc X\n\n# a note\n# weight\t0.5 \n# and more\nd Y\n");
  CHECK(e.data.weights == std::vector<double>{1, 2.5, 0.5});
  CHECK(e.data.lines == std::vector<std::uint64_t>{1, 5, 10});
  CHECK(read("a X\nb Y\n\nc X\n").data.weights.empty());
  // Three cells a token: the line is no token all the same, at the start of the file neither.
  const Examples three = read("# weight 3\na b X\n\n# weight 4\nc d Y\n");
  CHECK(three.data.weights == std::vector<double>{3, 4});
  CHECK(three.data.positions() == 2);
  CHECK(read("# weight 7\nX\ta\nY\tb\n\nX\ta\n", Format::Attributes).data.weights ==
        std::vector<double>{7, 1});
  options = kSpanTemplates, options.instance_weights = true;
  CHECK_THAT(error("a X\n\n# weight 0\nb Y\n"),
             ContainsSubstring("train.txt:3: the weight '0' is not a finite number above 0"));
  CHECK_THAT(error("# weight -2\na X\n"), ContainsSubstring("train.txt:1"));
  CHECK_THAT(error("# weight two\na X\n"), ContainsSubstring("'two'"));
  CHECK_THAT(error("# weight\na X\n"), ContainsSubstring("train.txt:1"));
  CHECK_THAT(error("# weight nan\na X\n"), ContainsSubstring("train.txt:1"));
  CHECK_THAT(error("# weight 1e999\na X\n"), ContainsSubstring("train.txt:1"));
  CHECK_THAT(error("# weight 1\n# weight 2\na X\n"), ContainsSubstring("train.txt:2: a second weight"));
  CHECK_THAT(error("a X\n\n# weight 2\n\nb Y\n"),
             ContainsSubstring("train.txt:3: a weight without a sentence"));
  // Without the option it is a comment.
  write_text(path, "a X\n\n# weight 2\nb Y\n");
  CHECK(read_examples(path, kSpanTemplates).data.weights.empty());
  const Corpus corpus = read_corpus(path, Format::Columns, true);
  CHECK(corpus[1].note().weight == 2);
  CHECK(corpus.total_weight() == 3);
  CHECK(learn_examples(corpus, kSpanTemplates).data.weights == std::vector<double>{1, 2});
  Corpus bad;
  CHECK_THROWS_AS(bad.end_sentence(0), InputError);
}
