// Every loss on every structure, and every energy term: random cases against central differences.

#include <cmath>

#include "support/catch.h"
#include "support/losses.h"
#include "thalweg/model/linear_terms.h"
#include "thalweg/optimization/gradient_check.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

// Plain chains, several tables, histories; with and without parts that are forbidden; from one position and
// one label on.
RandomChainOptions random_structure(Rng& rng, int kind) {
  RandomChainOptions o;
  o.length = 1 + static_cast<Index>(rng.below(6)), o.labels = 1 + static_cast<Index>(rng.below(5));
  o.tables = kind % 2 ? 3 : 1;
  o.contexts = kind / 2 % 2 ? 1 + static_cast<Index>(rng.below(8)) : 0;
  if (kind / 4 % 2) o.forbid_labels = o.forbid_pairs = 0.15;
  return o;
}

// Small dyadic fractions: sums of a few of their products are exact in float.
double dyadic(Rng& rng) { return (static_cast<double>(rng.below(33)) - 16) / 16; }

// sum over the table of weight * energy, which is linear in w: differences are exact at any step.
double term_error(Rng& rng, LinearTerm& term, const Block& block) {
  const Shape shape = term.shape(block);
  TableBuffer<float> weight(shape.rows, shape.columns), energies;
  for (Index i = 0; i < shape.rows * shape.columns; ++i) weight[0][i] = static_cast<float>(dyadic(rng));
  std::vector<double> w(static_cast<std::size_t>(term.parameters()));
  for (double& one : w) one = dyadic(rng);
  const auto f = [&](std::span<const double> x, std::span<double> gradient) {
    term.assign(x, 1);
    term.energies(block, energies.resize(shape.rows, shape.columns));
    std::fill(gradient.begin(), gradient.end(), 0.0);
    term.pull_back(block, weight.view(), gradient, 1);
    double sum = 0;
    for (Index i = 0; i < shape.rows * shape.columns; ++i)
      sum += static_cast<double>(weight[0][i]) * static_cast<double>(energies[0][i]);
    return sum;
  };
  return check_gradient(f, w, {.step = 1}).error;
}

SparseMatrix random_rows(Rng& rng, Index rows, Index columns, bool valued) {
  SparseMatrix m;
  for (Index r = 0; r < rows; ++r) {
    for (Index c = 0; c < columns; ++c) {
      if (rng.below(3)) continue;
      m.columns.push_back(static_cast<std::uint32_t>(c));
      if (valued) m.values.push_back(static_cast<float>(dyadic(rng)));
    }
    m.offsets.push_back(m.entries());
  }
  return m;
}

// Some of the weights that there could be, some rows of them whole.
FeatureIndex random_index(Rng& rng, Index rows, Index columns) {
  FeatureIndex index;
  for (Index r = 0; r < rows; ++r) {
    const std::uint64_t keep = r < rows / 2 ? 8 : 2;
    for (Index c = 0; c < columns; ++c) {
      if (rng.below(10) < keep) index.labels.push_back(static_cast<Label>(c));
    }
    index.offsets.push_back(static_cast<std::uint32_t>(index.features()));
  }
  return index;
}

}  // namespace

TEST_CASE("every loss on every structure has the derivative that it says: 864 cases",
          "[learning][gradient][kernels]") {
  Rng rng(71);
  for (std::size_t i = 0; i < every_loss(1).size(); ++i) {
    for (int kind = 0; kind < 8; ++kind) {
      for (int round = 0; round < 3; ++round) {
        auto p = random_problem<double>(rng, random_structure(rng, kind));
        const Loss loss = every_loss(p.owned.unary.columns())[i];
        INFO(name(loss) << ", " << i << " of every_loss, kind " << kind << ", round " << round);
        REQUIRE(check_loss(loss, p).error < 1e-6);
      }
    }
  }
}

TEST_CASE("every energy term has the derivative that it says: 180 cases", "[model][gradient][kernels]") {
  Rng rng(72);
  for (int round = 0; round < 30; ++round) {
    const Index K = 1 + static_cast<Index>(rng.below(20)), P = 2 + static_cast<Index>(rng.below(12)), A = 7;
    const std::vector<Index> sequences{0, P / 2, P};
    INFO("round " << round << ", K " << K << ", " << P << " positions");
    const FeatureIndex emissions = random_index(rng, A, K), pairs = random_index(rng, A, K * K);
    for (const bool valued : {false, true}) {
      const SparseMatrix rows = random_rows(rng, P, A, valued);
      SparseLinear sparse(emissions, K);
      REQUIRE(term_error(rng, sparse, {sequences, &rows}) < 1e-6);
      const std::vector<std::uint32_t> tables{0, 1, 1, static_cast<std::uint32_t>(P - 1)};
      Block block{sequences, nullptr};
      block.pair_rows = &rows, block.tables = tables;
      PairLinear pair(pairs, K);
      REQUIRE(term_error(rng, pair, block) < 1e-6);
    }
    const FeatureIndex index = random_index(rng, K, K);
    Transitions transitions(index, K);
    REQUIRE(term_error(rng, transitions, {sequences}) < 1e-6);
    const Index D = 1 + static_cast<Index>(rng.below(9));
    std::vector<float> x;
    for (Index i = 0; i < P * D; ++i) x.push_back(static_cast<float>(dyadic(rng)));
    DenseLinear dense(D, K);
    REQUIRE(term_error(rng, dense, {sequences, nullptr, {x.data(), P, D}}) < 1e-6);
  }
}
