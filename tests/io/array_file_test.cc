#include "thalweg/io/array_file.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <functional>

#include "io/array_file_tools.h"
#include "support/catch.h"
#include "support/child_process.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/io/atomic_file.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

constexpr FileFormat kFormat{"thalweg model", 1, 0};

// Arrays of every type and rank, the first, a middle and the last one unlike their neighbours in padding.
struct Small {
  std::vector<double> weights;
  std::string labels{"B-NP\0I-NP", 9};
  std::vector<float> empty, one{0.5f};
  std::vector<std::uint32_t> counts{1, 2, 3, 0xffffffffu, 5};
  std::vector<std::uint64_t> offsets{0, 4, std::uint64_t{1} << 63};
  std::vector<std::int64_t> cube{-1, 2, -3, 4, -5, 6, -7, 8};

  Small() {
    for (int i = 0; i < 75; ++i) weights.push_back(std::sin(i));
  }
  ArrayFileWriter writer(const FileFormat& format = kFormat) const {
    ArrayFileWriter w(format);
    w.add("weights", weights, {25, 3});
    w.add_text("labels", labels);
    w.add("empty", empty, {0, 45});
    w.add("counts", counts);
    w.add("offsets", std::span(offsets), {3, 1});
    w.add("cube", cube, {2, 2, 2});
    w.add("one", one);
    return w;
  }
  Bytes bytes() const { return writer().bytes(); }
};

enum { kWeights, kLabels, kEmpty, kCounts, kOffsets, kCube, kOne };

ArrayFile load(const Bytes& bytes) { return ArrayFile::of_memory(bytes, "small.model", kFormat); }

template <class T>
double sum(std::span<const T> values) {
  double total = 0;
  for (const T value : values) total += static_cast<double>(value);
  return total;
}

// What the loader says to the bytes; empty if it takes them. Anything but a ModelError passes through.
struct Verdict {
  std::string where, what;
};
Verdict verdict(const Bytes& bytes) {
  try {
    touch(load(bytes));
  } catch (const ModelError& error) {
    return {error.where(), error.what()};
  }
  return {};
}

template <class R>
concept Addable = requires(ArrayFileWriter w, R&& values) {
  w.add("x", std::forward<R>(values));
};
static_assert(Addable<std::vector<float>&> && Addable<const std::array<double, 2>&> &&
              Addable<std::span<float>>);
static_assert(!Addable<std::vector<float>>, "a temporary would dangle");
static_assert(!Addable<std::vector<short>&> && !Addable<std::vector<char>&>);

}  // namespace

// --- what is written is read

TEST_CASE("arrays of every type and rank come back", "[io][array_file]") {
  const Small small;
  const TemporaryFolder folder;
  small.writer().write(folder / "small.model");
  const ArrayFile file = ArrayFile::open(folder / "small.model", kFormat);
  CHECK(folder.names() == std::set<std::string>{"small.model"});

  const auto same = [](const auto& read, const auto& written) {
    return std::equal(read.begin(), read.end(), written.begin(), written.end());
  };
  const Table<const double> weights = file.table<double>("weights", 25, 3);
  CHECK(weights[24][2] == small.weights[74]);
  CHECK(same(file.array<double>("weights", {kAnySize, 3}), small.weights));
  CHECK(file.text("labels") == small.labels);
  CHECK(file.table<float>("empty").rows == 0);
  CHECK(file.table<float>("empty").columns == 45);
  CHECK(same(file.array<std::uint32_t>("counts", {5}), small.counts));
  CHECK(same(file.array<std::uint64_t>("offsets", {3, 1}), small.offsets));
  CHECK(same(file.array<std::int64_t>("cube", {2, 2, 2}), small.cube));
  CHECK(same(file.array<float>("one"), small.one));

  CHECK(file.name() == folder / "small.model");
  CHECK(file.format().kind == kFormat.kind);
  CHECK(file.records().size() == 7);
  CHECK(file.find("cube") == &file.records()[kCube]);
  CHECK(file.find("cub") == nullptr);
  CHECK(describe(file.records()[kCube]) == "i64 [2 x 2 x 2]");
  for (const ArrayRecord& record : file.records())
    CHECK(reinterpret_cast<std::uintptr_t>(file.bytes(record).data()) % 64 == 0);
}

