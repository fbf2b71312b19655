#include "thalweg/pipeline/cross_validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>

#include "thalweg/core/error.h"
#include "thalweg/core/parallel.h"
#include "thalweg/core/random.h"

namespace thalweg {

std::vector<Index> assign_folds(Index sentences, const CrossValidationOptions& options) {
  if (options.folds < 2 || options.folds > sentences) {
    throw OptionError(
        "folds", fmt::format("is {}, must be 2 to {}, the number of sentences", options.folds, sentences),
        "5 or 10 are usual");
  }
  std::vector<Index> order(static_cast<std::size_t>(sentences)), fold_of(order.size());
  std::iota(order.begin(), order.end(), Index{0});
  Rng(options.seed).shuffle(std::span(order));
  for (Index i = 0; i < sentences; ++i) fold_of[order[i]] = i % options.folds;
  return fold_of;
}

Fold make_fold(const Corpus& corpus, const FeatureOptions& features, std::span<const Index> fold_of,
               Index fold) {
  if (features.partial)
    throw OptionError("partial", "a fold has no right labels to be judged by where they are open",
                      "take a development set");
  FeatureOptions others = features;
  others.keep = [&](Index n) { return fold_of[n] != fold; };
  Examples examples = learn_examples(corpus, others);
  DevelopmentSet held_out =
      development_set(corpus, examples.model, features.vectors, [&](Index n) { return fold_of[n] == fold; });
  return {std::move(examples), std::move(held_out)};
}

FoldScore validate_fold(Fold& fold, const TrainOptions& options) {
  FoldScore result;
  result.sentences = fold.held_out.data.size(), result.tokens = fold.held_out.data.positions();
  result.training = train_model(fold.examples.model, fold.examples.data, nullptr, options);
  result.score = score(fold.examples.model, fold.held_out, options.threads);
  return result;
}

Spread spread(std::span<const FoldScore> folds, const std::function<double(const LabellingScore&)>& figure) {
  Spread s;
  const double n = static_cast<double>(folds.size());
  for (const FoldScore& fold : folds) s.mean += figure(fold.score) / n;
  for (const FoldScore& fold : folds) s.deviation += std::pow(figure(fold.score) - s.mean, 2);
  s.deviation = folds.size() > 1 ? std::sqrt(s.deviation / (n - 1)) : 0;
  return s;
}

CrossValidation cross_validate(const Corpus& corpus, const FeatureOptions& features,
                               const TrainOptions& options, const CrossValidationOptions& folds,
                               const FoldCallback& callback) {
  const std::vector<Index> fold_of = assign_folds(corpus.size(), folds);
  TrainOptions each = options;
  each.threads = std::max(1, options.threads / static_cast<int>(folds.folds));
  CrossValidation all;
  all.folds.resize(static_cast<std::size_t>(folds.folds));
  std::mutex one_at_a_time;
  parallel_chunks(folds.folds, 1, options.threads, [&](Index k, Index, int) {
    Fold fold = make_fold(corpus, features, fold_of, k);
    all.folds[k] = validate_fold(fold, each);
    all.folds[k].fold = k;
    const std::lock_guard lock(one_at_a_time);
    if (callback) callback(all.folds[k]);
  });
  all.f1 = spread(all.folds, [](const LabellingScore& s) { return s.f1; });
  all.accuracy = spread(all.folds, [](const LabellingScore& s) { return s.accuracy; });
  all.spans = std::any_of(all.folds.begin(), all.folds.end(), [](auto& f) { return f.score.spans; });
  return all;
}

}  // namespace thalweg
