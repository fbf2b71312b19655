// What becomes of damaged and hostile model files: the rows of the test plan, with their counts.

#include <sys/resource.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>

#include "io/array_file_tools.h"
#include "support/catch.h"
#include "support/child_process.h"
#include "support/sanitized.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"
#include "thalweg/io/atomic_file.h"
#include "thalweg/io/model_file.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

Bytes small_model(WeightType type = WeightType::F32) {
  Corpus corpus;
  corpus.add({{"a", "X"}, {"b", "Y"}});
  const auto bytes =
      model_bytes(packed(train(corpus, {}, {.templates = "U:%x[0,0]\nB\nB1:%x[0,0]\n"}), type));
  return {bytes.begin(), bytes.end()};
}

// Many rows of both kinds, and names: not trained, as only its bytes matter.
Bytes large_model() {
  Model model;
  model.featurizer = Featurizer(TemplateSet::parse("U:%x[0,0]\nB\n", "templates"), Boundary::Marks);
  for (const char* label : {"A", "B", "C", "D", "E", "F", "G", "H", "I", "J"}) model.labels.add(label);
  for (int a = 0; a < 20000; ++a) {
    model.attributes.add("U:" + std::to_string(a));
    for (Label l = 0; l < (a < 2000 ? 10u : 1u); ++l) model.emissions.labels.push_back(l);
    model.emissions.offsets.push_back(static_cast<std::uint32_t>(model.emissions.labels.size()));
  }
  model.transitions = all_features(10, 10);
  for (Index f = 0; f < model.features(); ++f) model.weights.push_back(std::sin(static_cast<double>(f)));
  const auto bytes = model_bytes(model);
  return {bytes.begin(), bytes.end()};
}

using Labels = std::vector<std::string>;

// The tags that bytes give, by the road of taggers; whoever wants all of a model is asked, too. Nothing if
// they are refused. Anything but a ModelError passes through.
std::optional<Labels> tags(const Bytes& bytes) {
  const auto open = [&] { return ArrayFile::of_memory(bytes, "damaged", kModelFormat); };
  try {
    load_model(open());
  } catch (const ModelError&) {
  }
  try {
    const Tagger tagger(map_model(open()));
    return tagger.tag({"a", "b", "c", "a"});
  } catch (const ModelError&) {
    return {};
  } catch (const InputError&) {  // a template may well read a column that the words lack
    return {};
  }
}

}  // namespace

TEST_CASE("every truncation of a small model and 2,500 of a large one name where the file ends",
          "[pipeline][damage]") {
  const auto check_cut = [](const Bytes& whole, std::size_t size) {
    try {
      map_model(ArrayFile::of_memory(std::span(whole).first(size), "cut.model", kModelFormat));
      FAIL(size << " bytes were taken for a model");
    } catch (const ModelError& error) {
      if (error.where() != "cut.model, byte " + std::to_string(size)) FAIL(error.what());
    }
  };
  const Bytes small = small_model(), large = large_model();
  REQUIRE(tags(small));
  for (std::size_t size = 0; size < small.size(); ++size) check_cut(small, size);
  Rng rng(1);
  for (int i = 0; i < 2500; ++i) check_cut(large, rng.below(large.size()));

  // And those that agree with the length that is left.
  for (int i = 0; i < 250; ++i) {
    Bytes cut(large.begin(), large.begin() + static_cast<Index>(rng.below(large.size() / 64) * 64));
    if (cut.size() >= 64) put<std::uint64_t>(cut, kFileBytesAt, cut.size());
    fix_checksums(cut);
    CHECK_THROWS_AS(map_model(ArrayFile::of_memory(cut, "cut.model", kModelFormat)), ModelError);
  }
}