TEST_CASE("a file without arrays, and one with as many as fit the header", "[io][array_file]") {
  const Bytes none = ArrayFileWriter(kFormat).bytes();
  CHECK(none.size() == 64);
  CHECK(load(none).records().empty());

  ArrayFileWriter writer(kFormat);
  const std::vector<float> value{1};
  for (int i = 0; i < 8191; ++i) writer.add(std::to_string(i), value);
  const Bytes many = writer.bytes();
  CHECK(load(many).array<float>("8190").size() == 1);
  writer.add("one too many", value);
  CHECK_THROWS_WITH(writer.bytes(), ContainsSubstring("a header cannot have 1048640 bytes"));
}

TEST_CASE("the bytes are golden and laid out as documented", "[io][array_file]") {
  const Bytes bytes = Small().bytes();
  CHECK(bytes == Small().bytes());
  CHECK(bytes.size() == 64 + 7 * 128 + 640 + 64 + 0 + 64 + 64 + 64 + 64);
  CHECK(std::memcmp(bytes.data(), "\x89THW\r\n\x1a\nthalweg model\0\0", 24) == 0);
  CHECK(get<std::uint32_t>(bytes, kMajorAt) == 1);
  CHECK(get<std::uint64_t>(bytes, kHeaderBytesAt) == 64 + 7 * 128);
  CHECK(get<std::uint64_t>(bytes, kFileBytesAt) == bytes.size());
  CHECK(get<std::uint64_t>(bytes, record_at(kLabels) + kOffsetAt) == 64 + 7 * 128 + 640);
  Bytes again = bytes;
  fix_checksums(again);  // the test's own reading of how they are made
  CHECK(again == bytes);

  ArrayFileWriter exact(kFormat);  // no sin() here: the bytes are the same on every platform
  const std::vector<std::uint32_t> values{1, 2, 3};
  exact.add("values", values, {3, 1});
  CHECK(xxh3(exact.bytes()) == 0x57d3122ea8b0269d);
}

TEST_CASE("an open file keeps its content when it is replaced, and its mapping no longer than itself",
          "[io][array_file]") {
  const TemporaryFolder folder;
  const auto mappings = [&] {
    int count = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) count += line.find(folder.path()) != std::string::npos;
    return count;
  };
  const std::vector<float> before(5000, 1.f), after(3, 2.f);
  ArrayFileWriter first(kFormat), second(kFormat);
  first.add("x", before);
  second.add("x", after);
  first.write(folder / "model");
  {
    ArrayFile file = ArrayFile::open(folder / "model", kFormat);
    second.write(folder / "model");
    CHECK(sum(file.array<float>("x")) == 5000);
    file = ArrayFile::open(folder / "model", kFormat);
    CHECK(sum(file.array<float>("x")) == 6);
    CHECK(mappings() == 1);
  }
  CHECK_THROWS_AS(ArrayFile::open(folder / "model", {"another kind"}), ModelError);
  CHECK(mappings() == 0);
}

TEST_CASE("asking for what is not there names file, array and both shapes", "[io][array_file]") {
  const Bytes bytes = Small().bytes();
  const ArrayFile file = load(bytes);
  CHECK_THROWS_WITH(file.array<float>("bias", {9}),
                    ContainsSubstring("small.model: array 'bias' should be f32 [9], it is missing; "));
  CHECK_THROWS_WITH(file.table<float>("weights", kAnySize, 3),
                    ContainsSubstring("array 'weights' should be f32 [any x 3], it is f64 [25 x 3]"));
  CHECK_THROWS_AS(file.table<double>("weights", 25, 4), ModelError);
  CHECK_THROWS_AS(file.table<double>("weights", 24, 3), ModelError);
  CHECK_THROWS_AS(file.array<double>("weights"), ModelError);
  CHECK_THROWS_AS(file.array<double>("weights", {25, 3, kAnySize}), ModelError);
  CHECK_THROWS_AS(file.array<double>("weights", {25, 3, 0, 0}), ModelError);
  CHECK_THROWS_AS(file.array<std::int64_t>("offsets", {3, 1}), ModelError);
  CHECK_THROWS_AS(file.text("counts"), ModelError);
}

