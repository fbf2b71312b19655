#include "thalweg/inference/elimination.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "energy/check_energies.h"
#include "thalweg/core/error.h"

namespace thalweg {
namespace {

constexpr Index kConstant = -1;  // the bucket of a message over nothing

// A table over some variables, row-major, the last fastest. `factor` is -1 for messages.
struct Piece {
  std::vector<std::uint32_t> scope;
  const double* cells;
  Index factor;
};

// A variable, what it meets as it leaves, and the message over its neighbours that is left of it.
struct Bucket {
  std::uint32_t variable;
  std::vector<std::uint32_t> near;  // in the order in which they leave
  std::vector<Index> pieces, children;
  Index parent = kConstant;
  std::vector<double> message, down;  // [cells of near]
  double whole = 0;                   // of its component, known once beliefs have come down to it
};

class Elimination {
 public:
  enum class Kind { Minimum, Sum };

  // Energies in double, those of sums times beta.
  template <class R>
  Elimination(const FactorGraph<R>& graph, const EliminationOrder& order, Kind kind, double scale)
      : topology_(*graph.topology),
        kind_(kind),
        unary_(scaled(graph.unary, scale)),
        tables_(scaled(graph.tables, scale)) {
    place(order);
    for (Bucket& bucket : buckets_) send(bucket);
  }

  // Of all together: the lowest energy, or -log sum exp(-E).
  double value() const { return constant_; }

  std::vector<Label> labels() const;
  // Calls visit(bucket, cell of near, beliefs [states]) for all buckets, last first: energies of the clique
  // with all of the graph outside of it minimised or summed out, within its component.
  template <class Visit>
  void each_belief(const Visit& visit);

  const FactorTopology& topology() const { return topology_; }
  const std::vector<Piece>& pieces() const { return pieces_; }

 private:
  template <class R>
  static std::vector<double> scaled(std::span<const R> energies, double scale) {
    std::vector<double> out(energies.begin(), energies.end());
    if (scale != 1) std::for_each(out.begin(), out.end(), [&](double& e) { e *= scale; });
    return out;
  }

  void place(const EliminationOrder& order);
  void add(Piece piece);
  void send(Bucket& bucket);
  void receive(Bucket& bucket);
  double reduce(std::span<const double> energies) const;
  template <class Visit>
  void each_cell(const Bucket& bucket, const Visit& visit) const;

