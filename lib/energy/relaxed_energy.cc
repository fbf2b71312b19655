#include "thalweg/energy/relaxed_energy.h"

#include <algorithm>
#include <cmath>

#include "thalweg/core/error.h"

namespace thalweg {
namespace {

// Collects the finite energies of groups of which an answer takes one each, for a penalty that no choice
// among them makes good.
template <class R>
class Penalty {
 public:
  void add(std::span<const R> energies) {
    double low = kInfinity<double>, high = -kInfinity<double>;
    for (R e : energies) {
      low = std::min<double>(low, e);
      if (e < kInfinity<R>) high = std::max<double>(high, e);
    }
    if (!(high >= low)) return;
    range_ += high - low, highest_ = std::max(highest_, high);
  }
  R get() const { return static_cast<R>(std::max(highest_, 0.0) + range_ * 1.001 + 1); }

 private:
  double range_ = 0, highest_ = 0;
};

// sum_j q_j min(row_j, cap), in four sums that run side by side.
template <class R>
double capped_dot(const R* row, const double* q, Index K, R cap) {
  double sums[4] = {0, 0, 0, 0};
  Index j = 0;
  for (; j + 4 <= K; j += 4) {
    for (Index s = 0; s < 4; ++s) sums[s] += q[j + s] * static_cast<double>(std::min(row[j + s], cap));
  }
  for (; j < K; ++j) sums[0] += q[j] * static_cast<double>(std::min(row[j], cap));
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// to += weight min(row, cap)
template <class R>
void capped_add(double weight, const R* row, Index K, R cap, double* to) {
  for (Index j = 0; j < K; ++j) to[j] += weight * static_cast<double>(std::min(row[j], cap));
}

// q' u, where what is forbidden has no weight.
template <class R>
double weighted(std::span<const double> q, const R* u) {
  double sum = 0;
  for (std::size_t i = 0; i < q.size(); ++i) {
    if (q[i] > 0) sum += q[i] * static_cast<double>(u[i]);
  }
  return sum;
}

}  // namespace

void RelaxedEnergy::shape(std::span<const Index> first) {
  first_.assign(first.begin(), first.end());
  allowed_.assign(static_cast<std::size_t>(first_.back()), 1);
}

void RelaxedEnergy::vertex_energies(std::span<const double> q, Index v, std::span<double> out) const {
  std::vector<double> moved(q.begin(), q.end()), gradient(q.size());
  const auto simplex = std::span(moved).subspan(first_[v], states(v));
  for (Index l = 0; l < states(v); ++l) {
    std::fill(simplex.begin(), simplex.end(), 0.0);
    simplex[l] = 1;
    out[l] = allowed_[first_[v] + l] ? evaluate(moved, gradient) : kInfinity<double>;
  }
}

template <class R>
void RelaxedChain<R>::assign(const Chain<R>& chain) {
  if (chain.histories)
    throw OptionError("chain", "is of higher order",
                      "relax a factor graph whose factors are as wide as its histories");
  chain_ = chain;
  const Index T = chain.length(), K = chain.labels();
  first_.resize(static_cast<std::size_t>(T + 1));
  allowed_.resize(static_cast<std::size_t>(T * K));
  for (Index t = 0; t <= T; ++t) first_[t] = t * K;
  for (Index i = 0; i < T * K; ++i) allowed_[i] = chain.unary.data[i] < kInfinity<R>;
  Penalty<R> penalty;
  for (Index t = 0; t < T; ++t) {
    penalty.add(chain.unary.row(t));
    if (t + 1 < T) penalty.add({chain.coupling(t), static_cast<std::size_t>(K * K)});
  }
  cap_ = penalty.get();
}

template <class R>
double RelaxedChain<R>::evaluate(std::span<const double> q, std::span<double> gradient) const {
  const Index T = chain_.length(), K = chain_.labels();
  double total = weighted(q, chain_.unary.data);
  for (Index i = 0; i < T * K; ++i) gradient[i] = static_cast<double>(chain_.unary.data[i]);
  for (Index t = 0; t + 1 < T; ++t) {
    const R* table = chain_.coupling(t);
    const double *here = &q[t * K], *next = here + K;
    for (Index i = 0; i < K; ++i) {
      const double coupled = capped_dot(table + i * K, next, K, cap_);
      gradient[t * K + i] += coupled, total += here[i] * coupled;
      if (here[i] > 0) capped_add(here[i], table + i * K, K, cap_, &gradient[(t + 1) * K]);
    }
  }
  return total;
}

template <class R>
void RelaxedChain<R>::vertex_energies(std::span<const double> q, Index t, std::span<double> out) const {
  const Index T = chain_.length(), K = chain_.labels();
  for (Index l = 0; l < K; ++l) out[l] = static_cast<double>(chain_.unary[t][l]);
  for (Index i = 0; t > 0 && i < K; ++i) {
    const double weight = q[(t - 1) * K + i];
    if (weight > 0) capped_add(weight, chain_.coupling(t - 1) + i * K, K, cap_, out.data());
  }
  for (Index j = 0; t + 1 < T && j < K; ++j) {
    const double weight = q[(t + 1) * K + j];
    const R* column = chain_.coupling(t) + j;
    for (Index l = 0; weight > 0 && l < K; ++l)
      out[l] += weight * static_cast<double>(std::min(column[l * K], cap_));
  }
}

template <class R>
RelaxedGraph<R>::RelaxedGraph(const FactorGraph<R>& graph) : graph_(graph) {
  const FactorTopology& g = *graph.topology;
  shape(g.firsts());
  Penalty<R> penalty;
  for (Index v = 0; v < g.variables(); ++v) penalty.add(graph.unary.subspan(g.first(v), g.states(v)));
  for (Index f = 0; f < g.factors(); ++f) penalty.add(graph.tables.subspan(g.begin(f), g.cells(f)));
  cap_ = penalty.get();
  for (std::size_t i = 0; i < allowed_.size(); ++i) allowed_[i] = graph.unary[i] < kInfinity<R>;
}

// out[l] += sum over the labels of the others of prod q_others table(l, others). Scopes are walked from the
// first variable; labels without weight are cut off with all that hangs on them.
template <class R>
void RelaxedGraph<R>::contract(std::span<const double> q, Index factor, std::size_t slot,
                               std::span<double> out) const {
  const FactorTopology& g = *graph_.topology;
  const auto scope = g.scope(factor);
  const auto strides = g.strides(factor);
  const Index K = static_cast<Index>(out.size()), stride = strides[slot];
  const auto walk = [&](const auto& self, std::size_t i, const R* cell, double weight) -> void {
    if (i == slot) return self(self, i + 1, cell, weight);
    if (i == scope.size()) {
      for (Index l = 0; l < K; ++l) out[l] += weight * static_cast<double>(std::min(cell[l * stride], cap_));
      return;
    }
    const auto simplex = q.subspan(g.first(scope[i]), g.states(scope[i]));
    for (std::size_t l = 0; l < simplex.size(); ++l) {
      if (simplex[l] > 0) self(self, i + 1, cell + static_cast<Index>(l) * strides[i], weight * simplex[l]);
    }
  };
  walk(walk, 0, graph_.tables.data() + g.begin(factor), 1.0);
}

template <class R>
void RelaxedGraph<R>::vertex_energies(std::span<const double> q, Index v, std::span<double> out) const {
  const FactorTopology& g = *graph_.topology;
  for (Index l = 0; l < g.states(v); ++l) out[l] = static_cast<double>(graph_.unary[g.first(v) + l]);
  for (const auto& place : g.factors_of(v))
    contract(q, place.factor, place.slot, out.subspan(0, g.states(v)));
}

template <class R>
double RelaxedGraph<R>::evaluate(std::span<const double> q, std::span<double> gradient) const {
  const FactorTopology& g = *graph_.topology;
  double total = weighted(q, graph_.unary.data());
  std::fill(gradient.begin(), gradient.end(), 0.0);
  for (Index f = 0; f < g.factors(); ++f) {
    const auto scope = g.scope(f);
    for (std::size_t i = 0; i < scope.size(); ++i) {
      const auto simplex = q.subspan(g.first(scope[i]), g.states(scope[i]));
      const auto to = gradient.subspan(g.first(scope[i]), simplex.size());
      // What the first variable of the scope sees of the factor, weighted by its q, is the factor's energy.
      if (i == 0) total -= weighted(simplex, to.data());
      contract(q, f, i, to);
      if (i == 0) total += weighted(simplex, to.data());
    }
  }
  for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] += static_cast<double>(graph_.unary[i]);
  return total;
}

template class RelaxedChain<float>;
template class RelaxedChain<double>;
template class RelaxedGraph<float>;
template class RelaxedGraph<double>;

}  // namespace thalweg
