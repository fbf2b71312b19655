#include "thalweg/io/array_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "io/checksum.h"
#include "io/descriptor.h"
#include "thalweg/core/error.h"
#include "thalweg/io/atomic_file.h"

namespace thalweg {
namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian and used where they lie");

using Bytes = std::span<const std::byte>;

constexpr std::uint64_t kAlignment = 64;
constexpr std::uint64_t kMaxHeader = std::uint64_t{1} << 20;
constexpr char kMagic[8] = {'\x89', 'T', 'H', 'W', '\r', '\n', '\x1a', '\n'};

struct Prefix {
  char magic[8], kind[24];
  std::uint32_t major, minor;
  std::uint64_t header_bytes, file_bytes, checksum;
};
static_assert(sizeof(Prefix) == 64);

struct DiskRecord {
  char name[72];
  std::uint32_t type, rank;
  std::uint64_t shape[3], offset, bytes, checksum;
};
static_assert(sizeof(DiskRecord) == 128);

constexpr std::uint64_t aligned(std::uint64_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

template <class T>
T read(Bytes bytes, std::uint64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// Chained through the seed, so that the one field between the two parts is left out.
std::uint64_t header_checksum(Bytes header) {
  return detail::checksum(header.first(offsetof(Prefix, checksum)),
                          detail::checksum(header.subspan(sizeof(Prefix))));
}

// --- names and shapes

constexpr struct {
  const char* name;
  std::uint64_t size;
} kTypes[] = {{"u8", 1}, {"u32", 4}, {"u64", 8}, {"i64", 8}, {"f32", 4}, {"f64", 8}, {"f16", 2}};

const auto& type_info(ElementType type) { return kTypes[static_cast<std::uint32_t>(type) - 1]; }

template <class Size>
std::string shape_text(ElementType type, std::span<const Size> shape) {
  std::string text = fmt::format("{} [", type_info(type).name);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += " x ";
    text += std::cmp_equal(shape[i], kAnySize) ? "any" : fmt::to_string(shape[i]);
  }
  return text + "]";
}

// A zero-padded field of printable ASCII, which an error message may repeat as it is.
template <std::size_t N>
std::optional<std::string_view> printable(const char (&field)[N]) {
  const auto end = std::find(field, field + N, '\0');
  const bool good = end != field && std::all_of(field, end, [](char c) { return c >= ' ' && c <= '~'; }) &&
                    std::all_of(end, field + N, [](char c) { return c == '\0'; });
  if (!good) return std::nullopt;
  return std::string_view(field, static_cast<std::size_t>(end - field));
}

// Bytes of an array, if every product of its sizes (zeros left out, they could hide an overflow) fits an
// Index.
std::optional<std::uint64_t> byte_count(std::uint64_t element, std::span<const std::uint64_t> shape) {
  constexpr auto kLimit = static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
  std::uint64_t product = element;
  bool empty = false;
  for (const std::uint64_t size : shape) {
    empty |= size == 0;
    const std::uint64_t factor = std::max<std::uint64_t>(size, 1);
    if (factor > kLimit / product) return std::nullopt;
    product *= factor;
  }
  return empty ? 0 : product;
}

template <std::size_t N>
void put_text(const std::string& file, std::string_view text, char (&field)[N]) {
  if (text.size() > N)
    throw ModelError(file, fmt::format("the name '{}' has more than {} characters", text, N), "shorten it");
  std::copy(text.begin(), text.end(), field);
}

// --- checks

[[noreturn]] void refuse(const std::string& file, std::uint64_t byte, std::string_view problem,
                         std::string_view mend = "copy the file again or train anew") {
  throw ModelError(fmt::format("{}, byte {}", file, byte), problem, mend);
}

// The structure of a file, in the order of the reader's promise; the checksums come last. `header` holds at
// least the header of a file of `file_bytes` in all. What a field says is used only after the check that it
// lies in the file.
class HeaderReader {
 public:
  HeaderReader(const std::string& file, Bytes header, std::uint64_t file_bytes)
      : file_(file), header_(header), file_bytes_(file_bytes) {}

  Prefix prefix(const FileFormat& wanted) const;
  std::vector<ArrayRecord> records(std::uint64_t header_bytes) const;

 private:
  void check_kind(const Prefix& prefix, const FileFormat& wanted) const;
  ArrayRecord record(std::uint64_t at, std::uint64_t data) const;
  void check_unique(std::span<const ArrayRecord> records) const;

  const std::string& file_;
  Bytes header_;
  std::uint64_t file_bytes_;
};

Prefix HeaderReader::prefix(const FileFormat& wanted) const {
  if (file_bytes_ < sizeof(Prefix)) refuse(file_, file_bytes_, "the file ends within its first 64 bytes");
  const auto prefix = read<Prefix>(header_, 0);
  if (std::memcmp(prefix.magic, kMagic, sizeof(kMagic)) != 0)
    refuse(file_, 0, "this file was not written by thalweg", "give the right file");
  check_kind(prefix, wanted);
  const std::uint64_t size = prefix.header_bytes;
  if (size > kMaxHeader || size % sizeof(DiskRecord) != sizeof(Prefix))
    refuse(file_, offsetof(Prefix, header_bytes), fmt::format("a header cannot have {} bytes", size));
  if (prefix.file_bytes != file_bytes_)
    refuse(file_, std::min(prefix.file_bytes, file_bytes_),
           fmt::format("the file has {} bytes, {} were written", file_bytes_, prefix.file_bytes));
  if (file_bytes_ % kAlignment != 0)
    refuse(file_, file_bytes_, fmt::format("the file does not end at a multiple of {} bytes", kAlignment));
  if (size > file_bytes_) refuse(file_, file_bytes_, "the file ends within its header");
  return prefix;
}

void HeaderReader::check_kind(const Prefix& prefix, const FileFormat& wanted) const {
  const auto kind = printable(prefix.kind);
  if (!kind) refuse(file_, offsetof(Prefix, kind), "the kind of the file is not readable");
  if (*kind != wanted.kind)
    refuse(file_, offsetof(Prefix, kind), fmt::format("this is a {}, not a {}", *kind, wanted.kind),
           "give the right file");
  if (prefix.major > wanted.major)
    refuse(file_, offsetof(Prefix, major),
           fmt::format("format {}.{}, this build reads up to {}.x", prefix.major, prefix.minor, wanted.major),
           "update thalweg");
}

std::vector<ArrayRecord> HeaderReader::records(std::uint64_t header_bytes) const {
  std::vector<ArrayRecord> records;
  records.reserve((header_bytes - sizeof(Prefix)) / sizeof(DiskRecord));
  std::uint64_t data = header_bytes;
  for (std::uint64_t at = sizeof(Prefix); at < header_bytes; at += sizeof(DiskRecord)) {
    records.push_back(record(at, data));
    data = aligned(records.back().offset + records.back().bytes);
  }
  if (data != file_bytes_)
    refuse(file_, std::min(data, file_bytes_), "the file does not end with its last array");
  check_unique(records);
  return records;
}

// One record, at byte `at`. Its array must begin at byte `data`, where the one before ended: never behind the
// end of the file, as both are multiples of 64.
ArrayRecord HeaderReader::record(std::uint64_t at, std::uint64_t data) const {
  const auto disk = read<DiskRecord>(header_, at);
  const auto name = printable(disk.name);
  if (!name) refuse(file_, at, "the name of an array is not readable");
  const auto bad = [&](std::string_view problem) {
    refuse(file_, at, fmt::format("array '{}' {}", *name, problem));
  };

  if (disk.type < 1 || disk.type > std::size(kTypes)) bad(fmt::format("has the unknown type {}", disk.type));
  const auto type = static_cast<ElementType>(disk.type);
  if (disk.rank < 1 || disk.rank > 3) bad(fmt::format("has rank {}, allowed are 1 to 3", disk.rank));
  if (std::any_of(disk.shape + disk.rank, disk.shape + 3, [](std::uint64_t size) { return size != 0; }))
    bad("has more sizes than its rank");
  const std::span<const std::uint64_t> shape(disk.shape, disk.rank);
  if (byte_count(type_info(type).size, shape) != disk.bytes)
    bad(fmt::format("of {} cannot have {} bytes", shape_text(type, shape), disk.bytes));
  if (disk.offset != data)
    bad(fmt::format("begins at byte {} instead of {}, so there is an overlap or a hole", disk.offset, data));
  if (disk.bytes > file_bytes_ - data)
    bad(fmt::format("of {} bytes from byte {} does not fit a file of {}", disk.bytes, data, file_bytes_));

  // The record's name lies in the file, `name` in the copy.
  const std::string_view in_file(reinterpret_cast<const char*>(header_.data() + at), name->size());
  return {in_file, type, disk.rank, std::to_array(disk.shape), disk.offset, disk.bytes, disk.checksum};
}

void HeaderReader::check_unique(std::span<const ArrayRecord> records) const {
  std::vector<std::string_view> names;
  names.reserve(records.size());
  for (const ArrayRecord& record : records) names.push_back(record.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) refuse(file_, sizeof(Prefix), fmt::format("there are two arrays '{}'", *twice));
}

void check_checksums(const std::string& file, Bytes bytes, const Prefix& prefix,
                     std::span<const ArrayRecord> records) {
  if (header_checksum(bytes.first(prefix.header_bytes)) != prefix.checksum)
    refuse(file, offsetof(Prefix, checksum), "the header is damaged (checksum)");
  for (const ArrayRecord& record : records) {
    const std::uint64_t end = record.offset + record.bytes;
    if (detail::checksum(bytes.subspan(record.offset, record.bytes)) != record.checksum)
      refuse(file, record.offset, fmt::format("array '{}' is damaged (checksum)", record.name));
    const Bytes padding = bytes.subspan(end, aligned(end) - end);
    if (std::any_of(padding.begin(), padding.end(), [](std::byte b) { return b != std::byte{0}; }))
      refuse(file, end, fmt::format("the padding behind array '{}' is damaged", record.name));
  }
}

}  // namespace

std::string describe(const ArrayRecord& record) {
  return shape_text(record.type, std::span(record.shape).first(record.rank));
}

// --- reader

void ArrayFile::Unmap::operator()(const std::byte* data) const {
  ::munmap(const_cast<std::byte*>(data), size);
}

ArrayFile::ArrayFile(std::string name, const FileFormat& wanted, Bytes bytes,
                     std::unique_ptr<const std::byte, Unmap> mapping)
    : name_(std::move(name)), bytes_(bytes), mapping_(std::move(mapping)) {
  const HeaderReader header(name_, bytes_, bytes_.size());
  const Prefix prefix = header.prefix(wanted);
  format_ = {wanted.kind, prefix.major, prefix.minor};
  records_ = header.records(prefix.header_bytes);
  check_checksums(name_, bytes_, prefix, records_);
}

ArrayFile ArrayFile::of_memory(Bytes bytes, std::string name, const FileFormat& format) {
  assert(reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(double) == 0);
  return ArrayFile(std::move(name), format, bytes, nullptr);
}

ArrayFile ArrayFile::open(const std::string& path, const FileFormat& format) {
  const auto refuse_path = [&](const std::string& problem) {
    throw IoError(path, problem, "check the path");
  };
  const Descriptor fd(
      ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));  // a FIFO would wait for a writer
  struct stat status = {};
  if (!fd || ::fstat(fd.get(), &status) != 0)
    refuse_path(fmt::format("cannot be opened ({})", system_message(errno)));
  if (S_ISDIR(status.st_mode)) refuse_path("is a folder");
  if (!S_ISREG(status.st_mode)) refuse_path("is not a file that can be mapped into memory");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return of_memory({}, path, format);  // no mapping is empty
#ifdef MAP_POPULATE
  constexpr int kFlags = MAP_PRIVATE | MAP_POPULATE;  // all pages at once: everything will be hashed
#else
  constexpr int kFlags = MAP_PRIVATE;
#endif
  void* const data = ::mmap(nullptr, size, PROT_READ, kFlags, fd.get(), 0);
  if (data == MAP_FAILED)
    refuse_path(fmt::format("cannot map its {} bytes into memory ({})", size, system_message(errno)));
  const auto* const bytes = static_cast<const std::byte*>(data);
  return ArrayFile(path, format, {bytes, size}, std::unique_ptr<const std::byte, Unmap>(bytes, Unmap{size}));
}

