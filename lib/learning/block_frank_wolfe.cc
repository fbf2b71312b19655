#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <utility>

#include "learning/margin_methods.h"
#include "learning/working_set.h"
#include "thalweg/core/random.h"

namespace thalweg {

using Step = BlockFrankWolfe::Step;
using Order = BlockFrankWolfe::Order;

// --- steps over the planes of one block

namespace {

double average(const PlaneSet& planes, std::span<const double> values) {
  return std::inner_product(values.begin(), values.end(), planes.weights.begin(), 0.0);
}

// Weights move along e_best - e_worst, by `share` at most.
double pair_step(Index best, Index worst, double h, PlaneSet& planes, std::span<double> values) {
  const double* const up = planes.row(best);
  const double* const down = planes.row(worst);
  const double slope = values[best] - values[worst], bend = h * (up[best] - 2 * up[worst] + down[worst]);
  double& left = planes.weights[worst];
  const double by = slope < bend * left ? slope / bend : left;
  left = by == left ? 0 : left - by;
  planes.weights[best] += by;
  for (Index k = 0; k < planes.size(); ++k) values[k] -= by * h * (up[k] - down[k]);
  return by;
}

// Weights move along e_to - weights, where negative steps lead away and leave no weight below 0.
void vertex_step(Index to, bool away, double h, PlaneSet& planes, std::span<double> values) {
  const Index m = planes.size();
  std::vector<double> mixed(static_cast<std::size_t>(m));  // products of the planes with their average
  for (Index k = 0; k < m; ++k)
    mixed[k] = std::inner_product(planes.row(k), planes.row(k) + m, planes.weights.begin(), 0.0);
  const double inner = std::inner_product(mixed.begin(), mixed.end(), planes.weights.begin(), 0.0);
  const double sign = away ? -1 : 1, slope = sign * (values[to] - average(planes, values)),
               bend = h * (planes.row(to)[to] - 2 * mixed[to] + inner), weight = planes.weights[to],
               most = !away        ? 1
                      : weight < 1 ? weight / (1 - weight)
                                   : 0;
  const double by = slope < bend * most ? slope / bend : most;
  for (double& w : planes.weights) w *= 1 - sign * by;
  planes.weights[to] = away && by == most ? 0 : planes.weights[to] + sign * by;
  for (Index k = 0; k < m; ++k) values[k] -= sign * by * h * (planes.row(to)[k] - mixed[k]);
}

}  // namespace

void climb(Step step, Index steps, double tolerance, double h, PlaneSet& planes, std::span<double> values) {
  for (Index made = 0; made < steps; ++made) {
    Index best = 0, worst = -1;
    for (Index k = 0; k < planes.size(); ++k) {
      if (values[k] > values[best]) best = k;
      if (planes.weights[k] > 0 && (worst < 0 || values[k] < values[worst])) worst = k;
    }
    const double mean = average(planes, values), rise = values[best] - mean;
    if (!(rise > tolerance) || best == worst) return;
    if (step == Step::Pairwise) {
      pair_step(best, worst, h, planes, values);
    } else if (step == Step::Away && mean - values[worst] > rise) {
      vertex_step(worst, true, h, planes, values);
    } else {
      vertex_step(best, false, h, planes, values);
    }
  }
}

// --- blocks and lanes

namespace {

// The answers of one block that are in use, the right one the first.
struct WorkingSet {
  PlaneSet planes;
  std::vector<Label> answers;  // [m x parts]
  Index parts = 0;
  double gap = kInfinity<double>;  // as the last call of the oracle saw it
  Index round = -1;                // of the last visit

  Table<const Label> table() const { return {answers.data(), planes.size(), parts}; }
};

// Some of the blocks, and weights of its own.
class Lane {
 public:
  Lane(MarginRun& run, const BlockFrankWolfe& method, std::vector<WorkingSet>& sets, Index number)
      : run_(run),
        method_(method),
        sets_(sets),
        rng_(Rng(run.options.seed).fork(static_cast<std::uint64_t>(number))),
        worker_(run.problem.worker(run.options.signs)) {
    for (Index i = number; i < run.problem.blocks(); i += method.lanes) own_.push_back(i);
    order_ = own_;
  }

