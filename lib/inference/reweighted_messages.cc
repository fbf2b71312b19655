#include "thalweg/inference/reweighted_messages.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/require.h"
#include "inference/chain_kernels.h"
#include "thalweg/inference/local_search.h"

namespace thalweg {
namespace {

// What a factor gave or was given where it is infinite: the state is forbidden, now and for ever.
template <class R>
bool forbids(R message) {
  return std::abs(message) == kInfinity<R>;
}

// Calls visit(cell, states of the scope) for every cell of a table, the last variable fastest.
template <class Visit>
void each_cell(const FactorTopology& topology, Index f, const Visit& visit) {
  const auto scope = topology.scope(f);
  std::vector<Index> y(scope.size(), 0);
  for (Index cell = 0; cell < topology.cells(f); ++cell) {
    visit(cell, std::span<const Index>(y));
    for (std::size_t i = y.size(); i-- > 0;) {
      if (++y[i] < topology.states(scope[i])) break;
      y[i] = 0;
    }
  }
}

}  // namespace

template <class R>
ReweightedMessages<R>::ReweightedMessages(const FactorGraph<R>& graph) : graph_(graph) {
  check(graph);
  const FactorTopology& topology = *graph.topology;
  Index messages = 0, most = 1;
  std::vector<Index> at;  // of each entry of each factor
  for (Index f = 0; f < topology.factors(); ++f) {
    message_.push_back(messages);
    for (const std::uint32_t v : topology.scope(f)) messages += topology.states(v);
  }
  messages_.assign(static_cast<std::size_t>(messages), R(0));
  offsets_.assign(1, 0);
  for (Index v = 0; v < topology.variables(); ++v) {
    most = std::max(most, topology.states(v));
    for (const auto& place : topology.factors_of(v)) {
      const auto scope = topology.scope(place.factor);
      Index message = message_[place.factor];
      for (std::uint32_t i = 0; i < place.slot; ++i) message += topology.states(scope[i]);
      const auto [low, high] = std::minmax_element(scope.begin(), scope.end());
      const auto self = static_cast<std::uint32_t>(v);
      places_.push_back({place.factor, place.slot, message, self == *low, self == *high});
      if (scope.size() == 1) {  // all that it has to say, once
        std::copy_n(graph.tables.begin() + topology.begin(place.factor), topology.states(v),
                    messages_.begin() + message);
      }
    }
    offsets_.push_back(std::ssize(places_));
  }

  const auto& kernels = detail::chain_kernels<R>();
  const Index width = kernels.stride(most);
  sum_.resize(static_cast<std::size_t>(width)), row_ = negated_ = sum_;
  oriented_.assign(static_cast<std::size_t>(2 * topology.tables()), -1);
  for (Index f = 0; f < topology.factors(); ++f) {
    const auto scope = topology.scope(f);
    Index* const oriented = oriented_.data() + 2 * topology.table_of(f);
    if (scope.size() != 2 || oriented[0] >= 0) continue;
    const Index rows = topology.states(scope[0]), columns = topology.states(scope[1]);
    const R* const table = graph.tables.data() + topology.begin(f);
    for (const bool transposed : {false, true}) {
      const Index K = transposed ? rows : columns, S = kernels.stride(K);
      oriented[transposed] = std::ssize(pairs_);
      pairs_.resize(pairs_.size() + static_cast<std::size_t>((transposed ? columns : rows) * S),
                    kInfinity<R>);
      R* const out = pairs_.data() + oriented[transposed];
      for (Index i = 0; i < rows; ++i) {
        for (Index j = 0; j < columns; ++j) out[transposed ? j * S + i : i * S + j] = table[i * columns + j];
      }
    }
  }
}

template <class R>
auto ReweightedMessages<R>::places(Index v) const -> std::span<const Place> {
  return std::span(places_).subspan(offsets_[v], offsets_[v + 1] - offsets_[v]);
}

// min over the others of the factor's table less their messages, for each state of the variable at `slot`.
template <class R>
void ReweightedMessages<R>::collect(const Place& place, R* out) {
  const auto scope = graph_.topology->scope(place.factor);
  scope.size() == 2 ? collect_pair(place.factor, place.slot, out)
                    : collect_any(place.factor, place.slot, out);
}

template <class R>
void ReweightedMessages<R>::collect_pair(Index f, Index slot, R* out) {
  const auto scope = graph_.topology->scope(f);
  const auto& kernels = detail::chain_kernels<R>();
  const Index other = graph_.topology->states(scope[1 - slot]), K = graph_.topology->states(scope[slot]);
  const R* const given = messages_.data() + message_[f] + (slot == 0 ? graph_.topology->states(scope[0]) : 0);
  for (Index i = 0; i < other; ++i) negated_[i] = forbids(given[i]) ? kInfinity<R> : -given[i];
  // Rows are the other's states: as the table stands for the second variable, transposed for the first.
  const R* const table = pairs_.data() + oriented_[2 * graph_.topology->table_of(f) + (slot == 0)];
  kernels.min_product(negated_.data(), table, other, K, kernels.stride(K), row_.data());
  std::copy_n(row_.data(), K, out);
}

template <class R>
void ReweightedMessages<R>::collect_any(Index f, Index slot, R* out) {
  const FactorTopology& topology = *graph_.topology;
  const auto scope = topology.scope(f);
  const R* const table = graph_.tables.data() + topology.begin(f);
  std::fill_n(out, topology.states(scope[slot]), kInfinity<R>);
  each_cell(topology, f, [&](Index cell, std::span<const Index> y) {
    R e = table[cell];
    const R* given = messages_.data() + message_[f];
    for (std::size_t i = 0; i < y.size(); given += topology.states(scope[i++])) {
      if (static_cast<Index>(i) == slot) continue;
      e = forbids(given[y[i]]) ? kInfinity<R> : e - given[y[i]];
    }
    out[y[slot]] = std::min(out[y[slot]], e);
  });
}

// Returns the least of what v has once its earlier factors have told it all; that much stays with v.
template <class R>
double ReweightedMessages<R>::visit(Index v, Direction direction) {
  const bool forward = direction == Direction::Forward;
  const Index K = graph_.topology->states(v);
  const R* const unary = graph_.unary.data() + graph_.topology->first(v);
  std::copy_n(unary, K, sum_.data());
  Index in = 0, out = 0;
  for (const Place& place : places(v)) {
    R* const message = messages_.data() + place.message;
    const bool gives = forward ? !place.first : !place.last, takes = forward ? !place.last : !place.first;
    in += gives, out += takes;
    if (gives) collect(place, message);
    for (Index l = 0; l < K; ++l) sum_[l] += message[l];
  }
  const R low = *std::min_element(sum_.data(), sum_.data() + K);
  if (!(low < kInfinity<R>) || out == 0) return static_cast<double>(low);
  const R share = R(1) / static_cast<R>(std::max(in, out));
  for (Index l = 0; l < K; ++l) sum_[l] = share * (sum_[l] - low);
  for (const Place& place : places(v)) {
    if (!(forward ? !place.last : !place.first)) continue;
    R* const message = messages_.data() + place.message;
    // A forbidden state has given or been given +infinity: either way it stays so.
    for (Index l = 0; l < K; ++l) message[l] = sum_[l] < kInfinity<R> ? message[l] - sum_[l] : kInfinity<R>;
  }
  return static_cast<double>(low);
}

template <class R>
double ReweightedMessages<R>::sweep(Direction direction) {
  const Index V = graph_.topology->variables();
  double bound = 0;
  for (Index i = 0; i < V; ++i) bound += visit(direction == Direction::Forward ? i : V - 1 - i, direction);
  return bound;
}

template <class R>
double ReweightedMessages<R>::pass() {
  sweep(Direction::Forward);
  return sweep(Direction::Backward);
}

template <class R>
std::span<const R> ReweightedMessages<R>::belief(Index v) const {
  const Index K = graph_.topology->states(v);
  const auto unary =
      graph_.unary.subspan(static_cast<std::size_t>(graph_.topology->first(v)), static_cast<std::size_t>(K));
  belief_.assign(unary.begin(), unary.end());
  for (const Place& place : places(v)) {
    for (Index l = 0; l < K; ++l) {
      const R message = messages_[place.message + l];
      belief_[l] = forbids(message) ? kInfinity<R> : belief_[l] + message;
    }
  }
  return belief_;
}

template <class R>
double ReweightedMessages<R>::lower_bound() const {
  const FactorTopology& topology = *graph_.topology;
  double bound = 0;
  for (Index v = 0; v < topology.variables(); ++v) {
    double low = kInfinity<double>;
    for (Index l = 0; l < topology.states(v); ++l) {
      double e = static_cast<double>(graph_.unary[topology.first(v) + l]);
      for (const Place& place : places(v)) {
        const R message = messages_[place.message + l];
        e = forbids(message) ? kInfinity<double> : e + static_cast<double>(message);
      }
      low = std::min(low, e);
    }
    bound += low;
  }
  for (Index f = 0; f < topology.factors(); ++f) {
    const auto scope = topology.scope(f);
    if (scope.size() == 1) continue;  // it gave all that it has
    double low = kInfinity<double>;
    each_cell(topology, f, [&](Index cell, std::span<const Index> y) {
      double e = static_cast<double>(graph_.tables[topology.begin(f) + cell]);
      const R* given = messages_.data() + message_[f];
      for (std::size_t i = 0; i < y.size(); given += topology.states(scope[i++]))
        e = forbids(given[y[i]]) ? kInfinity<double> : e - static_cast<double>(given[y[i]]);
      low = std::min(low, e);
    });
    bound += low;
  }
  return bound;
}

template <class R>
void ReweightedMessages<R>::decode(std::span<Label> y) const {
  const FactorTopology& topology = *graph_.topology;
  std::vector<double> sum;
  for (Index v = 0; v < topology.variables(); ++v) {
    const Index K = topology.states(v);
    sum.assign(graph_.unary.begin() + topology.first(v), graph_.unary.begin() + topology.first(v) + K);
    for (const Place& place : places(v)) {
      const auto scope = topology.scope(place.factor);
      const bool all_before = std::all_of(scope.begin(), scope.end(),
                                          [&](std::uint32_t u) { return static_cast<Index>(u) <= v; });
      const R* cells = messages_.data() + place.message;
      Index step = 1;
      if (all_before) {  // the others are known: the factor itself, not what it says at best
        const auto strides = topology.strides(place.factor);
        cells = graph_.tables.data() + topology.begin(place.factor);
        step = strides[place.slot];
        for (std::size_t i = 0; i < scope.size(); ++i) {
          if (i != place.slot) cells += strides[i] * static_cast<Index>(y[scope[i]]);
        }
      }
      for (Index l = 0; l < K; ++l)
        sum[l] += static_cast<double>(forbids(cells[l * step]) ? kInfinity<R> : cells[l * step]);
    }
    y[v] = static_cast<Label>(std::min_element(sum.begin(), sum.end()) - sum.begin());
  }
}

template <class R>
Minimum ReweightedMessages<R>::minimize(const ReweightedOptions& options, const Callback& callback) {
  require(options.passes >= 1, "passes", options.passes, ">= 1");
  require(options.tolerance >= 0, "tolerance", options.tolerance, ">= 0");
  const auto start = std::chrono::steady_clock::now();
  LocalSearch<FactorGraph<R>> search;
  Minimum best;
  best.guarantee = Guarantee::Bounded;
  std::vector<Label> y(static_cast<std::size_t>(graph_.topology->variables()));
  double before = -kInfinity<double>;
  for (Index passes = 1; passes <= options.passes; ++passes) {
    sweep(Direction::Forward);
    const double bound = sweep(Direction::Backward);
    if (!(bound < kInfinity<double>)) {
      best = {};  // infeasible, and proved so
      return best;
    }
    decode(y);
    if (const double e = search.settle(graph_, y); e < best.energy) best.energy = e, best.labels = y;
    const double scale = options.tolerance * (1 + std::abs(bound));
    if (callback && !callback({passes, bound, best.energy})) break;
    if (best.energy - bound <= scale || bound - before <= scale / 100) break;
    before = bound;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (spent.count() >= options.seconds) break;
  }
  best.lower_bound = lower_bound();
  if (best.lower_bound >= best.energy) best.lower_bound = best.energy, best.guarantee = Guarantee::Exact;
  return best;
}

template class ReweightedMessages<float>;
template class ReweightedMessages<double>;

}  // namespace thalweg