const ArrayRecord* ArrayFile::find(std::string_view name) const {
  const auto at =
      std::find_if(records_.begin(), records_.end(), [&](const auto& record) { return record.name == name; });
  return at == records_.end() ? nullptr : &*at;
}

const ArrayRecord& ArrayFile::get(std::string_view name, ElementType type,
                                  std::span<const Index> shape) const {
  const ArrayRecord* const record = find(name);
  const auto fits = [](Index wanted, std::uint64_t size) {
    return wanted == kAnySize || static_cast<std::uint64_t>(wanted) == size;
  };
  if (record && record->type == type &&
      std::equal(shape.begin(), shape.end(), record->shape.begin(), record->shape.begin() + record->rank,
                 fits))
    return *record;
  throw ModelError(name_,
                   fmt::format("array '{}' should be {}, it is {}", name, shape_text(type, shape),
                               record ? describe(*record) : "missing"),
                   "use the version of thalweg that wrote the file, or train anew");
}

// --- writer

void ArrayFileWriter::add(std::string_view name, ElementType type, Bytes bytes, std::size_t count,
                          std::span<const Index> shape) {
  Entry entry{std::string(name), type, {shape.begin(), shape.end()}, bytes};
  if (shape.empty()) entry.shape = {static_cast<Index>(count)};
  entries_.push_back(std::move(entry));
}

