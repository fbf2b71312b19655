/// @file
/// The linear energy terms of a chain: E = - sum of the weights of what is there. A positive weight lowers
/// the energy of its label, so it speaks for it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "thalweg/core/aligned.h"
#include "thalweg/core/export.h"
#include "thalweg/energy/histories.h"
#include "thalweg/model/constraints.h"
#include "thalweg/model/energy_term.h"
#include "thalweg/model/feature_index.h"
#include "thalweg/model/folding.h"

namespace thalweg {
namespace detail {
struct Plan;
struct RowLayout;
struct SparseWeight;
template <class Number, class Pair>
struct WeightLayout;
struct SparseTarget;
}  // namespace detail

/// unary[p][l] = - sum over the attributes a of position p of value(p, a) * w(a, l).
///
/// Rows of attributes with many labels lie whole, padded to vectors; the others as (label, weight) pairs.
/// Both in float, which halves the memory that a pass moves; sums over the corpus are double.
class THALWEG_EXPORT SparseLinear : public LinearTerm {
 public:
  /// @pre attributes whose rows are stored whole come first (sort_by_use)
  /// @param data for training: the attributes of the positions that all blocks will be of; null: blocks bring
  /// theirs. Both must outlive the term.
  SparseLinear(const FeatureIndex& index, Index K, const FoldedAttributes* data = nullptr);
  /// For online learners: blocks will be of these rows, which are read here and not kept.
  SparseLinear(const FeatureIndex& index, Index K, const SparseMatrix& rows);
  ~SparseLinear() override;

  void assign(std::span<const double> w, int threads) override;
  Shape shape(const Block& block) const override { return {block.positions(), labels_}; }
  /// O(attributes of the block * K).
  void energies(const Block& block, Table<float> out) const override;
  /// With `data`, for the block of all positions: each gradient is written once, and attributes are shared
  /// out to threads. Without, position by position on one thread.
  void pull_back(const Block& block, Table<const float> part_gradient, std::span<double> into,
                 int threads) const override;
  /// @pre there is no `data`: contexts hold sums of weights
  double descend(const Block& block, Table<const float> part_gradient, float step) override;
  void weights(std::span<double> w) const override;

 private:
  detail::RowLayout rows() const;
  detail::WeightLayout<float, detail::SparseWeight> layout() const;
  detail::SparseTarget target();
  const detail::Plan& plan_of(const Block& block, Index& begin) const;
  void pull_back_all(Table<const float> gradient, std::span<double> into, int threads) const;

  const FeatureIndex& index_;
  const FoldedAttributes* data_;
  Index labels_, stride_, dense_rows_ = 0;
  AlignedVector<float> dense_;           // [dense_rows + contexts, stride]; contexts are sums of weights
  AlignedVector<std::uint64_t> sparse_;  // label and weight of each other feature, side by side
  std::vector<std::uint32_t> masks_;  // which lanes of a whole row hold a weight; made by the first `descend`
  std::unique_ptr<detail::Plan> positions_, contexts_;  // of `data`
};

/// unary[p][l] = - sum_d vector[p][d] * w[d * K + l]: every number of a dense input votes for every label.
class THALWEG_EXPORT DenseLinear : public LinearTerm {
 public:
  DenseLinear(Index columns, Index K);

  void assign(std::span<const double> w, int threads) override;
  Shape shape(const Block& block) const override { return {block.positions(), labels_}; }
  /// O(positions D K). @pre block.vectors has a row for every position of the data, of `columns`
  void energies(const Block& block, Table<float> out) const override;
  void pull_back(const Block& block, Table<const float> part_gradient, std::span<double> into,
                 int threads) const override;
  double descend(const Block& block, Table<const float> part_gradient, float step) override;
  void weights(std::span<double> w) const override;

 private:
  void pull_back_columns(const Block& block, Table<const float> part_gradient, Index begin, Index end,
                         AlignedVector<float>& padded, std::span<double> into) const;

