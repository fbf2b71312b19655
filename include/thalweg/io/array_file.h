/// @file
/// The container below the model file: named arrays of numbers, checked once and then used where they lie in
/// the file.
///
///     inline constexpr FileFormat kFormat{"thalweg model", 1, 0};
///
///     ArrayFileWriter writer(kFormat);
///     writer.add("transitions", energies, {labels, labels});  // borrows `energies`
///     writer.write("crf.model");
///
///     const ArrayFile file = ArrayFile::open("crf.model", kFormat);
///     const Table<const float> transitions = file.table<float>("transitions", labels, labels);
///
/// The format, little-endian. The first 40 bytes keep their places in every version.
///
///     byte   0  u8[8]   magic: 89 'T' 'H' 'W' 0D 0A 1A 0A (as in PNG: a transfer as text breaks it)
///            8  u8[24]  kind, printable ASCII, filled up with zeros
///           32  u32     major; u32 minor
///           40  u64     header bytes H = 64 + 128 * number of arrays, at most 1 MB
///           48  u64     file bytes
///           56  u64     header checksum: XXH3(bytes [0, 56), seed = XXH3(bytes [64, H)))
///           64  records of 128 bytes: u8[72] name (as the kind), u32 type, u32 rank, u64[3] shape, u64
///           offset,
///               u64 bytes, u64 checksum = XXH3(array)
///            H  the arrays in the order of the records, each followed by zeros up to the next multiple of 64
///
/// Every byte is covered, and the data are read only once: the header checksum covers the records, those hold
/// the checksums of the arrays, and the padding must be zero. XXH3 finds damage, it does not stop a forger:
/// the checks of the structure therefore trust nothing. The bytes depend on the arrays alone: no time, path
/// or thread count.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/half.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// What a file is and its version. A new minor only adds arrays; anything else, also to this container, is a
/// new major.
struct FileFormat {
  std::string_view kind;  ///< A literal: 1 to 24 printable ASCII characters.
  std::uint32_t major = 1;
  std::uint32_t minor = 0;
};

/// The numbers are those in the file.
enum class ElementType : std::uint32_t { U8 = 1, U32 = 2, U64 = 3, I64 = 4, F32 = 5, F64 = 6, F16 = 7 };

template <class T>
concept Element = std::same_as<T, std::uint8_t> || std::same_as<T, std::uint32_t> ||
    std::same_as<T, std::uint64_t> || std::same_as<T, std::int64_t> || std::same_as<T, float> ||
    std::same_as<T, double> || std::same_as<T, Half>;

template <Element T>
constexpr ElementType element_type() {
  if constexpr (std::same_as<T, std::uint8_t>) return ElementType::U8;
  if constexpr (std::same_as<T, std::uint32_t>) return ElementType::U32;
  if constexpr (std::same_as<T, std::uint64_t>) return ElementType::U64;
  if constexpr (std::same_as<T, std::int64_t>) return ElementType::I64;
  if constexpr (std::same_as<T, float>) return ElementType::F32;
  if constexpr (std::same_as<T, double>) return ElementType::F64;
  if constexpr (std::same_as<T, Half>) return ElementType::F16;
}

/// One array of a file.
struct ArrayRecord {
  std::string_view name;  ///< Lies in the file.
  ElementType type;
  std::uint32_t rank;                  ///< 1 to 3
  std::array<std::uint64_t, 3> shape;  ///< the first `rank`; any product of them fits an Index
  std::uint64_t offset, bytes;         ///< in the file
  std::uint64_t checksum;
};

/// For people: "f32 [9 x 45]".
THALWEG_EXPORT std::string describe(const ArrayRecord& record);

/// Collects arrays and writes them. It keeps no copy: the arrays must live until then.
class THALWEG_EXPORT ArrayFileWriter {
 public:
  explicit ArrayFileWriter(const FileFormat& format) : format_(format) {}

  /// Adds an array, row-major; 8191 at most.
  /// @param name unique; 1 to 72 printable ASCII characters
  /// @param values a vector, array or span of an Element; a temporary vector does not compile
  /// @param shape one to three sizes, whose product is the size of `values`; {} stands for a list
  template <std::ranges::contiguous_range R>
  requires std::ranges::borrowed_range<R> && Element<std::ranges::range_value_t<R>>
  void add(std::string_view name, R&& values, std::initializer_list<Index> shape = {}) {
    const std::span cells(values);
    add(name, element_type<std::ranges::range_value_t<R>>(), std::as_bytes(cells), cells.size(), shape);
  }
  /// Adds a text as a list of U8.
  void add_text(std::string_view name, std::string_view text) {
    add(name, ElementType::U8, std::as_bytes(std::span(text)), text.size(), {});
  }

