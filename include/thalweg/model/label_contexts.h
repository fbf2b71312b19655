/// @file
/// Which strings of labels have a say in the label after them: the transitions of a chain of higher order.
#pragma once

#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/energy/histories.h"
#include "thalweg/features/dataset.h"
#include "thalweg/model/feature_index.h"

namespace thalweg {

/// Strings of two labels or more with the labels that may have a weight after them.
struct LabelContexts {
  std::vector<Histories::Context> strings;
  FeatureIndex next;  ///< [strings x labels]

  bool empty() const { return strings.empty(); }
};

/// All strings of 2 to `order` labels with a label after them that occur, those of open answers aside.
/// Shorter ones come first; every prefix and suffix of a string is there too. O(positions order
/// log(positions)). Order 1 has none.
THALWEG_EXPORT LabelContexts observed_contexts(const Dataset& data, Index order, Index K);

/// All K^2 + ... + K^order of them, before any label. @throws OptionError beyond 2^24 weights
THALWEG_EXPORT LabelContexts all_contexts(Index order, Index K);

/// How many labels back the longest string looks; 1 without strings. O(strings)
THALWEG_EXPORT Index order(const LabelContexts& contexts, Index K);

/// The labels of string c, the earliest first. O(length)
THALWEG_EXPORT std::vector<Label> spell(const LabelContexts& contexts, Index c, Index K);

}  // namespace thalweg
