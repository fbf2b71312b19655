#include "thalweg/learning/chain_layer.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "energy/check_energies.h"
#include "thalweg/core/error.h"
#include "thalweg/core/parallel.h"
#include "thalweg/learning/evaluate.h"

namespace thalweg {
namespace {

using detail::at, detail::first_bad, detail::refuse_energy;

// Chunks share out the work and bound the memory of the gradients of transitions, [chunks x K*K].
constexpr Index kMostChunks = 64;
constexpr Index kPairwiseCells = Index{1} << 22;

Index chunk_size(Index batch, Index K) {
  const Index most = std::clamp<Index>(kPairwiseCells / (K * K), 4, kMostChunks);
  return std::max<Index>(1, chunk_count(batch, most));
}

// --- what callers hand in

template <class T>
void check_size(const char* tensor, std::span<T> values, Index expected, const char* shape) {
  if (static_cast<Index>(values.size()) == expected) return;
  throw InputError(
      tensor,
      "holds " + std::to_string(values.size()) + " values, " + shape + " takes " + std::to_string(expected),
      "hand in a contiguous tensor of that shape");
}

template <class T>
void check_optional(const char* tensor, std::span<T> values, Index expected, const char* shape) {
  if (!values.empty()) check_size(tensor, values, expected, shape);
}

template <class R>
void check_energies(const char* tensor, std::span<const R> values) {
  const Index bad = first_bad(values);
  if (bad < static_cast<Index>(values.size())) refuse_energy(at(tensor, {bad}), values[bad]);
}

template <class R>
Index length_of(const ChainBatch<R>& batch, Index b) {
  return batch.lengths.empty() ? batch.positions : batch.lengths[b];
}

template <class R>
void check_emissions(const ChainBatch<R>& batch, Index b) {
  const Index T = batch.positions, K = batch.labels;
  const auto row = batch.emissions.subspan(b * T * K, length_of(batch, b) * K);
  const Index bad = first_bad(row);
  if (bad < static_cast<Index>(row.size())) refuse_energy(at("emissions", {b, bad / K, bad % K}), row[bad]);
}

template <class R>
void check(const ChainBatch<R>& batch) {
  const Index B = batch.batch, T = batch.positions, K = batch.labels;
  if (B < 0 || T < 0 || K < 1) {
    throw InputError("batch",
                     "is [" + std::to_string(B) + " x " + std::to_string(T) + " x " + std::to_string(K) + "]",
                     "B and T must be >= 0 and K >= 1");
  }
  check_size("emissions", batch.emissions, B * T * K, "[B x T x K]");
  check_size("transitions", batch.transitions, K * K, "[K x K]");
  check_optional("lengths", batch.lengths, B, "[B]");
  check_optional("start", batch.start, K, "[K]"), check_optional("end", batch.end, K, "[K]");
  for (Index b = 0; b < B; ++b) {
    const Index length = length_of(batch, b);
    if (length >= 0 && length <= T) continue;
    throw InputError(at("lengths", {b}), "is " + std::to_string(length),
                     "must be 0 to " + std::to_string(T) + ", the positions of the batch");
  }
  check_energies("transitions", batch.transitions);
  check_energies("start", batch.start), check_energies("end", batch.end);
  for (Index b = 0; b < B; ++b) check_emissions(batch, b);
}

template <class R>
void check(const ChainBatch<R>& batch, const ChainTargets& right) {
  const Index B = batch.batch, T = batch.positions, K = batch.labels;
  check_size("labels", right.labels, B * T, "[B x T]");
  check_optional("weights", right.weights, B, "[B]");
  for (Index b = 0; b < B; ++b) {
    for (Index t = 0; t < length_of(batch, b); ++t) {
      const Label l = right.labels[b * T + t];
      if (l < static_cast<Label>(K) || l == kNoLabel) continue;
      throw InputError(at("labels", {b, t}), "is " + std::to_string(l),
                       "must be below K = " + std::to_string(K) + ", or kNoLabel for any");
    }
    if (!right.weights.empty() && !std::isfinite(right.weights[b]))
      throw InputError(at("weights", {b}), "is not finite", "weigh by finite numbers");
  }
}

template <class R>
void check(const ChainBatch<R>& batch, const ChainBatchGradient<R>& gradient) {
  check_optional("gradient of emissions", gradient.emissions, Index(batch.emissions.size()), "[B x T x K]");
  check_optional("gradient of transitions", gradient.transitions, Index(batch.transitions.size()), "[K x K]");
  check_optional("gradient of start", gradient.start, batch.labels, "[K]");
  check_optional("gradient of end", gradient.end, batch.labels, "[K]");
}

// --- one sequence

template <class R>
using Scratch = detail::ChainLayerScratch<R>;

template <class R>
void add(const R* from, Index n, R* to) {
  for (Index i = 0; i < n; ++i) to[i] += from[i];
}

// Sequence b; its energies are copied where those of its ends are to be added.
template <class R>
Chain<R> chain_of(const ChainBatch<R>& batch, Index b, Scratch<R>& scratch) {
  const Index T = batch.positions, K = batch.labels, L = length_of(batch, b);
  const Table<const R> given{batch.emissions.data() + b * T * K, L, K},
      transitions{batch.transitions.data(), 1, K * K};
  if (L == 0 || (batch.start.empty() && batch.end.empty())) return {given, transitions, {}};
  const Table<R> unary = scratch.energies.resize(L, K);
  std::copy_n(given.data, given.size(), unary.data);
  if (!batch.start.empty()) add(batch.start.data(), K, unary[0]);
  if (!batch.end.empty()) add(batch.end.data(), K, unary[L - 1]);
  return {unary, transitions, {}};
}

// The chain of all that agrees with `answer`.
template <class R>
Chain<R> agreeing(const Chain<R>& chain, std::span<const Label> answer, Scratch<R>& scratch) {
  const Table<std::uint8_t> allowed = scratch.allowed.resize(chain.length(), chain.labels());
  for (Index t = 0; t < chain.length(); ++t) {
    std::fill_n(allowed[t], chain.labels(), answer[t] == kNoLabel);
    if (answer[t] != kNoLabel) allowed[t][answer[t]] = 1;
  }
  return restrict<R>(chain, allowed, scratch.restricted);
}

bool is_open(std::span<const Label> answer) {
  return std::find(answer.begin(), answer.end(), kNoLabel) != answer.end();
}

template <class R>
double evaluate_sequence(const Loss& loss, const Chain<R>& chain, std::span<const Label> answer, Index number,
                         const ChainParts<R>& parts, Scratch<R>& scratch) {
  if (chain.length() == 0) return 0;
  if (!is_open(answer))
    return evaluate(loss, Problem<Chain<R>>{chain, answer, 1, number}, parts, scratch.operations);
  const Chain<R> right = agreeing(chain, answer, scratch);
  return evaluate(loss, OpenProblem<Chain<R>>{chain, right, 1, number}, parts, scratch.operations);
}

// Where the gradient of sequence b's emissions goes: into the caller's tensor, padding set to 0, or to
// scratch.
template <class R>
Table<R> unary_gradient(const ChainBatch<R>& batch, const ChainBatchGradient<R>& gradient, Index b,
                        Scratch<R>& scratch) {
  const Index T = batch.positions, K = batch.labels, L = length_of(batch, b);
  if (gradient.emissions.empty()) return scratch.gradient.resize(L, K);
  R* const rows = gradient.emissions.data() + b * T * K;
  std::fill_n(rows + L * K, (T - L) * K, R(0));
  return {rows, L, K};
}

// Multiplies what one sequence wrote by its weight, adding the pairwise part to `sum`; none of it counts
// where the loss is infinite.
template <class R>
void weigh(double loss, double weight, Table<R> unary, Table<const R> pairwise, double* sum) {
  if (!(loss < kInfinity<double>)) {
    std::fill_n(unary.data, unary.size(), R(0));
    return;
  }
  for (Index i = 0; weight != 1 && i < unary.size(); ++i) unary.data[i] *= static_cast<R>(weight);
  for (Index i = 0; i < pairwise.size(); ++i) sum[i] += weight * static_cast<double>(pairwise.data[i]);
}

// out = the sum of rows, in their order.
template <class C, class R>
void sum_rows(const TableBuffer<C>& rows, std::vector<double>& sum, std::span<R> out) {
  if (out.empty()) return;
  sum.assign(out.size(), 0.0);
  for (Index r = 0; r < rows.rows(); ++r) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(rows[r][i]);
  }
  std::copy(sum.begin(), sum.end(), out.begin());
}

}  // namespace

