#include "thalweg/learning/minibatch_learner.h"

#include <cmath>

#include "support/catch.h"
#include "support/small_corpus.h"
#include "thalweg/core/error.h"
#include "thalweg/learning/train.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

const char* const kTemplates = "U1:%x[0,0]\nU2:%x[-1,0]\nB\n";
const char* const kPairTemplates = "U1:%x[0,0]\nB\nB1:%x[1,0]\n";

TrainSummary train_with(Model& model, const Dataset& data, TrainOptions options) {
  return train_model(model, data, nullptr, options);
}

// The likelihood's objective at the weights of `model`.
double objective_at(const Model& model, const Dataset& data, const TrainOptions& options) {
  Model start = model;
  double value = 0;
  TrainOptions o = options;
  o.solver = Solver::Lbfgs, o.iterations = 1, o.init = &model;
  train_model(start, data, nullptr, o, [&](const TrainProgress& p) {
    value = p.objective;
    return false;
  });
  return value;
}

}  // namespace

TEST_CASE("small steps come near the optimum of L-BFGS", "[learning][minibatch]") {
  for (const char* templates : {kTemplates, kPairTemplates}) {
    const Examples examples = learn_examples(random_corpus(3, 80), {.templates = templates});
    Model best = examples.model;
    const double optimum = train_with(best, examples.data, {.solver = Solver::Lbfgs, .c2 = 0.5}).objective;
    for (const Solver solver : {Solver::Adagrad, Solver::Adam}) {
      CAPTURE(name(solver), templates);
      Model model = examples.model;
      const TrainOptions options{.solver = solver, .c2 = 0.5, .iterations = 150, .batch = 8};
      const TrainSummary summary = train_with(model, examples.data, options);
      CHECK(summary.used == solver);
      CHECK(summary.iterations == 150);
      const double reached = objective_at(model, examples.data, options);
      CHECK(reached >= optimum - 1e-3 * std::abs(optimum));
      CHECK(reached <= 1.005 * optimum);
    }
  }
}

TEST_CASE("one batch of all is a step along the whole gradient", "[learning][minibatch]") {
  const Examples examples = learn_examples(random_corpus(3, 30), {.templates = kTemplates});
  Model model = examples.model;
  train_with(model, examples.data, {.iterations = 1});  // chooses features
  std::fill(model.weights.begin(), model.weights.end(), 0.0);
  const Loss loss = LikelihoodLoss{};
  MinibatchLearner learner(model, examples.data, loss, {.rate = 0.1, .c2 = 0, .batch = 1000});
  const double at_zero = learner.pass();
  const double K = static_cast<double>(model.labels.size());
  CHECK(at_zero == Approx(static_cast<double>(examples.data.positions()) * std::log(K)).epsilon(1e-5));
  // Adagrad's first step goes the whole rate against the sign of each gradient.
  LinearChain chain(model);
  chain.assign(std::vector<double>(model.weights.size(), 0.0));
  for (double w : learner.weights()) CHECK((w == 0 || std::abs(w) == Approx(0.1).epsilon(1e-3)));
  // The features observed once with the label that all others lack are pushed up.
  CHECK(learner.pass() < at_zero);
}

TEST_CASE("l1 leaves weights at exactly 0", "[learning][minibatch]") {
  const Examples examples = learn_examples(random_corpus(3, 80), {.templates = kTemplates});
  Model some = examples.model, none = examples.model;
  train_with(some, examples.data, {.solver = Solver::Adagrad, .c2 = 0, .c1 = 0.5, .iterations = 40});
  train_with(none, examples.data, {.solver = Solver::Adagrad, .c2 = 0, .c1 = 1e6, .iterations = 3});
  const auto zeros = [](const Model& m) { return std::count(m.weights.begin(), m.weights.end(), 0.0); };
  CHECK(zeros(some) > 0);
  CHECK(zeros(some) < std::ssize(some.weights));
  CHECK(zeros(none) == std::ssize(none.weights));
}

TEST_CASE("trainers check the gradient of any loss that has one", "[learning][losses]") {
  const Examples examples = learn_examples(random_corpus(3, 20), {.templates = kTemplates});
  for (const std::string_view name : loss_names()) {
    CAPTURE(name);
    Loss loss = loss_named(name);
    if (auto* square = std::get_if<SquareSquareLoss>(&loss)) square->offset = 100;
    if (auto* square = std::get_if<SquareExponentialLoss>(&loss)) square->offset = 100;
    Model model = examples.model;
    const TrainOptions options{.loss = loss, .c2 = 0.1, .iterations = 1, .check_gradient = 30};
    if (is_drawn(loss)) {
      CHECK_THROWS_AS(train_with(model, examples.data, options), OptionError);
      continue;
    }
    CHECK(train_with(model, examples.data, options).gradient_error < 0.02);
  }
}

TEST_CASE("options of batches out of range are refused by name", "[learning][minibatch]") {
  const Examples examples = learn_examples(random_corpus(3, 10), {.templates = kTemplates});
  Model model = examples.model;
  CHECK_THROWS_AS(train_with(model, examples.data, {.solver = Solver::Adam, .batch = 0}), OptionError);
  CHECK_THROWS_AS(train_with(model, examples.data, {.solver = Solver::Adam, .rate = -1}), OptionError);
  CHECK_THROWS_AS(train_with(model, examples.data, {.solver = Solver::Adam, .rate = HUGE_VAL}), OptionError);
}
