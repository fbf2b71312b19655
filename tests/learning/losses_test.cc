// Every loss on chains against its definition by enumeration, and the properties that each promises.

#include <cmath>
#include <map>

#include "support/catch.h"
#include "support/losses.h"
#include "support/message.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/chain.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

std::string described(const Loss& loss, std::size_t index) {
  return std::string(name(loss)) + " (" + std::to_string(index) + " of every_loss)";
}

// Shared and chosen tables, forbidden parts, histories; from one position and one label on.
RandomChainOptions random_shape(Rng& rng, int kind) {
  RandomChainOptions o;
  o.length = 1 + static_cast<Index>(rng.below(4)), o.labels = 1 + static_cast<Index>(rng.below(4));
  if (o.labels == 4) o.length = std::min<Index>(o.length, 3);
  o.tables = kind % 2 ? 3 : 1;
  o.contexts = kind / 2 % 2 ? 1 + static_cast<Index>(rng.below(6)) : 0;
  if (kind / 4 % 2) o.forbid_labels = o.forbid_pairs = 0.2;
  return o;
}

template <class R>
std::vector<double> flat(const LossProblem<R>& p) {
  std::vector<double> all;
  for (const auto* table : {&p.unary, &p.pairwise})
    all.insert(all.end(), (*table)[0], (*table)[0] + table->rows() * table->columns());
  return all;
}

template <class R>
double value_of(const Loss& loss, LossProblem<R>& p) {
  return p.evaluate(loss);
}

}  // namespace

TEST_CASE("every loss is what its definition says, by enumeration", "[learning][losses][kernels]") {
  Rng rng(201);
  const std::size_t losses = every_loss(2).size();
  for (int round = 0; round < 48; ++round) {
    for (const bool open : {false, true}) {
      auto p = random_problem<double>(rng, random_shape(rng, round), open);
      p.number = round;
      const Definition definition(p);
      const auto all = every_loss(p.owned.unary.columns());
      for (std::size_t i = 0; i < losses; ++i) {
        INFO(described(all[i], i) << ", round " << round << (open ? ", open" : ""));
        if (open && !takes_open(all[i])) continue;
        const double got = p.evaluate(all[i]), want = by_definition(all[i], definition);
        if (!is_drawn(all[i])) REQUIRE(std::abs(got - want) <= 1e-10 * std::max(1.0, std::abs(want)));
        REQUIRE(p.evaluate(all[i], 2.5) == Approx(2.5 * got).margin(1e-12));
      }
    }
  }
}

TEST_CASE("every loss of an open answer has the derivative that it says", "[learning][losses][gradient]") {
  Rng rng(202);
  for (int round = 0; round < 16; ++round) {
    auto p = random_problem<double>(rng, random_shape(rng, round), true);
    const auto all = every_loss(p.owned.unary.columns());
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!takes_open(all[i])) continue;
      INFO(described(all[i], i) << ", round " << round);
      REQUIRE(check_loss(all[i], p).error < 1e-6);
    }
  }
}

TEST_CASE("losses in float agree with those in double", "[learning][losses][kernels]") {
  Rng rng(203);
  for (int round = 0; round < 24; ++round) {
    for (const bool open : {false, true}) {
      auto single = random_problem<float>(rng, random_shape(rng, round), open);
      LossProblem<double> same;
      same.y = single.y, same.allowed = single.allowed;
      same.owned.which = single.owned.which, same.owned.histories = single.owned.histories;
      for (auto [from, to] : {std::pair{&single.owned.unary, &same.owned.unary},
                              std::pair{&single.owned.pairwise, &same.owned.pairwise}}) {
        to->resize(from->rows(), from->columns());
        std::copy_n((*from)[0], from->rows() * from->columns(), (*to)[0]);
      }
      const auto all = every_loss(single.owned.unary.columns());
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (open && !takes_open(all[i])) continue;
        INFO(described(all[i], i) << ", round " << round << (open ? ", open" : ""));
        const double want = same.evaluate(all[i]);
        REQUIRE(single.evaluate(all[i]) == Approx(want).margin(1e-5).epsilon(1e-5));
        // Expected parts of a relaxed answer are only as sure as the square root of its gap.
        const double margin = std::holds_alternative<SparseMapLoss>(all[i]) ? 2e-3 : 1e-4;
        const auto a = flat(single), b = flat(same);
        for (std::size_t k = 0; k < a.size(); ++k) REQUIRE(a[k] == Approx(b[k]).margin(margin).epsilon(1e-4));
      }
    }
  }
}

