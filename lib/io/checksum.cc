#include "io/checksum.h"

#include "thalweg/core/isa.h"

namespace thalweg::detail {

namespace generic {
std::uint64_t xxh3(const void* bytes, std::size_t size, std::uint64_t seed);
}
#if defined(THALWEG_AVX2)
namespace avx2 {
std::uint64_t xxh3(const void* bytes, std::size_t size, std::uint64_t seed);
}
#endif

std::uint64_t checksum(std::span<const std::byte> bytes, std::uint64_t seed) {
#if defined(THALWEG_AVX2)
  if (active_isa() != Isa::Generic) return avx2::xxh3(bytes.data(), bytes.size(), seed);
#endif
  return generic::xxh3(bytes.data(), bytes.size(), seed);
}

}  // namespace thalweg::detail
