/// @file
/// Annealed importance sampling (Neal 2001) for the free energy of structures that no dynamic programme sums:
///
///     Z(beta) = Z(0) E[w],     log w = -sum_k (beta_k - beta_{k-1}) E(y_{k-1}),     beta_0 = 0 < ... <
///     beta_n = beta
///
/// y_0 is uniform over all answers, Z(0) their number, and y_k a sweep of Gibbs at beta_k from y_{k-1}. The
/// mean of w is unbiased, its logarithm low by about half its variance: read `standard_error`, and do not
/// trust an estimate from few temperatures however small that is.
///
///     AnnealedImportance a = anneal_free_energy(graph, {.temperatures = 1000});
///     a.log_partition, a.standard_error                          // of log Z at beta = 1
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "thalweg/inference/samplers.h"

namespace thalweg {

struct AnnealingOptions {
  double beta = 1;
  Index temperatures = 1000;  ///< n, evenly spaced; the error falls as 1/n, the cost grows as n
  Index particles = 100;      ///< independent runs; the error falls as 1/sqrt
  std::uint64_t seed = 1;
  int threads = 1;  ///< changes nothing but the time
};

struct AnnealedImportance {
  double log_partition = -kInfinity<double>;  ///< -infinity where every run met a forbidden answer
  double standard_error = kInfinity<double>;  ///< of log_partition, from the spread of the weights
  double effective_particles = 0;             ///< (sum w)^2 / sum w^2
  double free_energy(double beta) const { return -log_partition / beta; }
};

namespace detail {
/// log w of one run, +log Z(0).
template <SingleSite S>
double annealed_log_weight(const S& s, const AnnealingOptions& o, Gibbs<S>& gibbs, std::vector<Label>& y,
                           Rng& rng) {
  double log_weight = 0;
  y.resize(static_cast<std::size_t>(variables(s)));
  for (Index v = 0; v < variables(s); ++v) {
    const auto K = static_cast<std::uint64_t>(states(s, v));
    log_weight += std::log(static_cast<double>(K));
    y[v] = static_cast<Label>(rng.below(K));
  }
  const double step = o.beta / static_cast<double>(o.temperatures);
  for (Index k = 1; k <= o.temperatures; ++k) {
    log_weight -= step * energy(s, std::span<const Label>(y));
    if (!(log_weight > -kInfinity<double>)) return log_weight;  // forbidden: of weight 0
    if (k < o.temperatures) gibbs.sweep(s, step * static_cast<double>(k), rng, y);
  }
  return log_weight;
}
}  // namespace detail

/// O(particles * temperatures * V sites). @throws OptionError unless beta is finite and > 0, temperatures >
/// 0, particles > 1 and threads > 0
template <SingleSite S>
AnnealedImportance anneal_free_energy(const S& s, const AnnealingOptions& o = {}) {
  const auto require = [](bool good, const char* field, const char* constraint) {
    if (!good) throw OptionError(field, "is out of range", constraint);
  };
  require(o.beta > 0 && o.beta < kInfinity<double>, "beta", "must be finite and > 0");
  require(o.temperatures > 0, "temperatures", "must be > 0");
  require(o.particles > 1, "particles", "must be > 1, or nothing is known of the error");
  require(o.threads > 0, "threads", "must be > 0");

  struct Workspace {
    Gibbs<S> gibbs;
    std::vector<Label> y;
  };
  std::vector<double> logs(static_cast<std::size_t>(o.particles));
  sample_each<Workspace>(o.particles, o.threads, Rng(o.seed), [&](Index n, Workspace& w, Rng& rng) {
    logs[static_cast<std::size_t>(n)] = detail::annealed_log_weight(s, o, w.gibbs, w.y, rng);
  });

  AnnealedImportance result;
  const double top = *std::max_element(logs.begin(), logs.end()), N = static_cast<double>(o.particles);
  if (!(top > -kInfinity<double>)) return result;
  double sum = 0, squares = 0;
  for (double log_weight : logs) {
    const double w = std::exp(log_weight - top);
    sum += w, squares += w * w;
  }
  result.log_partition = top + std::log(sum / N);
  result.effective_particles = sum * sum / squares;
  // Delta method: sd(w) / (mean(w) sqrt(N)).
  result.standard_error = std::sqrt(std::max(0.0, squares / N / (sum / N * (sum / N)) - 1) / (N - 1));
  return result;
}

}  // namespace thalweg
