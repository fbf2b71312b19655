/// @file
/// Losses against drawn answers: contrastive divergence by Gibbs steps, which needs `site_energies`, and
/// ranking against noise, which needs nothing but energies. What is drawn depends on the loss's seed, the
/// operations' `round` and Problem::number alone. See learning/evaluate.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "thalweg/core/error.h"
#include "thalweg/core/random.h"
#include "thalweg/learning/local_losses.h"

namespace thalweg::detail {

/// The numbers of one example in one round: the same for any order and any number of threads.
template <class L, class P, class On>
Rng rng_of(const L& loss, const P& problem, const On& on) {
  return Rng(loss.seed).fork(on.round).fork(static_cast<std::uint64_t>(problem.number));
}

/// T updates at random positions, each drawn from p(y_t | the rest) at inverse temperature beta.
template <class S, class On>
void gibbs_step(const S& structure, double beta, Rng& rng, std::span<Label> y, On& on) {
  for (std::size_t update = 0; update < y.size(); ++update) {
    const auto t = rng.below(y.size());
    on.site_energies(structure, y, static_cast<Index>(t));
    const double low = *std::min_element(on.site.begin(), on.site.end());
    double total = 0;
    for (double& e : on.site) total += e = std::exp(-beta * (e - low));
    double left = rng.uniform() * total;
    Label l = 0;
    for (Label next = 0; next < on.site.size() && left >= 0; ++next) {
      if (on.site[next] > 0) l = next;
      left -= on.site[next];
    }
    y[t] = l;
  }
}

template <class S, class On>
requires Siting<On, S>
double evaluate_one(const ContrastiveDivergence& loss, const Problem<S>& problem, const Parts<S>& gradient,
                    On& on) {
  const double right = energy(problem.structure, problem.answer);
  if (!(right < kInfinity<double>)) return right;
  std::vector<Label>* y = &on.labels;
  if (loss.persistent) {
    if (!on.persistent || problem.number >= static_cast<Index>(on.persistent->size()))
      throw OptionError(
          "persistent", "there is no labelling kept for sequence " + std::to_string(problem.number),
          "hand in a PersistentChains with an entry for each, or use plain contrastive divergence");
    y = &(*on.persistent)[static_cast<std::size_t>(problem.number)];
  }
  // A kept labelling that has meanwhile been forbidden starts again, too.
  const bool goes_on = loss.persistent && y->size() == problem.answer.size() &&
                       energy(problem.structure, std::span<const Label>(*y)) < kInfinity<double>;
  if (!goes_on) y->assign(problem.answer.begin(), problem.answer.end());
  Rng rng = rng_of(loss, problem, on);
  for (Index step = 0; step < loss.steps; ++step) gibbs_step(problem.structure, loss.beta, rng, *y, on);
  clear_own(gradient);
  add_slope(problem, 1, problem.answer, gradient);
  add_slope(problem, -1, *y, gradient);
  return problem.weight * (right - energy(problem.structure, std::span<const Label>(*y)));
}

template <class S, class On>
requires requires(const S& s, On on) {
  s.labels();
  on.labels, on.round;
}
double evaluate_one(const RankingNoiseLoss& loss, const Problem<S>& problem, const Parts<S>& gradient,
                    On& on) {
  const double right = energy(problem.structure, problem.answer);
  if (!(right < kInfinity<double>)) return right;
  const Index K = problem.structure.labels();
  if (const auto noise = static_cast<Index>(loss.noise.first.size()); noise != 0 && noise != K)
    validate(loss.noise, K);  // says what is wrong
  const auto price = [&](double e, double log_q) { return loss.beta * e + log_q; };
  const double own = price(right, loss.noise.log_probability(K, problem.answer));
  on.labels.resize(problem.answer.size());
  const auto draws = [&](auto use) {
    Rng rng = rng_of(loss, problem, on);
    for (Index m = 0; m < loss.samples; ++m) {
      const double log_q = loss.noise.draw(rng, K, on.labels);
      use(price(energy(problem.structure, std::span<const Label>(on.labels)), log_q));
    }
  };
  // The same draws twice: for the sum, then for the parts of each by its share.
  double low = own, total = 1;
  draws([&](double e) {
    total = e < low ? total * std::exp(e - low) + 1 : total + std::exp(low - e);
    low = std::min(low, e);
  });
  clear_own(gradient);
  add_slope(problem, 1 - std::exp(low - own) / total, problem.answer, gradient);
  draws([&](double e) {
    if (e < kInfinity<double>) add_slope(problem, -std::exp(low - e) / total, on.labels, gradient);
  });
  return problem.weight * (own - low + std::log(total)) / loss.beta;
}

}  // namespace thalweg::detail