  /// Writes the file whole or not at all (see AtomicFile). The reader's checks run on the header first, so
  /// nothing is written that cannot be read. @throws IoError, and ModelError when a name or shape is not as
  /// `add` asks for.
  void write(const std::string& path) const;
  /// The bytes of the file. @throws ModelError as `write`
  std::vector<std::byte> bytes() const;

 private:
  struct Entry {
    std::string name;
    ElementType type;
    std::vector<Index> shape;
    std::span<const std::byte> bytes;
  };

  void add(std::string_view name, ElementType type, std::span<const std::byte> bytes, std::size_t count,
           std::span<const Index> shape);
  std::vector<std::byte> header(const std::string& file) const;
  std::vector<std::span<const std::byte>> parts(std::span<const std::byte> header) const;

  FileFormat format_;
  std::vector<Entry> entries_;
};

/// In a wanted shape: any size will do.
inline constexpr Index kAnySize = -1;

/// A file of arrays, read-only. There is no way to one but through the checks: size, then magic, kind,
/// version and header size, then every array inside the file, aligned, without overlap or hole, products of
/// sizes without overflow, then the checksums. What the numbers mean is the caller's to check. Const and
/// shared by threads; views live as long as the file.
class THALWEG_EXPORT ArrayFile {
 public:
  /// Maps the file into memory; beside it 1 MB is used at most. A file that AtomicFile replaces while it is
  /// open stays as it was; one that is overwritten or cut in place takes the program down, as with every
  /// mapping.
  /// @param format what the file must be: its kind, and the newest version that the caller reads; an older
  /// major is opened too, see `format()`
  /// @throws IoError if it cannot be opened; ModelError, at `path, byte n`, if it is not whole, of another
  /// kind or of a newer major. O(file), about 10 GB/s from the page cache.
  static ArrayFile open(const std::string& path, const FileFormat& format);
  /// The same on bytes that must outlive the result; `name` stands for the path.
  /// @pre bytes.data() is aligned to 8
  static ArrayFile of_memory(std::span<const std::byte> bytes, std::string name, const FileFormat& format);

  const std::string& name() const { return name_; }                    ///< The path.
  const FileFormat& format() const { return format_; }                 ///< As in the file.
  std::span<const ArrayRecord> records() const { return records_; }    ///< In the order they were added.
  const ArrayRecord* find(std::string_view name) const;                ///< Null if there is none. O(arrays)
  std::span<const std::byte> bytes(const ArrayRecord& record) const {  ///< @pre the record is of this file
    return bytes_.subspan(record.offset, record.bytes);
  }

  /// An array of this name, type and shape (sizes may be kAnySize); aligned to 64 bytes in a mapped file.
  /// @throws ModelError that names the file and the array, what was wanted and what is there.
  template <Element T>
  std::span<const T> array(std::string_view name, std::initializer_list<Index> shape = {kAnySize}) const {
    return view<T>(get(name, element_type<T>(), shape));
  }
  /// An array of rank 2.
  template <Element T>
  Table<const T> table(std::string_view name, Index rows = kAnySize, Index columns = kAnySize) const {
    const ArrayRecord& record = get(name, element_type<T>(), std::array{rows, columns});
    return {view<T>(record).data(), static_cast<Index>(record.shape[0]), static_cast<Index>(record.shape[1])};
  }
  /// Bytes of the file behind an array, which kernels may read over.
  std::uint64_t bytes_behind(std::string_view name) const {
    const ArrayRecord* const record = find(name);
    return record ? bytes_.size() - record->offset - record->bytes : 0;
  }
  /// A list of U8 as text. Its characters are not checked.
  std::string_view text(std::string_view name) const {
    const auto characters = array<std::uint8_t>(name);
    return {reinterpret_cast<const char*>(characters.data()), characters.size()};
  }

 private:
  struct Unmap {
    std::size_t size;
    void operator()(const std::byte* data) const;
  };

  ArrayFile(std::string name, const FileFormat& format, std::span<const std::byte> bytes,
            std::unique_ptr<const std::byte, Unmap> mapping);
  const ArrayRecord& get(std::string_view name, ElementType type, std::span<const Index> shape) const;
  template <Element T>
  std::span<const T> view(const ArrayRecord& record) const {
    return {reinterpret_cast<const T*>(bytes_.data() + record.offset), record.bytes / sizeof(T)};
  }

  std::string name_;
  FileFormat format_;
  std::span<const std::byte> bytes_;
  std::unique_ptr<const std::byte, Unmap> mapping_;  // null where the bytes are borrowed
  std::vector<ArrayRecord> records_;
};

}  // namespace thalweg
