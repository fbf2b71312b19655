/// @file
/// Planes below one convex function, kept by their products, and steps over their weights.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "thalweg/core/types.h"
#include "thalweg/learning/margin_solver.h"

namespace thalweg {

/// m planes with weights that sum to 1. With w = w_0 + h sum_k weight_k slope_k, the values height_k - w .
/// slope_k follow the weights through the products of slopes alone.
struct PlaneSet {
  std::vector<double> weights, heights;  ///< [m]
  std::vector<double> products;          ///< [capacity x capacity], its upper left [m x m]
  std::vector<Index> idle;               ///< [m] visits since the weight was not 0
  std::vector<double> anchor;            ///< [m] the weights after the pass before
  Index capacity = 0;

  Index size() const { return std::ssize(weights); }
  double* row(Index k) { return products.data() + k * capacity; }
  const double* row(Index k) const { return products.data() + k * capacity; }
  double height() const {
    double sum = 0;
    for (std::size_t k = 0; k < weights.size(); ++k) sum += weights[k] * heights[k];
    return sum;
  }

  /// A plane of weight 0. @param with [m + 1] its products with the planes, itself the last
  void add(double height, std::span<const double> with) {
    const Index m = size();
    if (m == capacity) grow();
    weights.push_back(0), anchor.push_back(0), heights.push_back(height), idle.push_back(0);
    for (Index k = 0; k <= m; ++k) row(m)[k] = row(k)[m] = with[static_cast<std::size_t>(k)];
  }

  /// Forgets the planes that `drop(k)` names, moved(from, to) for each that takes another number.
  template <class Drop, class Moved>
  void forget(Drop drop, Moved moved) {
    Index kept = 0;
    for (Index k = 0; k < size(); ++k) {
      if (drop(k)) continue;
      if (kept != k) {
        weights[kept] = weights[k], heights[kept] = heights[k], idle[kept] = idle[k];
        anchor[kept] = anchor[k];
        std::copy_n(row(k), size(), row(kept));
        for (Index j = 0; j < size(); ++j) row(j)[kept] = row(j)[k];
        moved(k, kept);
      }
      ++kept;
    }
    weights.resize(kept), heights.resize(kept), idle.resize(kept), anchor.resize(kept);
  }

  /// target[k] = weights[k] + s (weights[k] - anchor[k]), as far as no weight falls below 0: what falls less
  /// than that lets the others rise less. Returns whether anything does.
  bool aim(double s, std::vector<double>& target) const {
    double falls = 0, rises = 0;
    bool stopped = false;
    target = weights;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      const double by = s * (weights[k] - anchor[k]);
      if (by >= 0) {
        rises += by;
      } else {
        stopped = stopped || weights[k] + by < 0;
        target[k] = std::max(weights[k] + by, 0.0);
        falls += weights[k] - target[k];
      }
    }
    const double share = stopped && rises > 0 ? falls / rises : 1;
    for (std::size_t k = 0; k < weights.size(); ++k)
      target[k] += share * std::max(s * (weights[k] - anchor[k]), 0.0);
    return stopped;
  }

  /// After a visit. @param counts whether it is one that planes may grow idle by
  void count_idle(bool counts) {
    for (std::size_t k = 0; k < weights.size(); ++k) idle[k] = weights[k] > 0 ? 0 : idle[k] + counts;
  }
  /// Nothing depends on it.
  bool forgettable(Index k, Index patience) const {
    return idle[k] > patience && weights[k] == 0 && anchor[k] == 0;
  }

 private:
  void grow() {
    const Index larger = std::max<Index>(4, 2 * capacity), m = size();
    std::vector<double> moved(static_cast<std::size_t>(larger * larger));
    for (Index k = 0; k < m; ++k) std::copy_n(row(k), m, moved.data() + k * larger);
    products = std::move(moved);
    capacity = larger;
  }
};

/// Up to `steps` steps that raise sum_k weight_k value_k - (the quadratic of w), each to the optimum along
/// its direction. `values` [m] follow. Stops when the best value is no more than `tolerance` above the
/// average.
void climb(BlockFrankWolfe::Step step, Index steps, double tolerance, double h, PlaneSet& planes,
           std::span<double> values);

}  // namespace thalweg
