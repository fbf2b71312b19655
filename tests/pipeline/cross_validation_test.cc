#include "thalweg/pipeline/cross_validation.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "support/catch.h"
#include "support/small_corpus.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/evaluation/score.h"
#include "thalweg/io/atomic_file.h"
#include "thalweg/io/model_file.h"
#include "thalweg/pipeline/tagger.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

const FeatureOptions kFeatures{.templates = "U1:%x[0,0]\nU2:%x[-1,0]\nB\n"};

// The sentences of which `wanted` holds, as a corpus of their own.
template <class Wanted>
Corpus part(const Corpus& corpus, Wanted wanted) {
  Corpus out;
  for (Index n = 0; n < corpus.size(); ++n) {
    if (wanted(n)) out.add(corpus[n]);
  }
  return out;
}

}  // namespace

TEST_CASE("folds share out the sentences evenly, by the seed", "[pipeline][folds]") {
  const auto count = [](const std::vector<Index>& fold_of, Index fold) {
    return std::count(fold_of.begin(), fold_of.end(), fold);
  };
  const std::vector<Index> fold_of = assign_folds(23, {.folds = 5});
  for (Index k = 0; k < 5; ++k) CHECK(count(fold_of, k) == (k < 3 ? 5 : 4));
  CHECK(fold_of == assign_folds(23, {.folds = 5}));
  CHECK(fold_of != assign_folds(23, {.folds = 5, .seed = 2}));
  CHECK_THROWS_AS(assign_folds(23, {.folds = 1}), OptionError);
  CHECK_THROWS_WITH(assign_folds(23, {.folds = 24}), ContainsSubstring("2 to 23, the number of sentences"));
}

TEST_CASE("a fold is judged by a model that knows nothing of it", "[pipeline][folds]") {
  const Corpus corpus = random_corpus(5, 90);
  FeatureOptions features = kFeatures;
  features.min_count = 2;
  const TrainOptions options{.c2 = 0.3};
  const CrossValidation v = cross_validate(corpus, features, options, {.folds = 4, .seed = 3});
  REQUIRE(v.folds.size() == 4);
  const std::vector<Index> fold_of = assign_folds(corpus.size(), {.folds = 4, .seed = 3});
  double f1 = 0, accuracy = 0;
  for (const FoldScore& fold : v.folds) {
    // The same by the calls that know no folds: train on a corpus, tag another, compare.
    const Corpus others = part(corpus, [&](Index n) { return fold_of[n] != fold.fold; });
    const Corpus held_out = part(corpus, [&](Index n) { return fold_of[n] == fold.fold; });
    const Tagger tagger(train(others, options, features));
    SpanScore spans;
    LabelScore tokens;
    for (Index n = 0; n < held_out.size(); ++n) {
      const std::vector<std::string> tags = tagger.tag(held_out[n]);
      std::vector<std::string_view> gold, guess(tags.begin(), tags.end());
      for (Index t = 0; t < held_out[n].size(); ++t) gold.push_back(held_out[n].cell(t, 1));
      spans.add(gold, guess), tokens.add(gold, guess);
    }
    CHECK(fold.sentences == held_out.size());
    CHECK(fold.tokens == held_out.tokens());
    CHECK(fold.score.f1 == spans.overall().f1());
    CHECK(fold.score.accuracy == tokens.accuracy());
    CHECK(fold.score.spans);
    f1 += fold.score.f1 / 4, accuracy += fold.score.accuracy / 4;
  }
  CHECK(v.f1.mean == Approx(f1));
  CHECK(v.accuracy.mean == Approx(accuracy));
  CHECK(v.f1.deviation > 0);
}

TEST_CASE("words of a fold are no attributes of the model that judges it", "[pipeline][folds]") {
  Corpus corpus = random_corpus(5, 30);
  corpus.add({{"only-here", "B-ONLY"}, {"w1", "O"}});
  const std::vector<Index> fold_of = assign_folds(corpus.size(), {.folds = 3});
  for (Index k = 0; k < 3; ++k) {
    const Fold fold = make_fold(corpus, kFeatures, fold_of, k);
    const bool held_out = fold_of[30] == k;
    CHECK((fold.examples.model.labels.find("B-ONLY") == kNoLabel) == held_out);
    CHECK((fold.examples.model.attributes.find("U1:only-here") == Vocabulary::kUnknown) == held_out);
    CHECK(fold.examples.data.size() + fold.held_out.data.size() == 31);
  }
}

TEST_CASE("the spread over folds is that of the textbook", "[pipeline][folds]") {
  std::vector<FoldScore> folds(4);
  const double figures[] = {2, 4, 4, 6};
  for (int i = 0; i < 4; ++i) folds[i].score.f1 = figures[i];
  const Spread s = spread(folds, [](const LabellingScore& score) { return score.f1; });
  CHECK(s.mean == Approx(4));
  CHECK(s.deviation == Approx(std::sqrt(8.0 / 3)));
}

TEST_CASE("folds take the vectors of their own sentences", "[pipeline][folds]") {
  // The vector alone tells the label, and it differs from token to token.
  const TemporaryFolder folder;
  Corpus corpus;
  std::string rows;
  Rng rng(4);
  for (int n = 0; n < 40; ++n) {
    for (std::uint64_t t = 0; t <= rng.below(4); ++t) {
      const bool high = rng.below(2) == 1;
      const std::string_view cells[] = {"same", high ? "HIGH" : "LOW"};
      corpus.add_token(cells);
      rows += high ? "1\n" : "-1\n";
    }
    corpus.end_sentence();
  }
  write_file(folder / "rows", std::as_bytes(std::span(rows)));
  FeatureOptions features{.templates = "U:%x[0,0]\n", .vectors = folder / "rows"};
  CHECK(cross_validate(corpus, features, {.c2 = 0.1}, {.folds = 5}).accuracy.mean == 100);
  const std::string short_of_rows = "1\n-1\n";
  write_file(folder / "rows", std::as_bytes(std::span(short_of_rows)));
  CHECK_THROWS_WITH(cross_validate(corpus, features, {}, {.folds = 5}), ContainsSubstring("more tokens"));
}

TEST_CASE("folds side by side score the same", "[pipeline][folds][threads]") {
  const Corpus corpus = random_corpus(6, 120);
  for (const TrainOptions& options :
       {TrainOptions{.c2 = 0.1}, TrainOptions{.c2 = 0, .c1 = 0.2}, TrainOptions{.loss = PerceptronLoss{}}}) {
    std::vector<double> first;
    for (const int threads : {1, 2, 3, 8}) {
      TrainOptions o = options;
      o.threads = threads;
      std::set<Index> seen;
      const CrossValidation v = cross_validate(corpus, kFeatures, o, {.folds = 3},
                                               [&](const FoldScore& fold) { seen.insert(fold.fold); });
      CHECK(seen.size() == 3);
      std::vector<double> figures;
      for (const FoldScore& fold : v.folds) {
        figures.insert(figures.end(), {fold.score.f1, fold.score.accuracy, fold.training.objective});
      }
      if (first.empty()) first = figures;
      CHECK(figures == first);
    }
  }
}
