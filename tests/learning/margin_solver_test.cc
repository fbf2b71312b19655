#include "thalweg/learning/margin_solver.h"

#include <cmath>
#include <cstdlib>
#include <string>

#include "support/catch.h"
#include "support/enumerate.h"
#include "support/message.h"
#include "support/sanitized.h"
#include "thalweg/core/error.h"
#include "thalweg/io/letters_reader.h"
#include "thalweg/learning/chain_margins.h"
#include "thalweg/learning/online_learner.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

// [K x K] by right and answered label.
PairCost prices(std::initializer_list<double> list) {
  const auto K = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(list.size()))));
  PairCost cost{TableBuffer<double>(K, K)};
  std::copy(list.begin(), list.end(), cost.prices[0]);
  return cost;
}

// A few short sequences over three labels and five attributes with values, too noisy to be separated.
struct Tiny {
  Model model;
  Dataset data;

  explicit Tiny(std::uint64_t seed = 3, Index sequences = 7, bool observed = false) {
    Rng rng(seed);
    for (const char* label : {"x", "y", "z"}) model.labels.add(label);
    for (const char* attribute : {"a", "b", "c", "d", "e"}) model.attributes.add(attribute);
    for (Index n = 0; n < sequences; ++n) {
      const std::uint64_t length = 1 + rng.below(3);
      for (std::uint64_t t = 0; t < length; ++t) {
        for (std::uint32_t a = 0; a < 5; ++a) {
          if (rng.below(2) == 0) continue;
          data.attributes.columns.push_back(a);
          data.attributes.values.push_back(static_cast<float>(rng.normal()));
        }
        data.attributes.offsets.push_back(std::ssize(data.attributes.columns));
        data.labels.push_back(static_cast<Label>(rng.below(3)));
      }
      data.sequences.push_back(std::ssize(data.labels));
    }
    model.emissions =
        observed ? observed_features(transpose(data.attributes, 5), data.labels, 3) : all_features(5, 3);
    model.transitions = observed ? observed_transitions(data, 3) : all_features(3, 3);
    model.weights.assign(static_cast<std::size_t>(model.features()), 0.0);
  }
};

Index parameter(const FeatureIndex& index, Index row, Label label) {
  const auto labels = index.row(row);
  const auto found = std::find(labels.begin(), labels.end(), label);
  return found == labels.end() ? -1 : index.offsets[static_cast<std::size_t>(row)] + (found - labels.begin());
}

// psi_n(y), as the header of margin_problem.h defines it.
std::vector<double> slope(const Tiny& tiny, Index n, std::span<const Label> y) {
  std::vector<double> psi(static_cast<std::size_t>(tiny.model.features()), 0.0);
  const auto right = tiny.data.answer(n);
  const auto add = [&](std::span<const Label> labels, double sign) {
    for (std::size_t t = 0; t < labels.size(); ++t) {
      const Index p = tiny.data.sequences[static_cast<std::size_t>(n)] + static_cast<Index>(t);
      const auto row = tiny.data.attributes.row(p);
      for (std::size_t e = 0; e < row.size(); ++e) {
        const Index f = parameter(tiny.model.emissions, row[e], labels[t]);
        if (f >= 0) psi[f] += sign * static_cast<double>(tiny.data.attributes.row_values(p)[e]);
      }
      if (t == 0) continue;
      const Index f = parameter(tiny.model.transitions, labels[t - 1], labels[t]);
      if (f >= 0) psi[tiny.model.emissions.features() + f] += sign;
    }
  };
  add(right, 1), add(y, -1);
  return psi;
}

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t f = 0; f < a.size(); ++f) sum += a[f] * b[f];
  return sum;
}

// All planes of all blocks, and the optimum by a slow method with nothing in common with the solver but the
// definition: exact steps between pairs of all answers, and multipliers for the signs.
class Reference {
 public:
  Reference(const Tiny& tiny, double lambda, std::vector<Sign> signs = {})
      : lambda_(lambda), signs_(std::move(signs)) {
    for (Index n = 0; n < tiny.data.size(); ++n) {
      const auto right = tiny.data.answer(n);
      const TableBuffer<double> zero(std::ssize(right), 3, 0.0), pairs(1, 9, 0.0);
      std::vector<Plane> planes;
      for (const Labelling& l : enumerate(Chain<double>{zero.view(), pairs.view(), {}})) {
        double wrong = 0;
        for (std::size_t t = 0; t < right.size(); ++t) wrong += l.y[t] != right[t];
        planes.push_back({slope(tiny, n, l.y), wrong, wrong == 0 ? 1.0 : 0.0});
      }
      blocks_.push_back(std::move(planes));
    }
  }

