/// @file
/// What a margin solver asks of a model: n blocks, each a right answer y_i among many, and energies that are
/// linear in w,
///
///     E(x_i, y; w) = -w . phi(x_i, y),      psi_i(y) = phi(x_i, y_i) - phi(x_i, y),
///
///     P(w) = lambda/2 |w|^2 + sum_i c_i max_y [ Delta_i(y) - w . psi_i(y) ]
///
/// An answer y is a *plane* below the loss of its block: slope psi_i(y), height Delta_i(y). Planes are kept
/// as answers and never as vectors: with the tables of a block at hand an answer is priced in a few
/// additions, where its psi has hundreds of entries. Any structure with `minimize_augmented` fits: chains are
/// in learning/chain_margins.h.
///
/// Every worker has weights of its own and is used by one thread at a time; the problem is shared and const.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// A wrong answer as the oracle of a block finds it.
struct Offence {
  double value = 0;  ///< Delta(y) - w . psi(y), at most the block's loss
  double bound = 0;  ///< the block's loss is no more than this; an exact minimiser's is `value`
  double cost = 0;   ///< Delta(y)
};

/// The sign that a weight must keep.
enum class Sign : std::int8_t { Negative = -1, Free = 0, Positive = 1 };

/// 0 where v has the wrong sign, else v.
inline double clipped(double v, Sign sign) {
  const bool wrong = (sign == Sign::Positive && v < 0) || (sign == Sign::Negative && v > 0);
  return wrong ? 0 : v;
}

/// Weights, and the energies of one block after another at them. The weights are a sum v of slopes, and w =
/// scale * clip(v), where clip sets to 0 what has the wrong sign.
class THALWEG_EXPORT MarginWorker {
 public:
  /// @param signs [D], or empty: all are free
  MarginWorker(Index parameters, std::span<const Sign> signs);
  virtual ~MarginWorker() = default;

  /// Brings the tables of a block up to date: what the next three speak of.
  virtual void visit(Index block) = 0;
  /// A minimiser of E(y) - Delta(y), written to `y`. @throws InputError where an energy is not finite
  virtual Offence most_offending(std::span<Label> y) = 0;
  /// values[k] = w . psi(y_k) = E(y_k) - E(right), for answers [m x parts].
  virtual void margins(Table<const Label> answers, std::span<double> values) = 0;
  /// products[k] = psi(y) . psi(y_k), whatever the weights are.
  virtual void products(std::span<const Label> y, Table<const Label> answers, std::span<double> products) = 0;
  /// v += sum_k by[k] psi_block(y_k), at the cost of what changes.
  virtual void move(Index block, Table<const Label> answers, std::span<const double> by) = 0;
  /// `sums()` has been written from outside: w follows. O(D)
  virtual void refresh() = 0;

  std::span<double> sums() { return sums_; }  ///< v [D], to be written before `refresh`
  std::span<const double> sums() const { return sums_; }
  /// clip(v_f)
  double clipped(Index f) const {
    const double v = sums_[static_cast<std::size_t>(f)];
    return signs_.empty() ? v : thalweg::clipped(v, signs_[static_cast<std::size_t>(f)]);
  }
  double squared_norm() const;  ///< |clip(v)|^2, O(D)
  double scale() const { return scale_; }
  void set_scale(double scale) { scale_ = scale; }  ///< > 0, O(1)

 protected:
  bool has_signs() const { return !signs_.empty(); }
  double& sum(Index f) { return sums_[static_cast<std::size_t>(f)]; }

 private:
  std::vector<double> sums_;
  std::vector<Sign> signs_;
  double scale_ = 1;
};

class THALWEG_EXPORT MarginProblem {
 public:
  virtual ~MarginProblem() = default;

  virtual Index blocks() const = 0;      ///< n
  virtual Index parameters() const = 0;  ///< D
  /// c_i up to a factor: solvers divide by their sum, so that weights of 1 give c_i = 1/n.
  virtual double weight(Index block) const = 0;
  virtual std::span<const Label> right(Index block) const = 0;
  /// A worker at w = 0. @param signs as MarginWorker
  virtual std::unique_ptr<MarginWorker> worker(std::span<const Sign> signs) const = 0;
};

}  // namespace thalweg
