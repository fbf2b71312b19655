#include <cmath>

#include "support/catch.h"
#include "support/enumerate.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/chain.h"
#include "thalweg/learning/batch_objective.h"
#include "thalweg/learning/evaluate.h"
#include "thalweg/learning/exponentiated_gradient.h"
#include "thalweg/learning/online_learner.h"
#include "thalweg/learning/train.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

// A language in which a word's label depends on itself and on the label before: learnable, not trivial.
Corpus small_corpus(std::uint64_t seed, Index sentences) {
  Rng rng(seed);
  Corpus corpus;
  const std::vector<std::string> words{"a", "b", "c", "d", "e"}, labels{"X", "Y", "Z"};
  for (Index n = 0; n < sentences; ++n) {
    std::size_t before = 0;
    const std::uint64_t length = 1 + rng.below(6);
    for (std::uint64_t t = 0; t < length; ++t) {
      const std::size_t word = rng.below(5);
      before = rng.below(8) == 0 ? rng.below(3) : (word + before) % 3;
      const std::string_view cells[] = {words[word], labels[before]};
      corpus.add_token(cells);
    }
    corpus.end_sentence();
  }
  return corpus;
}

const FeatureOptions kTemplates{.templates = "U1:%x[0,0]\nU2:%x[-1,0]\nU3:%x[-1,0]/%x[0,0]\nB\n"};

struct Prepared {
  Examples examples;
  explicit Prepared(Index sentences = 40) : Prepared(small_corpus(5, sentences)) {}
  explicit Prepared(const Corpus& corpus) : examples(learn_examples(corpus, kTemplates)) {
    Model& m = examples.model;
    const Index K = static_cast<Index>(m.labels.size());
    m.emissions =
        observed_features(transpose(examples.data.attributes, m.attributes.size()), examples.data.labels, K);
    m.transitions = observed_transitions(examples.data, K);
    m.weights.assign(static_cast<std::size_t>(m.features()), 0.0);
  }
};

}  // namespace

TEMPLATE_TEST_CASE("losses and their gradients agree with enumeration and differences", "[learning]",
                   double) {
  using R = TestType;
  Rng rng(21);
  for (const Loss& loss : {Loss{LikelihoodLoss{}}, Loss{LikelihoodLoss{0.6}}, Loss{PerceptronLoss{}}}) {
    for (int round = 0; round < 20; ++round) {
      const Index T = 1 + static_cast<Index>(rng.below(4)), K = 2 + static_cast<Index>(rng.below(2));
      auto owned = random_chain<R>(rng, {T, K, round % 2 ? 2 : 1});
      std::vector<Label> y;
      for (Index t = 0; t < T; ++t) y.push_back(static_cast<Label>(rng.below(static_cast<std::uint64_t>(K))));
      Couplings<R> couplings;
      ChainOperations<R> on;
      on.couplings = &couplings;
      TableBuffer<R> unary(T, K), pairwise(owned.pairwise.rows(), K * K);
      auto value = [&] {
        prepare(loss, owned.view().pairwise, K, couplings);
        pairwise.resize(owned.pairwise.rows(), K * K);
        return evaluate(loss, Problem<Chain<R>>{owned.view(), y}, {unary, pairwise, owned.which}, on);
      };
      const double at = value();
      const auto all = enumerate(owned.view());
      const double right = energy<R>(owned.view(), y);
      double want;
      if (const auto* l = std::get_if<LikelihoodLoss>(&loss)) {
        want = right - free_energy_of(all, l->beta, [](auto&) { return true; });
      } else {
        want = right - std::min_element(all.begin(), all.end(), [](auto& a, auto& b) {
                         return a.energy < b.energy;
                       })->energy;
      }
      REQUIRE(at == Approx(want).margin(1e-10));
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
      for (Index i = 0; i < owned.pairwise.rows() * K * K; ++i) {
        differences(owned.pairwise[0][i], pairwise_gradient[0][i]);
      }
    }
  }
}

