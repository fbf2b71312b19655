// What losses make of an energy landscape: margins on separable data, collapse, Hebbian weights.

#include <array>
#include <cmath>
#include <set>

#include "support/catch.h"
#include "support/losses.h"
#include "thalweg/inference/chain.h"
#include "thalweg/learning/chain_layer.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

constexpr Index kN = 8, kT = 3, kK = 3, kD = 5;

// Sequences that a linear chain separates: the label's own input is 1, all of them noisy.
struct Separable {
  std::vector<double> x = std::vector<double>(kN * kT * kD);
  std::vector<Label> y;
  std::vector<double> w = std::vector<double>(kD * kK), transitions = std::vector<double>(kK * kK);
  std::vector<double> energies = std::vector<double>(kN * kT * kK), slopes = energies;
  std::vector<double> losses = std::vector<double>(kN), pair_slopes = transitions;
  ChainLayer<double> layer;

  explicit Separable(Rng& rng) {
    for (double& e : x) e = 0.2 * rng.normal();
    for (Index p = 0; p < kN * kT; ++p) {
      y.push_back(static_cast<Label>(rng.below(kK)));
      x[p * kD + y.back()] += 1;
    }
  }
  // E = -x w; returns the total loss.
  double evaluate(const Loss& loss) {
    for (Index p = 0; p < kN * kT; ++p) {
      for (Index l = 0; l < kK; ++l) {
        energies[p * kK + l] = 0;
        for (Index d = 0; d < kD; ++d) energies[p * kK + l] -= x[p * kD + d] * w[d * kK + l];
      }
    }
    layer.value_and_gradient(loss, {kN, kT, kK, energies, transitions}, {y}, losses, {slopes, pair_slopes});
    double total = 0;
    for (double one : losses) total += one;
    return total;
  }
  void descend(double step) {
    for (Index p = 0; p < kN * kT; ++p) {
      for (Index d = 0; d < kD; ++d) {
        for (Index l = 0; l < kK; ++l) w[d * kK + l] += step * x[p * kD + d] * slopes[p * kK + l];
      }
    }
    for (Index i = 0; i < kK * kK; ++i) transitions[i] -= step * pair_slopes[i];
  }
  LossProblem<double> sequence(Index n) const {
    LossProblem<double> p;
    p.owned.unary.resize(kT, kK), p.owned.pairwise.resize(1, kK * kK);
    std::copy_n(&energies[n * kT * kK], kT * kK, p.owned.unary[0]);
    std::copy_n(transitions.data(), kK * kK, p.owned.pairwise[0]);
    p.y.assign(&y[n * kT], &y[n * kT] + kT);
    return p;
  }
  // Whether every wrong answer of every sequence lies at least `margin(errors)` above the right one.
  template <class Margin>
  bool reached(Margin margin) const {
    for (Index n = 0; n < kN; ++n) {
      const auto p = sequence(n);
      const double right = energy<double>(p.owned.view(), p.y);
      for (const auto& l : enumerate(p.owned.view())) {
        double errors = 0;
        for (std::size_t t = 0; t < l.y.size(); ++t) errors += l.y[t] != p.y[t];
        if (errors > 0 && l.energy - right < margin(errors) - 1e-9) return false;
      }
    }
    return true;
  }
};

}  // namespace

TEST_CASE("losses that promise a margin reach it on separable data", "[learning][losses]") {
  struct Promise {
    Loss loss;
    double (*margin)(double errors);
    bool to_zero;  // the loss is 0 where the margin is reached
  };
  const auto none = [](double) { return 0.0; };
  const auto some = [](double) { return 1e-3; };
  const Promise promises[] = {
      {PerceptronLoss{}, none, true},
      {HingeLoss{1}, [](double) { return 1.0; }, true},
      {HingeLoss{2.5}, [](double) { return 2.5; }, true},
      {StructuredHingeLoss{}, [](double errors) { return errors; }, true},
      {StructuredHingeLoss{HammingMeanCost{}}, [](double errors) { return errors / kT; }, true},
      {SlackHingeLoss{}, [](double) { return 1.0; }, true},
      {SparseMapLoss{1e-9}, [](double errors) { return errors - 1e-3; }, true},
      {LikelihoodLoss{}, some, false},
      {SoftmaxMarginLoss{}, some, false},
      {LogLoss{}, some, false},
      {MceLoss{}, some, false},
      {MeeLoss{}, some, false},
      {PseudoLikelihoodLoss{}, some, false},
      {MinimumProbabilityFlowLoss{}, some, false},
      {RatioMatchingLoss{}, some, false},
      {ContrastiveDivergence{}, some, false},
  };
  for (const Promise& promise : promises) {
    Rng rng(501);
    Separable data(rng);
    // Away from 0, where all energies are equal and the perceptron has nothing to do.
    for (double& one : data.w) one = rng.normal();
    INFO(name(promise.loss));
    data.evaluate(promise.loss);
    CHECK_FALSE(data.reached(promise.margin));
    double total = 1;
    for (int step = 0; step < 1500 && !(promise.to_zero && total <= 1e-8); ++step)
      data.descend(0.05), total = data.evaluate(promise.loss);
    if (promise.to_zero) CHECK(total <= 1e-8);
    CHECK(data.reached(promise.margin));
  }
}

