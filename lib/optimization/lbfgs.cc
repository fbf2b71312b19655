#include "thalweg/optimization/lbfgs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/require.h"
#include "optimization/blocked_sums.h"
#include "optimization/line_search.h"
#include "thalweg/core/error.h"

namespace thalweg {
namespace {

// A pair is kept when the cosine of s and y exceeds this: free of the units of f and x, unlike s'y > eps y'y,
// and met by any convex f of condition number below 1e15.
constexpr double kLeastCosine = 1e-8;

void require_size(const char* what, std::size_t size, std::size_t expected) {
  if (size == expected) return;
  throw InputError(what, fmt::format("{} entries, x has {}", size, expected), "they must be as many");
}

double sign(double x) { return static_cast<double>((x > 0) - (x < 0)); }

// The derivative of f + c1 |x|_1 of least magnitude: equation 4 of Andrew and Gao 2007.
double pseudo_derivative(double x, double g, double c1) {
  if (x != 0) return g + c1 * sign(x);
  return g - std::clamp(g, -c1, c1);
}

}  // namespace

void validate(const LbfgsOptions& o) {
  require(o.memory >= 1, "memory", o.memory, ">= 1");
  require(o.max_iterations >= 0, "max_iterations", o.max_iterations, ">= 0");
  require(o.gradient_tolerance >= 0, "gradient_tolerance", o.gradient_tolerance, ">= 0");
  require(o.period >= 0, "period", o.period, ">= 0");
  require(o.delta >= 0, "delta", o.delta, ">= 0");
  require(o.c1 >= 0 && std::isfinite(o.c1), "c1", o.c1, "finite and >= 0");
  require(o.max_line_search >= 1, "max_line_search", o.max_line_search, ">= 1");
  require(o.objective_noise >= 0 && o.objective_noise < 1, "objective_noise", o.objective_noise,
          "at least 0 and below 1");
  require(o.threads >= 1, "threads", o.threads, ">= 1");
}

const char* describe(LbfgsStop stop) {
  switch (stop) {
    case LbfgsStop::None:
      return "still running";
    case LbfgsStop::SmallGradient:
      return "the gradient is small";
    case LbfgsStop::SmallDecrease:
      return "the objective hardly falls any more";
    case LbfgsStop::MaxIterations:
      return "the bound on iterations was reached";
    case LbfgsStop::NoDecrease:
      return "no step lowers the objective measurably";
    case LbfgsStop::Callback:
      return "stopped by the callback";
  }
  return "unknown";
}

Lbfgs::Lbfgs(const LbfgsOptions& options, std::span<const double> diagonal)
    : options_(options), inverse_diagonal_(diagonal.begin(), diagonal.end()) {
  validate(options);
  for (double& h : inverse_diagonal_) {
    if (!(h > 0 && std::isfinite(h))) {
      throw InputError("diagonal", fmt::format("it holds {}", h), "every entry must be positive and finite");
    }
    h = 1 / h;
  }
}

void Lbfgs::start(std::vector<double> x) {
  LbfgsState state;
  state.gradient.resize(x.size());
  state.x = std::move(x);
  restore(std::move(state));
}

void Lbfgs::restore(LbfgsState state) {
  const std::size_t dimension = state.x.size();
  if (!inverse_diagonal_.empty()) require_size("diagonal", inverse_diagonal_.size(), dimension);
  require_size("state.gradient", state.gradient.size(), dimension);
  for (const LbfgsPair& pair : state.history) {
    require_size("state.history", pair.step.size(), dimension);
    require_size("state.history", pair.change.size(), dimension);
  }
  if (state.evaluations > 0 && state.window.empty()) {
    throw InputError("state.window", "no entries after the first evaluation",
                     "it holds at least the last objective");
  }
  const Index surplus = static_cast<Index>(state.history.size()) - options_.memory;
  if (surplus > 0) state.history.erase(state.history.begin(), state.history.begin() + surplus);
  if (state.stop == LbfgsStop::MaxIterations) state.stop = LbfgsStop::None;
  state_ = std::move(state);
  descent_.resize(dimension);
  trial_x_.resize(dimension);
  trial_gradient_.resize(dimension);
  if (options_.c1 > 0) pseudo_gradient_.resize(dimension);
  if (state_.evaluations > 0) {
    measure();
    test_convergence();
  }
}

bool Lbfgs::step(const Objective& f) {
  if (state_.evaluations == 0) evaluate_start(f);
  if (state_.stop != LbfgsStop::None) return false;
  bool moved = search(f);
  if (!moved && !state_.history.empty()) {
    state_.history.clear();
    state_.scale = 1;
    moved = search(f);
  }
  if (!moved) {
    state_.stop = LbfgsStop::NoDecrease;
    return false;
  }
  ++state_.iterations;
  move_to_trial();
  measure();
  state_.window.push_back(state_.objective);
  test_convergence();
  return state_.stop == LbfgsStop::None;
}

LbfgsSummary Lbfgs::summary() const {
  return {state_.stop,      state_.iterations,    state_.evaluations,
          state_.objective, state_.gradient_norm, state_.nonzeros};
}

void Lbfgs::evaluate_start(const Objective& f) {
  const double value = f(state_.x, state_.gradient);
  measure();
  if (!std::isfinite(value) || !std::isfinite(state_.gradient_norm)) {
    throw InputError("objective",
                     fmt::format("{} with a gradient of norm {} at the start", value, state_.gradient_norm),
                     "start where both are finite");
  }
  const auto [norm1] =
      blocked_sums(size(), options_.threads, [&](Index i) { return std::array{std::abs(state_.x[i])}; });
  state_.objective = value + options_.c1 * norm1;
  state_.evaluations = 1;
  state_.window = {state_.objective};
  test_convergence();
}

// What the state says of its point follows from x and f'(x): norms, nonzeros and the pseudo-gradient.
void Lbfgs::measure() {
  const double c1 = options_.c1;
  const auto [xx, gg, nonzeros] = blocked_sums(size(), options_.threads, [&](Index i) {
    const double x = state_.x[i];
    double g = state_.gradient[i];
    if (c1 > 0) g = pseudo_gradient_[i] = pseudo_derivative(x, g, c1);
    return std::array{x * x, g * g, static_cast<double>(x != 0)};
  });
  x_norm_ = std::sqrt(xx);
  state_.gradient_norm = std::sqrt(gg);
  state_.nonzeros = static_cast<Index>(nonzeros);
}

void Lbfgs::test_convergence() {
  const Index surplus = static_cast<Index>(state_.window.size()) - (options_.period + 1);
  if (surplus > 0) state_.window.erase(state_.window.begin(), state_.window.begin() + surplus);
  if (state_.stop != LbfgsStop::None) return;
  const double fall = state_.window.front() - state_.objective;
  if (state_.gradient_norm <= options_.gradient_tolerance * std::max(1.0, x_norm_)) {
    state_.stop = LbfgsStop::SmallGradient;
  } else if (options_.period > 0 && surplus >= 0 && fall <= options_.delta * std::abs(state_.objective)) {
    state_.stop = LbfgsStop::SmallDecrease;
  } else if (state_.iterations >= options_.max_iterations) {
    state_.stop = LbfgsStop::MaxIterations;
  }
}

// Fills `descent_` with H g by the two-loop recursion and returns the slope of F along its negative. Each
// pass over the vectors applies one pair and takes the dot product that the next pair needs: 2 m + 1 passes
// in place of 4 m.
double Lbfgs::find_direction() {
  const std::vector<LbfgsPair>& pairs = state_.history;
  const Index m = static_cast<Index>(pairs.size());
  const double* const g = options_.c1 > 0 ? pseudo_gradient_.data() : state_.gradient.data();
  double* const q = descent_.data();
  const auto pass = [&](const auto& each) { return blocked_sums(size(), options_.threads, each)[0]; };
  const auto seed = [&](Index i, double v) {
    return state_.scale * (inverse_diagonal_.empty() ? v : v * inverse_diagonal_[i]);
  };
  if (m == 0) return -pass([&](Index i) { return std::array{g[i] * (q[i] = seed(i, g[i]))}; });

  std::vector<double> alpha(m);
  const double* from = g;
  double product = pass([&, s = pairs[m - 1].step.data()](Index i) { return std::array{s[i] * g[i]}; });
  for (Index k = m - 1; k > 0; --k) {
    alpha[k] = product / pairs[k].curvature;
    product =
        pass([a = alpha[k], y = pairs[k].change.data(), s = pairs[k - 1].step.data(), from, q](Index i) {
          q[i] = from[i] - a * y[i];
          return std::array{s[i] * q[i]};
        });
    from = q;
  }
  alpha[0] = product / pairs[0].curvature;
  product = pass([&, a = alpha[0], y = pairs[0].change.data(), from](Index i) {
    q[i] = seed(i, from[i] - a * y[i]);
    return std::array{y[i] * q[i]};
  });
  for (Index k = 0; k < m; ++k) {
    const double weight = alpha[k] - product / pairs[k].curvature;
    const double* const next = k + 1 < m ? pairs[k + 1].change.data() : g;
    product = pass([weight, s = pairs[k].step.data(), next, q](Index i) {
      q[i] += weight * s[i];
      return std::array{next[i] * q[i]};
    });
  }
  return -product;
}

// Leaves the next point in the trial vectors and its F in the state; false when none lower was found.
bool Lbfgs::search(const Objective& f) {
  const double slope = find_direction();
  if (!(slope < 0)) return false;
  const bool has_length = !state_.history.empty() || !inverse_diagonal_.empty();
  const double first = has_length ? 1 : 1 / state_.gradient_norm;
  return options_.c1 > 0 ? search_orthant(f, first) : search_wolfe(f, slope, first);
}

bool Lbfgs::search_wolfe(const Objective& f, double slope, double first) {
  const auto phi = [&](double t) {
    parallel_chunks(size(), kSumBlock, options_.threads, [&](Index begin, Index end, int) {
      for (Index i = begin; i < end; ++i) trial_x_[i] = state_.x[i] - t * descent_[i];
    });
    const double value = evaluate_trial(f);
    const auto [rise] = blocked_sums(size(), options_.threads,
                                     [&](Index i) { return std::array{trial_gradient_[i] * descent_[i]}; });
    return LinePoint{t, value, -rise};
  };
  const auto found =
      search_strong_wolfe(phi, {0, state_.objective, slope}, first, resolution(), options_.max_line_search);
  if (!found) return false;
  state_.objective = found->value;
  state_.step_length = found->step;
  return true;
}

// Backtracks along the negative of `descent_`, bent so that no coordinate changes its sign: one that would
// stops at 0. Where the values of F cannot tell, the slope on arrival does: it shows whether the step went
// far past the minimum.
bool Lbfgs::search_orthant(const Objective& f, double first) {
  double t = first;
  for (Index i = 0; i < options_.max_line_search; ++i) {
    const auto [predicted, norm1] = bend_trial(t);
    if (!(predicted < 0)) return false;
    const double value = evaluate_trial(f) + options_.c1 * norm1;
    const double slope = arrival_slope();
    const bool finite = std::isfinite(value) && std::isfinite(slope);
    const bool lower = value <= state_.objective + kSufficientDecrease * predicted;
    const bool level = value <= state_.objective + resolution() && std::abs(slope) <= -kCurvature * predicted;
    if (finite && (lower || level)) {
      state_.objective = value;
      state_.step_length = t;
      return true;
    }
    t *= 0.5;
  }
  return false;
}

// Sets the trial point and returns { slope of F along the way there, |trial|_1 }.
std::array<double, 2> Lbfgs::bend_trial(double t) {
  return blocked_sums(size(), options_.threads, [&](Index i) {
    const double x = state_.x[i], g = pseudo_gradient_[i];
    const double orthant = x != 0 ? sign(x) : -sign(g);
    const double moved = descent_[i] * g > 0 ? x - t * descent_[i] : x;
    trial_x_[i] = moved * orthant > 0 ? moved : 0;
    return std::array{g * (trial_x_[i] - x), std::abs(trial_x_[i])};
  });
}

// The slope of F at the trial point along the way from x.
double Lbfgs::arrival_slope() const {
  return blocked_sums(size(), options_.threads, [&](Index i) {
    const double s = trial_x_[i] - state_.x[i];
    const double penalty = trial_x_[i] != 0 ? sign(trial_x_[i]) * s : -std::abs(s);
    return std::array{trial_gradient_[i] * s + options_.c1 * penalty};
  })[0];
}

// What two values of F must differ by to tell which point is lower.
double Lbfgs::resolution() const { return 2 * options_.objective_noise * std::abs(state_.objective); }

double Lbfgs::evaluate_trial(const Objective& f) {
  ++state_.evaluations;
  return f(trial_x_, trial_gradient_);
}

// The storage of the old point becomes the new pair and that of the oldest pair the next trial point: no
// copies.
void Lbfgs::move_to_trial() {
  const auto [sy, ss, yy, yhy] = blocked_sums(size(), options_.threads, [&](Index i) {
    const double s = state_.x[i] = trial_x_[i] - state_.x[i];
    const double y = state_.gradient[i] = trial_gradient_[i] - state_.gradient[i];
    const double hy = inverse_diagonal_.empty() ? y : y * inverse_diagonal_[i];
    return std::array{s * y, s * s, y * y, y * hy};
  });
  if (sy > kLeastCosine * std::sqrt(ss) * std::sqrt(yy)) {
    remember(sy);
    state_.scale = sy / yhy;
  }
  state_.x.swap(trial_x_);
  state_.gradient.swap(trial_gradient_);
}

// Trades x and the gradient, which hold a step and a change, for spare storage of the same size.
void Lbfgs::remember(double curvature) {
  std::vector<LbfgsPair>& pairs = state_.history;
  if (static_cast<Index>(pairs.size()) < options_.memory) {
    pairs.push_back({std::vector<double>(state_.x.size()), std::vector<double>(state_.x.size())});
  } else {
    std::rotate(pairs.begin(), pairs.begin() + 1, pairs.end());
  }
  pairs.back().step.swap(state_.x);
  pairs.back().change.swap(state_.gradient);
  pairs.back().curvature = curvature;
}

LbfgsSummary minimize_lbfgs(const Objective& f, std::vector<double>& x, const LbfgsOptions& options,
                            const LbfgsCallback& callback, std::span<const double> diagonal) {
  Lbfgs lbfgs(options, diagonal);
  lbfgs.start(x);
  bool more = true, interrupted = false;
  for (Index iteration = 1; more && !interrupted; ++iteration) {
    more = lbfgs.step(f);
    const LbfgsState& state = lbfgs.state();
    if (state.iterations < iteration || !callback) continue;
    interrupted = !callback({iteration, state.evaluations, state.objective, state.gradient_norm,
                             state.step_length, state.nonzeros, state.x});
  }
  x = lbfgs.state().x;
  LbfgsSummary summary = lbfgs.summary();
  if (summary.stop == LbfgsStop::None) summary.stop = LbfgsStop::Callback;
  return summary;
}

}  // namespace thalweg
