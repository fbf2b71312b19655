/// @file
/// The lowest relaxed answer under a quadratic regulariser (SparseMAP, Niculae et al. 2018): over
/// distributions p of labellings, with unary marginals u_t[l] = sum of p(y) over y_t = l,
///
///     min_p  sum_y p(y) E(y) + 1/2 sum_{t,l} u_t[l]^2
///
/// u is unique and sparse, and p needs few labellings, at most one more than u has degrees of freedom. Found
/// by an active set: the exact minimum over the labellings met so far, then one more from `MinSum::minimize`.
/// The gap is that of Frank-Wolfe, a bound on how far the value lies above the minimum, and |u - its
/// optimum|^2 <= 2 gap; in float, as far as float tells labellings apart.
///
///     SparseMap<double> sparse;
///     double value = sparse.solve(chain, couplings, 1e-9);
///     for (Index i = 0; i < sparse.size(); ++i) use(sparse.weight(i), sparse.labels(i));
#pragma once

#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/inference/min_sum.h"

namespace thalweg {

/// A workspace, one per thread.
template <class R>
class THALWEG_EXPORT SparseMap {
 public:
  /// The value, or +infinity where nothing is allowed; then nothing else may be asked. Stops at `gap`, or
  /// where energies in R cannot tell labellings apart any more: gap() says what was reached.
  /// @pre couplings.prepare_minima saw the tables of `chain`
  double solve(const Chain<R>& chain, const Couplings<R>& couplings, double gap);

  double gap() const { return gap_; }
  Table<const double> unary() const { return unary_.view(); }  ///< [T x K] u
  /// p: its labellings, some perhaps of weight 0.
  Index size() const { return static_cast<Index>(weights_.size()); }
  double weight(Index i) const { return weights_[static_cast<std::size_t>(i)]; }
  std::span<const Label> labels(Index i) const {
    return std::span(labels_).subspan(static_cast<std::size_t>(i * length_),
                                      static_cast<std::size_t>(length_));
  }

 private:
  double agreement(Index i, Index j) const;
  Index number_of(const Chain<R>& chain, std::span<const Label> y);
  void refresh();
  void factorise();
  void solve_for(std::vector<double>& x) const;
  void find_change();
  void balance(Index entering, double tolerance);
  double lowest_slope(const Chain<R>& chain, const Couplings<R>& couplings);

  Index length_ = 0;
  double gap_ = kInfinity<double>;
  MinSum<R> minima_;
  std::vector<Label> labels_, found_;  // [size x T], [T]
  std::vector<double> weights_, energies_;
  std::vector<double> slopes_;     // [size] E(y) + sum_t u_t[y_t], the derivative along each labelling
  std::vector<double> agreement_;  // lower triangle: positions at which two labellings agree
  std::vector<Index> support_;     // the labellings that count
  std::size_t factored_ = 0;       // of them, rows of `factor_` that are there
  std::vector<double> factor_;     // lower triangle, row by row
  std::vector<double> change_, ones_;
  TableBuffer<double> unary_;
  TableBuffer<R> regularised_;
};

}  // namespace thalweg
