/// @file
/// Answers that leave something open: a token may carry a set of labels, or nothing at all
/// (Dataset::choices). The energy of such an answer is taken over all labellings that it allows: their free
/// energy for the likelihood (Tsuboi et al. 2008, "Training conditional random fields using incomplete
/// annotations"), their minimum for the perceptron.
#pragma once

#include "thalweg/core/export.h"
#include "thalweg/corpus/vocabulary.h"
#include "thalweg/features/dataset.h"

namespace thalweg {

/// Once all sentences are there: forgets Dataset::choices if no token is open, so that nothing but reading
/// has been different.
/// @throws InputError at the first set with a label that no token has for itself: it is a slip of the pen, or
/// nothing in the data could tell what it means
THALWEG_EXPORT void settle_choices(Dataset& data, const Vocabulary& labels);

}  // namespace thalweg