// The header, checked as a reader would.
std::vector<std::byte> ArrayFileWriter::header(const std::string& file) const {
  std::vector<std::byte> header(sizeof(Prefix) + entries_.size() * sizeof(DiskRecord));
  std::uint64_t at = sizeof(Prefix), data = header.size();
  for (const Entry& entry : entries_) {
    DiskRecord record{};
    put_text(file, entry.name, record.name);
    record.type = static_cast<std::uint32_t>(entry.type);
    record.rank = static_cast<std::uint32_t>(entry.shape.size());
    std::copy_n(entry.shape.begin(), std::min<std::size_t>(record.rank, 3), record.shape);
    record.offset = data;
    record.bytes = entry.bytes.size();
    record.checksum = detail::checksum(entry.bytes);
    std::memcpy(header.data() + at, &record, sizeof(record));
    at += sizeof(record);
    data = aligned(data + record.bytes);
  }
  Prefix prefix{};
  std::copy(std::begin(kMagic), std::end(kMagic), prefix.magic);
  put_text(file, format_.kind, prefix.kind);
  prefix.major = format_.major;
  prefix.minor = format_.minor;
  prefix.header_bytes = header.size();
  prefix.file_bytes = data;
  std::memcpy(header.data(), &prefix, sizeof(prefix));
  prefix.checksum = header_checksum(header);
  std::memcpy(header.data(), &prefix, sizeof(prefix));

  const HeaderReader check(file, header, data);
  check.records(check.prefix(format_).header_bytes);
  return header;
}

// What the file consists of, one piece after the other.
std::vector<Bytes> ArrayFileWriter::parts(Bytes header) const {
  static constexpr std::array<std::byte, kAlignment> kZeros{};
  std::vector<Bytes> parts{header};
  for (const Entry& entry : entries_) {
    parts.push_back(entry.bytes);
    parts.push_back(Bytes(kZeros).first(aligned(entry.bytes.size()) - entry.bytes.size()));
  }
  return parts;
}

void ArrayFileWriter::write(const std::string& path) const {
  const std::vector<std::byte> head = header(path);
  AtomicFile file(path);
  for (const Bytes part : parts(head)) file.append(part);
  file.commit();
}

std::vector<std::byte> ArrayFileWriter::bytes() const {
  const std::vector<std::byte> head = header("memory");
  std::vector<std::byte> all;
  for (const Bytes part : parts(head)) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace thalweg