  double primal(std::span<const double> w) const {
    double loss = 0;
    for (const auto& planes : blocks_) {
      double worst = 0;
      for (const Plane& plane : planes) worst = std::max(worst, plane.cost - dot(w, plane.psi));
      loss += worst / static_cast<double>(blocks_.size());
    }
    return lambda_ / 2 * dot(w, w) + loss;
  }

  // The minimum to 1e-9, certified.
  double optimum() {
    for (int pass = 0; pass < 200000; ++pass) {
      for (auto& planes : blocks_) step(planes);
      if (pass % 100 != 0) continue;
      const std::vector<double> w = weights();
      const double gap = primal(w) - dual(w);
      if (gap < 1e-9) return primal(w);
    }
    return kInfinity<double>;
  }

 private:
  struct Plane {
    std::vector<double> psi;
    double cost, alpha;
  };

  std::vector<double> weights() const {
    std::vector<double> w(blocks_[0][0].psi.size(), 0.0);
    for (const auto& planes : blocks_) {
      for (const Plane& plane : planes) {
        for (std::size_t f = 0; f < w.size(); ++f)
          w[f] += plane.alpha * plane.psi[f] / (lambda_ * static_cast<double>(blocks_.size()));
      }
    }
    for (std::size_t f = 0; f < signs_.size(); ++f) {
      if (signs_[f] == Sign::Positive) w[f] = std::max(w[f], 0.0);
      if (signs_[f] == Sign::Negative) w[f] = std::min(w[f], 0.0);
    }
    return w;
  }
  double dual(std::span<const double> w) const {
    double heights = 0;
    for (const auto& planes : blocks_) {
      for (const Plane& plane : planes)
        heights += plane.alpha * plane.cost / static_cast<double>(blocks_.size());
    }
    return heights - lambda_ / 2 * dot(w, w);
  }
  void step(std::vector<Plane>& planes) {
    const std::vector<double> w = weights();
    Plane *best = nullptr, *worst = nullptr;
    double high = 0, low = 0;
    for (Plane& plane : planes) {
      const double value = plane.cost - dot(w, plane.psi);
      if (!best || value > high) best = &plane, high = value;
      if (plane.alpha > 0 && (!worst || value < low)) worst = &plane, low = value;
    }
    double square = 0;
    for (std::size_t f = 0; f < w.size(); ++f) square += std::pow(best->psi[f] - worst->psi[f], 2);
    if (square == 0) return;
    const double n = static_cast<double>(blocks_.size());
    const double by = std::min(worst->alpha, (high - low) * lambda_ * n / square);
    worst->alpha = by == worst->alpha ? 0 : worst->alpha - by;
    best->alpha += by;
  }

  double lambda_;
  std::vector<Sign> signs_;
  std::vector<std::vector<Plane>> blocks_;
};

using Step = BlockFrankWolfe::Step;
using Order = BlockFrankWolfe::Order;

struct Named {
  const char* name;
  MarginMethod method;
};
const std::vector<Named> kMethods = {
    {"pairwise", BlockFrankWolfe{}},
    {"pairwise, plain", BlockFrankWolfe{.cached_passes = 0, .accelerate = false, .lanes = 1}},
    {"pairwise, uniform, three lanes", BlockFrankWolfe{.order = Order::Uniform, .lanes = 3}},
    {"pairwise by gaps", BlockFrankWolfe{.order = Order::Gaps}},
    {"away", BlockFrankWolfe{.step = Step::Away}},
    {"away, one step, forgetful", BlockFrankWolfe{.step = Step::Away, .inner_steps = 1, .patience = 1}},
    {"pairwise, forgetful between cached passes", BlockFrankWolfe{.cached_passes = 3, .patience = 1}},
    {"cutting plane", CuttingPlane{}},
};

}  // namespace