template <class R>
ChainLayer<R>::ChainLayer(int threads) : threads_(threads) {
  if (threads < 1)
    throw OptionError("threads", "is " + std::to_string(threads) + ", must be >= 1", "1 is fine");
  scratch_.resize(static_cast<std::size_t>(threads));
}

template <class R>
void ChainLayer<R>::value_and_gradient(const Loss& loss, const ChainBatch<R>& batch,
                                       const ChainTargets& right, std::span<double> losses,
                                       const ChainBatchGradient<R>& gradient) {
  const Index B = batch.batch, T = batch.positions, K = batch.labels;
  check(batch), check(batch, right), check(batch, gradient);
  check_size("losses", losses, B, "[B]");
  validate(loss);
  if (const auto beta = beta_of_sums(loss)) detail::check_beta<R>(*beta);

  const Table<const R> transitions{batch.transitions.data(), 1, K * K};
  prepare(loss, transitions, K, couplings_);
  const Index size = chunk_size(B, K);
  pairwise_sums_.resize(chunk_count(B, size), K * K);
  first_.resize(B, K), last_.resize(B, K);

  parallel_chunks(B, size, threads_, [&](Index begin, Index end, int slot) {
    Scratch<R>& scratch = scratch_[slot];
    scratch.operations.couplings = &couplings_, scratch.operations.round = round_;
    for (Index b = begin; b < end; ++b) {
      const Index L = length_of(batch, b);
      const Table<R> unary = unary_gradient(batch, gradient, b, scratch);
      const Table<R> pairwise = scratch.pairwise.resize(1, K * K);
      losses[b] = evaluate_sequence(loss, chain_of(batch, b, scratch), right.labels.subspan(b * T, L), b,
                                    {unary, pairwise, {}}, scratch);
      weigh<R>(losses[b], right.weights.empty() ? 1 : right.weights[b], unary, pairwise,
               pairwise_sums_[begin / size]);
      if (L > 0) std::copy_n(unary[0], K, first_[b]), std::copy_n(unary[L - 1], K, last_[b]);
    }
  });
  ++round_;
  sum_rows(pairwise_sums_, sum_, gradient.transitions);
  sum_rows(first_, sum_, gradient.start), sum_rows(last_, sum_, gradient.end);
}

