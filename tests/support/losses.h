/// @file
/// All losses, each value by its definition over enumerated labellings, and an evaluation of one problem.
#pragma once

#include <cmath>
#include <functional>
#include <vector>

#include "support/enumerate.h"
#include "thalweg/learning/chain_operations.h"
#include "thalweg/learning/evaluate.h"
#include "thalweg/optimization/gradient_check.h"

namespace thalweg::testing {

inline PairCost random_prices(Index K, std::uint64_t seed = 5) {
  Rng rng(seed);
  PairCost cost{TableBuffer<double>(K, K)};
  for (Index i = 0; i < K; ++i) {
    for (Index j = 0; j < K; ++j) cost.prices[i][j] = i == j ? 0 : 0.2 + 2 * rng.uniform();
  }
  return cost;
}

inline CustomCost growing_cost() {
  return {[](std::span<const Label> right, Table<double> cost) {
    for (Index t = 0; t < cost.rows; ++t) {
      for (Index l = 0; l < cost.columns; ++l)
        cost[t][l] = l == static_cast<Index>(right[t]) ? 0 : 0.3 * static_cast<double>(1 + t + l);
    }
  }};
}

inline LabelNoise random_noise(Index K) {
  Rng rng(6);
  LabelNoise noise{{}, TableBuffer<double>(K, K)};
  const auto row = [&](auto&& p) {
    double total = 0;
    for (Index l = 0; l < K; ++l) total += p[l] = 0.2 + rng.uniform();
    for (Index l = 0; l < K; ++l) p[l] /= total;
  };
  noise.first.resize(static_cast<std::size_t>(K));
  row(noise.first);
  for (Index i = 0; i < K; ++i) row(noise.next[i]);
  return noise;
}

/// Every row of the table with its default options or others, for K labels. The size is the same for any K.
inline std::vector<Loss> every_loss(Index K) {
  return {LikelihoodLoss{},
          LikelihoodLoss{0.3},
          LikelihoodLoss{2.5},
          PerceptronLoss{},
          EnergyLoss{},
          HingeLoss{},
          HingeLoss{3.5},
          LogLoss{},
          Lvq2Loss{},
          Lvq2Loss{2.5},
          MceLoss{},
          SquareSquareLoss{1.5, 2.5},
          SquareExponentialLoss{0.7, 1.5},
          MeeLoss{},
          MeeLoss{0.4},
          StructuredHingeLoss{},
          StructuredHingeLoss{HammingMeanCost{}},
          StructuredHingeLoss{random_prices(K)},
          SlackHingeLoss{},
          SlackHingeLoss{HammingMeanCost{}},
          SoftmaxMarginLoss{},
          SoftmaxMarginLoss{0.6, random_prices(K)},
          RampLoss{},
          DirectLoss{0.3},
          DirectLoss{1.7, HammingMeanCost{}},
          SparseMapLoss{1e-13},
          ContrastiveDivergence{},
          ContrastiveDivergence{3, 0.5},
          PseudoLikelihoodLoss{},
          PseudoLikelihoodLoss{0.5},
          MinimumProbabilityFlowLoss{},
          MinimumProbabilityFlowLoss{0.7},
          RatioMatchingLoss{},
          RatioMatchingLoss{1.6},
          RankingNoiseLoss{},
          RankingNoiseLoss{5, 0.7, random_noise(K), 3}};
}

/// A chain, what is right there, and room for a gradient. `allowed` without rows: `y` is the right answer.
template <class R>
struct LossProblem {
  OwnedChain<R> owned;
  std::vector<Label> y;
  TableBuffer<std::uint8_t> allowed;
  ChainOperations<R> on;
  TableBuffer<R> unary, pairwise;  // the gradient of the last evaluation

  bool open() const { return allowed.rows() > 0; }
  bool fits(const std::vector<Label>& labels) const {
    if (!open()) return labels == y;
    for (std::size_t t = 0; t < labels.size(); ++t) {
      if (!allowed[static_cast<Index>(t)][labels[t]]) return false;
    }
    return true;
  }

