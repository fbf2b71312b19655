#include "thalweg/corpus/vocabulary.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.h"
#include "support/message.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

using namespace thalweg;

namespace {

std::vector<std::string> numbered_names(int n) {
  std::vector<std::string> names;
  for (int i = 0; i < n; ++i) names.push_back(std::to_string(i % 19) + ":" + std::to_string(i));
  return names;
}

Vocabulary vocabulary_of(const std::vector<std::string>& names) {
  Vocabulary vocabulary;
  for (const std::string& name : names) vocabulary.add(name);
  return vocabulary;
}

/// A copy of a vocabulary's arrays: a file in memory, free to be damaged.
struct Image {
  std::vector<char> bytes;
  std::vector<std::uint32_t> offsets;
  std::vector<std::uint64_t> slots;

  explicit Image(const Vocabulary& vocabulary) {
    const Vocabulary::Arrays from = vocabulary.arrays();
    bytes.assign(from.bytes.begin(), from.bytes.end());
    offsets.assign(from.offsets.begin(), from.offsets.end());
    slots.assign(from.slots.begin(), from.slots.end());
  }
  Vocabulary view() const { return Vocabulary::view({bytes, offsets, slots}, "small.model"); }
  std::string refusal() const {
    return message_of<ModelError>([&] { view(); });
  }
};

}  // namespace

TEST_CASE("names are numbered in the order of their first use", "[corpus][vocabulary]") {
  Vocabulary v;
  CHECK(v.size() == 0);
  CHECK(v.find("") == Vocabulary::kUnknown);
  CHECK(v.find("x") == Vocabulary::kUnknown);
  CHECK(v.add("B-NP") == 0);
  CHECK(v.add("") == 1);
  CHECK(v.add("B-NP") == 0);
  CHECK(v.add("é€😀") == 2);
  CHECK(v.find("") == 1);
  CHECK(v.find("é€😀") == 2);
  CHECK(v.find("B-N") == Vocabulary::kUnknown);
  CHECK(v.name(0) == "B-NP");
  CHECK(v.name(1) == "");
  CHECK(v.size() == 3);
  CHECK_THAT(message_of<InputError>([&] { v.add("\xFF"); }), ContainsSubstring("UTF-8"));
  CHECK(v.size() == 3);
}

TEST_CASE("growth keeps every id, one by one and in batches", "[corpus][vocabulary]") {
  const std::vector<std::string> names = numbered_names(20000);
  const Vocabulary one_by_one = vocabulary_of(names);

  Vocabulary batched;
  std::vector<std::string_view> twice;  // also within one batch
  for (const std::string& name : names) twice.insert(twice.end(), 2, name);
  std::vector<std::uint32_t> ids(twice.size());
  batched.add(twice, ids);

  REQUIRE(one_by_one.size() == names.size());
  REQUIRE(batched.size() == names.size());
  std::vector<std::uint32_t> found(twice.size());
  one_by_one.find(twice, found);
  Index wrong = 0;
  for (std::uint32_t i = 0; i < names.size(); ++i) {
    wrong += one_by_one.find(names[i]) != i || one_by_one.name(i) != names[i] || batched.name(i) != names[i];
    wrong += ids[2 * i] != i || ids[2 * i + 1] != i || found[2 * i] != i || found[2 * i + 1] != i;
  }
  CHECK(wrong == 0);

  std::vector<std::string> strangers = names;
  for (std::string& name : strangers) name += "?";
  const std::vector<std::string_view> asked(strangers.begin(), strangers.end());
  found.resize(asked.size());
  one_by_one.find(asked, found);
  CHECK(std::count(found.begin(), found.end(), Vocabulary::kUnknown) == std::ssize(asked));
}

TEST_CASE("copies and moves stand alone", "[corpus][vocabulary]") {
  Vocabulary a = vocabulary_of({"one", "two"});
  Vocabulary b = a;
  b.add("three");
  CHECK(a.size() == 2);
  CHECK(a.find("three") == Vocabulary::kUnknown);
  CHECK(b.find("two") == 1);
  const Vocabulary c = std::move(b);
  CHECK(c.find("three") == 2);
  CHECK(b.size() == 0);  // NOLINT: a moved-from vocabulary is empty
  CHECK(b.add("four") == 0);
  a = c;
  CHECK(a.find("three") == 2);
}

TEST_CASE("a vocabulary stands on borrowed arrays", "[corpus][vocabulary]") {
  for (int n : {0, 1, 42, 43, 44, 1000}) {  // around the first growth of the table
    const std::vector<std::string> names = numbered_names(n);
    const Image image(vocabulary_of(names));
    Vocabulary view = image.view();
    REQUIRE(view.size() == static_cast<std::uint32_t>(n));
    for (int i = 0; i < n; ++i) CHECK(view.find(names[i]) == static_cast<std::uint32_t>(i));
    CHECK(view.find("no") == Vocabulary::kUnknown);
    CHECK(view.arrays().bytes.data() == image.bytes.data());

    const Vocabulary copy = view;
    CHECK(copy.arrays().slots.data() == image.slots.data());
    CHECK(view.add("no") == static_cast<std::uint32_t>(n));
    CHECK(view.arrays().bytes.data() != image.bytes.data());
    for (int i = 0; i < n; ++i) CHECK(view.find(names[i]) == static_cast<std::uint32_t>(i));
    CHECK(copy.find("no") == Vocabulary::kUnknown);
  }
}