TEST_CASE("older versions and newer minors are read, newer majors and other kinds refused by name",
          "[io][array_file]") {
  const auto written_as = [](FileFormat format) { return Small().writer(format).bytes(); };
  const FileFormat wanted{"thalweg model", 3, 1};
  const auto open = [&](const Bytes& bytes) { return ArrayFile::of_memory(bytes, "m", wanted).format(); };
  CHECK(open(written_as({"thalweg model", 1, 9})).major == 1);
  CHECK(open(written_as({"thalweg model", 3, 7})).minor == 7);
  CHECK_THROWS_WITH(
      open(written_as({"thalweg model", 4, 0})),
      Catch::Matchers::Equals("m, byte 32: format 4.0, this build reads up to 3.x; update thalweg"));
  CHECK_THROWS_WITH(open(written_as({"thalweg checkpoint", 3, 1})),
                    ContainsSubstring("this is a thalweg checkpoint, not a thalweg model"));
  Bytes future = written_as({"thalweg model", 4, 0});
  std::fill(future.begin() + 40, future.end(), std::byte{0xff});  // nothing behind the version is looked at
  CHECK_THROWS_WITH(open(future), ContainsSubstring("format 4.0"));
}

TEST_CASE("what cannot be read is not written", "[io][array_file]") {
  const TemporaryFolder folder;
  const std::vector<float> six(6, 1.f);
  const auto refusal = [&](const std::string& name, std::initializer_list<Index> shape,
                           FileFormat format = kFormat) {
    ArrayFileWriter writer(format);
    writer.add("first", six);
    writer.add(name, six, shape);
    try {
      writer.write(folder / "model");
    } catch (const ModelError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK_THAT(refusal("w", {2, 4}), ContainsSubstring("array 'w' of f32 [2 x 4] cannot have 24 bytes"));
  CHECK_THAT(refusal("w", {-2, -3}), ContainsSubstring("cannot have 24 bytes"));
  CHECK_THAT(refusal("w", {1, 1, 1, 6}), ContainsSubstring("has rank 4"));
  CHECK_THAT(refusal("first", {}), ContainsSubstring("two arrays 'first'"));
  CHECK_THAT(refusal("", {}), ContainsSubstring("not readable"));
  CHECK_THAT(refusal("naïve", {}), ContainsSubstring("not readable"));
  CHECK_THAT(refusal(std::string("a\0b", 3), {}), ContainsSubstring("not readable"));
  CHECK_THAT(refusal(std::string(73, 'a'), {}), ContainsSubstring("more than 72 characters"));
  CHECK_THAT(refusal("w", {}, {"a kind of twenty-five chars"}), ContainsSubstring("more than 24 characters"));
  CHECK_THAT(refusal("w", {}, {""}), ContainsSubstring("kind of the file is not readable"));
  CHECK(folder.names().empty());
  CHECK(refusal(std::string(72, 'a'), {}, {"a kind of twenty-four ch"}).empty());
}

// --- what is damaged is refused

TEST_CASE("every truncation is refused with the file and the byte where it ends", "[io][array_file]") {
  const Bytes whole = Small().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Verdict v = verdict(Bytes(whole.begin(), whole.begin() + static_cast<Index>(size)));
    if (v.where != "small.model, byte " + std::to_string(size)) FAIL(size << " bytes: " << v.what);
  }
  CHECK(verdict(whole).what.empty());
}

TEST_CASE("every flipped bit is refused", "[io][array_file]") {
  Bytes bytes = Small().bytes();
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    const std::byte mask{static_cast<unsigned char>(1u << (bit % 8))};
    bytes[bit / 8] ^= mask;
    if (verdict(bytes).what.empty()) FAIL("bit " << bit << " of " << 8 * bytes.size() << " went unnoticed");
    bytes[bit / 8] ^= mask;
  }
  CHECK(verdict(bytes).what.empty());
}

TEST_CASE("extremes in the header with right checksums are refused or harmless", "[io][array_file]") {
  const Bytes whole = Small().bytes();
  const auto header = get<std::uint64_t>(whole, kHeaderBytesAt);
  int refused = 0, taken = 0;
  for (const std::uint32_t extreme :
       {0xffffffffu, 0u, 0x7fffffffu, 0x80000000u, 0x7fc00000u, 1u, 0x41414141u}) {
    for (std::size_t at = 0; at + 4 <= header; ++at) {
      Bytes bytes = whole;
      put(bytes, at, extreme);
      fix_checksums(bytes);
      ++(verdict(bytes).what.empty() ? taken : refused);
    }
  }
  CHECK(refused > 5000);
  CHECK(taken > 100);  // "AAAA" in a name, 0 where 0 was: the checksums were indeed made right
}