TEST_CASE("an open answer with nothing open is the answer", "[learning][losses]") {
  Rng rng(204);
  for (int round = 0; round < 12; ++round) {
    auto p = random_problem<double>(rng, random_shape(rng, round));
    auto open = p;
    open.allowed.resize(p.owned.unary.rows(), p.owned.unary.columns());
    for (std::size_t t = 0; t < p.y.size(); ++t) open.allowed[static_cast<Index>(t)][p.y[t]] = 1;
    const auto all = every_loss(p.owned.unary.columns());
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!takes_open(all[i])) continue;
      INFO(described(all[i], i) << ", round " << round);
      CHECK(open.evaluate(all[i]) == Approx(p.evaluate(all[i])).margin(1e-10));
      const auto a = flat(open), b = flat(p);
      // At gap 1e-13 unary marginals are sure to 4e-7.
      for (std::size_t k = 0; k < a.size(); ++k) REQUIRE(a[k] == Approx(b[k]).margin(1e-6));
    }
  }
}

TEST_CASE("losses that promise it are convex along random segments", "[learning][losses]") {
  Rng rng(205);
  std::map<std::string, int> bent;  // losses that promise nothing, seen to lie above a chord
  for (int round = 0; round < 60; ++round) {
    const RandomChainOptions shape{3, 3, round % 2 ? 2 : 1, 2};
    auto a = random_problem<double>(rng, shape);
    auto b = random_problem<double>(rng, shape);
    b.y = a.y, b.owned.which = a.owned.which;
    auto middle = a;
    const double s = rng.uniform();
    for (auto table : {&OwnedChain<double>::unary, &OwnedChain<double>::pairwise}) {
      for (Index i = 0; i < (a.owned.*table).rows() * (a.owned.*table).columns(); ++i) {
        (middle.owned.*table)[0][i] = s * (a.owned.*table)[0][i] + (1 - s) * (b.owned.*table)[0][i];
      }
    }
    for (const Loss& loss : every_loss(3)) {
      if (is_drawn(loss)) continue;
      const double chord = s * a.evaluate(loss) + (1 - s) * b.evaluate(loss), at = middle.evaluate(loss);
      INFO(name(loss) << ", round " << round);
      if (is_convex(loss)) REQUIRE(at <= chord + 1e-10 * std::max(1.0, std::abs(chord)));
      bent[std::string(name(loss))] += at > chord + 1e-6;
    }
  }
  for (const Loss& loss : every_loss(3)) {
    INFO(name(loss));
    if (!is_convex(loss) && !is_drawn(loss)) CHECK(bent[std::string(name(loss))] > 0);
  }
}

TEST_CASE("bounds and limits between losses hold", "[learning][losses]") {
  Rng rng(206);
  for (int round = 0; round < 40; ++round) {
    auto p = random_problem<double>(rng, {4, 3, round % 2 ? 2 : 1});
    const auto of = [&](const Loss& loss) { return p.evaluate(loss); };
    const double hinge = of(StructuredHingeLoss{}), likelihood = of(LikelihoodLoss{});
    // The softmax-margin lies above the structured hinge by at most log(answers) / beta.
    for (const double beta : {0.5, 1.0, 20.0}) {
      const double soft = of(SoftmaxMarginLoss{beta});
      CHECK(soft >= hinge - 1e-12);
      CHECK(soft <= hinge + 4 * std::log(3) / beta + 1e-12);
    }
    CHECK(of(RampLoss{}) == of(DirectLoss{1}));
    CHECK(of(RampLoss{}) <= hinge + 1e-12);
    CHECK(of(RampLoss{}) >= -1e-12);
    CHECK(of(RampLoss{}) <= 4 + 1e-12);  // at most the largest cost
    // Fenchel-Young: the likelihood's entropy fades as beta grows, SparseMAP's norm as energies do.
    CHECK(of(LikelihoodLoss{1e4}) == Approx(of(PerceptronLoss{})).margin(1e-3));
    const double perceptron = of(PerceptronLoss{}), sparse = of(SparseMapLoss{1e-12});
    CHECK(sparse >= -1e-10);
    CHECK(sparse <= perceptron + 2 + 1e-10);  // Omega lies between 0 and T / 2
    CHECK(sparse >= perceptron - 1e-10);
    CHECK(of(MeeLoss{}) == Approx(1 - std::exp(-likelihood)));
    CHECK(of(LogLoss{}) == Approx(-std::log(1 - of(MceLoss{}))));
    CHECK(of(HingeLoss{1e-9}) == Approx(perceptron).margin(1e-8));
    CHECK(of(SlackHingeLoss{}) >= 0);
  }
}

