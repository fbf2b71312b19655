#define THALWEG_ISA_SPACE generic
#include "io/checksum.inl"
