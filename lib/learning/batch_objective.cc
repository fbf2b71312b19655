#include "thalweg/learning/batch_objective.h"

#include <algorithm>

#include "thalweg/core/parallel.h"

namespace thalweg {
namespace {

// Energies of a block stay in the second-level cache between the gather and the recursions.
constexpr Index kBlockPositions = 1024;
// Chunks share out the work and bound the memory of pairwise gradients, [chunks x K*K].
constexpr Index kMostChunks = 64;
constexpr Index kPairwiseCells = Index{1} << 24;

Index most_chunks(Index K) { return std::clamp<Index>(kPairwiseCells / (K * K), 4, kMostChunks); }

}  // namespace

BatchObjective::BatchObjective(LinearChain& model, const Dataset& data, Loss loss, double c2, int threads)
    : model_(model), data_(data), loss_(loss), c2_(c2), threads_(threads) {
  blocks_.push_back(0);
  for (Index n = 1; n <= data.size(); ++n) {
    const bool full = data.sequences[n] - data.sequences[blocks_.back()] >= kBlockPositions;
    if (full || n == data.size()) blocks_.push_back(n);
  }
  const Index blocks = static_cast<Index>(blocks_.size()) - 1, K = model.labels();
  blocks_per_chunk_ = std::max<Index>(1, chunk_count(blocks, most_chunks(K)));
  const Index chunks = chunk_count(blocks, blocks_per_chunk_);
  workers_.resize(static_cast<std::size_t>(threads));
  unary_gradient_.resize(data.positions(), K);
  pairwise_gradient_.resize(chunks, K * K);
  values_.resize(static_cast<std::size_t>(chunks));
}

double BatchObjective::run_chunk(Index chunk, Worker& worker) {
  const Index K = model_.labels(), blocks = static_cast<Index>(blocks_.size()) - 1;
  const Index end = std::min(blocks, (chunk + 1) * blocks_per_chunk_);
  Table<float> pairwise = Table<float>(pairwise_gradient_).slice(chunk, 1);
  std::fill_n(pairwise.data, K * K, 0.f);
  double value = 0;
  for (Index b = chunk * blocks_per_chunk_; b < end; ++b) {
    const Index first = blocks_[b], last = blocks_[b + 1];
    const Block block{std::span(data_.sequences).subspan(first, last - first + 1)};
    model_.unary(block, worker.unary.resize(block.positions(), K));
    const ChainBlock<float> chains{worker.unary, model_.pairwise(), {}, block.sequences};
    for (Index n = first; n < last; ++n) {
      const Chain<float> chain = chains[n - first];
      const Table<float> unary = Table<float>(unary_gradient_).slice(data_.sequences[n], chain.length());
      value += evaluate(loss_, Problem<Chain<float>>{chain, data_.answer(n)}, {unary, pairwise, {}},
                        worker.operations);
    }
  }
  return value;
}

double BatchObjective::operator()(std::span<const double> w, std::span<double> gradient) {
  model_.assign(w, threads_);
  prepare(loss_, model_.pairwise(), model_.labels(), couplings_);
  for (Worker& worker : workers_) worker.operations.couplings = &couplings_;
  parallel_chunks(static_cast<Index>(values_.size()), 1, threads_,
                  [&](Index chunk, Index, int slot) { values_[chunk] = run_chunk(chunk, workers_[slot]); });

  double value = 0;
  std::vector<double> pairwise(static_cast<std::size_t>(pairwise_gradient_.columns()), 0.0);
  for (std::size_t chunk = 0; chunk < values_.size(); ++chunk) {
    value += values_[chunk];
    for (std::size_t i = 0; i < pairwise.size(); ++i)
      pairwise[i] += static_cast<double>(pairwise_gradient_[chunk][i]);
  }
  TableBuffer<float> total(1, pairwise_gradient_.columns());
  std::copy(pairwise.begin(), pairwise.end(), total[0]);

  model_.pull_back({data_.sequences}, unary_gradient_, total, gradient, threads_);
  for (std::size_t i = 0; i < w.size(); ++i) {
    value += c2_ * w[i] * w[i];
    gradient[i] += 2 * c2_ * w[i];
  }
  return value;
}

}  // namespace thalweg