  Index columns_, labels_, stride_;
  AlignedVector<float> weights_;  // [columns x stride]
  AlignedVector<float> padded_;   // scratch of `descend`, as is the next
  std::vector<double> gradient_;
};

/// pairwise[.][rows[i] * K + j] = - w(i, j), the same for every table; pairs without a weight cost nothing.
class THALWEG_EXPORT Transitions : public LinearTerm {
 public:
  /// Row i of `index`, which must outlive the term, is row i of the tables [K * K].
  Transitions(const FeatureIndex& index, Index K);
  /// Row i is that of history rows[i] in tables [S * K]. What histories have of their suffixes is not in it
  /// (Histories::add_suffixes).
  Transitions(const FeatureIndex& index, Index K, std::vector<State> rows, Index S)
      : LinearTerm(index.features()), index_(index), labels_(K), columns_(S * K), rows_(std::move(rows)) {}

  void assign(std::span<const double> w, int) override { weights_.assign(w.begin(), w.end()); }
  Shape shape(const Block& block) const override {
    return {block.pair_rows ? static_cast<Index>(block.tables.size()) : 1, columns_};
  }
  void energies(const Block& block, Table<float> out) const override;
  void pull_back(const Block& block, Table<const float> part_gradient, std::span<double> into,
                 int threads) const override;
  double descend(const Block& block, Table<const float> part_gradient, float step) override;
  void weights(std::span<double> w) const override { std::copy(weights_.begin(), weights_.end(), w.begin()); }

 private:
  template <class Visit>
  void for_each_cell(Visit visit) const;

  const FeatureIndex& index_;
  Index labels_, columns_;
  std::vector<State> rows_;
  std::vector<double> weights_;
};

/// pairwise[c][i * K + j] = - sum over the attributes b of row block.tables[c] of value * w(b, i, j).
class THALWEG_EXPORT PairLinear : public LinearTerm {
 public:
  /// `index` [pair attributes x K*K] must outlive the term.
  PairLinear(const FeatureIndex& index, Index K) : LinearTerm(index.features()), index_(index), labels_(K) {}

  void assign(std::span<const double> w, int) override { weights_.assign(w.begin(), w.end()); }
  Shape shape(const Block& block) const override {
    return {static_cast<Index>(block.tables.size()), labels_ * labels_};
  }
  void energies(const Block& block, Table<float> out) const override;
  void pull_back(const Block& block, Table<const float> part_gradient, std::span<double> into,
                 int threads) const override;
  double descend(const Block& block, Table<const float> part_gradient, float step) override;
  void weights(std::span<double> w) const override { std::copy(weights_.begin(), weights_.end(), w.begin()); }

 private:
  const FeatureIndex& index_;
  Index labels_;
  std::vector<double> weights_;
};

/// A term without parameters: nothing to learn, nothing to move.
class THALWEG_EXPORT FixedTerm : public LinearTerm {
 public:
  FixedTerm() : LinearTerm(0) {}

  void assign(std::span<const double>, int) override {}
  void pull_back(const Block&, Table<const float>, std::span<double>, int) const override {}
  double descend(const Block&, Table<const float>, float) override { return 0; }
  void weights(std::span<double>) const override {}
};

/// unary[p][l] = offset of label l.
class THALWEG_EXPORT LabelOffsets : public FixedTerm {
 public:
  explicit LabelOffsets(std::vector<float> offsets) : offsets_(std::move(offsets)) {}

  Shape shape(const Block& block) const override { return {block.positions(), std::ssize(offsets_)}; }
  void energies(const Block& block, Table<float> out) const override;

 private:
  std::vector<float> offsets_;
};

/// unary[p][l] = +infinity where a sequence may not start, or may not end, with label l.
class THALWEG_EXPORT LegalEnds : public FixedTerm {
 public:
  /// `constraints` must outlive the term, as below. @pre not empty
  explicit LegalEnds(const Constraints& constraints) : constraints_(constraints) {}

  Shape shape(const Block& block) const override { return {block.positions(), constraints_.labels()}; }
  void energies(const Block& block, Table<float> out) const override;

 private:
  const Constraints& constraints_;
};

/// pairwise[c][i * K + j] = +infinity where label j may not follow label i.
class THALWEG_EXPORT LegalPairs : public FixedTerm {
 public:
  explicit LegalPairs(const Constraints& constraints) : constraints_(constraints) {}

  Shape shape(const Block& block) const override {
    return {block.pair_rows ? static_cast<Index>(block.tables.size()) : 1,
            constraints_.labels() * constraints_.labels()};
  }
  void energies(const Block&, Table<float> out) const override;

 private:
  const Constraints& constraints_;
};

}  // namespace thalweg
