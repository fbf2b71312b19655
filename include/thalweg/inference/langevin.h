/// @file
/// Sampling and descent on a continuous answer x in R^n, with density exp(-beta E(x)) / Z:
///
///     x' = x - h dE/dx + sqrt(2 h / beta) noise                              (unadjusted Langevin)
///
/// whose stationary density is off by O(h): on E = k x^2 / 2 it has variance 1 / (beta k (1 - h k / 2)) for
/// 1 / (beta k). The adjusted form accepts x' by Metropolis and Hastings and is exact for every h (Roberts
/// and Tweedie 1996); take h so that it accepts some 57 %. beta = +infinity has no noise: gradient descent on
/// y.
///
///     Langevin langevin(n, {.step = 0.1, .beta = 2});
///     langevin.start(energy, x);                    // double energy(std::span<const double> x,
///     for (int k = 0; k < 100; ++k)                 //               std::span<double> gradient)
///       langevin.adjusted_step(energy, rng, x);
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "thalweg/core/error.h"
#include "thalweg/core/random.h"
#include "thalweg/core/types.h"

namespace thalweg {

struct LangevinOptions {
  double step = 0.1;  ///< h > 0; below 2 / k where E bends most, by k, or steps run away
  double beta = 1;    ///< > 0; +infinity without noise
};

/// One per thread, allocating nothing after it is made. Energies may be +infinity where x is forbidden, for
/// adjusted steps. The x of a step is that of the call before: `start` again where it is not, or the energy
/// is another.
class Langevin {
 public:
  /// @throws OptionError where an option is out of range, or n < 0
  explicit Langevin(Index n, const LangevinOptions& o = {}) : o_(o) {
    if (!(o.step > 0 && o.step < kInfinity<double>))
      throw OptionError("step", "must be finite and > 0, is " + std::to_string(o.step), "try a tenth");
    if (!(o.beta > 0))
      throw OptionError("beta", "must be > 0, is " + std::to_string(o.beta), "1 samples from exp(-E)");
    if (n < 0) throw OptionError("n", "must be >= 0", "it is the dimension of x");
    const auto size = static_cast<std::size_t>(n);
    gradient_.resize(size), proposal_.resize(size), proposal_gradient_.resize(size);
  }

  /// Evaluates E and its gradient at x [n]. @throws InputError where E is not finite there
  template <class Energy>
  void start(Energy&& energy, std::span<const double> x) {
    energy_ = energy(x, std::span<double>(gradient_));
    if (!std::isfinite(energy_)) throw InputError("x", "has no finite energy", "start where it is allowed");
  }

  /// One evaluation. @return E at the new x
  template <class Energy>
  double step(Energy&& energy, Rng& rng, std::span<double> x) {
    propose(rng, x);
    std::copy(proposal_.begin(), proposal_.end(), x.begin());
    return energy_ = energy(std::span<const double>(x), std::span<double>(gradient_));
  }

  /// One evaluation. @return whether x moved
  template <class Energy>
  bool adjusted_step(Energy&& energy, Rng& rng, std::span<double> x) {
    propose(rng, x);
    const double then = energy(std::span<const double>(proposal_), std::span<double>(proposal_gradient_));
    // log q(x | x') - log q(x' | x), both normal with variance 2 h / beta around the drifted point.
    double forth = 0, back = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double d = proposal_[i] - x[i];
      forth += (d + o_.step * gradient_[i]) * (d + o_.step * gradient_[i]);
      back += (d - o_.step * proposal_gradient_[i]) * (d - o_.step * proposal_gradient_[i]);
    }
    const double log_ratio = o_.beta * (energy_ - then + (forth - back) / (4 * o_.step));
    const double u = rng.uniform();
    const bool taken = o_.beta < kInfinity<double> ? u < std::exp(log_ratio) : then <= energy_;
    if (!taken) return false;
    std::copy(proposal_.begin(), proposal_.end(), x.begin());
    gradient_.swap(proposal_gradient_), energy_ = then;
    return true;
  }

  double energy() const { return energy_; }  ///< at the x of the last call

 private:
  void propose(Rng& rng, std::span<const double> x) {
    const double spread = std::sqrt(2 * o_.step / o_.beta);
    for (std::size_t i = 0; i < x.size(); ++i)
      proposal_[i] = x[i] - o_.step * gradient_[i] + (spread > 0 ? spread * rng.normal() : 0);
  }

  LangevinOptions o_;
  double energy_ = kInfinity<double>;
  std::vector<double> gradient_, proposal_, proposal_gradient_;
};

}  // namespace thalweg
