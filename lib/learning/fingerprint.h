/// @file
/// What must agree for a training to go on where another stopped.
#pragma once

#include <string>

#include "thalweg/learning/train.h"

namespace thalweg {

/// All that the course of a training depends on beside the number of threads: one `name TAB value` a line,
/// options as they are, data and features by a hash. `model` has its features and its first weights.
/// O(data + features).
std::string fingerprint(const Model& model, const Dataset& data, const DevelopmentSet* development,
                        const TrainOptions& options);

/// @throws OptionError that names what differs between two fingerprints
void require_same(const std::string& then, const std::string& now);

}  // namespace thalweg
