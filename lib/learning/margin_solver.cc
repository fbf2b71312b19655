#include "thalweg/learning/margin_solver.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/require.h"
#include "learning/margin_methods.h"
#include "learning/working_set.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

namespace thalweg {
namespace {

void check(const MarginProblem& problem, const MarginOptions& options) {
  require(options.lambda > 0 && std::isfinite(options.lambda), "lambda", options.lambda, "finite and > 0");
  require(options.gap >= 0, "gap", options.gap, ">= 0");
  require(options.passes >= 1, "iterations", options.passes, ">= 1");
  require(options.threads >= 1, "threads", options.threads, ">= 1");
  require(options.signs.empty() || std::ssize(options.signs) == problem.parameters(), "signs",
          fmt::format("{} signs", options.signs.size()),
          fmt::format("empty, or one for each of {} parameters", problem.parameters()));
  require(problem.blocks() > 0, "training data", "empty", "of one sequence at least");
  if (const auto* frank_wolfe = std::get_if<BlockFrankWolfe>(&options.method)) {
    require(frank_wolfe->inner_steps >= 1, "inner_steps", frank_wolfe->inner_steps, ">= 1");
    require(frank_wolfe->cached_passes >= 0, "cached_passes", frank_wolfe->cached_passes, ">= 0");
    require(frank_wolfe->patience >= 1, "patience", frank_wolfe->patience, ">= 1");
    require(frank_wolfe->lanes >= 1, "lanes", frank_wolfe->lanes, ">= 1");
  }
  if (const auto* planes = std::get_if<CuttingPlane>(&options.method))
    require(planes->patience >= 1, "patience", planes->patience, ">= 1");
}

}  // namespace

// --- a worker's weights

MarginWorker::MarginWorker(Index parameters, std::span<const Sign> signs)
    : sums_(static_cast<std::size_t>(parameters), 0.0), signs_(signs.begin(), signs.end()) {}

double MarginWorker::squared_norm() const {
  double sum = 0;
  for (Index f = 0; f < std::ssize(sums_); ++f) sum += clipped(f) * clipped(f);
  return sum;
}

// --- passes at fixed weights

OraclePass::OraclePass(const MarginProblem& problem, std::span<const Sign> signs, int threads)
    : problem_(problem), answers_(static_cast<std::size_t>(threads)) {
  for (int slot = 0; slot < threads; ++slot) workers_.push_back(problem.worker(signs));
}

void OraclePass::prepare(std::span<const double> sums) {
  for (const auto& worker : workers_) {
    std::copy(sums.begin(), sums.end(), worker->sums().begin());
    worker->refresh();
  }
}

// --- a run

MarginRun::MarginRun(const MarginProblem& p, const MarginOptions& o, const MarginCallback& callback)
    : problem(p), options(o), oracle(p, o.signs, o.threads), callback_(callback) {
  double total = 0;
  for (Index i = 0; i < problem.blocks(); ++i) {
    shares.push_back(problem.weight(i));
    total += shares.back();
  }
  for (double& share : shares) share /= total;
  bounds_.resize(shares.size());
}

void MarginRun::certify(std::span<const double> sums) {
  oracle.run(sums, [&](Index i, const Offence& offence, std::span<const Label>) {
    bounds_[static_cast<std::size_t>(i)] = offence.bound;
  });
  summary.oracle_calls += problem.blocks();
  certify(sums, bounds_);
}

void MarginRun::certify(std::span<const double> sums, std::span<const double> bounds) {
  double primal = options.lambda / 2 * oracle.squared_norm();
  for (std::size_t i = 0; i < shares.size(); ++i) primal += shares[i] * bounds[i];
  if (!(primal < summary.primal)) return;
  summary.primal = primal;
  summary.weights.assign(sums.begin(), sums.end());
  for (std::size_t f = 0; f < options.signs.size(); ++f)
    summary.weights[f] = clipped(summary.weights[f], options.signs[f]);
}

bool MarginRun::report(double dual, bool certified, double estimate) {
  ++summary.passes;
  summary.dual = std::max(summary.dual, dual);
  MarginProgress progress;
  progress.pass = summary.passes, progress.oracle_calls = summary.oracle_calls;
  progress.dual = dual, progress.gap_estimate = estimate;
  progress.weights = summary.weights;
  summary.gap = summary.primal - summary.dual;
  if (certified) progress.primal = summary.primal, progress.gap = summary.gap;
  const bool wanted = !callback_ || callback_(progress);
  if (certified && summary.gap <= options.gap) {
    summary.stopped = MarginSummary::Stop::Gap;
  } else if (!wanted) {
    summary.stopped = MarginSummary::Stop::Callback;
  } else if (summary.passes >= options.passes) {
    summary.stopped = MarginSummary::Stop::Passes;
  } else {
    return true;
  }
  return false;
}

// --- one-slack cutting planes

namespace {

// The minimum over all planes found so far, to a tenth of what the last one cuts off.
class PlaneModel {
 public:
  PlaneModel(MarginRun& run, const CuttingPlane& method)
      : run_(run), method_(method), sums_(static_cast<std::size_t>(run.problem.parameters()), 0.0) {
    slopes_.push_back(sums_);  // the loss is at least 0
    planes_.add(0, std::vector<double>{0});
    planes_.weights[0] = 1;
  }

  const std::vector<double>& sums() const { return sums_; }
  double dual() const { return planes_.height() - run_.options.lambda / 2 * squared_norm(); }

  void add(std::vector<double> slope, double height) {
    std::vector<double> products;
    slopes_.push_back(std::move(slope));
    for (const auto& other : slopes_) products.push_back(dot(slopes_.back(), other));
    planes_.add(height, products);
  }