TEST_CASE("a forbidden right answer costs infinity", "[learning]") {
  std::vector<float> unary{0, kInfinity<float>}, gradient(2);
  Couplings<float> couplings;
  couplings.prepare_sums({}, 2, 1.f);
  ChainOperations<float> on;
  on.couplings = &couplings;
  const Chain<float> chain{{unary.data(), 1, 2}, {}, {}};
  const std::vector<Label> y{1};
  CHECK(evaluate(Loss{LikelihoodLoss{}}, Problem<Chain<float>>{chain, y}, {{gradient.data(), 1, 2}, {}, {}},
                 on) == kInfinity<double>);
}

TEST_CASE("the batch objective is the sum over sentences, and its gradient the derivative",
          "[learning][kernels]") {
  Prepared p;
  const FoldedAttributes folded =
      fold(p.examples.data.attributes, p.examples.model.attributes, p.examples.model.featurizer.templates());
  LinearChain chain(p.examples.model, &folded), plain(p.examples.model);
  BatchObjective objective(chain, p.examples.data, LikelihoodLoss{}, 0.3, 1);
  Rng rng(6);
  std::vector<double> w(p.examples.model.weights.size()), gradient(w.size());
  for (double& x : w) x = static_cast<double>(static_cast<float>(rng.normal()));
  const double value = objective(w, gradient);

  plain.assign(w);
  double want = 0;
  for (double x : w) want += 0.3 * x * x;
  for (Index n = 0; n < p.examples.data.size(); ++n) {
    const Block block{std::span(p.examples.data.sequences).subspan(n, 2), &p.examples.data.attributes};
    TableBuffer<float> unary(block.positions(), plain.labels());
    plain.unary(block, unary);
    const Chain<float> c{unary.view(), plain.pairwise(), {}};
    want += energy<float>(c, p.examples.data.answer(n)) -
            free_energy_of(enumerate(c), 1, [](auto&) { return true; });
  }
  CHECK(value == Approx(want).epsilon(1e-6));

  // Energies are float, so a difference needs a step that rounding does not drown.
  std::vector<double> other(w.size());
  for (std::size_t f = 0; f < w.size(); f += 3) {
    std::vector<double> up = w, down = w;
    up[f] += 0.02, down[f] -= 0.02;
    const double slope = (objective(up, other) - objective(down, other)) / 0.04;
    REQUIRE(gradient[f] == Approx(slope).margin(5e-3).epsilon(2e-3));
  }
}

TEST_CASE("the same bits for any number of threads", "[learning][threads]") {
  const Corpus corpus = small_corpus(7, 3000);
  for (const Solver solver :
       {Solver::ExponentiatedGradient, Solver::Lbfgs, Solver::Averaged, Solver::PassiveAggressive}) {
    const bool online = solver == Solver::Averaged || solver == Solver::PassiveAggressive;
    const Loss loss = online ? Loss{PerceptronLoss{}} : Loss{LikelihoodLoss{}};
    std::vector<double> first;
    for (int threads : {1, 2, 3, 8}) {
      Examples e = learn_examples(corpus, kTemplates);
      train_model(e.model, e.data, nullptr,
                  {.loss = loss, .solver = solver, .iterations = 6, .threads = threads});
      if (first.empty()) first = e.model.weights;
      REQUIRE(e.model.weights == first);
    }
  }
}