TEST_CASE("every flipped bit of a model is refused; behind right checksums it is refused, or tags",
          "[pipeline][damage]") {
  const Bytes good = small_model();
  Index flipped = 0, refused = 0;
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    Bytes damaged = good;
    damaged[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    ++flipped;
    CHECK_THROWS_AS(map_model(ArrayFile::of_memory(damaged, "damaged", kModelFormat)), ModelError);
    fix_checksums(damaged);
    const auto found = tags(damaged);
    refused += !found;
    if (found && found->size() != 4) FAIL("bit " << bit);
  }
  CHECK(flipped >= 16000);
  CHECK(refused > flipped / 4);
  CHECK(refused < flipped);  // of a weight, most bits may be anything
}

TEST_CASE("four-byte extremes behind right checksums are refused, or tag", "[pipeline][damage]") {
  Index tried = 0, refused = 0;
  for (const WeightType type : {WeightType::F32, WeightType::F16}) {
    const Bytes good = small_model(type);
    for (std::size_t at = 0; at + 4 <= good.size(); at += kSanitized ? 7 : 1) {
      for (const std::uint32_t extreme : {0xFFFFFFFFu, 0u, 0x7FFFFFFFu, 0x7FC00000u, 0x80000000u}) {
        Bytes damaged = good;
        put(damaged, at, extreme);
        fix_checksums(damaged);
        ++tried, refused += !tags(damaged);
      }
    }
  }
  CHECK(tried >= (kSanitized ? 2370 : 16600));
  CHECK(refused > tried / 4);
  CHECK(refused < tried);
}

TEST_CASE("600 mutants of a model file: none crashes, hangs or tags differently", "[pipeline][damage]") {
  const TemporaryFolder folder;
  const Corpus corpus = [] {
    Corpus c;
    c.add({{"a", "X"}, {"b", "Y"}, {"d", "X"}});
    return c;
  }();
  const Bytes good = small_model();
  const auto labels = [&](const Bytes& bytes) -> std::optional<Labels> {
    write_file(folder / "mutant.model", bytes);
    try {
      return Tagger::load(folder / "mutant.model").tag(corpus[0]);
    } catch (const ModelError&) {
      return {};
    }
  };
  const Labels want = labels(good).value();
  Rng rng(7);
  int refused = 0, same = 0;
  for (int i = 0; i < 600; ++i) {
    Bytes mutant = good;
    if (i < 200) mutant.resize(rng.below(good.size()));
    if (i >= 200 && i < 400) mutant[rng.below(good.size())] ^= static_cast<std::byte>(1u << rng.below(8));
    if (i >= 400) put(mutant, rng.below(good.size() - 3), static_cast<std::uint32_t>(rng()));
    const auto found = labels(mutant);
    ++(found ? same : refused);
    if (found) CHECK(*found == want);
  }
  CHECK(refused + same == 600);
  CHECK(refused >= 599);
}

// --- files made to do harm

namespace {

struct Array {
  ElementType type;
  std::vector<Index> shape;
  std::vector<std::byte> bytes;
};

// A model file in pieces, to be changed and put together again with right checksums.
struct Pieces {
  FileFormat format = kModelFormat;
  std::vector<std::pair<std::string, Array>> arrays;

