#include <cmath>

#include "inference/chain_kernels.h"

#define THALWEG_ISA_SPACE avx512
#include "inference/chain_kernels.inl"
