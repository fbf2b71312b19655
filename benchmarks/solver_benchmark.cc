// How fast each solver comes near the optimum: the relative distance of the objective from it against the CPU
// seconds of training, evaluations for the curve not counted; and the F1 that whole trainings give.
// CoNLL-2000 where THALWEG_DATA names its folder, or else made up.
//
//     solver_benchmark [curves.svg]        prints a table; writes the curves where a path is given

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "../apps/chart.h"
#include "synthetic.h"
#include "thalweg/evaluation/score.h"
#include "thalweg/io/atomic_file.h"
#include "thalweg/io/corpus_reader.h"
#include "thalweg/learning/batch_objective.h"
#include "thalweg/learning/exponentiated_gradient.h"
#include "thalweg/learning/train.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

namespace {

using namespace thalweg;

constexpr double kC2 = 1;
// The tutorial templates of CRFsuite and CRF++.
constexpr const char* kTemplates =
    "U00:%x[-2,0]\nU01:%x[-1,0]\nU02:%x[0,0]\nU03:%x[1,0]\nU04:%x[2,0]\nU05:%x[-1,0]/%x[0,0]\n"
    "U06:%x[0,0]/%x[1,0]\nU10:%x[-2,1]\nU11:%x[-1,1]\nU12:%x[0,1]\nU13:%x[1,1]\nU14:%x[2,1]\n"
    "U15:%x[-2,1]/%x[-1,1]\nU16:%x[-1,1]/%x[0,1]\nU17:%x[0,1]/%x[1,1]\nU18:%x[1,1]/%x[2,1]\n"
    "U20:%x[-2,1]/%x[-1,1]/%x[0,1]\nU21:%x[-1,1]/%x[0,1]/%x[1,1]\nU22:%x[0,1]/%x[1,1]/%x[2,1]\nB\n";

double cpu() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

Corpus corpus_of(const char* part, std::uint64_t seed) {
  if (const char* folder = std::getenv("THALWEG_DATA"))
    return read_corpus(std::string(folder) + "/conll2000/" + part + ".txt.gz", Format::Columns);
  const std::string text = synthetic_text(seed == 1 ? 2000 : 500, seed);
  Corpus corpus;
  for (CorpusReader reader(TextReader::of_memory(text, part), Format::Columns); reader.next();)
    corpus.add(reader.sentence());
  return corpus;
}

struct Run {
  std::string name;
  std::vector<std::pair<double, double>> curve;  // CPU seconds, objective
  double seconds = 0, f1 = 0;
  Index passes = 0;
};

double f1(const Model& model, const Corpus& test) {
  const Tagger tagger{Model(model)};
  Decoder decoder(tagger);
  SpanScore spans;
  std::vector<std::string_view> gold, guess;
  for (Index n = 0; n < test.size(); ++n) {
    decoder.read(test[n]);
    gold.clear(), guess.clear();
    for (const Label l : decoder.minimize()) guess.push_back(tagger.label(l));
    for (Index t = 0; t < test[n].size(); ++t) gold.push_back(model.featurizer.label(test[n], t));
    spans.add(gold, guess);
  }
  return spans.overall().f1();
}

Run train_with(const std::string& name, const Corpus& train, const Corpus& test,
               const TrainOptions& options) {
  Examples e = learn_examples(train, {.templates = kTemplates});
  Run run{name, {}, 0, 0, 0};
  const double start = cpu();
  const TrainSummary s = train_model(e.model, e.data, nullptr, options, [&](const TrainProgress& p) {
    if (options.solver == Solver::Lbfgs) run.curve.emplace_back(cpu() - start, p.objective);
    return true;
  });
  run.seconds = cpu() - start, run.passes = s.evaluations;
  run.f1 = f1(e.model, test);
  return run;
}

// The curve of exponentiated gradient: a training does not evaluate its objective after every pass.
std::vector<std::pair<double, double>> dual_curve(const Corpus& train, Index passes) {
  Examples e = learn_examples(train, {.templates = kTemplates});
  train_model(e.model, e.data, nullptr, {.solver = Solver::Lbfgs, .iterations = 1});  // chooses the features
  const FoldedAttributes folded = fold(e.data.attributes, e.model.attributes, e.model.featurizer.templates());
  LinearChain whole(e.model, &folded);
  BatchObjective objective(whole, e.data, LikelihoodLoss{}, kC2, 1);
  std::vector<double> w(e.model.weights.size()), gradient(w.size());
  std::vector<std::pair<double, double>> curve;
  double start = cpu();
  ExponentiatedGradient learner(e.model, e.data, {}, kC2, 1);
  for (Index pass = 0; pass < passes; ++pass) {
    learner.pass();
    const double now = cpu();
    learner.weights(w);
    curve.emplace_back(now - start, objective(w, gradient));
    start += cpu() - now;
  }
  return curve;
}

std::string time_to(const Run& run, double target) {
  char text[32] = "-";
  for (const auto& [seconds, objective] : run.curve) {
    if (objective > target) continue;
    std::snprintf(text, sizeof text, "%.2f", seconds);
    break;
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const Corpus train = corpus_of("train", 1), test = corpus_of("test", 2);
  std::vector<Run> runs;
  runs.push_back(
      train_with("exponentiated gradient", train, test, {.solver = Solver::ExponentiatedGradient}));
  runs.back().curve = dual_curve(train, 40);
  runs.push_back(train_with("L-BFGS", train, test, {.solver = Solver::Lbfgs}));
  runs.push_back(train_with("averaged perceptron", train, test, {.loss = PerceptronLoss{}}));
  runs.push_back(train_with("passive-aggressive", train, test,
                            {.loss = PerceptronLoss{}, .solver = Solver::PassiveAggressive}));
  double optimum = kInfinity<double>;
  for (const Run& run : runs) {
    for (const auto& [seconds, objective] : run.curve) optimum = std::min(optimum, objective);
  }

  std::printf(
      "| solver | passes | CPU s | to 0.1 %% of the optimum | to 1e-4 | F1 |\n|---|---|---|---|---|---|\n");
  Chart chart{"Training, one thread", "CPU seconds", "distance from the optimum, relative", {}};
  for (const Run& run : runs) {
    std::printf("| %s | %td | %.2f | %s | %s | %.2f |\n", run.name.c_str(), run.passes, run.seconds,
                time_to(run, optimum * 1.001).c_str(), time_to(run, optimum * 1.0001).c_str(), run.f1);
    Series series{run.name, {}};
    for (const auto& [seconds, objective] : run.curve) {
      if (objective > optimum * (1 + 1e-6)) series.points.emplace_back(seconds, objective / optimum - 1);
    }
    chart.series.push_back(series);
  }
  if (argc > 1) {
    const std::string picture = svg(chart);
    write_file(argv[1], std::as_bytes(std::span(picture)));
  }
}
