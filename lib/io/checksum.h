/// @file
/// XXH3-64, once per instruction set: the header-only XXH3 keeps to what the compiler may assume, which on
/// x86-64 is SSE2, and is then slower than memory. AVX2 is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace thalweg::detail {

std::uint64_t checksum(std::span<const std::byte> bytes, std::uint64_t seed = 0);

}  // namespace thalweg::detail
