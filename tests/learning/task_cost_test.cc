#include "thalweg/learning/task_cost.h"

#include <cmath>

#include "support/catch.h"
#include "support/losses.h"
#include "support/message.h"
#include "thalweg/core/error.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

double total(const TaskCost& cost, const std::vector<Label>& right, const std::vector<Label>& y, Index K) {
  TableBuffer<double> table(static_cast<Index>(right.size()), K);
  lower<double>(cost, right, table);
  double sum = 0;
  for (std::size_t t = 0; t < y.size(); ++t) sum += table[static_cast<Index>(t)][y[t]];
  return sum;
}

// All labellings of T positions.
std::vector<std::vector<Label>> labellings(Index T, Index K) {
  OwnedChain<double> free;
  free.unary.resize(T, K), free.pairwise.resize(1, K * K);
  std::vector<std::vector<Label>> all;
  for (const auto& l : enumerate(free.view())) all.push_back(l.y);
  return all;
}

// Spans in only one of the two answers.
int wrong_spans(const std::vector<std::string_view>& labels, Scheme scheme, const std::vector<Label>& a,
                const std::vector<Label>& b) {
  std::vector<std::string_view> texts[2];
  for (Label l : a) texts[0].push_back(labels[l]);
  for (Label l : b) texts[1].push_back(labels[l]);
  const auto one = spans(texts[0], scheme), other = spans(texts[1], scheme);
  int wrong = static_cast<int>(one.size() + other.size());
  for (const Span& s : one) wrong -= 2 * static_cast<int>(std::count(other.begin(), other.end(), s));
  return wrong;
}

}  // namespace

TEST_CASE("costs of labels are sums over positions", "[learning][costs]") {
  const PairCost prices = random_prices(3);
  Rng rng(301);
  for (int round = 0; round < 30; ++round) {
    const Index T = static_cast<Index>(rng.below(5));
    const auto right = random_labels(rng, T, 3), y = random_labels(rng, T, 3);
    double wrong = 0, price = 0;
    for (std::size_t t = 0; t < y.size(); ++t)
      wrong += y[t] != right[t], price += prices.prices[right[t]][y[t]];
    CHECK(total(HammingCost{}, right, y, 3) == wrong);
    CHECK(total(HammingMeanCost{}, right, y, 3) == Approx(T == 0 ? 0 : wrong / static_cast<double>(T)));
    CHECK(total(prices, right, y, 3) == Approx(price));
    CHECK(total(growing_cost(), right, right, 3) == 0);
    CHECK(price_of_error(HammingCost{}, T) == 1.0);
    CHECK(price_of_error(HammingMeanCost{}, 4) == 0.25);
    CHECK_FALSE(price_of_error(TaskCost{prices}, T));
  }
}

TEST_CASE("the span cost bounds the spans that are wrong, in every scheme", "[learning][costs]") {
  const std::vector<std::pair<std::vector<std::string_view>, Scheme>> schemes{
      {{"O", "B-X", "I-X"}, Scheme::Bio},
      {{"O", "B-X", "I-X", "B-Y", "I-Y"}, Scheme::Bio},
      {{"O", "I-X", "I-Y"}, Scheme::Bio},
      {{"O", "B-X", "I-X", "E-X", "S-X"}, Scheme::Bioes},
      {{"O", "X", "Y"}, Scheme::Io}};
  for (const auto& scheme : schemes) {
    const auto& labels = scheme.first;
    const auto K = static_cast<Index>(labels.size());
    const SpanCost cost = span_cost(labels, scheme.second);
    const auto all = labellings(K > 3 ? 3 : 4, K);
    for (const auto& right : all) {
      TableBuffer<double> table(static_cast<Index>(right.size()), K);
      lower<double>(cost, std::span<const Label>(right), table);
      for (const auto& y : all) {
        double sum = 0;
        int errors = 0;
        for (std::size_t t = 0; t < y.size(); ++t)
          sum += table[static_cast<Index>(t)][y[t]], errors += y[t] != right[t];
        if (sum < wrong_spans(labels, scheme.second, right, y) || sum > 4 * errors)
          FAIL("bound broken at " << sum);
      }
    }
  }
}

