#include "model/sparse_kernels.h"

#define THALWEG_ISA_SPACE avx2
#include "model/sparse_kernels.inl"