  double evaluate(const Loss& loss, double weight = 1) {
    const Chain<R> chain = owned.view();
    prepare(loss, chain.pairwise, chain.labels(), couplings_, chain.histories);
    on.couplings = &couplings_;
    const ChainParts<R> parts{unary.resize(chain.length(), chain.labels(), R(99)),
                              pairwise.resize(chain.pairwise.rows, chain.pairwise.columns), owned.which};
    if (!open()) return thalweg::evaluate(loss, Problem<Chain<R>>{chain, y, weight, number}, parts, on);
    const Chain<R> right = restrict<R>(chain, allowed, restricted_);
    return thalweg::evaluate(loss, OpenProblem<Chain<R>>{chain, right, weight, number}, parts, on);
  }

  /// Calls use(energy, derivative) for every part that is not forbidden.
  template <class Use>
  void each_part(Use use) {
    for (auto [table, parts] : {std::pair{&owned.unary, &unary}, std::pair{&owned.pairwise, &pairwise}}) {
      for (Index i = 0; i < table->rows() * table->columns(); ++i) {
        if ((*table)[0][i] < kInfinity<R>) use((*table)[0][i], (*parts)[0][i]);
      }
    }
  }

  Index number = 0;

 private:
  Couplings<R> couplings_;
  TableBuffer<R> restricted_;
};

inline std::vector<Label> random_labels(Rng& rng, Index T, Index K) {
  std::vector<Label> y;
  for (Index t = 0; t < T; ++t) y.push_back(static_cast<Label>(rng.below(static_cast<std::uint64_t>(K))));
  return y;
}

/// A problem whose right answer, or one of them, is not forbidden.
template <class R>
LossProblem<R> random_problem(Rng& rng, const RandomChainOptions& shape, bool open = false) {
  LossProblem<R> p;
  do {
    p.owned = random_chain<R>(rng, shape);
    p.y = random_labels(rng, shape.length, shape.labels);
    if (!open) continue;
    p.allowed.resize(shape.length, shape.labels);
    for (Index t = 0; t < shape.length; ++t) {
      for (Index l = 0; l < shape.labels; ++l) p.allowed[t][l] = rng.below(2) == 0;
      p.allowed[t][p.y[static_cast<std::size_t>(t)]] = 1;
    }
  } while (!(energy<R>(p.owned.view(), p.y) < kInfinity<double>));
  return p;
}

/// Error of the derivative with respect to every energy that is not forbidden.
inline GradientCheck check_loss(const Loss& loss, LossProblem<double>& p) {
  std::vector<double*> at;
  std::vector<double> x;
  p.evaluate(loss);
  p.each_part([&](double& e, double) { at.push_back(&e), x.push_back(e); });
  return check_gradient(
      [&](std::span<const double> energies, std::span<double> gradient) {
        for (std::size_t i = 0; i < at.size(); ++i) *at[i] = energies[i];
        const double value = p.evaluate(loss);
        std::size_t next = 0;
        p.each_part([&](double&, double g) { gradient[next++] = g; });
        return value;
      },
      x);
}

/// min over distributions of labellings of expected energy + half the squared norm of unary marginals:
/// pairwise steps over all labellings until no slope is below another that carries weight, which is
/// optimality.
inline double quadratic_minimum(const std::vector<Labelling>& all, Index K) {
  std::vector<double> weight(all.size(), 0.0);
  const auto T = static_cast<Index>(all[0].y.size());
  TableBuffer<double> u(T, K);
  std::size_t lowest = 0;
  for (std::size_t i = 0; i < all.size(); ++i) lowest = all[i].energy < all[lowest].energy ? i : lowest;
  weight[lowest] = 1;
  for (Index t = 0; t < T; ++t) u[t][all[lowest].y[t]] = 1;
  const auto slope = [&](std::size_t i) {
    double s = all[i].energy;
    for (Index t = 0; t < T; ++t) s += u[t][all[i].y[t]];
    return s;
  };
  for (int step = 0; step < 100000; ++step) {
    std::size_t from = lowest, to = lowest;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (weight[i] > 0 && (weight[from] == 0 || slope(i) > slope(from))) from = i;
      if (slope(i) < slope(to)) to = i;
    }
    const double fall = slope(from) - slope(to);
    if (!(fall > 1e-13)) break;
    double apart = 0;
    for (Index t = 0; t < T; ++t) apart += all[from].y[t] == all[to].y[t] ? 0 : 2;
    const double moved = std::min(weight[from], fall / apart);
    weight[from] -= moved, weight[to] += moved;
    for (Index t = 0; t < T; ++t) u[t][all[from].y[t]] -= moved, u[t][all[to].y[t]] += moved;
  }
  double value = 0;
  for (std::size_t i = 0; i < all.size(); ++i) value += weight[i] > 0 ? weight[i] * all[i].energy : 0;
  for (Index i = 0; i < T * K; ++i) value += u[0][i] * u[0][i] / 2;
  return value;
}

