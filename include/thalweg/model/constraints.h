/// @file
/// Which labels may follow which. What is forbidden has energy +infinity, in training and in decoding alike,
/// so that no labelling with it is ever found, and no probability goes to one.
///
///     Constraints constraints(labels.size());
///     constraints.forbid(labels.find("O"), labels.find("I-NP"));
///     constraints.forbid(constraints.boundary(), labels.find("I-NP"));   // not at a start
///     model.constraints = constraints;
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/core/types.h"

namespace thalweg {

/// A table of legal transitions. Empty by default, and then everything is legal.
class Constraints {
 public:
  Constraints() = default;
  /// Over K labels, everything legal so far.
  explicit Constraints(Index labels)
      : labels_(labels), legal_(static_cast<std::size_t>((labels + 1) * (labels + 1)), 1) {}
  /// @param legal [K+1 x K+1] of 0 and 1; row K is the sentence's start, column K its end
  Constraints(Index labels, std::span<const std::uint8_t> legal)
      : labels_(labels), legal_(legal.begin(), legal.end()) {}

  bool empty() const { return legal_.empty(); }
  Index labels() const { return labels_; }
  /// What stands before the first label and behind the last.
  Label boundary() const { return static_cast<Label>(labels_); }

  bool allows(Label from, Label to) const { return legal_.empty() || legal_[cell(from, to)] != 0; }
  /// @pre not empty()
  void forbid(Label from, Label to) { legal_[cell(from, to)] = 0; }
  /// How many transitions are forbidden.
  Index forbidden() const { return std::count(legal_.begin(), legal_.end(), 0); }
  /// [K+1 x K+1], or empty.
  std::span<const std::uint8_t> table() const { return legal_; }

  bool operator==(const Constraints&) const = default;

 private:
  std::size_t cell(Label from, Label to) const { return from * static_cast<std::size_t>(labels_ + 1) + to; }

  Index labels_ = 0;
  std::vector<std::uint8_t> legal_;
};

}  // namespace thalweg
