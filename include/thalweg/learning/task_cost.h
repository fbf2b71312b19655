/// @file
/// Task costs: how bad it is to answer y' where y is right, as a sum over positions
///
///     Delta(y, y') = sum_t cost[t][y'_t] >= 0,      Delta(y, y) = 0
///
/// A cost lowers to the table `cost` [T x K] against a right answer, which is all that a loss sees of it, so
/// that the most offending answer is one minimisation away (`augment` of energy/chain.h).
///
///     TableBuffer<float> table(T, K);
///     lower<float>(HammingCost{}, right, table);
///
/// An answer that leaves something open is a set of right labels at each position. A cost is against the
/// nearest of them there, so Delta is 0 for all that the answer allows; what looks beyond one position
/// (SpanCost, CustomCost) has no such form and is refused.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/evaluation/spans.h"

namespace thalweg {

/// The number of wrong positions.
struct HammingCost {};

/// The share of wrong positions, in [0, 1] (the OCR references train by it).
struct HammingMeanCost {};

/// A price for each pair of labels: [K x K] entry (right, answered), 0 on the diagonal.
struct PairCost {
  TableBuffer<double> prices;
};

/// Boundaries and contents of spans. At a position t with label l instead of y_t it costs
///
///     [y_t is in a span] + [l is in a span]
///     + [l continues the span of y_{t-1}, but y_t does not, or the other way round]
///     + [y_{t+1} continues the span of l, but not that of y_t, or the other way round]
///
/// It bounds from above the spans that are in only one of the two answers, missed and invented ones together,
/// and is at most 4 times the Hamming cost. A single span cut short, run on, split, invented or dropped at
/// one position costs just as many spans as it makes wrong.
struct SpanCost {
  std::vector<std::uint8_t> inside;     ///< [K] label is in a span
  TableBuffer<std::uint8_t> continues;  ///< [K x K] (before, label): label is of the same span as `before`
};

/// How `scheme` reads these labels. @throws InputError where none of them is in a span
THALWEG_EXPORT SpanCost span_cost(std::span<const std::string_view> labels, Scheme scheme = Scheme::Auto);

/// The user's own: fills `cost` [T x K], which is 0, for one right answer. Called from several threads.
struct CustomCost {
  std::function<void(std::span<const Label> right, Table<double> cost)> fill;
};

/// The user's own, given whole: cost(right, y). Its table comes from changing one position at a time, and
/// each right answer is tried on 16 random labellings. When lowered it throws InputError unless they agree:
/// the cost does not decompose. O(T K) calls.
THALWEG_EXPORT CustomCost
decomposed(std::function<double(std::span<const Label> right, std::span<const Label> y)> cost);

using TaskCost = std::variant<HammingCost, HammingMeanCost, PairCost, SpanCost, CustomCost>;

/// `hamming`, `hamming-mean`, `pairs`, `spans`, `custom`.
THALWEG_EXPORT std::string_view name(const TaskCost& cost);

/// Assigns the table [T x K] of Delta(right, .) to `out`. O(T K). R is float or double.
/// @throws InputError for a table that does not fit K labels, a price that is negative or not finite, or a
/// right answer that costs something
template <class R>
THALWEG_EXPORT void lower(const TaskCost& cost, std::span<const Label> right, Table<R> out);

/// The same against all that `allowed` [T x K] lets pass. O(T K), of PairCost O(T K^2).
/// @throws InputError as above; OptionError for a cost that looks beyond one position
template <class R>
THALWEG_EXPORT void lower(const TaskCost& cost, Table<const std::uint8_t> allowed, Table<R> out);

/// The price of a wrong position among T, where it is the same for all: what slack rescaling needs on chains.
THALWEG_EXPORT std::optional<double> price_of_error(const TaskCost& cost, Index length);

}  // namespace thalweg
