#include "model/dense_kernels.h"

#define THALWEG_ISA_SPACE generic
#include "model/dense_kernels.inl"
