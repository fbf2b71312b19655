#include "thalweg/energy/global_energy.h"

#include <algorithm>
#include <cmath>

#include "core/require.h"
#include "thalweg/core/random.h"

namespace thalweg {
namespace {

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double dot(const double* a, const std::vector<double>& x) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += a[i] * x[i];
  return sum;
}

void add(double factor, const double* x, std::span<double> to) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * x[i];
}

}  // namespace

ShareNetwork::ShareNetwork(Index labels, const ShareNetworkOptions& o)
    : labels_(labels), hidden_(o.hidden), stretches_(o.stretches) {
  require(labels >= 1, "labels", labels, ">= 1");
  require(o.hidden >= 1, "hidden", o.hidden, ">= 1");
  require(o.stretches >= 1, "stretches", o.stretches, ">= 1");
  require(o.scale > 0 && o.scale < kInfinity<double>, "scale", o.scale, "finite and > 0");
  const Index D = inputs();
  weights_.resize(static_cast<std::size_t>(hidden_ * (D + 2)));
  Rng rng(o.seed);
  std::vector<double> s(static_cast<std::size_t>(D));
  for (Index h = 0; h < hidden_; ++h) {
    double* const A = weights_.data() + h * D;
    for (Index i = 0; i < D; ++i) A[i] = o.scale * rng.normal();
    for (Index g = 0; g < stretches_; ++g) {  // uniform on the simplex, and every stretch as long
      double sum = 0;
      for (Index l = 0; l < labels_; ++l) sum += s[g * labels_ + l] = -std::log(1 - rng.uniform());
      for (Index l = 0; l < labels_; ++l) s[g * labels_ + l] /= sum * static_cast<double>(stretches_);
    }
    weights_[hidden_ * D + h] = -dot(A, s);
    weights_[hidden_ * (D + 1) + h] = 0.01 * rng.normal();
  }
}

// Sums of x over each stretch [G x K].
std::vector<double> ShareNetwork::pooled(Table<const double> x) const {
  std::vector<double> sums(static_cast<std::size_t>(inputs()), 0.0);
  for (Index t = 0; t < x.rows; ++t)
    add(1, x[t], std::span(sums).subspan(stretch(t, x.rows) * labels_, labels_));
  return sums;
}

// The transpose of `pooled`, times a factor.
void ShareNetwork::spread(const std::vector<double>& from, double factor, Table<double> to) const {
  for (Index t = 0; t < to.rows; ++t) add(factor, from.data() + stretch(t, to.rows) * labels_, to.row(t));
}

double ShareNetwork::evaluate(Table<const double> q, Table<double> gradient) const {
  if (q.rows == 0) return 0;
  const Index D = inputs();
  const auto T = static_cast<double>(q.rows);
  std::vector<double> s = pooled(q), slope(s.size(), 0.0);
  for (double& x : s) x /= T;
  double sum = 0;
  for (Index h = 0; h < hidden_; ++h) {
    const double* const A = weights_.data() + h * D;
    const double w = weights_[hidden_ * (D + 1) + h], a = dot(A, s) + weights_[hidden_ * D + h];
    sum += w * softplus(a);
    add(w * sigmoid(a), A, slope);
  }
  spread(slope, 1, gradient);  // the T of E_g and that of s cancel
  return T * sum;
}

// With m the sums of v as s are those of q, T cancelled again,
//
//     v' dE_g/dq = sum_h w_h sigmoid(a_h) A_h' m,      a_h = A_h' s + b_h
void ShareNetwork::pull_back(Table<const double> q, Table<const double> v, Table<double> to_q,
                             std::span<double> to_weights) const {
  if (q.rows == 0) return;
  const Index D = inputs();
  const auto T = static_cast<double>(q.rows);
  const std::vector<double> m = pooled(v);
  std::vector<double> s = pooled(q), to_s(s.size(), 0.0);
  for (double& x : s) x /= T;
  for (Index h = 0; h < hidden_; ++h) {
    const double* const A = weights_.data() + h * D;
    const double w = weights_[hidden_ * (D + 1) + h];
    const double p = sigmoid(dot(A, s) + weights_[hidden_ * D + h]), along = dot(A, m);
    const double to_a = w * p * (1 - p) * along;
    add(to_a, A, to_s);
    add(w * p, m.data(), to_weights.subspan(h * D, D));
    add(to_a, s.data(), to_weights.subspan(h * D, D));
    to_weights[hidden_ * D + h] += to_a;
    to_weights[hidden_ * (D + 1) + h] += p * along;
  }
  spread(to_s, 1 / T, to_q);
}

RelaxedSum::RelaxedSum(Table<const double> u, const GlobalEnergy& net) : u_(u), net_(net) {
  std::vector<Index> first;
  for (Index t = 0; t <= u.rows; ++t) first.push_back(t * u.columns);
  shape(first);
  for (Index i = 0; i < u.size(); ++i) allowed_[i] = u.data[i] < kInfinity<double>;
}

double RelaxedSum::evaluate(std::span<const double> q, std::span<double> gradient) const {
  std::fill(gradient.begin(), gradient.end(), 0.0);
  double total = net_.evaluate({q.data(), u_.rows, u_.columns}, {gradient.data(), u_.rows, u_.columns});
  for (Index i = 0; i < u_.size(); ++i) {
    gradient[i] += u_.data[i];
    if (allowed_[i]) total += q[i] * u_.data[i];
  }
  return total;
}

}  // namespace thalweg
