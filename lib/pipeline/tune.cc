#include "thalweg/pipeline/tune.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <tuple>

#include "thalweg/core/error.h"
#include "thalweg/core/parallel.h"

namespace thalweg {
namespace {

constexpr int kRounds = 3;     // of taking turns; the second seldom moves anything
constexpr int kBeyond = 3;     // powers of ten that the grid may grow by at an end
constexpr int kDoublings = 2;  // a third would pass half of the way to the next power of ten

void check(const TuneOptions& o, const TrainOptions& training) {
  if (!std::holds_alternative<LikelihoodLoss>(training.loss))
    throw OptionError("tune", "the perceptron has no regulariser", "leave it out");
  if (o.patience < 1) throw OptionError("patience", "must be >= 1", "10 is the default");
}

bool better(const Trial& a, const Trial& b) {
  if (a.abandoned != b.abandoned) return b.abandoned;
  return std::tie(a.quality, a.c1, a.c2) > std::tie(b.quality, b.c1, b.c2);
}

// A point of the search is (c1, c2); a move changes one of them.
class Search {
 public:
  Search(double c1, double c2, const TuneOptions& options, const TrialRun& run, const TuneCallback& callback)
      : options_(options), run_(run), callback_(callback), at_{c1, c2} {
    if (!options.c1 && !options.c2) throw OptionError("tune", "names nothing to choose", "as in c1,c2");
    if (!(options.lowest > 0 && options.highest >= options.lowest && std::isfinite(options.highest)))
      throw OptionError("tune", "has a grid from nothing to nothing", "take 0 < lowest <= highest");
  }

  Tuned run() {
    for (int round = 0; round < kRounds; ++round) {
      const std::size_t before = tuned_.chosen;
      if (options_.c2) choose(1);
      if (options_.c1) choose(0);
      if (!(options_.c1 && options_.c2) || (round > 0 && tuned_.chosen == before)) break;
    }
    return std::move(tuned_);
  }

 private:
  using Point = std::array<double, 2>;

  void choose(std::size_t which) {
    if (which == 0 && at_[1] > 0) move(which, 0);  // without any regulariser there may be no optimum
    for (double c = options_.lowest; c <= options_.highest * 1.001; c *= 10) move(which, c);
    extend(which, options_.lowest, 0.1);
    extend(which, options_.highest, 10);
    if (!refine(which, 2)) refine(which, 0.5);
  }

  // Goes on in a direction while the end of the grid is the best.
  void extend(std::size_t which, double end, double by) {
    for (int i = 0; i < kBeyond && std::abs(at_[which] - end) <= 0.01 * end; ++i) move(which, end *= by);
  }

  bool refine(std::size_t which, double by) {
    int moved = 0;
    while (moved < kDoublings && at_[which] > 0 && move(which, at_[which] * by)) ++moved;
    return moved > 0;
  }

  // Tries the value; whether it is the best so far, where the search then stands.
  bool move(std::size_t which, double value) {
    Point to = at_;
    to[which] = rounded(value);
    if (known(to)) return false;
    const bool first = tuned_.trials.empty();
    Trial trial = run_(to[0], to[1], first ? nullptr : &tuned_.trials[tuned_.chosen]);
    trial.c1 = to[0], trial.c2 = to[1];
    tuned_.trials.push_back(trial);
    if (callback_) callback_(trial);
    if (!first && !better(trial, tuned_.best())) return false;
    tuned_.chosen = tuned_.trials.size() - 1;
    at_ = to;
    return true;
  }

  bool known(const Point& p) const {
    return std::any_of(tuned_.trials.begin(), tuned_.trials.end(),
                       [&](const Trial& t) { return t.c1 == p[0] && t.c2 == p[1]; });
  }

  // Products of powers of ten and two to six digits, so that 0.1 is what people write.
  static double rounded(double value) { return std::stod(fmt::format("{:.6g}", value)); }

