#include "model/dense_kernels.h"

#define THALWEG_ISA_SPACE avx512
#include "model/dense_kernels.inl"
