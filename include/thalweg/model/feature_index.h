/// @file
/// Which (attribute, label) pairs have a weight, and attributes numbered so that weights lie well in memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/corpus/vocabulary.h"
#include "thalweg/features/dataset.h"

namespace thalweg {

/// Rows of labels: row a lists, ascending, the labels that attribute a has a weight for. Weight number f
/// belongs to the f-th entry. Label bigrams are the same thing with the earlier label as the row.
struct FeatureIndex {
  std::vector<std::uint32_t> offsets{0};  ///< [rows + 1]
  std::vector<Label> labels;              ///< [features]

  Index rows() const { return static_cast<Index>(offsets.size()) - 1; }
  Index features() const { return static_cast<Index>(labels.size()); }
  std::span<const Label> row(Index r) const {
    return std::span(labels).subspan(offsets[r], offsets[r + 1] - offsets[r]);
  }
};

/// The transpose: row a lists the positions, ascending, that have attribute a. O(entries).
THALWEG_EXPORT SparseMatrix transpose(const SparseMatrix& matrix, Index columns);

/// Pairs of (attribute, label) that occur together. Positions without a known label count for nothing.
/// O(entries).
THALWEG_EXPORT FeatureIndex observed_features(const SparseMatrix& by_attribute, std::span<const Label> labels,
                                              Index K);

/// The same where answers may be open: with every label that a position may have. `by_attribute` is the
/// transpose of data.attributes. O(entries K) at worst
THALWEG_EXPORT FeatureIndex observed_features(const SparseMatrix& by_attribute, const Dataset& data, Index K);

/// Pairs of neighbouring labels that occur, or may. @param K labels
THALWEG_EXPORT FeatureIndex observed_transitions(const Dataset& data, Index K);

/// Attributes of pairs (Dataset::pairs) with the label pairs that they occur with, or may: the "label" of a
/// feature is i * K + j for label i before label j. @param pair_attributes how many there are
THALWEG_EXPORT FeatureIndex observed_pairs(const Dataset& data, Index pair_attributes, Index K);

/// Every pair of `rows` rows and `K` labels.
THALWEG_EXPORT FeatureIndex all_features(Index rows, Index K);

/// From how many labels on a row of weights is stored whole rather than as (label, weight) pairs.
inline Index dense_row_labels(Index K) { return (K + 7) / 8; }

/// Numbers attributes anew, in the data and the vocabulary: first those seen with many labels, the most
/// frequent first, which are the rows stored whole and stay in cache; then the rest as they come in the data,
/// so that a pass meets them in order. Attributes with fewer than `min_count` entries are dropped.
THALWEG_EXPORT void sort_by_use(Dataset& data, Vocabulary& attributes, Index K, Index min_count);

/// Drops the attributes of pairs that fewer than `min_count` pairs have, in the data and the vocabulary.
THALWEG_EXPORT void drop_rare_pairs(Dataset& data, Vocabulary& pair_attributes, Index min_count);

}  // namespace thalweg
