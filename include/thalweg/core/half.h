/// @file
/// Half precision (IEEE 754 binary16): 11 significant bits, up to 65504, steps of 2^-24 near 0.
///
/// A half and a float differ in how far their exponents reach, and multiplying by a power of two moves a
/// number from one reach to the other, denormals included. So one multiplication converts, vectors too, on
/// any instruction set and by any compiler; g++ 12 and clang 14 do not agree on a half type for x86.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace thalweg {

struct Half {
  std::uint16_t bits = 0;

  static constexpr double kMax = 65504;
  static constexpr float kReach = 0x1p112f;            ///< 2^(127 - 15), of the exponents' biases
  static constexpr std::uint32_t kBits = 0x8FFFE000u;  ///< sign, exponent and fraction where a float has them

  bool operator==(const Half&) const = default;
};

inline bool is_finite(float x) { return std::isfinite(x); }
inline float to_float(float x) { return x; }
inline bool is_finite(Half h) { return (h.bits & 0x7C00) != 0x7C00; }

/// Exact. @pre h is finite
inline float to_float(Half h) {
  const std::int32_t signed_bits = std::bit_cast<std::int16_t>(h.bits);
  return std::bit_cast<float>(static_cast<std::uint32_t>(signed_bits << 13) & Half::kBits) * Half::kReach;
}

/// The nearest, the even one of two. @pre |x| < 65520, which is where the nearest is no longer finite
inline Half to_half(double x) {
  int exponent = 0;
  std::frexp(x, &exponent);
  const int last_bit = exponent < -13 ? -24 : exponent - 11;
  const double rounded = std::ldexp(std::nearbyint(std::ldexp(x, -last_bit)), last_bit);
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(rounded) / Half::kReach);
  return {static_cast<std::uint16_t>(bits >> 31 << 15 | (bits & ~(1u << 31)) >> 13)};
}

}  // namespace thalweg
