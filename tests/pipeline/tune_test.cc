#include "thalweg/pipeline/tune.h"

#include <cmath>
#include <map>

#include "support/catch.h"
#include "support/small_corpus.h"
#include "thalweg/core/error.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

const FeatureOptions kFeatures{.templates = "U1:%x[0,0]\nU2:%x[-1,0]\nU3:%x[-1,0]/%x[0,0]\nB\n"};

// A quality with one summit, falling on the logarithmic scale.
double hill(double c, double summit) {
  const double away = std::log10(std::max(c, 1e-9)) - std::log10(summit);
  return 90 - 5 * away * away;
}

Trial trial_of(double quality) {
  Trial t;
  t.quality = quality;
  return t;
}

}  // namespace

TEST_CASE("the search finds a summit within a factor of two, wherever it lies", "[pipeline][tune]") {
  for (const double summit : {0.00002, 0.004, 0.01, 0.03, 0.14, 0.5, 2.0, 7.0, 40.0, 900.0}) {
    CAPTURE(summit);
    const Tuned t = search(0, 1, {.c2 = true}, [&](double c1, double c2, const Trial*) {
      CHECK(c1 == 0);
      return trial_of(hill(c2, summit));
    });
    CHECK(t.best().c2 >= summit / 2);
    CHECK(t.best().c2 <= summit * 2);
    CHECK(t.trials.size() <= 11);
  }
}

TEST_CASE("two regularisers take turns", "[pipeline][tune]") {
  const Tuned t = search(0, 1, {.c1 = true, .c2 = true}, [&](double c1, double c2, const Trial*) {
    return trial_of(hill(c2, 0.3) + hill(c1, 2) - 1.5 * std::log10(std::max(c1, 1e-9)) * std::log10(c2));
  });
  std::map<std::pair<double, double>, double> grid;  // what a search of the whole plane would find
  double best = 0;
  for (double c1 = 1e-3; c1 < 2e3; c1 *= 2) {
    for (double c2 = 1e-3; c2 < 2e3; c2 *= 2)
      best = std::max(best, hill(c2, 0.3) + hill(c1, 2) - 1.5 * std::log10(c1) * std::log10(c2));
  }
  CHECK(t.best().quality > best - 1.5);
  CHECK(t.trials.size() <= 30);
  for (const Trial& trial : t.trials) {
    ++grid[{trial.c1, trial.c2}];
    CHECK(trial.quality <= t.best().quality);
  }
  CHECK(grid.size() == t.trials.size());  // none was made twice
}

TEST_CASE("of equals the most regularised is chosen, and none that was abandoned", "[pipeline][tune]") {
  const auto flat = [](double, double, const Trial*) { return trial_of(80); };
  CHECK(search(0, 1, {.c2 = true}, flat).best().c2 >= 10 * 1e3);
  const Tuned t = search(0, 1, {.c2 = true}, [](double, double c2, const Trial*) {
    Trial trial = trial_of(100 - c2);
    trial.abandoned = c2 < 1;
    return trial;
  });
  CHECK(t.best().c2 == 1);
}

TEST_CASE("a search for nothing is refused", "[pipeline][tune]") {
  const auto flat = [](double, double, const Trial*) { return trial_of(80); };
  CHECK_THROWS_AS(search(0, 1, {}, flat), OptionError);
  CHECK_THROWS_AS(search(0, 1, {.c2 = true, .lowest = 0}, flat), OptionError);
  CHECK_THROWS_AS(search(0, 1, {.c2 = true, .lowest = 2, .highest = 1}, flat), OptionError);
  const Examples e = learn_examples(random_corpus(1, 30), kFeatures);
  const DevelopmentSet dev = development_set(random_corpus(2, 30), e.model);
  CHECK_THROWS_WITH(tune(e, dev, {.loss = PerceptronLoss{}}, {.c2 = true}),
                    ContainsSubstring("the perceptron has no regulariser"));
}

TEST_CASE("tuning finds what trying by hand finds, on any number of threads", "[pipeline][tune][threads]") {
  const Examples e = learn_examples(random_corpus(1, 150), kFeatures);
  const DevelopmentSet dev = development_set(random_corpus(2, 150), e.model);
  const auto by_hand = [&](const TrainOptions& o) {
    Model m = e.model;
    train_model(m, e.data, &dev, o);
    return score(m, dev).quality();
  };
  for (const TuneOptions& options : {TuneOptions{.c2 = true}, TuneOptions{.c1 = true, .c2 = true}}) {
    Tuned first;
    for (const int threads : {1, 3}) {
      Index seen = 0;
      const Tuned t = tune(e, dev, {.threads = threads}, options, [&](const Trial&) { ++seen; });
      CHECK(seen == static_cast<Index>(t.trials.size()));
      if (first.trials.empty()) first = t;
      REQUIRE(t.trials.size() == first.trials.size());
      for (std::size_t i = 0; i < t.trials.size(); ++i) {
        CHECK(t.trials[i].c1 == first.trials[i].c1);
        CHECK(t.trials[i].c2 == first.trials[i].c2);
        CHECK(t.trials[i].quality == first.trials[i].quality);
      }
    }
    for (const double c2 : {0.01, 0.1, 1.0, 10.0}) CHECK(first.best().quality >= by_hand({.c2 = c2}) - 0.5);
    if (!options.c1) CHECK(first.best().quality == by_hand({.c2 = first.best().c2, .patience = 10}));
  }
}

TEST_CASE("tuning by folds takes their mean and gives up what lies behind", "[pipeline][tune][folds]") {
  const Corpus corpus = random_corpus(1, 150);
  const std::vector<Index> fold_of = assign_folds(corpus.size(), {.folds = 4});
  const auto tuned = [&](int threads, double behind) {
    std::vector<Fold> folds;
    for (Index k = 0; k < 4; ++k) folds.push_back(make_fold(corpus, kFeatures, fold_of, k));
    return tune(folds, {.threads = threads}, {.c2 = true, .behind = behind});
  };
  const Tuned t = tuned(1, 100), parallel = tuned(3, 100), strict = tuned(1, 0.01);
  for (const Trial& trial : t.trials) {
    CHECK_FALSE(trial.abandoned);
    CHECK(trial.quality == Approx(cross_validate(corpus, kFeatures, {.c2 = trial.c2}, {.folds = 4}).f1.mean));
  }
  REQUIRE(parallel.trials.size() == t.trials.size());
  for (std::size_t i = 0; i < t.trials.size(); ++i) CHECK(parallel.trials[i].quality == t.trials[i].quality);
  CHECK(std::any_of(strict.trials.begin(), strict.trials.end(), [](const Trial& x) { return x.abandoned; }));
  CHECK_FALSE(strict.best().abandoned);
}
