/// @file
/// A chain on top of a neural network: the last layer of a tagger, with its losses, decoder and marginals.
///
/// For sequence b of a padded batch, L = lengths[b], and y_0 ... y_{L-1} in [0, K),
///
///     E_b(y) = start[y_0] + sum_t emissions[b, t, y_t] + sum_t transitions[y_t, y_{t+1}] + end[y_{L-1}]
///
///     ChainLayer<float> layer(threads);                                  // one, kept between batches
///     ChainBatch<float> batch{B, T, K, emissions, transitions, lengths};    // views of your tensors
///     layer.value_and_gradient(LikelihoodLoss{}, batch, {labels}, losses, {d_emissions, d_transitions});
///     layer.decode(batch, labels, energies);
///     layer.marginals(batch, 1, probabilities, free_energies);
///
/// Energies are minimised: hand in the *negated* scores of a network that scores the right answer high
/// (emissions = -logits, transitions = -scores) and negate the gradients that come back. +infinity forbids.
/// Tensors are contiguous and row-major; what stands at positions t >= lengths[b] is never read. Results have
/// the same bits for any number of threads. O(sum_b L K^2 + B K^2) time each.
#pragma once

#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/learning/chain_operations.h"

namespace thalweg {

/// The energies of B sequences of at most T positions with K labels.
template <class R>
struct ChainBatch {
  Index batch = 0, positions = 0, labels = 0;  ///< B, T, K
  std::span<const R> emissions;                ///< [B x T x K]
  std::span<const R> transitions;              ///< [K x K] entry i*K + j couples i with j one position later
  std::span<const Index> lengths = {};         ///< [B], each in [0, T]; empty: all are T
  std::span<const R> start = {}, end = {};     ///< [K], of the first and the last label; empty: none
};

/// The right answers.
struct ChainTargets {
  /// [B x T]. kNoLabel leaves the position open: any label is right there. The energy of the right answer is
  /// then the free energy of all that agree with the rest for the likelihood family, so that the likelihood's
  /// loss is F(right) - F(all), and the lowest of theirs for margin losses; others refuse it.
  std::span<const Label> labels;
  /// [B] what the gradient of each loss counts: 1/B for their mean. Empty: 1 each, the gradient of the sum.
  std::span<const double> weights = {};
};

/// Where derivatives go, in the shapes of `ChainBatch`. Assigned, not added to; an empty span is not wanted.
/// Those of `transitions`, `start` and `end` are summed over the batch in double and in a fixed order; those
/// of emissions beyond a sequence's length are 0.
template <class R>
struct ChainBatchGradient {
  std::span<R> emissions, transitions = {}, start = {}, end = {};
};

namespace detail {
template <class R>
struct ChainLayerScratch {
  ChainOperations<R> operations;
  TableBuffer<R> energies, gradient, pairwise, restricted;
  TableBuffer<std::uint8_t> allowed;
};
}  // namespace detail

/// The layer with its scratch space, for one caller at a time; once warm it allocates nothing, but for custom
/// task costs.
///
/// Every member: @throws InputError where a shape does not fit, a length is outside [0, T], a label is
/// neither below K nor kNoLabel, or an energy that counts is NaN or -infinity.
template <class R>
class THALWEG_EXPORT ChainLayer {
 public:
  /// @throws OptionError unless threads >= 1
  explicit ChainLayer(int threads = 1);

  /// losses[b] = the loss of sequence b, unweighted; `gradient` = d sum_b weights[b] losses[b]. A sequence
  /// whose right answer is forbidden has the loss +infinity and no part in the gradient; one of length 0 has
  /// 0. Losses that draw do so anew in every call, the same in the n-th call of any layer.
  /// @throws OptionError for options of the loss out of range, and where the loss asks for what a batch
  /// cannot offer: kept labellings, or a whole answer where it is open
  void value_and_gradient(const Loss& loss, const ChainBatch<R>& batch, const ChainTargets& right,
                          std::span<double> losses, const ChainBatchGradient<R>& gradient);

  /// The lowest labellings [B x T], kNoLabel beyond their lengths, and their energies [B]. Where nothing is
  /// allowed the energy is +infinity and all labels are kNoLabel.
  void decode(const ChainBatch<R>& batch, std::span<Label> labels, std::span<double> energies);

  /// p(y_t = j) at inverse temperature `beta` [B x T x K], 0 beyond their lengths, and the free energies [B].
  /// Where nothing is allowed the free energy is +infinity and the probabilities are 0.
  /// @throws OptionError unless beta is finite and > 0
  void marginals(const ChainBatch<R>& batch, double beta, std::span<R> probabilities,
                 std::span<double> free_energies);

 private:
  int threads_;
  std::uint64_t round_ = 0;                            // calls so far
  std::vector<detail::ChainLayerScratch<R>> scratch_;  // one a thread
  Couplings<R> couplings_, minima_;
  TableBuffer<double> pairwise_sums_;  // [chunks x K*K]
  TableBuffer<R> first_, last_;        // [B x K] weighted gradients of first and last positions
  std::vector<double> sum_;
};

/// What `ChainLayer::value_and_gradient` writes, in storage of its own.
template <class R>
struct ChainLayerResult {
  std::vector<double> losses;             ///< [B]
  std::vector<R> emissions, transitions;  ///< gradients [B x T x K], [K x K]
  std::vector<R> start, end;              ///< [K] where the batch has them
};

/// One batch, once.
template <class R>
THALWEG_EXPORT ChainLayerResult<R> value_and_gradient(const Loss& loss, const ChainBatch<R>& batch,
                                                      const ChainTargets& right, int threads = 1);

/// The lowest labellings [B x T], kNoLabel beyond their lengths.
template <class R>
THALWEG_EXPORT std::vector<Label> decode(const ChainBatch<R>& batch, int threads = 1);

/// p(y_t = j) [B x T x K].
template <class R>
THALWEG_EXPORT std::vector<R> marginals(const ChainBatch<R>& batch, double beta = 1, int threads = 1);

}  // namespace thalweg