TEST_CASE("training reaches a stationary point and learns the language", "[learning]") {
  Examples e = learn_examples(small_corpus(8, 400), kTemplates);
  Index calls = 0;
  const TrainSummary s = train_model(e.model, e.data, nullptr, {.solver = Solver::Lbfgs, .c2 = 0.5},
                                     [&](const TrainProgress& p) {
                                       CHECK(p.iteration == ++calls);
                                       return true;
                                     });
  CHECK(calls == s.iterations);
  // Going on from there gains nothing to speak of.
  Model again = e.model;
  const TrainSummary more = train_model(again, e.data, nullptr, {.c2 = 0.5, .init = &e.model});
  CHECK(more.objective <= s.objective * (1 + 1e-7));
  CHECK(more.objective > s.objective * (1 - 1e-4));
  const Tagger tagger(pruned(e.model));
  Index right = 0, all = 0;
  const Corpus fresh = small_corpus(9, 200);
  for (Index n = 0; n < fresh.size(); ++n) {
    const auto labels = tagger.tag(fresh[n]);
    for (Index t = 0; t < fresh[n].size(); ++t, ++all) right += labels[t] == fresh[n].cell(t, 1);
  }
  CHECK(static_cast<double>(right) / static_cast<double>(all) > 0.6);
}

TEST_CASE("the dual never falls, and the optimum lies between it and the objective", "[learning][kernels]") {
  for (const double c2 : {10.0, 1.0, 0.3}) {
    for (const double beta : {1.0, 0.5}) {
      const LikelihoodLoss loss{beta};
      Examples e = learn_examples(small_corpus(8, 150), kTemplates);
      Model best = e.model;
      const double optimum =
          train_model(best, e.data, nullptr, {.loss = loss, .solver = Solver::Lbfgs, .c2 = c2}).objective;

      double last = -kInfinity<double>;
      const TrainSummary s = train_model(e.model, e.data, nullptr, {.loss = loss, .c2 = c2, .gap = 1e-5},
                                         [&](const TrainProgress& p) {
                                           CHECK(p.dual >= last - 1e-6 * optimum);
                                           last = p.dual;
                                           return true;
                                         });
      CHECK(s.used == Solver::ExponentiatedGradient);
      CHECK(s.stopped == "the gap to the optimum is small enough");
      CHECK(s.dual <= optimum * (1 + 1e-6));
      CHECK(s.objective >= optimum * (1 - 2e-5));
      CHECK(s.objective - s.dual <= 1e-5 * s.objective);
      const FoldedAttributes folded =
          fold(e.data.attributes, e.model.attributes, e.model.featurizer.templates());
      LinearChain chain(e.model, &folded);
      std::vector<double> gradient(e.model.weights.size());
      CHECK(BatchObjective(chain, e.data, loss, c2, 1)(e.model.weights, gradient) == Approx(s.objective));
    }
  }
}

TEST_CASE("refreshed dual weights are those that the visits moved", "[learning]") {
  Prepared p(80);
  ExponentiatedGradient learner(p.examples.model, p.examples.data, {}, 0.5, 4);
  const FoldedAttributes folded =
      fold(p.examples.data.attributes, p.examples.model.attributes, p.examples.model.featurizer.templates());
  const LinearChain whole(p.examples.model, &folded);
  std::vector<double> moved(p.examples.model.weights.size()), summed(moved.size());
  for (int pass = 0; pass < 3; ++pass) {
    learner.pass();
    learner.weights(moved);
    const double before = learner.dual();
    learner.refresh(whole, summed, 2);
    for (std::size_t f = 0; f < moved.size(); ++f) REQUIRE(moved[f] == Approx(summed[f]).margin(1e-4));
    CHECK(learner.dual() == Approx(before).epsilon(1e-4));
  }
}

TEST_CASE("an optimum without a dual, or too slow on it, is left to L-BFGS", "[learning]") {
  Examples e = learn_examples(small_corpus(8, 60), kTemplates);
  const auto used = [&](const TrainOptions& o) {
    Model m = e.model;
    return train_model(m, e.data, nullptr, o).used;
  };
  CHECK(used({}) == Solver::ExponentiatedGradient);
  CHECK(used({.c2 = 0, .c1 = 1}) == Solver::Lbfgs);
  CHECK(used({.c2 = 1, .c1 = 1}) == Solver::Lbfgs);
  CHECK(used({.c2 = 1e-7}) == Solver::Lbfgs);
}

