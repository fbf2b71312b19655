#include "thalweg/features/dataset.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

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

}  // namespace thalweg
