/// @file
/// Replica exchange (parallel tempering; Geyer 1991, Hukushima and Nemoto 1996): copies of one answer at a
/// ladder of inverse temperatures, whose joint distribution is
///
///     prod_r p_r(y_r),     p_r(y) = exp(-beta_r E(y)) / Z_r
///
/// Hot copies cross what cold ones cannot, and neighbours on the ladder exchange their answers with
/// probability min(1, exp((beta_r - beta_{r+1}) (E(y_r) - E(y_{r+1})))), which leaves the product unchanged.
///
///     const double ladder[] = {1, 0.5, 0.25};
///     ReplicaExchange<FactorGraph<double>> replicas(ladder);
///     replicas.start(graph, y);
///     for (int n = 0; n < 1000; ++n) replicas.round(rng);
///     use(replicas.answer(0));                                  // at beta = 1
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "thalweg/inference/samplers.h"

namespace thalweg {

template <SingleSite S>
class ReplicaExchange {
 public:
  /// `betas` in any strictly monotone order. As a rule of thumb neighbours should exchange in 20 to 40 % of
  /// tries (`exchanged`).
  /// @throws OptionError for fewer than two, for one that is not finite and > 0, or for a ladder that turns
  explicit ReplicaExchange(std::span<const double> betas) : betas_(betas.begin(), betas.end()) {
    if (betas.size() < 2)
      throw OptionError("betas", "a ladder of " + std::to_string(betas.size()) + " exchanges nothing",
                        "give two temperatures or more, or use Gibbs");
    for (std::size_t r = 0; r < betas.size(); ++r) {
      if (!(betas[r] > 0 && betas[r] < kInfinity<double>))
        throw OptionError("betas[" + std::to_string(r) + "]",
                          "must be finite and > 0, is " + std::to_string(betas[r]),
                          "beta is an inverse temperature");
      if (r > 0 && (betas[r] == betas[r - 1] || (betas[r] < betas[r - 1]) != (betas[1] < betas[0])))
        throw OptionError("betas[" + std::to_string(r) + "]", "does not go on as the ladder began",
                          "order the temperatures");
    }
  }

  /// Every replica begins at y. `s` must outlive the rounds. @throws InputError (`check_start`)
  void start(const S& s, std::span<const Label> y) {
    check_start(s, y);
    s_ = &s, rounds_ = 0;
    answers_.assign(betas_.size(), {y.begin(), y.end()});
    energies_.assign(betas_.size(), energy(s, y));
    exchanged_.assign(betas_.size() - 1, 0);
  }

  /// A sweep of random-scan Gibbs for every replica, then exchanges: between 0 and 1, 2 and 3, ... in even
  /// rounds, between 1 and 2, 3 and 4, ... in odd ones. Taking turns carries answers along the ladder faster
  /// than choosing at random (Syed, Bouchard-Cote, Deligiannidis and Doucet 2022).
  void round(Rng& rng) {
    for (std::size_t r = 0; r < betas_.size(); ++r) {
      gibbs_.sweep(*s_, betas_[r], rng, answers_[r]);
      energies_[r] = energy(*s_, std::span<const Label>(answers_[r]));
    }
    for (std::size_t r = static_cast<std::size_t>(rounds_++ % 2); r + 1 < betas_.size(); r += 2)
      exchange(r, rng);
  }

  std::span<const Label> answer(Index r) const { return answers_[static_cast<std::size_t>(r)]; }
  double energy_of(Index r) const { return energies_[static_cast<std::size_t>(r)]; }
  Index size() const { return static_cast<Index>(betas_.size()); }
  /// The share of tries in which r and r + 1 were exchanged.
  double exchanged(Index r) const {
    const Index tries = (rounds_ + 1 - r % 2) / 2;
    return tries > 0
               ? static_cast<double>(exchanged_[static_cast<std::size_t>(r)]) / static_cast<double>(tries)
               : 0;
  }

 private:
  void exchange(std::size_t r, Rng& rng) {
    const double log_ratio = (betas_[r] - betas_[r + 1]) * (energies_[r] - energies_[r + 1]);
    if (!(rng.uniform() < std::exp(log_ratio))) return;
    std::swap(answers_[r], answers_[r + 1]);
    std::swap(energies_[r], energies_[r + 1]);
    ++exchanged_[r];
  }

  const S* s_ = nullptr;
  std::vector<double> betas_, energies_;
  std::vector<std::vector<Label>> answers_;
  std::vector<Index> exchanged_;
  Index rounds_ = 0;
  Gibbs<S> gibbs_;
};

}  // namespace thalweg
