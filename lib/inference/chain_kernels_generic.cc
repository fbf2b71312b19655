#include <cmath>

#include "inference/chain_kernels.h"

#define THALWEG_ISA_SPACE generic
#include "inference/chain_kernels.inl"
