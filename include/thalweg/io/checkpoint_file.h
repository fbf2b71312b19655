/// @file
/// A training that was interrupted, as a file: versioned, checksummed and written whole or not at all
/// (io/array_file.h).
///
/// | array                     | type and shape | what it is                                            |
/// |---------------------------|----------------|-------------------------------------------------------|
/// | `fingerprint`, `stopped`  | u8             | as in TrainState                                      |
/// | `counts`                  | i64 [2]        | iterations, evaluations                               |
/// | `figures`                 | f64 [5]        | objective, dual, gap by rise, seconds, CPU seconds    |
/// | `watch/figures`           | f64 [2]        | best, best F1                                         |
/// | `watch/iteration`         | i64 [1]        | the best                                              |
/// | `watch/weights`           | f64 [D] or [0] | of the best iteration                                 |
///
/// and one of
///
/// | `lbfgs/x`, `/gradient`, `/window`, `/curvatures`, `/figures`, `/counts`, `/step-n`, `/change-n` |
/// LbfgsState | | `dual/theta`, `/theta-pairs`, `/eta`, `/order`, `/rng`, `/weights`, `/norm` |
/// ExponentiatedGradientState | | `online/weights`, `/weighted`, `/order`, `/rng`, `/step` | OnlineState |
///
/// For D weights that is 8 (2 m + 2) D bytes under L-BFGS with m pairs of memory (51 MB for the 456,468 of
/// CoNLL-2000), four for every position and label under exponentiated gradient, 16 D for the online learners;
/// a development set adds 8 D.
#pragma once

#include <string>

#include "thalweg/core/export.h"
#include "thalweg/io/array_file.h"
#include "thalweg/learning/train_state.h"

namespace thalweg {

inline constexpr FileFormat kCheckpointFormat{"thalweg checkpoint", 1, 0};

/// @throws IoError
THALWEG_EXPORT void save_checkpoint(const TrainState& state, const std::string& path);

/// What the file says is verified when a training goes on from it (TrainOptions::resume).
/// @throws IoError; ModelError if it is damaged, no checkpoint, or of a newer version
THALWEG_EXPORT TrainState load_checkpoint(const std::string& path);

}  // namespace thalweg
