// Numbers at the edge of what numbers are: refused at the boundary, or exact.

#include <cmath>
#include <functional>
#include <limits>

#include "support/catch.h"
#include "support/enumerate.h"
#include "support/message.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/chain.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

template <class R>
using Question = std::function<void(const Chain<R>&)>;

// Everything that may be asked of a chain.
template <class R>
std::vector<Question<R>> questions() {
  return {
      [](const Chain<R>& c) { minimize(c); },
      [](const Chain<R>& c) { minimize_excluding<R>(c, std::vector<Label>(c.length(), 0)); },
      [](const Chain<R>& c) { minimize_augmented<R>(c, TableBuffer<R>(c.length(), c.labels()).view()); },
      [](const Chain<R>& c) { k_lowest(c, 3); },
      [](const Chain<R>& c) { min_marginals(c); },
      [](const Chain<R>& c) { free_energy(c); },
      [](const Chain<R>& c) { marginals(c); },
      [](const Chain<R>& c) {
        Rng rng(1);
        sample(c, 1, rng, 2);
      },
      [](const Chain<R>& c) { maximum_marginals(c); },
      [](const Chain<R>& c) { window_probability<R>(c, 1, 0, TableBuffer<std::uint8_t>(1, c.labels(), 1)); },
  };
}

// All numbers of `chain` agree with enumeration, as far as sums of energies about `scale` can.
template <class R>
void check_exact(const Chain<R>& chain, double scale) {
  const double margin = (sizeof(R) == 4 ? 4e-6 : 1e-14) * scale;
  const auto all = enumerate(chain);
  double lowest = kInfinity<double>;
  for (const auto& l : all) lowest = std::min(lowest, l.energy);
  const Minimum best = minimize(chain);
  REQUIRE(best.feasible());
  CHECK(best.energy == energy<R>(chain, best.labels));
  CHECK(best.energy == Approx(lowest).margin(margin));
  const double f = free_energy_of(all, 1, [](auto&) { return true; });
  CHECK(free_energy(chain) == Approx(f).margin(margin + 1e-5));
  const auto m = marginals(chain);
  for (Index t = 0; t < chain.length(); ++t) {
    double sum = 0;
    for (Index j = 0; j < chain.labels(); ++j) {
      CHECK((m.unary[t][j] >= 0 && m.unary[t][j] <= R(1.0001)));
      sum += m.unary[t][j];
    }
    CHECK(sum == Approx(1).margin(1e-4));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("energies that are no numbers are refused by their place", "[inference][numbers]", float,
                   double) {
  using R = TestType;
  const R nan = std::numeric_limits<R>::quiet_NaN();
  Rng rng(41);
  for (const Index K : {2, 3, 9}) {
    for (const R bad : {nan, -nan, -kInfinity<R>}) {
      for (const auto& [unary, where] :
           {std::pair{true, "unary[2, 1]: "}, std::pair{false, "pairwise[0, 2]: "}}) {
        auto owned = random_chain<R>(rng, {4, K});
        (unary ? owned.unary[2][1] : owned.pairwise[0][2]) = bad;
        for (const auto& ask : questions<R>()) {
          const std::string says = message_of<InputError>([&] { ask(owned.view()); });
          CHECK_THAT(says, ContainsSubstring(where));
          CHECK_THAT(says, ContainsSubstring(std::isnan(bad) ? "is NaN; " : "is -infinity; "));
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("a beta that this precision cannot hold is refused", "[inference][numbers]", float,
                   double) {
  using R = TestType;
  Rng rng(42);
  const auto owned = random_chain<R>(rng, {3, 3});
  const Chain<R> chain = owned.view();
  const double small = std::numeric_limits<R>::min(), large = std::numeric_limits<R>::max();
  for (const double beta :
       {0.0, -0.0, -1.0, std::nan(""), kInfinity<double>, -kInfinity<double>, small / 4}) {
    CHECK_THAT(message_of<OptionError>([&] { free_energy(chain, beta); }),
               ContainsSubstring("beta: must be"));
    CHECK_THAT(message_of<OptionError>([&] { marginals(chain, beta); }), ContainsSubstring("beta: must be"));
    CHECK_THROWS_AS(maximum_marginals(chain, beta), OptionError);
    CHECK_THROWS_AS(sample(chain, beta, rng, 1), OptionError);
  }
  if constexpr (sizeof(R) == 4) CHECK_THROWS_AS(free_energy(chain, 1e39), OptionError);
  // At either end of what is accepted: all labellings alike, and the lowest alone.
  const auto hot = marginals(chain, small), cold = marginals(chain, large / 1e30);
  const Minimum best = minimize(chain);
  for (Index t = 0; t < 3; ++t) {
    for (Index j = 0; j < 3; ++j) {
      CHECK(hot.unary[t][j] == Approx(1.0 / 3).epsilon(1e-5));
      CHECK(cold.unary[t][j] == Approx(best.labels[t] == static_cast<Label>(j) ? 1 : 0).margin(1e-5));
    }
  }
}

TEMPLATE_TEST_CASE("denormal, huge and signed-zero energies are energies", "[inference][numbers]", float,
                   double) {
  using R = TestType;
  Rng rng(43);
  const R denormal = std::numeric_limits<R>::denorm_min(), tiny = std::numeric_limits<R>::min();
  const R huge = sizeof(R) == 4 ? R(1e30) : R(1e300);
  for (const Index K : {1, 2, 5, 17}) {
    for (const R unit : {denormal, tiny, R(1e-20), R(1), R(1e6), huge}) {
      for (const bool pairs : {false, true}) {
        auto owned = random_chain<R>(rng, {3, K});
        for (Index i = 0; i < 3 * K; ++i) owned.unary[0][i] = unit * static_cast<R>(rng.below(7)) - unit * 3;
        for (Index i = 0; i < K * K; ++i)
          owned.pairwise[0][i] = pairs ? unit * static_cast<R>(rng.below(7)) - unit * 3 : R(-0.0);
        check_exact<R>(owned.view(), 18.0 * static_cast<double>(unit));
      }
    }
  }
}

TEMPLATE_TEST_CASE("signs of zero change nothing, ties included", "[inference][numbers]", float, double) {
  using R = TestType;
  Rng rng(44);
  for (const Index K : {1, 2, 3, 8, 20}) {
    auto plus = random_chain<R>(rng, {5, K});
    for (Index i = 0; i < 5 * K; ++i) plus.unary[0][i] = static_cast<R>(rng.below(2));
    for (Index i = 0; i < K * K; ++i) plus.pairwise[0][i] = 0;
    auto minus = plus;
    for (Index i = 0; i < 5 * K; ++i) minus.unary[0][i] = plus.unary[0][i] == 0 ? R(-0.0) : plus.unary[0][i];
    for (Index i = 0; i < K * K; ++i) minus.pairwise[0][i] = R(-0.0);
    CHECK(minimize(plus.view()).labels == minimize(minus.view()).labels);
    CHECK(free_energy(plus.view()) == free_energy(minus.view()));
    const auto a = k_lowest(plus.view(), 9), b = k_lowest(minus.view(), 9);
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].labels == b[i].labels);
  }
}

TEMPLATE_TEST_CASE("ties go to the lower label, read from the end", "[inference][numbers]", float, double) {
  using R = TestType;
  Rng rng(45);
  for (int round = 0; round < 60; ++round) {
    const Index T = 1 + static_cast<Index>(rng.below(5)), K = 2 + static_cast<Index>(rng.below(5));
    auto owned = random_chain<R>(rng, {T, K});
    for (Index i = 0; i < T * K; ++i) owned.unary[0][i] = static_cast<R>(rng.below(2));
    for (Index i = 0; i < K * K; ++i) owned.pairwise[0][i] = static_cast<R>(rng.below(2));
    const auto all = enumerate(owned.view());
    const auto before = [](const Labelling& a, const Labelling& b) {
      if (a.energy != b.energy) return a.energy < b.energy;
      return std::lexicographical_compare(a.y.rbegin(), a.y.rend(), b.y.rbegin(), b.y.rend());
    };
    CHECK(minimize(owned.view()).labels == std::min_element(all.begin(), all.end(), before)->y);
  }
}

TEMPLATE_TEST_CASE("long sums of large energies keep the digits that double has", "[inference][numbers]",
                   float, double) {
  using R = TestType;
  const Index T = 20000;
  for (const R level : {R(1e4), R(-1e4), R(1e15)}) {
    TableBuffer<R> unary(T, 3, level), pairwise(1, 9, R(0));
    for (Index t = 0; t < T; ++t) unary[t][t % 3] = level - level / 1024;
    const Chain<R> chain{unary.view(), pairwise.view(), {}};
    const Minimum best = minimize(chain);
    // Positions are independent: two labels at `level`, one a little off it.
    const double at = static_cast<double>(level), off = static_cast<double>(level - level / 1024);
    const double lowest = std::min(at, off), tokens = static_cast<double>(T);
    CHECK(best.energy == Approx(tokens * lowest).epsilon(1e-12));
    const double f = lowest - std::log(2 * std::exp(lowest - at) + std::exp(lowest - off));
    CHECK(free_energy(chain) == Approx(tokens * f).epsilon(1e-6));
  }
}