TEMPLATE_TEST_CASE("a worker's prices, products and steps are those of the slopes", "[margin]", float,
                   double) {
  const bool observed = GENERATE(false, true);
  const Tiny tiny(5, 9, observed);
  const ChainMargins<TestType> problem(tiny.model, tiny.data, prices({0, 1, 2, 3, 0, 1, 2, 2, 0}));
  const double tolerance = sizeof(TestType) == 4 ? 1e-5 : 1e-12;
  const auto worker = problem.worker({});
  std::vector<double> v(static_cast<std::size_t>(problem.parameters()), 0.0);
  Rng rng(6);
  for (int round = 0; round < 60; ++round) {
    const Index n = static_cast<Index>(rng.below(9));
    const auto right = problem.right(n);
    const Index T = std::ssize(right);
    std::vector<Label> answers;
    std::vector<std::vector<double>> psi;
    for (int k = 0; k < 4; ++k) {
      std::vector<Label> y;
      for (Index t = 0; t < T; ++t) y.push_back(static_cast<Label>(rng.below(3)));
      psi.push_back(slope(tiny, n, y));
      answers.insert(answers.end(), y.begin(), y.end());
    }
    const Table<const Label> table{answers.data(), 4, T};
    const double scale = 0.5 + rng.uniform();
    worker->set_scale(scale);
    worker->visit(n);
    std::vector<double> values(4), products(4), by(4);
    worker->margins(table, values);
    worker->products(table.row(1), table, products);
    for (std::size_t k = 0; k < 4; ++k) {
      CHECK(values[k] == Approx(scale * dot(v, psi[k])).margin(tolerance * 100));
      CHECK(products[k] == Approx(dot(psi[1], psi[k])).margin(tolerance * 10));
    }
    for (std::size_t k = 0; k < 4; ++k) {
      by[k] = k == 2 ? 0 : rng.normal();
      for (std::size_t f = 0; f < v.size(); ++f) v[f] += by[k] * psi[k][f];
    }
    std::vector<Label> y(static_cast<std::size_t>(T));
    const Offence offence = worker->most_offending(y);
    worker->margins({y.data(), 1, T}, {values.data(), 1});
    CHECK(offence.value == Approx(offence.cost - values[0]).margin(tolerance));
    double worst = -kInfinity<double>;
    const TableBuffer<double> zero(T, 3, 0.0), pairs(1, 9, 0.0);
    for (const Labelling& l : enumerate(Chain<double>{zero.view(), pairs.view(), {}})) {
      double cost = 0;
      for (std::size_t t = 0; t < right.size(); ++t)
        cost += std::vector<double>{0, 1, 2, 3, 0, 1, 2, 2, 0}[right[t] * 3 + l.y[t]];
      worker->margins({l.y.data(), 1, T}, {values.data(), 1});
      worst = std::max(worst, cost - values[0]);
    }
    CHECK(offence.value == Approx(worst).margin(tolerance * 10));
    worker->move(n, table, by);
    for (std::size_t f = 0; f < v.size(); ++f) REQUIRE(worker->sums()[f] == Approx(v[f]).margin(1e-12));
  }
}

TEST_CASE("margin solvers reach the optimum of all planes", "[margin]") {
  const auto& [name, method] = GENERATE(from_range(kMethods));
  CAPTURE(name);
  for (const double lambda : {0.3, 0.02}) {
    if (kSanitized && lambda < 0.3) continue;
    for (const bool observed : {false, true}) {
      const Tiny tiny(3, 7, observed);
      const ChainMargins<double> problem(tiny.model, tiny.data);
      Reference reference(tiny, lambda);
      const double optimum = reference.optimum();
      double before = -kInfinity<double>;
      const MarginSummary found = minimize_margin_loss(
          problem,
          {.lambda = lambda, .method = method, .gap = 1e-7, .passes = 5000, .certify_each_pass = true},
          [&](const MarginProgress& p) {
            CHECK(p.dual >= before - 1e-12);
            CHECK(p.dual <= optimum + 1e-9);
            CHECK(p.primal >= optimum - 1e-9);
            CHECK(p.gap >= 0);
            before = p.dual;
            return true;
          });
      CHECK(found.stopped == MarginSummary::Stop::Gap);
      CHECK(found.gap <= 1e-7);
      CHECK(found.primal == Approx(optimum).margin(2e-7));
      CHECK(found.primal == Approx(reference.primal(found.weights)).margin(1e-9));
      CHECK(found.gap == found.primal - found.dual);
    }
  }
}

