/// @file
/// Which pairwise tables a run of sequences needs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/features/dataset.h"

namespace thalweg {

/// Numbers the distinct pair rows (Dataset::pairs) of a few sequences from 0. A pairwise table is K^2
/// numbers, and with templates that read words a data set has tens of thousands of distinct rows, but a
/// thousand positions can have no more than a thousand: tables are made for one block at a time. Once warm it
/// allocates nothing.
class THALWEG_EXPORT PairTables {
 public:
  /// Starts anew. O(tables)
  void clear();
  /// Adds sequence n, which must follow the one added before. O(positions)
  void add(const Dataset& data, Index n);

  /// The row that table i is made of.
  std::span<const std::uint32_t> tables() const { return tables_; }
  /// [positions] the table between p and the next position; meaningless where a sequence ends.
  std::span<const std::uint32_t> which() const { return which_; }

 private:
  std::vector<std::uint32_t> tables_, which_;
  std::vector<std::uint32_t> number_;  // by row: 1 + its table, or 0
};

}  // namespace thalweg
