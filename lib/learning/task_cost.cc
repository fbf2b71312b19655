#include "thalweg/learning/task_cost.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

namespace thalweg {
namespace {

std::string entry(Index t, Index l) {
  return "task cost[" + std::to_string(t) + ", " + std::to_string(l) + "]";
}

void require_labels(const char* what, Index has, Index K) {
  if (has == K) return;
  throw InputError(what, "is for " + std::to_string(has) + " labels, the model has " + std::to_string(K),
                   "make it for the model's labels");
}

template <class R>
void check_price(double price, Index t, Index l) {
  if (price >= 0 && std::isfinite(static_cast<R>(price))) return;
  throw InputError(entry(t, l), price < 0 ? "is " + std::to_string(price) : "is not finite",
                   "task costs are finite and >= 0");
}

void require_free(double price, Index t, Index right) {
  if (price == 0) return;
  throw InputError(entry(t, right), "is " + std::to_string(price) + " for the right label",
                   "a right answer costs 0");
}

template <class R>
void lower_one(const HammingCost&, std::span<const Label> right, Table<R> out) {
  std::fill_n(out.data, out.size(), R(1));
  for (Index t = 0; t < out.rows; ++t) out[t][right[t]] = 0;
}

template <class R>
void lower_one(const HammingMeanCost&, std::span<const Label> right, Table<R> out) {
  std::fill_n(out.data, out.size(), R(1) / static_cast<R>(std::max<Index>(out.rows, 1)));
  for (Index t = 0; t < out.rows; ++t) out[t][right[t]] = 0;
}

void require_prices(const PairCost& cost, Index K) {
  require_labels("task cost of pairs", cost.prices.rows(), K);
  require_labels("task cost of pairs", cost.prices.columns(), K);
}

template <class R>
void lower_one(const PairCost& cost, std::span<const Label> right, Table<R> out) {
  require_prices(cost, out.columns);
  for (Index t = 0; t < out.rows; ++t) {
    const auto r = static_cast<Index>(right[t]);
    for (Index l = 0; l < out.columns; ++l) {
      check_price<R>(cost.prices[r][l], r, l);
      out[t][l] = static_cast<R>(cost.prices[r][l]);
    }
    require_free(cost.prices[r][r], r, r);
  }
}

template <class R>
void lower_one(const SpanCost& cost, std::span<const Label> right, Table<R> out) {
  const Index K = out.columns, T = out.rows;
  require_labels("task cost of spans", static_cast<Index>(cost.inside.size()), K);
  const auto goes_on = [&](Label before, Label after) { return cost.continues[before][after] != 0; };
  for (Index t = 0; t < T; ++t) {
    const Label y = right[t];
    for (Label l = 0; l < static_cast<Label>(K); ++l) {
      const bool left = t > 0 && goes_on(right[t - 1], l) != goes_on(right[t - 1], y),
                 next = t + 1 < T && goes_on(l, right[t + 1]) != goes_on(y, right[t + 1]);
      out[t][l] = static_cast<R>(l == y ? 0 : (cost.inside[y] != 0) + (cost.inside[l] != 0) + left + next);
    }
  }
}

template <class R>
void lower_one(const CustomCost& cost, std::span<const Label> right, Table<R> out) {
  if (!cost.fill) throw InputError("task cost", "is a custom one without a function", "set `fill`");
  TableBuffer<double> table(out.rows, out.columns);
  cost.fill(right, table);
  for (Index t = 0; t < out.rows; ++t) {
    for (Index l = 0; l < out.columns; ++l) {
      check_price<R>(table[t][l], t, l);
      out[t][l] = static_cast<R>(table[t][l]);
    }
    require_free(table[t][right[t]], t, static_cast<Index>(right[t]));
  }
}

template <class R>
void fill_wrong(Table<const std::uint8_t> allowed, R price, Table<R> out) {
  for (Index i = 0; i < out.size(); ++i) out.data[i] = allowed.data[i] ? R(0) : price;
}

template <class R>
void lower_open(const HammingCost&, Table<const std::uint8_t> allowed, Table<R> out) {
  fill_wrong(allowed, R(1), out);
}

template <class R>
void lower_open(const HammingMeanCost&, Table<const std::uint8_t> allowed, Table<R> out) {
  fill_wrong(allowed, R(1) / static_cast<R>(std::max<Index>(out.rows, 1)), out);
}

template <class R>
void lower_open(const PairCost& cost, Table<const std::uint8_t> allowed, Table<R> out) {
  require_prices(cost, out.columns);
  for (Index t = 0; t < out.rows; ++t) {
    std::fill_n(out[t], out.columns, kInfinity<R>);
    for (Index r = 0; r < out.columns; ++r) {
      if (!allowed[t][r]) continue;
      require_free(cost.prices[r][r], r, r);
      for (Index l = 0; l < out.columns; ++l) {
        check_price<R>(cost.prices[r][l], r, l);
        out[t][l] = std::min(out[t][l], static_cast<R>(cost.prices[r][l]));
      }
    }
  }
}

template <class Cost, class R>
void lower_open(const Cost& cost, Table<const std::uint8_t>, Table<R>) {
  throw OptionError(
      "cost",
      std::string(name(TaskCost(cost))) + " looks beyond one position, and the answer leaves some open",
      "use hamming, or answers that are known");
}

}  // namespace

SpanCost span_cost(std::span<const std::string_view> labels, Scheme scheme) {
  if (scheme == Scheme::Auto) scheme = detect_scheme(labels);
  std::vector<SpanMark> marks;
  for (std::string_view label : labels) marks.push_back(span_mark(label, scheme));
  const auto K = static_cast<Index>(labels.size());
  SpanCost cost{{}, TableBuffer<std::uint8_t>(K, K)};
  for (Index a = 0; a < K; ++a) {
    cost.inside.push_back(marks[a].inside);
    for (Index b = 0; b < K; ++b) cost.continues[a][b] = marks[b].continues(marks[a]);
  }
  if (std::find(cost.inside.begin(), cost.inside.end(), 1) == cost.inside.end())
    throw InputError("labels", "none of them is in a span",
                     "span costs are for labels such as B-X, I-X and O");
  return cost;
}

CustomCost decomposed(std::function<double(std::span<const Label>, std::span<const Label>)> cost) {
  return {[cost = std::move(cost)](std::span<const Label> right, Table<double> table) {
    std::vector<Label> y(right.begin(), right.end());
    for (Index t = 0; t < table.rows; ++t) {
      for (Index l = 0; l < table.columns; ++l) y[t] = static_cast<Label>(l), table[t][l] = cost(right, y);
      y[t] = right[t];
    }
    Rng rng;
    for (int round = 0; round < 16; ++round) {
      double sum = 0;
      for (Index t = 0; t < table.rows; ++t) {
        y[t] = static_cast<Label>(rng.below(static_cast<std::uint64_t>(table.columns)));
        sum += table[t][y[t]];
      }
      const double whole = cost(right, y);
      if (std::abs(whole - sum) <= 1e-9 * std::max(1.0, std::abs(sum))) continue;
      throw InputError("task cost",
                       "of a labelling is " + std::to_string(whole) + ", those of its positions add up to " +
                           std::to_string(sum) + ": it does not decompose",
                       "use a cost that is a sum over positions");
    }
  }};
}

std::string_view name(const TaskCost& cost) {
  constexpr std::string_view kNames[] = {"hamming", "hamming-mean", "pairs", "spans", "custom"};
  static_assert(std::size(kNames) == std::variant_size_v<TaskCost>);
  return kNames[cost.index()];
}

template <class R>
void lower(const TaskCost& cost, std::span<const Label> right, Table<R> out) {
  std::visit([&](const auto& one) { lower_one(one, right, out); }, cost);
}

template <class R>
void lower(const TaskCost& cost, Table<const std::uint8_t> allowed, Table<R> out) {
  std::visit([&](const auto& one) { lower_open(one, allowed, out); }, cost);
}

std::optional<double> price_of_error(const TaskCost& cost, Index length) {
  if (std::holds_alternative<HammingCost>(cost)) return 1;
  if (std::holds_alternative<HammingMeanCost>(cost))
    return 1 / static_cast<double>(std::max<Index>(length, 1));
  return std::nullopt;
}

#define THALWEG_INSTANTIATE(R)                                            \
  template void lower(const TaskCost&, std::span<const Label>, Table<R>); \
  template void lower(const TaskCost&, Table<const std::uint8_t>, Table<R>);
THALWEG_INSTANTIATE(float)
THALWEG_INSTANTIATE(double)
#undef THALWEG_INSTANTIATE

}  // namespace thalweg
