#include <cmath>
#include <fstream>
#include <set>
#include <utility>

#include "support/catch.h"
#include "support/enumerate.h"
#include "support/message.h"
#include "support/span_corpus.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/io/model_file.h"
#include "thalweg/io/model_text.h"
#include "thalweg/learning/batch_objective.h"
#include "thalweg/learning/evaluate.h"
#include "thalweg/learning/legality.h"
#include "thalweg/learning/train.h"
#include "thalweg/pipeline/explanation.h"
#include "thalweg/pipeline/spans.h"
#include "thalweg/pipeline/tagger.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

Vocabulary vocabulary(std::initializer_list<std::string_view> names) {
  Vocabulary labels;
  for (std::string_view name : names) labels.add(name);
  return labels;
}

using Pairs = std::set<std::pair<std::string, std::string>>;

// What is legal, with ^ and $ for the ends.
Pairs legal(const Vocabulary& labels, const Constraints& constraints) {
  Pairs found;
  const auto name = [&](Label l, const char* end) {
    return l < labels.size() ? std::string(labels.name(l)) : std::string(end);
  };
  for (Label i = 0; i <= labels.size(); ++i) {
    for (Label j = 0; j <= labels.size(); ++j) {
      if (i + j < 2 * labels.size() && constraints.allows(i, j)) found.emplace(name(i, "^"), name(j, "$"));
    }
  }
  return found;
}

Examples constrained(const Corpus& corpus) {
  FeatureOptions options = kSpanTemplates;
  options.constraints.source = ConstraintOptions::Source::Spans;
  return learn_examples(corpus, options);
}

bool is_legal(std::span<const Label> y, const Constraints& constraints) {
  Label before = constraints.boundary();
  for (Label l : y) {
    if (!constraints.allows(std::exchange(before, l), l)) return false;
  }
  return constraints.allows(before, constraints.boundary());
}

void write_text(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

Sentence words(Corpus& corpus, std::string_view letters) {
  for (const char& c : letters) {
    const std::string_view cell(&c, 1);
    corpus.add_token(std::span(&cell, 1));
  }
  corpus.end_sentence();
  return corpus[corpus.size() - 1];
}

}  // namespace

TEST_CASE("what spans allow is derived from the labels", "[learning][constraints]") {
  const Vocabulary bio = vocabulary({"O", "B-P", "I-P", "I-Q", "B-Q"});
  CHECK(legal(bio, span_constraints(bio)) ==
        Pairs{{"^", "O"},     {"^", "B-P"},   {"^", "B-Q"},   {"O", "O"},     {"O", "B-P"},   {"O", "B-Q"},
              {"O", "$"},     {"B-P", "O"},   {"B-P", "B-P"}, {"B-P", "I-P"}, {"B-P", "B-Q"}, {"B-P", "$"},
              {"I-P", "O"},   {"I-P", "B-P"}, {"I-P", "I-P"}, {"I-P", "B-Q"}, {"I-P", "$"},   {"B-Q", "O"},
              {"B-Q", "B-P"}, {"B-Q", "I-Q"}, {"B-Q", "B-Q"}, {"B-Q", "$"},   {"I-Q", "O"},   {"I-Q", "B-P"},
              {"I-Q", "I-Q"}, {"I-Q", "B-Q"}, {"I-Q", "$"}});
  const Vocabulary bioes = vocabulary({"S-P", "B-P", "I-P", "E-P", "E-Q", "O"});
  CHECK(legal(bioes, span_constraints(bioes)) ==
        Pairs{{"^", "S-P"},   {"^", "B-P"},   {"^", "O"},     {"S-P", "S-P"}, {"S-P", "B-P"}, {"S-P", "O"},
              {"S-P", "$"},   {"B-P", "I-P"}, {"B-P", "E-P"}, {"I-P", "I-P"}, {"I-P", "E-P"}, {"E-P", "S-P"},
              {"E-P", "B-P"}, {"E-P", "O"},   {"E-P", "$"},   {"E-Q", "S-P"}, {"E-Q", "B-P"}, {"E-Q", "O"},
              {"E-Q", "$"},   {"O", "S-P"},   {"O", "B-P"},   {"O", "O"},     {"O", "$"}});
  CHECK(span_constraints(vocabulary({"NN", "VB"})).empty());
  CHECK(span_constraints(vocabulary({"B-P", "O"})).empty());  // BIO without I: nothing can be wrong
}

