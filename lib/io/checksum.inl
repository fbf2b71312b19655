// Compiled once per instruction set by checksum_*.cc, which define THALWEG_ISA_SPACE. All of xxhash.h is
// static.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstddef>
#include <cstdint>

namespace thalweg::detail::THALWEG_ISA_SPACE {

std::uint64_t xxh3(const void* bytes, std::size_t size, std::uint64_t seed);
std::uint64_t xxh3(const void* bytes, std::size_t size, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

}  // namespace thalweg::detail::THALWEG_ISA_SPACE
