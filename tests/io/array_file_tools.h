/// @file
/// What the tests and the fuzz target of array files share. The layout stands here once more, from its
/// description and not from the library's code: bytes are changed with it and the checksums made right again.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "thalweg/io/array_file.h"

namespace thalweg::testing {

using Bytes = std::vector<std::byte>;

// In the file:
inline constexpr std::size_t kKindAt = 8, kMajorAt = 32, kMinorAt = 36, kHeaderBytesAt = 40,
                             kFileBytesAt = 48, kHeaderChecksumAt = 56, kRecordsAt = 64;
// In a record:
inline constexpr std::size_t kRecordSize = 128, kNameSize = 72, kTypeAt = 72, kRankAt = 76, kShapeAt = 80,
                             kOffsetAt = 104, kBytesAt = 112, kChecksumAt = 120;

inline std::size_t record_at(std::size_t i) { return kRecordsAt + i * kRecordSize; }

template <class T>
T get(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

template <class T>
void put(std::span<std::byte> bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

inline std::uint64_t xxh3(std::span<const std::byte> bytes, std::uint64_t seed = 0) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

/// Makes every checksum right that the header, whatever it says, leaves room for.
inline void fix_checksums(std::span<std::byte> file) {
  if (file.size() < kRecordsAt) return;
  const std::size_t header = std::min<std::uint64_t>(get<std::uint64_t>(file, kHeaderBytesAt), file.size());
  if (header < kRecordsAt) return;
  for (std::size_t at = kRecordsAt; at + kRecordSize <= header; at += kRecordSize) {
    const auto offset = get<std::uint64_t>(file, at + kOffsetAt),
               size = get<std::uint64_t>(file, at + kBytesAt);
    if (size <= file.size() && offset <= file.size() - size)
      put(file, at + kChecksumAt, xxh3(file.subspan(offset, size)));
  }
  put(file, kHeaderChecksumAt,
      xxh3(file.first(kHeaderChecksumAt), xxh3(file.subspan(kRecordsAt, header - kRecordsAt))));
}

/// Adds up an array if it is one of T, through the checked views.
template <class T>
double touch_as(const ArrayFile& file, const ArrayRecord& record) {
  if (record.type != element_type<T>()) return 0;
  const auto values = record.rank == 1   ? file.array<T>(record.name)
                      : record.rank == 2 ? file.array<T>(record.name, {kAnySize, kAnySize})
                                         : file.array<T>(record.name, {kAnySize, kAnySize, kAnySize});
  double sum = 0;
  for (const T value : values) {
    if constexpr (std::is_same_v<T, Half>)
      sum += value.bits;
    else
      sum += static_cast<double>(value);
  }
  if (record.rank == 2) sum += static_cast<double>(file.table<T>(record.name).size());
  return sum;
}

/// Reads every name and value of a file, so that a sanitizer sees a view that is wrong.
inline double touch(const ArrayFile& file) {
  double sum = 0;
  for (const ArrayRecord& r : file.records()) {
    sum += static_cast<double>(describe(r).size() + file.bytes(r).size());
    sum += touch_as<std::uint8_t>(file, r) + touch_as<std::uint32_t>(file, r) +
           touch_as<std::uint64_t>(file, r) + touch_as<std::int64_t>(file, r) + touch_as<float>(file, r) +
           touch_as<double>(file, r) + touch_as<Half>(file, r);
  }
  return sum;
}

}  // namespace thalweg::testing
