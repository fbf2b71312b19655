// What a token costs when there is more of everything: positions, labels, sentences, attributes, threads.
// Beside it the textbook's cost (textbook.h) where it gets that far, and the slope that theory gives.
//
//     cost_benchmark [cost.svg]        prints a table; draws it where a path is given
//
// Sizes are made up: words with zipfian attributes that agree with their label more often than not.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <sstream>
#include <string>
#include <vector>

#include "../apps/chart.h"
#include "textbook.h"
#include "thalweg/core/random.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/inference/sum_product.h"
#include "thalweg/io/atomic_file.h"
#include "thalweg/learning/batch_objective.h"

namespace {

using namespace thalweg;

// The least nanoseconds of a call, by the processor's clock or the one on the wall.
template <class Call>
double nanoseconds(Call call, bool wall = false) {
  const auto now = [wall] {
    if (!wall) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  call();
  double best = 1e300, spent = 0;
  for (Index repeat = 1; spent < 0.3;) {
    const double start = now();
    for (Index i = 0; i < repeat; ++i) call();
    const double took = now() - start;
    if (took < 0.005) {  // too short to be measured
      repeat *= 4;
      continue;
    }
    best = std::min(best, took / static_cast<double>(repeat)), spent += took;
  }
  return best * 1e9;
}

// --- chains

enum Colour { kMinimize, kMarginals, kGradient, kThreads };
const char* const kNames[] = {"lowest labelling", "marginals", "gradient of training",
                              "gradient, 2 threads, on the wall"};

Series ours(Colour c) { return {kNames[c], {}, c}; }
Series theirs(Colour c) { return {std::string(kNames[c]) + ", textbook", {}, c, true}; }

struct ChainCosts {
  Series minimize = ours(kMinimize), marginals = ours(kMarginals), textbook_minimize = theirs(kMinimize),
         textbook_marginals = theirs(kMarginals);

  std::vector<Series> all() const { return {minimize, marginals, textbook_minimize, textbook_marginals}; }
};

void add_textbook(ChainCosts& costs, double x, Table<const float> unary, Table<const float> pairwise) {
  const Index T = unary.rows, K = unary.columns;
  textbook::Chain chain;
  chain.resize(static_cast<int>(T), static_cast<int>(K));
  for (Index t = 0; t < T; ++t)
    std::transform(unary[t], unary[t] + K, chain.state(static_cast<int>(t)), std::negate{});
  for (Index i = 0; i < K; ++i)
    std::transform(pairwise.data + i * K, pairwise.data + (i + 1) * K, chain.transition(static_cast<int>(i)),
                   std::negate{});
  chain.transitions_changed();
  std::vector<int> y;
  std::vector<double> pairs(static_cast<std::size_t>(K * K));
  const double tokens = static_cast<double>(T);
  costs.textbook_minimize.points.emplace_back(x, nanoseconds([&] { chain.highest(y); }) / tokens);
  costs.textbook_marginals.points.emplace_back(
      x, nanoseconds([&] { chain.forward(), chain.backward(), chain.add_pairs(pairs); }) / tokens);
}

void add_chain(ChainCosts& costs, double x, Index T, Index K) {
  Rng rng(1);
  TableBuffer<float> unary(T, K), pairwise(1, K * K), unary_out(T, K), pairwise_out(1, K * K);
  for (Index i = 0; i < T * K; ++i) unary[0][i] = static_cast<float>(4 * rng.uniform());
  for (Index i = 0; i < K * K; ++i) pairwise[0][i] = static_cast<float>(2 * rng.uniform());
  Couplings<float> minima, sums;
  minima.prepare_minima(pairwise.view(), K), sums.prepare_sums(pairwise.view(), K, 1);
  const Chain<float> chain{unary.view(), pairwise.view(), {}};
  MinSum<float> min_sum;
  SumProduct<float> sum_product;
  std::vector<Label> y(static_cast<std::size_t>(T));
  const double tokens = static_cast<double>(T);
  costs.minimize.points.emplace_back(x, nanoseconds([&] { min_sum.minimize(chain, minima, y); }) / tokens);
  costs.marginals.points.emplace_back(x, nanoseconds([&] {
                                           sum_product.forward(chain, sums);
                                           sum_product.marginals(1, {unary_out, pairwise_out, {}});
                                         }) / tokens);
  add_textbook(costs, x, unary.view(), pairwise.view());
}

// --- training

constexpr Index kSentence = 10, kTrainLabels = 9, kNamesPerAttribute = 3000;

// Numbers of attributes [positions x A], and labels: what a reader would have made of a text.
struct MadeUp {
  Model model;
  Dataset data;

  MadeUp(Index sentences, Index A) {
    Rng rng(7);
    for (Index l = 0; l < kTrainLabels; ++l) model.labels.add(std::to_string(l));
    for (Index n = 0; n < A * kNamesPerAttribute; ++n) model.attributes.add("a" + std::to_string(n));
    for (Index n = 0; n < sentences; ++n) {
      for (Index t = 0; t < kSentence; ++t) add_token(rng, A);
      data.sequences.push_back(data.sequences.back() + kSentence);
    }
    sort_by_use(data, model.attributes, kTrainLabels, 1);
    model.emissions =
        observed_features(transpose(data.attributes, model.attributes.size()), data.labels, kTrainLabels);
    model.transitions = observed_transitions(data, kTrainLabels);
    model.weights.assign(static_cast<std::size_t>(model.features()), 0.1);
  }

  void add_token(Rng& rng, Index A) {
    const Index label = static_cast<Index>(rng.below(kTrainLabels));
    for (Index a = 0; a < A; ++a) {
      const double zipfian = std::exp(rng.uniform() * std::log(kNamesPerAttribute / kTrainLabels - 1));
      const Index spoken = rng.below(3) ? label : static_cast<Index>(rng.below(kTrainLabels));
      data.attributes.columns.push_back(static_cast<std::uint32_t>(
          a * kNamesPerAttribute + static_cast<Index>(zipfian) * kTrainLabels + spoken));
    }
    data.attributes.offsets.push_back(data.attributes.entries());
    data.labels.push_back(static_cast<Label>(label));
  }

  // As columns, for who reads them.
  std::string text() const {
    std::string text;
    for (Index n = 0; n < data.size(); ++n, text += '\n') {
      for (Index p = data.sequences[n]; p < data.sequences[n + 1]; ++p) {
        for (std::uint32_t a : data.attributes.row(p)) text.append("a").append(std::to_string(a)).append(" ");
        text.append(std::to_string(data.labels[p])).append("\n");
      }
    }
    return text;
  }
  double tokens() const { return static_cast<double>(data.positions()); }
};

double gradient_cost(MadeUp& m, int threads) {
  const FoldedAttributes folded = fold(m.data.attributes, m.model.attributes, {});
  LinearChain chain(m.model, &folded);
  BatchObjective objective(chain, m.data, LikelihoodLoss{}, 1, threads);
  std::vector<double> gradient(m.model.weights.size());
  return nanoseconds([&] { objective(m.model.weights, gradient); }, threads > 1) / m.tokens();
}

double textbook_gradient_cost(const MadeUp& m, Index A) {
  std::string templates = "B\n";
  for (Index a = 0; a < A; ++a) templates += "U" + std::to_string(a) + ":%x[0," + std::to_string(a) + "]\n";
  textbook::Crf crf(templates);
  std::istringstream in(m.text());
  crf.read(in);
  crf.make_features();
  std::vector<double> w(static_cast<std::size_t>(crf.features()), 0.1), gradient(w.size());
  return nanoseconds([&] { crf.objective(w, 1, gradient); }) / m.tokens();
}

// --- charts

Chart by_length() {
  ChainCosts costs;
  for (const Index T : {1, 3, 10, 100, 1000, 10'000, 100'000, 1'000'000})
    add_chain(costs, static_cast<double>(T), T, 9);
  return {"length, 9 labels", "positions T", "ns a token", costs.all(), 0};
}

Chart by_labels() {
  ChainCosts costs;
  for (const Index K : {2, 3, 5, 9, 16, 22, 45, 100, 200, 500})
    add_chain(costs, static_cast<double>(K), 100, K);
  return {"labels, 100 positions", "labels K", "ns a token", costs.all(), 2};
}

Chart by_sentences() {
  Series fast = ours(kGradient), two = ours(kThreads), slow = theirs(kGradient);
  for (const Index N : {10, 100, 1000, 10'000, 100'000, 1'000'000}) {
    MadeUp made(N, 8);
    const double x = static_cast<double>(N);
    fast.points.emplace_back(x, gradient_cost(made, 1)), two.points.emplace_back(x, gradient_cost(made, 2));
    if (N <= 10'000) slow.points.emplace_back(x, textbook_gradient_cost(made, 8));
  }
  return {"sentences of 10 tokens, 8 attributes", "sentences N", "ns a token", {fast, two, slow}, 0};
}

Chart by_attributes() {
  Series fast = ours(kGradient), slow = theirs(kGradient);
  for (const Index A : {1, 2, 4, 8, 16, 32, 64}) {
    MadeUp made(3000, A);
    const double x = static_cast<double>(A);
    fast.points.emplace_back(x, gradient_cost(made, 1));
    slow.points.emplace_back(x, textbook_gradient_cost(made, A));
  }
  return {"attributes, 30,000 tokens", "attributes a token", "ns a token", {fast, slow}, 1};
}

void print(const Chart& chart) {
  std::printf("\n| ns a token, %s: %s |", chart.title.c_str(), chart.x_label.c_str());
  for (const auto& [x, ns] : chart.series.front().points) std::printf(" %.0f |", x);
  std::printf("\n|---|");
  for (std::size_t i = 0; i < chart.series.front().points.size(); ++i) std::printf("---|");
  for (const Series& series : chart.series) {
    std::printf("\n| %s |", series.name.c_str());
    for (const auto& [x, ns] : series.points) std::printf(" %.1f |", ns);
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Chart> charts;
  for (const auto make : {by_length, by_labels, by_attributes, by_sentences}) {
    charts.push_back(make());
    print(charts.back());
  }
  if (argc > 1) {
    const std::string picture = small_multiples(charts, 3);
    write_file(argv[1], std::as_bytes(std::span(picture)));
  }
}