namespace {

struct Hostile {
  std::string is;
  Bytes bytes;
  std::string says;
};

template <class T>
void add_to(Bytes& bytes, std::size_t at, T amount) {
  put<T>(bytes, at, static_cast<T>(get<T>(bytes, at) + amount));
}

// Handwritten files that mean harm. The checksums of all are right but where it says otherwise.
std::vector<Hostile> hostile_files() {
  using U32 = std::uint32_t;
  using U64 = std::uint64_t;
  std::vector<Hostile> all;
  const Bytes whole = Small().bytes();
  const U64 header = get<U64>(whole, kHeaderBytesAt);
  constexpr U64 kMax = ~U64{0}, kTop = U64{1} << 63;
  const auto add = [&](const char* is, const char* says, const std::function<void(Bytes&)>& change,
                       bool fix = true) {
    Bytes bytes = whole;
    change(bytes);
    if (fix) fix_checksums(bytes);
    all.push_back({is, std::move(bytes), says});
  };
  const auto field = [&](const char* is, const char* says, std::size_t at, auto value) {
    add(is, says, [&](Bytes& b) { put(b, at, value); });
  };
  const auto text = [&](const char* is, const char* says, std::size_t at, std::string_view value) {
    add(is, says, [&](Bytes& b) { std::memcpy(b.data() + at, value.data(), value.size()); });
  };

  add("nothing", "byte 0: the file ends within", [](Bytes& b) { b.clear(); });
  add("the magic alone", "byte 8: the file ends within", [](Bytes& b) { b.resize(8); });
  add("zeros", "not written by thalweg", [](Bytes& b) { b.assign(4096, std::byte{0}); });
  text("another magic", "not written by thalweg", 0,
       "\x7f"
       "ELF");
  text("a transfer as text", "not written by thalweg", 4, "\n\x1a\n");
  text("no kind", "kind of the file is not readable", kKindAt, {"\0", 1});
  text("another kind", "this is a thalweg latter, not a thalweg model", kKindAt, "thalweg latter");
  text("a longer kind", "this is a thalweg models", kKindAt, "thalweg models");
  text("a kind with an escape", "kind of the file is not readable", kKindAt, "\x1b[2J");
  text("a kind not UTF-8", "kind of the file is not readable", kKindAt, "\xff\xfe");
  text("a kind with a tail", "kind of the file is not readable", kKindAt + 20, "tail");
  field("the next major", "format 2.0, this build reads up to 1.x; update thalweg", kMajorAt, U32{2});
  field("the last major", "format 4294967295.0", kMajorAt, ~U32{0});

  field("header of 0", "a header cannot have 0 bytes", kHeaderBytesAt, U64{0});
  field("header of 63", "a header cannot have 63", kHeaderBytesAt, U64{63});
  field("header of half a record", "a header cannot have 128", kHeaderBytesAt, U64{128});
  field("header of 1 MB and a record", "a header cannot have 1048640", kHeaderBytesAt, U64{64 + 128 * 8192});
  field("header of 2^63", "a header cannot have", kHeaderBytesAt, kTop + 64);
  field("header that wraps", "a header cannot have", kHeaderBytesAt, kMax - 63);
  field("header past the end", "the file ends within its header", kHeaderBytesAt, U64{64 + 128 * 100});
  field("header at the cap", "the file ends within its header", kHeaderBytesAt, U64{64 + 128 * 8191});
  field("header without records", "does not end with its last array", kHeaderBytesAt, U64{64});
  field("header short of a record", "begins at byte 960 instead of 832", kHeaderBytesAt, header - 128);
  field("header long by a record", "begins at byte 960 instead of 1088", kHeaderBytesAt, header + 128);
  field("file of 0", "byte 0: the file has 1920 bytes, 0 were written", kFileBytesAt, U64{0});
  field("file of 2^64 - 1", "18446744073709551615 were written", kFileBytesAt, kMax);
  field("file of one less", "byte 1919", kFileBytesAt, U64{whole.size() - 1});
  add("bytes behind the end", "byte 1920", [](Bytes& b) { b.resize(b.size() + 64); });
  add("bytes behind the end, counted", "does not end with its last array", [](Bytes& b) {
    b.resize(b.size() + 64);
    put<U64>(b, kFileBytesAt, b.size());
  });
  add("cut behind the header, counted", "does not fit a file of 960", [&](Bytes& b) {
    b.resize(header);
    put<U64>(b, kFileBytesAt, b.size());
  });
  add("cut in the last padding, counted", "byte 1919: the file does not end at a multiple of 64",
      [](Bytes& b) {
        b.resize(b.size() - 1);
        put<U64>(b, kFileBytesAt, b.size());
      });

  const std::size_t weights = record_at(kWeights), labels = record_at(kLabels), empty = record_at(kEmpty),
                    counts = record_at(kCounts), cube = record_at(kCube), one = record_at(kOne);
  text("no name", "byte 64: the name of an array is not readable", weights, {"\0", 1});
  text("a name not UTF-8", "name of an array is not readable", weights, "\xff\xfe");
  text("a name in overlong UTF-8", "name of an array is not readable", weights, "\xc0\xaf");
  text("a name with a newline", "name of an array is not readable", weights, "we\ng");
  text("a name with an escape", "name of an array is not readable", cube, "\x1b]0;");
  text("a name with a tail", "name of an array is not readable", cube + 20, "tail");
  text("one name twice", "there are two arrays 'cube'", one, {"cube", 5});
  field("type 0", "array 'labels' has the unknown type 0", labels + kTypeAt, U32{0});
  field("type 8", "has the unknown type 8", labels + kTypeAt, U32{8});
  field("type 2^32 - 1", "has the unknown type 4294967295", labels + kTypeAt, ~U32{0});
  field("a wider type", "array 'counts' of u64 [5] cannot have 20 bytes", counts + kTypeAt, U32{3});
  field("a narrower type", "array 'weights' of f32 [25 x 3] cannot have 600 bytes", weights + kTypeAt,
        U32{5});
  field("rank 0", "has rank 0", counts + kRankAt, U32{0});
  field("rank 4", "has rank 4", cube + kRankAt, U32{4});
  field("rank 2^32 - 1", "has rank 4294967295", cube + kRankAt, ~U32{0});
  field("a rank too low", "more sizes than its rank", cube + kRankAt, U32{2});
  field("a rank too high", "of u32 [5 x 0] cannot have 20 bytes", counts + kRankAt, U32{2});
  field("2^64 - 1 elements", "cannot have 20 bytes", counts + kShapeAt, kMax);
  field("2^62 elements more, bytes wrap", "cannot have 20 bytes", counts + kShapeAt, (U64{1} << 62) + 5);
  field("a size that wraps the product", "cannot have 600 bytes", weights + kShapeAt,
        U64{25} + (U64{1} << 61));
  add("two sizes whose product is 2^64", "cannot have 0 bytes", [&](Bytes& b) {
    put(b, weights + kShapeAt, U64{1} << 32), put(b, weights + kShapeAt + 8, U64{1} << 29);
    put(b, weights + kBytesAt, U64{0});
  });
  field("a zero that hides an overflow", "cannot have 0 bytes", empty + kShapeAt + 8, U64{1} << 62);
  add("zero behind an overflow", "cannot have 0 bytes", [&](Bytes& b) {
    put(b, empty + kRankAt, U32{3});
    put(b, empty + kShapeAt, kTop), put(b, empty + kShapeAt + 8, kTop);
  });
  field("fewer elements than bytes", "cannot have 20 bytes", counts + kShapeAt, U64{4});
  field("no bytes", "cannot have 0 bytes", counts + kBytesAt, U64{0});
  field("a byte more", "cannot have 21 bytes", counts + kBytesAt, U64{21});
  const auto sized = [&](U64 size) {
    return [=](Bytes& b) { put(b, labels + kShapeAt, size), put(b, labels + kBytesAt, size); };
  };
  add("an array of 2^64 - 1 bytes", "cannot have 18446744073709551615 bytes", sized(kMax));
  add("an array of 2^63 - 1 bytes", "does not fit a file of 1920", sized(kTop - 1));
  add("an array to just past the end", "does not fit a file of 1920", sized(whole.size() - 1600 + 1));
  add("an array over its neighbours", "begins at byte 1664 instead of 1920", sized(whole.size() - 1600));
  field("offset 0", "begins at byte 0 instead of 1664", counts + kOffsetAt, U64{0});
  field("offset off by one", "begins at byte 1665", counts + kOffsetAt, U64{1665});
  field("a hole", "begins at byte 1728 instead of 1664", counts + kOffsetAt, U64{1728});
  field("an overlap", "begins at byte 1600 instead of 1664", counts + kOffsetAt, U64{1600});
  field("an offset past the end", "overlap or a hole", counts + kOffsetAt, U64{1920});
  field("an offset that wraps", "overlap or a hole", counts + kOffsetAt, kMax - 63);
  field("offset 2^63", "overlap or a hole", counts + kOffsetAt, kTop);
  add("two arrays change places", "overlap or a hole", [&](Bytes& b) {
    put(b, counts + kOffsetAt, U64{1728}), put(b, record_at(kOffsets) + kOffsetAt, U64{1664});
  });
  add("the last array past the end", "does not fit a file of 1920",
      [&](Bytes& b) { put(b, one + kShapeAt, U64{17}), put(b, one + kBytesAt, U64{68}); });
  field("something in the padding", "byte 1609: the padding behind array 'labels' is damaged", 1663,
        std::byte{1});
  add(
      "a wrong array checksum", "byte 1600: array 'labels' is damaged",
      [](Bytes& b) { b[1600] ^= std::byte{1}; }, false);
  add(
      "a wrong header checksum", "byte 56: the header is damaged",
      [](Bytes& b) { add_to(b, kHeaderChecksumAt, U64{1}); }, false);
  add("1 MB of empty arrays of one name", "there are two arrays 'empty'", [&](Bytes& b) {
    Bytes full(b.begin(), b.begin() + 64);
    for (int i = 0; i < 8191; ++i)
      full.insert(full.end(), whole.begin() + empty, whole.begin() + empty + 128);
    put<U64>(full, kHeaderBytesAt, full.size());
    put<U64>(full, kFileBytesAt, full.size());
    for (int i = 0; i < 8191; ++i) put<U64>(full, record_at(i) + kOffsetAt, full.size());
    b = full;
  });
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

TEST_CASE("handwritten hostile files are refused with the reason", "[io][array_file]") {
  const auto files = hostile_files();
  CHECK(files.size() >= 60);
  for (const Hostile& file : files) {
    INFO(file.is);
    CHECK_THAT(verdict(file.bytes).what, ContainsSubstring(file.says));
  }
}

#ifndef THALWEG_TEST_SHADOW_MEMORY  // sanitizers map terabytes themselves
TEST_CASE("hostile files cost neither time nor memory", "[io][array_file]") {
  const TemporaryFolder folder;
  CHECK(in_child([&] {
          const auto files = hostile_files();
          rlim_t pages = 0;  // of address space in use: other tests of this process may have mapped much
          std::ifstream("/proc/self/statm") >> pages;
          const rlim_t most = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + (rlim_t{1} << 30);
          const rlimit limit{most, most};
          if (::setrlimit(RLIMIT_AS, &limit) != 0) return 1;
          rusage before, after;
          ::getrusage(RUSAGE_SELF, &before);
          for (const Hostile& file : files) {
            write_file(folder / "model", file.bytes);
            const auto start = std::chrono::steady_clock::now();
            try {
              ArrayFile::open(folder / "model", kFormat);
              return 2;
            } catch (const ModelError&) {
            }
            if (std::chrono::steady_clock::now() - start > std::chrono::milliseconds(100)) return 3;
          }
          ::getrusage(RUSAGE_SELF, &after);
          return after.ru_maxrss - before.ru_maxrss < 64 * 1024 ? 0 : 4;
        }) == 0);
}
#endif

TEST_CASE("a path that holds no file to map is an error of the system", "[io][array_file]") {
  const TemporaryFolder folder;
  const auto open = [&](const std::string& path) { return ArrayFile::open(path, kFormat); };
  CHECK_THROWS_AS(open(folder / "missing"), IoError);
  CHECK_THROWS_WITH(open(folder / "missing"), ContainsSubstring("missing: cannot be opened (No such file"));
  CHECK_THROWS_WITH(open(folder.path()), ContainsSubstring("is a folder"));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(open(folder / "pipe"), ContainsSubstring("not a file"));  // and does not wait
  CHECK_THROWS_AS(open("/dev/null"), IoError);
  write_file(folder / "empty", {});
  CHECK_THROWS_WITH(open(folder / "empty"), ContainsSubstring("empty, byte 0: the file ends within"));
}
