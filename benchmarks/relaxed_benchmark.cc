// How often descent on relaxed labels, and its rivals on labels, find the minimum of chains whose exact
// minimum is known, and what that costs, CPU time of one thread. Chains because the answer is known, not
// because anything here should be used on them: Viterbi's line says why.
//
//   relaxed_benchmark [CHAINS]        random chains, T = 8 and K = 26, unary energies of scale 3, pairs of 2

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "thalweg/core/random.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/inference/relaxed_descent.h"
#include "thalweg/inference/samplers.h"

namespace {

using namespace thalweg;

constexpr Index kLength = 8, kLabels = 26;
using Labels = std::vector<Label>;

struct Problem {
  TableBuffer<float> unary{kLength, kLabels}, pairwise{1, kLabels*kLabels};
  double lowest = 0;
  Chain<float> chain() const { return {unary.view(), pairwise.view(), {}}; }

  explicit Problem(Rng& rng) {
    for (Index i = 0; i < kLength * kLabels; ++i) unary[0][i] = static_cast<float>(3 * rng.normal());
    for (Index i = 0; i < kLabels * kLabels; ++i) pairwise[0][i] = static_cast<float>(2 * rng.normal());
  }
};

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// One line: the share of exact minima, the mean gap, and microseconds a chain. `solve` returns an energy.
template <class Solve>
void report(const char* name, const std::vector<Problem>& problems, Solve solve) {
  int exact = 0;
  double gap = 0;
  const double begin = cpu_seconds();
  for (const Problem& p : problems) {
    const double above = solve(p) - p.lowest;
    exact += above < 1e-4, gap += above;
  }
  const double n = static_cast<double>(problems.size());
  std::printf("| %s | %.1f | %.3f | %.1f |\n", name, 100 * exact / n, gap / n,
              1e6 * (cpu_seconds() - begin) / n);
}

Labels lowest_unaries(const Chain<float>& chain) {
  Labels y;
  for (Index t = 0; t < kLength; ++t)
    y.push_back(
        static_cast<Label>(std::min_element(chain.unary[t], chain.unary[t] + kLabels) - chain.unary[t]));
  return y;
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 1000;
  Rng rng(5);
  std::vector<Problem> problems;
  for (int n = 0; n < count; ++n) problems.emplace_back(rng);
  MinSum<float> viterbi;
  Couplings<float> couplings;
  Labels y(kLength);
  const auto minimum = [&](const Problem& p) {
    couplings.prepare_minima(p.pairwise.view(), kLabels);
    return viterbi.minimize(p.chain(), couplings, y);
  };
  for (Problem& p : problems) p.lowest = minimum(p);

  std::puts("| chains of 8 labels of 26 | exact, % | mean gap | us a chain |\n|---|---|---|---|");
  report("Viterbi", problems, minimum);
  const auto relaxed = [&](const char* name, const RelaxedOptions& o) {
    report(name, problems, [&](const Problem& p) { return minimize_relaxed(p.chain(), o).minimum.energy; });
  };
  relaxed("annealed, as by default: 8 starts of 12 steps, chains of moves", {});
  relaxed("annealed, 8 starts of 12 steps, single labels", {.depth = 0});
  relaxed("annealed, 1 start of 100 steps, single labels",
          {.method = AnnealedDescent{.steps = 100}, .starts = 1, .depth = 0});
  relaxed("annealed, 1 start of 100 steps, chains of moves",
          {.method = AnnealedDescent{.steps = 100}, .starts = 1});
  relaxed("projected gradient, 1 start, single labels",
          {.method = ProjectedDescent{}, .starts = 1, .depth = 0});
  relaxed("projected gradient, 8 starts, chains of moves", {.method = ProjectedDescent{}});
  relaxed("Frank-Wolfe, 1 start, single labels", {.method = FrankWolfeDescent{}, .starts = 1, .depth = 0});
  relaxed("Frank-Wolfe, 8 starts, chains of moves", {.method = FrankWolfeDescent{}});
  LocalSearch<Chain<float>> search;
  for (Index depth : {0, 1, 2}) {
    const char* names[] = {"lowest unaries, single labels (ICM)",
                           "lowest unaries, chains of moves one edge deep",
                           "lowest unaries, chains of moves two edges deep"};
    report(names[depth], problems, [&](const Problem& p) {
      Labels found = lowest_unaries(p.chain());
      return search.improve(p.chain(), found, depth);
    });
  }
  Gibbs<Chain<float>> gibbs;
  report("annealed Gibbs, 50 sweeps, single labels", problems, [&](const Problem& p) {
    Labels found = lowest_unaries(p.chain());
    for (int k = 0; k < 50; ++k) gibbs.systematic_sweep(p.chain(), 50 / (2.0 * (50 - k)), rng, found);
    return search.improve(p.chain(), found, 0);
  });
}
