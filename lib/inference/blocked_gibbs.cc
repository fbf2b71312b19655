#include "thalweg/inference/blocked_gibbs.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "energy/check_energies.h"
#include "thalweg/core/error.h"

namespace thalweg {
namespace {

constexpr std::uint32_t kNone = ~std::uint32_t{0};

[[noreturn]] void refuse(Index block, const std::string& problem, const char* mend) {
  throw InputError("block " + std::to_string(block), problem, mend);
}

}  // namespace

template <class R>
BlockedGibbs<R>::BlockedGibbs(const FactorTopology& topology, std::span<const Block> blocks)
    : topology_(&topology), block_of_(static_cast<std::size_t>(topology.variables()), kNone) {
  std::vector<std::uint32_t> at(block_of_.size());
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    for (std::size_t i = 0; i < blocks[b].size(); ++i) {
      const std::uint32_t v = blocks[b][i];
      const auto number = static_cast<Index>(b);
      if (v >= block_of_.size())
        refuse(number, "names variable " + std::to_string(v) + " of " + std::to_string(block_of_.size()),
               "variables count from 0");
      if (block_of_[v] != kNone)
        refuse(number,
               "names variable " + std::to_string(v) + ", which is in block " + std::to_string(block_of_[v]),
               "give every variable one block");
      block_of_[v] = static_cast<std::uint32_t>(b), at[v] = static_cast<std::uint32_t>(i);
    }
  }
  const auto left_out = std::find(block_of_.begin(), block_of_.end(), kNone) - block_of_.begin();
  if (left_out < topology.variables())
    throw InputError("blocks", "leave out variable " + std::to_string(left_out),
                     "give every variable one block");
  blocks_.resize(blocks.size());
  for (std::size_t b = 0; b < blocks.size(); ++b) plan(static_cast<Index>(b), blocks[b], block_of_, at);
}

template <class R>
void BlockedGibbs<R>::plan(Index b, Block block, std::span<const std::uint32_t> block_of,
                           std::span<const std::uint32_t> at) {
  Plan& p = blocks_[b];
  p.variables.assign(block.begin(), block.end());
  for (const std::uint32_t v : block) {
    p.states = std::max(p.states, topology_->states(v));
    for (const auto& place : topology_->factors_of(v)) {
      const auto scope = topology_->scope(place.factor);
      const auto strides = topology_->strides(place.factor);
      Index others = 0, next_stride = -1;
      for (std::size_t i = 0; i < scope.size(); ++i) {
        if (i == place.slot || block_of[scope[i]] != block_of[v]) continue;
        ++others;
        if (at[scope[i]] == at[v] + 1) next_stride = strides[i];
        if (others > 1 || (at[scope[i]] != at[v] + 1 && at[v] != at[scope[i]] + 1))
          refuse(b, "factor " + std::to_string(place.factor) + " couples more than neighbours of it",
                 "split the block, or order it as its chain runs");
      }
      if (others == 0) p.sites.push_back({place.factor, at[v], place.stride, 0});
      if (next_stride < 0) continue;
      p.pairs.push_back({place.factor, at[v], place.stride, next_stride});
      p.fixed &= scope.size() == 2;
    }
  }
  number_tables(p);
}

// Positions coupled by one factor of one shared table, the same way round, share a row, and only the first of
// them keeps the term that fills it.
template <class R>
void BlockedGibbs<R>::number_tables(Plan& p) const {
  const std::size_t n = p.variables.size();
  std::vector<std::vector<Term>> at(n);
  for (const Term& term : p.pairs) at[term.at].push_back(term);
  p.pairs.clear();
  std::map<std::array<Index, 5>, std::uint32_t> shared;
  for (std::size_t t = 0; t + 1 < n; ++t) {
    std::uint32_t row = static_cast<std::uint32_t>(p.rows);
    if (p.fixed && at[t].size() == 1) {
      const Term& term = at[t][0];
      row = shared
                .emplace(std::array{topology_->table_of(term.factor), term.stride, term.next_stride,
                                    topology_->states(p.variables[t]), topology_->states(p.variables[t + 1])},
                         row)
                .first->second;
    }
    p.which.push_back(row);
    if (row < static_cast<std::uint32_t>(p.rows)) continue;
    ++p.rows;
    p.pairs.insert(p.pairs.end(), at[t].begin(), at[t].end());
  }
}

// The row of a term's table that what lies outside of the block chooses.
template <class R>
const R* BlockedGibbs<R>::outside(const Term& term, std::span<const Label> y,
                                  std::span<const std::uint32_t> inside) const {
  const auto scope = topology_->scope(term.factor);
  const auto strides = topology_->strides(term.factor);
  const R* row = graph_.tables.data() + topology_->begin(term.factor);
  for (std::size_t i = 0; i < scope.size(); ++i) {
    if (block_of_[scope[i]] != block_of_[inside[term.at]])
      row += strides[i] * static_cast<Index>(y[scope[i]]);
  }
  return row;
}

template <class R>
void BlockedGibbs<R>::couple(Plan& p, std::span<const Label> y) {
  const Index K = p.states;
  p.pairwise.resize(p.rows, K * K);
  for (const Term& term : p.pairs) {
    const std::uint32_t row = p.which[term.at];
    const R* from = outside(term, y, p.variables);
    const Index rows = topology_->states(p.variables[term.at]),
                columns = topology_->states(p.variables[term.at + 1]);
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < columns; ++j)
        p.pairwise[row][i * K + j] += from[i * term.stride + j * term.next_stride];
    }
  }
  p.couplings.prepare_sums(p.pairwise, K, static_cast<R>(beta_));
}

template <class R>
void BlockedGibbs<R>::start(const FactorGraph<R>& graph, double beta) {
  detail::check_beta<R>(beta);
  graph_ = graph, beta_ = beta;
  for (Plan& p : blocks_) {
    if (p.fixed) couple(p, {});
  }
}

template <class R>
void BlockedGibbs<R>::update(Index b, Rng& rng, std::span<Label> y) {
  Plan& p = blocks_[static_cast<std::size_t>(b)];
  const auto n = static_cast<Index>(p.variables.size());
  if (n == 0) return;
  unary_.resize(n, p.states, kInfinity<R>);
  for (Index t = 0; t < n; ++t) {
    const std::uint32_t v = p.variables[t];
    std::copy_n(&graph_.unary[topology_->first(v)], topology_->states(v), unary_[t]);
  }
  for (const Term& term : p.sites) {
    const R* row = outside(term, y, p.variables);
    for (Index l = 0; l < topology_->states(p.variables[term.at]); ++l)
      unary_[term.at][l] += row[l * term.stride];
  }
  if (!p.fixed) couple(p, y);
  const Chain<R> chain{unary_.view(), p.pairwise.view(), p.which};
  sums_.forward(chain, p.couplings);
  drawn_.resize(p.variables.size());
  sums_.sample(rng, drawn_);
  for (Index t = 0; t < n; ++t) y[p.variables[t]] = drawn_[t];
}

template <class R>
void BlockedGibbs<R>::step(Rng& rng, std::span<Label> y) {
  if (!blocks_.empty()) update(static_cast<Index>(rng.below(blocks_.size())), rng, y);
}

template <class R>
void BlockedGibbs<R>::systematic_sweep(Rng& rng, std::span<Label> y) {
  for (Index b = 0; b < blocks(); ++b) update(b, rng, y);
}

template class BlockedGibbs<float>;
template class BlockedGibbs<double>;

}  // namespace thalweg
