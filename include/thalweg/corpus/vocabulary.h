/// @file
/// Strings to dense ids and back.
///
///     Vocabulary labels;
///     labels.add("B-NP");          // 0
///     labels.add("I-NP");          // 1
///     labels.find("B-VP");         // Vocabulary::kUnknown
///     labels.name(1);              // "I-NP"
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// Distinct UTF-8 strings numbered 0..n-1 in the order of their first use. Const members are thread-safe.
///
/// Three flat arrays hold everything, so a vocabulary can be written to a file as it is and later stand on
/// the mapped file (`view`). The table is open-addressed with linear probing, at most two thirds full.
class THALWEG_EXPORT Vocabulary {
 public:
  static constexpr std::uint32_t kUnknown = 0xFFFFFFFF;

  /// All of a vocabulary of n names. XXH3-64 gives the hash, of which the upper half is used: a name's search
  /// starts at slot (hash & (slots.size() - 1)), and a slot is `hash << 32 | id`, or all ones when empty.
  struct Arrays {
    std::span<const char> bytes;             ///< The names, one after another.
    std::span<const std::uint32_t> offsets;  ///< [n + 1]; name i is bytes[offsets[i] .. offsets[i + 1])
    std::span<const std::uint64_t> slots;    ///< A power of two of them, at least one empty.
  };

  Vocabulary();
  Vocabulary(const Vocabulary& other);  ///< A copy of a vocabulary on borrowed arrays borrows them too.
  Vocabulary(Vocabulary&& other) noexcept;
  Vocabulary& operator=(Vocabulary other) noexcept;
  ~Vocabulary() = default;

  /// Stands on `arrays` without copying them. They must outlive the result and its copies. O(n): every name
  /// is looked up once. @throws ModelError at `where` unless the arrays are exactly those of some vocabulary.
  static Vocabulary view(const Arrays& arrays, std::string_view where);
  /// The same for arrays that are only searched, ready at once: no name is looked at. Look-ups of arrays that
  /// mean harm end and stay inside them, but may find what they like: names may come twice, or not be UTF-8.
  /// @throws ModelError at `where` unless the arrays go together and the table has an empty slot. O(1) for
  /// those of a vocabulary
  static Vocabulary lookup_view(const Arrays& arrays, std::string_view where);

  /// The id of `name`, a new one if need be; O(1) amortised. A vocabulary on borrowed arrays copies them
  /// first.
  /// @throws InputError if the name is not valid UTF-8, or past 2^32 - 2 names or 4 GiB of them.
  std::uint32_t add(std::string_view name);
  /// `add` for many, with the cache misses overlapped. @pre ids.size() == names.size()
  void add(std::span<const std::string_view> names, std::span<std::uint32_t> ids);

  /// The id of `name`, or kUnknown. O(1).
  std::uint32_t find(std::string_view name) const;
  /// `find` for many, with the cache misses overlapped: twice as fast on a large vocabulary.
  /// @pre ids.size() == names.size()
  void find(std::span<const std::string_view> names, std::span<std::uint32_t> ids) const;

  /// Valid until the next `add`. @pre id < size()
  std::string_view name(std::uint32_t id) const {
    const std::uint32_t begin = offsets_[id], end = offsets_[id + 1];
    // Always so but in a lookup_view.
    return begin <= end && end <= byte_count_ ? std::string_view(bytes_ + begin, end - begin)
                                              : std::string_view();
  }
  std::uint32_t size() const { return size_; }

  /// Valid until the next `add`.
  Arrays arrays() const;

 private:
  struct Batch;

  std::uint32_t find(std::string_view name, std::uint32_t hash) const;
  void find(Batch& batch, std::span<const std::string_view> names, std::uint32_t* ids) const;
  std::uint32_t append(std::string_view name, std::uint32_t hash);
  void own();
  void rehash(std::size_t slots);
  void point(const Arrays& arrays);

  // What every query reads: the arrays of `owned_`, or borrowed ones.
  const char* bytes_;
  const std::uint32_t* offsets_;
  const std::uint64_t* slots_;
  std::size_t byte_count_;
  std::uint32_t mask_;  // slots - 1
  std::uint32_t size_;

  struct Owned {
    std::vector<char> bytes;
    std::vector<std::uint32_t> offsets;  // empty while the arrays are borrowed
    std::vector<std::uint64_t> slots;
  } owned_;
};

static_assert(Vocabulary::kUnknown == kNoLabel, "labels.find() of an unknown label is kNoLabel");

}  // namespace thalweg