TEST_CASE("an L1 penalty makes most weights exactly 0 and satisfies its conditions", "[learning]") {
  Examples e = learn_examples(small_corpus(8, 200), kTemplates);
  const TrainSummary s = train_model(e.model, e.data, nullptr, {.c2 = 0, .c1 = 2});
  const auto zeros = std::count(e.model.weights.begin(), e.model.weights.end(), 0.0);
  CHECK(zeros > s.features / 4);
  CHECK(zeros < s.features);
  const FoldedAttributes folded = fold(e.data.attributes, e.model.attributes, e.model.featurizer.templates());
  LinearChain chain(e.model, &folded);
  BatchObjective objective(chain, e.data, LikelihoodLoss{}, 0, 1);
  std::vector<double> g(e.model.weights.size());
  objective(e.model.weights, g);
  for (std::size_t f = 0; f < g.size(); ++f) {
    const double w = e.model.weights[f];
    if (w == 0) REQUIRE(std::abs(g[f]) <= 2 + 0.1);
    if (w != 0) REQUIRE(g[f] == Approx(w > 0 ? -2 : 2).margin(0.1));
  }
}

TEST_CASE("the averaged perceptron is the average of what Collins' algorithm passes through", "[learning]") {
  Prepared p(30);
  const Model& m = p.examples.model;
  const Dataset& data = p.examples.data;
  OnlineLearner fast(m, data, {.seed = 3});
  // The same in the plainest way: every weight vector kept and averaged, decoding by enumeration.
  Rng rng(3);
  std::vector<Index> order(static_cast<std::size_t>(data.size()));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
  std::vector<double> w(m.weights.size(), 0.0), sum(w.size(), 0.0);
  double steps = 1;  // the start counts as the first
  Index wrong = 0, fast_wrong = 0;
  auto add = [&](Index n, std::span<const Label> y, double by) {
    for (std::size_t t = 0; t < y.size(); ++t) {
      auto bump = [&](const FeatureIndex& index, Index row, Index offset) {
        for (Index f = index.offsets[row]; f < static_cast<Index>(index.offsets[row + 1]); ++f) {
          if (index.labels[f] == y[t]) w[offset + f] += by;
        }
      };
      for (auto a : data.attributes.row(data.sequences[n] + static_cast<Index>(t))) bump(m.emissions, a, 0);
      if (t > 0) bump(m.transitions, y[t - 1], m.emissions.features());
    }
  };
  LinearChain chain(m);
  for (int pass = 0; pass < 3; ++pass) {
    rng.shuffle(std::span(order));
    for (Index n : order) {
      chain.assign(w);
      const Block block{std::span(data.sequences).subspan(n, 2), &data.attributes};
      TableBuffer<float> unary(block.positions(), chain.labels());
      chain.unary(block, unary);
      const Chain<float> c{unary.view(), chain.pairwise(), {}};
      const auto y = minimize(c).labels;
      const auto answer = data.answer(n);
      Index here = 0;
      for (std::size_t t = 0; t < y.size(); ++t) here += y[t] != answer[t];
      if (here > 0) add(n, answer, 1), add(n, y, -1);
      wrong += here;
      for (std::size_t f = 0; f < w.size(); ++f) sum[f] += w[f];
      ++steps;
    }
    fast_wrong += fast.pass();
  }
  CHECK(wrong == fast_wrong);
  const auto average = fast.average();
  for (std::size_t f = 0; f < w.size(); ++f) REQUIRE(average[f] == Approx(sum[f] / steps).margin(1e-6));
}

