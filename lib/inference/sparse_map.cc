#include "thalweg/inference/sparse_map.h"

#include <algorithm>

namespace thalweg {
namespace {

constexpr Index kMostLabellings = 2000;
constexpr Index kMostSteps = 100000;  // between two labellings

}  // namespace

template <class R>
double SparseMap<R>::agreement(Index i, Index j) const {
  if (i < j) std::swap(i, j);
  return agreement_[static_cast<std::size_t>(i * (i + 1) / 2 + j)];
}

// False where it is known already.
template <class R>
bool SparseMap<R>::add(const Chain<R>& chain, std::span<const Label> y) {
  for (Index i = 0; i < size(); ++i) {
    if (std::equal(y.begin(), y.end(), labels(i).begin())) return false;
  }
  labels_.insert(labels_.end(), y.begin(), y.end());
  weights_.push_back(0), energies_.push_back(energy(chain, y));
  for (Index i = 0; i < size(); ++i) {
    const auto other = labels(i);
    double same = 0;
    for (std::size_t t = 0; t < y.size(); ++t) same += y[t] == other[t];
    agreement_.push_back(same);
  }
  return true;
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

// Moves weight from the labelling of the steepest slope to that of the lowest until they differ by no more
// than `tolerance`; each step is the exact minimum along its line.
template <class R>
void SparseMap<R>::balance(double tolerance) {
  for (Index step = 0; step < kMostSteps; ++step) {
    Index from = -1, to = 0;
    for (Index i = 0; i < size(); ++i) {
      if (weights_[i] > 0 && (from < 0 || slopes_[i] > slopes_[from])) from = i;
      if (slopes_[i] < slopes_[to]) to = i;
    }
    const double fall = slopes_[from] - slopes_[to];
    if (!(fall > tolerance)) return;
    const double apart = 2 * (static_cast<double>(length_) - agreement(from, to));
    const double moved = std::min(weights_[from], fall / apart);
    weights_[from] = moved < weights_[from] ? weights_[from] - moved : 0, weights_[to] += moved;
    for (Index i = 0; i < size(); ++i) slopes_[i] += moved * (agreement(i, to) - agreement(i, from));
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
  labels_.clear(), weights_.clear(), energies_.clear(), agreement_.clear();
  unary_.resize(chain.length(), chain.labels());
  found_.resize(static_cast<std::size_t>(length_));
  gap_ = kInfinity<double>;
  if (!(minima_.minimize(chain, couplings, found_) < kInfinity<double>)) return kInfinity<double>;
  add(chain, found_);
  weights_[0] = 1;
  const double finest = gap / 4;
  double tolerance = finest;
  for (bool more = true; more;) {
    refresh();
    balance(tolerance);
    refresh();
    const double lowest = lowest_slope(chain, couplings);
    gap_ = 0;
    for (Index i = 0; i < size(); ++i) gap_ += weights_[i] * (slopes_[i] - lowest);
    more = gap_ > gap && size() < kMostLabellings;
    const bool known = more && !add(chain, found_);  // weights not balanced well enough, or R too coarse
    more = more && (!known || tolerance > finest);
    tolerance = std::max(finest, known ? tolerance / 16 : gap_ / 16);
  }
  double value = 0;
  for (Index i = 0; i < size(); ++i) value += weights_[i] * energies_[i];
  for (Index i = 0; i < chain.unary.size(); ++i) value += unary_[0][i] * unary_[0][i] / 2;
  return value;
}

template class SparseMap<float>;
template class SparseMap<double>;

}  // namespace thalweg
