#include "model/sparse_kernels.h"

#define THALWEG_ISA_SPACE generic
#include "model/sparse_kernels.inl"