TEST_CASE("a passive-aggressive step leaves the margin it was made for, and no longer one", "[learning]") {
  Corpus one;
  one.add({{"a", "X"}, {"b", "Y"}, {"a", "Z"}, {"c", "X"}});
  Prepared p(one);
  const Dataset& data = p.examples.data;
  const auto answer = data.answer(0);
  for (const double aggressiveness : {1e-3, 100.0}) {
    Model m = p.examples.model;
    // The answer's own features speak against it, so there is a mistake.
    for (std::size_t f = 0; f < m.weights.size(); ++f)
      m.weights[f] = -0.25 - 0.125 * static_cast<double>(f % 3);
    LinearChain chain(m);
    const auto table = [&](std::span<const double> w, TableBuffer<float>& unary) {
      chain.assign(w);
      chain.unary({data.sequences, &data.attributes}, unary.resize(data.positions(), chain.labels()));
      return Chain<float>{unary, chain.pairwise(), {}};
    };
    TableBuffer<float> unary;
    const std::vector<Label> mistake = minimize(table(m.weights, unary)).labels;
    double wrong = 0;
    for (std::size_t t = 0; t < mistake.size(); ++t) wrong += mistake[t] != answer[t];
    REQUIRE(wrong > 0);
    const auto gap = [&](std::span<const double> w) {
      const auto c = table(w, unary);
      return energy<float>(c, mistake) - energy<float>(c, answer);
    };
    OnlineLearner learner(m, data, {.passive_aggressive = true, .aggressiveness = aggressiveness});
    learner.pass();
    // After one step the average stands half way.
    std::vector<double> after = learner.average();
    double length = 0;
    for (std::size_t f = 0; f < after.size(); ++f) {
      after[f] += after[f] - m.weights[f];
      length += (after[f] - m.weights[f]) * (after[f] - m.weights[f]);
    }
    const double rise = gap(after) - gap(m.weights);  // tau |d|^2, and length = tau^2 |d|^2
    if (aggressiveness > 1) CHECK(gap(after) == Approx(std::sqrt(wrong)).epsilon(1e-4));
    if (aggressiveness < 1) CHECK(length / rise == Approx(aggressiveness).epsilon(1e-3));
  }
}

TEST_CASE("training starts from another model by name", "[learning]") {
  Examples first = learn_examples(small_corpus(8, 300), kTemplates);
  const TrainSummary cold = train_model(first.model, first.data, nullptr, {.solver = Solver::Lbfgs});
  Examples second = learn_examples(small_corpus(8, 300), kTemplates);
  const Model start = pruned(first.model);
  const TrainSummary warm = train_model(second.model, second.data, nullptr, {.init = &start});
  CHECK(warm.iterations < cold.iterations / 2);
  CHECK(warm.objective == Approx(cold.objective).epsilon(1e-4));
}

TEST_CASE("a development set keeps the best and stops early", "[learning]") {
  Examples e = learn_examples(small_corpus(8, 60), kTemplates);
  DevelopmentSet dev{
      look_up_dataset(small_corpus(11, 60), e.model.featurizer, e.model.attributes, e.model.labels),
      e.model.labels};
  std::vector<double> f1;
  const TrainSummary s =
      train_model(e.model, e.data, &dev, {.c2 = 0.0001, .patience = 3}, [&](const TrainProgress& p) {
        f1.push_back(p.dev_f1);
        return true;
      });
  REQUIRE(s.best_iteration >= 1);
  CHECK(s.iterations <= s.best_iteration + 3);
  const double best = *std::max_element(f1.begin(), f1.end());
  CHECK(f1[s.best_iteration - 1] == best);
  CHECK(s.dev_f1 == best);

  // Patience runs out just so many iterations behind the best.
  Index later = 0;
  for (const Index patience : {1, 2, 3, 5}) {
    Model model = e.model;
    const TrainSummary stopped =
        train_model(model, e.data, &dev, {.solver = Solver::Lbfgs, .c2 = 0.0001, .patience = patience});
    if (stopped.stopped != "nothing better on the development set") continue;
    CHECK(stopped.iterations == stopped.best_iteration + patience);
    later += stopped.best_iteration > 1;
  }
  CHECK(later > 0);
}

TEST_CASE("as many passes as asked for are made, whatever the solver would have gone on with", "[learning]") {
  Examples e = learn_examples(small_corpus(8, 60), kTemplates);
  const TrainSummary s = train_model(e.model, e.data, nullptr, {.gap = 0.0, .iterations = 2});
  CHECK(s.used == Solver::ExponentiatedGradient);
  CHECK(s.iterations == 2);
  CHECK(s.stopped == "all passes made");
}

