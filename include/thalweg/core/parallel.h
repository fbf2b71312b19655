/// @file
/// The one seam for parallel work. Nothing else in the library starts a thread.
///
///     parallel_chunks(sentences, 64, threads, [&](Index begin, Index end, int slot) {
///       for (Index i = begin; i < end; ++i) result[i] = work(i, scratch[slot]);
///     });
///
/// The chunks are fixed by `count` and `chunk` alone, so a body that writes only what its chunk owns gives
/// the same bits for any number of threads. Sums over chunks are written per chunk and added in order by the
/// caller.
#pragma once

#include <type_traits>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// The back end this build was configured with: "tbb", "threads" or "serial".
THALWEG_EXPORT const char* parallel_backend();

/// Processors that the process may use.
THALWEG_EXPORT int available_threads();

namespace detail {
using ChunkBody = void (*)(void* body, Index begin, Index end, int slot);
THALWEG_EXPORT void run_chunks(Index count, Index chunk, int threads, ChunkBody call, void* body);
}  // namespace detail

/// Calls `body(begin, end, slot)` for the chunks [0, chunk), [chunk, 2 chunk), ... of [0, count), on up to
/// `threads` threads. `slot` in [0, threads) names the scratch space the call may use; no two calls hold one
/// slot at a time. One thread runs inline, in order, and starts nothing. @pre chunk > 0, threads > 0
/// @throws what the body throws (of several, any one).
template <class Body>
void parallel_chunks(Index count, Index chunk, int threads, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  detail::run_chunks(
      count, chunk, threads,
      [](void* b, Index begin, Index end, int slot) { (*static_cast<Plain*>(b))(begin, end, slot); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

/// Chunks that `parallel_chunks` makes: the size of an array of per-chunk results.
inline Index chunk_count(Index count, Index chunk) { return (count + chunk - 1) / chunk; }

}  // namespace thalweg
