#include <algorithm>
#include <cmath>
#include <numeric>

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
  double gap = kInfinity<double>;  // as the last visit saw it
  Index round = -1;                // of the last visit

  Table<const Label> table() const { return {answers.data(), planes.size(), parts}; }
};

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

  void begin_pass() {
    const bool first = sets_[static_cast<std::size_t>(own_.front())].round < 0;
    if (method_.order == Order::Permuted || first) {
      order_ = own_;
      rng_.shuffle(std::span(order_));
    } else if (method_.order == Order::Uniform) {
      for (Index& i : order_) i = own_[rng_.below(own_.size())];
    } else {
      draw_by_gap();
    }
  }

  Index visits() const { return std::ssize(order_); }

  // Visits the blocks [begin, end) of the order.
  void run(Index begin, Index end, Index round) {
    log_.clear(), kept_.clear();
    for (Index v = begin; v < std::min(end, visits()); ++v) visit(order_[v], round);
  }

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

  MarginWorker& worker() { return *worker_; }
  double raised() const { return raised_; }

 private:
  void draw_by_gap() {
    cumulative_.clear();
    double total = 0;
    for (Index i : own_) cumulative_.push_back(total += std::max(sets_[i].gap * run_.shares[i], 0.0));
    for (Index& i : order_) {
      const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), rng_.uniform() * total);
      i = own_[std::min<std::size_t>(at - cumulative_.begin(), own_.size() - 1)];
    }
  }

  void begin_visit(Index block, WorkingSet& set, Index round) {
    if (set.planes.size() == 0) {
      const auto right = run_.problem.right(block);
      set.parts = std::ssize(right);
      set.answers.assign(right.begin(), right.end());
      set.planes.add(0, std::vector<double>{0});
      set.planes.weights[0] = 1;
    }
    if (set.round == round) return;
    set.round = round;
    set.planes.forget([&](Index k) { return k > 0 && set.planes.idle[k] > method_.patience; },
                      [&](Index from, Index to) {
                        std::copy_n(set.answers.begin() + from * set.parts, set.parts,
                                    set.answers.begin() + to * set.parts);
                      });
    set.answers.resize(static_cast<std::size_t>(set.planes.size() * set.parts));
    log_.push_back({block, set.planes.size()});
    kept_.insert(kept_.end(), set.planes.weights.begin(), set.planes.weights.end());
  }

  void visit(Index block, Index round) {
    WorkingSet& set = sets_[block];
    begin_visit(block, set, round);
    PlaneSet& planes = set.planes;
    worker_->visit(block);
    answer_.resize(static_cast<std::size_t>(set.parts));
    const Offence offence = worker_->most_offending(answer_);
    values_.resize(static_cast<std::size_t>(planes.size()));
    worker_->margins(set.table(), values_);
    for (std::size_t k = 0; k < values_.size(); ++k) values_[k] = planes.heights[k] - values_[k];
    const double mean = average(planes, values_);
    set.gap = offence.bound - mean;
    if (offence.value > *std::max_element(values_.begin(), values_.end())) add(offence, set);
    before_ = planes.weights;
    const double share = run_.shares[block], h = share / run_.options.lambda;
    climb(method_.step, method_.inner_steps, 0, h, planes, values_);
    planes.count_idle();
    for (std::size_t k = 0; k < before_.size(); ++k) before_[k] = h * (planes.weights[k] - before_[k]);
    worker_->move(block, set.table(), before_);
  }

  // A plane that no other one is as high as, and so is new but for rounding.
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
    Index block, size;
  };

  MarginRun& run_;
  const BlockFrankWolfe& method_;
  std::vector<WorkingSet>& sets_;
  Rng rng_;
  std::unique_ptr<MarginWorker> worker_;
  std::vector<Index> own_, order_;
  std::vector<double> cumulative_;
  std::vector<Visited> log_;  // blocks of the last run, with the weights they had before
  std::vector<double> kept_;
  double raised_ = 0;
  std::vector<Label> answer_;
  std::vector<double> values_, before_, products_;
};

class BlockClimb {
 public:
  BlockClimb(MarginRun& run, const BlockFrankWolfe& method)
      : run_(run), method_(method), sets_(static_cast<std::size_t>(run.problem.blocks())) {
    method_.lanes = std::min(method.lanes, run.problem.blocks());
    for (Index lane = 0; lane < method_.lanes; ++lane) lanes_.emplace_back(run, method_, sets_, lane);
    sums_.assign(static_cast<std::size_t>(run.problem.parameters()), 0.0);
  }