TEST_CASE("a list forbids what it names, and errors name its line", "[learning][constraints]") {
  const Vocabulary labels = vocabulary({"NN", "VB", "DT"});
  const Constraints c =
      listed_constraints("# no verb behind an article\nDT\tVB\n\n<s>   VB\r\nDT </s>", "f", labels);
  CHECK(c.forbidden() == 3);
  CHECK_FALSE(c.allows(2, 1));
  CHECK_FALSE(c.allows(c.boundary(), 1));
  CHECK_FALSE(c.allows(2, c.boundary()));
  CHECK(listed_constraints("# nothing\n", "f", labels).empty());
  const auto error = [&](std::string_view text) {
    return message_of<InputError>([&] { listed_constraints(text, "forbid.txt", labels); });
  };
  CHECK_THAT(error("NN VB\nNN VV\n"), ContainsSubstring("forbid.txt:2: 'VV' is no label"));
  CHECK_THAT(error("NN VV\n"), ContainsSubstring("did you mean VB?"));
  CHECK_THAT(error("NN\n"), ContainsSubstring("forbid.txt:1: 1 label, 2 expected"));
  CHECK_THAT(error("NN VB DT"), ContainsSubstring("3 labels, 2 expected"));
  CHECK_THAT(error("</s> NN"), ContainsSubstring("forbid.txt:1"));
  CHECK_THAT(error("NN <s>"), ContainsSubstring("'<s>' is no label"));
}

TEST_CASE("the constrained likelihood is that of the legal labellings alone", "[learning][constraints]") {
  const Examples e = constrained(span_corpus(3, 25));
  Model m = e.model;
  const Index K = static_cast<Index>(m.labels.size());
  m.emissions = observed_features(transpose(e.data.attributes, m.attributes.size()), e.data.labels, K);
  m.transitions = all_features(K, K);  // weights of what is forbidden must not matter
  m.weights.resize(static_cast<std::size_t>(m.features()));
  Rng rng(5);
  for (double& w : m.weights) w = static_cast<double>(static_cast<float>(rng.normal()));
  Model free = m;
  free.constraints = {};
  const FoldedAttributes folded = fold(e.data.attributes, m.attributes, m.featurizer.templates());
  LinearChain chain(m, &folded), unconstrained(free);
  for (const Loss& loss : {Loss{LikelihoodLoss{}}, Loss{LikelihoodLoss{0.5}}, Loss{PerceptronLoss{}}}) {
    BatchObjective objective(chain, e.data, loss, 0, 2);
    std::vector<double> gradient(m.weights.size());
    const double value = objective(m.weights, gradient);
    double want = 0;
    for (Index n = 0; n < e.data.size(); ++n) {
      if (e.data.sequences[n + 1] - e.data.sequences[n] > 6) continue;
      ChainEnergies energies;
      const auto all = enumerate(energies.of(unconstrained, e.data, n, n + 1)[0]);
      const auto ok = [&](auto& l) { return is_legal(l.y, m.constraints); };
      double low = kInfinity<double>;
      for (const auto& l : all) low = ok(l) ? std::min(low, l.energy) : low;
      const auto* likelihood = std::get_if<LikelihoodLoss>(&loss);
      want -= likelihood ? free_energy_of(all, likelihood->beta, ok) : low;
      const auto y = e.data.answer(n);
      for (const auto& l : all) {
        if (std::ranges::equal(l.y, y)) want += l.energy;
      }
    }
    // Long sentences are many labellings: leave them to the others.
    for (Index n = 0; n < e.data.size(); ++n) {
      if (e.data.sequences[n + 1] - e.data.sequences[n] <= 6) continue;
      ChainEnergies energies;
      const Chain<float> c = energies.of(chain, e.data, n, n + 1)[0];
      Couplings<float> couplings;
      ChainOperations<float> on;
      on.couplings = &couplings;
      prepare(loss, c.pairwise, K, couplings);
      TableBuffer<float> unary(c.length(), K), pairwise(1, K * K);
      want += evaluate(loss, Problem<Chain<float>>{c, e.data.answer(n)}, {unary, pairwise, {}}, on);
    }
    CHECK(value == Approx(want).epsilon(1e-5));
    if (std::holds_alternative<PerceptronLoss>(loss)) continue;
    std::vector<double> other(gradient.size());
    for (std::size_t f = 0; f < gradient.size(); f += 5) {
      std::vector<double> up = m.weights, down = m.weights;
      up[f] += 0.02, down[f] -= 0.02;
      const double slope = (objective(up, other) - objective(down, other)) / 0.04;
      REQUIRE(gradient[f] == Approx(slope).margin(5e-3).epsilon(2e-3));
    }
  }
}

