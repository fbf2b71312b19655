// The seam between model, structure and loss, held against four clients that later rooms will be: each in
// about fifteen lines, over tables of part energies going up and tables of part gradients of the same shape
// coming down.

#include <cmath>
#include <functional>

#include "support/catch.h"
#include "support/enumerate.h"
#include "thalweg/inference/chain.h"
#include "thalweg/learning/chain_operations.h"
#include "thalweg/learning/evaluate.h"
#include "thalweg/model/energy_term.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

// A term that reads dense vectors: energies = - x W, as an encoder's last layer would.
class DenseLinear : public EnergyTerm {
 public:
  DenseLinear(Index inputs, Index outputs)
      : EnergyTerm(inputs * outputs), inputs_(inputs), outputs_(outputs) {}
  void assign(std::span<const double> w, int) override { w_.assign(w.begin(), w.end()); }
  Shape shape(const Block& block) const override { return {block.positions(), outputs_}; }
  void energies(const Block& block, Table<float> out) const override {
    each(block, [&](Index p, Index i, Index o) {
      out[p][o] -= static_cast<float>(w_[i * outputs_ + o]) * block.vectors[block.begin() + p][i];
    });
  }
  void pull_back(const Block& block, Table<const float> g, std::span<double> into, int) const override {
    each(block, [&](Index p, Index i, Index o) {
      into[i * outputs_ + o] -= static_cast<double>(g[p][o] * block.vectors[block.begin() + p][i]);
    });
  }

 private:
  template <class F>
  void each(const Block& block, F f) const {
    for (Index p = 0; p < block.positions(); ++p) {
      for (Index i = 0; i < inputs_; ++i) {
        for (Index o = 0; o < outputs_; ++o) f(p, i, o);
      }
    }
  }
  Index inputs_, outputs_;
  std::vector<double> w_;
};

struct Input {
  TableBuffer<float> x{4, 2};
  std::vector<Index> sequences{0, 4};
  DenseLinear term{2, 3};
  std::vector<double> w;

  explicit Input(Rng& rng) {
    for (Index i = 0; i < 8; ++i) x[0][i] = static_cast<float>(rng.normal());
    for (int i = 0; i < 6; ++i) w.push_back(rng.normal());
  }
  Block block() const { return {sequences, nullptr, x.view()}; }
  TableBuffer<float> energies() {
    term.assign(w, 1);
    TableBuffer<float> table(4, 3);
    term.energies(block(), table);
    return table;
  }
  // The chain rule's last step, against differences of `value` in w.
  void check(const std::function<double()>& value, Table<const float> gradient) {
    std::vector<double> into(6, 0.0);
    term.pull_back(block(), gradient, into, 1);
    for (std::size_t f = 0; f < 6; ++f) {
      const double kept = w[f], h = 0.01;
      w[f] = kept + h;
      const double up = value();
      w[f] = kept - h;
      const double down = value();
      w[f] = kept;
      REQUIRE(into[f] == Approx((up - down) / (2 * h)).margin(2e-3));
    }
  }
};

}  // namespace

TEST_CASE("seam: a lattice composed from emissions, lexicon and language model", "[model][seam]") {
  Rng rng(31);
  Input input(rng);
  // Arcs read cells of the emission table; composition leaves a sparse map from arc energies to (table cell,
  // language model weight), and pulling back is its transpose.
  struct Arc {
    int from, to;
    Index cell;
    double language;
  };
  const std::vector<Arc> arcs{{0, 1, 0, .2}, {0, 1, 1, .5}, {1, 2, 3, .1}, {1, 2, 5, .3},
                              {2, 3, 7, .2}, {2, 3, 8, 0},  {3, 4, 9, .4}, {3, 4, 11, .6}};
  auto free_energy_of_lattice = [&](const TableBuffer<float>& table, TableBuffer<float>* gradient) {
    double total = 0;
    for (std::size_t a = 0; a < arcs.size(); a += 2) {  // two parallel arcs a step: sums factor
      const double e0 = static_cast<double>(table[0][arcs[a].cell]) + arcs[a].language;
      const double e1 = static_cast<double>(table[0][arcs[a + 1].cell]) + arcs[a + 1].language;
      const double z = std::exp(-e0) + std::exp(-e1);
      total -= std::log(z);
      if (gradient) {
        (*gradient)[0][arcs[a].cell] += static_cast<float>(std::exp(-e0) / z);
        (*gradient)[0][arcs[a + 1].cell] += static_cast<float>(std::exp(-e1) / z);
      }
    }
    return total;
  };
  TableBuffer<float> gradient(4, 3);
  free_energy_of_lattice(input.energies(), &gradient);
  input.check([&] { return free_energy_of_lattice(input.energies(), nullptr); }, gradient);
}

