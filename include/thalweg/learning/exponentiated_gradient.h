/// @file
/// Online exponentiated gradient for the likelihood of a linear chain (Collins, Globerson, Koo, Carreras and
/// Bartlett 2008, "Exponentiated gradient algorithms for conditional random fields and max-margin Markov
/// networks", figure 2). It climbs the dual of
///
///     P(w)     = sum_n [ E(y_n; x_n, w) - F_beta(E(.; x_n, w)) ] + c2 |w|^2
///     D(alpha) = sum_n H(alpha_n) / beta - c2 |w(alpha)|^2,     w(alpha) = -(1 / 2 c2) sum_n dE/dw (y_n -
///     alpha_n)
///
/// where alpha_n is a distribution over the labellings of sequence n and H its entropy. D <= P everywhere, so
/// P - D bounds how far w is from the optimum: a certificate.
///
/// alpha_n stands as energies theta_n of a chain, alpha_n(y) ~ exp(-beta theta_n(y)). A visit to sequence n
/// is
///
///     theta_n <- (1 - eta_n) theta_n + eta_n E(.; x_n, w),     w follows in the time of one gather and
///     scatter,
///
/// and eta_n grows while visits raise D, and halves where one would not. Ten passes come within 1 % of the
/// optimum on CoNLL-2000 and sixteen within 1e-4, where L-BFGS takes 90 and 120.
///
/// A sequence's weight (Dataset::weights) multiplies its terms of P, of H, and of w(alpha). Class weights add
/// energies b(y) that do not depend on w, and b(y_n) - b(alpha_n) to D.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/random.h"
#include "thalweg/features/dataset.h"
#include "thalweg/inference/sum_product.h"
#include "thalweg/learning/loss.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

/// All that a climb depends on beside the model, the data and the options, between two passes. For B label
/// bigrams of the model.
struct ExponentiatedGradientState {
  std::vector<float> theta;        ///< [positions x K]
  std::vector<float> theta_pairs;  ///< [N x B]
  std::vector<float> eta;          ///< [N]
  std::vector<double> weights;     ///< [D] as the visits left them
  double norm = 0;                 ///< |w|^2, as the visits have kept account of it
  std::vector<Index> order;        ///< [N] of the last pass, which the next one shuffles
  std::array<std::uint64_t, 4> rng{};
};

/// One pass at a time, sequential by nature. Memory beside the data: two floats for every position and label,
/// and for every sequence and label bigram of the model.
class THALWEG_EXPORT ExponentiatedGradient {
 public:
  /// Starts next to the right answers, w = 0. All references must outlive this.
  /// @pre every label of `data` is known, c2 > 0, the pairwise table is shared, and there are no vectors
  ExponentiatedGradient(const Model& model, const Dataset& data, LikelihoodLoss loss, double c2,
                        std::uint64_t seed);

  /// Visits every sequence once, in a new order. Returns by how much D rose. O(entries K + positions K^2).
  double pass();
  /// D, as the visits have kept account of it.
  double dual() const;
  /// Assigns to `w` what the dual variables stand for, summed in double, and goes on from it: the rounding of
  /// the visits goes, and D is exact for this w. The bits do not depend on `threads`.
  /// @param whole a chain over the same model and all of the data (SparseLinear)
  void refresh(const LinearChain& whole, std::span<double> w, int threads);
  /// P at the w that `whole` holds; never below D. The bits do not depend on `threads`.
  double primal(const LinearChain& whole, int threads) const;

  /// The current w, as the visits left it.
  void weights(std::span<double> w) const { chain_.weights(w); }

  ExponentiatedGradientState state() const;
  /// Goes on with the bits of the climb that `state` was taken from. Marginals are not part of a state, which
  /// halves it: they follow from theta in half the time of a pass.
  /// @throws InputError when its sizes do not fit
  void restore(const ExponentiatedGradientState& state);

  /// Bytes that a run takes beside the data.
  static double bytes(const Model& model, const Dataset& data);

 private:
  struct Cells {  // of one sequence
    Table<float> unary, pairs;
  };
  Block block(Index n) const { return {std::span(data_.sequences).subspan(n, 2), &data_.attributes}; }
  Cells theta(Index n) { return cells(theta_, theta_pairs_, n); }
  Cells marginals(Index n) { return cells(marginals_, marginal_pairs_, n); }
  Cells cells(Table<float> unary, Table<float> pairs, Index n) const;
  void start(Index n, double doubt);
  void visit(Index n);
  double measure(Index n);
  double handicap(Index n, Table<const float> unary) const;
  std::vector<double> excess_pairs() const;
  void scale_by_weights(Table<float> rows) const;
  double descend(Index n, const Cells& from, const Cells& to);

  const Dataset& data_;
  double c2_;
  LinearChain chain_;
  std::vector<Index> pairs_;  // cell i * K + j of each label bigram of the model
  Rng rng_;
  std::vector<Index> order_;
  TableBuffer<float> theta_, marginals_;             // [positions x K]
  TableBuffer<float> theta_pairs_, marginal_pairs_;  // [N x bigrams]
  std::vector<double> entropy_;                      // [N] weight (H / beta + handicap)
  std::vector<float> eta_;                           // [N]
  std::vector<float> raised_;                        // [K] by class weights, or empty
  double beta_, norm_ = 0;                           // |w|^2

  // Scratch of a visit.
  struct Saved {
    std::vector<float> unary, pairs;
    Cells keep(const Cells& cells);
  };
  Saved old_theta_, old_marginals_;
  TableBuffer<float> energies_, pairwise_, difference_, pair_difference_;
  Couplings<float> couplings_;
  SumProduct<float> sums_;
};

}  // namespace thalweg