template <class R>
void ChainLayer<R>::decode(const ChainBatch<R>& batch, std::span<Label> labels, std::span<double> energies) {
  const Index B = batch.batch, T = batch.positions, K = batch.labels;
  check(batch);
  check_size("labels", labels, B * T, "[B x T]"), check_size("energies", energies, B, "[B]");
  minima_.prepare_minima({batch.transitions.data(), 1, K * K}, K);
  parallel_chunks(B, chunk_size(B, 1), threads_, [&](Index begin, Index end, int slot) {
    for (Index b = begin; b < end; ++b) {
      const Chain<R> chain = chain_of(batch, b, scratch_[slot]);
      const auto y = labels.subspan(b * T, T);
      const auto within = y.first(static_cast<std::size_t>(chain.length()));
      energies[b] = scratch_[slot].operations.minima.minimize(chain, minima_, within);
      const bool feasible = energies[b] < kInfinity<double>;
      std::fill(y.begin() + (feasible ? chain.length() : 0), y.end(), kNoLabel);
    }
  });
}

template <class R>
void ChainLayer<R>::marginals(const ChainBatch<R>& batch, double beta, std::span<R> probabilities,
                              std::span<double> free_energies) {
  const Index B = batch.batch, T = batch.positions, K = batch.labels;
  detail::check_beta<R>(beta), check(batch);
  check_size("probabilities", probabilities, B * T * K, "[B x T x K]");
  check_size("free energies", free_energies, B, "[B]");
  couplings_.prepare_sums({batch.transitions.data(), 1, K * K}, K, static_cast<R>(beta));
  parallel_chunks(B, chunk_size(B, 1), threads_, [&](Index begin, Index end, int slot) {
    SumProduct<R>& sums = scratch_[slot].operations.sums;
    for (Index b = begin; b < end; ++b) {
      const Chain<R> chain = chain_of(batch, b, scratch_[slot]);
      R* const out = probabilities.data() + b * T * K;
      free_energies[b] = sums.forward(chain, couplings_);
      const Index L = free_energies[b] < kInfinity<double> ? chain.length() : 0;
      if (L > 0) sums.unary_marginals({out, L, K});
      std::fill_n(out + L * K, (T - L) * K, R(0));
    }
  });
}

template class ChainLayer<float>;
template class ChainLayer<double>;

template <class R>
ChainLayerResult<R> value_and_gradient(const Loss& loss, const ChainBatch<R>& batch,
                                       const ChainTargets& right, int threads) {
  ChainLayerResult<R> out;
  out.losses.resize(static_cast<std::size_t>(std::max<Index>(batch.batch, 0)));
  out.emissions.resize(batch.emissions.size()), out.transitions.resize(batch.transitions.size());
  out.start.resize(batch.start.size()), out.end.resize(batch.end.size());
  ChainLayer<R>(threads).value_and_gradient(loss, batch, right, out.losses,
                                            {out.emissions, out.transitions, out.start, out.end});
  return out;
}

template <class R>
std::vector<Label> decode(const ChainBatch<R>& batch, int threads) {
  check(batch);
  std::vector<Label> labels(static_cast<std::size_t>(batch.batch * batch.positions));
  std::vector<double> energies(static_cast<std::size_t>(batch.batch));
  ChainLayer<R>(threads).decode(batch, labels, energies);
  return labels;
}

template <class R>
std::vector<R> marginals(const ChainBatch<R>& batch, double beta, int threads) {
  check(batch);
  std::vector<R> probabilities(batch.emissions.size());
  std::vector<double> free_energies(static_cast<std::size_t>(batch.batch));
  ChainLayer<R>(threads).marginals(batch, beta, probabilities, free_energies);
  return probabilities;
}

#define THALWEG_INSTANTIATE(R)                                                                            \
  template ChainLayerResult<R> value_and_gradient(const Loss&, const ChainBatch<R>&, const ChainTargets&, \
                                                  int);                                                   \
  template std::vector<Label> decode(const ChainBatch<R>&, int);                                          \
  template std::vector<R> marginals(const ChainBatch<R>&, double, int);
THALWEG_INSTANTIATE(float)
THALWEG_INSTANTIATE(double)
#undef THALWEG_INSTANTIATE

}  // namespace thalweg