TEST_CASE("seam: a skip-chain", "[model][seam]") {
  Rng rng(32);
  Input input(rng);
  // The same unary table and a second pairwise table, on an edge between positions 0 and 3: a graph's factors
  // are tables too, and its parts gradient has the tables' shapes.
  const auto owned = random_chain<float>(rng, {4, 3});
  auto free_energy_of_graph = [&](const TableBuffer<float>& unary, TableBuffer<float>* gradient) {
    const Chain<float> chain{unary.view(), owned.pairwise.view(), {}};
    auto all = enumerate(chain);
    for (auto& l : all) l.energy += l.y[0] == l.y[3] ? -0.7 : 0.0;  // Potts: equal words like equal labels
    const double f = free_energy_of(all, 1, [](auto&) { return true; });
    for (const auto& l : all) {
      if (gradient)
        add_answer<float>(chain, l.y, static_cast<float>(std::exp(f - l.energy)),
                          {*gradient, TableBuffer<float>(1, 9), {}});
    }
    return f;
  };
  TableBuffer<float> gradient(4, 3);
  free_energy_of_graph(input.energies(), &gradient);
  input.check([&] { return free_energy_of_graph(input.energies(), nullptr); }, gradient);
}

TEST_CASE("seam: persistent contrastive divergence", "[model][seam]") {
  Rng rng(33);
  Input input(rng);
  const auto owned = random_chain<float>(rng, {4, 3});
  const std::vector<Label> answer{0, 1, 2, 0};
  // The update is E(answer) - E(sample) in expectation; with exact samples that is the likelihood's gradient.
  const TableBuffer<float> unary = input.energies();
  const Chain<float> chain{unary.view(), owned.pairwise.view(), {}};
  TableBuffer<float> update(4, 3), pairs(1, 9);
  const Index chains = 20000;
  add_answer<float>(chain, answer, static_cast<float>(chains), {update, pairs, {}});
  for (const auto& y : sample(chain, 1, rng, chains)) add_answer<float>(chain, y, -1, {update, pairs, {}});
  Couplings<float> couplings;
  prepare(Loss{LikelihoodLoss{}}, chain.pairwise, 3, couplings);
  ChainOperations<float> on;
  on.couplings = &couplings;
  TableBuffer<float> exact(4, 3), exact_pairs(1, 9);
  evaluate(Loss{LikelihoodLoss{}}, Problem<Chain<float>>{chain, answer}, {exact, exact_pairs, {}}, on);
  for (Index i = 0; i < 12; ++i)
    REQUIRE(update[0][i] / static_cast<float>(chains) == Approx(exact[0][i]).margin(0.02));
  for (Index i = 0; i < 9; ++i)
    REQUIRE(pairs[0][i] / static_cast<float>(chains) == Approx(exact_pairs[0][i]).margin(0.04));
}

TEST_CASE("seam: a global neural term over a relaxed labelling", "[model][seam]") {
  Rng rng(34);
  Input input(rng);
  // Not a table: value and gradient in q. It meets the tables where q does, E(q) = <unary, q> + g(sum_t q_t),
  // so its part of the gradient with respect to the unary table is q itself.
  TableBuffer<float> q(4, 3);
  for (Index t = 0; t < 4; ++t) q[t][0] = 0.5f, q[t][t % 3] += 0.5f;
  auto global = [](const TableBuffer<float>& at) {
    double total = 0;
    for (Index l = 0; l < 3; ++l) {
      double count = 0;
      for (Index t = 0; t < 4; ++t) count += static_cast<double>(at[t][l]);
      total += std::tanh(count - 1);
    }
    return total;
  };
  auto value = [&] {
    const auto unary = input.energies();
    double total = global(q);
    for (Index i = 0; i < 12; ++i) total += static_cast<double>(unary[0][i] * q[0][i]);
    return total;
  };
  input.check(value, q.view());
}
