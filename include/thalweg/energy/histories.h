/// @file
/// How much of the past a label's energy depends on, for chains of second order and beyond.
///
/// A chain of order n has energies for label strings of up to n + 1 labels. Few of the K^n strings that may
/// precede a label ever have an energy of their own: the *contexts*. A history is the longest suffix of the
/// labels so far that is a context or a single label, so histories are the states of an Aho-Corasick
/// automaton over the contexts, and dynamic programming over S histories is exact at S K steps a position
/// instead of K^(n+1) (Ye, Lee, Chieu and Wu 2009, "Conditional random fields with high-order features for
/// sequence labeling").
///
///     const Histories::Context contexts[] = {{0, 1}, {2, 0}};   // 0 1 and, as K = 2, 0 1 0
///     Histories histories(2, contexts);
///     histories.states();                                       // 4: 0, 1, 0 1, 0 1 0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// Number of a history. Without contexts it is the label itself.
using State = std::uint32_t;

/// Const and shared between threads once made. Memory O(S K).
class THALWEG_EXPORT Histories {
 public:
  /// A string of two labels or more. `prefix` is what remains without its last label: below K a single
  /// label, else K plus the number of a context listed before this one.
  struct Context {
    std::uint32_t prefix;
    Label last;
    bool operator==(const Context&) const = default;
  };

  /// Whether prefixes come first, labels are below K, and no context stands twice.
  static bool valid(Index labels, std::span<const Context> contexts);

  /// O(S K log S). @pre valid(labels, contexts)
  Histories(Index labels, std::span<const Context> contexts);

  Index labels() const { return labels_; }                           ///< K
  Index states() const { return static_cast<Index>(last_.size()); }  ///< S
  Index groups() const { return static_cast<Index>(groups_.size()) - 1; }
  Index reach() const { return reach_; }  ///< labels of the longest history: how far back any energy looks

  /// The history after one label.
  State start(Label l) const { return of_[l]; }
  /// The history that is context `c`.
  State of_context(Index c) const { return of_[static_cast<std::size_t>(labels_ + c)]; }
  Label last(State s) const { return last_[s]; }
  /// The history after label l, when before it was s.
  State next(State s, Label l) const { return next_[group_of_[s] * static_cast<std::size_t>(labels_) + l]; }
  /// The histories s with next(s, last(of)) == of, ascending.
  std::span<const State> before(State of) const {
    return std::span(before_).subspan(before_offsets_[of], before_offsets_[of + 1] - before_offsets_[of]);
  }

  /// Histories in the same group have the same `next`. Group g is the states [group_bounds()[g],
  /// group_bounds()[g + 1]), and row g of group_next() [groups x K] its `next`.
  std::span<const std::uint32_t> group_bounds() const { return groups_; }
  std::span<const State> group_next() const { return next_; }
  std::span<const State> starts() const { return std::span(of_).first(static_cast<std::size_t>(labels_)); }
  std::span<const Label> last() const { return last_; }                              ///< [S]
  std::span<const std::uint32_t> before_offsets() const { return before_offsets_; }  ///< [S + 1] into ...
  std::span<const State> before() const { return before_; }

  /// Adds to the row of every history those of all its suffixes, whose energies hold for it too. `rows` is
  /// [S x columns]. Its transpose adds rows to those of their suffixes.
  template <class R>
  void add_suffixes(R* rows, Index columns) const {
    for (std::size_t i = 0; i < by_length_.size(); ++i)
      add(rows, columns, suffix_[by_length_[i]], by_length_[i]);
  }
  template <class R>
  void add_to_suffixes(R* rows, Index columns) const {
    for (std::size_t i = by_length_.size(); i-- > 0;)
      add(rows, columns, by_length_[i], suffix_[by_length_[i]]);
  }

 private:
  template <class R>
  static void add(R* rows, Index columns, State from, State to) {
    for (Index j = 0; j < columns; ++j) rows[to * columns + j] += rows[from * columns + j];
  }
  void number(std::span<const std::uint32_t> order, std::span<const std::uint32_t> group,
              std::span<const Label> last, std::span<const std::uint32_t> suffix);
  void index_predecessors();

  Index labels_, reach_ = 1;
  std::vector<State> of_;                      // [K + contexts]
  std::vector<Label> last_;                    // [S]
  std::vector<State> suffix_;                  // [S] the longest proper one; a single label's is itself
  std::vector<State> by_length_;               // all but single labels, the shortest first
  std::vector<std::uint32_t> group_of_;        // [S]
  std::vector<std::uint32_t> groups_;          // [groups + 1]
  std::vector<State> next_;                    // [groups x K]
  std::vector<std::uint32_t> before_offsets_;  // [S + 1]
  std::vector<State> before_;
};

}  // namespace thalweg
