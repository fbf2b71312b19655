/// @file
/// How `train` shows cross-validation and tuning.
#pragma once

#include "thalweg/pipeline/cross_validation.h"
#include "thalweg/pipeline/tune.h"

namespace thalweg::app {

/// A line on standard error for a fold, or a trial, that is done.
void report(const FoldScore& fold, Index folds);
void report(const Trial& trial);

/// Standard output: a table, or with `json` one object a line, the last for all folds or with `"best": true`
/// on one.
void print(const CrossValidation& validation, bool json);
void print(const Tuned& tuned, bool json);

}  // namespace thalweg::app
