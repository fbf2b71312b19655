/// @file
/// A made-up language in which a word tells its label, a third of them together with the label before:
/// learnable, and noisy enough that no learner gets all of it right.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "thalweg/core/random.h"
#include "thalweg/corpus/corpus.h"

namespace thalweg::testing {

/// @param labels the names of the labels, at most five; there are six words for each
inline Corpus random_corpus(std::uint64_t seed, Index sentences,
                            const std::vector<std::string>& labels = {"O", "B-X", "I-X", "B-Y"}) {
  Rng rng(seed);
  Corpus corpus;
  const std::size_t K = labels.size();
  for (Index n = 0; n < sentences; ++n) {
    std::size_t label = 0;
    const std::uint64_t length = 1 + rng.below(7);
    for (std::uint64_t t = 0; t < length; ++t) {
      const std::size_t word = rng.below(6 * K);
      label = rng.below(6) == 0 ? rng.below(K) : (word + (word % 3 == 0 ? label : 0)) % K;
      const std::string name = "w" + std::to_string(word);
      const std::string_view cells[] = {name, labels[label]};
      corpus.add_token(cells);
    }
    corpus.end_sentence();
  }
  return corpus;
}

}  // namespace thalweg::testing
