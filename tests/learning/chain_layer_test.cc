#include "thalweg/learning/chain_layer.h"

#include <cmath>
#include <cstring>

#include "support/catch.h"
#include "support/losses.h"
#include "thalweg/core/error.h"
#include "thalweg/optimization/gradient_check.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

constexpr Index kBatch = 5, kPositions = 4, kLabels = 3;

// A batch that owns its tensors; what stands beyond the lengths is NaN, so reading it shows.
template <class R>
struct OwnedBatch {
  std::vector<R> emissions, transitions, start, end;
  std::vector<Index> lengths{4, 2, 0, 1, 3};
  std::vector<Label> labels;
  std::vector<double> weights;

  explicit OwnedBatch(Rng& rng, bool ends, double open = 0, double forbid = 0) {
    auto draw = [&](std::vector<R>& to, Index n) {
      for (Index i = 0; i < n; ++i)
        to.push_back(rng.uniform() < forbid ? kInfinity<R> : static_cast<R>(rng.normal()));
    };
    draw(emissions, kBatch * kPositions * kLabels), draw(transitions, kLabels * kLabels);
    if (ends) draw(start, kLabels), draw(end, kLabels);
    labels.assign(kBatch * kPositions, 77);
    for (Index b = 0; b < kBatch; ++b) {
      weights.push_back(rng.normal());
      for (Index t = 0; t < kPositions; ++t) {
        if (t < lengths[b]) {
          labels[b * kPositions + t] =
              rng.uniform() < open ? kNoLabel
                                   : static_cast<Label>(rng.below(static_cast<std::uint64_t>(kLabels)));
        } else {
          std::fill_n(&emissions[(b * kPositions + t) * kLabels], kLabels,
                      std::numeric_limits<R>::quiet_NaN());
        }
      }
    }
  }
  ChainBatch<R> view() const {
    return {kBatch, kPositions, kLabels, emissions, transitions, lengths, start, end};
  }
  ChainTargets right() const { return {labels, weights}; }
  // Sequence b written out by hand, its ends in its unary energies.
  OwnedChain<R> chain(Index b) const {
    OwnedChain<R> c;
    const Index L = lengths[b];
    c.unary.resize(L, kLabels), c.pairwise.resize(1, kLabels * kLabels);
    std::copy(transitions.begin(), transitions.end(), c.pairwise[0]);
    for (Index t = 0; t < L; ++t) {
      for (Index j = 0; j < kLabels; ++j) {
        c.unary[t][j] = emissions[(b * kPositions + t) * kLabels + j];
        if (t == 0 && !start.empty()) c.unary[t][j] += start[j];
        if (t + 1 == L && !end.empty()) c.unary[t][j] += end[j];
      }
    }
    return c;
  }
};

// The loss of one sequence by its definition.
template <class R>
double loss_by_enumeration(const Loss& loss, const OwnedBatch<R>& batch, Index b) {
  LossProblem<R> p;
  p.owned = batch.chain(b), p.number = b;
  const Index L = batch.lengths[b];
  if (L == 0) return 0;
  p.y.assign(&batch.labels[b * kPositions], &batch.labels[b * kPositions] + L);
  if (std::find(p.y.begin(), p.y.end(), kNoLabel) != p.y.end()) {
    p.allowed.resize(L, kLabels);
    for (Index t = 0; t < L; ++t) {
      for (Index l = 0; l < kLabels; ++l)
        p.allowed[t][l] = p.y[t] == kNoLabel || p.y[t] == static_cast<Label>(l);
    }
  }
  const Definition definition(p);
  return definition.e < kInfinity<double> ? by_definition(loss, definition) : definition.e;
}

