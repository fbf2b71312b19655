/// @file
/// Why one labelling lies lower than another. Energies are sums over features, so the difference of two is,
/// too:
///
///     E(other) - E(y) = sum_f value_f * (weight_f(y) - weight_f(other))
///
/// Where the labellings agree, everything cancels, and what is left is short. This is the one place that
/// lists what a model's energy is made of; the terms in model/linear_terms.h compute the same sum as tables.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

/// What one feature has to say about two labellings.
struct Factor {
  enum class Kind {
    Emission,    ///< an attribute of token `position` and the label there
    Transition,  ///< the labels of tokens `position` and `position + 1`
    Pair,        ///< an attribute of those two tokens and both their labels
    Context,     ///< the labels up to token `position`, in a chain of higher order, and the label after
  };
  Kind kind;
  Index position;
  /// Of an emission or a pair, in its vocabulary; the number of a context; otherwise Vocabulary::kUnknown.
  std::uint32_t attribute;
  double value;         ///< how much of it there is: 1 but for attributes with values
  double weight;        ///< with y; 0 where the model has none
  double other_weight;  ///< with the other labelling

  /// The part of E(other) - E(y): above 0 it speaks for y, below 0 for the other.
  double difference() const { return value * (weight - other_weight); }
};

/// The factors in which y and `other` differ by anything but 0, by position: emissions, transition, pairs,
/// contexts.
/// The differences sum to E(other) - E(y) up to the rounding of the chain's float tables. O(T + what
/// differs).
/// @param sentence one sequence, as look_up_sentence and look_up_pairs read it
/// @pre y and other have a label below K for each position
THALWEG_EXPORT std::vector<Factor> difference(const Model& model, const Dataset& sentence,
                                              std::span<const Label> y, std::span<const Label> other);

}  // namespace thalweg