TEST_CASE("Frank-Wolfe of 2013 and subgradient steps come near it, with sound certificates", "[margin]") {
  const Tiny tiny;
  const ChainMargins<double> problem(tiny.model, tiny.data);
  Reference reference(tiny, 0.3);
  const double optimum = reference.optimum();
  for (const MarginMethod& method :
       {MarginMethod{BlockFrankWolfe{
            .step = Step::FrankWolfe, .inner_steps = 1, .cached_passes = 0, .accelerate = false, .lanes = 1}},
        MarginMethod{SubgradientDescent{}}}) {
    const MarginSummary found = minimize_margin_loss(
        problem, {.lambda = 0.3, .method = method, .gap = 2e-3, .passes = 2000, .certify_each_pass = true});
    CHECK(found.stopped == MarginSummary::Stop::Gap);
    CHECK(found.dual <= optimum + 1e-9);
    CHECK(found.primal >= optimum - 1e-9);
    CHECK(found.primal == Approx(reference.primal(found.weights)).margin(1e-9));
  }
}

TEST_CASE("weights keep the signs they are given, at the optimum of those that do", "[margin]") {
  const Tiny tiny;
  const ChainMargins<double> problem(tiny.model, tiny.data);
  std::vector<Sign> signs(static_cast<std::size_t>(problem.parameters()), Sign::Free);
  for (std::size_t f = 0; f < 9; ++f) signs[15 + f] = f % 4 == 0 ? Sign::Positive : Sign::Negative;
  signs[2] = Sign::Positive, signs[7] = Sign::Negative;
  const double lambda = 0.05;
  Reference reference(tiny, lambda, signs);
  const double optimum = reference.optimum();
  CHECK(optimum > Reference(tiny, lambda).optimum() + 1e-3);  // the signs bind
  for (const auto& [name, method] : kMethods) {
    CAPTURE(name);
    const MarginSummary found = minimize_margin_loss(
        problem, {.lambda = lambda, .method = method, .gap = 1e-6, .passes = 5000, .signs = signs});
    CHECK(found.stopped == MarginSummary::Stop::Gap);
    CHECK(found.primal == Approx(optimum).margin(2e-6));
    for (std::size_t f = 0; f < signs.size(); ++f)
      CHECK(static_cast<double>(signs[f]) * found.weights[f] >= 0);
    // No step that keeps the signs goes down.
    Rng rng(8);
    for (int round = 0; round < 200; ++round) {
      std::vector<double> w = found.weights;
      for (std::size_t f = 0; f < w.size(); ++f) w[f] = clipped(w[f] + 1e-2 * rng.normal(), signs[f]);
      CHECK(reference.primal(w) >= found.primal - 2e-6);
    }
  }
}

TEST_CASE("margin solvers give the same bits for any number of threads", "[margin][threads]") {
  const Tiny tiny(4, 50);
  const ChainMargins<float> problem(tiny.model, tiny.data);
  for (const MarginMethod& method :
       {MarginMethod{BlockFrankWolfe{.lanes = 3}}, MarginMethod{CuttingPlane{}}}) {
    MarginSummary one;
    for (int threads : {1, 2, 3}) {
      const MarginSummary found = minimize_margin_loss(
          problem, {.lambda = 0.02, .method = method, .gap = 1e-3, .passes = 30, .threads = threads});
      if (threads == 1) one = found;
      CHECK(found.weights == one.weights);
      CHECK(found.primal == one.primal);
      CHECK(found.dual == one.dual);
      CHECK(found.oracle_calls == one.oracle_calls);
    }
  }
}

TEST_CASE("a gap that is not reached is an outcome", "[margin]") {
  const Tiny tiny;
  const ChainMargins<double> problem(tiny.model, tiny.data);
  MarginSummary found = minimize_margin_loss(problem, {.lambda = 0.01, .gap = 0, .passes = 3});
  CHECK(found.stopped == MarginSummary::Stop::Passes);
  CHECK(found.passes == 3);
  CHECK(found.gap > 0);
  CHECK(found.gap == found.primal - found.dual);
  found = minimize_margin_loss(problem, {.lambda = 0.01, .gap = 0},
                               [](const MarginProgress& p) { return p.pass < 2; });
  CHECK(found.stopped == MarginSummary::Stop::Callback);
}

namespace {

// An oracle that answers badly and knows it.
class Careless : public MarginProblem {
 public:
  Careless(const MarginProblem& problem, double doubt) : problem_(problem), doubt_(doubt) {}
  Index blocks() const override { return problem_.blocks(); }
  Index parameters() const override { return problem_.parameters(); }
  double weight(Index block) const override { return problem_.weight(block); }
  std::span<const Label> right(Index block) const override { return problem_.right(block); }
  std::unique_ptr<MarginWorker> worker(std::span<const Sign> signs) const override {
    return std::make_unique<Worker>(problem_, doubt_, signs);
  }

