#include "thalweg/evaluation/calibration.h"

#include <algorithm>
#include <cmath>

namespace thalweg {

void Calibration::add(double confidence, bool right) {
  const auto bin = static_cast<Index>(confidence * static_cast<double>(kBins));
  Bin& at = bins_[static_cast<std::size_t>(std::clamp<Index>(bin, 0, kBins - 1))];
  ++at.count;
  at.right += right;
  at.confidence += confidence;
}

double Calibration::expected_error() const {
  Index count = 0;
  double off = 0;
  for (const Bin& bin : bins_) {
    count += bin.count;
    off += std::abs(bin.confidence - static_cast<double>(bin.right));
  }
  return count == 0 ? 0 : off / static_cast<double>(count);
}

}  // namespace thalweg
