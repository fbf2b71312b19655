/// @file
/// Fused passes over long vectors whose sums have the same bits for any number of threads.
#pragma once

#include <array>
#include <type_traits>
#include <vector>

#include "thalweg/core/parallel.h"

namespace thalweg {

inline constexpr Index kSumBlock = 16384;  // 128 KiB a vector: the work of a chunk outweighs handing it out

namespace detail {

template <std::size_t S>
void add(std::array<double, S>& total, const std::array<double, S>& more) {
  for (std::size_t s = 0; s < S; ++s) total[s] += more[s];
}

// Four running sums hide the latency of the additions: a pass is then bound by memory, not by arithmetic.
template <class Sums, class Each>
Sums sum_block(Index begin, Index end, const Each& each) {
  constexpr Index kLanes = 4;
  std::array<Sums, kLanes> lanes{};
  Index i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    for (Index lane = 0; lane < kLanes; ++lane) add(lanes[lane], each(i + lane));
  }
  for (; i < end; ++i) add(lanes[0], each(i));
  for (Index lane = 1; lane < kLanes; ++lane) add(lanes[0], lanes[lane]);
  return lanes[0];
}

}  // namespace detail

/// Sums over i in [0, count) of the array that `each(i)` returns; `each` may also write what belongs to i.
template <class Each>
auto blocked_sums(Index count, int threads, const Each& each) {
  using Sums = std::invoke_result_t<Each, Index>;
  std::vector<Sums> blocks(static_cast<std::size_t>(chunk_count(count, kSumBlock)));
  parallel_chunks(count, kSumBlock, threads, [&](Index begin, Index end, int) {
    blocks[begin / kSumBlock] = detail::sum_block<Sums>(begin, end, each);
  });
  Sums total{};
  for (const Sums& block : blocks) detail::add(total, block);
  return total;
}

}  // namespace thalweg
