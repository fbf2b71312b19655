#include "model/dense_kernels.h"

#include "thalweg/core/isa.h"

namespace thalweg::detail {

namespace generic {
extern const DenseKernels dense_kernels_here;
}
#if defined(THALWEG_AVX2)
namespace avx2 {
extern const DenseKernels dense_kernels_here;
}
#endif
#if defined(THALWEG_AVX512)
namespace avx512 {
extern const DenseKernels dense_kernels_here;
}
#endif

const DenseKernels& dense_kernels() {
#if defined(THALWEG_AVX512)
  if (active_isa() == Isa::Avx512) return avx512::dense_kernels_here;
#endif
#if defined(THALWEG_AVX2)
  if (active_isa() == Isa::Avx2) return avx2::dense_kernels_here;
#endif
  return generic::dense_kernels_here;
}

}  // namespace thalweg::detail