  const FactorTopology& topology_;
  Kind kind_;
  std::vector<double> unary_, tables_;
  std::vector<Index> time_;  // [V] when a variable leaves
  std::vector<Bucket> buckets_;
  std::vector<Piece> pieces_;
  double constant_ = 0;
};

Index cells_of(const FactorTopology& topology, std::span<const std::uint32_t> scope) {
  Index cells = 1;
  for (const std::uint32_t v : scope) cells *= topology.states(v);
  return cells;
}

// How far apart the states of `variable` lie in a table over `scope`; 0 where it is not in it.
Index stride_in(const FactorTopology& topology, std::span<const std::uint32_t> scope,
                std::uint32_t variable) {
  Index stride = 1;
  for (std::size_t i = scope.size(); i-- > 0; stride *= topology.states(scope[i])) {
    if (scope[i] == variable) return stride;
  }
  return 0;
}

void Elimination::add(Piece piece) {
  const auto first = std::min_element(piece.scope.begin(), piece.scope.end(),
                                      [&](auto a, auto b) { return time_[a] < time_[b]; });
  buckets_[time_[*first]].pieces.push_back(std::ssize(pieces_));
  pieces_.push_back(std::move(piece));
}

void Elimination::place(const EliminationOrder& order) {
  time_.resize(static_cast<std::size_t>(topology_.variables()));
  for (const std::uint32_t v : order.variables()) {
    time_[v] = std::ssize(buckets_);
    buckets_.emplace_back().variable = v;
  }
  for (Index v = 0; v < topology_.variables(); ++v)
    add({{static_cast<std::uint32_t>(v)}, unary_.data() + topology_.first(v), -1});
  for (Index f = 0; f < topology_.factors(); ++f) {
    const auto scope = topology_.scope(f);
    add({{scope.begin(), scope.end()}, tables_.data() + topology_.begin(f), f});
  }
}

double Elimination::reduce(std::span<const double> energies) const {
  const double low = *std::min_element(energies.begin(), energies.end());
  if (kind_ == Kind::Minimum || !(low < kInfinity<double>)) return low;
  double sum = 0;
  for (const double e : energies) sum += std::exp(low - e);
  return low - std::log(sum);
}

// Calls visit(cell, energies [states of the variable]) for every cell of the bucket's neighbours. A piece is
// added where the last neighbour that it knows changes, so that small ones are added seldom.
template <class Visit>
void Elimination::each_cell(const Bucket& bucket, const Visit& visit) const {
  struct At {
    const double* cells;
    Index step;                  // between states of the bucket's variable
    std::vector<Index> strides;  // of its neighbours
  };
  const std::size_t n = bucket.near.size();
  std::vector<std::vector<At>> levels(n + 1);  // by the number of neighbours up to the last that it knows
  for (const Index p : bucket.pieces) {
    const Piece& piece = pieces_[p];
    At at{piece.cells, stride_in(topology_, piece.scope, bucket.variable), {}};
    std::size_t level = 0;
    for (std::size_t i = 0; i < n; ++i) {
      at.strides.push_back(stride_in(topology_, piece.scope, bucket.near[i]));
      if (at.strides.back() != 0) level = i + 1;
    }
    levels[level].push_back(std::move(at));
  }
  const auto K = static_cast<std::size_t>(topology_.states(bucket.variable));
  const Index cells = cells_of(topology_, bucket.near);
  std::vector<double> sums((n + 2) * K, 0.0);
  std::vector<const double*> rows(n + 2, sums.data());  // l + 1: the sum of the pieces of levels up to l
  const auto add = [&](std::size_t level) {
    const double* before = rows[level];
    rows[level + 1] = before;
    for (const At& at : levels[level]) {
      double* const now = sums.data() + (level + 1) * K;
      for (std::size_t k = 0; k < K; ++k) now[k] = before[k] + at.cells[static_cast<Index>(k) * at.step];
      rows[level + 1] = before = now;
    }
  };
  for (std::size_t level = 0; level <= n; ++level) add(level);
  std::vector<Index> y(n, 0);
  std::vector<double> energies(K);
  for (Index cell = 0;;) {
    for (std::size_t k = 0; k < K; ++k) energies[k] = rows[n + 1][k];
    visit(cell, std::span<double>(energies));
    if (++cell == cells) return;
    std::size_t changed = n;  // the next cell: the last neighbour is fastest
    for (;;) {
      const std::size_t i = changed - 1;
      const bool carry = ++y[i] == topology_.states(bucket.near[i]);
      const Index move = carry ? 1 - y[i] : 1;
      for (std::size_t level = changed; level <= n; ++level) {
        for (At& at : levels[level]) at.cells += move * at.strides[i];
      }
      if (!carry) break;
      y[i] = 0, --changed;
    }
    for (std::size_t level = changed; level <= n; ++level) add(level);
  }
}

void Elimination::send(Bucket& bucket) {
  for (const Index p : bucket.pieces) {
    const auto& scope = pieces_[p].scope;
    bucket.near.insert(bucket.near.end(), scope.begin(), scope.end());
  }
  const auto earlier = [&](auto a, auto b) { return time_[a] < time_[b]; };
  std::sort(bucket.near.begin(), bucket.near.end(), earlier);
  bucket.near.erase(std::unique(bucket.near.begin(), bucket.near.end()), bucket.near.end());
  bucket.near.erase(bucket.near.begin());  // the variable itself leaves first of them

  bucket.message.resize(static_cast<std::size_t>(cells_of(topology_, bucket.near)));
  each_cell(bucket, [&](Index cell, std::span<double> e) { bucket.message[cell] = reduce(e); });
  if (bucket.near.empty()) {
    constant_ += bucket.message[0];
    return;
  }
  bucket.parent = time_[bucket.near.front()];
  buckets_[bucket.parent].children.push_back(time_[bucket.variable]);
  add({bucket.near, bucket.message.data(), -1});
}

std::vector<Label> Elimination::labels() const {
  std::vector<Label> y(time_.size(), 0);
  for (auto bucket = buckets_.rbegin(); bucket != buckets_.rend(); ++bucket) {
    std::vector<double> energies(static_cast<std::size_t>(topology_.states(bucket->variable)), 0.0);
    for (const Index p : bucket->pieces) {
      const double* cells = pieces_[p].cells;
      for (const std::uint32_t u : pieces_[p].scope) {
        if (u != bucket->variable)
          cells += stride_in(topology_, pieces_[p].scope, u) * static_cast<Index>(y[u]);
      }
      const Index step = stride_in(topology_, pieces_[p].scope, bucket->variable);
      for (std::size_t k = 0; k < energies.size(); ++k) energies[k] += cells[static_cast<Index>(k) * step];
    }
    const auto lowest = std::min_element(energies.begin(), energies.end());
    y[bucket->variable] = static_cast<Label>(lowest - energies.begin());
  }
  return y;
}

template <class Visit>
void Elimination::each_belief(const Visit& visit) {
  const double empty = kind_ == Kind::Minimum ? kInfinity<double> : 0;
  for (auto bucket = buckets_.rbegin(); bucket != buckets_.rend(); ++bucket) {
    // What the children hear: beliefs reduced to their neighbours, less what they said themselves. Beliefs of
    // sums are added as probabilities within the component, whose whole is its root's message.
    const bool root = bucket->parent == kConstant;
    if (root) bucket->down.assign(1, 0.0);
    const double whole = bucket->whole = root ? bucket->message[0] : buckets_[bucket->parent].whole;
    struct Child {
      Bucket* bucket;
      Index step;
      std::vector<Index> strides;
    };
    std::vector<Child> children;
    for (const Index c : bucket->children) {
      Bucket& child = buckets_[c];
      child.down.assign(child.message.size(), empty);
      children.push_back({&child, stride_in(topology_, child.near, bucket->variable), {}});
      for (const std::uint32_t u : bucket->near)
        children.back().strides.push_back(stride_in(topology_, child.near, u));
    }
    std::vector<Index> y(bucket->near.size());
    each_cell(*bucket, [&](Index cell, std::span<double> e) {
      Index rest = cell;
      for (std::size_t i = y.size(); i-- > 0;) {
        y[i] = rest % topology_.states(bucket->near[i]);
        rest /= topology_.states(bucket->near[i]);
      }
      for (double& energy : e) energy += bucket->down[cell];
      visit(*bucket, std::span<const Index>(y), std::span<const double>(e), whole);
      for (const Child& child : children) {
        double* at = child.bucket->down.data();
        for (std::size_t i = 0; i < y.size(); ++i) at += y[i] * child.strides[i];
        for (std::size_t k = 0; k < e.size(); ++k) {
          double& down = at[static_cast<Index>(k) * child.step];
          down = kind_ == Kind::Minimum ? std::min(down, e[k]) : down + std::exp(whole - e[k]);
        }
      }
    });
    for (const Child& child : children) {
      for (std::size_t c = 0; c < child.bucket->down.size(); ++c) {
        double& down = child.bucket->down[c];
        if (kind_ == Kind::Sum) down = whole - std::log(down);
        if (down < kInfinity<double>) down -= child.bucket->message[c];
      }
    }
    bucket->down = {};
  }
}

void require_complete(const EliminationOrder& order) {
  if (order.complete()) return;
  throw InputError(
      "elimination",
      fmt::format("needs a table of {:.3g} cells, {:.3g} GB ({} neighbours at {} variables so far)",
                  order.largest(), order.largest() * 8e-9, order.width(), order.variables().size()),
      "take a method with bounds, or allow it more cells");
}

}  // namespace

template <class R>
Minimum minimize(const FactorGraph<R>& graph, const EliminationOrder& order) {
  require_complete(order);
  check(graph);
  const Elimination elimination(graph, order, Elimination::Kind::Minimum, 1);
  Minimum best;
  if (!(elimination.value() < kInfinity<double>)) return best;
  best.labels = elimination.labels();
  best.energy = best.lower_bound = energy(graph, std::span<const Label>(best.labels));
  return best;
}

template <class R>
double free_energy(const FactorGraph<R>& graph, const EliminationOrder& order, double beta) {
  require_complete(order);
  check(graph);
  detail::check_beta<R>(beta);
  return Elimination(graph, order, Elimination::Kind::Sum, beta).value() / beta;
}

template <class R>
double marginals(const FactorGraph<R>& graph, const EliminationOrder& order, double beta,
                 const FactorParts<R>& parts) {
  require_complete(order);
  check(graph);
  detail::check_beta<R>(beta);
  std::fill(parts.unary.begin(), parts.unary.end(), R(0));
  std::fill(parts.tables.begin(), parts.tables.end(), R(0));
  Elimination elimination(graph, order, Elimination::Kind::Sum, beta);
  if (!(elimination.value() < kInfinity<double>)) return kInfinity<double>;
  const FactorTopology& topology = elimination.topology();
  std::vector<double> unary(parts.unary.size(), 0.0), tables(parts.tables.size(), 0.0);
  elimination.each_belief(
      [&](const auto& bucket, std::span<const Index> y, std::span<const double> beliefs, double whole) {
        const std::uint32_t v = bucket.variable;
        for (std::size_t k = 0; k < beliefs.size(); ++k)
          unary[topology.first(v) + static_cast<Index>(k)] += std::exp(whole - beliefs[k]);
        for (const Index p : bucket.pieces) {
          const auto& piece = elimination.pieces()[p];
          if (piece.factor < 0) continue;
          double* at = tables.data() + topology.begin(piece.factor);
          for (std::size_t i = 0; i < y.size(); ++i)
            at += y[i] * stride_in(topology, piece.scope, bucket.near[i]);
          const Index step = stride_in(topology, piece.scope, v);
          for (std::size_t k = 0; k < beliefs.size(); ++k)
            at[static_cast<Index>(k) * step] += std::exp(whole - beliefs[k]);
        }
      });
  std::copy(unary.begin(), unary.end(), parts.unary.begin());
  std::copy(tables.begin(), tables.end(), parts.tables.begin());
  return elimination.value() / beta;
}

template <class R>
double min_marginals(const FactorGraph<R>& graph, const EliminationOrder& order, std::span<double> out) {
  require_complete(order);
  check(graph);
  std::fill(out.begin(), out.end(), kInfinity<double>);
  Elimination elimination(graph, order, Elimination::Kind::Minimum, 1);
  const double lowest = elimination.value();
  if (!(lowest < kInfinity<double>)) return lowest;
  elimination.each_belief(
      [&](const auto& bucket, std::span<const Index>, std::span<const double> beliefs, double whole) {
        double* mine = out.data() + elimination.topology().first(bucket.variable);
        for (std::size_t k = 0; k < beliefs.size(); ++k)
          mine[k] = std::min(mine[k], beliefs[k] + (lowest - whole));
      });
  return lowest;
}

#define THALWEG_ELIMINATION(R)                                                                              \
  template Minimum minimize(const FactorGraph<R>&, const EliminationOrder&);                                \
  template double free_energy(const FactorGraph<R>&, const EliminationOrder&, double);                      \
  template double marginals(const FactorGraph<R>&, const EliminationOrder&, double, const FactorParts<R>&); \
  template double min_marginals(const FactorGraph<R>&, const EliminationOrder&, std::span<double>);
THALWEG_ELIMINATION(float)
THALWEG_ELIMINATION(double)
#undef THALWEG_ELIMINATION

}  // namespace thalweg