TEST_CASE("a margin of the Hamming distance is what SparseMAP asks for, and no more", "[learning][losses]") {
  Rng rng(207);
  for (int round = 0; round < 20; ++round) {
    auto p = random_problem<double>(rng, {3, 3});
    const auto raised = [&](double margin) {
      auto q = p;
      q.owned.pairwise.resize(1, 9);
      // All of the margin in unary energies: E(y') - E(y) = margin * Hamming.
      for (Index t = 0; t < 3; ++t) {
        for (Index l = 0; l < 3; ++l)
          q.owned.unary[t][l] = l == static_cast<Index>(p.y[static_cast<std::size_t>(t)]) ? 0 : margin;
      }
      return q;
    };
    auto enough = raised(1), little = raised(0.9);
    CHECK(enough.evaluate(SparseMapLoss{1e-12}) == Approx(0).margin(1e-10));
    CHECK(little.evaluate(SparseMapLoss{1e-12}) > 1e-3);
    CHECK(enough.evaluate(StructuredHingeLoss{}) == Approx(0).margin(1e-12));
    CHECK(little.evaluate(StructuredHingeLoss{}) == Approx(0.3));
  }
}

TEST_CASE("where no wrong answer exists, each loss says what its formula leaves", "[learning][losses]") {
  const double kNone = 0;
  for (const bool one_label : {true, false}) {
    Rng rng(208);
    LossProblem<double> p;
    p.owned = random_chain<double>(rng, {3, one_label ? 1 : 2});
    p.y = {0, 0, 0};
    for (Index t = 0; t < 3 && !one_label; ++t) p.owned.unary[t][1] = kInfinity<double>;
    const double e = energy<double>(p.owned.view(), p.y);
    const auto of = [&](const Loss& loss) { return p.evaluate(loss); };
    for (const Loss& loss :
         {Loss(HingeLoss{}), Loss(LogLoss{}), Loss(Lvq2Loss{}), Loss(MceLoss{}), Loss(PerceptronLoss{}),
          Loss(LikelihoodLoss{}), Loss(MeeLoss{}), Loss(StructuredHingeLoss{}), Loss(SlackHingeLoss{}),
          Loss(SoftmaxMarginLoss{}), Loss(RampLoss{}), Loss(DirectLoss{}), Loss(SparseMapLoss{}),
          Loss(ContrastiveDivergence{}), Loss(PseudoLikelihoodLoss{}), Loss(MinimumProbabilityFlowLoss{}),
          Loss(RatioMatchingLoss{})}) {
      INFO(name(loss));
      CHECK(of(loss) == Approx(kNone).margin(1e-12));
      for (double g : flat(p)) CHECK(g == Approx(0).margin(1e-12));
    }
    CHECK(of(EnergyLoss{}) == e);
    CHECK(of(SquareSquareLoss{1, 3}) == Approx((e + 3) * (e + 3)));
    CHECK(of(SquareExponentialLoss{1, 3}) == Approx((e + 3) * (e + 3)));
  }
}

TEST_CASE("a forbidden right answer costs infinity under every loss", "[learning][losses]") {
  Rng rng(209);
  for (const bool open : {false, true}) {
    auto p = random_problem<double>(rng, {3, 2}, open);
    for (Index l = 0; l < 2; ++l)
      if (open ? p.allowed[1][l] != 0 : p.y[1] == static_cast<Label>(l))
        p.owned.unary[1][l] = kInfinity<double>;
    for (const Loss& loss : every_loss(2)) {
      INFO(name(loss) << (open ? ", open" : ""));
      if (!open || takes_open(loss)) CHECK(p.evaluate(loss) == kInfinity<double>);
    }
  }
}

