#include "model/row_plan.h"

#include <algorithm>

namespace thalweg::detail {
namespace {

constexpr Index kSlack = 2;  // entries of a plan that are written beyond its end

}  // namespace

void Plan::resize(Index row_count, Index pair_count, bool valued) {
  rows.columns.resize(row_count), pairs.columns.resize(pair_count);
  if (valued) rows.values.resize(row_count), pairs.values.resize(pair_count);
}

// Whether an attribute has a whole row and how many pairs it has no processor can predict: both lists are
// written at their ends each time, and the ends move where there is something.
void Plan::add(const RowLayout& layout, const SparseMatrix& attributes, Index begin, Index end) {
  const Index first = attributes.offsets[begin], entries = attributes.offsets[end] - first;
  const std::uint32_t* const columns = attributes.columns.data() + first;
  const float* const values = attributes.values.empty() ? nullptr : attributes.values.data() + first;
  const std::uint32_t* const offsets = layout.offsets;
  const auto dense_rows = static_cast<std::uint32_t>(layout.dense_rows);
  const std::uint32_t first_pair = offsets[dense_rows];
  const auto pairs_of = [&](std::uint32_t a) {
    return (offsets[a + 1] - offsets[a]) & (0u - std::uint32_t{a >= dense_rows});
  };
  for (Index e = 0; e < entries; ++e) __builtin_prefetch(offsets + columns[e]);
  Index all_pairs = 0;
  for (Index e = 0; e < entries; ++e) all_pairs += pairs_of(columns[e]);
  Index row = std::ssize(rows.columns), pair = std::ssize(pairs.columns);
  resize(row + entries + kSlack, pair + all_pairs + kSlack, values != nullptr);
  std::uint32_t* const row_ids = rows.columns.data();
  std::uint32_t* const pair_ids = pairs.columns.data();
  Index e = 0;
  for (Index p = begin; p < end; ++p) {
    for (const Index stop = attributes.offsets[p + 1] - first; e < stop; ++e) {
      const std::uint32_t a = columns[e], from = offsets[a] - first_pair, count = pairs_of(a);
      row_ids[row] = a;
      pair_ids[pair] = from, pair_ids[pair + 1] = from + 1;
      for (std::uint32_t i = 2; i < count; ++i) pair_ids[pair + i] = from + i;
      if (values) {
        rows.values[row] = values[e];
        std::fill_n(pairs.values.begin() + pair, count, values[e]);
      }
      row += a < dense_rows;
      pair += count;
    }
    rows.offsets.push_back(row), pairs.offsets.push_back(pair);
  }
  resize(row, pair, values != nullptr);
}

RowPlan Plan::raw() const {
  return {rows.offsets.data(),
          rows.columns.data(),
          rows.values.data(),
          pairs.offsets.data(),
          pairs.columns.data(),
          pairs.values.data(),
          !rows.values.empty() || !pairs.values.empty()};
}

}  // namespace thalweg::detail
