// What must not change when a chain is said in another way: 16,000 random chains, each with another made of
// it.

#include <numeric>

#include "support/catch.h"
#include "support/enumerate.h"
#include "support/sanitized.h"
#include "thalweg/inference/chain.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

struct Answers {
  double lowest, second, free_energy;
};

template <class R>
Answers answers(const Chain<R>& chain) {
  const Minimum best = minimize(chain);
  if (best.feasible()) REQUIRE(best.energy == energy<R>(chain, best.labels));
  const auto two = k_lowest(chain, 2);
  return {best.energy, two.size() < 2 ? kInfinity<double> : two[1].energy, free_energy(chain, 0.9)};
}

void same(const Answers& a, const Answers& b, double shift, double margin) {
  const auto near = [&](double x, double y) {
    return x == y + shift || std::abs(x - y - shift) <= margin * (1 + std::abs(shift));
  };
  INFO(a.lowest << " " << b.lowest << ", " << a.second << " " << b.second << ", " << a.free_energy << " "
                << b.free_energy << ", shift " << shift);
  REQUIRE(near(a.lowest, b.lowest));
  REQUIRE(near(a.second, b.second));
  REQUIRE(near(a.free_energy, b.free_energy));
}

template <class R>
RandomChainOptions random_shape(Rng& rng) {
  RandomChainOptions o;
  o.length = 1 + static_cast<Index>(rng.below(6)), o.labels = 1 + static_cast<Index>(rng.below(5));
  if (rng.below(8) == 0) o.labels = 6 + static_cast<Index>(rng.below(30));
  o.tables = rng.below(3) ? 1 : 3;
  o.scale = rng.below(4) ? 1 : 30;
  if (rng.below(4) == 0) o.forbid_labels = o.forbid_pairs = 0.2;
  return o;
}

template <class R>
double margin_of(const RandomChainOptions& o) {
  return (sizeof(R) == 4 ? 2e-5 : 1e-11) * o.scale;
}

constexpr int kRounds =
    kSanitized ? 200 : 2000;  // of each relation in each precision, and two chains a round or more

}  // namespace

TEMPLATE_TEST_CASE("a constant added to a position or to all couplings is added to all energies",
                   "[inference][metamorphic][kernels]", float, double) {
  using R = TestType;
  Rng rng(61);
  for (int round = 0; round < kRounds; ++round) {
    const auto shape = random_shape<R>(rng);
    const auto owned = random_chain<R>(rng, shape);
    const auto c = static_cast<R>(rng.normal() * 3), d = static_cast<R>(rng.normal());
    const Index at = static_cast<Index>(rng.below(static_cast<std::uint64_t>(shape.length)));
    auto other = owned;
    for (R& e : Table<R>(other.unary).row(at)) e += c;
    for (Index i = 0; i < other.pairwise.rows() * other.pairwise.columns(); ++i) other.pairwise[0][i] += d;
    const double shift =
        static_cast<double>(c) + static_cast<double>(d) * static_cast<double>(shape.length - 1);
    same(answers(other.view()), answers(owned.view()), shift, margin_of<R>(shape));
  }
}

TEMPLATE_TEST_CASE("numbering the labels otherwise changes no energy", "[inference][metamorphic][kernels]",
                   float, double) {
  using R = TestType;
  Rng rng(62);
  for (int round = 0; round < kRounds; ++round) {
    const auto shape = random_shape<R>(rng);
    const auto owned = random_chain<R>(rng, shape);
    const Index K = shape.labels;
    std::vector<Index> to(static_cast<std::size_t>(K));
    std::iota(to.begin(), to.end(), Index{0});
    rng.shuffle(std::span<Index>(to));
    auto other = owned;
    for (Index t = 0; t < shape.length; ++t) {
      for (Index j = 0; j < K; ++j) other.unary[t][to[j]] = owned.unary[t][j];
    }
    for (Index p = 0; p < shape.tables; ++p) {
      for (Index i = 0; i < K; ++i) {
        for (Index j = 0; j < K; ++j) other.pairwise[p][to[i] * K + to[j]] = owned.pairwise[p][i * K + j];
      }
    }
    same(answers(other.view()), answers(owned.view()), 0, margin_of<R>(shape));
  }
}

TEMPLATE_TEST_CASE("read backwards a chain has the same energies", "[inference][metamorphic][kernels]", float,
                   double) {
  using R = TestType;
  Rng rng(63);
  for (int round = 0; round < kRounds; ++round) {
    const auto shape = random_shape<R>(rng);
    const auto owned = random_chain<R>(rng, shape);
    const Index K = shape.labels, T = shape.length;
    auto other = owned;
    for (Index t = 0; t < T; ++t) std::copy_n(owned.unary[T - 1 - t], K, other.unary[t]);
    for (Index p = 0; p < shape.tables; ++p) {
      for (Index i = 0; i < K; ++i) {
        for (Index j = 0; j < K; ++j) other.pairwise[p][i * K + j] = owned.pairwise[p][j * K + i];
      }
    }
    std::reverse(other.which.begin(), other.which.end());
    same(answers(other.view()), answers(owned.view()), 0, margin_of<R>(shape));
  }
}

TEMPLATE_TEST_CASE("split where the coupling is nothing, a chain is the sum of its halves",
                   "[inference][metamorphic][kernels]", float, double) {
  using R = TestType;
  Rng rng(64);
  for (int round = 0; round < kRounds / 2; ++round) {
    auto shape = random_shape<R>(rng);
    shape.length += 1, shape.tables = 2;
    auto owned = random_chain<R>(rng, shape);
    const Index K = shape.labels, T = shape.length;
    const Index cut = 1 + static_cast<Index>(rng.below(static_cast<std::uint64_t>(T - 1)));
    std::fill(owned.which.begin(), owned.which.end(), 0u);
    owned.which[cut - 1] = 1;
    std::fill_n(owned.pairwise[1], K * K, R(0));
    const Chain<R> whole = owned.view();
    const std::span<const std::uint32_t> which(owned.which);
    const Chain<R> left{whole.unary.slice(0, cut), whole.pairwise, which.first(cut - 1)};
    const Chain<R> right{whole.unary.slice(cut, T - cut), whole.pairwise, which.subspan(cut)};
    const Answers a = answers(whole), l = answers(left), r = answers(right);
    const Answers sum{l.lowest + r.lowest, std::min(l.second + r.lowest, l.lowest + r.second),
                      l.free_energy + r.free_energy};
    same(a, sum, 0, 2 * margin_of<R>(shape));
  }
}

TEMPLATE_TEST_CASE("a label that is forbidden everywhere might as well not be there",
                   "[inference][metamorphic][kernels]", float, double) {
  using R = TestType;
  Rng rng(65);
  for (int round = 0; round < kRounds / 2; ++round) {
    const auto shape = random_shape<R>(rng);
    const auto owned = random_chain<R>(rng, shape);
    const Index K = shape.labels, T = shape.length;
    OwnedChain<R> other;
    other.which = owned.which;
    other.unary.resize(T, K + 1, kInfinity<R>);
    other.pairwise.resize(shape.tables, (K + 1) * (K + 1), static_cast<R>(rng.normal()));
    for (Index t = 0; t < T; ++t) std::copy_n(owned.unary[t], K, other.unary[t]);
    for (Index p = 0; p < shape.tables; ++p) {
      for (Index i = 0; i < K; ++i)
        std::copy_n(owned.pairwise[p] + i * K, K, other.pairwise[p] + i * (K + 1));
    }
    same(answers(other.view()), answers(owned.view()), 0, margin_of<R>(shape));
  }
}