  explicit Pieces(const Bytes& bytes) {
    const ArrayFile file = ArrayFile::of_memory(bytes, "pieces", kModelFormat);
    for (const ArrayRecord& r : file.records()) {
      const auto data = file.bytes(r);
      arrays.push_back({std::string(r.name),
                        {r.type, {r.shape.begin(), r.shape.begin() + r.rank}, {data.begin(), data.end()}}});
    }
  }
  Array& operator[](std::string_view name) {
    for (auto& [key, array] : arrays)
      if (key == name) return array;
    return arrays.emplace_back(name, Array{}).second;
  }
  void drop(std::string_view name) {
    std::erase_if(arrays, [&](const auto& a) { return a.first == name; });
  }
  template <class T>
  void set(std::string_view name, const std::vector<T>& values, std::vector<Index> shape = {}) {
    const auto data = std::as_bytes(std::span(values));
    if (shape.empty()) shape = {static_cast<Index>(values.size())};
    (*this)[name] = {element_type<T>(), shape, {data.begin(), data.end()}};
  }
  void text(std::string_view name, std::string_view value) {
    set(name, std::vector<std::uint8_t>(value.begin(), value.end()));
  }
  template <class T>
  std::vector<T> get(std::string_view name) {
    const Array& array = (*this)[name];
    std::vector<T> values(array.bytes.size() / sizeof(T));
    std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
    return values;
  }
  template <class T>
  void change(std::string_view name, const std::function<void(std::vector<T>&)>& how) {
    auto values = get<T>(name);
    how(values);
    set(name, values, values.size() == get<T>(name).size() ? (*this)[name].shape : std::vector<Index>{});
  }
  template <class T>
  void put(std::string_view name, std::size_t at, T value) {
    change<T>(name, [&](auto& values) { values.at(at) = value; });
  }
  Bytes bytes() const;
};

template <class T>
void add_as(ArrayFileWriter& writer, const std::string& name, const Array& a) {
  if (a.type != element_type<T>()) return;
  const std::span values(reinterpret_cast<const T*>(a.bytes.data()), a.bytes.size() / sizeof(T));
  if (a.shape.size() == 2)
    writer.add(name, values, {a.shape[0], a.shape[1]});
  else
    writer.add(name, values);
}

Bytes Pieces::bytes() const {
  ArrayFileWriter writer(format);
  for (const auto& [name, array] : arrays) {
    add_as<std::uint8_t>(writer, name, array), add_as<std::uint32_t>(writer, name, array);
    add_as<std::uint64_t>(writer, name, array), add_as<float>(writer, name, array);
    add_as<double>(writer, name, array), add_as<Half>(writer, name, array);
  }
  const auto bytes = writer.bytes();
  return {bytes.begin(), bytes.end()};
}

struct Hostile {
  std::string is;
  Bytes bytes;
};

// Two labels, ten attributes of words, of which three have pairs; pairs of labels and a gazetteer.
Bytes victim() {
  Corpus corpus;
  for (const char* label : {"X", "Y"})
    corpus.add({{"a", label}, {"b", "Y"}, {std::string("only ") + label, label}, {"c", "X"}});
  const auto list = std::make_shared<const Gazetteer>(Gazetteer::parse("g", "a\nb c\n", false, "g"));
  const auto bytes = model_bytes(
      train(corpus, {.c2 = 0.1},
            {.templates = "U:%x[0,0]\nU1:%gazetteer[0,0,g]\nB\nB1:%x[0,0]\n", .gazetteers = {list}}));
  return {bytes.begin(), bytes.end()};
}

constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

std::vector<Hostile> hostile_models() {
  using U32 = std::uint32_t;
  using U64 = std::uint64_t;
  std::vector<Hostile> all;
  const Bytes good = victim();
  const auto add = [&](const char* is, const std::function<void(Pieces&)>& change) {
    Pieces pieces(good);
    change(pieces);
    all.push_back({is, pieces.bytes()});
  };
  const auto set = [&](const char* is, const char* array, std::size_t at, auto value) {
    add(is, [&](Pieces& p) { p.put(array, at, value); });
  };
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const std::size_t names = Pieces(good).get<U32>("attributes/offsets").size() - 1;

  add("a table without an empty slot", [](Pieces& p) {
    p.change<U64>("attributes/slots",
                  [](auto& s) { std::replace(s.begin(), s.end(), kEmpty, U64{7} << 32); });
  });
  add("a table of one full slot", [](Pieces& p) { p.set<U64>("attributes/slots", {0}); });
  add("no table", [](Pieces& p) { p.set<U64>("attributes/slots", {}); });
  add("a table of 63 slots",
      [](Pieces& p) { p.change<U64>("attributes/slots", [](auto& s) { s.pop_back(); }); });
  add("ids beyond the names", [](Pieces& p) {
    p.change<U64>("attributes/slots", [](auto& s) {
      for (U64& slot : s) slot = slot == kEmpty ? slot : slot | 0xFFFFFF00u;
    });
  });
  add("all names in one slot", [](Pieces& p) {
    p.change<U64>("attributes/slots", [](auto& s) {
      for (U64& slot : s) slot = slot == kEmpty ? slot : s[0];
    });
  });
  add("no offsets", [](Pieces& p) { p.set<U32>("attributes/offsets", {}); });
  set("names that begin at 1", "attributes/offsets", 0, U32{1});
  set("names that end late", "attributes/offsets", names, ~U32{0});
  set("a name of 4 GB", "attributes/offsets", 1, ~U32{0});
  set("a name that runs backwards", "attributes/offsets", 2, U32{0});
  add("all names of 4 GB", [](Pieces& p) {
    p.change<U32>("attributes/offsets", [](auto& o) { std::fill(o.begin() + 1, o.end() - 1, ~U32{0}); });
  });
  add("names not UTF-8", [](Pieces& p) {
    p.change<std::uint8_t>("attributes/bytes", [](auto& b) { std::fill(b.begin(), b.end(), 0xFF); });
  });
  add("a million empty names", [](Pieces& p) {
    p.set("attributes/offsets", std::vector<U32>(1'000'001, 0)), p.set<std::uint8_t>("attributes/bytes", {});
    p.set("emissions/offsets", std::vector<U32>(1'000'001, 0)), p.set<U64>("emissions/pairs", {});
  });
  add("no attributes", [](Pieces& p) { p.drop("attributes/bytes"); });
  add("no labels", [](Pieces& p) { p.drop("labels/slots"); });
  add("no label", [](Pieces& p) {
    p.set<U32>("labels/offsets", {0}), p.set<std::uint8_t>("labels/bytes", {});
    p.set<U64>("labels/slots", {kEmpty});
  });
  add("a label not UTF-8", [](Pieces& p) { p.put<std::uint8_t>("labels/bytes", 0, 0xFF); });
  add("a label twice", [](Pieces& p) { p.put<std::uint8_t>("labels/bytes", 1, 'X'); });
  add("labels not in their slots", [](Pieces& p) {
    p.change<U64>("labels/slots", [](auto& s) { std::rotate(s.begin(), s.begin() + 1, s.end()); });
  });

  const auto shaped = [](Pieces& p, Index rows, Index columns) {
    p.set("emissions/rows", std::vector<float>(static_cast<std::size_t>(rows * columns), 1.f),
          {rows, columns});
  };
  add("rows of three labels", [&](Pieces& p) { shaped(p, 2, 3); });
  add("rows of no label", [&](Pieces& p) { shaped(p, 1000, 0); });
  add("more rows than attributes", [&](Pieces& p) { shaped(p, static_cast<Index>(names) + 1, 2); });
  add("fewer rows than attributes with many labels", [&](Pieces& p) { shaped(p, 0, 2); });
  add("rows at the end of the file", [](Pieces& p) {
    std::rotate(p.arrays.begin(), p.arrays.begin() + 1, p.arrays.end());
    p.change<float>("emissions/rows", [](auto& r) { r.resize(16, 1.f); });
    p["emissions/rows"].shape = {8, 2};
  });
  add("rows of doubles", [](Pieces& p) { p.set("emissions/rows", std::vector<double>(4, 1.), {2, 2}); });
  add("rows of halves, pairs of floats", [](Pieces& p) {
    p.set("emissions/rows", std::vector<Half>(4), {2, 2});
  });
  add("rows in one dimension",
      [](Pieces& p) { p["emissions/rows"].shape = {p["emissions/rows"].shape[0] * 2}; });
  add("no rows", [](Pieces& p) { p.drop("emissions/rows"); });
  set("a weight that is no number", "emissions/rows", 0, kNan);
  set("an infinite weight", "emissions/rows", 1, std::numeric_limits<float>::infinity());
  add("weights whose sum is infinite", [](Pieces& p) {
    p.change<float>("emissions/rows", [](auto& r) { std::fill(r.begin(), r.end(), 3e38f); });
  });

  // All attributes with pairs, so that there are some to change.
  const auto with_pairs = [&](const std::function<void(std::vector<U32>&, std::vector<U64>&)>& change) {
    return [&, change](Pieces& p) {
      std::vector<U32> offsets;
      std::vector<U64> pairs;
      for (U32 a = 0; a <= names; ++a) offsets.push_back(2 * a);
      for (U32 a = 0; a < names; ++a)
        pairs.insert(pairs.end(), {0x3F800000ull << 32, (0x3F800000ull << 32) + 1});
      change(offsets, pairs);
      shaped(p, 0, 2);
      p.set("emissions/offsets", offsets), p.set("emissions/pairs", pairs);
    };
  };
  add("a pair with label 2", with_pairs([](auto&, auto& pairs) { pairs[0] += 2; }));
  add("all pairs with label 2^32 - 1", with_pairs([](auto&, auto& pairs) {
        for (U64& pair : pairs) pair |= 0xFFFFFFFFu;
      }));
  add("pairs that descend", with_pairs([](auto&, auto& pairs) { std::swap(pairs[0], pairs[1]); }));
  add("a pair that is no number", with_pairs([](auto&, auto& pairs) { pairs[0] = 0x7FC00000ull << 32; }));
  add("all pairs infinite", with_pairs([](auto&, auto& pairs) {
        for (U64& pair : pairs) pair = 0xFF800000ull << 32 | (pair & 1);
      }));
  add("an attribute with three labels of two", with_pairs([](auto& o, auto&) { o[1] = 3; }));
  add("an attribute with all pairs",
      with_pairs([](auto& o, auto&) { std::fill(o.begin() + 1, o.end(), o.back()); }));
  add("pairs that run backwards", with_pairs([](auto& o, auto&) { o[2] = 1; }));
  add("pairs past 2^32 and round again", with_pairs([](auto& o, auto&) { o[1] = ~U32{0}, o[2] = 1; }));
  add("more pairs than there are", with_pairs([](auto& o, auto&) { o.back() += 1; }));
  add("fewer pairs than there are", with_pairs([](auto& o, auto&) { o.back() -= 1; }));
  add("pairs that begin at 1", with_pairs([](auto& o, auto&) { o[0] = 1; }));
  add("one offset too few", with_pairs([](auto& o, auto&) { o.pop_back(); }));
  add("a row and pairs", [](Pieces& p) {
    p.change<U32>("emissions/offsets", [](auto& o) { std::fill(o.begin() + 1, o.end(), U32{1}); });
    p.set<U64>("emissions/pairs", {0});
  });

  set("a transition to label 2", "transitions/labels", 0, U32{2});
  set("transitions that run backwards", "transitions/offsets", 1, ~U32{0});
  set("a pair of labels beyond all", "pairs/labels", 0, U32{4});
  set("pairs of labels that run backwards", "pairs/offsets", 1, ~U32{0});
  add("no attributes of pairs", [](Pieces& p) { p.drop("pair-attributes/slots"); });
  add("a weight too few", [](Pieces& p) { p.change<float>("weights", [](auto& w) { w.pop_back(); }); });
  add("a weight too many", [](Pieces& p) { p.change<float>("weights", [](auto& w) { w.push_back(0); }); });
  set("another weight that is no number", "weights", 0, kNan);
  add("halves that are infinite",
      [](Pieces& p) { p.set("weights", std::vector<Half>(p.get<float>("weights").size(), Half{0x7C00})); });

  add("no templates", [](Pieces& p) { p.drop("templates"); });
  add("templates that are none", [](Pieces& p) { p.text("templates", "U:%q[0,0]\n"); });
  add("templates with NUL", [](Pieces& p) { p.text("templates", {"U\0:%x[0,0]\n", 12}); });
  add("a template that reads column 10^18",
      [](Pieces& p) { p.text("templates", "U:%x[0,1000000000000000000]\nB1:%x[0,0]\n"); });
  add("a template that reads row 10^9",
      [](Pieces& p) { p.text("templates", "U:%x[1000000000,0]\nB1:%x[0,0]\n"); });
  add("a template that reads a list that is not there",
      [](Pieces& p) { p.text("templates", "U:%gazetteer[0,0,h]\nB1:%x[0,0]\n"); });
  add("100,000 templates", [](Pieces& p) {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += "U:%x[0,0]\n";
    p.text("templates", text);
  });
  add("an empty list", [](Pieces& p) { p.text("gazetteer/g", ""); });
  add("a list of a bad name", [](Pieces& p) { p.text("gazetteer/g g", "a\n"); });
  set("boundary 2", "boundary", 0, U32{2});
  add("no boundary", [](Pieces& p) { p.drop("boundary"); });
  add("31 bits of hash", [](Pieces& p) { p.set<U32>("hash-bits", {31}); });
  add("no bit of hash", [](Pieces& p) { p.set<U32>("hash-bits", {0}); });
  add("vectors of no column", [](Pieces& p) { p.set<U32>("vector-columns", {0}); });
  add("vectors of 2^32 - 1 columns", [](Pieces& p) { p.set<U32>("vector-columns", {~U32{0}}); });
  add("arrays of format 2 in format 1", [](Pieces& p) { p.format.major = 1; });
  add("a later format", [](Pieces& p) { p.format.major = 3; });
  add("another kind", [](Pieces& p) { p.format.kind = "thalweg checkpoint"; });
  return all;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define THALWEG_TEST_SHADOW_MEMORY
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define THALWEG_TEST_SHADOW_MEMORY
#endif
#endif

}  // namespace

TEST_CASE("hostile models are refused, or tag and nothing else", "[pipeline][damage]") {
  const auto models = hostile_models();
  CHECK(models.size() >= 60);
  REQUIRE(tags(victim()));
  int refused = 0;
  for (const Hostile& model : models) {
    INFO(model.is);
    // Whoever shows names or moves weights is told; "halves" and the like that only tag do no harm.
    CHECK_NOTHROW(refused += !tags(model.bytes));
    std::string reason;
    try {
      load_model(ArrayFile::of_memory(model.bytes, "hostile.model", kModelFormat));
    } catch (const ModelError& error) {
      reason = error.what();
    }
    const bool harmless = model.is == "fewer rows than attributes with many labels" ||
                          model.is == "weights whose sum is infinite" || model.is == "100,000 templates";
    if (!harmless) CHECK_THAT(reason, ContainsSubstring("hostile.model"));
  }
  CHECK(refused >= 40);
}

#ifndef THALWEG_TEST_SHADOW_MEMORY  // sanitizers map terabytes themselves
TEST_CASE("hostile models cost neither time nor memory", "[pipeline][damage]") {
  const TemporaryFolder folder;
  const auto models = hostile_models();
  std::size_t n = 0;
  for (const Hostile& model : models) write_file(folder / std::to_string(n++), model.bytes);
  CHECK(in_child([&] {
          rlim_t pages = 0;  // of address space in use: other tests of this process may have mapped much
          std::ifstream("/proc/self/statm") >> pages;
          const rlim_t most = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + (rlim_t{1} << 30);
          const rlimit limit{most, most};
          if (::setrlimit(RLIMIT_AS, &limit) != 0) return 1;
          rusage before, after;
          ::getrusage(RUSAGE_SELF, &before);
          for (std::size_t i = 0; i < n; ++i) {
            const auto start = std::chrono::steady_clock::now();
            try {
              Tagger::load(folder / std::to_string(i)).tag({"a", "b", "c"});
            } catch (const ModelError&) {
            } catch (const InputError&) {  // of a template that reads a column the words lack
            }
            // A tenth of a second.
            if (std::chrono::steady_clock::now() - start > std::chrono::milliseconds(100) &&
                models[i].is != "100,000 templates")
              return 3;
          }
          ::getrusage(RUSAGE_SELF, &after);
          return after.ru_maxrss - before.ru_maxrss < 64 * 1024 ? 0 : 4;
        }) == 0);
}
#endif
