#include "inference/chain_kernels.h"

#include "thalweg/core/isa.h"
#include "thalweg/energy/histories.h"

namespace thalweg::detail {

#define THALWEG_DECLARE(isa)                              \
  namespace isa {                                         \
  extern const ChainKernels<float> chain_kernels_float;   \
  extern const ChainKernels<double> chain_kernels_double; \
  }
THALWEG_DECLARE(generic)
#if defined(THALWEG_AVX2)
THALWEG_DECLARE(avx2)
#endif
#if defined(THALWEG_AVX512)
THALWEG_DECLARE(avx512)
#endif
#undef THALWEG_DECLARE

template <>
const ChainKernels<float>& chain_kernels() {
#if defined(THALWEG_AVX512)
  if (active_isa() == Isa::Avx512) return avx512::chain_kernels_float;
#endif
#if defined(THALWEG_AVX2)
  if (active_isa() == Isa::Avx2) return avx2::chain_kernels_float;
#endif
  return generic::chain_kernels_float;
}

template <>
const ChainKernels<double>& chain_kernels() {
#if defined(THALWEG_AVX512)
  if (active_isa() == Isa::Avx512) return avx512::chain_kernels_double;
#endif
#if defined(THALWEG_AVX2)
  if (active_isa() == Isa::Avx2) return avx2::chain_kernels_double;
#endif
  return generic::chain_kernels_double;
}

HistoryPass history_pass(const Histories& histories, std::ptrdiff_t stride) {
  return {histories.states(),
          stride,
          histories.groups(),
          histories.group_bounds().data(),
          histories.group_next().data(),
          histories.starts().data(),
          histories.last().data(),
          histories.before_offsets().data(),
          histories.before().data()};
}

}  // namespace thalweg::detail