  void pass() {
    for (Lane& lane : lanes_) lane.begin_pass();
    const Index most = lanes_.front().visits(), length = round_length();
    for (Index begin = 0; begin < most; begin += length) {
      parallel_chunks(std::ssize(lanes_), 1,
                      std::min<int>(run_.options.threads, static_cast<int>(lanes_.size())),
                      [&](Index lane, Index, int) { lanes_[lane].run(begin, begin + length, round_); });
      if (lanes_.size() > 1) join();
      ++round_;
    }
    run_.summary.oracle_calls += run_.problem.blocks();
  }

  std::span<const double> sums() { return lanes_.front().worker().sums(); }

  double height() const {
    double sum = 0;
    for (std::size_t i = 0; i < sets_.size(); ++i) sum += run_.shares[i] * sets_[i].planes.height();
    return sum;
  }
  double dual() { return height() - run_.options.lambda / 2 * lanes_.front().worker().squared_norm(); }
  double gap_estimate() const {
    double sum = 0;
    for (std::size_t i = 0; i < sets_.size(); ++i) sum += run_.shares[i] * sets_[i].gap;
    return sum;
  }

 private:
  // Joining costs O(D): rounds are long enough for it not to show, and short enough for lanes to hear of each
  // other.
  Index round_length() const {
    const Index all = lanes_.front().visits();
    if (lanes_.size() == 1) return all;
    return std::max({all / 8 < 64 ? all / 8 : Index{64}, run_.problem.parameters() / 256, Index{1}});
  }

  // Along d = the sum of what the lanes have done, D(v + s d) is at least its value at s = 0 plus s * slope -
  // s^2 bend / 2 (with no more than that to it where there are no signs).
  void join() {
    const double lambda = run_.options.lambda;
    double slope = -height_, bend = 0;
    const double now = height();
    slope += now;
    const MarginWorker& first = lanes_.front().worker();
    (void)first;
    for (std::size_t f = 0; f < sums_.size(); ++f) {
      double d = 0;
      for (Lane& lane : lanes_) d += lane.worker().sums()[f] - sums_[f];
      slope -= lambda * clip(f) * d, bend += lambda * d * d;
    }
    const double share = slope < bend ? std::max(slope, 0.0) / bend : 1.0;
    for (std::size_t f = 0; f < sums_.size(); ++f) {
      double d = 0;
      for (Lane& lane : lanes_) d += lane.worker().sums()[f] - sums_[f];
      sums_[f] += share * d;
    }
    for (Lane& lane : lanes_) {
      if (share != 1) lane.keep_share(share);
      std::copy(sums_.begin(), sums_.end(), lane.worker().sums().begin());
      lane.worker().refresh();
    }
    height_ = share == 1 ? now : height();
    shares_ += share, ++joins_;
  }

  double clip(std::size_t f) const {
    const Sign sign = run_.options.signs.empty() ? Sign::Free : run_.options.signs[f];
    const bool wrong = (sign == Sign::Positive && sums_[f] < 0) || (sign == Sign::Negative && sums_[f] > 0);
    return wrong ? 0 : sums_[f];
  }

  MarginRun& run_;
  BlockFrankWolfe method_;
  std::vector<WorkingSet> sets_;
  std::vector<Lane> lanes_;
  std::vector<double> sums_;  // what all lanes agreed on last
  double height_ = 0;         // at that
  Index round_ = 0;

 public:
  double shares_ = 0, joins_ = 0;
};

}  // namespace

void run_method(MarginRun& run, const BlockFrankWolfe& method) {
  BlockClimb climb(run, method);
  double true_share = 1;  // of the gap in what visits see of it: changes slowly
  for (;;) {
    climb.pass();
    const double dual = climb.dual(), estimate = climb.gap_estimate();
    const bool certified =
        run.options.certify_each_pass || run.last_pass() || true_share * estimate <= run.options.gap;
    if (certified) {
      run.certify(climb.sums());
      if (estimate > 0) true_share = std::clamp((run.summary.primal - dual) / estimate, 0.1, 1.0);
    }
    if (!run.report(dual, certified, estimate)) return;
  }
}

}  // namespace thalweg
