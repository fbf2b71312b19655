#include "thalweg/inference/couplings.h"

#include <algorithm>

#include "inference/chain_kernels.h"

namespace thalweg {
namespace {

template <class R>
inline constexpr double kScaledRange = sizeof(R) == 4 ? 30 : 300;

// Largest less smallest energy of any one table; +infinity with forbidden pairs.
template <class R>
double widest_range(Table<const R> pairwise) {
  double widest = 0;
  for (Index p = 0; p < pairwise.rows; ++p) {
    const auto [low, high] = std::minmax_element(pairwise[p], pairwise[p] + pairwise.columns);
    widest = std::max(widest, *high < kInfinity<R> ? static_cast<double>(*high) - *low : kInfinity<double>);
  }
  return widest;
}

}  // namespace

template <class R>
void Couplings<R>::resize(Table<const R> pairwise, Index labels, const Histories* histories) {
  labels_ = labels;
  stride_ = detail::chain_kernels<R>().stride(labels);
  both_ = !histories;
  rows_ = histories ? histories->states() : labels;
  constexpr Index kWidest = 64 / sizeof(R);
  state_stride_ = histories ? (rows_ + kWidest - 1) / kWidest * kWidest : stride_;
  const auto cells = static_cast<std::size_t>(pairwise.rows * rows_ * stride_);
  tables_.resize(cells), transposed_.resize(both_ ? cells : 0);
  offsets_.assign(static_cast<std::size_t>(pairwise.rows), 0.0);
}

// Energies times `factor` in both orientations.
template <class R>
void Couplings<R>::copy(Table<const R> pairwise, R factor, R fill, std::vector<R>& tables,
                        std::vector<R>& transposed) const {
  const Index K = labels_, S = stride_;
  tables.assign(tables_.size(), fill), transposed.assign(transposed_.size(), fill);
  for (Index p = 0; p < pairwise.rows; ++p) {
    for (Index i = 0; i < rows_; ++i) {
      for (Index j = 0; j < K; ++j) {
        const R value = factor * pairwise[p][i * K + j];
        tables[(p * rows_ + i) * S + j] = value;
        if (both_) transposed[(p * K + j) * S + i] = value;
      }
    }
  }
}

template <class R>
void Couplings<R>::prepare_minima(Table<const R> pairwise, Index labels, const Histories* histories) {
  resize(pairwise, labels, histories);
  domain_ = Domain::Minima;
  beta_ = 1;
  copy(pairwise, R(1), kInfinity<R>, tables_, transposed_);
}

template <class R>
void Couplings<R>::prepare_sums(Table<const R> pairwise, Index labels, R beta, const Histories* histories) {
  resize(pairwise, labels, histories);
  beta_ = beta;
  const auto& kernels = detail::chain_kernels<R>();
  for (Index p = 0; p < pairwise.rows; ++p) {
    const Index at = p * rows_ * stride_;
    offsets_[p] = kernels.exponentiate(pairwise[p], rows_, labels, stride_, beta, &tables_[at],
                                       both_ ? &transposed_[at] : nullptr);
  }
  const bool wide = histories || static_cast<double>(beta) * widest_range(pairwise) > kScaledRange<R>;
  domain_ = wide ? Domain::Checked : Domain::Scaled;
  if (wide) copy(pairwise, -beta, -kInfinity<R>, log_tables_, log_transposed_);
}

template class Couplings<float>;
template class Couplings<double>;

}  // namespace thalweg
