#include "thalweg/inference/sparse_map.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace thalweg {
namespace {

constexpr Index kMostLabellings = 2000;
constexpr Index kMostSteps = 1000;  // between two labellings; a few are enough
constexpr double kRidge = 1e-9;

}  // namespace

template <class R>
double SparseMap<R>::agreement(Index i, Index j) const {
  if (i < j) std::swap(i, j);
  return agreement_[static_cast<std::size_t>(i * (i + 1) / 2 + j)];
}

// Its number, which may be an old one.
template <class R>
Index SparseMap<R>::number_of(const Chain<R>& chain, std::span<const Label> y) {
  for (Index i = 0; i < size(); ++i) {
    if (std::equal(y.begin(), y.end(), labels(i).begin())) return i;
  }
  labels_.insert(labels_.end(), y.begin(), y.end());
  weights_.push_back(0), energies_.push_back(energy(chain, y));
  for (Index i = 0; i < size(); ++i) {
    const auto other = labels(i);
    double same = 0;
    for (std::size_t t = 0; t < y.size(); ++t) same += y[t] == other[t];
    agreement_.push_back(same);
  }
  return size() - 1;
}

// u and the slopes from the weights.
template <class R>
void SparseMap<R>::refresh() {
  unary_.resize(unary_.rows(), unary_.columns());
  slopes_ = energies_;
  for (Index i = 0; i < size(); ++i) {
    for (Index t = 0; t < length_; ++t) unary_[t][labels(i)[t]] += weight(i);
  }
  for (Index i = 0; i < size(); ++i) {
    for (Index t = 0; t < length_; ++t) slopes_[i] += unary_[t][labels(i)[t]];
  }
}

// Completes the Cholesky factor of the agreements in `support_`, whose first rows are there already: O(n^2)
// for a labelling that has entered. The ridge is for labellings whose unary parts depend on each other.
template <class R>
void SparseMap<R>::factorise() {
  for (std::size_t i = factored_; i < support_.size(); ++i) {
    factor_.resize((i + 1) * (i + 2) / 2);
    double* const row = &factor_[i * (i + 1) / 2];
    for (std::size_t j = 0; j <= i; ++j) {
      const double* const other = &factor_[j * (j + 1) / 2];
      double rest = agreement(support_[i], support_[j]) + (i == j ? kRidge : 0);
      for (std::size_t k = 0; k < j; ++k) rest -= row[k] * other[k];
      row[j] = i == j ? std::sqrt(std::max(rest, kRidge)) : rest / other[j];
    }
  }
  factored_ = support_.size();
}

// x = (agreements + ridge)^-1 x
template <class R>
void SparseMap<R>::solve_for(std::vector<double>& x) const {
  const std::size_t n = x.size();
  for (std::size_t i = 0; i < n; ++i) {
    const double* const row = &factor_[i * (i + 1) / 2];
    for (std::size_t k = 0; k < i; ++k) x[i] -= row[k] * x[k];
    x[i] /= row[i];
  }
  for (std::size_t i = n; i-- > 0;) {
    const double* const row = &factor_[i * (i + 1) / 2];
    x[i] /= row[i];
    for (std::size_t k = 0; k < i; ++k) x[k] -= row[k] * x[i];
  }
}

// The best change of the weights of `support_` whose sum is 0, negative weights not ruled out: to `change_`.
// The ridge slows it, no more.
template <class R>
void SparseMap<R>::find_change() {
  const std::size_t n = support_.size();
  factorise();
  change_.resize(n), ones_.assign(n, 1);
  for (std::size_t i = 0; i < n; ++i) change_[i] = -slopes_[support_[i]];
  solve_for(change_), solve_for(ones_);
  const double share =
      std::accumulate(change_.begin(), change_.end(), 0.0) / std::accumulate(ones_.begin(), ones_.end(), 0.0);
  for (std::size_t i = 0; i < n; ++i) change_[i] -= share * ones_[i];
}

// Goes to the minimum over the labellings of positive weight and `entering`, until no slope that counts
// differs by more than `tolerance`: towards the best change as far as weights stay >= 0, and without those
// that reached 0 again.
template <class R>
void SparseMap<R>::balance(Index entering, double tolerance) {
  if (std::find(support_.begin(), support_.end(), entering) == support_.end()) support_.push_back(entering);
  for (Index step = 0; step < kMostSteps; ++step) {
    refresh();
    double low = kInfinity<double>, high = -low;
    for (Index i : support_) low = std::min(low, slopes_[i]), high = std::max(high, slopes_[i]);
    if (!(high - low > tolerance)) return;
    find_change();
    double share = 1;
    std::size_t first = support_.size();
    for (std::size_t i = 0; i < support_.size(); ++i) {
      const double w = weights_[support_[i]];
      if (w + share * change_[i] < 0) share = w / -change_[i], first = i;
    }
    for (std::size_t i = 0; i < support_.size(); ++i)
      weights_[support_[i]] = std::max(0.0, weights_[support_[i]] + share * change_[i]);
    if (first == support_.size()) continue;
    weights_[support_[first]] = 0;
    support_.erase(support_.begin() + static_cast<Index>(first));
    factored_ = std::min(factored_, first);
  }
}

// Over all labellings; it goes to `found_`.
template <class R>
double SparseMap<R>::lowest_slope(const Chain<R>& chain, const Couplings<R>& couplings) {
  const Table<R> slope = regularised_.resize(chain.length(), chain.labels());
  for (Index i = 0; i < slope.size(); ++i)
    slope.data[i] = static_cast<R>(static_cast<double>(chain.unary.data[i]) + unary_[0][i]);
  minima_.minimize({slope, chain.pairwise, chain.which, chain.histories}, couplings, found_);
  double lowest = energy<R>(chain, found_);
  for (Index t = 0; t < length_; ++t) lowest += unary_[t][found_[t]];
  return lowest;
}

template <class R>
double SparseMap<R>::solve(const Chain<R>& chain, const Couplings<R>& couplings, double gap) {
  length_ = chain.length();
  labels_.clear(), weights_.clear(), energies_.clear(), agreement_.clear(), support_.clear();
  factored_ = 0;
  unary_.resize(chain.length(), chain.labels());
  found_.resize(static_cast<std::size_t>(length_));
  gap_ = kInfinity<double>;
  if (!(minima_.minimize(chain, couplings, found_) < kInfinity<double>)) return kInfinity<double>;
  Index entering = number_of(chain, found_);
  weights_[entering] = 1;
  const double finest = gap / 4;
  double tolerance = finest;
  for (Index round = 0; round < kMostLabellings; ++round) {
    balance(entering, tolerance);
    const double lowest = lowest_slope(chain, couplings);
    gap_ = 0;
    for (Index i = 0; i < size(); ++i) gap_ += weights_[i] * (slopes_[i] - lowest);
    if (gap_ <= gap) break;
    entering = number_of(chain, found_);
    // One that has weight already: not balanced well enough, or R cannot tell it from a lower one.
    const bool had = weights_[entering] > 0;
    if (had && tolerance <= finest) break;
    tolerance = std::max(finest, (had ? tolerance : gap_) / 16);
  }
  double value = 0;
  for (Index i = 0; i < size(); ++i) value += weights_[i] * energies_[i];
  for (Index i = 0; i < chain.unary.size(); ++i) value += unary_[0][i] * unary_[0][i] / 2;
  return value;
}

template class SparseMap<float>;
template class SparseMap<double>;

}  // namespace thalweg