TEST_CASE("the energy loss is Hebbian on a chain: no energy changes what it asks for", "[learning][losses]") {
  Rng rng(502);
  Separable data(rng);
  data.evaluate(EnergyLoss{});
  const auto slopes = data.slopes, pair_slopes = data.pair_slopes;
  for (double& one : data.w) one = rng.normal();
  for (double& one : data.transitions) one = rng.normal();
  data.evaluate(EnergyLoss{});
  CHECK(data.slopes == slopes);
  CHECK(data.pair_slopes == pair_slopes);
  // So sum E + c2 |w|^2 is lowest at w = sum x y' / (2 c2), correlations of inputs and labels and nothing
  // else.
  const double c2 = 0.7;
  std::vector<double> correlation(data.w.size());
  for (Index p = 0; p < kN * kT; ++p) {
    for (Index d = 0; d < kD; ++d) correlation[d * kK + data.y[p]] += data.x[p * kD + d];
  }
  const auto regularised = [&] {
    double total = data.evaluate(EnergyLoss{});
    for (double one : data.w) total += c2 * one * one;
    return total;
  };
  for (std::size_t i = 0; i < data.w.size(); ++i) data.w[i] = correlation[i] / (2 * c2);
  const double lowest = regularised();
  for (std::size_t i = 0; i < data.w.size(); ++i) {
    for (double change : {-0.1, 0.1}) {
      data.w[i] += change;
      CHECK(regularised() == Approx(lowest + c2 * 0.01));
      data.w[i] -= change;
    }
  }
}

TEST_CASE("the energy loss collapses a distance between two learnt maps, others do not",
          "[learning][losses]") {
  using Point = std::array<double, 2>;
  // E(x, l) = |a_x - b_l|^2. Input x has mostly the label x and now and then the next one.
  const auto train = [](const Loss& loss) {
    Rng rng(503);
    std::array<Point, 3> a, b;
    for (auto* map : {&a, &b}) {
      for (Point& p : *map) p = {rng.normal(), rng.normal()};
    }
    TableBuffer<double> energies(3, 3);
    LossProblem<double> p;
    p.owned.unary.resize(1, 3), p.owned.pairwise.resize(1, 9);
    for (int step = 0; step < 3000; ++step) {
      for (std::size_t x = 0; x < 3; ++x) {
        p.y = {static_cast<Label>(step % 4 == 3 ? (x + 1) % 3 : x)};
        for (std::size_t l = 0; l < 3; ++l)
          p.owned.unary[0][l] = std::pow(a[x][0] - b[l][0], 2) + std::pow(a[x][1] - b[l][1], 2);
        std::copy_n(p.owned.unary[0], 3, energies[static_cast<Index>(x)]);
        p.evaluate(loss);
        for (std::size_t l = 0; l < 3; ++l) {
          for (int i = 0; i < 2; ++i) {
            const double slope = 2 * p.unary[0][l] * (a[x][i] - b[l][i]);
            a[x][i] -= 0.02 * slope, b[l][i] += 0.02 * slope;
          }
        }
      }
    }
    return energies;
  };
  const auto collapsed = train(EnergyLoss{});
  for (Index i = 0; i < 9; ++i) CHECK(collapsed[0][i] < 1e-6);
  for (const Loss& loss : {Loss{HingeLoss{}}, Loss{LogLoss{}}, Loss{LikelihoodLoss{}},
                           Loss{SquareSquareLoss{}}, Loss{SquareExponentialLoss{}}}) {
    INFO(name(loss));
    const auto energies = train(loss);
    for (Index x = 0; x < 3; ++x) {
      for (Index l = 0; l < 3; ++l) {
        if (l != x) CHECK(energies[x][l] > energies[x][x] + 0.1);
      }
    }
  }
}
