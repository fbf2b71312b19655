#include "model/dense_kernels.h"

#define THALWEG_ISA_SPACE avx2
#include "model/dense_kernels.inl"
