#include "thalweg/optimization/adaptive_steps.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/require.h"
#include "thalweg/core/error.h"
#include "thalweg/core/parallel.h"

namespace thalweg {
namespace {

constexpr Index kChunk = 16384;

double shrink(double x, double by) { return std::copysign(std::max(std::abs(x) - by, 0.0), x); }

}  // namespace

AdaptiveSteps::AdaptiveSteps(Index dimension, const AdaptiveOptions& o) : options_(o) {
  const auto positive = [](double x) { return x > 0 && std::isfinite(x); };
  require(positive(o.rate), "rate", o.rate, "finite and > 0");
  require(positive(o.epsilon), "epsilon", o.epsilon, "finite and > 0");
  require(positive(o.halving), "halving", o.halving, "finite and > 0");
  require(o.mean_decay >= 0 && o.mean_decay < 1, "mean_decay", o.mean_decay, "in [0, 1)");
  require(o.square_decay >= 0 && o.square_decay < 1, "square_decay", o.square_decay, "in [0, 1)");
  state_.squares.assign(static_cast<std::size_t>(dimension), 0.0);
  if (o.method == AdaptiveMethod::Adam) state_.mean.assign(static_cast<std::size_t>(dimension), 0.0);
}

void AdaptiveSteps::step(std::span<double> x, std::span<const double> gradient, double l2, double l1,
                         int threads) {
  const double t = static_cast<double>(++state_.steps);
  const auto adagrad = [&](Index i) {
    const double g = gradient[i] + 2 * l2 * x[i];
    if (g == 0 && state_.squares[i] == 0) return;
    state_.squares[i] += g * g;
    const double rate = options_.rate / (std::sqrt(state_.squares[i]) + options_.epsilon);
    x[i] = shrink(x[i] - rate * g, rate * l1);
  };
  const double a = options_.mean_decay, b = options_.square_decay;
  const double mean_scale = 1 / (1 - std::pow(a, t)), square_scale = 1 / (1 - std::pow(b, t));
  const double slower = options_.rate / std::sqrt(1 + (t - 1) / options_.halving);
  const auto adam = [&](Index i) {
    const double g = gradient[i] + 2 * l2 * x[i];
    if (g == 0 && state_.squares[i] == 0) return;
    state_.mean[i] = a * state_.mean[i] + (1 - a) * g;
    state_.squares[i] = b * state_.squares[i] + (1 - b) * g * g;
    const double rate = slower / (std::sqrt(state_.squares[i] * square_scale) + options_.epsilon);
    x[i] = shrink(x[i] - rate * mean_scale * state_.mean[i], rate * l1);
  };
  parallel_chunks(static_cast<Index>(x.size()), kChunk, threads, [&](Index begin, Index end, int) {
    if (options_.method == AdaptiveMethod::Adagrad) {
      for (Index i = begin; i < end; ++i) adagrad(i);
    } else {
      for (Index i = begin; i < end; ++i) adam(i);
    }
  });
}

void AdaptiveSteps::restore(AdaptiveState state) {
  if (state.squares.size() != state_.squares.size() || state.mean.size() != state_.mean.size())
    throw InputError("state.adaptive", "its sizes are those of another problem or method",
                     "go on from a state of the same training");
  state_ = std::move(state);
}

}  // namespace thalweg