// Those that the layer can be asked for; drawn answers are tested by their distribution elsewhere.
std::vector<Loss> losses_of(bool open) {
  std::vector<Loss> losses;
  for (const Loss& loss : every_loss(kLabels)) {
    const bool drawn = std::holds_alternative<ContrastiveDivergence>(loss);
    if (!drawn && (!open || takes_open(loss))) losses.push_back(loss);
  }
  return losses;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace

TEMPLATE_TEST_CASE("losses of a padded batch agree with enumeration", "[learning][layer]", float, double) {
  using R = TestType;
  Rng rng(51);
  for (int round = 0; round < 40; ++round) {
    const bool open = round % 4 >= 2;
    const OwnedBatch<R> batch(rng, round % 2, open ? 0.5 : 0, round % 3 ? 0 : 0.2);
    for (const Loss& loss : losses_of(open)) {
      INFO(name(loss) << ", round " << round);
      const auto result = value_and_gradient<R>(loss, batch.view(), batch.right());
      for (Index b = 0; b < kBatch; ++b) {
        const double want = loss_by_enumeration(loss, batch, b);
        const bool forbidden = !(want < kInfinity<double>);
        if (forbidden) CHECK(result.losses[b] == want);
        const double margin = (sizeof(R) == 4 ? 2e-5 : 1e-10) * std::max(1.0, std::abs(want));
        if (!forbidden) CHECK(std::abs(result.losses[b] - want) <= margin);
        for (Index i = 0; i < kPositions * kLabels; ++i) {
          const R g = result.emissions[b * kPositions * kLabels + i];
          CHECK(std::isfinite(g));
          if (forbidden || i >= batch.lengths[b] * kLabels) CHECK(g == 0);
        }
      }
    }
  }
}

TEST_CASE("the layer's gradient is the derivative of its weighted losses", "[learning][layer]") {
  Rng rng(52);
  for (int round = 0; round < 12; ++round) {
    const bool open = round % 4 >= 2;
    OwnedBatch<double> batch(rng, round % 2, open ? 0.4 : 0);
    for (const Loss& loss : losses_of(open)) {
      INFO(name(loss) << ", round " << round);
      // All energies as one vector, padding left out: it is NaN, and its gradient is asserted above.
      std::vector<double*> at;
      for (Index b = 0; b < kBatch; ++b) {
        for (Index i = 0; i < batch.lengths[b] * kLabels; ++i)
          at.push_back(&batch.emissions[b * kPositions * kLabels + i]);
      }
      for (auto* tensor : {&batch.transitions, &batch.start, &batch.end}) {
        for (double& e : *tensor) at.push_back(&e);
      }
      std::vector<double> x;
      for (const double* e : at) x.push_back(*e);
      const GradientCheck result = check_gradient(
          [&](std::span<const double> w, std::span<double> gradient) {
            for (std::size_t i = 0; i < at.size(); ++i) *at[i] = w[i];
            const auto layer = value_and_gradient<double>(loss, batch.view(), batch.right());
            std::size_t next = 0;
            for (Index b = 0; b < kBatch; ++b) {
              for (Index i = 0; i < batch.lengths[b] * kLabels; ++i)
                gradient[next++] = layer.emissions[b * kPositions * kLabels + i];
            }
            for (const auto* tensor : {&layer.transitions, &layer.start, &layer.end}) {
              for (double g : *tensor) gradient[next++] = g;
            }
            double total = 0;
            for (Index b = 0; b < kBatch; ++b) total += batch.weights[b] * layer.losses[b];
            return total;
          },
          x);
      CHECK(result.error < 1e-6);
    }
  }
}

TEMPLATE_TEST_CASE("decoding and marginals of a padded batch agree with enumeration", "[learning][layer]",
                   float, double) {
  using R = TestType;
  Rng rng(53);
  for (int round = 0; round < 40; ++round) {
    const OwnedBatch<R> batch(rng, round % 2, 0, round % 3 ? 0 : 0.3);
    ChainLayer<R> layer;
    std::vector<Label> y(kBatch * kPositions);
    std::vector<double> energies(kBatch), free_energies(kBatch);
    std::vector<R> p(batch.emissions.size());
    layer.decode(batch.view(), y, energies);
    layer.marginals(batch.view(), 0.8, p, free_energies);
    for (Index b = 0; b < kBatch; ++b) {
      const auto owned = batch.chain(b);
      const auto all = enumerate(owned.view());
      const double margin = sizeof(R) == 4 ? 1e-5 : 1e-12;
      double lowest = kInfinity<double>;
      for (const auto& l : all) lowest = std::min(lowest, l.energy);
      const double f = free_energy_of(all, 0.8, [](auto&) { return true; });
      const bool feasible = lowest < kInfinity<double>;
      REQUIRE((energies[b] < kInfinity<double>) == feasible);
      REQUIRE((free_energies[b] < kInfinity<double>) == feasible);
      const Index known = feasible ? batch.lengths[b] : 0;
      for (Index t = 0; t < kPositions; ++t) CHECK((y[b * kPositions + t] == kNoLabel) == (t >= known));
      if (!feasible) continue;
      CHECK(energies[b] == Approx(lowest).margin(margin));
      CHECK(free_energies[b] == Approx(f).margin(margin));
      CHECK(energy<R>(owned.view(), std::span(y).subspan(b * kPositions, known)) ==
            Approx(lowest).margin(margin));
      for (Index t = 0; t < kPositions; ++t) {
        for (Index j = 0; j < kLabels; ++j) {
          double want = 0;
          for (const auto& l : all) {
            if (t < known && l.y[t] == static_cast<Label>(j)) want += std::exp(0.8 * (f - l.energy));
          }
          CHECK(p[(b * kPositions + t) * kLabels + j] == Approx(want).margin(margin));
        }
      }
    }
    CHECK(decode<R>(batch.view()) == y);
    CHECK(same_bits(marginals<R>(batch.view(), 0.8), p));
  }
}

TEMPLATE_TEST_CASE("a batch has the same bits for any number of threads", "[learning][layer][threads]", float,
                   double) {
  using R = TestType;
  Rng rng(54);
  const Index B = 150, T = 12, K = 9;
  std::vector<R> emissions(B * T * K), transitions(K * K), start(K), end(K);
  for (auto* tensor : {&emissions, &transitions, &start, &end}) {
    for (R& e : *tensor) e = static_cast<R>(rng.normal());
  }
  std::vector<Index> lengths;
  std::vector<Label> labels;
  for (Index b = 0; b < B; ++b) lengths.push_back(static_cast<Index>(rng.below(T + 1)));
  for (Index i = 0; i < B * T; ++i)
    labels.push_back(rng.below(10) ? static_cast<Label>(rng.below(K)) : kNoLabel);
  std::vector<Label> whole = labels;
  std::replace(whole.begin(), whole.end(), kNoLabel, Label{0});
  const ChainBatch<R> batch{B, T, K, emissions, transitions, lengths, start, end};
  for (const Loss& loss : every_loss(K)) {
    if (std::holds_alternative<SparseMapLoss>(loss) && sizeof(R) == 8) continue;  // float has said it
    const ChainTargets right{takes_open(loss) ? labels : whole};
    const auto one = value_and_gradient<R>(loss, batch, right);
    for (int threads : {2, 7}) {
      const auto many = value_and_gradient<R>(loss, batch, right, threads);
      CHECK(same_bits(one.losses, many.losses));
      CHECK(same_bits(one.emissions, many.emissions));
      CHECK(same_bits(one.transitions, many.transitions));
      CHECK(same_bits(one.start, many.start));
      CHECK(same_bits(one.end, many.end));
    }
  }
  CHECK(decode<R>(batch, 3) == decode<R>(batch));
  CHECK(same_bits(marginals<R>(batch, 1, 3), marginals<R>(batch)));
}

TEST_CASE("a layer that has seen another batch starts afresh", "[learning][layer]") {
  Rng rng(55);
  const OwnedBatch<double> a(rng, true, 0.3), b(rng, false, 0.3);
  ChainLayer<double> layer;
  for (const Loss& loss : losses_of(true)) {
    for (const auto* batch : {&a, &b, &a}) {
      const auto want = value_and_gradient<double>(loss, batch->view(), batch->right());
      ChainLayerResult<double> got = want;
      for (auto* tensor : {&got.losses, &got.emissions, &got.transitions, &got.start, &got.end})
        std::fill(tensor->begin(), tensor->end(), 99.0);
      layer.value_and_gradient(loss, batch->view(), batch->right(), got.losses,
                               {got.emissions, got.transitions, got.start, got.end});
      CHECK(same_bits(got.losses, want.losses));
      CHECK(same_bits(got.emissions, want.emissions));
      CHECK(same_bits(got.transitions, want.transitions));
      CHECK(same_bits(got.start, want.start));
      // Nothing asked for but the transitions' gradient.
      std::vector<double> transitions(kLabels * kLabels, 99.0);
      layer.value_and_gradient(loss, batch->view(), batch->right(), got.losses, {{}, transitions});
      CHECK(same_bits(transitions, want.transitions));
    }
  }
}

TEST_CASE("losses that draw do so anew in every call of a layer, and alike in the same",
          "[learning][layer]") {
  Rng rng(57);
  const OwnedBatch<double> batch(rng, false);
  for (const Loss& loss : {Loss{ContrastiveDivergence{}}, Loss{RankingNoiseLoss{}}}) {
    ChainLayer<double> one, other;
    ChainLayerResult<double> first = value_and_gradient<double>(loss, batch.view(), batch.right());
    for (int call = 0; call < 3; ++call) {
      auto a = first, b = first;
      one.value_and_gradient(loss, batch.view(), batch.right(), a.losses, {a.emissions, a.transitions});
      other.value_and_gradient(loss, batch.view(), batch.right(), b.losses, {b.emissions, b.transitions});
      CHECK(same_bits(a.losses, b.losses));
      CHECK(same_bits(a.losses, first.losses) == (call == 0));
    }
  }
}

TEST_CASE("what does not fit is refused by its place", "[learning][layer]") {
  Rng rng(56);
  const OwnedBatch<float> good(rng, true);
  const auto refuses = [&](auto damage, const std::string& place) {
    OwnedBatch<float> bad = good;
    damage(bad);
    try {
      value_and_gradient<float>(LikelihoodLoss{}, bad.view(), bad.right());
      FAIL("accepted a bad " << place);
    } catch (const InputError& error) {
      CHECK(error.where() == place);
    }
  };
  using B = OwnedBatch<float>;
  const float nan = std::nanf("");
  refuses([&](B& b) { b.emissions[1 * 12 + 1 * 3 + 2] = nan; }, "emissions[1, 1, 2]");
  refuses([&](B& b) { b.emissions[0] = -kInfinity<float>; }, "emissions[0, 0, 0]");
  refuses([&](B& b) { b.transitions[7] = nan; }, "transitions[7]");
  refuses([&](B& b) { b.start[1] = nan; }, "start[1]");
  refuses([&](B& b) { b.end[2] = -kInfinity<float>; }, "end[2]");
  refuses([&](B& b) { b.lengths[3] = 5; }, "lengths[3]");
  refuses([&](B& b) { b.lengths[3] = -1; }, "lengths[3]");
  refuses([&](B& b) { b.lengths.pop_back(); }, "lengths");
  refuses([&](B& b) { b.labels[1 * 4 + 1] = 3; }, "labels[1, 1]");
  refuses([&](B& b) { b.labels.pop_back(); }, "labels");
  refuses([&](B& b) { b.weights[2] = std::nan(""); }, "weights[2]");
  refuses([&](B& b) { b.weights.pop_back(); }, "weights");
  refuses([&](B& b) { b.emissions.pop_back(); }, "emissions");
  refuses([&](B& b) { b.transitions.pop_back(); }, "transitions");
  refuses([&](B& b) { b.start.pop_back(); }, "start");
  CHECK_THROWS_AS(ChainLayer<float>(0), OptionError);
  CHECK_THROWS_AS(marginals<float>(good.view(), 0), OptionError);
  CHECK_THROWS_AS(value_and_gradient<float>(LikelihoodLoss{-1}, good.view(), good.right()), OptionError);
  CHECK_THROWS_AS(value_and_gradient<float>(HingeLoss{0}, good.view(), good.right()), OptionError);
  CHECK_THROWS_AS(
      value_and_gradient<float>(ContrastiveDivergence{.persistent = true}, good.view(), good.right()),
      OptionError);
  CHECK_THROWS_AS(value_and_gradient<float>(SquareSquareLoss{}, good.view(), good.right()), InputError);
  const OwnedBatch<float> open(rng, false, 0.9);
  CHECK_THROWS_AS(value_and_gradient<float>(PseudoLikelihoodLoss{}, open.view(), open.right()), OptionError);
  std::vector<Label> few(3);
  std::vector<double> energies(kBatch);
  CHECK_THROWS_AS(ChainLayer<float>().decode(good.view(), few, energies), InputError);
  // No sequence, and no position, are no errors.
  const std::vector<float> transitions(9, 0.f);
  CHECK(value_and_gradient<float>(LikelihoodLoss{}, {0, 4, 3, {}, transitions}, {}).losses.empty());
  CHECK(value_and_gradient<float>(LikelihoodLoss{}, {2, 0, 3, {}, transitions}, {}).losses ==
        std::vector<double>{0, 0});
}
