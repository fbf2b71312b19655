/// @file
/// A linear-chain model: what turns text into labels, and the energies of its chain
///
///     E(x, y; w) = - sum_t sum_{a in x_t} w(a, y_t) - sum_t w(y_t, y_{t+1})
///
/// which with the likelihood is the conditional random field of Lafferty, McCallum and Pereira (2001).
#pragma once

#include <memory>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/energy/chain.h"
#include "thalweg/features/featurizer.h"
#include "thalweg/model/energy_term.h"
#include "thalweg/model/feature_index.h"
#include "thalweg/model/folding.h"

namespace thalweg {

/// Everything a trained labeller is, as plain data: what a model file holds.
struct Model {
  Featurizer featurizer = Featurizer::of_attributes();
  Vocabulary attributes, labels;
  FeatureIndex emissions;               ///< [attributes x labels]
  FeatureIndex transitions;             ///< [labels x labels]
  std::vector<double> weights;          ///< emissions.features(), then transitions.features()
  std::shared_ptr<const void> storage;  ///< what vocabularies that borrow their arrays stand on

  Index features() const { return emissions.features() + transitions.features(); }
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
  Index parameters() const { return parameters_; }

  /// Takes over w: the parameters of the unary terms, then those of the pairwise ones.
  void assign(std::span<const double> w, int threads = 1);
  /// Unary energies of a block, assigned to `out` [positions x K].
  void unary(const Block& block, Table<float> out) const;
  /// The pairwise table [1 x K*K], the same for every block.
  Table<const float> pairwise() const { return pairwise_; }
  /// Assigns to `into` [parameters()] the gradient with respect to w.
  void pull_back(const Block& block, Table<const float> unary_gradient, Table<const float> pairwise_gradient,
                 std::span<double> into, int threads) const;
  /// w -= step * (that gradient), touching only what the block has; see LinearTerm. The pairwise table
  /// follows.
  double descend(const Block& block, Table<const float> unary_gradient, Table<const float> pairwise_gradient,
                 float step);
  /// The current w [parameters()].
  void weights(std::span<double> w) const;

 private:
  LinearChain(const Model& model, std::unique_ptr<LinearTerm> emissions);
  void refresh_pairwise();

  Index labels_, parameters_ = 0;
  std::vector<std::unique_ptr<LinearTerm>> unary_terms_, pairwise_terms_;
  TableBuffer<float> pairwise_;
};

}  // namespace thalweg
