#include "model/sparse_kernels.h"

#define THALWEG_ISA_SPACE avx512
#include "model/sparse_kernels.inl"
