/// @file
/// What a minimiser answers, and how good it says the answer is.
#pragma once

#include <vector>

#include "thalweg/core/types.h"

namespace thalweg {

enum class Guarantee {
  Exact,         ///< no answer has a lower energy
  Bounded,       ///< the optimum lies between `lower_bound` and `energy`
  LocalOptimum,  ///< no single move of the method improves it
  Sample,        ///< drawn at random
};

/// The result of a minimisation. "Nothing is allowed" is an outcome, not an error: then the energy is
/// +infinity and there are no labels.
struct Minimum {
  std::vector<Label> labels;
  double energy = kInfinity<double>;
  double lower_bound = kInfinity<double>;
  Guarantee guarantee = Guarantee::Exact;

  bool feasible() const { return energy < kInfinity<double>; }
};

}  // namespace thalweg
