#include "thalweg/evaluation/bootstrap.h"

#include <cmath>
#include <vector>

#include "support/catch.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

using namespace thalweg;

TEST_CASE("the paired bootstrap of accuracies has the spread of the binomial", "[evaluation]") {
  // Of 400 sentences of one token 60 are right for the first alone and 40 for the second alone: a difference
  // of 5 points, whose standard error is 100 sqrt(.25 - .05^2) / sqrt(400) points.
  std::vector<SpanCounts> first, second;
  for (Index n = 0; n < 400; ++n) {
    const bool a = n < 60 || n >= 100, b = n >= 60;
    first.push_back({1, 1, a}), second.push_back({1, 1, b});
  }
  const PairedBootstrap found = paired_bootstrap(first, second);
  CHECK(found.difference == Approx(5));
  const double error = 100 * std::sqrt(0.25 - 0.05 * 0.05) / std::sqrt(400.0);
  CHECK(found.low == Approx(5 - 1.96 * error).margin(0.3));
  CHECK(found.high == Approx(5 + 1.96 * error).margin(0.3));
  CHECK(found.not_better == Approx(2.6).margin(0.8));  // the normal tail beyond 2.01 errors, ties with it

  const PairedBootstrap turned = paired_bootstrap(second, first);
  CHECK(turned.difference == -found.difference);
  CHECK(turned.low == Approx(-found.high));
  CHECK(turned.not_better > 97);
  CHECK(paired_bootstrap(first, second, 10000, 2).low == Approx(found.low).margin(0.3));
}

TEST_CASE("pairs matter: what both get wrong together adds no spread", "[evaluation]") {
  std::vector<SpanCounts> first, second;
  Rng rng(3);
  for (int n = 0; n < 200; ++n) {
    const Index gold = static_cast<Index>(rng.below(9)), right = static_cast<Index>(rng.below(gold + 1));
    first.push_back({gold, gold, right}), second.push_back({gold, gold, right});
  }
  const PairedBootstrap same = paired_bootstrap(first, second, 200);
  CHECK(same.difference == 0);
  CHECK(same.low == 0);
  CHECK(same.high == 0);
  CHECK(same.not_better == 100);
  CHECK(paired_bootstrap({}, {}).difference == 0);
}

TEST_CASE("what is no pair is refused", "[evaluation]") {
  const std::vector<SpanCounts> two{{1, 1, 1}, {2, 1, 1}}, one{{1, 1, 1}}, others{{1, 1, 1}, {3, 1, 1}};
  CHECK_THROWS_AS(paired_bootstrap(two, one), InputError);
  CHECK_THROWS_WITH(paired_bootstrap(two, others), ContainsSubstring("sentence 2: 3 gold spans against 2"));
  CHECK_THROWS_AS(paired_bootstrap(two, two, 0), InputError);
}