/// What a value must be, from all labellings and their energies alone. E, Ebar, F as in learning/loss.h.
struct Definition {
  std::vector<Labelling> all;
  std::function<bool(const Labelling&)> right;
  std::function<double(const TaskCost&, const Labelling&)> delta;
  std::function<double(std::vector<Label>)> energy_of;
  std::vector<Label> y;
  Index K, number;
  double e = kInfinity<double>, wrong = e, low = e;

  template <class R>
  explicit Definition(const LossProblem<R>& p)
      : all(enumerate(p.owned.view())), y(p.y), K(p.owned.view().labels()), number(p.number) {
    right = [&p](const Labelling& l) { return p.fits(l.y); };
    energy_of = [&p](const std::vector<Label>& labels) { return energy<R>(p.owned.view(), labels); };
    delta = [&p](const TaskCost& cost, const Labelling& l) {
      const Chain<R> chain = p.owned.view();
      TableBuffer<double> table(chain.length(), chain.labels());
      TableBuffer<std::uint8_t> reachable = p.allowed;
      for (Index i = 0; p.open() && i < chain.unary.size(); ++i)
        reachable[0][i] = reachable[0][i] && chain.unary.data[i] < kInfinity<R>;
      if (p.open()) {
        lower<double>(cost, reachable.view(), table);
      } else {
        lower<double>(cost, std::span<const Label>(p.y), table);
      }
      double sum = 0;
      for (std::size_t t = 0; t < l.y.size(); ++t) sum += table[static_cast<Index>(t)][l.y[t]];
      return sum;
    };
    for (const auto& l : all) {
      low = std::min(low, l.energy);
      double& held = right(l) ? e : wrong;
      held = std::min(held, l.energy);
    }
  }

  double free(double beta) const {
    return free_energy_of(all, beta, [](auto&) { return true; });
  }
  double augmented(const TaskCost& cost, double factor) const {
    double lowest = kInfinity<double>;
    for (const auto& l : all) lowest = std::min(lowest, l.energy - factor * delta(cost, l));
    return lowest;
  }
  static double sigma(double x) { return 1 / (1 + std::exp(-x)); }
  /// sum over labellings one label away from y of f(E(y) - theirs)
  template <class F>
  double neighbours(F f) const {
    double sum = 0;
    for (std::size_t t = 0; t < y.size(); ++t) {
      for (Label l = 0; l < static_cast<Label>(K); ++l) {
        std::vector<Label> other = y;
        other[t] = l;
        if (l != y[t]) sum += f(e - energy_of(other));
      }
    }
    return sum;
  }

