// How often descent on relaxed labels, and its rivals on labels, find the minimum of chains whose exact
// minimum is known, and what that costs, CPU time of one thread. Chains because the answer is known, not
// because anything here should be used on them: Viterbi's line says why.
//
//   relaxed_benchmark [CHAINS]        random chains, T = 8 and K = 26, unary energies of scale 3, pairs of 2
//
//   THALWEG_DATA=FOLDER               and the words of fold 0 of FOLDER/ocr_letters/letter.data.gz, under the
//                                     likelihood's chain of folds 1 to 9 (c2 = .1, by held-out likelihood)

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "thalweg/core/random.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/inference/relaxed_descent.h"
#include "thalweg/inference/samplers.h"
#include "thalweg/io/letters_reader.h"
#include "thalweg/pipeline/train.h"

namespace {

using namespace thalweg;

constexpr Index kLength = 8, kLabels = 26;
using Labels = std::vector<Label>;

struct Problem {
  TableBuffer<float> unary, pairwise{1, kLabels*kLabels};
  double lowest = 0;
  explicit Problem(Index length) : unary(length, kLabels) {}
  Chain<float> chain() const { return {unary.view(), pairwise.view(), {}}; }
};

std::vector<Problem> random_chains(int count, Rng& rng) {
  std::vector<Problem> problems(static_cast<std::size_t>(count), Problem(kLength));
  for (Problem& p : problems) {
    for (Index i = 0; i < kLength * kLabels; ++i) p.unary[0][i] = static_cast<float>(3 * rng.normal());
    for (Index i = 0; i < kLabels * kLabels; ++i) p.pairwise[0][i] = static_cast<float>(2 * rng.normal());
  }
  return problems;
}

std::vector<Problem> words(const std::string& path) {
  FeatureOptions features;
  features.format = Format::Attributes;
  Examples examples = learn_examples(read_letters(path, {1, 2, 3, 4, 5, 6, 7, 8, 9}), features);
  train_model(examples.model, examples.data, nullptr, {.c2 = 0.1, .all_features = true});
  const DevelopmentSet held_out = development_set(read_letters(path, {0}), examples.model);
  const LinearChain model(examples.model);
  ChainEnergies energies;
  std::vector<Problem> problems;
  for (Index n = 0; n < held_out.data.size(); ++n) {
    const Chain<float> chain = energies.of(model, held_out.data, n, n + 1)[0];
    Problem& p = problems.emplace_back(chain.length());
    std::copy_n(chain.unary.data, chain.unary.size(), p.unary[0]);
    std::copy_n(chain.pairwise.data, chain.pairwise.size(), p.pairwise[0]);
  }
  return problems;
}

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
  for (Index t = 0; t < chain.length(); ++t)
    y.push_back(
        static_cast<Label>(std::min_element(chain.unary[t], chain.unary[t] + kLabels) - chain.unary[t]));
  return y;
}

void compare(const char* title, std::vector<Problem> problems, Rng& rng) {
  MinSum<float> viterbi;
  Couplings<float> couplings;
  Labels y;
  const auto minimum = [&](const Problem& p) {
    couplings.prepare_minima(p.pairwise.view(), kLabels);
    y.resize(static_cast<std::size_t>(p.unary.rows()));
    return viterbi.minimize(p.chain(), couplings, y);
  };
  for (Problem& p : problems) p.lowest = minimum(p);

  std::printf("| %s | exact, %% | mean gap | us a chain |\n|---|---|---|---|\n", title);
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

}  // namespace

int main(int argc, char** argv) {
  Rng rng(5);
  compare("chains of 8 labels of 26", random_chains(argc > 1 ? std::atoi(argv[1]) : 1000, rng), rng);
  const char* const data = std::getenv("THALWEG_DATA");
  if (!data) return 0;
  std::puts("");
  compare("626 handwritten words", words(std::string(data) + "/ocr_letters/letter.data.gz"), rng);
}