  const TuneOptions& options_;
  const TrialRun& run_;
  const TuneCallback& callback_;
  Point at_;
  Tuned tuned_;
};

// Whether weights of another choice of regularisers are a start: the solver must take one.
bool starts_warm(const TrainOptions& o) { return o.solver == Solver::Lbfgs || o.c1 > 0 || !(o.c2 > 0); }

TrainOptions with(double c1, double c2, TrainOptions o) {
  o.c1 = c1, o.c2 = c2, o.resume = nullptr;
  return o;
}

// Folds and what each has learnt under the choice before.
class Folds {
 public:
  Folds(std::span<Fold> folds, const TuneOptions& options) : folds_(folds), options_(options) {
    before_.resize(folds.size()), scores_.resize(folds.size());
  }

  Trial run(const TrainOptions& training, const Trial* best) {
    const std::size_t half = (folds_.size() + 1) / 2;
    train(0, half, training);
    Trial trial = summed(half);
    trial.first_half = trial.quality;
    trial.abandoned = best && trial.first_half + options_.behind < best->first_half;
    if (trial.abandoned) return trial;
    train(half, folds_.size(), training);
    Trial all = summed(folds_.size());
    all.first_half = trial.first_half;
    return all;
  }

 private:
  void train(std::size_t begin, std::size_t end, const TrainOptions& training) {
    const Index count = static_cast<Index>(end - begin);
    TrainOptions each = training;
    each.threads = std::max(1, training.threads / static_cast<int>(std::max<Index>(1, count)));
    parallel_chunks(count, 1, training.threads, [&](Index i, Index, int) {
      const std::size_t k = begin + static_cast<std::size_t>(i);
      TrainOptions o = each;
      if (before_[k] && starts_warm(o)) o.init = &*before_[k];
      scores_[k] = validate_fold(folds_[k], o);
      before_[k] = folds_[k].examples.model;
    });
  }

  // Over the first `count`.
  Trial summed(std::size_t count) const {
    const std::span<const FoldScore> done = std::span(scores_).first(count);
    Trial trial;
    const Spread quality = spread(done, [](const LabellingScore& s) { return s.quality(); });
    trial.quality = quality.mean, trial.deviation = quality.deviation;
    trial.f1 = spread(done, [](const LabellingScore& s) { return s.f1; }).mean;
    trial.accuracy = spread(done, [](const LabellingScore& s) { return s.accuracy; }).mean;
    for (const FoldScore& fold : done) {
      trial.iterations += fold.training.iterations;
      trial.seconds += fold.training.seconds;
    }
    return trial;
  }

  std::span<Fold> folds_;
  const TuneOptions& options_;
  std::vector<std::optional<Model>> before_;
  std::vector<FoldScore> scores_;
};

}  // namespace

Tuned search(double c1, double c2, const TuneOptions& options, const TrialRun& run,
             const TuneCallback& callback) {
  return Search(c1, c2, options, run, callback).run();
}

Tuned tune(const Examples& examples, const DevelopmentSet& development, const TrainOptions& training,
           const TuneOptions& options, const TuneCallback& callback) {
  check(options, training);
  std::optional<Model> before;
  const auto run = [&](double c1, double c2, const Trial*) {
    TrainOptions o = with(c1, c2, training);
    o.patience = std::min(o.patience, options.patience);
    if (before && starts_warm(o)) o.init = &*before;
    Model model = examples.model;
    const TrainSummary done = train_model(model, examples.data, &development, o);
    const LabellingScore at = score(model, development, o.threads);
    before = std::move(model);
    Trial trial;
    trial.f1 = at.f1, trial.accuracy = at.accuracy, trial.quality = at.quality();
    trial.iterations = done.iterations, trial.seconds = done.seconds;
    return trial;
  };
  return search(training.c1, training.c2, options, run, callback);
}

Tuned tune(std::span<Fold> folds, const TrainOptions& training, const TuneOptions& options,
           const TuneCallback& callback) {
  check(options, training);
  Folds all(folds, options);
  const auto run = [&](double c1, double c2, const Trial* best) {
    return all.run(with(c1, c2, training), best);
  };
  return search(training.c1, training.c2, options, run, callback);
}

}  // namespace thalweg
