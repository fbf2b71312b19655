#include "thalweg/model/label_contexts.h"

#include <algorithm>

#include "thalweg/core/error.h"

namespace thalweg {
namespace {

constexpr std::uint32_t kNone = 0xFFFFFFFF;

std::uint64_t key(std::uint32_t string, Label next) { return std::uint64_t{string} << 32 | next; }

void sort_unique(std::vector<std::uint64_t>& keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
}

// A row of labels for each of the strings from `first` on.
void add_rows(std::span<const std::uint64_t> keys, std::uint32_t first, std::uint32_t end,
              FeatureIndex& index) {
  auto at = keys.begin();
  for (std::uint32_t string = first; string < end; ++string) {
    for (; at != keys.end() && *at >> 32 == string; ++at) index.labels.push_back(static_cast<Label>(*at));
    index.offsets.push_back(static_cast<std::uint32_t>(index.labels.size()));
  }
}

}  // namespace

LabelContexts observed_contexts(const Dataset& data, Index order, Index K) {
  LabelContexts found;
  // The string of the length at hand that ends at each position, with another label after it.
  std::vector<std::uint32_t> ending(data.labels.begin(), data.labels.end()), longer(ending.size());
  for (Index length = 2; length <= order; ++length) {
    std::vector<std::uint64_t> strings, features;
    const auto each = [&](auto visit) {
      for (Index n = 0; n < data.size(); ++n) {
        for (Index p = data.sequences[n] + 1; p + 1 < data.sequences[n + 1]; ++p) {
          if (ending[p - 1] != kNone && data.labels[p] != kNoLabel)
            visit(p, key(ending[p - 1], data.labels[p]));
        }
      }
    };
    each([&](Index, std::uint64_t string) { strings.push_back(string); });
    sort_unique(strings);
    const auto first = static_cast<std::uint32_t>(K + static_cast<Index>(found.strings.size()));
    for (std::uint64_t s : strings)
      found.strings.push_back({static_cast<std::uint32_t>(s >> 32), static_cast<Label>(s)});
    std::fill(longer.begin(), longer.end(), kNone);
    each([&](Index p, std::uint64_t string) {
      const auto at = std::lower_bound(strings.begin(), strings.end(), string);
      longer[p] = first + static_cast<std::uint32_t>(at - strings.begin());
      if (data.labels[p + 1] != kNoLabel) features.push_back(key(longer[p], data.labels[p + 1]));
    });
    sort_unique(features);
    add_rows(features, first, first + static_cast<std::uint32_t>(strings.size()), found.next);
    std::swap(ending, longer);
  }
  return found;
}

LabelContexts all_contexts(Index order, Index K) {
  constexpr double kMostWeights = 1 << 24;
  double weights = 0, power = static_cast<double>(K);
  for (Index n = 2; n <= order; ++n)
    power *= static_cast<double>(K), weights += power * static_cast<double>(K);
  if (weights > kMostWeights) {
    throw OptionError("order", "every string of labels before every label makes too many weights",
                      "take the observed features");
  }
  LabelContexts all;
  std::uint32_t begin = 0, end = static_cast<std::uint32_t>(K);
  for (Index n = 2; n <= order; ++n) {
    for (std::uint32_t prefix = begin; prefix < end; ++prefix) {
      for (Label l = 0; l < static_cast<Label>(K); ++l) all.strings.push_back({prefix, l});
    }
    begin = end, end = static_cast<std::uint32_t>(K + static_cast<Index>(all.strings.size()));
  }
  all.next = all_features(static_cast<Index>(all.strings.size()), K);
  return all;
}

Index order(const LabelContexts& contexts, Index K) {
  Index longest = 1;
  std::vector<Index> lengths;
  for (const Histories::Context& c : contexts.strings) {
    lengths.push_back(static_cast<Index>(c.prefix) < K ? 2 : lengths[c.prefix - K] + 1);
    longest = std::max(longest, lengths.back());
  }
  return longest;
}

std::vector<Label> spell(const LabelContexts& contexts, Index c, Index K) {
  std::vector<Label> labels;
  std::uint32_t string = static_cast<std::uint32_t>(K + c);
  for (; string >= static_cast<std::uint32_t>(K); string = contexts.strings[string - K].prefix)
    labels.push_back(contexts.strings[string - K].last);
  labels.push_back(string);
  std::reverse(labels.begin(), labels.end());
  return labels;
}

}  // namespace thalweg
