/// @file
/// The training objective over a whole data set,
///
///     f(w) = sum_n weight_n L(E(x_n, .; w), y_n) + c2 |w|^2
///
/// and its gradient, for batch optimisers (optimization/objective.h).
#pragma once

#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/features/dataset.h"
#include "thalweg/learning/sequence_loss.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

/// An evaluation writes the unary part gradients of all positions first, sequence by sequence, and then pulls
/// them back weight row by weight row: no gradient per thread, no reduction, and the same bits for any number
/// of threads. Pairwise ones are pulled back block by block into the gradient of a chunk, and chunks are
/// added in order. Memory beside the data: [positions x K] floats.
class THALWEG_EXPORT BatchObjective {
 public:
  /// Both references must outlive this. @pre every label of `data` is known or open, and `model` was made
  /// with its attributes
  BatchObjective(LinearChain& model, const Dataset& data, Loss loss, double c2, int threads);

  /// f(w), and f'(w) assigned to `gradient`. O(entries K + positions K^2).
  double operator()(std::span<const double> w, std::span<double> gradient);

 private:
  struct Worker {
    SequenceScratch scratch;
    ChainEnergies energies;
    Couplings<float> couplings;            // of the block at hand, where blocks do not share them
    TableBuffer<float> pairwise_gradient;  // of its tables
  };

  void cut_blocks();
  double run_sequence(Index n, const Chain<float>& chain, const Table<float>& pairwise, Worker& worker);
  double run_block(Index block, Worker& worker, std::span<double> pairwise);
  double run_chunk(Index chunk, Worker& worker);

  LinearChain& model_;
  const Dataset& data_;
  Loss loss_;
  double c2_;
  int threads_;
  std::vector<Index> blocks_;   // sequences at which blocks of about kBlockPositions start, with the end
  Index blocks_per_chunk_ = 1;  // chunks are what is summed apart; a block is what is held in cache
  Couplings<float> couplings_;
  std::vector<Worker> workers_;
  TableBuffer<float> unary_gradient_;      // [positions x K]
  TableBuffer<double> pairwise_gradient_;  // [chunks x pairwise parameters]
  std::vector<double> values_;             // [chunks]
};

}  // namespace thalweg