  void minimize(double tolerance) {
    // With signs the products overrate how w moves: steps stay sound, and values are taken anew.
    const int rounds = run_.options.signs.empty() ? 1 : 100;
    for (int round = 0; round < rounds; ++round) {
      std::vector<double> values;
      double average = 0;
      for (std::size_t k = 0; k < slopes_.size(); ++k) {
        values.push_back(planes_.heights[k] - margin(slopes_[k]));
        average += planes_.weights[k] * values.back();
      }
      if (*std::max_element(values.begin(), values.end()) - average <= tolerance) break;
      climb(BlockFrankWolfe::Step::Pairwise, 10000, tolerance, 1 / run_.options.lambda, planes_, values);
      sum_up();
    }
    planes_.count_idle(true);
    planes_.forget([&](Index k) { return k > 0 && planes_.forgettable(k, method_.patience); },
                   [&](Index from, Index to) { slopes_[to].swap(slopes_[from]); });
    slopes_.resize(static_cast<std::size_t>(planes_.size()));
  }

 private:
  static double dot(std::span<const double> a, std::span<const double> b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  }
  double clip(std::size_t f) const {
    return run_.options.signs.empty() ? sums_[f] : clipped(sums_[f], run_.options.signs[f]);
  }
  double margin(std::span<const double> slope) const {
    double sum = 0;
    for (std::size_t f = 0; f < sums_.size(); ++f) sum += clip(f) * slope[f];
    return sum;
  }
  double squared_norm() const {
    double sum = 0;
    for (std::size_t f = 0; f < sums_.size(); ++f) sum += clip(f) * clip(f);
    return sum;
  }
  void sum_up() {
    std::fill(sums_.begin(), sums_.end(), 0.0);
    for (std::size_t k = 0; k < slopes_.size(); ++k) {
      const double by = planes_.weights[k] / run_.options.lambda;
      for (std::size_t f = 0; by != 0 && f < sums_.size(); ++f) sums_[f] += by * slopes_[k][f];
    }
  }

  MarginRun& run_;
  const CuttingPlane& method_;
  std::vector<std::vector<double>> slopes_;
  std::vector<double> sums_;  // v
  PlaneSet planes_;
};

}  // namespace

void run_method(MarginRun& run, const CuttingPlane& method) {
  const Index n = run.problem.blocks();
  PlaneModel model(run, method);
  const auto adder = run.problem.worker({});
  std::vector<std::vector<Label>> answers(static_cast<std::size_t>(n));
  std::vector<double> bounds(answers.size()), values(answers.size()), costs(answers.size());
  for (;;) {
    run.oracle.run(model.sums(), [&](Index i, const Offence& offence, std::span<const Label> y) {
      answers[i].assign(y.begin(), y.end());
      bounds[i] = offence.bound, values[i] = offence.value, costs[i] = offence.cost;
    });
    run.summary.oracle_calls += n;
    run.certify(model.sums(), bounds);
    const double dual = model.dual();
    if (!run.report(dual, true, std::numeric_limits<double>::quiet_NaN())) return;
    std::fill(adder->sums().begin(), adder->sums().end(), 0.0);
    adder->refresh();
    double height = 0, value = run.options.lambda / 2 * run.oracle.squared_norm();
    for (Index i = 0; i < n; ++i) {
      const std::vector<Label>& y = answers[i];
      adder->move(i, {y.data(), 1, std::ssize(y)}, std::span(&run.shares[i], 1));
      height += run.shares[i] * costs[i], value += run.shares[i] * values[i];
    }
    model.add({adder->sums().begin(), adder->sums().end()}, height);
    model.minimize(0.1 * std::max(value - dual, 0.0));
  }
}

// --- stochastic subgradient

// With v the sum of all slopes so far, w = v / (lambda t), and the average of the iterates weighted by t is
// 2 ((t + 1) v - u) / (lambda t (t + 1)), where u sums slopes times the steps they came with.
void run_method(MarginRun& run, const SubgradientDescent&) {
  const Index n = run.problem.blocks();
  const auto now = run.problem.worker(run.options.signs), dated = run.problem.worker({});
  std::vector<Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Index{0});
  std::vector<double> average(static_cast<std::size_t>(run.problem.parameters()));
  std::vector<Label> y;
  Rng rng(run.options.seed);
  double step = 0, heights = 0, dual = 0;
  do {
    rng.shuffle(std::span(order));
    for (Index i : order) {
      const double share = static_cast<double>(n) * run.shares[i];
      now->set_scale(1 / (run.options.lambda * std::max(step, 1.0)));
      now->visit(i);
      y.resize(run.problem.right(i).size());
      const Offence offence = now->most_offending(y);
      step += 1, heights += share * offence.cost;
      const double by_date = share * step;
      const Table<const Label> answer{y.data(), 1, std::ssize(y)};
      now->move(i, answer, {&share, 1});
      dated->move(i, answer, {&by_date, 1});
    }
    run.summary.oracle_calls += n;
    const double scale = 1 / (run.options.lambda * step);
    dual = heights / step - run.options.lambda / 2 * scale * scale * now->squared_norm();
    for (std::size_t f = 0; f < average.size(); ++f)
      average[f] = 2 * scale / (step + 1) * ((step + 1) * now->sums()[f] - dated->sums()[f]);
    run.certify(average);
  } while (run.report(dual, true, std::numeric_limits<double>::quiet_NaN()));
}

// --- all of them

MarginSummary minimize_margin_loss(const MarginProblem& problem, const MarginOptions& options,
                                   const MarginCallback& callback) {
  check(problem, options);
  MarginRun run(problem, options, callback);
  std::visit([&](const auto& method) { run_method(run, method); }, options.method);
  return std::move(run.summary);
}

}  // namespace thalweg
