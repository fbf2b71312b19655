#include "thalweg/evaluation/score.h"

#include <fmt/format.h>

#include <algorithm>

#include "thalweg/core/error.h"

namespace thalweg {
namespace {

using Labels = std::span<const std::string_view>;

void require_same_length(Labels gold, Labels predicted) {
  if (gold.size() == predicted.size()) return;
  throw InputError("predicted", fmt::format("{} labels for {} gold ones", predicted.size(), gold.size()),
                   "every token needs one of both");
}

Scheme common_scheme(Labels gold, Labels predicted) {
  const Scheme a = detect_scheme(gold), b = detect_scheme(predicted);
  for (Scheme scheme : {Scheme::Bioes, Scheme::Bio}) {
    if (a == scheme || b == scheme) return scheme;
  }
  return Scheme::Io;
}

// The spans in both; neither list overlaps itself, so both are in the order of their begins.
template <class Visit>
void for_each_common(std::span<const Span> a, std::span<const Span> b, const Visit& visit) {
  std::size_t j = 0;
  for (const Span& span : a) {
    while (j < b.size() && b[j].begin < span.begin) ++j;
    if (j < b.size() && b[j] == span) visit(span);
  }
}

}  // namespace

Index LabelScore::number(std::string_view label) {
  const auto found = numbers_.find(label);
  if (found != numbers_.end()) return found->second;
  const Index next = static_cast<Index>(numbers_.size());
  numbers_.emplace(label, next);
  return next;
}

void LabelScore::add(Labels gold, Labels predicted) {
  require_same_length(gold, predicted);
  Index right = 0;
  for (std::size_t t = 0; t < gold.size(); ++t) {
    right += gold[t] == predicted[t];
    const Index row = number(gold[t]), column = number(predicted[t]);
    ++counts_[{row, column}];
  }
  const Index length = static_cast<Index>(gold.size());
  tokens_ += length;
  right_ += right;
  ++sentences_;
  sentences_right_ += right == length;
}

std::vector<std::string_view> LabelScore::labels() const {
  std::vector<std::string_view> sorted;
  for (const auto& [label, _] : numbers_) sorted.push_back(label);
  return sorted;
}

TableBuffer<Index> LabelScore::confusion() const {
  const Index k = static_cast<Index>(numbers_.size());
  std::vector<Index> rank(numbers_.size());
  Index next = 0;
  for (const auto& [_, first_seen] : numbers_) rank[first_seen] = next++;
  TableBuffer<Index> table(k, k);
  for (const auto& [cell, tokens] : counts_) table[rank[cell.first]][rank[cell.second]] = tokens;
  return table;
}

SpanCounts& SpanCounts::operator+=(const SpanCounts& other) {
  gold += other.gold;
  predicted += other.predicted;
  correct += other.correct;
  return *this;
}

void SpanScore::add(Labels gold, Labels predicted) {
  require_same_length(gold, predicted);
  const Scheme scheme = scheme_ == Scheme::Auto ? common_scheme(gold, predicted) : scheme_;
  const auto counts = [&](const Span& span) -> SpanCounts& {
    const auto found = types_.find(span.type);
    return found != types_.end() ? found->second : types_[std::string(span.type)];
  };
  const std::vector<Span> right = spans(gold, scheme), claimed = spans(predicted, scheme);
  for (const Span& span : right) ++counts(span).gold;
  for (const Span& span : claimed) ++counts(span).predicted;
  for_each_common(right, claimed, [&](const Span& span) { ++counts(span).correct; });
}

SpanCounts SpanScore::overall() const {
  SpanCounts sum;
  for (const auto& [_, counts] : types_) sum += counts;
  return sum;
}

SpanRates SpanScore::macro() const {
  SpanRates mean;
  const double n = static_cast<double>(std::max<std::size_t>(1, types_.size()));
  for (const auto& [_, counts] : types_) {
    mean.precision += counts.precision() / n;
    mean.recall += counts.recall() / n;
    mean.f1 += counts.f1() / n;
  }
  return mean;
}

}  // namespace thalweg
