/// @file
/// Gradient descent on y: minimises an energy over the product of simplices (energy/relaxed_energy.h),
///
///     min_q E(q),        q_v in the simplex of v,
///
/// rounds q to labels without raising a multilinear energy, and goes on by local search on labels. A local
/// method, for energies that no dynamic programme minimises; on chains `minimize` is exact and faster.
///
///     RelaxedSummary r = minimize_relaxed(graph);
///     r.minimum.labels, r.minimum.energy                       // guarantee: LocalOptimum
///
///     RelaxedDescent descent;                                  // an energy of your own
///     descent.start(net);
///     descent.run(net, AnnealedDescent{.steps = 100});
///     descent.round(net, y);
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <variant>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/random.h"
#include "thalweg/energy/relaxed_energy.h"
#include "thalweg/inference/local_search.h"

namespace thalweg {

/// Exponentiated gradient (mirror descent in the entropy; Kivinen and Warmuth 1997) on E - tau H, tau falling
/// linearly to 0:
///
///     q <- q^(1 - rate tau) exp(-rate dE/dq), normalised,      rate tau capped at 1: parallel mean field
///
/// Both numbers are in units of 1/E and E, and stand for energies whose steps between labels are a few units,
/// as trained models have.
struct AnnealedDescent {
  Index steps = 12;  ///< a dozen does nearly what a hundred do: spend steps on further starts
  double rate = 2;
  double temperature = 1;  ///< tau of the first step
  double noise = 2;  ///< further starts descend on E plus random linear terms of this size, fading with tau
};
/// Projected gradient with a backtracking line search (Armijo): the energy falls at every step.
struct ProjectedDescent {
  Index steps = 50;
  double tolerance = 1e-6;  ///< stops where no q moves by more
};
/// Frank and Wolfe (1956) with a line search: towards the vertex that the gradient favours in every simplex.
struct FrankWolfeDescent {
  Index steps = 50;
  double tolerance = 1e-6;  ///< stops at this gap, an energy; at a gap of 0 q is stationary
};
using RelaxedMethod = std::variant<AnnealedDescent, ProjectedDescent, FrankWolfeDescent>;

/// Called at every step with E(q) and the q it belongs to.
using RelaxedWatch = std::function<void(double energy, std::span<const double> q)>;

enum class RelaxedStop { Steps, Converged };

struct RelaxedRun {
  double energy = kInfinity<double>;  ///< E(q) at the end
  Index steps = 0, evaluations = 0;
  RelaxedStop stopped = RelaxedStop::Steps;
};

/// Overwrites z with the nearest point of the simplex (Held, Wolfe and Crowder 1974). O(K log K). -infinity
/// is 0 there. @pre one of z is finite, and none is +infinity or NaN
THALWEG_EXPORT void project_to_simplex(std::span<double> z, std::vector<double>& scratch);

/// The workspace: one per thread, allocating nothing once warm.
class THALWEG_EXPORT RelaxedDescent {
 public:
  /// q uniform over what is allowed. @return false where a variable has nothing allowed: then there is no q
  bool start(const RelaxedEnergy& energy);
  /// Further starts, each another random one.
  void restart(const RelaxedEnergy& energy, const RelaxedMethod& method, Rng& rng);
  /// Descends from q. @throws OptionError for steps < 0, or a number that is not finite and >= 0
  RelaxedRun run(const RelaxedEnergy& energy, const RelaxedMethod& method, const RelaxedWatch& watch = {});
  /// One variable after the other to its lowest vertex given the others, which never raises a multilinear E,
  /// and again until none moves. q follows. O(V) vertex energies a pass, at most `passes`.
  void round(const RelaxedEnergy& energy, std::span<Label> y, Index passes = 100);

  std::span<double> q() { return q_; }  ///< [cells]

 private:
  RelaxedRun descend(const RelaxedEnergy& energy, const AnnealedDescent& o, const RelaxedWatch& watch);
  RelaxedRun descend(const RelaxedEnergy& energy, const ProjectedDescent& o, const RelaxedWatch& watch);
  RelaxedRun descend(const RelaxedEnergy& energy, const FrankWolfeDescent& o, const RelaxedWatch& watch);
  void normalise(const RelaxedEnergy& energy);
  double slope() const;
  double move_to(const RelaxedEnergy& energy, double share);

  std::vector<double> q_, gradient_, logits_, noise_, target_, moved_, moved_gradient_, scratch_;
};

struct RelaxedOptions {
  RelaxedMethod method = AnnealedDescent{};
  Index starts = 8;        ///< the best of so many; > 0
  Index depth = 2;         ///< of the local search on labels (inference/local_search.h); 0: single labels
  std::uint64_t seed = 1;  ///< of the further starts
  RelaxedWatch watch = {};
};

struct RelaxedSummary {
  /// LocalOptimum. Infinite where nothing is allowed, or nothing allowed was found.
  Minimum minimum{{}, kInfinity<double>, -kInfinity<double>, Guarantee::LocalOptimum};
  double relaxed = kInfinity<double>;  ///< E(q) before rounding, of the start that was best in the end
  double rounded = kInfinity<double>;  ///< E(y) after it, before the local search
  Index starts = 0, steps = 0, evaluations = 0;  ///< of all starts
  Index converged = 0;                           ///< starts that stopped before their last step
};

template <class R>
RelaxedChain<R> relax(const Chain<R>& chain) {
  return RelaxedChain<R>(chain);
}
template <class R>
RelaxedGraph<R> relax(const FactorGraph<R>& graph) {
  return RelaxedGraph<R>(graph);
}

/// For structures that relax: descends, rounds and searches from every start. Deterministic in the seed.
/// @throws OptionError for options out of range, or a chain of higher order
template <SingleSite S>
RelaxedSummary minimize_relaxed(const S& s, const RelaxedOptions& o = {}) {
  if (o.starts < 1) throw OptionError("starts", "must be > 0", "1 starts from the middle of all simplices");
  RelaxedSummary summary;
  const auto relaxed = relax(s);
  RelaxedDescent descent;
  LocalSearch<S> search;
  std::vector<Label> y(static_cast<std::size_t>(variables(s)));
  Rng rng(o.seed);
  if (!descent.start(relaxed)) return summary;
  for (; summary.starts < o.starts; ++summary.starts) {
    if (summary.starts > 0) descent.restart(relaxed, o.method, rng);
    const RelaxedRun run = descent.run(relaxed, o.method, o.watch);
    summary.steps += run.steps, summary.evaluations += run.evaluations;
    summary.converged += run.stopped == RelaxedStop::Converged;
    descent.round(relaxed, y, 1);
    const double rounded = energy(s, std::span<const Label>(y));
    const double found = search.improve(s, y, o.depth);
    if (!(found < summary.minimum.energy)) continue;
    summary.minimum.energy = found, summary.minimum.labels = y;
    summary.relaxed = run.energy, summary.rounded = rounded;
  }
  return summary;
}

}  // namespace thalweg
