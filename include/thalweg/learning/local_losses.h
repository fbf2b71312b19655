/// @file
/// Losses that look at one position of the right answer at a time, the rest held: with the differences
/// d_l = E(y with y_t = l) - E(y) of each position,
///
///     L = sum_t chi(d),      dL / dE(part) = sum_t sum_l (d chi / d d_l) (part of y with y_t = l, less of y)
///
/// Needs `site_energies` and `add_site` alone: no sum and no minimum over labellings, so they work on any
/// graph of variables. See learning/evaluate.h.
#pragma once

#include <algorithm>
#include <cmath>

#include "thalweg/learning/loss.h"
#include "thalweg/learning/problem.h"

namespace thalweg::detail {

template <class On, class S>
concept Siting = requires(On on, const S& s, std::span<const Label> y, const Parts<S>& parts) {
  on.site_energies(s, y, Index{});
  on.add_site(s, y, Index{}, parts);
};

// --- chi: the value; assigns d chi / d d_l to slopes[l], l other than the right label, from `site`.

inline double chi(const PseudoLikelihoodLoss& loss, std::span<const double> site, Label right,
                  std::span<double> slopes) {
  const double low = *std::min_element(site.begin(), site.end());
  double total = 0;
  for (std::size_t l = 0; l < site.size(); ++l) total += slopes[l] = std::exp(-loss.beta * (site[l] - low));
  for (double& p : slopes) p /= -total;
  return site[right] - low + std::log(total) / loss.beta;
}
inline double chi(const MinimumProbabilityFlowLoss& loss, std::span<const double> site, Label right,
                  std::span<double> slopes) {
  double flow = 0;
  for (std::size_t l = 0; l < site.size(); ++l) {
    const double here = std::exp(loss.beta * (site[right] - site[l]) / 2);
    slopes[l] = -loss.beta / 2 * here;
    if (l != right) flow += here;
  }
  return flow;
}
inline double chi(const RatioMatchingLoss& loss, std::span<const double> site, Label right,
                  std::span<double> slopes) {
  double sum = 0;
  for (std::size_t l = 0; l < site.size(); ++l) {
    const double p = 1 / (1 + std::exp(loss.beta * (site[l] - site[right])));
    slopes[l] = -2 * loss.beta * p * p * (1 - p);
    if (l != right) sum += p * p;
  }
  return sum;
}

template <class L, class S, class On>
requires Siting<On, S> && requires(const L& loss, std::span<double> x) { chi(loss, x, Label{}, x); }
double evaluate_one(const L& loss, const Problem<S>& problem, const Parts<S>& gradient, On& on) {
  const double right = energy(problem.structure, problem.answer);
  if (!(right < kInfinity<double>)) return right;
  clear_own(gradient);
  double value = 0;
  for (std::size_t t = 0; t < problem.answer.size(); ++t) {
    const Label y = problem.answer[t];
    on.site_energies(problem.structure, problem.answer, static_cast<Index>(t));
    on.site_weights.resize(on.site.size());
    value += chi(loss, on.site, y, on.site_weights);
    double others = 0;
    for (std::size_t l = 0; l < on.site.size(); ++l) {
      on.site_weights[l] = l == y ? 0 : problem.weight * on.site_weights[l];
      others += on.site_weights[l];
    }
    on.site_weights[y] = -others;
    on.add_site(problem.structure, problem.answer, static_cast<Index>(t), gradient);
  }
  return problem.weight * value;
}

}  // namespace thalweg::detail
