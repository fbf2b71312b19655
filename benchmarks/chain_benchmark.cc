// Chain inference per position and pair of labels. The counter `cell` is time / (T K^2), the cost of one
// entry of one transition table. Everything that chains share is prepared outside, and the workspaces are
// warm, as in training and tagging. Each operation starts from energies: sampling and the k lowest pay for
// their forward pass.

#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "textbook.h"
#include "thalweg/core/isa.h"
#include "thalweg/core/random.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/inference/sum_product.h"

namespace {

using thalweg::Chain;
using thalweg::Couplings;
using thalweg::Index;
using thalweg::Label;
using thalweg::TableBuffer;

constexpr Index kLength = 100;
constexpr Index kLowest = 10;

// A chain of random energies, the same numbers for every scalar type, and what its operations need.
template <class R>
struct Problem {
  TableBuffer<R> unary, pairwise;
  Couplings<R> minima, sums;
  std::vector<Label> labels = std::vector<Label>(kLength);

  // Each pair of different labels is forbidden with probability `forbidden`.
  explicit Problem(Index K, double forbidden = 0) : unary(kLength, K), pairwise(1, K * K) {
    thalweg::Rng rng(1);
    for (Index t = 0; t < kLength; ++t) {
      for (Index j = 0; j < K; ++j) unary[t][j] = static_cast<R>(4 * rng.uniform());
    }
    for (Index i = 0; i < K; ++i) {
      for (Index j = 0; j < K; ++j) {
        const bool allowed = i == j || rng.uniform() >= forbidden;
        pairwise[0][i * K + j] = allowed ? static_cast<R>(2 * rng.uniform()) : thalweg::kInfinity<R>;
      }
    }
    minima.prepare_minima(pairwise.view(), K);
    sums.prepare_sums(pairwise.view(), K, 1);
  }
  Chain<R> chain() const { return {unary.view(), pairwise.view(), {}}; }
};

textbook::Chain textbook_chain(const Problem<double>& problem) {
  const Index K = problem.unary.columns();
  textbook::Chain chain;
  chain.resize(kLength, static_cast<int>(K));
  for (int t = 0; t < kLength; ++t) {
    for (Index j = 0; j < K; ++j) chain.state(t)[j] = -problem.unary[t][j];
  }
  for (int i = 0; i < K; ++i) {
    for (Index j = 0; j < K; ++j) chain.transition(i)[j] = -problem.pairwise[0][i * K + j];
  }
  chain.transitions_changed();
  return chain;
}

template <class Call>
void measure(benchmark::State& state, Call call) {
  double value = 0;
  for (auto _ : state) benchmark::DoNotOptimize(value = call());
  const Index K = state.range(0);
  state.counters["cell"] =
      benchmark::Counter(static_cast<double>(kLength * K * K),
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

// The yardstick must have computed the same thing.
void hold(benchmark::State& state, double textbook, double thalweg) {
  if (!(std::abs(textbook - thalweg) <= 1e-10 * std::abs(thalweg))) {
    state.SkipWithError("the textbook computes something else");
  }
}

// --- the library

template <class R>
void minimize(benchmark::State& state) {
  Problem<R> p(state.range(0));
  thalweg::MinSum<R> work;
  measure(state, [&] { return work.minimize(p.chain(), p.minima, p.labels); });
}

template <class R>
void min_marginals(benchmark::State& state) {
  Problem<R> p(state.range(0));
  thalweg::MinSum<R> work;
  TableBuffer<R> out(kLength, state.range(0));
  measure(state, [&] {
    work.min_marginals(p.chain(), p.minima, out);
    return out[0][0];
  });
}

template <class R>
void k_lowest(benchmark::State& state) {
  Problem<R> p(state.range(0));
  thalweg::MinSum<R> work;
  std::vector<thalweg::Minimum> found;
  measure(state, [&] {
    work.k_lowest(p.chain(), p.minima, kLowest, found);
    return found.back().energy;
  });
}

template <class R>
void measure_forward(benchmark::State& state, const Problem<R>& p) {
  thalweg::SumProduct<R> work;
  measure(state, [&] { return work.forward(p.chain(), p.sums); });
}

template <class R>
void measure_marginals(benchmark::State& state, const Problem<R>& p) {
  const Index K = state.range(0);
  thalweg::SumProduct<R> work;
  TableBuffer<R> unary(kLength, K), pairwise(1, K * K);
  measure(state, [&] {
    const double free_energy = work.forward(p.chain(), p.sums);
    work.marginals(1, {unary, pairwise, {}});
    return free_energy;
  });
}

template <class R>
void forward(benchmark::State& state) {
  measure_forward(state, Problem<R>(state.range(0)));
}

template <class R>
void marginals(benchmark::State& state) {
  measure_marginals(state, Problem<R>(state.range(0)));
}

template <class R>
void sample(benchmark::State& state) {
  Problem<R> p(state.range(0));
  thalweg::SumProduct<R> work;
  thalweg::Rng rng(1);
  measure(state, [&] {
    const double free_energy = work.forward(p.chain(), p.sums);
    work.sample(rng, p.labels);
    return free_energy;
  });
}

// A third of the pairs forbidden, which has the forward pass checked (inference/couplings.h).
constexpr double kForbidden = 1.0 / 3;

template <class R>
void forward_forbidden(benchmark::State& state) {
  measure_forward(state, Problem<R>(state.range(0), kForbidden));
}

template <class R>
void marginals_forbidden(benchmark::State& state) {
  measure_marginals(state, Problem<R>(state.range(0), kForbidden));
}

// --- the textbook

void textbook_minimize(benchmark::State& state) {
  Problem<double> p(state.range(0));
  textbook::Chain chain = textbook_chain(p);
  std::vector<int> y;
  measure(state, [&] { return chain.highest(y); });
  thalweg::MinSum<double> work;
  hold(state, -chain.highest(y), work.minimize(p.chain(), p.minima, p.labels));
}

void textbook_sums(benchmark::State& state, double forbidden, bool with_marginals) {
  const Problem<double> p(state.range(0), forbidden);
  textbook::Chain chain = textbook_chain(p);
  std::vector<double> pairs(static_cast<std::size_t>(state.range(0) * state.range(0)));
  measure(state, [&] {
    const double log_z = chain.forward();
    if (with_marginals) chain.backward(), chain.add_pairs(pairs);
    return log_z;
  });
  thalweg::SumProduct<double> work;
  hold(state, -chain.forward(), work.forward(p.chain(), p.sums));
}

void textbook_forward(benchmark::State& state) { textbook_sums(state, 0, false); }
void textbook_marginals(benchmark::State& state) { textbook_sums(state, 0, true); }
// Zero probabilities cost the textbook nothing, but it has no guard against underflow.
void textbook_forward_forbidden(benchmark::State& state) { textbook_sums(state, kForbidden, false); }
void textbook_marginals_forbidden(benchmark::State& state) { textbook_sums(state, kForbidden, true); }

void label_counts(benchmark::internal::Benchmark* b) {
  for (Index K : {2, 9, 22, 45, 100, 500}) b->Arg(K);
}
void few_label_counts(benchmark::internal::Benchmark* b) { b->Arg(9)->Arg(22); }

#define THALWEG_BENCHMARK(operation, counts)           \
  BENCHMARK_TEMPLATE(operation, float)->Apply(counts); \
  BENCHMARK_TEMPLATE(operation, double)->Apply(counts)
#define THALWEG_BENCHMARK_BESIDE(operation, counts) \
  THALWEG_BENCHMARK(operation, counts);             \
  BENCHMARK(textbook_##operation)->Name(#operation "<textbook>")->Apply(counts)

THALWEG_BENCHMARK_BESIDE(minimize, label_counts);
THALWEG_BENCHMARK_BESIDE(marginals, label_counts);
THALWEG_BENCHMARK_BESIDE(forward, label_counts);
THALWEG_BENCHMARK(min_marginals, label_counts);
THALWEG_BENCHMARK(k_lowest, label_counts);
THALWEG_BENCHMARK(sample, label_counts);
THALWEG_BENCHMARK_BESIDE(forward_forbidden, few_label_counts);
THALWEG_BENCHMARK_BESIDE(marginals_forbidden, few_label_counts);

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("instructions", thalweg::name(thalweg::active_isa()));
  benchmark::RunSpecifiedBenchmarks();
}
