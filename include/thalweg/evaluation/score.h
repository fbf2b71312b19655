/// @file
/// How good are predicted labels? Both scores are fed sentence by sentence and asked at any time:
///
///     SpanScore score;
///     for (const auto& sentence : corpus) score.add(sentence.gold, tag(sentence));
///     log(score.overall().f1());
///
/// Every rate is in percent, as conlleval prints it, and 0/0 is 0. A label or type that occurs on one side
/// only counts like any other.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/evaluation/spans.h"

namespace thalweg {

/// 100 part / whole, and 0 for 0/0.
inline double percent(Index part, Index whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

/// Tokens right and wrong.
class THALWEG_EXPORT LabelScore {
 public:
  /// One sentence: labels [T] and [T]. O(T log K). @throws InputError when the lengths differ.
  void add(std::span<const std::string_view> gold, std::span<const std::string_view> predicted);

  Index tokens() const { return tokens_; }
  Index right() const { return right_; }
  Index sentences() const { return sentences_; }
  Index sentences_right() const { return sentences_right_; }  ///< with every label right; an empty one is
  double accuracy() const { return percent(right_, tokens_); }
  double sentence_accuracy() const { return percent(sentences_right_, sentences_); }

  /// The K labels seen on either side, sorted.
  std::vector<std::string_view> labels() const;
  /// Token counts [K x K] in the order of `labels()`: rows are gold, columns predicted.
  TableBuffer<Index> confusion() const;

 private:
  Index number(std::string_view label);

  Index tokens_ = 0, right_ = 0, sentences_ = 0, sentences_right_ = 0;
  std::map<std::string, Index, std::less<>> numbers_;  // labels in the order first seen
  std::map<std::pair<Index, Index>, Index> counts_;    // tokens of (gold, predicted)
};

/// Precision, recall and their harmonic mean, in percent.
struct SpanRates {
  double precision = 0;
  double recall = 0;
  double f1 = 0;
};

/// A predicted span is correct when a gold one has the same begin, end and type.
struct THALWEG_EXPORT SpanCounts {
  Index gold = 0;
  Index predicted = 0;
  Index correct = 0;

  double precision() const { return percent(correct, predicted); }
  double recall() const { return percent(correct, gold); }
  double f1() const { return percent(2 * correct, gold + predicted); }

  SpanCounts& operator+=(const SpanCounts& other);
  bool operator==(const SpanCounts&) const = default;
};

/// Spans found, missed and invented.
class THALWEG_EXPORT SpanScore {
 public:
  /// Under `Auto` each sentence is read by the scheme that its labels, gold and predicted together, show.
  explicit SpanScore(Scheme scheme = Scheme::Auto) : scheme_(scheme) {}

  /// One sentence: labels [T] and [T]. O(T log K). @throws InputError when the lengths differ.
  void add(std::span<const std::string_view> gold, std::span<const std::string_view> predicted);

  /// Per type seen on either side, sorted.
  const std::map<std::string, SpanCounts, std::less<>>& types() const { return types_; }
  /// Over all types together (micro average).
  SpanCounts overall() const;
  /// The mean of each rate over the types (macro average).
  SpanRates macro() const;

 private:
  Scheme scheme_;
  std::map<std::string, SpanCounts, std::less<>> types_;
};

}  // namespace thalweg
