/// @file
/// Blocked Gibbs sampling: whole chains of variables of a factor graph drawn at once, exactly, given the rest
/// (Jensen, Kong and Kjaerulff 1995). Where a sequence has a few long edges, one chain through it mixes in
/// a handful of updates that single-site sampling needs thousands for.
///
///     const std::uint32_t evens[] = {0, 2, 4}, odds[] = {1, 3};
///     BlockedGibbs<double> gibbs(topology, {{evens}, {odds}});
///     gibbs.start(graph, beta);
///     for (int n = 0; n < 100; ++n) gibbs.step(rng, y);
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/random.h"
#include "thalweg/energy/factor_graph.h"
#include "thalweg/inference/couplings.h"
#include "thalweg/inference/sum_product.h"

namespace thalweg {

/// One per thread. Blocks of variables of different numbers of states are padded to the largest.
template <class R>
class THALWEG_EXPORT BlockedGibbs {
 public:
  using Block = std::span<const std::uint32_t>;

  /// `blocks` hold every variable once, each block in the order of its chain: given the rest, a factor may
  /// couple a variable of a block with the one before it and no others. The topology must outlive this.
  /// @throws InputError that names the block and what is wrong with it
  BlockedGibbs(const FactorTopology& topology, std::span<const Block> blocks);

  /// Takes the energies, whose arrays must outlive the steps, and beta. To be called again when either
  /// changes. Couplings no other block has a say in are prepared here, once. O(cells of their factors).
  /// @throws OptionError unless beta is finite and > 0, as an R
  void start(const FactorGraph<R>& graph, double beta);

  Index blocks() const { return static_cast<Index>(blocks_.size()); }
  /// Draws block b given the rest. O(n K^2) for a block of n variables.
  /// @pre y is an answer of finite energy
  void update(Index b, Rng& rng, std::span<Label> y);
  /// A block chosen uniformly. Satisfies detailed balance.
  void step(Rng& rng, std::span<Label> y);
  /// Every block once, in order: stationary, but not reversible.
  void systematic_sweep(Rng& rng, std::span<Label> y);

 private:
  // A factor's part in a block: it touches the variable at `at`, in steps of `stride`, and, a pair, the one
  // after it in steps of `next_stride`.
  struct Term {
    std::uint32_t factor, at;
    Index stride, next_stride;
  };
  struct Plan {
    std::vector<std::uint32_t> variables;
    std::vector<Term> sites, pairs;    // pairs: those that fill a row, by position
    std::vector<std::uint32_t> which;  // [n - 1] the row of `pairwise`
    Index states = 0, rows = 0;        // the most of one variable; distinct tables
    bool fixed = true;                 // no factor of a pair reaches out of the block
    TableBuffer<R> pairwise;
    Couplings<R> couplings;
  };

  void plan(Index b, Block block, std::span<const std::uint32_t> block_of, std::span<const std::uint32_t> at);
  void number_tables(Plan& plan) const;
  const R* outside(const Term& term, std::span<const Label> y, std::span<const std::uint32_t> inside) const;
  void couple(Plan& plan, std::span<const Label> y);

  const FactorTopology* topology_;
  FactorGraph<R> graph_;
  double beta_ = 1;
  std::vector<Plan> blocks_;
  std::vector<std::uint32_t> block_of_;
  TableBuffer<R> unary_;
  std::vector<Label> drawn_;
  SumProduct<R> sums_;
};

}  // namespace thalweg
