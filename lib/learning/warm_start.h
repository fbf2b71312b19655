/// @file
/// Training that starts from another model.
#pragma once

#include <vector>

#include "thalweg/model/linear_chain.h"

namespace thalweg {

/// Weights for the features of `model`, found in `init` by the names of their attributes and labels; 0 where
/// `init` has none. Vectors go by the number of their column. O(features log labels).
/// @throws OptionError when their attributes are hashed to another number of bits, which gives them no names
/// in common
std::vector<double> weights_from(const Model& init, const Model& model);

}  // namespace thalweg
