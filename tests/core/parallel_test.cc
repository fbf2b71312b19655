#include "thalweg/core/parallel.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <stdexcept>

#include "support/catch.h"
#include "thalweg/core/random.h"

using namespace thalweg;

TEST_CASE("every index is served once, in the same chunks for any number of threads", "[core][parallel]") {
  for (int threads : {1, 2, 3, 8}) {
    std::vector<int> served(1003, 0);
    std::vector<Index> ends(static_cast<std::size_t>(chunk_count(1003, 10)), 0);
    std::vector<int> slots(ends.size(),
                           -1);  // checked after the loop: Catch2's assertions belong to one thread
    parallel_chunks(1003, 10, threads, [&](Index begin, Index end, int slot) {
      for (Index i = begin; i < end; ++i) ++served[i];
      ends[begin / 10] = end;
      slots[begin / 10] = slot;
    });
    CHECK(*std::min_element(slots.begin(), slots.end()) >= 0);
    CHECK(*std::max_element(slots.begin(), slots.end()) < threads);
    CHECK(std::set<int>(served.begin(), served.end()) == std::set<int>{1});
    CHECK(ends.front() == 10);
    CHECK(ends.back() == 1003);
  }
}

TEST_CASE("no two calls hold one slot at a time", "[core][parallel]") {
  std::vector<std::atomic<int>> inside(4);
  std::atomic<bool> clash{false};
  parallel_chunks(400, 1, 4, [&](Index, Index, int slot) {
    if (inside[slot]++ != 0) clash = true;
    parallel_chunks(8, 1, 2, [](Index, Index, int) {});  // a nested loop must not let an outer call in
    --inside[slot];
  });
  CHECK_FALSE(clash);
}

TEST_CASE("what a body throws reaches the caller", "[core][parallel]") {
  for (int threads : {1, 3}) {
    CHECK_THROWS_AS(parallel_chunks(100, 7, threads,
                                    [](Index begin, Index, int) {
                                      if (begin == 49) throw std::runtime_error("chunk 49");
                                    }),
                    std::runtime_error);
  }
  parallel_chunks(0, 5, 2, [](Index, Index, int) { FAIL("an empty range has no chunk"); });
}

TEST_CASE("random numbers are golden, unbiased and fork by name", "[core][random]") {
  Rng rng(42);
  const std::uint64_t first = rng();
  CHECK(first == Rng(42)());
  CHECK(Rng(43)() != first);
  std::vector<int> counts(7, 0);
  for (int i = 0; i < 70000; ++i) ++counts[rng.below(7)];
  double chi2 = 0;
  for (int c : counts) chi2 += (c - 10000.0) * (c - 10000.0) / 10000.0;
  CHECK(chi2 < 22.5);  // 6 degrees of freedom, p = .001
  double sum = 0, squares = 0;
  for (int i = 0; i < 100000; ++i) {
    const double x = rng.normal();
    sum += x, squares += x * x;
  }
  CHECK(std::abs(sum / 1e5) < 0.02);
  CHECK(squares / 1e5 == Approx(1).margin(0.03));
  CHECK(rng.fork(3)() == rng.fork(3)());
  CHECK(rng.fork(3)() != rng.fork(4)());
}