 private:
  class Worker : public MarginWorker {
   public:
    Worker(const MarginProblem& problem, double doubt, std::span<const Sign> signs)
        : MarginWorker(problem.parameters(), signs), worker_(problem.worker(signs)), doubt_(doubt) {}
    void visit(Index block) override { worker_->visit(block); }
    Offence most_offending(std::span<Label> y) override {
      Offence offence = worker_->most_offending(y);
      offence.bound += doubt_;
      return offence;
    }
    void margins(Table<const Label> answers, std::span<double> values) override {
      worker_->margins(answers, values);
    }
    void products(std::span<const Label> y, Table<const Label> answers, std::span<double> products) override {
      worker_->products(y, answers, products);
    }
    void move(Index block, Table<const Label> answers, std::span<const double> by) override {
      worker_->move(block, answers, by);
      std::copy(worker_->sums().begin(), worker_->sums().end(), sums().begin());
    }
    void refresh() override {
      std::copy(sums().begin(), sums().end(), worker_->sums().begin());
      worker_->refresh();
    }

   private:
    std::unique_ptr<MarginWorker> worker_;
    double doubt_;
  };
  const MarginProblem& problem_;
  double doubt_;
};

}  // namespace

TEST_CASE("certificates rest on what the oracle vouches for, not on its answers", "[margin]") {
  const Tiny tiny;
  const ChainMargins<double> exact(tiny.model, tiny.data);
  const Careless problem(exact, 0.05);
  const double optimum = Reference(tiny, 0.1).optimum();
  for (const MarginMethod& method : {MarginMethod{BlockFrankWolfe{}}, MarginMethod{CuttingPlane{}}}) {
    const MarginSummary found =
        minimize_margin_loss(problem, {.lambda = 0.1, .method = method, .gap = 1e-3, .passes = 200});
    CHECK(found.stopped == MarginSummary::Stop::Passes);
    CHECK(found.primal == Approx(optimum + 0.05).margin(1e-4));
    CHECK(found.dual <= optimum + 1e-9);
  }
}

TEST_CASE("margin problems that make no sense are refused", "[margin]") {
  Tiny tiny;
  const ChainMargins<double> problem(tiny.model, tiny.data);
  const auto where = [&](const MarginOptions& options) {
    try {
      minimize_margin_loss(problem, options);
    } catch (const OptionError& error) {
      return error.where();
    }
    return std::string("accepted");
  };
  CHECK(where({.lambda = 0}) == "lambda");
  CHECK(where({.lambda = std::numeric_limits<double>::quiet_NaN()}) == "lambda");
  CHECK(where({.gap = -1}) == "gap");
  CHECK(where({.passes = 0}) == "iterations");
  CHECK(where({.threads = 0}) == "threads");
  CHECK(where({.signs = {Sign::Free}}) == "signs");
  CHECK(where({.method = BlockFrankWolfe{.inner_steps = 0}}) == "inner_steps");
  CHECK(where({.method = BlockFrankWolfe{.cached_passes = -1}}) == "cached_passes");
  CHECK(where({.method = BlockFrankWolfe{.patience = 0}}) == "patience");
  CHECK(where({.method = BlockFrankWolfe{.lanes = 0}}) == "lanes");
  CHECK(where({.method = CuttingPlane{.patience = 0}}) == "patience");

  const auto make = [&](const TaskCost& cost) { ChainMargins<double>(tiny.model, tiny.data, cost); };
  CHECK_THROWS_AS(make(PairCost{TableBuffer<double>(2, 2)}), InputError);
  CHECK_THROWS_AS(make(prices({0, -1, -1, -1, 0, -1, -1, -1, 0})), InputError);
  CHECK_THROWS_AS(make(prices({1, 1, 1, 1, 1, 1, 1, 1, 1})), InputError);
  const Label kept = std::exchange(tiny.data.labels[1], kNoLabel);
  CHECK_THROWS_AS(make(HammingCost{}), InputError);
  tiny.data.labels[1] = 3;
  CHECK_THROWS_AS(make(HammingCost{}), InputError);
  tiny.data.labels[1] = kept;
  tiny.data.attributes.values[2] = kInfinity<float>;
  CHECK_THROWS_AS(make(HammingCost{}), InputError);
  tiny.data.attributes.values[2] = 0;
  tiny.model.vector_columns = 2;
  CHECK_THROWS_AS(make(HammingCost{}), OptionError);
}

