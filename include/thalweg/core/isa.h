/// @file
/// Which vector instructions the kernels use. The choice is made once, at run time, so one binary runs
/// anywhere.
#pragma once

#include "thalweg/core/export.h"

namespace thalweg {

/// `Generic` is what the compiler makes for the baseline of the architecture (SSE2 on x86-64, NEON on
/// AArch64).
enum class Isa { Generic, Avx2, Avx512 };

/// The widest this machine offers and this build holds, or what the environment variable `THALWEG_ISA` forces
/// (`generic`, `avx2`, `avx512`; one that the machine lacks is ignored). Results are bit-identical within one
/// Isa.
THALWEG_EXPORT Isa active_isa();

THALWEG_EXPORT const char* name(Isa isa);

}  // namespace thalweg
