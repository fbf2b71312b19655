/// @file
/// Descent on labels: from an answer to one that no small change improves, for any structure that is
/// `SingleSite`. The energy never rises.
///
///     LocalSearch<Chain<float>> search;
///     double e = search.improve(chain, y, 2);     // y: any answer, and a lower one after
#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "thalweg/inference/single_site.h"

namespace thalweg {

template <SingleSite S>
class LocalSearch {
 public:
  /// Iterated conditional modes (Besag 1986): variables in order take their lowest state given the rest,
  /// until none moves. O(V sites) a pass. @return E(y)
  double settle(const S& s, std::span<Label> y) {
    for (bool moved = true; moved;) {
      moved = false;
      for (Index v = 0; v < variables(s); ++v) {
        const Label low = lowest(s, y, v);
        moved |= low != y[v], y[v] = low;
      }
    }
    return energy(s, std::span<const Label>(y));
  }

  /// `settle`, and then chains of moves: a variable is held at each other state in turn, its neighbours
  /// follow with their lowest given that, theirs with theirs, up to `depth` edges away, and what is lower in
  /// the end stays (ejection chains, Glover 1996). Depth 1 tries all pairs of neighbours that agree on a
  /// change; 2 finds most of what more depth finds. Until no chain helps; a round is O(V K) chains. @return
  /// E(y)
  double improve(const S& s, std::span<Label> y, Index depth) {
    double now = settle(s, y);
    for (bool moved = depth > 0; moved;) {
      moved = false;
      for (Index v = 0; v < variables(s); ++v) {
        for (Label l = 0; l < static_cast<Label>(states(s, v)); ++l) moved |= chain(s, y, v, l, depth, now);
      }
      if (moved) now = settle(s, y);
    }
    return now;
  }

 private:
  using R = typename S::Scalar;
  struct Move {
    Index variable;
    Label from;
  };

  std::span<const R> sites(const S& s, std::span<const Label> y, Index v) {
    energies_.resize(std::max(energies_.size(), static_cast<std::size_t>(states(s, v))));
    const std::span<R> e(energies_.data(), static_cast<std::size_t>(states(s, v)));
    site_energies(s, y, v, e);
    return e;
  }
  // Rounding must not pass for a gain, or moves could go round in circles.
  static bool lower(double a, double than) {
    constexpr double kRounding = 8 * std::numeric_limits<R>::epsilon();
    if (!(a < kInfinity<double> && than < kInfinity<double>)) return a < than;
    return a < than - kRounding * (1 + std::abs(a) + std::abs(than));
  }
  Label lowest(const S& s, std::span<const Label> y, Index v) {
    const auto e = sites(s, y, v);
    const auto best = std::min_element(e.begin(), e.end());
    return lower(*best, e[y[v]]) ? static_cast<Label>(best - e.begin()) : y[v];
  }
  void move(std::span<Label> y, Index v, Label to) {
    trail_.push_back({v, y[v]});
    y[v] = to;
  }

  // Tries y_v = l with what follows from it; keeps it, and lowers `now`, if that is better.
  bool chain(const S& s, std::span<Label> y, Index v, Label l, Index depth, double& now) {
    if (l == y[v]) return false;
    trail_.clear(), front_.assign(1, v);
    auto e = sites(s, y, v);
    double change = static_cast<double>(e[l]) - static_cast<double>(e[y[v]]);
    move(y, v, l);
    for (Index d = 0; d < depth && !front_.empty(); ++d) {
      next_.clear();
      for (const Index u : front_) {
        each_neighbour(s, u, [&](Index w) {
          const bool taken =
              std::any_of(trail_.begin(), trail_.end(), [&](const Move& m) { return m.variable == w; });
          const Label to = taken ? y[w] : lowest(s, y, w);
          if (to == y[w]) return;
          change += static_cast<double>(energies_[to]) - static_cast<double>(energies_[y[w]]);
          move(y, w, to);
          next_.push_back(w);
        });
      }
      front_.swap(next_);
    }
    // Past something forbidden, differences say nothing.
    const bool finite = std::abs(change) < kInfinity<double> && now < kInfinity<double>;
    const double then = finite ? now + change : energy(s, std::span<const Label>(y));
    if (lower(then, now)) {
      now = then;
      return true;
    }
    for (std::size_t i = trail_.size(); i-- > 0;) y[trail_[i].variable] = trail_[i].from;
    return false;
  }

  std::vector<R> energies_;
  std::vector<Move> trail_;
  std::vector<Index> front_, next_;
};

}  // namespace thalweg
