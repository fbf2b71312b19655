#include "thalweg/learning/unrolled_descent.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "core/require.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

namespace thalweg {
namespace {

// @return false where all logits are -infinity
bool softmax(std::span<const double> logits, double* q) {
  const double top = *std::max_element(logits.begin(), logits.end());
  if (!(top > -kInfinity<double>)) return false;
  double sum = 0;
  for (std::size_t l = 0; l < logits.size(); ++l) sum += q[l] = std::exp(logits[l] - top);
  for (std::size_t l = 0; l < logits.size(); ++l) q[l] /= sum;
  return true;
}

// to += the slopes of logits whose softmax q has the slopes `slope`: 0 where q is.
void add_softmax_slopes(Table<const double> q, Table<const double> slope, Table<double> to) {
  for (Index t = 0; t < q.rows; ++t) {
    double mean = 0;
    for (Index l = 0; l < q.columns; ++l) mean += q[t][l] * slope[t][l];
    for (Index l = 0; l < q.columns; ++l) to[t][l] += q[t][l] * (slope[t][l] - mean);
  }
}

void check_examples(const GlobalEnergy& energy, std::span<const UnrolledExample> examples) {
  for (std::size_t n = 0; n < examples.size(); ++n) {
    const auto& [u, answer] = examples[n];
    const std::string where = "example " + std::to_string(n);
    if (u.columns != energy.labels())
      throw InputError(where,
                       "has energies of " + std::to_string(u.columns) + " labels, the energy " +
                           std::to_string(energy.labels()),
                       "give both the same");
    if (u.rows != static_cast<Index>(answer.size()))
      throw InputError(
          where,
          "has " + std::to_string(u.rows) + " positions and " + std::to_string(answer.size()) + " labels",
          "give each position one");
    if (!std::all_of(u.data, u.data + u.size(), [](double x) { return x > -kInfinity<double>; }))
      throw InputError(where, "has an energy that is NaN or -infinity",
                       "only +infinity has a meaning: forbidden");
    for (Label y : answer) {
      if (static_cast<Index>(y) >= energy.labels())
        throw InputError(where, "has the label " + std::to_string(y),
                         "labels are below " + std::to_string(energy.labels()));
    }
  }
}

}  // namespace

UnrolledDescent::UnrolledDescent(const UnrolledOptions& options) : options_(options) {
  const auto& [steps, rate, temperature] = options_;
  require(steps >= 0, "steps", steps, ">= 0");
  require(temperature > 0 && temperature < kInfinity<double>, "temperature", temperature, "finite and > 0");
  require(rate > 0 && rate * temperature <= 1, "rate", rate, "> 0 and at most 1 / temperature");
}

bool UnrolledDescent::run(const GlobalEnergy& energy, Table<const double> u) {
  const auto& [steps, rate, temperature] = options_;
  const double keep = 1 - rate * temperature;
  rows_ = u.rows;
  const Table<double> q = q_.resize((steps + 1) * u.rows, u.columns), z = logits_.resize(u.rows, u.columns);
  for (Index i = 0; i < u.size(); ++i) z.data[i] = -u.data[i] / temperature;
  for (Index k = 0;; ++k) {
    for (Index t = 0; t < u.rows; ++t) {
      if (!softmax(logits_.view().row(t), q[k * u.rows + t])) return false;
    }
    if (k == steps) return true;
    const Table<double> gradient = along_.resize(u.rows, u.columns);
    energy.evaluate(iterate(k), gradient);
    for (Index i = 0; i < u.size(); ++i) {
      if (u.data[i] < kInfinity<double>) z.data[i] = keep * z.data[i] - rate * (u.data[i] + gradient.data[i]);
    }
  }
}

void UnrolledDescent::labels(std::span<Label> y) const {
  for (Index t = 0; t < rows_; ++t) {
    const auto row = q().row(t);
    y[t] = static_cast<Label>(std::max_element(row.begin(), row.end()) - row.begin());
  }
}

// From dL/dlogits of q_n in slope_. The logits z follow
//
//     z_0 = -u / tau,      z_{k+1} = (1 - rate tau) z_k - rate (u + dE_g/dq (softmax z_k)).
void UnrolledDescent::reverse(const GlobalEnergy& energy, Table<double> to_u, std::span<double> to_weights) {
  const auto& [steps, rate, temperature] = options_;
  const Table<double> slope = slope_, along = along_.resize(rows_, slope_.columns());
  for (Index k = steps; k-- > 0;) {
    const Table<double> to_q = to_step_.resize(rows_, slope.columns);
    for (Index i = 0; i < slope.size(); ++i) {
      along.data[i] = -rate * slope.data[i];
      to_u.data[i] += along.data[i];
      slope.data[i] *= 1 - rate * temperature;
    }
    energy.pull_back(iterate(k), along, to_q, to_weights);
    add_softmax_slopes(iterate(k), to_q, slope);
  }
  for (Index i = 0; i < slope.size(); ++i) to_u.data[i] -= slope.data[i] / temperature;
}

void UnrolledDescent::pull_back(const GlobalEnergy& energy, Table<const double> slope, Table<double> to_u,
                                std::span<double> to_weights) {
  slope_.resize(rows_, slope.columns);
  add_softmax_slopes(q(), slope, slope_);
  reverse(energy, to_u, to_weights);
}

double UnrolledDescent::loss(const GlobalEnergy& energy, Table<const double> u, std::span<const Label> answer,
                             Table<double> to_u, std::span<double> to_weights) {
  for (Index t = 0; t < u.rows; ++t) {
    if (!(u[t][answer[t]] < kInfinity<double>)) return kInfinity<double>;
  }
  run(energy, u);
  const Table<double> slope = slope_.resize(u.rows, u.columns);
  double sum = 0;
  for (Index t = 0; t < u.rows; ++t) {
    const auto z = logits_.view().row(t);
    const double top = *std::max_element(z.begin(), z.end());
    double total = 0;
    for (double x : z) total += std::exp(x - top);
    sum += top + std::log(total) - z[answer[t]];
    for (Index l = 0; l < u.columns; ++l) slope[t][l] = q()[t][l] - (l == static_cast<Index>(answer[t]));
  }
  reverse(energy, to_u, to_weights);
  return sum;
}

UnrolledSummary train_unrolled(GlobalEnergy& energy, std::span<const UnrolledExample> examples,
                               const UnrolledTraining& o) {
  UnrolledDescent descent(o.descent);
  require(o.passes >= 0, "passes", o.passes, ">= 0");
  require(o.batch >= 1, "batch", o.batch, ">= 1");
  require(o.l2 >= 0 && o.l2 < kInfinity<double>, "l2", o.l2, "finite and >= 0");
  require(o.clip > 0, "clip", o.clip, "> 0", "infinity cuts nothing");
  check_examples(energy, examples);
  const auto count = static_cast<Index>(examples.size());
  const Index batches = (count + o.batch - 1) / o.batch;
  AdaptiveSteps adam(static_cast<Index>(energy.weights().size()),
                     {.method = AdaptiveMethod::Adam,
                      .rate = o.rate,
                      .halving = static_cast<double>(std::max<Index>(1, batches * o.passes / 4))});
  UnrolledSummary summary;
  std::vector<std::size_t> order(examples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<double> gradient(energy.weights().size());
  TableBuffer<double> to_u;
  Rng rng(o.seed);
  for (Index pass = 0; pass < o.passes; ++pass) {
    rng.shuffle(std::span(order));
    double total = 0;
    Index positions = 0, skipped = 0;
    for (Index begin = 0; begin < count; begin += o.batch) {
      const Index end = std::min(begin + o.batch, count);
      std::fill(gradient.begin(), gradient.end(), 0.0);
      Index seen = 0;
      for (Index n = begin; n < end; ++n) {
        const auto& [u, answer] = examples[order[n]];
        const double loss = descent.loss(energy, u, answer, to_u.resize(u.rows, u.columns), gradient);
        if (loss < kInfinity<double>)
          total += loss, seen += u.rows;
        else
          ++skipped;
      }
      const double mean = 1 / static_cast<double>(std::max<Index>(1, seen));
      const double norm =
          mean * std::sqrt(std::inner_product(gradient.begin(), gradient.end(), gradient.begin(), 0.0));
      for (double& g : gradient) g *= norm > o.clip ? mean * o.clip / norm : mean;
      adam.step(energy.weights(), gradient, o.l2);
      positions += seen;
    }
    summary.losses.push_back(total / static_cast<double>(std::max<Index>(1, positions)));
    summary.skipped = skipped;
  }
  return summary;
}

}  // namespace thalweg