TEST_CASE("square losses refuse signed energies unless an offset is stated", "[learning][losses]") {
  LossProblem<double> p;
  p.owned.unary.resize(1, 2), p.owned.pairwise.resize(1, 4), p.y = {0};
  p.owned.unary[0][0] = 0.5, p.owned.unary[0][1] = 0.25;
  CHECK(p.evaluate(SquareSquareLoss{}) == 0.25 + 0.75 * 0.75);
  CHECK(p.evaluate(SquareExponentialLoss{2}) == Approx(0.25 + 2 * std::exp(-0.25)));
  p.owned.unary[0][1] = -0.25;  // the wrong answer's energy is signed
  CHECK_THAT(message_of<InputError>([&] { p.evaluate(SquareSquareLoss{}); }), ContainsSubstring("offset"));
  CHECK_THROWS_AS(p.evaluate(SquareExponentialLoss{}), InputError);
  CHECK(p.evaluate(SquareSquareLoss{1, 1}) == 2.25 + 0.0625);
  p.owned.unary[0][0] = -0.5, p.owned.unary[0][1] = 0.25;  // the right answer's
  CHECK_THROWS_AS(p.evaluate(SquareSquareLoss{}), InputError);
}

TEST_CASE("losses that need a whole answer refuse an open one", "[learning][losses]") {
  Rng rng(210);
  auto p = random_problem<double>(rng, {3, 3}, true);
  int refused = 0;
  for (const Loss& loss : every_loss(3)) {
    if (takes_open(loss)) continue;
    INFO(name(loss));
    const std::string message = message_of<OptionError>([&] { p.evaluate(loss); });
    CHECK_THAT(message, ContainsSubstring(std::string(name(loss))));
    CHECK_THAT(message, ContainsSubstring("whole right answer"));
    ++refused;
  }
  CHECK(refused == 10);
  // Costs that look beyond one position do not know what to be against.
  CHECK_THROWS_AS(p.evaluate(StructuredHingeLoss{growing_cost()}), OptionError);
}

namespace {

// A structure that has energies, parts and nothing else.
struct Bare {
  using Scalar = double;
  double right = 1;
};
struct BareParts {
  double* sum;
};
double energy(const Bare& s, std::span<const Label>) { return s.right; }
void add_answer(const Bare&, std::span<const Label>, double weight, const BareParts& parts) {
  *parts.sum += weight;
}
void clear_own(const BareParts& parts) { *parts.sum = 0; }
struct BareOperations {};

}  // namespace

template <>
struct thalweg::PartsOf<Bare> {
  using type = BareParts;
};

TEST_CASE("a structure without the operation that a loss needs is refused by name", "[learning][losses]") {
  double sum = 9;
  BareOperations on;
  const std::vector<Label> y{0};
  for (const Loss& loss : every_loss(2)) {
    INFO(name(loss));
    const auto run = [&] { return evaluate(loss, Problem<Bare>{{}, y}, BareParts{&sum}, on); };
    if (std::holds_alternative<EnergyLoss>(loss)) {
      CHECK(run() == 1);
      CHECK(sum == 1);
      continue;
    }
    const std::string message = message_of<OptionError>(run);
    CHECK_THAT(message, ContainsSubstring("does not offer"));
    CHECK_THAT(message, ContainsSubstring(std::string(operation_of(loss))));
  }
}

TEST_CASE("slack rescaling says which costs it can search over", "[learning][losses]") {
  Rng rng(211);
  auto p = random_problem<double>(rng, {3, 3});
  const auto message = message_of<OptionError>([&] { p.evaluate(SlackHingeLoss{random_prices(3)}); });
  CHECK_THAT(message, ContainsSubstring("cost: pairs is not a multiple"));
}

