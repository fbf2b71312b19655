/// @file
/// Array files from any bytes, three times: as they come; with magic, kind, version, file size and checksums
/// made right; and as edits of a good file, with the same made right, which gets the fuzzer behind every
/// check at once. Only an Error may come out.

#include "io/array_file_tools.h"
#include "thalweg/core/error.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

constexpr FileFormat kFormat{"fuzz", 1, 0};

void load(const Bytes& bytes) {
  try {
    touch(ArrayFile::of_memory(bytes, "fuzz", kFormat));
  } catch (const Error&) {
  }
}

Bytes good_file() {
  const std::vector<double> weights(12, 0.5);
  const std::vector<float> energies(8, 1.f), none;
  const std::vector<std::uint32_t> counts{1, 2, 3};
  const std::vector<std::uint64_t> offsets{0, 9};
  const std::vector<std::int64_t> cube(8, -1);
  ArrayFileWriter writer(kFormat);
  writer.add("weights", weights, {4, 3});
  writer.add_text("text", "a text");
  writer.add("energies", energies, {2, 2, 2});
  writer.add("none", none, {0, 5});
  writer.add("counts", counts);
  writer.add("offsets", offsets);
  writer.add("cube", cube, {2, 4});
  return writer.bytes();
}

const Bytes kGood = good_file();

void load_repaired(Bytes bytes) {
  if (bytes.size() < kRecordsAt) return;
  std::copy_n(kGood.begin(), kHeaderBytesAt, bytes.begin());
  put<std::uint64_t>(bytes, kFileBytesAt, bytes.size());
  fix_checksums(bytes);
  load(bytes);
}

// `edits`: 8 bytes to write, then 2 that say where.
Bytes edited(std::span<const std::byte> edits) {
  Bytes bytes = kGood;
  for (; edits.size() >= 10; edits = edits.subspan(10))
    put(bytes, get<std::uint16_t>(edits, 8) % (bytes.size() - 7), get<std::uint64_t>(edits, 0));
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const Bytes copy(bytes.begin(), bytes.end());  // aligned, and of this size exactly
  load(copy);
  load_repaired(copy);
  load_repaired(edited(bytes));
  return 0;
}
