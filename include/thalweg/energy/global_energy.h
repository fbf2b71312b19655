/// @file
/// `GlobalEnergy`: a learnt energy over a whole relaxed labelling q [T x K], its rows on simplices, added to
/// local energies u (structured prediction energy networks, Belanger and McCallum 2016):
///
///     E(q) = sum_t u_t' q_t + E_g(q; w)
///
/// No dynamic programme minimises it, gradient descent on q does. To learn w through the steps of a descent
/// (learning/unrolled_descent.h), the derivative of a function of dE_g/dq is needed as well: `pull_back`.
///
/// `ShareNetwork` sees what share of the sequence each label takes, and so rules that count:
///
///     E_g(q) = T sum_h w_h softplus(A_h' s + b_h),      s[g, l] = sum_{t of stretch g} q_t[l] / T
///
///     ShareNetwork net(labels, {.hidden = 16});
///     RelaxedSum energy(u, net);                        // a RelaxedEnergy: inference/relaxed_descent.h
///     descent.start(energy), descent.run(energy, AnnealedDescent{}), descent.round(energy, y);
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/energy/relaxed_energy.h"

namespace thalweg {

/// One is shared by all sequences: T is the rows of q. Members are const and may run side by side.
class THALWEG_EXPORT GlobalEnergy {
 public:
  virtual ~GlobalEnergy() = default;

  virtual Index labels() const = 0;  ///< K
  std::span<double> weights() { return weights_; }
  std::span<const double> weights() const { return weights_; }  ///< w [D]

  /// E_g(q); adds dE_g/dq to `gradient` [T x K]. @pre q [T x K] is finite; its rows need not sum to 1
  virtual double evaluate(Table<const double> q, Table<double> gradient) const = 0;
  /// For a vector v [T x K], adds the derivatives of v' dE_g/dq: to `to_q` [T x K] the product of the Hessian
  /// with v, d2E_g/dq2 v, and to `to_weights` [D] the mixed derivatives d2E_g/dw dq v.
  virtual void pull_back(Table<const double> q, Table<const double> v, Table<double> to_q,
                         std::span<double> to_weights) const = 0;

 protected:
  std::vector<double> weights_;
};

struct ShareNetworkOptions {
  Index hidden = 16;  ///< H > 0; a rule that allows n counts wants a few a count
  /// G > 0 stretches of equal length, whose labels are counted apart. 1 does not see the order of labels; T
  /// sees the whole of q, for sequences of one length.
  Index stretches = 1;
  /// Scale of A at the start, > 0: units differ most over shares of 1 / scale.
  double scale = 8;
  std::uint64_t seed = 1;
};

/// Two layers over the shares of labels. Evaluations and pull-backs cost O(T K + H G K).
class THALWEG_EXPORT ShareNetwork : public GlobalEnergy {
 public:
  /// Starts at A random, w 0.01 times normal, and b such that A_h' s + b_h is 0 somewhere among the s that
  /// labellings have. @throws OptionError for labels < 1 or options out of range
  explicit ShareNetwork(Index labels, const ShareNetworkOptions& options = {});

  Index labels() const override { return labels_; }
  double evaluate(Table<const double> q, Table<double> gradient) const override;
  void pull_back(Table<const double> q, Table<const double> v, Table<double> to_q,
                 std::span<double> to_weights) const override;

 private:
  Index inputs() const { return stretches_ * labels_; }
  Index stretch(Index t, Index positions) const { return t * stretches_ / positions; }
  std::vector<double> pooled(Table<const double> x) const;
  void spread(const std::vector<double>& from, double factor, Table<double> to) const;

  Index labels_, hidden_, stretches_;  // weights_: A [H x G K], b [H], w [H]
};

/// u and a global energy for the minimisers of relaxed energies; a view of both, which must outlive it.
/// `+infinity` in u [T x K] forbids.
class THALWEG_EXPORT RelaxedSum : public RelaxedEnergy {
 public:
  /// @pre u has net.labels() columns
  RelaxedSum(Table<const double> u, const GlobalEnergy& net);
  double evaluate(std::span<const double> q, std::span<double> gradient) const override;

 private:
  Table<const double> u_;
  const GlobalEnergy& net_;
};

}  // namespace thalweg
