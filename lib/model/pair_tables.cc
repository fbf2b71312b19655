#include "thalweg/model/pair_tables.h"

namespace thalweg {

void PairTables::clear() {
  for (std::uint32_t row : tables_) number_[row] = 0;
  tables_.clear(), which_.clear();
}

void PairTables::add(const Dataset& data, Index n) {
  if (data.pairs.empty()) return;
  const auto rows = static_cast<std::size_t>(data.pairs.rows().rows());
  if (number_.size() < rows) number_.resize(rows, 0);
  for (Index p = data.sequences[n]; p < data.sequences[n + 1]; ++p) {
    if (p + 1 == data.sequences[n + 1]) {
      which_.push_back(0);
      continue;
    }
    const std::uint32_t row = data.pairs.which()[p];
    if (number_[row] == 0) {
      tables_.push_back(row);
      number_[row] = static_cast<std::uint32_t>(tables_.size());
    }
    which_.push_back(number_[row] - 1);
  }
}

}  // namespace thalweg
