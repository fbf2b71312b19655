#include "thalweg/inference/relaxed_descent.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/require.h"

namespace thalweg {
namespace {

void check_steps(Index steps) { require(steps >= 0, "steps", steps, ">= 0", "0 only rounds"); }
void check(const char* option, double value) {
  require(value >= 0 && value < kInfinity<double>, option, value, "finite and >= 0",
          "the defaults are a start");
}

// Of the descents along lines: checks their options and evaluates where they start.
template <class Method>
RelaxedRun begin(const Method& o, const RelaxedEnergy& energy, std::span<const double> q,
                 std::span<double> gradient, const RelaxedWatch& watch) {
  check_steps(o.steps), check("tolerance", o.tolerance);
  RelaxedRun run;
  run.energy = energy.evaluate(q, gradient), run.evaluations = 1;
  if (watch) watch(run.energy, q);
  return run;
}

}  // namespace

// The projection is max(z - shift, 0) with the shift that makes its sum 1.
void project_to_simplex(std::span<double> z, std::vector<double>& scratch) {
  scratch.assign(z.begin(), z.end());
  std::sort(scratch.begin(), scratch.end(), std::greater<>());
  double sum = 0, shift = 0;
  for (std::size_t k = 0; k < scratch.size(); ++k) {
    sum += scratch[k];
    const double candidate = (sum - 1) / static_cast<double>(k + 1);
    if (!(scratch[k] > candidate)) break;
    shift = candidate;
  }
  for (double& x : z) x = std::max(x - shift, 0.0);
}

bool RelaxedDescent::start(const RelaxedEnergy& energy) {
  const auto allowed = energy.allowed();
  q_.assign(allowed.size(), 0), noise_.assign(allowed.size(), 0), logits_.assign(allowed.size(), 0);
  for (Index v = 0; v < energy.variables(); ++v) {
    const auto mask = allowed.subspan(energy.first(v), energy.states(v));
    const auto count =
        static_cast<Index>(std::count_if(mask.begin(), mask.end(), [](auto a) { return a != 0; }));
    if (count == 0) return false;
    for (std::size_t l = 0; l < mask.size(); ++l)
      q_[energy.first(v) + l] = mask[l] ? 1.0 / static_cast<double>(count) : 0;
  }
  return true;
}

void RelaxedDescent::restart(const RelaxedEnergy& energy, const RelaxedMethod& method, Rng& rng) {
  start(energy);
  if (const auto* annealed = std::get_if<AnnealedDescent>(&method)) {
    for (double& x : noise_) x = annealed->noise * rng.normal();
    return;
  }
  for (double& x : logits_) x = 2 * rng.normal();
  normalise(energy);
}

// q_v = softmax of the logits over what is allowed.
void RelaxedDescent::normalise(const RelaxedEnergy& energy) {
  const auto allowed = energy.allowed();
  for (Index v = 0; v < energy.variables(); ++v) {
    const Index begin = energy.first(v), end = begin + energy.states(v);
    double top = -kInfinity<double>, sum = 0;
    for (Index i = begin; i < end; ++i) {
      if (allowed[i]) top = std::max(top, logits_[i]);
    }
    for (Index i = begin; i < end; ++i) sum += q_[i] = allowed[i] ? std::exp(logits_[i] - top) : 0;
    for (Index i = begin; i < end; ++i) q_[i] /= sum;
  }
}

RelaxedRun RelaxedDescent::run(const RelaxedEnergy& energy, const RelaxedMethod& method,
                               const RelaxedWatch& watch) {
  gradient_.resize(q_.size());
  return std::visit([&](const auto& o) { return descend(energy, o, watch); }, method);
}

RelaxedRun RelaxedDescent::descend(const RelaxedEnergy& energy, const AnnealedDescent& o,
                                   const RelaxedWatch& watch) {
  check_steps(o.steps);
  check("rate", o.rate), check("temperature", o.temperature), check("noise", o.noise);
  RelaxedRun run;
  const auto allowed = energy.allowed();
  // Of q = 0 where it is not masked, say after rounding, the logarithm is cut: what is lost may come back.
  for (std::size_t i = 0; i < q_.size(); ++i) logits_[i] = std::log(std::max(q_[i], 1e-300));
  for (; run.steps < o.steps; ++run.steps) {
    const double left = 1 - static_cast<double>(run.steps) / static_cast<double>(o.steps);
    const double keep = 1 - std::min(1.0, o.rate * o.temperature * left);
    const double e = energy.evaluate(q_, gradient_);
    if (watch) watch(e, q_);
    for (std::size_t i = 0; i < q_.size(); ++i) {
      if (allowed[i]) logits_[i] = keep * logits_[i] - o.rate * (gradient_[i] + left * noise_[i]);
    }
    normalise(energy);
  }
  run.energy = energy.evaluate(q_, gradient_);
  run.evaluations = run.steps + 1;
  if (watch) watch(run.energy, q_);
  return run;
}

// dE/dq (target - q), where what is masked has no part.
double RelaxedDescent::slope() const {
  double sum = 0;
  for (std::size_t i = 0; i < q_.size(); ++i) {
    if (target_[i] != q_[i]) sum += gradient_[i] * (target_[i] - q_[i]);
  }
  return sum;
}

// E at q + share (target - q), which is left in moved_, with its gradient.
double RelaxedDescent::move_to(const RelaxedEnergy& energy, double share) {
  moved_.resize(q_.size()), moved_gradient_.resize(q_.size());
  for (std::size_t i = 0; i < q_.size(); ++i)
    moved_[i] = share < 1 ? q_[i] + share * (target_[i] - q_[i]) : target_[i];
  return energy.evaluate(moved_, moved_gradient_);
}

RelaxedRun RelaxedDescent::descend(const RelaxedEnergy& energy, const ProjectedDescent& o,
                                   const RelaxedWatch& watch) {
  RelaxedRun run = begin(o, energy, q_, gradient_, watch);
  target_.resize(q_.size());
  double step = 1;
  for (; run.steps < o.steps; ++run.steps) {
    for (int halvings = 0;; ++halvings, step /= 2) {
      for (std::size_t i = 0; i < q_.size(); ++i) target_[i] = q_[i] - step * gradient_[i];
      for (Index v = 0; v < energy.variables(); ++v)
        project_to_simplex(std::span(target_).subspan(energy.first(v), energy.states(v)), scratch_);
      double far = 0;
      for (std::size_t i = 0; i < q_.size(); ++i) far = std::max(far, std::abs(target_[i] - q_[i]));
      const double fall = slope();
      if (far <= o.tolerance || halvings > 60 || !(fall < 0)) {
        run.stopped = RelaxedStop::Converged;
        return run;
      }
      const double e = move_to(energy, 1);
      ++run.evaluations;
      if (!(e <= run.energy + 1e-4 * fall)) continue;  // Armijo
      run.energy = e;
      break;
    }
    q_.swap(moved_), gradient_.swap(moved_gradient_);
    if (watch) watch(run.energy, q_);
    step *= 2;
  }
  return run;
}

RelaxedRun RelaxedDescent::descend(const RelaxedEnergy& energy, const FrankWolfeDescent& o,
                                   const RelaxedWatch& watch) {
  RelaxedRun run = begin(o, energy, q_, gradient_, watch);
  for (; run.steps < o.steps; ++run.steps) {
    target_.assign(q_.size(), 0);
    for (Index v = 0; v < energy.variables(); ++v) {
      const auto begin = gradient_.begin() + energy.first(v);
      target_[static_cast<std::size_t>(std::min_element(begin, begin + energy.states(v)) -
                                       gradient_.begin())] = 1;
    }
    const double fall = slope();
    if (!(fall < -o.tolerance)) {
      run.stopped = RelaxedStop::Converged;
      return run;
    }
    // The parabola through E and its slope here and E at the vertex is E itself for factors of two variables.
    double share = 1, e = move_to(energy, 1);
    ++run.evaluations;
    const double bend = e - run.energy - fall;
    if (2 * bend > -fall) share = -fall / (2 * bend);
    for (int halvings = 0; share < 1 && halvings < 60; ++halvings, share /= 2) {
      e = move_to(energy, share);
      ++run.evaluations;
      if (e < run.energy) break;
    }
    if (!(e < run.energy)) {
      run.stopped = RelaxedStop::Converged;
      return run;
    }
    run.energy = e;
    q_.swap(moved_), gradient_.swap(moved_gradient_);
    if (watch) watch(run.energy, q_);
  }
  return run;
}

void RelaxedDescent::round(const RelaxedEnergy& energy, std::span<Label> y, Index passes) {
  bool moved = true;
  for (Index pass = 0; moved && pass < passes; ++pass) {
    moved = false;
    for (Index v = 0; v < energy.variables(); ++v) {
      const auto simplex = std::span(q_).subspan(energy.first(v), energy.states(v));
      scratch_.resize(simplex.size());
      energy.vertex_energies(q_, v, scratch_);
      const auto low =
          static_cast<std::size_t>(std::min_element(scratch_.begin(), scratch_.end()) - scratch_.begin());
      const bool stays = pass > 0 && !(scratch_[low] < scratch_[y[v]]);
      y[v] = stays ? y[v] : static_cast<Label>(low);
      if (simplex[y[v]] == 1) continue;
      std::fill(simplex.begin(), simplex.end(), 0.0);
      simplex[y[v]] = 1, moved = true;
    }
  }
}

}  // namespace thalweg
