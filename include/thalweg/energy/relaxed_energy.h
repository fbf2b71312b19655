/// @file
/// `RelaxedEnergy`: an energy over continuous labellings, for gradient descent on y. Every variable v has a
/// point q_v of a simplex in place of a label, and a labelling is a vertex of all simplices:
///
///     E(q),     q_v[l] >= 0,     sum_l q_v[l] = 1
///
/// For chains and factor graphs E(q) is the multilinear extension, the expected energy of independent labels
/// drawn from q; of a chain
///
///     E(q) = sum_t q_t' u_t + sum_t q_t' P_t q_{t+1},        dE/dq_t = u_t + P_t q_{t+1} + P_{t-1}' q_{t-1}
///
/// It is linear in each q_v, so its minimum over the simplices is that over labellings. An energy of your
/// own, a network over the whole of q, say, overrides `evaluate` (structured prediction energy networks,
/// Belanger and McCallum 2016; energy/global_energy.h has one). inference/relaxed_descent.h minimises all of
/// them.
///
///     RelaxedChain<float> relaxed(chain);
///     std::vector<double> q(relaxed.cells(), 1.0 / chain.labels()), gradient(q.size());
///     double e = relaxed.evaluate(q, gradient);
///
/// Forbidden labels are masked: their q is 0, always, and their gradient +infinity. A forbidden combination
/// of labels cannot be masked where all its labels are allowed elsewhere; it costs a finite penalty, larger
/// than all other energies together can make good, so that minima forbid it as before.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/energy/factor_graph.h"

namespace thalweg {

class THALWEG_EXPORT RelaxedEnergy {
 public:
  virtual ~RelaxedEnergy() = default;

  Index variables() const { return static_cast<Index>(first_.size()) - 1; }
  Index cells() const { return first_.back(); }
  Index first(Index v) const { return first_[v]; }  ///< where the simplex of v begins in q
  Index states(Index v) const { return first_[v + 1] - first_[v]; }
  /// Whether label l of v may have a q above 0, at [first(v) + l].
  std::span<const std::uint8_t> allowed() const { return allowed_; }

  /// E(q), and dE/dq in `gradient` [cells]; +infinity where masked. @pre q is feasible and 0 where masked
  virtual double evaluate(std::span<const double> q, std::span<double> gradient) const = 0;
  /// out[l] = E(q with q_v at vertex l) + a constant, for every l of v; +infinity where masked. q_v itself is
  /// not read. As written here it costs an evaluation a label.
  virtual void vertex_energies(std::span<const double> q, Index v, std::span<double> out) const;
  /// Whether E is linear in each q_v: then moving q_v to its lowest vertex never raises E.
  virtual bool multilinear() const { return false; }

 protected:
  /// Simplices of the sizes first[v + 1] - first[v], with everything allowed.
  void shape(std::span<const Index> first);

  std::vector<Index> first_{0};        // [V + 1]
  std::vector<std::uint8_t> allowed_;  // [cells]
};

/// A view of the chain's tables, which must outlive it.
template <class R>
class THALWEG_EXPORT RelaxedChain : public RelaxedEnergy {
 public:
  /// O(T K^2), for the penalty. @throws OptionError where the chain has histories: a factor graph with wider
  /// scopes relaxes such energies
  explicit RelaxedChain(const Chain<R>& chain) { assign(chain); }
  /// Another chain, in the memory of the last one.
  void assign(const Chain<R>& chain);

  double evaluate(std::span<const double> q, std::span<double> gradient) const override;  ///< O(T K^2)
  void vertex_energies(std::span<const double> q, Index v,
                       std::span<double> out) const override;  ///< O(K) a nonzero of the neighbours' q
  bool multilinear() const override { return true; }

 private:
  Chain<R> chain_;
  R cap_ = 0;  // what a forbidden pair costs; no energy is dearer
};

/// A view of the graph, which must outlive it.
template <class R>
class THALWEG_EXPORT RelaxedGraph : public RelaxedEnergy {
 public:
  /// O(unary and table cells).
  explicit RelaxedGraph(const FactorGraph<R>& graph);

  double evaluate(std::span<const double> q,
                  std::span<double> gradient) const override;  ///< O(cells of all factors, times their arity)
  void vertex_energies(std::span<const double> q, Index v, std::span<double> out) const override;
  bool multilinear() const override { return true; }

 private:
  void contract(std::span<const double> q, Index factor, std::size_t slot, std::span<double> out) const;

  FactorGraph<R> graph_;
  R cap_ = 0;
};

}  // namespace thalweg
