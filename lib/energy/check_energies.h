// What every boundary says about numbers that are no energies.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>

#include "thalweg/core/error.h"
#include "thalweg/core/types.h"

namespace thalweg::detail {

/// `tensor[i, j]`
inline std::string at(const char* tensor, std::initializer_list<Index> indices) {
  std::string place = tensor;
  const char* separator = "[";
  for (Index i : indices) place += separator + std::to_string(i), separator = ", ";
  return place + "]";
}

/// The first of `values` that is no energy, or their number.
template <class R>
Index first_bad(std::span<const R> values) {
  bool bad = false;
  for (R v : values) bad |= !(v > -kInfinity<R>);
  if (!bad) return static_cast<Index>(values.size());
  return std::find_if(values.begin(), values.end(), [](R v) { return !(v > -kInfinity<R>); }) -
         values.begin();
}

template <class R>
[[noreturn]] void refuse_energy(const std::string& place, R value) {
  throw InputError(place, std::isnan(value) ? "is NaN" : "is -infinity",
                   "energies are finite or +infinity, which forbids");
}

/// In R, which is what the kernels compute in, it must still be a number to divide by.
template <class R>
void check_beta(double beta) {
  const R here = static_cast<R>(beta);
  if (here >= std::numeric_limits<R>::min() && here < kInfinity<R>) return;
  char text[32];
  std::snprintf(text, sizeof text, "%g", beta);
  throw OptionError("beta", std::string("must be finite and > 0, is ") + text, "1 is the plain likelihood");
}

}  // namespace thalweg::detail
