/// @file
/// Is one system really better than another, or only on these sentences? The paired bootstrap (Koehn 2004,
/// "Statistical significance tests for machine translation evaluation", section 4): draw as many sentences as
/// there are, with replacement, score both systems on the draw, and again many times.
///
///     std::vector<SpanCounts> ours, theirs;                  // an entry for each sentence, in one order
///     const PairedBootstrap b = paired_bootstrap(ours, theirs);
///     log("F1 {:+.2f}, 95 % of draws between {:+.2f} and {:+.2f}", b.difference, b.low, b.high);
#pragma once

#include <cstdint>
#include <span>

#include "thalweg/core/export.h"
#include "thalweg/evaluation/score.h"

namespace thalweg {

/// F1 of the first system less that of the second, in points of percent.
struct PairedBootstrap {
  double difference = 0;  ///< on all sentences, each once
  double low = 0;         ///< below it lie 2.5 % of the draws ...
  double high = 0;        ///< ... and 2.5 % above this
  double not_better = 0;  ///< share of draws, in percent, where the first is not above the second
};

/// O(draws x sentences). Same seed, same result. Accuracies are compared by entries that count a token as a
/// span on both sides: gold = predicted = tokens, correct = those right.
/// @throws InputError when the lengths differ, `draws` < 1, or sentences have different counts of gold spans:
/// then the two are not of the same sentences
THALWEG_EXPORT PairedBootstrap paired_bootstrap(std::span<const SpanCounts> first,
                                                std::span<const SpanCounts> second, Index draws = 10000,
                                                std::uint64_t seed = 1);

}  // namespace thalweg
