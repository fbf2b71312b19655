/// @file
/// What is checked before a learner goes on from a state that came from elsewhere.
#pragma once

#include <string>
#include <vector>

#include "thalweg/core/error.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// @throws InputError
inline void require_size(const char* what, std::size_t size, Index expected) {
  if (static_cast<Index>(size) == expected) return;
  throw InputError(what, std::to_string(size) + " entries, " + std::to_string(expected) + " expected",
                   "go on from a state of the same model and data");
}

/// @throws InputError unless `order` holds each of 0 ... n - 1 once
inline void require_order(const std::vector<Index>& order, Index n) {
  require_size("state.order", order.size(), n);
  std::vector<bool> seen(order.size(), false);
  for (const Index i : order) {
    if (i < 0 || i >= n || seen[static_cast<std::size_t>(i)])
      throw InputError("state.order", "it is no order of the sequences",
                       "go on from a state as it was taken");
    seen[static_cast<std::size_t>(i)] = true;
  }
}

}  // namespace thalweg
