#include "thalweg/corpus/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <string>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"

namespace thalweg {
namespace {

constexpr std::uint64_t kEmptySlot = ~std::uint64_t{0};
constexpr std::uint32_t kNoOffsets[] = {0};
constexpr std::uint64_t kNoSlots[] = {kEmptySlot};
constexpr Vocabulary::Arrays kNoNames = {{}, kNoOffsets, kNoSlots};
constexpr std::size_t kFirstSlots = 64;

// The upper half alone says where a search starts, so that growing the table need not read the names again.
std::uint32_t hash_of(std::string_view name) {
  return static_cast<std::uint32_t>(XXH3_64bits(name.data(), name.size()) >> 32);
}
constexpr std::uint64_t make_slot(std::uint32_t hash, std::uint32_t id) {
  return std::uint64_t{hash} << 32 | id;
}
constexpr std::uint32_t slot_hash(std::uint64_t slot) { return static_cast<std::uint32_t>(slot >> 32); }
constexpr std::uint32_t slot_id(std::uint64_t slot) { return static_cast<std::uint32_t>(slot); }

void prefetch(const void* address) { __builtin_prefetch(address); }

}  // namespace

// Look-ups in stages over some names at a time: each stage asks for the memory that the next one reads. A
// stage has to take as long as memory does to answer: over 335 k names, 128 at a time cost 11 ns a name, 32
// cost 15 and 16 cost 25.
struct Vocabulary::Batch {
  static constexpr std::size_t kSize = 128;
  std::uint32_t hashes[kSize];
  std::uint32_t candidates[kSize];
};

Vocabulary::Vocabulary() { point(kNoNames); }

Vocabulary::Vocabulary(const Vocabulary& other) : owned_(other.owned_) {
  point(owned_.offsets.empty() ? other.arrays() : Arrays{owned_.bytes, owned_.offsets, owned_.slots});
}

Vocabulary::Vocabulary(Vocabulary&& other) noexcept : owned_(std::move(other.owned_)) {
  point(other.arrays());  // a moved vector keeps its memory
  other.owned_ = {};
  other.point(kNoNames);
}

Vocabulary& Vocabulary::operator=(Vocabulary other) noexcept {
  std::swap(owned_, other.owned_);
  point(other.arrays());
  return *this;
}

void Vocabulary::point(const Arrays& arrays) {
  bytes_ = arrays.bytes.data();
  offsets_ = arrays.offsets.data();
  slots_ = arrays.slots.data();
  byte_count_ = arrays.bytes.size();
  mask_ = static_cast<std::uint32_t>(arrays.slots.size() - 1);
  size_ = static_cast<std::uint32_t>(arrays.offsets.size() - 1);
}

Vocabulary::Arrays Vocabulary::arrays() const {
  return {{bytes_, byte_count_}, {offsets_, std::size_t{size_} + 1}, {slots_, std::size_t{mask_} + 1}};
}

namespace {

void require(bool holds, std::string_view where, const char* problem) {
  if (!holds)
    throw ModelError(where, std::string("damaged vocabulary: ") + problem, "copy or train the model again");
}

}  // namespace

Vocabulary Vocabulary::lookup_view(const Arrays& arrays, std::string_view where) {
  const auto& [bytes, offsets, slots] = arrays;
  require(!offsets.empty() && offsets.size() - 1 < kUnknown && offsets.front() == 0, where,
          "no first offset");
  require(offsets.back() == bytes.size(), where, "offsets do not end where the bytes do");
  require(std::has_single_bit(slots.size()) && slots.size() <= std::size_t{1} << 32, where,
          "no table of a power of two");
  // At which every search ends; in a table that is not over-full it is among the first.
  require(std::find(slots.begin(), slots.end(), kEmptySlot) != slots.end(), where,
          "the table has no empty slot");
  Vocabulary result;
  result.point(arrays);
  return result;
}

Vocabulary Vocabulary::view(const Arrays& arrays, std::string_view where) {
  Vocabulary result = lookup_view(arrays, where);
  const auto& [bytes, offsets, slots] = arrays;
  const auto require = [&](bool holds, const char* problem) { thalweg::require(holds, where, problem); };
  require(std::is_sorted(offsets.begin(), offsets.end()), "offsets run backwards");

  // Every occupied slot has a valid id and there are n of them; below, n distinct names are found in them. So
  // each id has its one slot, and fewer names than slots leave an empty one, at which every search ends.
  const std::uint64_t n = offsets.size() - 1;
  std::uint64_t occupied = 0;
  for (const std::uint64_t slot : slots) {
    if (slot == kEmptySlot) continue;
    ++occupied;
    require(slot_id(slot) < n, "a slot has no such name");
  }
  require(occupied == n && n < slots.size(), "the table does not hold each name once");

  std::string_view names[Batch::kSize];
  std::uint32_t ids[Batch::kSize];
  for (std::uint32_t first = 0; first < n; first += Batch::kSize) {
    const std::size_t count = std::min<std::size_t>(Batch::kSize, n - first);
    for (std::size_t i = 0; i < count; ++i) {
      names[i] = result.name(first + static_cast<std::uint32_t>(i));
      require(valid_utf8(names[i]), "a name is not UTF-8");
    }
    result.find({names, count}, {ids, count});
    for (std::size_t i = 0; i < count; ++i) require(ids[i] == first + i, "a name is not found in its slot");
  }
  return result;
}

std::uint32_t Vocabulary::find(std::string_view name, std::uint32_t hash) const {
  for (std::uint32_t at = hash & mask_;; at = (at + 1) & mask_) {
    const std::uint64_t slot = slots_[at];
    if (slot == kEmptySlot) return kUnknown;
    if (slot_hash(slot) == hash && slot_id(slot) < size_ && this->name(slot_id(slot)) == name)
      return slot_id(slot);
  }
}

std::uint32_t Vocabulary::find(std::string_view name) const { return find(name, hash_of(name)); }

void Vocabulary::find(Batch& batch, std::span<const std::string_view> names, std::uint32_t* ids) const {
  for (std::size_t i = 0; i < names.size(); ++i) {
    batch.hashes[i] = hash_of(names[i]);
    prefetch(slots_ + (batch.hashes[i] & mask_));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::uint32_t at = batch.hashes[i] & mask_;
    while (slots_[at] != kEmptySlot && slot_hash(slots_[at]) != batch.hashes[i]) at = (at + 1) & mask_;
    batch.candidates[i] = slot_id(slots_[at]) < size_ ? slot_id(slots_[at]) : kUnknown;
    if (batch.candidates[i] != kUnknown) prefetch(offsets_ + batch.candidates[i]);
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    if (batch.candidates[i] != kUnknown) prefetch(bytes_ + offsets_[batch.candidates[i]]);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::uint32_t id = batch.candidates[i];
    ids[i] = id == kUnknown || name(id) == names[i] ? id : find(names[i], batch.hashes[i]);
  }
}

void Vocabulary::find(std::span<const std::string_view> names, std::span<std::uint32_t> ids) const {
  assert(ids.size() == names.size());
  Batch batch;
  for (std::size_t first = 0; first < names.size(); first += Batch::kSize)
    find(batch, names.subspan(first, std::min(Batch::kSize, names.size() - first)), ids.data() + first);
}

std::uint32_t Vocabulary::add(std::string_view name) {
  const std::uint32_t hash = hash_of(name);
  const std::uint32_t id = find(name, hash);
  return id != kUnknown ? id : append(name, hash);
}

void Vocabulary::add(std::span<const std::string_view> names, std::span<std::uint32_t> ids) {
  assert(ids.size() == names.size());
  Batch batch;
  for (std::size_t first = 0; first < names.size(); first += Batch::kSize) {
    const auto some = names.subspan(first, std::min(Batch::kSize, names.size() - first));
    find(batch, some, ids.data() + first);
    for (std::size_t i = 0; i < some.size(); ++i) {
      std::uint32_t& id = ids[first + i];
      if (id == kUnknown) id = find(some[i], batch.hashes[i]);  // it may have come twice in this batch
      if (id == kUnknown) id = append(some[i], batch.hashes[i]);
    }
  }
}

std::uint32_t Vocabulary::append(std::string_view name, std::uint32_t hash) {
  if (!valid_utf8(name))
    throw InputError("vocabulary", "a name is not valid UTF-8", "convert the data to UTF-8");
  if (size_ == kUnknown - 1 || name.size() > kUnknown - offsets_[size_])
    throw InputError("vocabulary", "more than 4 GiB of names", "use fewer templates or drop rare attributes");
  own();
  if (3 * (std::size_t{size_} + 1) > 2 * owned_.slots.size()) rehash(2 * owned_.slots.size());
  owned_.bytes.insert(owned_.bytes.end(), name.begin(), name.end());
  owned_.offsets.push_back(static_cast<std::uint32_t>(owned_.bytes.size()));
  std::uint32_t at = hash & mask_;
  while (owned_.slots[at] != kEmptySlot) at = (at + 1) & mask_;
  owned_.slots[at] = make_slot(hash, size_);
  point({owned_.bytes, owned_.offsets, owned_.slots});
  return size_ - 1;
}

// The table is made anew of the names, whatever the borrowed one holds.
void Vocabulary::own() {
  if (!owned_.offsets.empty()) return;
  Vocabulary copy;
  copy.owned_.offsets = {0}, copy.owned_.slots.assign(kFirstSlots, kEmptySlot);
  copy.point({copy.owned_.bytes, copy.owned_.offsets, copy.owned_.slots});
  for (std::uint32_t id = 0; id < size_; ++id) copy.append(name(id), hash_of(name(id)));
  *this = std::move(copy);
}

void Vocabulary::rehash(std::size_t slots) {
  std::vector<std::uint64_t> table(slots, kEmptySlot);
  for (const std::uint64_t slot : owned_.slots) {
    if (slot == kEmptySlot) continue;
    std::size_t at = slot_hash(slot) & (slots - 1);
    while (table[at] != kEmptySlot) at = (at + 1) & (slots - 1);
    table[at] = slot;
  }
  owned_.slots = std::move(table);
  point({owned_.bytes, owned_.offsets, owned_.slots});
}

}  // namespace thalweg
