/// @file
/// A linear-chain model: what turns text into labels, and the energies of its chain
///
///     E(x, y; w) = - sum_t sum_{a in x_t} w(a, y_t) - sum_t w(y_t, y_{t+1})
///                  - sum_t sum_{b in x_t,t+1} w(b, y_t, y_{t+1}) - sum_t sum_{c ends at t} w(c, y_{t+1})
///                  - sum_t sum_d v_t[d] w(d, y_t)
///
/// where c are strings of labels, in chains of second order and beyond;
/// which with the likelihood is the conditional random field of Lafferty, McCallum and Pereira (2001).
#pragma once

#include <memory>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/energy/chain.h"
#include "thalweg/features/featurizer.h"
#include "thalweg/model/constraints.h"
#include "thalweg/model/energy_term.h"
#include "thalweg/model/feature_index.h"
#include "thalweg/model/folding.h"
#include "thalweg/model/label_contexts.h"
#include "thalweg/model/packed_weights.h"
#include "thalweg/model/pair_tables.h"

namespace thalweg {

/// Whether the labels of a model are those that people write and read.
enum class Encoding {
  None,
  Bioes,  ///< BIO outside, BIOES inside (pipeline/encoding.h)
};

/// Everything a trained labeller is, as plain data: what a model file holds.
struct Model {
  Featurizer featurizer = Featurizer::of_attributes();
  Vocabulary attributes, labels, pair_attributes;
  Encoding encoding = Encoding::None;
  FeatureIndex emissions;       ///< [attributes x labels]; without rows where they are packed
  FeatureIndex transitions;     ///< [labels x labels]
  FeatureIndex pairs;           ///< [pair attributes x label pairs], see observed_pairs
  LabelContexts contexts;       ///< none in a chain of first order
  Index vector_columns = 0;     ///< numbers a token that go with it, each with a weight for each label
  std::vector<double> weights;  ///< of emissions, transitions, pairs, contexts, [vector_columns x labels]
  Constraints constraints;      ///< over the labels, or empty
  std::shared_ptr<const PackedWeights> packed;  ///< of emissions, in models that only tag; else null
  std::shared_ptr<const void> storage;          ///< what vocabularies that borrow their arrays stand on

  Index features() const {
    return first_vector_weight() + vector_columns * static_cast<Index>(labels.size());
  }
  Index first_context_weight() const {
    return emissions.features() + transitions.features() + pairs.features();
  }
  Index first_vector_weight() const { return first_context_weight() + contexts.next.features(); }
};

/// The same model without the features of weight 0 and the attributes that had no other.
THALWEG_EXPORT Model pruned(const Model& model);

/// A chain's energies as two sums of terms, one for each of its tables.
class THALWEG_EXPORT LinearChain {
 public:
  /// Terms over the index of `model` with its weights. @param data for training: see SparseLinear. Both must
  /// outlive this.
  explicit LinearChain(const Model& model, const FoldedAttributes* data = nullptr);
  /// For online learners: blocks will be of these rows of attributes.
  LinearChain(const Model& model, const SparseMatrix& rows);

  Index labels() const { return labels_; }
  /// What the chain remembers; null in one of first order.
  const Histories* histories() const { return histories_.get(); }
  Index parameters() const { return parameters_; }

  /// Raises the energy of each label, at all positions, by what no weight can change. @param by [K], or empty
  void raise(std::span<const float> by);

  /// Takes over w, in the order of Model::weights.
  void assign(std::span<const double> w, int threads = 1);
  /// Unary energies of a block, assigned to `out` [positions x K].
  void unary(const Block& block, Table<float> out) const;
  /// The pairwise table [1 x S*K] that all positions of all blocks share, where they do.
  Table<const float> pairwise() const { return pairwise_; }
  /// Whether they do: no weight depends on a pair's attributes.
  bool shares_pairwise() const { return shares_pairwise_; }
  /// Assigns to `storage` a pairwise table for each of block.tables; `scratch` is for chains with histories.
  /// O(tables (S K + their features))
  void pairwise(const Block& block, TableBuffer<float>& storage, TableBuffer<float>& scratch) const;

  /// Assigns to `into` [parameters()] the gradient with respect to w.
  void pull_back(const Block& block, Table<const float> unary_gradient, Table<const float> pairwise_gradient,
                 std::span<double> into, int threads) const;
  /// Its halves, which add: that of the unary terms to `into` [parameters()] ...
  void pull_back_unary(const Block& block, Table<const float> gradient, std::span<double> into,
                       int threads) const;
  /// ... and, for who pulls blocks back one by one, that of the pairwise ones to `into`
  /// [pairwise_parameters()], which are parameters from first_pairwise() on.
  void pull_back_pairwise(const Block& block, Table<const float> gradient, std::span<double> into) const;
  Index pairwise_parameters() const { return pairwise_parameters_; }
  Index first_pairwise() const { return first_pairwise_; }

  /// w -= step * (that gradient), touching only what the block has; see LinearTerm. A shared pairwise table
  /// follows.
  double descend(const Block& block, Table<const float> unary_gradient, Table<const float> pairwise_gradient,
                 float step);
  /// The current w [parameters()].
  void weights(std::span<double> w) const;

 private:
  struct Placed {
    Index at;  // of its first parameter
    std::unique_ptr<LinearTerm> term;
  };
  LinearChain(const Model& model, std::unique_ptr<LinearTerm> emissions);
  void place(std::vector<Placed>& terms, std::unique_ptr<LinearTerm> term);
  void refresh_pairwise();
  void add_pairs(const Block& block, Table<float> out, TableBuffer<float>& plain) const;

  Index labels_, parameters_ = 0, first_pairwise_ = 0, pairwise_parameters_ = 0;
  bool shares_pairwise_;
  std::unique_ptr<const Histories> histories_;
  std::vector<Placed> unary_terms_, pairwise_terms_;
  std::vector<Placed> history_terms_;  // over tables [S * K]; those of pairwise terms are [K * K]
  TableBuffer<float> pairwise_, plain_;
};

/// The chains of one block after another, with their tables: scratch space of one thread.
///
///     ChainEnergies energies;
///     const ChainBlock<float> chains = energies.of(chain, data, first, last);
///     couplings.prepare_minima(chains.pairwise, K);     // once is enough while chain.shares_pairwise()
class THALWEG_EXPORT ChainEnergies {
 public:
  /// Computes the energies of sequences [first, last) of `data`. The result is valid until the next call.
  ChainBlock<float> of(const LinearChain& chain, const Dataset& data, Index first, Index last);
  /// The input of the last call.
  const Block& block() const { return block_; }
  /// [positions] or empty: `which` of the last call, for gradients.
  std::span<const std::uint32_t> which() const { return pairs_.which(); }

 private:
  Block block_{};
  TableBuffer<float> unary_, pairwise_, scratch_;
  PairTables pairs_;
};

}  // namespace thalweg