TEST_CASE("the arrays are the same on every machine", "[corpus][vocabulary]") {
  const Image image(vocabulary_of({"B-NP"}));
  REQUIRE(image.slots.size() == 64);
  constexpr std::uint32_t hash =
      0xD9662CE9;  // the upper half of XXH3-64 of "B-NP", which its specification fixes
  CHECK(image.slots[hash % 64] == std::uint64_t{hash} << 32);
}

TEST_CASE("every damage to borrowed arrays is refused", "[corpus][vocabulary]") {
  const std::uint64_t empty = ~std::uint64_t{0};
  const Image good(vocabulary_of({"the", "cat", "sat", "é"}));
  REQUIRE(good.refusal() == "no error");
  const auto used = static_cast<std::size_t>(
      std::find_if(good.slots.begin(), good.slots.end(), [&](auto slot) { return slot != empty; }) -
      good.slots.begin());

  SECTION("by hand") {
    const auto damaged = [&](auto&& damage) {
      Image image = good;
      damage(image);
      return image.refusal();
    };
    CHECK_THAT(damaged([](Image& i) { i.offsets.clear(); }),
               ContainsSubstring("small.model: damaged vocabulary"));
    CHECK_THAT(damaged([](Image& i) { i.offsets[0] = 1; }), ContainsSubstring("offset"));
    CHECK_THAT(damaged([](Image& i) { std::swap(i.offsets[1], i.offsets[2]); }),
               ContainsSubstring("backwards"));
    CHECK_THAT(damaged([](Image& i) { i.offsets.back() = 0xFFFFFFFF; }), ContainsSubstring("do not end"));
    CHECK_THAT(damaged([](Image& i) { i.bytes.pop_back(); }), ContainsSubstring("do not end"));
    CHECK_THAT(damaged([](Image& i) { i.bytes.back() = 'e'; }), ContainsSubstring("UTF-8"));
    CHECK_THAT(damaged([](Image& i) { i.offsets[3] = i.offsets[4] - 1; }), ContainsSubstring("UTF-8"));
    CHECK_THAT(damaged([](Image& i) { i.bytes[0] = 'x'; }), ContainsSubstring("not found"));
    CHECK_THAT(damaged([](Image& i) { i.slots.clear(); }), ContainsSubstring("power of two"));
    CHECK_THAT(damaged([](Image& i) { i.slots.pop_back(); }), ContainsSubstring("power of two"));
    CHECK_THAT(damaged([](Image& i) { i.slots.resize(32); }), ContainsSubstring("vocabulary"));
    CHECK_THAT(damaged([&](Image& i) { i.slots[used] = empty; }), ContainsSubstring("once"));
    CHECK_THAT(damaged([&](Image& i) { i.slots[used] += 4; }), ContainsSubstring("no such name"));
    CHECK_THAT(damaged([&](Image& i) { i.slots[used] += std::uint64_t{1} << 32; }),
               ContainsSubstring("not found"));
    CHECK_THAT(damaged([&](Image& i) { i.slots[(used + 40) % 64] = 0; }), ContainsSubstring("once"));
    CHECK_THAT(damaged([&](Image& i) { std::swap(i.slots[used], i.slots[(used + 63) % 64]); }),
               ContainsSubstring("not found"));
  }
  SECTION("a table without an empty slot would be searched for ever") {
    Image full(vocabulary_of({"a"}));
    full.slots = {
        *std::find_if(full.slots.begin(), full.slots.end(), [&](auto slot) { return slot != empty; })};
    CHECK_THAT(full.refusal(), ContainsSubstring("no empty slot"));
  }
  SECTION("the same name twice") {
    Image twice(vocabulary_of({"aa", "ab"}));
    twice.bytes[3] = 'a';
    CHECK_THAT(twice.refusal(), ContainsSubstring("not found"));
  }
  SECTION("every bit of every array") {
    Index accepted = 0;
    const auto flip_all = [&](auto Image::*array) {
      Image image = good;
      for (auto& item : image.*array) {
        for (std::size_t bit = 0; bit < 8 * sizeof item; ++bit) {
          using Item = std::remove_reference_t<decltype(item)>;
          const Item before = item;
          item = static_cast<Item>(item ^ static_cast<Item>(std::uint64_t{1} << bit));
          accepted += image.refusal() == "no error";
          item = before;
        }
      }
    };
    flip_all(&Image::bytes);
    flip_all(&Image::offsets);
    flip_all(&Image::slots);
    CHECK(accepted == 0);
  }
}
