#define THALWEG_ISA_SPACE avx2
#include "io/checksum.inl"
