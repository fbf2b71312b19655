// Options out of range, by name.
#pragma once

#include <string>

#include "thalweg/core/error.h"

namespace thalweg {

/// @throws OptionError `option: is value, must be constraint; mend` unless it holds
inline void require(bool holds, const char* option, double value, const char* constraint, const char* mend) {
  if (holds) return;
  std::string shown = std::to_string(value);
  if (shown.find('.') != std::string::npos) shown.erase(shown.find_last_not_of('0') + 1);
  if (shown.back() == '.') shown.pop_back();
  throw OptionError(option, "is " + shown + ", must be " + constraint, mend);
}

}  // namespace thalweg
