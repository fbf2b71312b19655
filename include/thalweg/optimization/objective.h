/// @file
/// What every batch optimiser of this room minimises.
#pragma once

#include <functional>
#include <span>

namespace thalweg {

/// A differentiable f: R^D -> R. Returns f(x) and overwrites every entry of `gradient` [D] with f'(x); what
/// `gradient` held before means nothing. The value may be non-finite where f is not defined: the optimisers
/// step back from there. Sum in double: a total kept in float changes trajectories in the fifth digit.
using Objective = std::function<double(std::span<const double> x, std::span<double> gradient)>;

}  // namespace thalweg
