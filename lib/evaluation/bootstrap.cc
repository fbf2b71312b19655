#include "thalweg/evaluation/bootstrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

namespace thalweg {
namespace {

void require_pairs(std::span<const SpanCounts> first, std::span<const SpanCounts> second, Index draws) {
  if (draws < 1) throw InputError("draws", fmt::format("{} is below 1", draws), "10000 are usual");
  if (first.size() != second.size())
    throw InputError("sentences", fmt::format("{} against {}", first.size(), second.size()),
                     "both systems must have labelled the same ones");
  for (std::size_t n = 0; n < first.size(); ++n) {
    if (first[n].gold != second[n].gold)
      throw InputError(fmt::format("sentence {}", n + 1),
                       fmt::format("{} gold spans against {}", second[n].gold, first[n].gold),
                       "both systems must have labelled the same ones, in one order");
  }
}

// The value below which a share of `sorted` lies, at the nearest rank.
double quantile(const std::vector<double>& sorted, double share) {
  const double rank = share * static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(rank + 0.5)];
}

}  // namespace

PairedBootstrap paired_bootstrap(std::span<const SpanCounts> first, std::span<const SpanCounts> second,
                                 Index draws, std::uint64_t seed) {
  require_pairs(first, second, draws);
  PairedBootstrap result;
  if (first.empty()) return result;
  SpanCounts all_first, all_second;
  for (std::size_t n = 0; n < first.size(); ++n) all_first += first[n], all_second += second[n];
  result.difference = all_first.f1() - all_second.f1();

  Rng rng(seed);
  std::vector<double> differences;
  Index not_better = 0;
  for (Index draw = 0; draw < draws; ++draw) {
    SpanCounts a, b;
    for (std::size_t i = 0; i < first.size(); ++i) {
      const std::size_t n = rng.below(first.size());
      a += first[n], b += second[n];
    }
    differences.push_back(a.f1() - b.f1());
    not_better += differences.back() <= 0;
  }
  std::sort(differences.begin(), differences.end());
  result.low = quantile(differences, 0.025), result.high = quantile(differences, 0.975);
  result.not_better = percent(not_better, draws);
  return result;
}

}  // namespace thalweg