TEST_CASE("the dual under constraints meets the optimum of L-BFGS with a certificate",
          "[learning][constraints]") {
  for (const bool bioes : {false, true}) {
    for (const double c2 : {3.0, 0.3}) {
      for (const bool all : {false, true}) {
        Examples e = constrained(span_corpus(4, 120, bioes));
        Model best = e.model;
        const double optimum =
            train_model(best, e.data, nullptr, {.solver = Solver::Lbfgs, .c2 = c2, .all_features = all})
                .objective;
        double last = -kInfinity<double>;
        const TrainSummary s =
            train_model(e.model, e.data, nullptr,
                        {.solver = Solver::ExponentiatedGradient, .c2 = c2, .all_features = all},
                        [&](const TrainProgress& p) {
                          CHECK(p.dual >= last - 1e-6 * optimum);
                          last = p.dual;
                          return true;
                        });
        CHECK(s.stopped == "the gap to the optimum is small enough");
        CHECK(s.dual <= optimum * (1 + 1e-6));
        CHECK(s.objective >= optimum * (1 - 2e-5));
        CHECK(s.objective - s.dual <= 1e-5 * s.objective);
      }
    }
  }
}

TEST_CASE("no solver's model ever answers with what is forbidden", "[learning][constraints]") {
  const Corpus fresh = span_corpus(99, 60);
  for (const bool bioes : {false, true}) {
    for (const Solver solver :
         {Solver::ExponentiatedGradient, Solver::Lbfgs, Solver::Averaged, Solver::PassiveAggressive}) {
      const bool online = solver == Solver::Averaged || solver == Solver::PassiveAggressive;
      Examples e = constrained(span_corpus(6, 80, bioes));
      const Constraints constraints = e.model.constraints;
      REQUIRE(constraints.forbidden() > 0);
      train_model(e.model, e.data, nullptr,
                  {.loss = online ? Loss{PerceptronLoss{}} : Loss{LikelihoodLoss{}},
                   .solver = solver,
                   .iterations = 4});
      Model free = e.model;
      free.constraints = {};
      const Tagger tagger(pruned(e.model)), unconstrained(free);
      Decoder decoder(tagger), loose(unconstrained);
      std::vector<Minimum> best;
      Index broken = 0;
      for (Index n = 0; n < fresh.size(); ++n) {
        decoder.read(fresh[n]), loose.read(fresh[n]);
        REQUIRE(is_legal(decoder.minimize(), constraints));
        broken += !is_legal(loose.minimize(), constraints);
        decoder.k_lowest(5, best);
        for (const Minimum& m : best) REQUIRE(is_legal(m.labels, constraints));
        decoder.free_energy();
        const Table<const float> p = decoder.marginals();
        for (Label l = 0; l < constraints.boundary(); ++l) {
          if (!constraints.allows(constraints.boundary(), l)) REQUIRE(p[0][l] == 0);
        }
      }
      CHECK(broken > 0);  // it is the constraints that do it
    }
  }
}

