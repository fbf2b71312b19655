#include "thalweg/features/dataset.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "thalweg/core/error.h"

namespace thalweg {

void DistinctRows::add(std::span<const std::uint32_t> columns, std::span<const float> values) {
  const auto before = rows_.columns.size();
  rows_.columns.insert(rows_.columns.end(), columns.begin(), columns.end());
  if (!values.empty()) {
    rows_.values.resize(before, 1.f);
    rows_.values.insert(rows_.values.end(), values.begin(), values.end());
  } else if (!rows_.values.empty()) {
    rows_.values.resize(rows_.columns.size(), 1.f);
  }
  rows_.offsets.push_back(static_cast<Index>(rows_.columns.size()));
  which_.push_back(find_or_keep_last());
}

// The row that equals the last one, which is then taken away; or the last one itself.
std::uint32_t DistinctRows::find_or_keep_last() {
  const Index last = rows_.rows() - 1;
  const auto columns = rows_.row(last);
  const auto values = rows_.row_values(last);
  const std::uint64_t hash = XXH3_64bits(columns.data(), columns.size_bytes());
  if (3 * static_cast<std::size_t>(last + 1) > 2 * slots_.size()) {
    rehash(std::max<std::size_t>(16, 2 * slots_.size()));
  }
  std::size_t slot = hash & (slots_.size() - 1);
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    const std::uint32_t row = slots_[slot] - 1;
    if (hashes_[row] != hash || !std::ranges::equal(rows_.row(row), columns) ||
        !std::ranges::equal(rows_.row_values(row), values)) {
      continue;
    }
    rows_.offsets.pop_back();
    rows_.columns.resize(static_cast<std::size_t>(rows_.offsets.back()));
    if (!rows_.values.empty()) rows_.values.resize(rows_.columns.size());
    return row;
  }
  slots_[slot] = static_cast<std::uint32_t>(last + 1);
  hashes_.push_back(hash);
  return static_cast<std::uint32_t>(last);
}

void DistinctRows::rehash(std::size_t slots) {
  slots_.assign(slots, 0);
  for (std::uint32_t row = 0; row < hashes_.size(); ++row) {
    std::size_t slot = hashes_[row] & (slots - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots - 1);
    slots_[slot] = row + 1;
  }
}

void DistinctRows::clear() {
  rows_.clear(), which_.clear(), hashes_.clear();
  std::fill(slots_.begin(), slots_.end(), 0u);
}

std::string place(const Dataset& data, Index n, Index t) {
  if (data.lines.empty() || data.lines[static_cast<std::size_t>(n)] == 0)
    return fmt::format("sentence {}, token {}", n + 1, t + 1);
  return place(data.source, data.lines[static_cast<std::size_t>(n)] + static_cast<std::uint64_t>(t));
}

namespace {

template <class T>
void append(const std::vector<T>& from, Index begin, Index end, std::vector<T>& to) {
  if (!from.empty()) to.insert(to.end(), from.begin() + begin, from.begin() + end);
}

void append_rows(const SparseMatrix& from, Index begin, Index end, SparseMatrix& to) {
  append(from.columns, from.offsets[begin], from.offsets[end], to.columns);
  append(from.values, from.offsets[begin], from.offsets[end], to.values);
  const Index shift = to.offsets.back() - from.offsets[begin];
  for (Index r = begin; r < end; ++r) to.offsets.push_back(from.offsets[r + 1] + shift);
}

void append_row(const DistinctRows& from, Index p, DistinctRows& to) {
  const Index row = from.which()[static_cast<std::size_t>(p)];
  to.add(from.rows().row(row), from.rows().row_values(row));
}

void append_sequence(const Dataset& from, Index n, Dataset& to) {
  const Index begin = from.sequences[n], end = from.sequences[n + 1];
  to.sequences.push_back(to.sequences.back() + end - begin);
  append_rows(from.attributes, begin, end, to.attributes);
  append(from.labels, begin, end, to.labels);
  append(from.vectors, begin * from.vector_columns, end * from.vector_columns, to.vectors);
  append(from.lines, n, n + 1, to.lines);
  append(from.weights, n, n + 1, to.weights);
  for (Index p = begin; p < end && !from.choices.empty(); ++p) append_row(from.choices, p, to.choices);
  for (Index p = begin; p < end && !from.pairs.empty(); ++p)
    p + 1 == end ? to.pairs.skip() : append_row(from.pairs, p, to.pairs);
}

}  // namespace

void drop_sequences(Dataset& data, std::span<const std::uint8_t> drop) {
  Dataset kept;
  kept.vector_columns = data.vector_columns, kept.source = data.source;
  kept.class_weights = data.class_weights;
  for (Index n = 0; n < data.size(); ++n) {
    if (!drop[n]) append_sequence(data, n, kept);
  }
  data = std::move(kept);
}

}  // namespace thalweg
