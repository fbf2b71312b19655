/// @file
/// Do probabilities mean what they say? Of all answers given with confidence .8, eight in ten should be
/// right.
///
///     Calibration calibration;
///     for (...) calibration.add(probability_of_the_answer, answer_is_right);
///     log(calibration.expected_error());            // 0.021: confidences are off by 2.1 % on average
#pragma once

#include <array>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// The expected calibration error over bins of equal width (Naeini et al. 2015; Guo et al. 2017),
///
///     sum_b (n_b / n) | mean confidence in b - share right in b |
class THALWEG_EXPORT Calibration {
 public:
  static constexpr Index kBins = 15;

  /// @pre 0 <= confidence <= 1, but for rounding
  void add(double confidence, bool right);
  /// In [0, 1]; 0 of nothing.
  double expected_error() const;

  struct Bin {
    Index count = 0, right = 0;
    double confidence = 0;  ///< summed
  };
  const std::array<Bin, kBins>& bins() const { return bins_; }

 private:
  std::array<Bin, kBins> bins_{};
};

}  // namespace thalweg