TEST_CASE("a span wrong at one position costs the spans that it makes wrong", "[learning][costs]") {
  const std::vector<std::string_view> labels{"O", "B-X", "I-X", "B-Y", "I-Y"};
  const SpanCost cost = span_cost(labels);
  const std::vector<Label> right{0, 1, 2, 2, 0, 0};
  const auto changed = [&](std::size_t t, Label l) {
    std::vector<Label> y = right;
    y[t] = l;
    CHECK(total(cost, right, y, 5) == wrong_spans(labels, Scheme::Bio, right, y));
    return total(cost, right, y, 5);
  };
  CHECK(changed(3, 0) == 2);  // cut short: one missed, one invented
  CHECK(changed(4, 2) == 2);  // runs on
  CHECK(changed(2, 1) == 3);  // split
  CHECK(changed(2, 3) == 4);  // torn by another: one missed, three invented
  CHECK(changed(5, 3) == 1);  // invented
  CHECK(changed(1, 0) == 2);  // starts late
  const std::vector<Label> single{0, 3, 0};
  CHECK(total(cost, single, {0, 0, 0}, 5) == 1);  // dropped
  CHECK(total(cost, single, {0, 1, 0}, 5) == 2);  // of another type
}

TEST_CASE("costs against a set of right labels are against the nearest", "[learning][costs]") {
  const PairCost prices = random_prices(4);
  TableBuffer<std::uint8_t> allowed(2, 4);
  allowed[0][1] = allowed[0][3] = allowed[1][2] = 1;
  TableBuffer<double> table(2, 4);
  lower<double>(TaskCost{prices}, allowed.view(), table);
  for (Index l = 0; l < 4; ++l) {
    CHECK(table[0][l] == std::min(prices.prices[1][l], prices.prices[3][l]));
    CHECK(table[1][l] == prices.prices[2][l]);
  }
  lower<double>(HammingMeanCost{}, allowed.view(), table);
  CHECK(table[0][0] == 0.5);
  CHECK(table[0][3] == 0);
  const SpanCost spans = span_cost(std::vector<std::string_view>{"O", "B-X", "I-X", "B-Y"});
  const auto message =
      message_of<OptionError>([&] { lower<double>(TaskCost{spans}, allowed.view(), table); });
  CHECK_THAT(message, ContainsSubstring("spans looks beyond one position"));
  CHECK_THROWS_AS(lower<double>(TaskCost{growing_cost()}, allowed.view(), table), OptionError);
}

TEST_CASE("a whole cost is taken apart where it decomposes, and refused where not", "[learning][costs]") {
  const auto count = [](std::span<const Label> right, std::span<const Label> y) {
    double sum = 0;
    for (std::size_t t = 0; t < y.size(); ++t) sum += y[t] != right[t] ? 1.5 + y[t] : 0;
    return sum;
  };
  const std::vector<Label> right{2, 0, 1}, y{0, 0, 2};
  CHECK(total(decomposed(count), right, y, 3) == Approx(count(right, y)));
  const auto square = [&](std::span<const Label> r, std::span<const Label> other) {
    return std::pow(count(r, other), 2);
  };
  const auto message = message_of<InputError>([&] { total(decomposed(square), right, y, 3); });
  CHECK_THAT(message, ContainsSubstring("does not decompose"));
}

TEST_CASE("costs that are no costs are refused by their place", "[learning][costs]") {
  const std::vector<Label> right{1, 0};
  const auto says = [&](const TaskCost& cost, Index K = 2) {
    TableBuffer<float> table(2, K);
    return message_of<InputError>([&] { lower<float>(cost, std::span<const Label>(right), table); });
  };
  PairCost negative{TableBuffer<double>(2, 2)};
  negative.prices[1][0] = -0.5;
  CHECK_THAT(says(negative), ContainsSubstring("task cost[1, 0]: is -0.5"));
  negative.prices[1][0] = std::nan("");
  CHECK_THAT(says(negative), ContainsSubstring("task cost[1, 0]: is not finite"));
  negative.prices[1][0] = 1e300;  // as a float
  CHECK_THAT(says(negative), ContainsSubstring("not finite"));
  PairCost own{TableBuffer<double>(2, 2)};
  own.prices[0][0] = 1;
  CHECK_THAT(says(own), ContainsSubstring("a right answer costs 0"));
  CHECK_THAT(says(PairCost{TableBuffer<double>(3, 3)}),
             ContainsSubstring("is for 3 labels, the model has 2"));
  CHECK_THAT(says(span_cost(std::vector<std::string_view>{"O", "B-X", "I-X"})),
             ContainsSubstring("is for 3 labels"));
  CHECK_THAT(says(CustomCost{}), ContainsSubstring("without a function"));
  CHECK_THAT(says(CustomCost{[](auto, Table<double> c) { c[0][0] = -1; }}), ContainsSubstring("[0, 0]"));
  CHECK_THAT(says(CustomCost{[](auto, Table<double> c) { c[0][1] = 1; }}), ContainsSubstring("costs 0"));
  CHECK_THROWS_AS(span_cost(std::vector<std::string_view>{"O", "O"}), InputError);
}