  double operator()(const LikelihoodLoss& l) const {
    return free_energy_of(all, l.beta, right) - free(l.beta);
  }
  double operator()(const MeeLoss& l) const {
    return 1 - std::exp(-l.beta * (*this)(LikelihoodLoss{l.beta}));
  }
  double operator()(const SoftmaxMarginLoss& l) const {
    auto shifted = all;
    for (auto& one : shifted) one.energy -= delta(l.cost, one);
    return free_energy_of(all, l.beta, right) - free_energy_of(shifted, l.beta, [](auto&) { return true; });
  }
  double operator()(const EnergyLoss&) const { return e; }
  double operator()(const PerceptronLoss&) const { return e - low; }
  double operator()(const HingeLoss& l) const { return std::max(0.0, l.margin + e - wrong); }
  double operator()(const LogLoss&) const { return std::log(1 + std::exp(e - wrong)); }
  double operator()(const Lvq2Loss& l) const { return std::min(l.ceiling, std::max(0.0, e - wrong)); }
  double operator()(const MceLoss&) const { return sigma(e - wrong); }
  double operator()(const SquareSquareLoss& l) const {
    return std::pow(e + *l.offset, 2) + std::pow(std::max(0.0, l.margin - wrong - *l.offset), 2);
  }
  double operator()(const SquareExponentialLoss& l) const {
    return std::pow(e + *l.offset, 2) + l.gamma * std::exp(-wrong - *l.offset);
  }
  double operator()(const StructuredHingeLoss& l) const { return e - augmented(l.cost, 1); }
  double operator()(const SlackHingeLoss& l) const {
    double worst = 0;
    for (const auto& one : all) {
      const double d = delta(l.cost, one);
      if (d > 0) worst = std::max(worst, d * (1 + e - one.energy));
    }
    return worst;
  }
  double operator()(const RampLoss& l) const { return low - augmented(l.cost, 1); }
  double operator()(const DirectLoss& l) const { return (low - augmented(l.cost, l.epsilon)) / l.epsilon; }
  double operator()(const SparseMapLoss&) const {
    std::vector<Labelling> feasible, held;
    for (const auto& l : all) {
      if (l.energy < kInfinity<double>) feasible.push_back(l);
      if (l.energy < kInfinity<double> && right(l)) held.push_back(l);
    }
    return quadratic_minimum(held, K) - quadratic_minimum(feasible, K);
  }
  double operator()(const PseudoLikelihoodLoss& l) const {
    double sum = 0;
    for (std::size_t t = 0; t < y.size(); ++t) {
      double z = 0;
      for (const auto& other : all) {
        bool held = true;
        for (std::size_t u = 0; u < y.size(); ++u) held = held && (u == t || other.y[u] == y[u]);
        if (held) z += std::exp(-l.beta * (other.energy - e));
      }
      sum += std::log(z) / l.beta;
    }
    return sum;
  }
  double operator()(const MinimumProbabilityFlowLoss& l) const {
    return neighbours([&](double d) { return std::exp(l.beta * d / 2); });
  }
  double operator()(const RatioMatchingLoss& l) const {
    return neighbours([&](double d) { return std::pow(sigma(l.beta * d), 2); });
  }
  double operator()(const RankingNoiseLoss& l) const {
    Rng rng = Rng(l.seed).fork(0).fork(static_cast<std::uint64_t>(number));
    const auto price = [&](const std::vector<Label>& labels) {
      double log_q = -static_cast<double>(labels.size()) * std::log(static_cast<double>(K));
      for (std::size_t t = 0; t < labels.size() && !l.noise.first.empty(); ++t)
        log_q = t == 0 ? std::log(l.noise.first[labels[0]])
                       : log_q + std::log(l.noise.next[labels[t - 1]][labels[t]]);
      return std::exp(-l.beta * energy_of(labels) - log_q);
    };
    double total = price(y);
    std::vector<Label> drawn(y.size());
    for (Index m = 0; m < l.samples; ++m) {
      l.noise.draw(rng, K, drawn);
      total += price(drawn);
    }
    return -std::log(price(y) / total) / l.beta;
  }
  /// Drawn: tested by its distribution elsewhere.
  double operator()(const ContrastiveDivergence&) const { return std::nan(""); }
};

inline double by_definition(const Loss& loss, const Definition& definition) {
  return std::visit(definition, loss);
}

/// Whether an open answer is a question for it.
inline bool takes_open(const Loss& loss) {
  const auto operation = operation_of(loss);
  return operation != "site_energies" && operation != "energy of drawn labellings";
}

}  // namespace thalweg::testing
