/// @file
/// Seeded random numbers that are the same on every platform: no `std::*_distribution`, whose results differ
/// between standard libraries.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <utility>

#include "thalweg/core/types.h"

namespace thalweg {

/// xoshiro256++ (Blackman and Vigna 2019), seeded through splitmix64. Period 2^256 - 1; 32 bytes of state.
class Rng {
 public:
  using result_type = std::uint64_t;

  explicit Rng(std::uint64_t seed = 1) {
    for (auto& word : state_) word = splitmix(seed);
  }

  std::uint64_t operator()() {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0], state_[3] ^= state_[1], state_[1] ^= state_[2], state_[0] ^= state_[3];
    state_[2] ^= t, state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  static constexpr std::uint64_t min() { return 0; }
  static constexpr std::uint64_t max() { return ~std::uint64_t{0}; }

  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>((*this)() >> 11) * 0x1p-53; }

  /// Uniform in [0, n), without bias (rejection). @pre n > 0
  std::uint64_t below(std::uint64_t n) {
    const std::uint64_t reject = (0 - n) % n;
    for (;;) {
      const std::uint64_t x = (*this)();
      if (x >= reject) return x % n;
    }
  }

  /// An index drawn with probability proportional to its weight, one of weight 0 never.
  /// @pre weights are >= 0 and finite, and their sum is > 0
  std::size_t pick(std::span<const double> weights) {
    double total = 0;
    for (double w : weights) total += w;
    double left = uniform() * total;
    std::size_t last = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (weights[i] > 0) last = i;
      if ((left -= weights[i]) < 0) break;
    }
    return last;
  }

  /// Standard normal, by the polar method of Marsaglia.
  double normal() {
    for (;;) {
      const double u = 2 * uniform() - 1, v = 2 * uniform() - 1, s = u * u + v * v;
      if (s > 0 && s < 1) return u * std::sqrt(-2 * std::log(s) / s);
    }
  }

  /// An independent generator for item `stream`: the same for any order in which items are served, so
  /// parallel work draws the same numbers with any number of threads.
  Rng fork(std::uint64_t stream) const {
    std::uint64_t seed = state_[0] ^ std::rotl(state_[2], 17) ^ (stream * 0x9E3779B97F4A7C15u);
    return Rng(splitmix(seed));
  }

  /// All that the numbers to come depend on.
  const std::array<std::uint64_t, 4>& state() const { return state_; }
  /// The generator that `state` was taken from. @pre not all words are 0
  static Rng restored(const std::array<std::uint64_t, 4>& state) {
    Rng rng;
    rng.state_ = state;
    return rng;
  }

  /// Fisher-Yates.
  template <class T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  static std::uint64_t splitmix(std::uint64_t& x) {
    std::uint64_t z = (x += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  std::array<std::uint64_t, 4> state_;
};

}  // namespace thalweg
