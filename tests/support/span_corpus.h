/// @file
/// A small language with spans, for tests of constraints, open answers and weights.
#pragma once

#include <string_view>
#include <vector>

#include "thalweg/core/random.h"
#include "thalweg/pipeline/train.h"

namespace thalweg::testing {

/// Sentences of words a to e with legal BIO or BIOES labels of the types P and Q. A word hints at its label
/// and may mislead, so that what is legal matters.
inline Corpus span_corpus(std::uint64_t seed, Index sentences, bool bioes = false) {
  Rng rng(seed);
  Corpus corpus;
  const auto add = [&](char word, std::string_view label) {
    const std::string_view cells[] = {{&word, 1}, label};
    corpus.add_token(cells);
  };
  for (Index n = 0; n < sentences; ++n) {
    for (std::uint64_t part = 0, parts = 1 + rng.below(3); part < parts; ++part) {
      if (rng.below(2) == 0) add(static_cast<char>('a' + rng.below(5)), "O");
      const bool p = rng.below(2) == 0;
      const std::uint64_t length = 1 + rng.below(3);
      for (std::uint64_t t = 0; t < length; ++t) {
        const char hint = static_cast<char>((t == 0 ? 'a' : 'c') + p),
                   noise = static_cast<char>('a' + rng.below(5));
        const bool last = t + 1 == length;
        const std::string_view prefix = !bioes        ? (t == 0 ? "B-" : "I-")
                                        : length == 1 ? "S-"
                                        : last        ? "E-"
                                        : t == 0      ? "B-"
                                                      : "I-";
        add(rng.below(3) == 0 ? noise : hint, std::string(prefix) + (p ? "P" : "Q"));
      }
    }
    corpus.end_sentence();
  }
  return corpus;
}

inline const FeatureOptions kSpanTemplates{.templates = "U1:%x[0,0]\nU2:%x[-1,0]\nB\n"};

}  // namespace thalweg::testing
