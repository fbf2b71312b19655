/// @file
/// A distribution over labellings that is easy to draw from and to price, for noise contrast:
///
///     q(y) = first[y_0] * prod_t next[y_t][y_{t+1}]
///
///     LabelNoise noise = label_noise(data, K);                 // how the training answers go, blind to
///     inputs double log_q = noise.draw(rng, K, y);
#pragma once

#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/random.h"
#include "thalweg/features/dataset.h"

namespace thalweg {

/// Probabilities; without any, all labellings are equally likely.
struct THALWEG_EXPORT LabelNoise {
  std::vector<double> first;  ///< [K], summing to 1
  TableBuffer<double> next;   ///< [K x K] rows sum to 1

  /// Draws y of K labels. Returns log q(y). O(T K)
  double draw(Rng& rng, Index K, std::span<Label> y) const;
  /// log q(y), -infinity where it cannot be drawn. O(T)
  double log_probability(Index K, std::span<const Label> y) const;
};

/// @throws InputError where it is for another number of labels, or rows are no distributions
THALWEG_EXPORT void validate(const LabelNoise& noise, Index K);

/// Counts of first labels and of pairs in `data`, each raised by `smoothing`; open positions are passed over.
/// @throws OptionError unless smoothing is finite and > 0, so that every labelling can be drawn
THALWEG_EXPORT LabelNoise label_noise(const Dataset& data, Index K, double smoothing = 0.1);

}  // namespace thalweg