TEST_CASE("constraints hold in chains of second order", "[learning][constraints]") {
  Examples e = constrained(span_corpus(6, 80));
  const TrainSummary s = train_model(e.model, e.data, nullptr, {.c2 = 0.3, .order = 2});
  REQUIRE_FALSE(e.model.contexts.empty());
  CHECK(s.objective > 0);
  const Tagger tagger(pruned(e.model));
  Model free = e.model;
  free.constraints = {};
  const Tagger unconstrained(free);
  Decoder decoder(tagger), loose(unconstrained);
  std::vector<Minimum> best;
  const Corpus fresh = span_corpus(97, 60);
  for (Index n = 0; n < fresh.size(); ++n) {
    if (fresh[n].size() > 6) continue;
    decoder.read(fresh[n]), loose.read(fresh[n]);
    const auto legal = [&](const Labelling& l) { return is_legal(l.y, e.model.constraints); };
    const auto all = enumerate(loose.chain());
    REQUIRE(decoder.free_energy() == Approx(free_energy_of(all, 1, legal)).epsilon(1e-5));
    decoder.k_lowest(4, best);
    for (const Minimum& m : best) REQUIRE(is_legal(m.labels, e.model.constraints));
    double low = kInfinity<double>;
    for (const Labelling& l : all) low = legal(l) ? std::min(low, l.energy) : low;
    decoder.minimize();
    REQUIRE(decoder.energy() == Approx(low).epsilon(1e-5));
  }
}

TEST_CASE("explanations and span probabilities keep to what is legal", "[pipeline][constraints]") {
  Examples e = constrained(span_corpus(7, 80));
  train_model(e.model, e.data, nullptr, {.c2 = 0.3});
  const Constraints constraints = e.model.constraints;
  const Tagger tagger(e.model);
  Explainer explainer(tagger);
  const Corpus fresh = span_corpus(98, 20);
  for (Index n = 0; n < fresh.size(); ++n) {
    explainer.read(fresh[n]);
    for (Index t = 0; t < fresh[n].size(); ++t) {
      const Explanation one = explainer.explain(t);
      REQUIRE(is_legal(one.best, constraints));
      if (one.runner_up.empty()) continue;
      REQUIRE(is_legal(one.runner_up, constraints));
      double sum = one.rounding;
      for (const Factor& f : one.factors) sum += f.difference();
      REQUIRE(std::isfinite(one.margin));
      REQUIRE(sum == Approx(one.margin).margin(1e-9));
      REQUIRE(std::abs(one.rounding) < 1e-4);
    }
    for (const ProbableSpan& s : decode_spans(tagger, fresh[n])) {
      REQUIRE(s.probability > 0);
      REQUIRE(s.probability <= 1);
    }
  }
}

TEST_CASE("a sentence without a legal labelling is an outcome that says so", "[pipeline][constraints]") {
  Examples e = learn_examples(span_corpus(8, 40), kSpanTemplates);
  e.model.constraints = Constraints(static_cast<Index>(e.model.labels.size()));
  train_model(e.model, e.data, nullptr, {.iterations = 3});
  const Label boundary = e.model.constraints.boundary();
  for (Label l = 0; l < boundary; ++l) e.model.constraints.forbid(l, l == 0 ? boundary : Label{0});
  // Only label 0 may not end a sentence: one-token sentences of it alone are lost when nothing else may
  // start.
  for (Label l = 1; l < boundary; ++l) e.model.constraints.forbid(boundary, l);
  const Tagger tagger(e.model);
  Corpus corpus;
  words(corpus, "a"), words(corpus, "abc");
  Decoder decoder(tagger);
  decoder.read(corpus[0]);
  CHECK(decoder.minimize().empty());
  CHECK(decoder.energy() == kInfinity<double>);
  CHECK(decoder.free_energy() == kInfinity<double>);
  std::vector<Minimum> best;
  decoder.k_lowest(3, best);
  CHECK(best.empty());
  CHECK(tagger.tag(corpus[0]).empty());
  CHECK(decode_spans(tagger, corpus[0]).empty());
  CHECK(explain(tagger, corpus[0], 0).best.empty());
  decoder.read(corpus[1]);
  CHECK(is_legal(decoder.minimize(), e.model.constraints));
  CHECK(tagger.tag(corpus[1]).size() == 3);
}

