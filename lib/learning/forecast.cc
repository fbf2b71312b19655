#include "learning/forecast.h"

#include <algorithm>
#include <cmath>

namespace thalweg {

double Forecast::remaining(double objective, double seconds) {
  objectives_.push_back(objective);
  const Index n = static_cast<Index>(objectives_.size());
  if (n <= 2 * window_) return -1;
  const double now = improvement(n - 1), before = improvement(n - 1 - window_);
  if (!(now > 0 && before > now)) return -1;
  const double iterations = static_cast<double>(window_) * std::log(now / delta_) / std::log(before / now);
  return std::max(0.0, iterations) * seconds / static_cast<double>(n);
}

double Forecast::improvement(Index at) const {
  return (objectives_[at - window_] - objectives_[at]) / std::abs(objectives_[at]);
}

}  // namespace thalweg
