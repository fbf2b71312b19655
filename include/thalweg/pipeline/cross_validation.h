/// @file
/// How good is a choice of features and options, without a development set? Each of K folds is labelled by a
/// model of the others:
///
///     Corpus corpus = read_corpus("train.conll", Format::Columns);
///     CrossValidation v = cross_validate(corpus, {}, {.c2 = 0.5}, {.folds = 10});
///     log(v.f1.mean, v.f1.deviation);
///
/// Nothing of a fold is known to the model that labels it: attributes, labels, their counts (min_count) and
/// features are those of the other sentences alone.
#pragma once

#include <functional>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/corpus/corpus.h"
#include "thalweg/pipeline/train.h"

namespace thalweg {

struct CrossValidationOptions {
  Index folds = 10;        ///< K, 2 to the number of sentences. 5 to 10: more cost more and tell little more.
  std::uint64_t seed = 1;  ///< Which sentence is in which fold.
};

/// A fold, and the others as examples to learn from.
struct Fold {
  Examples examples;
  DevelopmentSet held_out;
};

struct FoldScore {
  Index fold = 0;                   ///< from 0
  Index sentences = 0, tokens = 0;  ///< held out
  LabellingScore score;
  TrainSummary training;
};

/// Over folds.
struct Spread {
  double mean = 0;
  double deviation = 0;  ///< standard, of one fold (n - 1 in the denominator)
};

struct CrossValidation {
  std::vector<FoldScore> folds;  ///< in their order
  Spread f1, accuracy;
  bool spans = false;  ///< whether any fold has them, and F1 means something
};

/// [N] the fold of each sentence; sizes differ by one at most. @throws OptionError for a number of folds out
/// of range
THALWEG_EXPORT std::vector<Index> assign_folds(Index sentences, const CrossValidationOptions& options);

/// @param fold_of as assign_folds gives it
/// @throws as learn_examples, and OptionError for FeatureOptions::partial
THALWEG_EXPORT Fold make_fold(const Corpus& corpus, const FeatureOptions& features,
                              std::span<const Index> fold_of, Index fold);

/// Trains on the others and labels the fold. @throws as train_model
THALWEG_EXPORT FoldScore validate_fold(Fold& fold, const TrainOptions& options);

/// Sees each fold as it is done, one call at a time, in whatever order.
using FoldCallback = std::function<void(const FoldScore&)>;

/// All folds. With several threads folds are trained side by side; the scores do not depend on it.
/// @param features `keep` is set aside. @throws as above
THALWEG_EXPORT CrossValidation cross_validate(const Corpus& corpus, const FeatureOptions& features = {},
                                              const TrainOptions& options = {},
                                              const CrossValidationOptions& folds = {},
                                              const FoldCallback& callback = {});

/// Mean and standard deviation of `quality(fold)` over folds.
THALWEG_EXPORT Spread spread(std::span<const FoldScore> folds,
                             const std::function<double(const LabellingScore&)>& figure);

}  // namespace thalweg
