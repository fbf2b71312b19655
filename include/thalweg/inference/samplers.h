/// @file
/// Markov chains that leave p(y) = exp(-beta E(y)) / Z unchanged by changing one variable at a time, for any
/// structure that is `SingleSite`. Workspaces: one per thread, allocating nothing once warm.
///
///     Gibbs<Chain<float>> gibbs;
///     for (int n = 0; n < 100; ++n) gibbs.sweep(chain, beta, rng, y);       // y: a start of finite energy
///
/// Chains that need no Markov chain have exact draws: `sample` in inference/chain.h.
///
/// Everywhere: y is an answer of finite energy before and after (`check_start` looks once), and beta > 0.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "thalweg/core/parallel.h"
#include "thalweg/core/random.h"
#include "thalweg/inference/single_site.h"

namespace thalweg {

/// Gibbs sampling (Geman and Geman 1984): a variable is drawn anew given all the others.
template <SingleSite S>
class Gibbs {
 public:
  /// p(y_v = l given the rest) for every l: [states(v)], valid until the next call. A forbidden l has 0.
  std::span<const double> conditional(const S& s, double beta, std::span<const Label> y, Index v) {
    const auto K = static_cast<std::size_t>(states(s, v));
    energies_.resize(std::max(energies_.size(), K)), p_.resize(energies_.size());
    const std::span<typename S::Scalar> e(energies_.data(), K);
    site_energies(s, y, v, e);
    const double low = *std::min_element(e.begin(), e.end());
    double total = 0;
    for (std::size_t l = 0; l < K; ++l) total += p_[l] = std::exp(-beta * (e[l] - low));
    for (std::size_t l = 0; l < K; ++l) p_[l] /= total;
    return {p_.data(), K};
  }

  void update(const S& s, double beta, Rng& rng, std::span<Label> y, Index v) {
    y[v] = static_cast<Label>(rng.pick(conditional(s, beta, y, v)));
  }
  /// Random scan: one variable, chosen uniformly. Satisfies detailed balance.
  void step(const S& s, double beta, Rng& rng, std::span<Label> y) {
    if (!y.empty()) update(s, beta, rng, y, static_cast<Index>(rng.below(y.size())));
  }
  /// V steps.
  void sweep(const S& s, double beta, Rng& rng, std::span<Label> y) {
    for (std::size_t n = 0; n < y.size(); ++n) step(s, beta, rng, y);
  }
  /// Every variable once, in order. p stays stationary, but detailed balance does *not* hold: not for methods
  /// that need a reversible chain (contrastive divergence's analysis, Geyer's variance estimates).
  void systematic_sweep(const S& s, double beta, Rng& rng, std::span<Label> y) {
    for (std::size_t v = 0; v < y.size(); ++v) update(s, beta, rng, y, static_cast<Index>(v));
  }

 private:
  std::vector<typename S::Scalar> energies_;
  std::vector<double> p_;
};

/// How eagerly a locally balanced proposal goes downhill: g in Q(y, y') = g(p(y') / p(y)) / sum of g, with
/// g(r) = r g(1/r).
enum class Balance {
  Barker,      ///< r / (1 + r), bounded: the safer one, and Zanella's choice
  SquareRoot,  ///< sqrt(r)
};

/// Locally balanced proposals (Zanella 2020, "Informed proposals for local MCMC in discrete spaces"): of all
/// answers that differ from y in one variable, one is proposed by how probable it is, and accepted by
/// Metropolis and Hastings. A step looks at the whole neighbourhood, but after the first only what the last
/// move touched is priced anew: O(V + sum of states of the variable's neighbours).
template <SingleSite S>
class LocallyBalanced {
 public:
  explicit LocallyBalanced(Balance balance = Balance::Barker) : balance_(balance) {}

