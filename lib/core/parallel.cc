#include "thalweg/core/parallel.h"

#include <algorithm>
#include <optional>
#include <thread>

#if defined(THALWEG_PARALLEL_TBB)
#include <tbb/blocked_range.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#elif defined(THALWEG_PARALLEL_THREADS)
#include <atomic>
#include <exception>
#include <vector>
#endif

namespace thalweg {

int available_threads() { return std::max(1u, std::thread::hardware_concurrency()); }

namespace detail {
namespace {

struct Chunks {
  Index count, chunk;
  ChunkBody call;
  void* body;

  Index size() const { return chunk_count(count, chunk); }
  void run(Index i, int slot) const { call(body, i * chunk, std::min(count, (i + 1) * chunk), slot); }
};

#if defined(THALWEG_PARALLEL_TBB)

// An arena of our own bounds the threads and numbers the slots; its workers come from the pool the caller
// shares. It is kept: workers find a new one too late for short work.
tbb::task_arena& arena_of(int threads) {
  // TBB writes to standard error when asked for more threads than there are.
  const int bound = std::min(threads, tbb::info::default_concurrency());
  thread_local std::optional<tbb::task_arena> arena;
  if (!arena || arena->max_concurrency() != bound) arena.emplace(bound);
  return *arena;
}

void run_on_threads(const Chunks& chunks, int threads) {
  arena_of(threads).execute([&] {
    tbb::parallel_for(
        tbb::blocked_range<Index>(0, chunks.size(), 1),
        [&](const tbb::blocked_range<Index>& range) {
          const int slot = tbb::this_task_arena::current_thread_index();
          for (Index i = range.begin(); i != range.end(); ++i) chunks.run(i, slot);
        },
        tbb::simple_partitioner());
  });
}

#elif defined(THALWEG_PARALLEL_THREADS)

void run_on_threads(const Chunks& chunks, int threads) {
  std::atomic<Index> next{0};
  std::exception_ptr failure;
  std::atomic<bool> failed{false};
  auto work = [&](int slot) {
    try {
      for (Index i; !failed && (i = next++) < chunks.size();) chunks.run(i, slot);
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  };
  std::vector<std::thread> crew;
  for (int slot = 1; slot < threads; ++slot) crew.emplace_back(work, slot);
  work(0);
  for (auto& thread : crew) thread.join();
  if (failure) std::rethrow_exception(failure);
}

#endif

}  // namespace

void run_chunks(Index count, Index chunk, int threads, ChunkBody call, void* body) {
  const Chunks chunks{count, chunk, call, body};
#if defined(THALWEG_PARALLEL_TBB) || defined(THALWEG_PARALLEL_THREADS)
  threads = static_cast<int>(std::min<Index>(threads, chunks.size()));
  if (threads > 1) return run_on_threads(chunks, threads);
#endif
  for (Index i = 0; i < chunks.size(); ++i) chunks.run(i, 0);
}

}  // namespace detail

const char* parallel_backend() {
#if defined(THALWEG_PARALLEL_TBB)
  return "tbb";
#elif defined(THALWEG_PARALLEL_THREADS)
  return "threads";
#else
  return "serial";
#endif
}

}  // namespace thalweg
