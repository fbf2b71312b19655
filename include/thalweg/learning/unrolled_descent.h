/// @file
/// Learns a global energy through the descent that minimises it (Belanger, Yang and McCallum 2017): n steps
/// of exponentiated gradient, as of inference/relaxed_descent.h but at one temperature tau, on local energies
/// u [T x K] and a global energy E_g(q; w),
///
///     q_0 = softmax(-u / tau),      q_{k+1} ~ q_k^(1 - rate tau) exp(-rate (u + dE_g/dq (q_k))),
///
///     L(u, w) = -sum_t log q_n[t, y_t]
///
/// and L is differentiated through all steps, in reverse. What is learnt is what the steps arrive at, whether
/// or not they have converged. Where they have, q ~ exp(-(u + dE_g/dq) / tau): mean field at temperature tau;
/// without E_g that is where they start, and L is the likelihood of u alone.
///
///     ShareNetwork net(K);
///     train_unrolled(net, examples, {.passes = 30});
///     UnrolledDescent descent;
///     descent.run(net, u);                  // descent.q()[t][l]: how sure it is of l at t
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/energy/global_energy.h"
#include "thalweg/optimization/adaptive_steps.h"

namespace thalweg {

struct UnrolledOptions {
  Index steps = 10;        ///< n >= 0
  double rate = 0.25;      ///< > 0, and rate tau <= 1, where q_k is forgotten in one step
  double temperature = 1;  ///< tau > 0; 1 where exp(-u) are odds, as of trained local models
};

/// The workspace: one per thread, allocating little once warm. O(n (T K + an evaluation)) time a run and
/// O(n T K) memory; a pull-back costs about two runs.
class THALWEG_EXPORT UnrolledDescent {
 public:
  /// @throws OptionError for options out of range
  explicit UnrolledDescent(const UnrolledOptions& options = {});

  /// All steps. +infinity in u forbids: its q is 0. @return false where a row has nothing allowed: then there
  /// is no q. @pre u is [T x K], K that of the energy, and not NaN or -infinity
  bool run(const GlobalEnergy& energy, Table<const double> u);
  /// q_n [T x K].
  Table<const double> q() const { return iterate(options_.steps); }
  /// The likeliest labels by q_n, the first of equals.
  void labels(std::span<Label> y) const;

  /// After `run`: for dL/dq_n [T x K], adds dL/du to `to_u` [T x K], 0 where u forbids, and dL/dw to
  /// `to_weights`. @pre energy and its weights are those of the run
  void pull_back(const GlobalEnergy& energy, Table<const double> slope, Table<double> to_u,
                 std::span<double> to_weights);
  /// L by a run; adds its derivatives as `pull_back` does. +infinity, and nothing added, where an answer is
  /// forbidden. @pre answers [T] are below K
  double loss(const GlobalEnergy& energy, Table<const double> u, std::span<const Label> answer,
              Table<double> to_u, std::span<double> to_weights);

 private:
  Table<const double> iterate(Index k) const { return q_.view().slice(k * rows_, rows_); }
  void reverse(const GlobalEnergy& energy, Table<double> to_u, std::span<double> to_weights);

  UnrolledOptions options_;
  Index rows_ = 0;
  TableBuffer<double> q_;                        // [(n + 1) T x K], all q_k
  TableBuffer<double> logits_;                   // [T x K] of q_n; -infinity where u forbids
  TableBuffer<double> slope_, along_, to_step_;  // [T x K] dL/dlogits, and scratch
};

struct UnrolledExample {
  Table<const double> u;  ///< [T x K] local energies, held
  std::span<const Label> answer;
};

struct UnrolledTraining {
  UnrolledOptions descent = {};
  Index passes = 20;   ///< >= 0
  Index batch = 16;    ///< examples a step of Adam, > 0
  double rate = 0.01;  ///< of Adam (optimization/adaptive_steps.h)
  /// > 0; longer gradients of the mean loss per position are cut to this norm (Pascanu, Mikolov and Bengio
  /// 2013). Where a rule allows several counts, descents part ways, and gradients there explode: without a
  /// cut one example undoes what a pass has learnt.
  double clip = 0.05;
  double l2 = 0;  ///< weight of |w|^2 beside the mean loss per position, >= 0
  std::uint64_t seed = 1;
};

struct UnrolledSummary {
  std::vector<double> losses;  ///< of each pass: the mean per position as its steps met them
  Index skipped = 0;           ///< examples whose answer is forbidden: they teach nothing
};

/// Moves the weights of `energy` by Adam on mean losses of batches, the examples of each pass in another
/// order. Deterministic in the seed. One thread.
/// @throws OptionError for options out of range; InputError for an example whose shape does not fit, with a
/// label that is not below K, or an energy that is NaN or -infinity
THALWEG_EXPORT UnrolledSummary train_unrolled(GlobalEnergy& energy, std::span<const UnrolledExample> examples,
                                              const UnrolledTraining& options = {});

}  // namespace thalweg