TEST_CASE("options that mean nothing are named", "[learning]") {
  Examples e = learn_examples(small_corpus(8, 10), kTemplates);
  auto fails = [&](const TrainOptions& o, const char* where) {
    Model m = e.model;
    try {
      train_model(m, e.data, nullptr, o);
      FAIL("accepted " << where);
    } catch (const OptionError& error) {
      CHECK(error.where() == where);
      CHECK_FALSE(error.mend().empty());
    }
  };
  fails({.c2 = -1}, "c2");
  fails({.c2 = std::nan("")}, "c2");
  fails({.c1 = -1}, "c1");
  fails({.iterations = -1}, "iterations");
  fails({.patience = 0}, "patience");
  fails({.threads = 0}, "threads");
  fails({.loss = LikelihoodLoss{0}}, "beta");
  fails({.loss = PerceptronLoss{}, .solver = Solver::Lbfgs}, "solver");
  fails({.loss = HingeLoss{0}}, "margin");
  fails({.loss = HingeLoss{}, .solver = Solver::BlockFrankWolfe}, "solver");
  fails({.loss = StructuredHingeLoss{}, .solver = Solver::BlockFrankWolfe, .c2 = 0}, "solver");
  fails({.loss = StructuredHingeLoss{}, .solver = Solver::CuttingPlane, .order = 2}, "solver");
  fails({.loss = HingeLoss{}, .solver = Solver::Lbfgs}, "solver");
  fails({.loss = MeeLoss{}, .solver = Solver::ExponentiatedGradient}, "solver");
  fails({.loss = PerceptronLoss{}, .c1 = 1}, "c1");
  fails({.solver = Solver::Averaged}, "solver");
  fails({.solver = Solver::PassiveAggressive}, "solver");
  fails({.aggressiveness = 0}, "aggressiveness");
  fails({.gap = -1}, "gap");
  fails({.solver = Solver::ExponentiatedGradient, .c2 = 0}, "solver");
  fails({.solver = Solver::ExponentiatedGradient, .c1 = 1}, "solver");
}

TEST_CASE("every smooth loss trains a tagger", "[learning][losses]") {
  Rng rng(8);
  Corpus corpus;
  const std::vector<std::string_view> words{"a", "b", "c", "d"}, labels{"X", "Y", "Z", "X"};
  for (Index n = 0; n < 40; ++n) {
    for (int t = 0; t < 6; ++t) {
      const std::size_t word = rng.below(4);
      const std::string_view cells[] = {words[word], labels[word]};
      corpus.add_token(cells);
    }
    corpus.end_sentence();
  }
  for (std::string_view one : loss_names()) {
    const Loss loss = loss_named(one);
    if (!is_smooth(loss)) continue;
    INFO(one);
    const Tagger tagger(
        train(corpus, {.loss = loss, .c2 = 0.01, .iterations = 60}, {.templates = "U:%x[0,0]\nB\n"}));
    Index right = 0, all = 0;
    for (Index n = 0; n < corpus.size(); ++n) {
      const auto tags = tagger.tag(corpus[n]);
      for (Index t = 0; t < corpus[n].size(); ++t, ++all) right += tags[t] == corpus[n].cell(t, 1);
    }
    CHECK(static_cast<double>(right) / static_cast<double>(all) == 1.0);
  }
}

TEST_CASE("nothing to learn is an error that says so", "[learning]") {
  Corpus one;
  one.add({{"a", "X"}, {"b", "X"}});
  CHECK_THROWS_WITH(train(one), ContainsSubstring("every token has the label X"));
  Corpus empty;
  CHECK_THROWS_AS(train(empty), InputError);
  Corpus unlabelled;
  unlabelled.add({{"a"}, {"b"}});
  CHECK_THROWS_WITH(train(unlabelled), ContainsSubstring("one column"));
}
