#include "thalweg/pipeline/comparison.h"

#include <algorithm>
#include <ctime>
#include <span>

#include "thalweg/core/parallel.h"
#include "thalweg/evaluation/calibration.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/inference/sum_product.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {
namespace {

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// What one thread needs to look at sequences.
struct Surveyor {
  ChainEnergies energies;
  Couplings<float> minima_tables, sums_tables;
  MinSum<float> minima;
  SumProduct<float> sums;
  std::vector<Label> labels;
  TableBuffer<float> marginals;

  void look(const LinearChain& model, const DevelopmentSet& set, Index n);
  double right = 0, other = kInfinity<double>;   // energies
  std::vector<std::pair<double, bool>> answers;  // confidences, and whether the labels are right
};

void Surveyor::look(const LinearChain& model, const DevelopmentSet& set, Index n) {
  const ChainBlock<float> chains = energies.of(model, set.data, n, n + 1);
  const Chain<float> chain = chains[0];
  const auto answer = set.data.answer(n);
  minima_tables.prepare_minima(chain.pairwise, chain.labels(), chain.histories);
  sums_tables.prepare_sums(chain.pairwise, chain.labels(), 1, chain.histories);
  labels.resize(answer.size());
  right = energy(chain, answer);
  other = minima.minimize_excluding(chain, minima_tables, answer, labels);
  minima.minimize(chain, minima_tables, labels);
  answers.clear();
  if (!(sums.forward(chain, sums_tables) < kInfinity<double>)) return;
  const Table<float> p = marginals.resize(chain.length(), chain.labels());
  sums.unary_marginals(p);
  for (Index t = 0; t < chain.length(); ++t) {
    const Label l = labels[static_cast<std::size_t>(t)];
    answers.emplace_back(p[t][l], l == answer[static_cast<std::size_t>(t)]);
  }
}

bool is_known(const DevelopmentSet& set, Index n, Label labels) {
  const auto answer = set.data.answer(n);
  return !answer.empty() && std::all_of(answer.begin(), answer.end(), [&](Label l) { return l < labels; });
}

}  // namespace

Landscape survey(const Model& model, const DevelopmentSet& set, int threads) {
  struct Seen {
    bool known = false;
    double right = 0, other = 0;
    std::vector<std::pair<double, bool>> answers;
  };
  LinearChain chain(model);
  std::vector<Seen> seen(static_cast<std::size_t>(set.data.size()));
  std::vector<Surveyor> surveyors(static_cast<std::size_t>(threads));
  parallel_chunks(set.data.size(), 16, threads, [&](Index begin, Index end, int slot) {
    for (Index n = begin; n < end; ++n) {
      Seen& at = seen[n];
      at.known = is_known(set, n, static_cast<Label>(model.labels.size()));
      if (!at.known) continue;
      surveyors[slot].look(chain, set, n);
      at.right = surveyors[slot].right, at.other = surveyors[slot].other,
      at.answers = surveyors[slot].answers;
    }
  });

  Landscape landscape;
  Calibration calibration;
  Index lower = 0, compared = 0;
  for (const Seen& at : seen) {
    if (!at.known) continue;
    ++landscape.sequences;
    lower += at.right < at.other;
    if (at.right < kInfinity<double> && at.other < kInfinity<double>)
      ++compared, landscape.gap += at.other - at.right;
    for (const auto& [confidence, right] : at.answers) calibration.add(confidence, right);
  }
  if (landscape.sequences > 0)
    landscape.separated = 100 * static_cast<double>(lower) / static_cast<double>(landscape.sequences);
  if (compared > 0) landscape.gap /= static_cast<double>(compared);
  landscape.calibration = 100 * calibration.expected_error();
  return landscape;
}

LossReport train_under(const Examples& examples, const DevelopmentSet& held_out, const TrainOptions& options,
                       const TrainCallback& callback) {
  LossReport report;
  Model model = examples.model;
  const double start = cpu_seconds();
  double looking = 0;
  report.training = train_model(model, examples.data, nullptr, options, [&](const TrainProgress& progress) {
    const double before = cpu_seconds();
    Model now = model;
    now.weights.assign(progress.weights.begin(), progress.weights.end());
    report.curve.push_back(
        {progress.iteration, before - start - looking, score(now, held_out, options.threads)});
    const bool more = !callback || callback(progress);
    looking += cpu_seconds() - before;
    return more;
  });
  report.cpu_seconds = cpu_seconds() - start - looking;
  report.score = score(model, held_out, options.threads);
  report.landscape = survey(model, held_out, options.threads);
  return report;
}

}  // namespace thalweg
