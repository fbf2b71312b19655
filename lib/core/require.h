// Options out of range, by name.
#pragma once

#include <fmt/format.h>

#include <string>

#include "thalweg/core/error.h"

namespace thalweg {

/// @throws OptionError `option: is value, must be constraint; mend` unless it holds
template <class T>
void require(bool holds, const char* option, const T& value, const std::string& constraint,
             const char* mend = "") {
  if (!holds) throw OptionError(option, fmt::format("is {}, must be {}", value, constraint), mend);
}

}  // namespace thalweg