TEST_CASE("on a development set a sentence without a legal labelling is wrong", "[learning][constraints]") {
  Corpus corpus, single;
  for (int i = 0; i < 20; ++i) corpus.add({{"a", "O"}, {"b", "B-P"}});
  single.add({{"a", "O"}});
  single.add({{"a", "O"}, {"b", "B-P"}});
  FeatureOptions options = kSpanTemplates;
  options.constraints = {ConstraintOptions::Source::Listed, "<s> B-P\nO </s>\n", "list", false};
  Examples e = learn_examples(corpus, options);
  const DevelopmentSet dev{look_up_dataset(single, e.model.featurizer, e.model.attributes, e.model.labels),
                           e.model.labels};
  double accuracy = 0;
  train_model(e.model, e.data, &dev, {}, [&](const TrainProgress& p) {
    accuracy = p.dev_accuracy;
    return true;
  });
  CHECK(accuracy == Approx(100 * 2 / 3.0));
}

TEST_CASE("training data that break the constraints are named, or left out", "[pipeline][constraints]") {
  const TemporaryFolder folder;
  const std::string path = folder / "train.txt";
  FeatureOptions options = kSpanTemplates;
  options.constraints.source = ConstraintOptions::Source::Spans;
  const auto error = [&](std::string_view text) {
    write_text(path, text);
    return message_of<InputError>([&] { read_examples(path, options); });
  };
  CHECK_THAT(error("a B-P\nb I-P\n\na O\nb I-P\n"),
             ContainsSubstring("train.txt:5: I-P behind O is forbidden"));
  CHECK_THAT(error("a B-P\n\n# a note\nb I-P\na O\n"),
             ContainsSubstring("train.txt:4: I-P at the start of a sentence is forbidden"));
  CHECK_THAT(error("a S-P\n\nb B-P\na E-P\n\na B-P\n"),
             ContainsSubstring("train.txt:6: B-P at the end of a sentence is forbidden"));
  CHECK_THAT(error("a NN\nb VB\n"), ContainsSubstring("neither BIO nor BIOES"));

  write_text(path, "a O\nb B-P\nc I-P\n\nx O\ny I-P\n\nd B-P\n");
  options.constraints.skip_illegal = true;
  const Examples e = read_examples(path, options);
  CHECK(e.skipped == 1);
  CHECK(e.data.sequences == std::vector<Index>{0, 3, 4});
  CHECK(e.data.lines == std::vector<std::uint64_t>{1, 8});
  CHECK(e.model.attributes.find("U1:d") != Vocabulary::kUnknown);
  CHECK(e.model.attributes.find("U1:x") == Vocabulary::kUnknown);
  // The same as without that sentence.
  write_text(path, "a O\nb B-P\nc I-P\n\nd B-P\n");
  const Examples want = read_examples(path, options);
  CHECK(e.data.attributes.columns == want.data.attributes.columns);
  CHECK(e.data.labels == want.data.labels);
  CHECK(read_corpus(path, Format::Columns)[1].note().line == 5);
}

TEST_CASE("data from memory are named by sentence and token", "[learning][constraints]") {
  Examples e = constrained(span_corpus(9, 5));
  Corpus bad;
  bad.add({{"a", "O"}});
  bad.add({{"a", "O"}, {"b", "I-P"}});
  const Dataset data = look_up_dataset(bad, e.model.featurizer, e.model.attributes, e.model.labels);
  CHECK_THAT(message_of<InputError>([&] { train_model(e.model, data, nullptr, {}); }),
             ContainsSubstring("sentence 2, token 2: I-P behind O is forbidden"));
}