  // @param cached a pass without the oracle: it leaves out blocks that the last one found little amiss with
  void begin_pass(bool cached) {
    if (cached) {
      double total = 0;
      for (Index i : own_) total += sets_[i].gap;
      const double least = kLittle * total / static_cast<double>(own_.size());
      order_.clear();
      std::copy_if(own_.begin(), own_.end(), std::back_inserter(order_),
                   [&](Index i) { return sets_[i].gap > least; });
      rng_.shuffle(std::span(order_));
      return;
    }
    // Gaps grow old: now and then each block has to be seen.
    const bool all =
        method_.order == Order::Permuted || (method_.order == Order::Gaps && pass_ % kSurvey == 0);
    ++pass_;
    if (all || !draw()) {
      order_ = own_;
      rng_.shuffle(std::span(order_));
    }
  }
  Index visits() const { return std::ssize(order_); }
  // Visits the blocks [begin, end) of the order. @param cached without the oracle
  void run(Index begin, Index end, Index round, bool cached) {
    log_.clear(), kept_.clear();
    raised_ = 0;
    for (Index v = begin; v < std::min(end, visits()); ++v) visit(order_[v], round, cached);
  }
  // By how much the last run has raised sum_i c_i sum_y alpha_i(y) Delta_i(y).
  double raised() const { return raised_; }
  // Takes back what the last run did, but for `share` of it.
  void keep_share(double share) {
    const double* before = kept_.data();
    for (const auto& [block, size] : log_) {
      PlaneSet& planes = sets_[block].planes;
      for (Index k = 0; k < planes.size(); ++k) {
        const double old = k < size ? before[k] : 0;
        planes.weights[k] = old + share * (planes.weights[k] - old);
      }
      before += size;
    }
  }

  // Aims at `s` times the way of the weights since the last anchor. The worker's sums move by what blocks
  // fall short of it. Returns by how much the heights would rise.
  double aim(double s) {
    double rise = 0;
    for (Index i : own_) {
      const PlaneSet& planes = sets_[i].planes;
      const double h = run_.shares[i] / run_.options.lambda;
      const bool stopped = planes.aim(s, target_);
      for (std::size_t k = 0; k < target_.size(); ++k) {
        const double by = target_[k] - planes.weights[k];
        rise += run_.shares[i] * by * planes.heights[k];
        target_[k] = h * (by - s * (planes.weights[k] - planes.anchor[k]));
      }
      if (stopped) worker_->move(i, sets_[i].table(), target_);
    }
    return rise;
  }
  // Goes `share` of the way to where aim(s) leads. The anchor is where it comes from.
  void go(double s, double share) {
    for (Index i : own_) {
      PlaneSet& planes = sets_[i].planes;
      if (share > 0) planes.aim(s, target_);
      planes.anchor = planes.weights;
      for (std::size_t k = 0; share > 0 && k < target_.size(); ++k)
        planes.weights[k] += share * (target_[k] - planes.weights[k]);
    }
  }

  std::span<const double> sums() const { return std::as_const(*worker_).sums(); }
  double squared_norm() const { return worker_->squared_norm(); }
  void set_sums(std::span<const double> sums) {
    std::copy(sums.begin(), sums.end(), worker_->sums().begin());
    worker_->refresh();
  }
  Index take_calls() { return std::exchange(calls_, 0); }

 private:
  static constexpr Index kSurvey = 10;    // passes
  static constexpr double kLittle = 0.5;  // of the mean gap

  // n draws, uniform or by gap; false where there is no gap left.
  bool draw() {
    std::vector<double> cumulative;
    double total = 0;
    for (Index i : own_) {
      const double gap = std::max(sets_[i].gap * run_.shares[i], 0.0);
      cumulative.push_back(total += method_.order == Order::Gaps ? gap : 1);
    }
    if (!(total > 0)) return false;
    order_.resize(own_.size());
    for (Index& i : order_) {
      const auto found = std::upper_bound(cumulative.begin(), cumulative.end(), rng_.uniform() * total);
      i = own_[std::min<std::size_t>(found - cumulative.begin(), own_.size() - 1)];
    }
    return true;
  }

  void begin_visit(Index block, WorkingSet& set, Index round) {
    if (set.planes.size() == 0) {
      const auto right = run_.problem.right(block);
      set.parts = std::ssize(right);
      set.answers.assign(right.begin(), right.end());
      set.planes.add(0, std::vector<double>{0});
      set.planes.weights[0] = set.planes.anchor[0] = 1;
    }
    if (set.round == round) return;  // the log has it as it was before the first visit of the round
    set.round = round;
    set.planes.forget([&](Index k) { return k > 0 && set.planes.forgettable(k, method_.patience); },
                      [&](Index from, Index to) {
                        std::copy_n(set.answers.begin() + from * set.parts, set.parts,
                                    set.answers.begin() + to * set.parts);
                      });
    set.answers.resize(static_cast<std::size_t>(set.planes.size() * set.parts));
    log_.push_back({block, set.planes.size()});
    kept_.insert(kept_.end(), set.planes.weights.begin(), set.planes.weights.end());
  }

