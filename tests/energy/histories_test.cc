#include "thalweg/energy/histories.h"

#include <algorithm>
#include <set>

#include "support/catch.h"
#include "support/enumerate.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

using Word = std::vector<Label>;

std::vector<Word> spell(Index K, const std::vector<Histories::Context>& contexts) {
  std::vector<Word> words;
  for (Label l = 0; l < static_cast<Label>(K); ++l) words.push_back({l});
  for (const auto& c : contexts) {
    Word word = words[c.prefix];
    word.push_back(c.last);
    words.push_back(word);
  }
  return words;
}

// The longest of `words` that `text` ends with.
std::size_t longest_suffix(const std::vector<Word>& words, const Word& text) {
  std::size_t best = text.back();
  for (std::size_t w = 0; w < words.size(); ++w) {
    if (words[w].size() > text.size() || words[w].size() <= words[best].size()) continue;
    if (std::equal(words[w].rbegin(), words[w].rend(), text.rbegin())) best = w;
  }
  return best;
}

State state_of(const Histories& h, std::size_t word) {
  const auto K = static_cast<std::size_t>(h.labels());
  return word < K ? h.start(static_cast<Label>(word)) : h.of_context(static_cast<Index>(word - K));
}

}  // namespace

TEST_CASE("a history is the longest suffix that is a context", "[energy][histories]") {
  Rng rng(3);
  for (int round = 0; round < 200; ++round) {
    const Index K = 1 + static_cast<Index>(rng.below(4));
    const auto contexts = random_contexts(rng, K, static_cast<Index>(rng.below(12)));
    REQUIRE(Histories::valid(K, contexts));
    const Histories h(K, contexts);
    const auto words = spell(K, contexts);
    REQUIRE(h.states() == static_cast<Index>(words.size()));
    for (int text = 0; text < 20; ++text) {
      Word read{static_cast<Label>(rng.below(static_cast<std::uint64_t>(K)))};
      State s = h.start(read[0]);
      for (int t = 0; t < 12; ++t) {
        REQUIRE(s == state_of(h, longest_suffix(words, read)));
        REQUIRE(h.last(s) == read.back());
        read.push_back(static_cast<Label>(rng.below(static_cast<std::uint64_t>(K))));
        s = h.next(s, read.back());
      }
    }
    // `before` is the inverse of `next`, and groups are as they are said to be.
    for (State to = 0; to < static_cast<State>(h.states()); ++to) {
      std::vector<State> want;
      for (State s = 0; s < static_cast<State>(h.states()); ++s) {
        if (h.next(s, h.last(to)) == to) want.push_back(s);
      }
      const auto got = h.before(to);
      REQUIRE(std::vector<State>(got.begin(), got.end()) == want);
    }
    const auto bounds = h.group_bounds();
    for (Index g = 0; g < h.groups(); ++g) {
      for (State s = bounds[g]; s < bounds[g + 1]; ++s) {
        for (Label l = 0; l < static_cast<Label>(K); ++l) REQUIRE(h.next(s, l) == h.group_next()[g * K + l]);
      }
    }
  }
}

TEST_CASE("a history has the energies of all its suffixes", "[energy][histories]") {
  Rng rng(4);
  for (int round = 0; round < 50; ++round) {
    const auto contexts = random_contexts(rng, 3, 10);
    const Histories h(3, contexts);
    const auto words = spell(3, contexts);
    std::vector<double> own(words.size()), rows(words.size()), sums(words.size());
    for (std::size_t w = 0; w < words.size(); ++w) own[w] = rows[state_of(h, w)] = rng.normal();
    h.add_suffixes(rows.data(), 1);
    for (std::size_t w = 0; w < words.size(); ++w) {
      double want = 0;
      for (std::size_t v = 0; v < words.size(); ++v) {
        const bool suffix = words[v].size() <= words[w].size() &&
                            std::equal(words[v].rbegin(), words[v].rend(), words[w].rbegin());
        if (suffix) want += own[v];
      }
      REQUIRE(rows[state_of(h, w)] == Approx(want).margin(1e-12));
    }
    // <A x, g> = <x, A' g>
    std::vector<double> gradient(words.size());
    double up = 0, down = 0;
    for (double& g : gradient) g = rng.normal();
    for (std::size_t s = 0; s < rows.size(); ++s) up += rows[s] * gradient[s];
    h.add_to_suffixes(gradient.data(), 1);
    for (std::size_t w = 0; w < words.size(); ++w) down += own[w] * gradient[state_of(h, w)];
    REQUIRE(up == Approx(down));
  }
}

TEST_CASE("contexts that make no sense are told", "[energy][histories]") {
  using Contexts = std::vector<Histories::Context>;
  CHECK(Histories::valid(2, Contexts{{0, 1}, {2, 0}}));
  CHECK_FALSE(Histories::valid(2, Contexts{{2, 0}, {0, 1}}));  // the prefix is still to come
  CHECK_FALSE(Histories::valid(2, Contexts{{0, 2}}));          // no such label
  CHECK_FALSE(Histories::valid(2, Contexts{{0, 1}, {0, 1}}));  // twice
}