TEST_CASE("dropping sequences takes all that is theirs", "[features]") {
  Corpus corpus;
  corpus.add({{"a", "X"}, {"b", "Y"}});
  corpus.add({{"c", "X"}});
  corpus.add({{"b", "Y"}, {"c", "X"}, {"a", "Y"}});
  const FeatureOptions options{.templates = "U:%x[0,0]\nB1:%x[-1,0]/%x[0,0]\nB\n"};
  Examples e = learn_examples(corpus, options);
  e.data.vector_columns = 2;
  for (int i = 0; i < 12; ++i) e.data.vectors.push_back(static_cast<float>(i));
  e.data.lines = {1, 4, 6}, e.data.source = "f";
  const Dataset before = e.data;
  drop_sequences(e.data, std::vector<std::uint8_t>{0, 1, 0});
  CHECK(e.data.sequences == std::vector<Index>{0, 2, 5});
  CHECK(e.data.lines == std::vector<std::uint64_t>{1, 6});
  CHECK(place(e.data, 1, 2) == "f:8");
  CHECK(e.data.vectors == std::vector<float>{0, 1, 2, 3, 6, 7, 8, 9, 10, 11});
  for (Index p = 0; p < 5; ++p) {
    const Index old = p < 2 ? p : p + 1;
    CHECK(e.data.labels[p] == before.labels[old]);
    CHECK(std::ranges::equal(e.data.attributes.row(p), before.attributes.row(old)));
    if (p == 1 || p == 4) continue;
    CHECK(std::ranges::equal(e.data.pairs.rows().row(e.data.pairs.which()[p]),
                             before.pairs.rows().row(before.pairs.which()[old])));
  }
}

TEST_CASE("constraints are part of a model's file and text, and verified", "[io][constraints]") {
  Examples e = constrained(span_corpus(10, 30));
  train_model(e.model, e.data, nullptr, {.iterations = 3});
  const TemporaryFolder folder;
  save_model(e.model, folder / "m");
  CHECK(load_model(folder / "m").constraints == e.model.constraints);
  const std::string text = model_text(e.model);
  CHECK_THAT(text, ContainsSubstring("[forbidden]\n"));
  CHECK_THAT(text, ContainsSubstring("\n\\<s>\tI-P\n"));
  CHECK_THAT(text, ContainsSubstring("\nO\tI-P\n"));
  const auto parse = [](std::string_view t) { return read_model_text(TextReader::of_memory(t, "m.txt")); };
  CHECK(model_bytes(parse(text)) == model_bytes(e.model));
  CHECK(model_text(parse(text)) == text);

  const auto broken = [&](std::string_view from, std::string_view to) {
    std::string other = text;
    other.replace(other.find(from), from.size(), to);
    return message_of<InputError>([&] { parse(other); });
  };
  CHECK_THAT(broken("\nO\tI-P\n", "\nO\tI-R\n"), ContainsSubstring("is no label"));
  CHECK_THAT(broken("\nO\tI-P\n", "\nO\n"), ContainsSubstring("1 fields, 2 expected"));
  CHECK_THAT(broken("\nO\tI-P\n", "\nO\tI-P\nO\tI-P\n"), ContainsSubstring("forbidden twice"));
  CHECK_THAT(broken("[forbidden]\n", "[forbidden]\n[forbidden]\n"),
             ContainsSubstring("nothing is forbidden"));

  // A label with the name of an end is not the end.
  Model odd;
  odd.featurizer = Featurizer::of_attributes();
  odd.labels = vocabulary({"<s>", "</s>"});
  odd.emissions = {{0}, {}}, odd.transitions = {{0, 0, 0}, {}};
  odd.constraints = Constraints(2);
  odd.constraints.forbid(0, 1), odd.constraints.forbid(2, 0), odd.constraints.forbid(1, 2);
  CHECK(parse(model_text(odd)).constraints == odd.constraints);

  const auto damaged = [&](std::vector<std::uint8_t> table, Index labels) {
    Model bad = e.model;
    bad.constraints = Constraints(labels, table);
    save_model(bad, folder / "bad");
    return message_of<ModelError>([&] { load_model(folder / "bad"); });
  };
  const Index K = static_cast<Index>(e.model.labels.size());
  std::vector<std::uint8_t> table(static_cast<std::size_t>((K + 1) * (K + 1)), 1);
  table[3] = 2;
  CHECK_THAT(damaged(table, K), ContainsSubstring("'legal': holds a number that is neither 0 nor 1"));
  CHECK_THAT(damaged(std::vector<std::uint8_t>(static_cast<std::size_t>(K * K), 1), K - 1),
             ContainsSubstring("legal"));
}