  void visit(Index block, Index round, bool cached) {
    WorkingSet& set = sets_[block];
    begin_visit(block, set, round);
    PlaneSet& planes = set.planes;
    worker_->visit(block);
    values_.resize(planes.weights.size());
    worker_->margins(set.table(), values_);
    for (std::size_t k = 0; k < values_.size(); ++k) values_[k] = planes.heights[k] - values_[k];
    if (!cached) ask_oracle(set);
    step_ = planes.weights;
    const double h = run_.shares[block] / run_.options.lambda;
    climb(method_.step, method_.inner_steps, 0, h, planes, values_);
    planes.count_idle(!cached);
    for (std::size_t k = 0; k < step_.size(); ++k) {
      step_[k] = h * (planes.weights[k] - step_[k]);
      raised_ += run_.options.lambda * step_[k] * planes.heights[k];
    }
    worker_->move(block, set.table(), step_);
  }

  void ask_oracle(WorkingSet& set) {
    answer_.resize(static_cast<std::size_t>(set.parts));
    const Offence offence = worker_->most_offending(answer_);
    ++calls_;
    set.gap = offence.bound - average(set.planes, values_);
    if (offence.value > *std::max_element(values_.begin(), values_.end())) add(offence, set);
  }

  // Higher than all planes that are known, and so new but for rounding.
  void add(const Offence& offence, WorkingSet& set) {
    const Table<const Label> known = set.table();
    for (Index k = 0; k < known.rows; ++k) {
      if (std::equal(answer_.begin(), answer_.end(), known[k])) return;
    }
    products_.resize(static_cast<std::size_t>(known.rows + 1));
    set.answers.insert(set.answers.end(), answer_.begin(), answer_.end());
    worker_->products(answer_, {set.answers.data(), known.rows + 1, set.parts}, products_);
    set.planes.add(offence.cost, products_);
    values_.push_back(offence.value);
  }

  struct Visited {
    Index block, planes;
  };

  MarginRun& run_;
  const BlockFrankWolfe& method_;
  std::vector<WorkingSet>& sets_;
  Rng rng_;
  std::unique_ptr<MarginWorker> worker_;
  std::vector<Index> own_, order_;
  Index pass_ = 0;
  std::vector<Visited> log_;  // blocks of the last run ...
  std::vector<double> kept_;  // ... with the weights they had before
  double raised_ = 0;
  Index calls_ = 0;
  std::vector<Label> answer_;
  std::vector<double> values_, step_, target_, products_;
};

class BlockClimb {
 public:
  BlockClimb(MarginRun& run, const BlockFrankWolfe& method)
      : run_(run),
        method_(method),
        sets_(static_cast<std::size_t>(run.problem.blocks())),
        sums_(static_cast<std::size_t>(run.problem.parameters()), 0.0),
        anchor_(sums_) {
    method_.lanes = std::min(method.lanes, run.problem.blocks());
    for (Index lane = 0; lane < method_.lanes; ++lane) lanes_.emplace_back(run, method_, sets_, lane);
  }

  void pass(bool cached) {
    for (Lane& lane : lanes_) lane.begin_pass(cached);
    Index most = 0;
    for (const Lane& lane : lanes_) most = std::max(most, lane.visits());
    const Index length = round_length();
    for (Index begin = 0; begin < most; begin += length) {
      on_lanes([&](Lane& lane) { lane.run(begin, begin + length, round_, cached); });
      join();
      ++round_;
    }
    for (Lane& lane : lanes_) run_.summary.oracle_calls += lane.take_calls();
  }

  // Goes on along the way since the last call, if that is worth while.
  void accelerate() {
    const double height = this->height();
    const double s =
        line_search(height - anchor_height_, [&](std::size_t f) { return sums_[f] - anchor_[f]; });
    double share = 0;
    if (s > kWorthwhile) {
      std::vector<double> rises(lanes_.size());
      on_lanes([&](Lane& lane) { rises[&lane - lanes_.data()] = lane.aim(s); });
      way_.resize(sums_.size());
      for (std::size_t f = 0; f < way_.size(); ++f) {
        way_[f] = s * (sums_[f] - anchor_[f]);
        for (const Lane& lane : lanes_) way_[f] += lane.sums()[f] - sums_[f];
      }
      share = line_search(std::accumulate(rises.begin(), rises.end(), 0.0),
                          [&](std::size_t f) { return way_[f]; });
    }
    anchor_ = sums_, anchor_height_ = height;
    for (std::size_t f = 0; share > 0 && f < way_.size(); ++f) sums_[f] += share * way_[f];
    on_lanes([&](Lane& lane) {
      lane.go(s, share);
      lane.set_sums(sums_);
    });
  }

