#include "synthetic.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "thalweg/core/random.h"

namespace {

using thalweg::Index;
using thalweg::Rng;

constexpr Index kTags = 44, kChunks = 11, kWordsPerTag = 1000;

// Draws rank r of [0, n) with probability proportional to (r + 1)^-power.
class Zipf {
 public:
  Zipf(Index n, double power) {
    double sum = 0;
    for (Index r = 0; r < n; ++r) ends_.push_back(sum += std::pow(static_cast<double>(r + 1), -power));
  }
  Index operator()(Rng& rng) const {
    const double at = rng.uniform() * ends_.back();
    return std::upper_bound(ends_.begin(), ends_.end() - 1, at) - ends_.begin();
  }

 private:
  std::vector<double> ends_;
};

}  // namespace

std::string synthetic_text(Index sentences, std::uint64_t seed) {
  const Zipf successor(kTags, 1.9), word(kWordsPerTag, 1.2);
  Rng rng(seed);
  std::string text;
  for (Index n = 0; n < sentences; ++n) {
    Index tag = 0, chunk = -1;
    for (auto left = 8 + rng.below(33); left > 0; --left) {
      // Each tag has its own order of preferred successors, and low tags are the frequent ones.
      const Index step = successor(rng);
      tag = rng.below(2) == 0 ? step : (tag + 5 * step) % kTags;
      const Index spelled_as = rng.below(10) == 0 ? (tag + 1) % kTags : tag;  // one word, two parts of speech
      const Index before = chunk;
      if (chunk < 0 || rng.below(20) != 0) chunk = tag % kChunks;
      const bool inside = chunk == before && rng.below(5) != 0;
      text.append("w").append(std::to_string(word(rng) * kTags + spelled_as));
      text.append(" T").append(std::to_string(tag));
      text.append(inside ? " I-" : " B-").append(std::to_string(chunk)).append("\n");
    }
    text += "\n";
  }
  return text;
}
