/// @file
/// How long a training has gone on, and how long it will.
#pragma once

#include <chrono>
#include <ctime>
#include <vector>

#include "thalweg/core/types.h"

namespace thalweg {

struct Clock {
  double seconds_before = 0, cpu_seconds_before = 0;  // in runs that this one goes on from
  std::chrono::steady_clock::time_point wall = std::chrono::steady_clock::now();
  std::clock_t cpu = std::clock();
  double seconds() const { return seconds_before + seconds_here(); }
  double seconds_here() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
  }
  double cpu_seconds() const {
    return cpu_seconds_before + static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
  }
};

/// Guesses when the relative improvement over a window of iterations, which falls about geometrically, will
/// reach `delta`.
class Forecast {
 public:
  Forecast(Index window, double delta) : window_(window), delta_(delta) {}

  /// Of the next iteration, `seconds` after the start. @return seconds from now; negative: no guess yet
  double remaining(double objective, double seconds);

 private:
  double improvement(Index at) const;

  Index window_;
  double delta_;
  std::vector<double> objectives_;
};

}  // namespace thalweg
