#include "thalweg/learning/batch_objective.h"

#include <algorithm>

#include "thalweg/core/parallel.h"
#include "thalweg/learning/evaluate.h"

namespace thalweg {
namespace {

// Energies of a block stay in the second-level cache between the gather and the recursions.
constexpr Index kBlockPositions = 1024;
// Longer where a block has pairwise tables of its own: its exponentials are then taken less often.
constexpr Index kPairBlockPositions = 4096;
// A block's pairwise tables, of which there are four (energies, gradients, and exponentials in both
// orientations), stay below 4 MB each.
constexpr Index kTableCells = Index{1} << 20;
// Chunks share out the work and bound the memory of pairwise gradients, [chunks x pairwise parameters].
constexpr Index kMostChunks = 64;
constexpr Index kPairwiseCells = Index{1} << 23;

Index most_chunks(Index parameters) {
  return std::clamp<Index>(kPairwiseCells / std::max<Index>(parameters, 1), 4, kMostChunks);
}

}  // namespace

BatchObjective::BatchObjective(LinearChain& model, const Dataset& data, Loss loss, double c2, int threads)
    : model_(model), data_(data), loss_(std::move(loss)), c2_(c2), threads_(threads) {
  cut_blocks();
  const Index blocks = static_cast<Index>(blocks_.size()) - 1;
  const Index pairwise = model.pairwise_parameters();
  blocks_per_chunk_ = std::max<Index>(1, chunk_count(blocks, most_chunks(pairwise)));
  const Index chunks = chunk_count(blocks, blocks_per_chunk_);
  workers_.resize(static_cast<std::size_t>(threads));
  unary_gradient_.resize(data.positions(), model.labels());
  pairwise_gradient_.resize(chunks, pairwise);
  values_.resize(static_cast<std::size_t>(chunks));
}

void BatchObjective::cut_blocks() {
  const Index cells = model_.pairwise().columns;
  const Index positions = model_.shares_pairwise() ? kBlockPositions : kPairBlockPositions;
  PairTables pairs;
  blocks_.push_back(0);
  for (Index n = 0; n < data_.size(); ++n) {
    if (!model_.shares_pairwise()) pairs.add(data_, n);
    const bool full = data_.sequences[n + 1] - data_.sequences[blocks_.back()] >= positions ||
                      static_cast<Index>(pairs.tables().size()) * cells >= kTableCells;
    if (!full && n + 1 < data_.size()) continue;
    blocks_.push_back(n + 1);
    pairs.clear();
  }
}

double BatchObjective::run_sequence(Index n, const Chain<float>& chain, const Table<float>& pairwise,
                                    Worker& worker) {
  const Table<float> unary = Table<float>(unary_gradient_).slice(data_.sequences[n], chain.length());
  return evaluate_sequence(loss_, data_, n, chain, {unary, pairwise, chain.which}, worker.scratch);
}

double BatchObjective::run_block(Index block, Worker& worker, std::span<double> pairwise) {
  const Index first = blocks_[block], last = blocks_[block + 1];
  const ChainBlock<float> chains = worker.energies.of(model_, data_, first, last);
  if (!model_.shares_pairwise())
    prepare(loss_, chains.pairwise, model_.labels(), worker.couplings, model_.histories());
  const Table<float> gradient =
      worker.pairwise_gradient.resize(chains.pairwise.rows, chains.pairwise.columns);
  double value = 0;
  for (Index n = first; n < last; ++n) value += run_sequence(n, chains[n - first], gradient, worker);
  model_.pull_back_pairwise(worker.energies.block(), gradient, pairwise);
  return value;
}

double BatchObjective::run_chunk(Index chunk, Worker& worker) {
  const Index blocks = static_cast<Index>(blocks_.size()) - 1;
  const Index end = std::min(blocks, (chunk + 1) * blocks_per_chunk_);
  const std::span<double> pairwise = Table<double>(pairwise_gradient_).row(chunk);
  std::fill(pairwise.begin(), pairwise.end(), 0.0);
  double value = 0;
  for (Index b = chunk * blocks_per_chunk_; b < end; ++b) value += run_block(b, worker, pairwise);
  return value;
}

double BatchObjective::operator()(std::span<const double> w, std::span<double> gradient) {
  model_.assign(w, threads_);
  if (model_.shares_pairwise())
    prepare(loss_, model_.pairwise(), model_.labels(), couplings_, model_.histories());
  for (Worker& worker : workers_)
    worker.scratch.operations.couplings = model_.shares_pairwise() ? &couplings_ : &worker.couplings;
  parallel_chunks(static_cast<Index>(values_.size()), 1, threads_,
                  [&](Index chunk, Index, int slot) { values_[chunk] = run_chunk(chunk, workers_[slot]); });

  double value = 0;
  std::fill(gradient.begin(), gradient.end(), 0.0);
  const std::span<double> pairwise = gradient.subspan(model_.first_pairwise(), model_.pairwise_parameters());
  for (std::size_t chunk = 0; chunk < values_.size(); ++chunk) {
    value += values_[chunk];
    for (std::size_t f = 0; f < pairwise.size(); ++f) pairwise[f] += pairwise_gradient_[chunk][f];
  }
  const Block all{data_.sequences, &data_.attributes, data_.vector_table()};
  model_.pull_back_unary(all, unary_gradient_, gradient, threads_);
  for (std::size_t i = 0; i < w.size(); ++i) {
    value += c2_ * w[i] * w[i];
    gradient[i] += 2 * c2_ * w[i];
  }
  return value;
}

}  // namespace thalweg
