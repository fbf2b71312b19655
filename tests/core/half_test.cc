#include "thalweg/core/half.h"

#include <cmath>

#include "support/catch.h"
#include "thalweg/core/random.h"

using namespace thalweg;

namespace {

// The value as IEEE 754 defines it.
double value_of(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double size = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 ? -size : size;
}

}  // namespace

TEST_CASE("every half has its value, and every value its half", "[core]") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const Half half{static_cast<std::uint16_t>(bits)};
    if ((bits & 0x7C00) == 0x7C00) {
      if (is_finite(half)) FAIL(bits);
      continue;
    }
    const double value = value_of(half.bits);
    if (!is_finite(half) || static_cast<double>(to_float(half)) != value || to_half(value) != half)
      FAIL(bits);
  }
}

TEST_CASE("numbers between two halves go to the nearer, or the even one", "[core]") {
  for (std::uint16_t bits = 0; bits < 0x7BFF; ++bits) {
    const double low = value_of(bits), high = value_of(static_cast<std::uint16_t>(bits + 1)),
                 middle = (low + high) / 2;
    const std::uint16_t even = static_cast<std::uint16_t>(bits + bits % 2),
                        next = static_cast<std::uint16_t>(bits + 1);
    const bool good = to_half(middle).bits == even && to_half(std::nextafter(middle, low)).bits == bits &&
                      to_half(std::nextafter(middle, high)).bits == next &&
                      to_half(-middle).bits == (even | 0x8000) &&
                      to_half(std::nextafter(-middle, -high)).bits == (next | 0x8000);
    if (!good) FAIL(bits);
  }
  CHECK(to_half(65519.99).bits == 0x7BFF);
  CHECK(to_half(Half::kMax).bits == 0x7BFF);
  CHECK(to_half(1e-300).bits == 0);
  CHECK(to_half(-0.0).bits == 0x8000);
}
