/// @file
/// Which options go together, and which solver they call for.
#pragma once

#include "thalweg/features/dataset.h"
#include "thalweg/learning/train.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

/// @throws OptionError for values out of range.
void validate(const TrainOptions& options);

/// The solver that will run: never Auto. @pre the features of `model` are chosen
/// @throws OptionError for a solver that the loss, the regularisers or the features rule out
Solver choose_solver(const Model& model, const Dataset& data, const TrainOptions& options);

/// Whether it is one of learning/margin_solver.h.
bool is_margin_solver(Solver solver);

}  // namespace thalweg
