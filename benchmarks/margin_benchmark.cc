// What it costs to certify a gap: CPU seconds and passes of the margin solvers on OCR letters, of which
// THALWEG_DATA names the folder that holds ocr_letters/letter.data.gz. Small trains on fold 0 (626 words),
// large on the others (6251); one-hot pixels, bias, transitions, first and last bias: 4082 parameters; loss
// Hamming/T.
//
// `solver/problem/lambda/gap`: `best` is the library's default on one thread and `threads2` on two,
// `one_lane` the same without the second lane; `bcfw` is the method of Lacoste-Julien et al. (2013) on the
// same kernels, the yardstick: at most 300 passes, so that it may end above the gap, which the counter `gap`
// tells. Figures are to be read as ratios to it.
//
//     margin_benchmark --benchmark_filter='large/0.01/'

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "thalweg/io/letters_reader.h"
#include "thalweg/learning/chain_margins.h"
#include "thalweg/learning/margin_solver.h"
#include "thalweg/pipeline/train.h"

namespace {

using namespace thalweg;

struct Letters {
  Examples examples;

  Letters(const std::string& path, const std::vector<int>& folds) {
    FeatureOptions features;
    features.format = Format::Attributes;
    examples = learn_examples(read_letters(path, folds), features);
    Model& model = examples.model;
    const Index K = static_cast<Index>(model.labels.size());
    model.emissions = all_features(static_cast<Index>(model.attributes.size()), K);
    model.transitions = all_features(K, K);
  }
};

struct Case {
  bool large;
  const char* lambda;  // "1/n", or a number
  double gap;
};
const std::vector<Case> kCases = {{true, "0.01", 0.01},
                                  {true, "0.01", 0.001},
                                  {true, "0.001", 0.01},
                                  {true, "1/n", 0.1},
                                  {false, "0.01", 0.001}};

struct Contender {
  const char* name;
  MarginMethod method;
  int threads = 1;
  Index passes = 2000;
  bool small_only = false;
};
const std::vector<Contender> kContenders = {
    {"best", BlockFrankWolfe{}},
    {"threads2", BlockFrankWolfe{}, 2},
    {"one_lane", BlockFrankWolfe{.lanes = 1}},
    {"away", BlockFrankWolfe{.step = BlockFrankWolfe::Step::Away}},
    {"gaps", BlockFrankWolfe{.order = BlockFrankWolfe::Order::Gaps}},
    {"pairwise_plain", BlockFrankWolfe{.cached_passes = 0, .accelerate = false, .lanes = 1}, 1, 300},
    {"bcfw",
     BlockFrankWolfe{.step = BlockFrankWolfe::Step::FrankWolfe,
                     .inner_steps = 1,
                     .cached_passes = 0,
                     .accelerate = false,
                     .lanes = 1},
     1, 300},
    {"cutting_plane", CuttingPlane{}, 1, 2000, true},
    {"subgradient", SubgradientDescent{}, 1, 300, true},
};

void run(benchmark::State& state, const Letters& letters, const Case& what, const Contender& solver) {
  MarginOptions options;
  options.lambda = std::string(what.lambda) == "1/n" ? 1 / static_cast<double>(letters.examples.data.size())
                                                     : std::strtod(what.lambda, nullptr);
  options.method = solver.method;
  options.gap = what.gap, options.passes = solver.passes, options.threads = solver.threads;
  MarginSummary summary;
  for (auto _ : state) {
    const ChainMargins<float> problem(letters.examples.model, letters.examples.data, HammingMeanCost{});
    summary = minimize_margin_loss(problem, options);
  }
  state.counters["passes"] = static_cast<double>(summary.passes);
  state.counters["oracle"] =
      static_cast<double>(summary.oracle_calls) / static_cast<double>(letters.examples.data.size());
  state.counters["gap"] = summary.gap;
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const char* const data = std::getenv("THALWEG_DATA");
  if (!data) {
    std::fputs("margin_benchmark: THALWEG_DATA does not name the folder of ocr_letters\n", stderr);
    return 0;
  }
  const std::string path = std::string(data) + "/ocr_letters/letter.data.gz";
  const Letters small(path, {0}), large(path, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  for (const Case& what : kCases) {
    for (const Contender& solver : kContenders) {
      if (solver.small_only && what.large) continue;
      const std::string name = std::string(solver.name) + (what.large ? "/large/" : "/small/") + what.lambda +
                               "/" + std::to_string(what.gap).substr(0, 5);
      benchmark::RegisterBenchmark(
          name.c_str(),
          [&](benchmark::State& state) { run(state, what.large ? large : small, what, solver); })
          ->Iterations(1)
          ->Unit(benchmark::kMillisecond)
          ->MeasureProcessCPUTime()
          ->UseRealTime();
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
