/// @file
/// Some labels matter more than others: a weight W_l for each. Training raises the energy of label l by
/// log(W_l) / beta wherever it stands, and tagging does not:
///
///     E_train(y) = E(y) + (1 / beta) sum_t log W_{y_t}
///
/// What fits the data with the handicap overshoots without it, so that the model's odds of a labelling are
/// those that the data tell times prod_t W_{y_t}. For sequences of one token that is what weighting the
/// examples of a class comes to (Elkan 2001, "The foundations of cost-sensitive learning"; Menon et al. 2021,
/// "Long-tail learning via logit adjustment"); in longer ones it holds token by token, however rare the
/// label, which no weight of whole sentences could do. The loss stays convex and its gradient exact: E_train
/// differs from E by what does not depend on w. More weight buys recall of a label and pays in precision. A
/// span of three tokens has the weights of three labels: to make spans W times as likely, weigh their first
/// labels (B, and S of BIOES) alone.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/corpus/vocabulary.h"
#include "thalweg/features/dataset.h"

namespace thalweg {

/// [K] by label, 1 where `text` says nothing, for Dataset::class_weights: a line for each label, its name and
/// its weight separated by white space. Empty lines and lines that begin with # are skipped.
/// @param name what errors call the text
/// @throws InputError at `name:line` for an unknown label, one listed twice, or a weight that is not finite
/// and above 0
THALWEG_EXPORT std::vector<double> listed_class_weights(std::string_view text, const std::string& name,
                                                        const Vocabulary& labels);

/// [K] what energies are raised by in training; empty where no label has a weight.
THALWEG_EXPORT std::vector<float> class_handicaps(const Dataset& data, double beta);

}  // namespace thalweg
