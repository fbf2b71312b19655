#include "thalweg/learning/exponentiated_gradient.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "learning/state_checks.h"
#include "thalweg/core/parallel.h"
#include "thalweg/learning/class_weights.h"
#include "thalweg/model/linear_terms.h"

namespace thalweg {
namespace {

constexpr float kFirstStep = 0.5f, kGrowth = 1.05f;
constexpr int kAttempts = 3;
// How far the right labels' energies lie below the others' at the start, less log K: 9 leaves each position
// about exp(-9) of doubt. Where that is too much for D >= 0 (w then starts far from 0), it is deepened.
constexpr double kStartDepth = 9, kDeeper = 3, kDeepest = 60;

void copy(Table<const float> from, Table<float> to) { std::copy_n(from.data, from.size(), to.data); }

// Expected energy; what is forbidden has probability 0 and costs nothing.
double expected(Table<const float> energies, Table<const float> marginals) {
  double total = 0;
  for (Index i = 0; i < energies.size(); ++i) {
    const double p = static_cast<double>(marginals.data[i]);
    total += p == 0 ? 0 : static_cast<double>(energies.data[i]) * p;
  }
  return total;
}

// (1 - eta) old + eta now, but what is forbidden stays so: 0 times infinity is not a number.
void blend(float eta, const float* old, const float* now, Index count, float* out) {
  for (Index i = 0; i < count; ++i)
    out[i] = now[i] < kInfinity<float> ? (1 - eta) * old[i] + eta * now[i] : now[i];
}

std::vector<Index> bigram_cells(const Model& model) {
  const Index K = static_cast<Index>(model.labels.size());
  std::vector<Index> cells;
  for (Index i = 0; i < model.transitions.rows(); ++i) {
    for (Label j : model.transitions.row(i)) {
      if (model.constraints.allows(static_cast<Label>(i), j)) cells.push_back(i * K + static_cast<Index>(j));
    }
  }
  return cells;
}

}  // namespace

double ExponentiatedGradient::bytes(const Model& model, const Dataset& data) {
  return 8 * (static_cast<double>(data.positions()) * static_cast<double>(model.labels.size()) +
              static_cast<double>(data.size()) * static_cast<double>(model.transitions.features()));
}

ExponentiatedGradient::ExponentiatedGradient(const Model& model, const Dataset& data, LikelihoodLoss loss,
                                             double c2, std::uint64_t seed)
    : data_(data),
      c2_(c2),
      chain_(model, data.attributes),
      pairs_(bigram_cells(model)),
      rng_(seed),
      order_(static_cast<std::size_t>(data.size())),
      entropy_(order_.size(), 0.0),
      eta_(order_.size(), kFirstStep),
      raised_(class_handicaps(data, loss.beta)),
      beta_(loss.beta) {
  chain_.raise(raised_);
  const Index K = chain_.labels(), bigrams = static_cast<Index>(pairs_.size());
  std::iota(order_.begin(), order_.end(), Index{0});
  theta_.resize(data.positions(), K), marginals_.resize(data.positions(), K);
  theta_pairs_.resize(data.size(), bigrams), marginal_pairs_.resize(data.size(), bigrams);
  pairwise_.resize(1, K * K), pair_difference_.resize(1, K * K);
  if (!model.constraints.empty()) {
    LegalEnds(model.constraints).energies({data.sequences}, theta_);
    LegalPairs(model.constraints).energies({}, pairwise_);
  }
  double depth = kStartDepth;
  do {
    norm_ = 0;
    chain_.assign(std::vector<double>(static_cast<std::size_t>(chain_.parameters()), 0.0));
    for (Index n = 0; n < data.size(); ++n) start(n, depth);
    depth += kDeeper;
  } while (dual() < 0 && depth <= kDeepest);
}

ExponentiatedGradient::Cells ExponentiatedGradient::cells(Table<float> unary, Table<float> pairs,
                                                          Index n) const {
  const Index begin = data_.sequences[n];
  return {unary.slice(begin, data_.sequences[n + 1] - begin), pairs.slice(n, 1)};
}

ExponentiatedGradient::Cells ExponentiatedGradient::Saved::keep(const Cells& cells) {
  unary.assign(cells.unary.data, cells.unary.data + cells.unary.size());
  pairs.assign(cells.pairs.data, cells.pairs.data + cells.pairs.size());
  return {{unary.data(), cells.unary.rows, cells.unary.columns}, {pairs.data(), 1, cells.pairs.columns}};
}

// alpha_n next to the right answer; w moves from it to alpha_n.
void ExponentiatedGradient::start(Index n, double doubt) {
  const auto answer = data_.answer(n);
  const Index K = chain_.labels();
  const Cells at = theta(n);
  const double depth = (doubt + std::log(static_cast<double>(K))) / beta_;
  for (std::size_t t = 0; t < answer.size(); ++t) at.unary[t][answer[t]] = static_cast<float>(-depth);
  entropy_[n] = measure(n);
  // What is right, in the same cells.
  Saved saved;
  const Cells y = saved.keep(marginals(n));
  std::fill_n(y.unary.data, y.unary.size(), 0.f), std::fill_n(y.pairs.data, y.pairs.size(), 0.f);
  for (std::size_t t = 0; t < answer.size(); ++t) y.unary[t][answer[t]] = 1;
  for (std::size_t t = 1; t < answer.size(); ++t) {
    const Index cell = static_cast<Index>(answer[t - 1]) * K + static_cast<Index>(answer[t]);
    const auto pair = std::lower_bound(pairs_.begin(), pairs_.end(), cell);
    if (pair != pairs_.end() && *pair == cell) y.pairs.data[pair - pairs_.begin()] += 1;
  }
  norm_ += descend(n, y, marginals(n));
}

double ExponentiatedGradient::pass() {
  const double before = dual();
  rng_.shuffle(std::span(order_));
  for (Index n : order_) visit(n);
  return dual() - before;
}

double ExponentiatedGradient::dual() const {
  return std::accumulate(entropy_.begin(), entropy_.end(), 0.0) - c2_ * norm_;
}

void ExponentiatedGradient::visit(Index n) {
  const Cells now = theta(n), old = old_theta_.keep(now), was = old_marginals_.keep(marginals(n));
  const Table<float> unary = energies_.resize(now.unary.rows, now.unary.columns);
  chain_.unary(block(n), unary);
  for (int attempt = 1;; ++attempt) {
    const float eta = eta_[n];
    blend(eta, old.unary.data, unary.data, unary.size(), now.unary.data);
    for (Index i = 0; i < now.pairs.columns; ++i)
      now.pairs.data[i] = (1 - eta) * old.pairs.data[i] + eta * chain_.pairwise().data[pairs_[i]];
    const double entropy = measure(n), grown = descend(n, was, marginals(n));
    const bool rises = entropy - entropy_[n] > c2_ * grown;
    eta_[n] = rises ? std::min(1.f, eta * kGrowth) : eta / 2;
    if (rises) {
      entropy_[n] = entropy, norm_ += grown;
      return;
    }
    descend(n, marginals(n), was);
    if (attempt == kAttempts) {  // as it was; the next visit starts with a smaller step
      copy(old.unary, now.unary), copy(old.pairs, now.pairs);
      copy(was.unary, marginals(n).unary), copy(was.pairs, marginals(n).pairs);
      return;
    }
  }
}

// Marginals of alpha_n from theta_n; returns what n adds to D: its weight times H(alpha_n) / beta, and times
// what alpha_n gains on the right answer in energies that do not depend on w.
double ExponentiatedGradient::measure(Index n) {
  const Cells at = theta(n), to = marginals(n);
  for (std::size_t i = 0; i < pairs_.size(); ++i) pairwise_[0][pairs_[i]] = at.pairs.data[i];
  couplings_.prepare_sums(pairwise_.view(), chain_.labels(), static_cast<float>(beta_));
  const double free = sums_.forward({at.unary, pairwise_.view(), {}}, couplings_);
  Table<float> counts = pair_difference_;
  std::fill_n(counts.data, counts.size(), 0.f);
  sums_.marginals(1, {to.unary, counts, {}});
  for (std::size_t i = 0; i < pairs_.size(); ++i) to.pairs.data[i] = counts.data[pairs_[i]];
  const double entropy = expected(at.unary, to.unary) + expected(at.pairs, to.pairs) - free;
  return data_.weight(n) * (entropy + handicap(n, to.unary));
}

double ExponentiatedGradient::handicap(Index n, Table<const float> unary) const {
  if (raised_.empty()) return 0;
  double gained = 0;
  const auto answer = data_.answer(n);
  for (Index t = 0; t < unary.rows; ++t) {
    gained += static_cast<double>(raised_[answer[static_cast<std::size_t>(t)]]);
    for (Index l = 0; l < unary.columns; ++l)
      gained -= static_cast<double>(raised_[static_cast<std::size_t>(l)]) * static_cast<double>(unary[t][l]);
  }
  return gained;
}

// Moves w as alpha_n goes from one set of marginals to another; returns by how much |w|^2 grew.
double ExponentiatedGradient::descend(Index n, const Cells& from, const Cells& to) {
  const Table<float> unary = difference_.resize(from.unary.rows, from.unary.columns);
  for (Index i = 0; i < unary.size(); ++i) unary.data[i] = from.unary.data[i] - to.unary.data[i];
  Table<float> pairs = pair_difference_;
  for (std::size_t i = 0; i < pairs_.size(); ++i)
    pairs.data[pairs_[i]] = from.pairs.data[i] - to.pairs.data[i];
  return chain_.descend(block(n), unary, pairs, static_cast<float>(data_.weight(n) / (2 * c2_)));
}

// What alpha expects of each bigram less what the data hold, summed over sequences by their weights.
std::vector<double> ExponentiatedGradient::excess_pairs() const {
  const Index K = chain_.labels();
  std::vector<double> sums(pairs_.size(), 0.0);
  for (Index n = 0; n < data_.size(); ++n) {
    const double weight = data_.weight(n);
    for (std::size_t i = 0; i < pairs_.size(); ++i)
      sums[i] += weight * static_cast<double>(marginal_pairs_[n][i]);
    for (Index p = data_.sequences[n] + 1; p < data_.sequences[n + 1]; ++p) {
      const Index cell = static_cast<Index>(data_.labels[p - 1]) * K + static_cast<Index>(data_.labels[p]);
      const auto pair = std::lower_bound(pairs_.begin(), pairs_.end(), cell);
      if (pair != pairs_.end() && *pair == cell) sums[pair - pairs_.begin()] -= weight;
    }
  }
  return sums;
}

void ExponentiatedGradient::scale_by_weights(Table<float> rows) const {
  for (Index n = 0; n < data_.size() && !data_.weights.empty(); ++n) {
    const Index begin = data_.sequences[n] * rows.columns, end = data_.sequences[n + 1] * rows.columns;
    for (Index i = begin; i < end; ++i) rows.data[i] *= static_cast<float>(data_.weight(n));
  }
}

void ExponentiatedGradient::refresh(const LinearChain& whole, std::span<double> w, int threads) {
  const Index K = chain_.labels(), P = data_.positions();
  const std::vector<double> pair_sums = excess_pairs();
  TableBuffer<float> pairs(1, K * K);
  for (std::size_t i = 0; i < pairs_.size(); ++i) pairs[0][pairs_[i]] = static_cast<float>(pair_sums[i]);
  // Marginals less what is right, in place of the marginals while w is summed; scaled ones are a copy.
  std::vector<float> kept(static_cast<std::size_t>(P));
  for (Index p = 0; p < P; ++p)
    kept[p] = std::exchange(marginals_[p][data_.labels[p]], marginals_[p][data_.labels[p]] - 1);
  TableBuffer<float> scaled;
  if (!data_.weights.empty()) scaled = marginals_, scale_by_weights(scaled);
  whole.pull_back({data_.sequences}, data_.weights.empty() ? marginals_.view() : scaled.view(), pairs.view(),
                  w, threads);
  for (Index p = 0; p < P; ++p) marginals_[p][data_.labels[p]] = kept[p];
  norm_ = 0;
  for (double& x : w) {
    x /= 2 * c2_;
    norm_ += x * x;
  }
  chain_.assign(w, threads);
}

ExponentiatedGradientState ExponentiatedGradient::state() const {
  ExponentiatedGradientState state;
  const Table<const float> theta = theta_.view(), pairs = theta_pairs_.view();
  state.theta.assign(theta.data, theta.data + theta.size());
  state.theta_pairs.assign(pairs.data, pairs.data + pairs.size());
  state.eta = eta_, state.norm = norm_, state.order = order_, state.rng = rng_.state();
  state.weights.resize(static_cast<std::size_t>(chain_.parameters()));
  chain_.weights(state.weights);
  return state;
}

void ExponentiatedGradient::restore(const ExponentiatedGradientState& state) {
  const Index N = data_.size();
  require_size("state.theta", state.theta.size(), data_.positions() * chain_.labels());
  require_size("state.theta_pairs", state.theta_pairs.size(), N * static_cast<Index>(pairs_.size()));
  require_size("state.eta", state.eta.size(), N);
  require_size("state.weights", state.weights.size(), chain_.parameters());
  require_order(state.order, N);
  std::copy(state.theta.begin(), state.theta.end(), theta_[0]);
  std::copy(state.theta_pairs.begin(), state.theta_pairs.end(), theta_pairs_[0]);
  eta_ = state.eta, norm_ = state.norm, order_ = state.order, rng_ = Rng::restored(state.rng);
  chain_.assign(state.weights);
  for (Index n = 0; n < N; ++n) entropy_[n] = measure(n);
}

double ExponentiatedGradient::primal(const LinearChain& whole, int threads) const {
  constexpr Index kChunk = 64;  // sequences summed apart
  Couplings<float> couplings;
  couplings.prepare_sums(whole.pairwise(), whole.labels(), static_cast<float>(beta_));
  std::vector<double> sums(static_cast<std::size_t>(chunk_count(data_.size(), kChunk)), 0.0);
  std::vector<SumProduct<float>> workers(static_cast<std::size_t>(threads));
  std::vector<TableBuffer<float>> energies(workers.size());
  parallel_chunks(data_.size(), kChunk, threads, [&](Index begin, Index end, int slot) {
    const Block chunk{std::span(data_.sequences).subspan(begin, end - begin + 1), &data_.attributes};
    whole.unary(chunk, energies[slot].resize(chunk.positions(), whole.labels()));
    const ChainBlock<float> chains{energies[slot], whole.pairwise(), {}, chunk.sequences};
    for (Index n = begin; n < end; ++n)
      sums[begin / kChunk] += data_.weight(n) * (energy<float>(chains[n - begin], data_.answer(n)) -
                                                 workers[slot].forward(chains[n - begin], couplings));
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0) + c2_ * norm_;
}

}  // namespace thalweg
