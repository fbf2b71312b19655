/// @file
/// An energy term turns parameters w and an input x into a table of part energies, and a table of part
/// gradients back into parameter gradients:
///
///     energies:   out += E_term(x; w)            pull_back:   into += (dE_term / dw)^T  (dL / dE)
///
/// A model is a sum of terms. A term knows tables and no structure: the same one feeds a chain, a lattice or
/// a factor graph. It sees its input in blocks of many sequences, so that work across sequences (shared rows,
/// batched encoders, a scatter ordered by weight) is possible and a virtual call costs nothing.
#pragma once

#include <span>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/features/dataset.h"

namespace thalweg {

/// The input of a run of sequences: what terms may read. Row p of every input belongs to position p.
struct Block {
  std::span<const Index>
      sequences;  ///< [N + 1] where each sequence starts; positions run from front() to back()
  const SparseMatrix* attributes = nullptr;  ///< attribute ids and values
  Table<const float> vectors{};              ///< dense inputs
  const SparseMatrix* pair_rows = nullptr;   ///< attributes of pairs of neighbours, distinct rows
  std::span<const std::uint32_t> tables{};   ///< the row that each of the block's pairwise tables is made of

  Index begin() const { return sequences.front(); }
  Index positions() const { return sequences.back() - sequences.front(); }
};

/// Rows and columns of the table a term writes for a block.
struct Shape {
  Index rows = 0, columns = 0;
};

class THALWEG_EXPORT EnergyTerm {
 public:
  explicit EnergyTerm(Index parameters) : parameters_(parameters) {}
  virtual ~EnergyTerm() = default;

  Index parameters() const { return parameters_; }

  /// Takes over w [parameters()], in whatever form serves `energies` best.
  virtual void assign(std::span<const double> w, int threads) = 0;
  virtual Shape shape(const Block& block) const = 0;
  /// Adds the term's energies to `out`, of that shape.
  virtual void energies(const Block& block, Table<float> out) const = 0;
  /// Adds to `into` [parameters()] what a gradient with respect to the table means for w. Same bits for any
  /// number of threads.
  virtual void pull_back(const Block& block, Table<const float> part_gradient, std::span<double> into,
                         int threads) const = 0;

 private:
  Index parameters_;
};

/// A term whose energies are linear in w, so that a step along a gradient touches only what the gradient
/// does. Online learners move it; its w is then what `weights` says.
class THALWEG_EXPORT LinearTerm : public EnergyTerm {
 public:
  using EnergyTerm::EnergyTerm;

  /// w -= step * (dE_term / dw)^T part_gradient, in the time of `energies`. Returns how much |w|^2 grew.
  virtual double descend(const Block& block, Table<const float> part_gradient, float step) = 0;
  /// The current w [parameters()].
  virtual void weights(std::span<double> w) const = 0;
};

}  // namespace thalweg
