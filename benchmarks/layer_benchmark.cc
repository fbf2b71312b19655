// The chain layer on a padded batch, beside the textbook's loops over the same sequences, and under every
// loss with its default options. The counter `token` is time per position that counts. Everything is warm, as
// in training; the layer's time holds its checks of the input and the copying of transitions, the textbook's
// the copying of scores in and gradients out.

#include <benchmark/benchmark.h>

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "textbook.h"
#include "thalweg/core/isa.h"
#include "thalweg/core/random.h"
#include "thalweg/learning/chain_layer.h"

namespace {

using thalweg::Index;
using thalweg::Label;

constexpr Index kBatch = 64, kPositions = 60;

// Random energies, the same numbers for every scalar type; sequences of 10 to 60 positions.
template <class R>
struct Problem {
  Index K;
  std::vector<R> emissions, transitions;
  std::vector<Index> lengths;
  std::vector<Label> labels;

  explicit Problem(Index K_) : K(K_) {
    thalweg::Rng rng(1);
    for (Index i = 0; i < kBatch * kPositions * K; ++i)
      emissions.push_back(static_cast<R>(4 * rng.uniform()));
    for (Index i = 0; i < K * K; ++i) transitions.push_back(static_cast<R>(2 * rng.uniform()));
    for (Index b = 0; b < kBatch; ++b) lengths.push_back(10 + static_cast<Index>(rng.below(51)));
    for (Index i = 0; i < kBatch * kPositions; ++i)
      labels.push_back(static_cast<Label>(rng.below(static_cast<std::uint64_t>(K))));
  }
  thalweg::ChainBatch<R> batch() const { return {kBatch, kPositions, K, emissions, transitions, lengths}; }
  Index tokens() const { return std::accumulate(lengths.begin(), lengths.end(), Index{0}); }
};

template <class Call>
void measure(benchmark::State& state, Index tokens, Call call) {
  double value = 0;
  for (auto _ : state) benchmark::DoNotOptimize(value = call());
  state.counters["token"] =
      benchmark::Counter(static_cast<double>(tokens),
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

// --- the library

template <class R>
struct Layer {
  Problem<R> problem;
  thalweg::ChainLayer<R> layer;
  std::vector<double> values = std::vector<double>(kBatch);
  std::vector<R> d_emissions, d_transitions;
  std::vector<Label> decoded = std::vector<Label>(kBatch * kPositions);

  Layer(Index K, int threads)
      : problem(K), layer(threads), d_emissions(problem.emissions.size()), d_transitions(K * K) {}

  double gradient(const thalweg::Loss& loss = thalweg::LikelihoodLoss{}) {
    layer.value_and_gradient(loss, problem.batch(), {problem.labels}, values, {d_emissions, d_transitions});
    return sum(values);
  }
  double decode() {
    layer.decode(problem.batch(), decoded, values);
    return sum(values);
  }
};

template <class R>
void layer_gradient(benchmark::State& state, int threads) {
  Layer<R> l(state.range(0), threads);
  measure(state, l.problem.tokens(), [&] { return l.gradient(); });
}

void layer_loss(benchmark::State& state, const std::string& name) {
  Layer<float> l(state.range(0), 1);
  const thalweg::Loss loss = thalweg::loss_named(name);
  measure(state, l.problem.tokens(), [&] { return l.gradient(loss); });
}

template <class R>
void layer_decode(benchmark::State& state, int threads) {
  Layer<R> l(state.range(0), threads);
  measure(state, l.problem.tokens(), [&] { return l.decode(); });
}

// --- the textbook

struct Textbook {
  Problem<double> problem;
  textbook::Chain chain;
  std::vector<double> d_emissions, d_transitions;
  std::vector<int> y;

  explicit Textbook(Index K) : problem(K), d_emissions(problem.emissions.size()) {}

  void set_transitions() {
    const int K = static_cast<int>(problem.K);
    chain.resize(0, K);
    for (int i = 0; i < K; ++i) {
      for (int j = 0; j < K; ++j) chain.transition(i)[j] = -problem.transitions[i * K + j];
    }
    chain.transitions_changed();
  }
  void set_emissions(Index b) {
    chain.resize(static_cast<int>(problem.lengths[b]), static_cast<int>(problem.K));
    const double* from = &problem.emissions[b * kPositions * problem.K];
    double* to = chain.state(0);
    for (Index i = 0; i < problem.lengths[b] * problem.K; ++i) to[i] = -from[i];
  }
  double loss(Index b) {  // and its gradient with respect to the energies
    const Index K = problem.K, L = problem.lengths[b];
    set_emissions(b);
    double value = chain.forward();
    chain.backward();
    chain.add_pairs(d_transitions);
    for (Index t = 0; t < L; ++t) {
      const Label right = problem.labels[b * kPositions + t];
      const double* p = chain.marginal(static_cast<int>(t));
      double* d = &d_emissions[(b * kPositions + t) * K];
      for (Index j = 0; j < K; ++j) d[j] = -p[j];
      d[right] += 1;
      value -= chain.state(static_cast<int>(t))[right];
      if (t == 0) continue;
      const Label before = problem.labels[b * kPositions + t - 1];
      d_transitions[before * K + right] -= 1;
      value -= chain.transition(static_cast<int>(before))[right];
    }
    return value;
  }
  double gradient() {
    set_transitions();
    d_transitions.assign(static_cast<std::size_t>(problem.K * problem.K), 0.0);
    double value = 0;
    for (Index b = 0; b < kBatch; ++b) value += loss(b);
    for (double& d : d_transitions) d = -d;
    return value;
  }
  double decode() {
    set_transitions();
    double value = 0;
    for (Index b = 0; b < kBatch; ++b) set_emissions(b), value -= chain.highest(y);
    return value;
  }
};

// The yardstick must have computed the same thing.
void hold(benchmark::State& state, double textbook, double thalweg) {
  if (!(std::abs(textbook - thalweg) <= 1e-9 * std::abs(thalweg))) {
    state.SkipWithError("the textbook computes something else");
  }
}

void textbook_gradient(benchmark::State& state) {
  Textbook t(state.range(0));
  measure(state, t.problem.tokens(), [&] { return t.gradient(); });
  Layer<double> l(state.range(0), 1);
  hold(state, t.gradient(), l.gradient());
  for (std::size_t i = 0; i < t.d_transitions.size(); ++i)
    hold(state, t.d_transitions[i] + 1e6, l.d_transitions[i] + 1e6);
}

void textbook_decode(benchmark::State& state) {
  Textbook t(state.range(0));
  measure(state, t.problem.tokens(), [&] { return t.decode(); });
  Layer<double> l(state.range(0), 1);
  hold(state, t.decode(), l.decode());
}

void add(const std::string& name, void (*run)(benchmark::State&, int), int threads) {
  benchmark::RegisterBenchmark(name.c_str(), run, threads)->Arg(9)->Arg(22)->Arg(45)->UseRealTime();
}

void add_loss(std::string_view name) {
  benchmark::RegisterBenchmark(("loss<" + std::string(name) + ">").c_str(), layer_loss, std::string(name))
      ->Arg(9)
      ->Arg(22)
      ->Arg(45)
      ->UseRealTime();
}

void add(const std::string& name, void (*run)(benchmark::State&)) {
  benchmark::RegisterBenchmark(name.c_str(), run)->Arg(9)->Arg(22)->Arg(45)->UseRealTime();
}

}  // namespace

int main(int argc, char** argv) {
  add("gradient<float>", layer_gradient<float>, 1);
  add("gradient<float 2 threads>", layer_gradient<float>, 2);
  add("gradient<double>", layer_gradient<double>, 1);
  add("gradient<textbook>", textbook_gradient);
  add("decode<float>", layer_decode<float>, 1);
  add("decode<float 2 threads>", layer_decode<float>, 2);
  add("decode<double>", layer_decode<double>, 1);
  add("decode<textbook>", textbook_decode);
  for (std::string_view name : thalweg::loss_names()) {
    if (name != "persistent-contrastive-divergence") add_loss(name);  // a batch keeps no labellings
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("instructions", thalweg::name(thalweg::active_isa()));
  benchmark::RunSpecifiedBenchmarks();
}