TEST_CASE("energies that overflow are an error", "[margin]") {
  Tiny tiny;
  const ChainMargins<float> problem(tiny.model, tiny.data);
  const auto worker = problem.worker({});
  std::fill(worker->sums().begin(), worker->sums().end(), 1e300);
  worker->refresh();
  worker->visit(0);
  std::vector<Label> y(problem.right(0).size());
  CHECK_THROWS_AS(worker->most_offending(y), InputError);
  for (float& value : tiny.data.attributes.values) value *= 1e30f;
  CHECK_THROWS_AS(ChainMargins<float>(tiny.model, tiny.data), InputError);
}

TEST_CASE("a perceptron makes no more mistakes than Novikoff's bound", "[margin]") {
  // Single tokens, labelled by weights of length 1 that leave a margin of at least `margin`.
  Tiny tiny(11, 0);
  Rng rng(12);
  std::vector<double> u(static_cast<std::size_t>(tiny.model.emissions.features()));
  for (double& x : u) x = rng.normal();
  const double length = std::sqrt(dot(u, u));
  for (double& x : u) x /= length;
  const double margin = 0.1;
  double longest = 0;
  while (tiny.data.size() < 200) {
    std::vector<float> x(5);
    for (float& value : x) value = static_cast<float>(rng.normal());
    std::vector<double> scores(3, 0.0);
    for (std::size_t a = 0; a < 5; ++a) {
      for (std::size_t l = 0; l < 3; ++l) scores[l] += static_cast<double>(x[a]) * u[a * 3 + l];
    }
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    bool wide = true;
    for (std::ptrdiff_t l = 0; l < 3; ++l) wide = wide && (l == best || scores[best] - scores[l] >= margin);
    if (!wide) continue;
    double square = 0;
    for (std::uint32_t a = 0; a < 5; ++a) {
      tiny.data.attributes.columns.push_back(a), tiny.data.attributes.values.push_back(x[a]);
      square += std::pow(static_cast<double>(x[a]), 2);
    }
    longest = std::max(longest, 2 * square);
    tiny.data.attributes.offsets.push_back(std::ssize(tiny.data.attributes.columns));
    tiny.data.labels.push_back(static_cast<Label>(best));
    tiny.data.sequences.push_back(std::ssize(tiny.data.labels));
  }
  OnlineLearner learner(tiny.model, tiny.data);
  Index mistakes = 0, wrong = 1;
  for (int pass = 0; pass < 200 && wrong > 0; ++pass) mistakes += wrong = learner.pass();
  CHECK(wrong == 0);
  CHECK(mistakes > 0);
  CHECK(static_cast<double>(mistakes) <= longest / (margin * margin));
}

TEST_CASE("the optima of OCR letters are met", "[margin]") {
  const char* data = std::getenv("THALWEG_DATA");
  if (!data || kSanitized) return;
  // shared/reference/ocr_margin_optima.tsv: the brackets of an independent solver, to the digits it prints.
  struct Optimum {
    bool large;
    double lambda, dual, primal, gap;
  };
  const std::string path = std::string(data) + "/ocr_letters/letter.data.gz";
  for (const bool large : {false, true}) {
    Examples examples = learn_examples(
        read_letters(path, large ? std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9} : std::vector<int>{0}),
        {.format = Format::Attributes});
    Model& model = examples.model;
    const Index K = static_cast<Index>(model.labels.size());
    model.emissions = all_features(static_cast<Index>(model.attributes.size()), K);
    model.transitions = all_features(K, K);
    const ChainMargins<float> problem(model, examples.data, HammingMeanCost{});
    CHECK(problem.blocks() == (large ? 6251 : 626));
    CHECK(problem.parameters() == 4082);
    for (const Optimum& known :
         {Optimum{false, 0.1, 0.414407, 0.414408, 1e-4}, Optimum{false, 0.03, 0.272363, 0.272364, 1e-4},
          Optimum{false, 0.01, 0.165030, 0.165040, 3e-4}, Optimum{true, 0.03, 0.446735, 0.446735, 1e-3},
          Optimum{true, 0.01, 0.381079, 0.381082, 2e-3}}) {
      if (known.large != large) continue;
      CAPTURE(large, known.lambda);
      const MarginSummary found = minimize_margin_loss(problem, {.lambda = known.lambda, .gap = known.gap});
      CHECK(found.stopped == MarginSummary::Stop::Gap);
      CHECK(found.dual <= known.primal + 5e-6);
      CHECK(found.primal >= known.dual - 5e-6);
    }
  }
}