  /// Prices the neighbours of y. To be called again when y, beta or an energy is changed by others; `s` must
  /// outlive the steps. O(sum of states), times a site's share of its parts.
  void start(const S& s, double beta, std::span<const Label> y) {
    s_ = &s, beta_ = beta;
    const auto V = static_cast<std::size_t>(variables(s));
    first_.assign(V + 1, 0), totals_.resize(V);
    for (std::size_t v = 0; v < V; ++v) first_[v + 1] = first_[v] + states(s, static_cast<Index>(v));
    weights_.resize(static_cast<std::size_t>(first_[V]));
    energies_.resize(static_cast<std::size_t>(most_states(s)));
    for (std::size_t v = 0; v < V; ++v) price(y, static_cast<Index>(v));
  }

  /// g(p(y with y_v = l) / p(y)) of every l, 0 for y_v itself: proportional to the proposal's probability.
  std::span<const double> weights(Index v) const {
    return std::span(weights_).subspan(first_[v], first_[v + 1] - first_[v]);
  }
  /// The sum of all weights; 0 where y has no neighbour of finite energy.
  double total() const {
    double sum = 0;
    for (double w : totals_) sum += w;
    return sum;
  }

  /// One proposal. @return whether it was taken
  bool step(Rng& rng, std::span<Label> y) {
    const double before = total();
    if (!(before > 0)) return false;
    const auto v = static_cast<Index>(rng.pick(totals_));
    const auto to = static_cast<Label>(rng.pick(weights(v))), from = y[v];
    const double forth = weights_[first_[v] + to] / before;
    const auto e = energies_at(y, v);
    const double change = static_cast<double>(e[to]) - static_cast<double>(e[from]);
    y[v] = to;
    touch(y, v);
    const double back = weights_[first_[v] + from] / total();
    // Written for any weights, so that rounding or a capped weight costs acceptances and no exactness.
    if (rng.uniform() * forth < std::exp(-beta_ * change) * back) return true;
    y[v] = from;
    touch(y, v);
    return false;
  }

 private:
  double weight(double change) const {
    const double x = beta_ * change;
    return balance_ == Balance::Barker ? 1 / (1 + std::exp(x)) : std::exp(std::min(-x / 2, 300.0));
  }
  std::span<typename S::Scalar> energies_at(std::span<const Label> y, Index v) {
    const std::span<typename S::Scalar> e(energies_.data(), weights(v).size());
    site_energies(*s_, y, v, e);
    return e;
  }
  void price(std::span<const Label> y, Index v) {
    const auto e = energies_at(y, v);
    const double here = e[y[v]];
    totals_[v] = 0;
    for (std::size_t l = 0; l < e.size(); ++l) {
      const bool other = l != y[v] && e[l] < kInfinity<typename S::Scalar>;
      totals_[v] += weights_[first_[v] + l] = other ? weight(e[l] - here) : 0;
    }
  }
  void touch(std::span<const Label> y, Index v) {
    price(y, v);
    each_neighbour(*s_, v, [&](Index u) { price(y, u); });
  }

  Balance balance_;
  const S* s_ = nullptr;
  double beta_ = 1;
  std::vector<Index> first_;              // [V + 1]
  std::vector<double> weights_, totals_;  // [sum of states], [V]
  std::vector<typename S::Scalar> energies_;
};

/// Work on many sequences, one generator and at any time one workspace for each: `run(n, workspace, rng)` for
/// every n of [0, count), parallel, with the same draws for any number of threads. `run` may write what
/// belongs to n. @pre threads > 0
template <class Workspace, class Run>
void sample_each(Index count, int threads, const Rng& seed, Run run) {
  std::vector<Workspace> workspaces(static_cast<std::size_t>(threads));
  parallel_chunks(count, 8, threads, [&](Index begin, Index end, int slot) {
    for (Index n = begin; n < end; ++n) {
      Rng rng = seed.fork(static_cast<std::uint64_t>(n));
      run(n, workspaces[static_cast<std::size_t>(slot)], rng);
    }
  });
}

}  // namespace thalweg