TEST_CASE("options out of range are refused by field, value and constraint", "[learning][losses]") {
  const auto fails = [](const Loss& loss, const std::string& field) {
    INFO(name(loss) << "." << field);
    try {
      validate(loss);
      FAIL("accepted");
    } catch (const OptionError& error) {
      CHECK(error.where() == field);
      CHECK_FALSE(error.mend().empty());
    }
  };
  for (const double bad : {0.0, -1.0, std::nan(""), kInfinity<double>}) {
    fails(LikelihoodLoss{bad}, "beta"), fails(MeeLoss{bad}, "beta"), fails(SoftmaxMarginLoss{bad}, "beta");
    fails(PseudoLikelihoodLoss{bad}, "beta"), fails(MinimumProbabilityFlowLoss{bad}, "beta");
    fails(RatioMatchingLoss{bad}, "beta"), fails(RankingNoiseLoss{1, bad}, "beta");
    fails(ContrastiveDivergence{1, bad}, "beta");
    fails(HingeLoss{bad}, "margin"), fails(SquareSquareLoss{bad}, "margin"), fails(Lvq2Loss{bad}, "ceiling");
    fails(SquareExponentialLoss{bad}, "gamma"), fails(DirectLoss{bad}, "epsilon");
    fails(SparseMapLoss{bad}, "gap");
  }
  fails(SquareSquareLoss{1, std::nan("")}, "offset");
  fails(ContrastiveDivergence{0}, "steps"), fails(RankingNoiseLoss{0}, "samples");
  fails(StructuredHingeLoss{CustomCost{}}, "cost");
  CHECK_THAT(message_of<OptionError>([] { validate(HingeLoss{-1}); }), ContainsSubstring("is -1, must be"));
  for (const Loss& loss : every_loss(3)) CHECK_NOTHROW(validate(loss));
}

TEST_CASE("losses are found by their names", "[learning][losses]") {
  std::size_t kinds = 0;
  for (const Loss& loss : every_loss(2)) {
    const Loss named = loss_named(name(loss));
    CHECK(named.index() == loss.index());
    CHECK_NOTHROW(validate(named));
    kinds = std::max(kinds, loss.index() + 1);
  }
  CHECK(kinds == std::variant_size_v<Loss>);
  CHECK(loss_names().size() == kinds + 1);
  for (std::string_view one : loss_names()) CHECK(name(loss_named(one)) == one);
  CHECK(std::get<ContrastiveDivergence>(loss_named("persistent-contrastive-divergence")).persistent);
  CHECK(name(loss_named("persistent-contrastive-divergence")) == "persistent-contrastive-divergence");
  CHECK_THAT(message_of<OptionError>([] { loss_named("hing"); }), ContainsSubstring("square-exponential"));
  CHECK(cost_of(Loss{HingeLoss{}}) == nullptr);
  CHECK(name(*cost_of(Loss{RampLoss{HammingMeanCost{}}})) == "hamming-mean");
}

TEST_CASE("noise is drawn by its probabilities, and counted from answers", "[learning][losses]") {
  const LabelNoise noise = random_noise(3);
  CHECK_NOTHROW(validate(noise, 3));
  CHECK_THROWS_AS(validate(noise, 4), InputError);
  LabelNoise bad = noise;
  bad.next[1][1] += 0.1;
  CHECK_THROWS_AS(validate(bad, 3), InputError);
  Rng rng(212);
  std::map<std::vector<Label>, int> seen;
  std::vector<Label> y(2);
  const int draws = 20000;
  for (int i = 0; i < draws; ++i) {
    const double log_q = noise.draw(rng, 3, y);
    CHECK(log_q == noise.log_probability(3, y));
    ++seen[y];
  }
  double chi2 = 0;
  for (Label a = 0; a < 3; ++a) {
    for (Label b = 0; b < 3; ++b) {
      const double expected = draws * noise.first[a] * noise.next[a][b];
      chi2 += std::pow(seen[{a, b}] - expected, 2) / expected;
    }
  }
  CHECK(chi2 < 8 + 4 * std::sqrt(16.0));
  Dataset data;
  data.labels = {0, 1, 1, kNoLabel, 0};
  data.sequences = {0, 3, 5};
  const LabelNoise counted = label_noise(data, 2, 0.5);
  CHECK(counted.first == std::vector<double>{0.75, 0.25});
  CHECK(counted.next[0][1] == 0.75);
  CHECK(counted.next[1][1] == 0.75);
  CHECK_THROWS_AS(label_noise(data, 2, 0), OptionError);
  Rng shapes(213);
  auto p = random_problem<double>(shapes, {2, 2});
  CHECK_THROWS_AS(p.evaluate(RankingNoiseLoss{2, 1, noise}), InputError);
}