  // v after the last pass: at what a line search adds to it the dual is higher, and the primal often, too.
  std::span<const double> after_pass() const { return method_.accelerate ? anchor_ : sums_; }
  double dual() const { return height() - run_.options.lambda / 2 * lanes_.front().squared_norm(); }
  double gap_estimate() const {
    double sum = 0;
    for (std::size_t i = 0; i < sets_.size(); ++i) sum += run_.shares[i] * sets_[i].gap;
    return sum;
  }

 private:
  static constexpr double kWorthwhile = 0.05;
  static constexpr Index kRound = 32;

  template <class Body>
  void on_lanes(Body body) {
    parallel_chunks(std::ssize(lanes_), 1, run_.options.threads,
                    [&](Index lane, Index, int) { body(lanes_[lane]); });
  }

  // Joining costs O(D): rounds are long enough for it not to show, and short enough for lanes to hear of each
  // other.
  Index round_length() const {
    const Index all = run_.problem.blocks() / std::ssize(lanes_);
    if (lanes_.size() == 1) return all;
    return std::max({std::min(all / 8, kRound), run_.problem.parameters() / 256, Index{1}});
  }

  double height() const {
    double sum = 0;
    for (std::size_t i = 0; i < sets_.size(); ++i) sum += run_.shares[i] * sets_[i].planes.height();
    return sum;
  }

  double clip(std::size_t f) const {
    return run_.options.signs.empty() ? sums_[f] : clipped(sums_[f], run_.options.signs[f]);
  }

  // The best of [0, 1] along a way from sums_: D is at least its value here plus s slope - s^2 bend / 2, and
  // no more where there are no signs. @param rise of the heights along it
  template <class Way>
  double line_search(double rise, Way way) const {
    double inner = 0, square = 0;
    for (std::size_t f = 0; f < sums_.size(); ++f) {
      const double d = way(f);
      inner += clip(f) * d, square += d * d;
    }
    const double slope = rise - run_.options.lambda * inner, bend = run_.options.lambda * square;
    if (!(slope > 0)) return 0;
    return slope < bend ? slope / bend : 1;
  }

  // What the lanes have done together may be too much.
  void join() {
    if (lanes_.size() == 1) {
      std::copy(lanes_[0].sums().begin(), lanes_[0].sums().end(), sums_.begin());
      return;
    }
    double rise = 0;
    for (const Lane& lane : lanes_) rise += lane.raised();
    way_.assign(sums_.size(), 0.0);
    for (const Lane& lane : lanes_) {
      for (std::size_t f = 0; f < way_.size(); ++f) way_[f] += lane.sums()[f] - sums_[f];
    }
    const double share = line_search(rise, [&](std::size_t f) { return way_[f]; });
    for (std::size_t f = 0; f < way_.size(); ++f) sums_[f] += share * way_[f];
    on_lanes([&](Lane& lane) {
      if (share != 1) lane.keep_share(share);
      lane.set_sums(sums_);
    });
  }

  MarginRun& run_;
  BlockFrankWolfe method_;
  std::vector<WorkingSet> sets_;
  std::vector<Lane> lanes_;
  std::vector<double> sums_, way_;  // v that all lanes agree on
  std::vector<double> anchor_;      // v after the pass before
  double anchor_height_ = 0;
  Index round_ = 0;
};

}  // namespace

void run_method(MarginRun& run, const BlockFrankWolfe& method) {
  BlockClimb climb(run, method);
  double true_share = 0.5;  // of the gap in what visits see of it: changes slowly
  for (;;) {
    climb.pass(false);
    for (Index pass = 0; pass < method.cached_passes; ++pass) climb.pass(true);
    if (method.accelerate) climb.accelerate();
    const double dual = climb.dual(), estimate = climb.gap_estimate();
    const bool certified =
        run.options.certify_each_pass || run.last_pass() || true_share * estimate <= run.options.gap;
    if (certified) {
      run.certify(climb.after_pass());
      if (estimate > 0) true_share = std::clamp((run.summary.primal - dual) / estimate, 0.05, 1.0);
    }
    if (!run.report(dual, certified, estimate)) return;
  }
}

}  // namespace thalweg
