/// @file
/// The lowest energy at every number of wrong positions: with d(y) = sum_t wrong[t][y_t],
///
///     e[d] = min { E(y) : d(y) = d },      d = 0 ... T
///
/// which is what slack rescaling maximises over (Tsochantaridis et al. 2005), and any other loss that is a
/// function of the energy and of the Hamming cost. A workspace, one per thread; once warm it allocates
/// nothing.
#pragma once

#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/energy/chain.h"

namespace thalweg {

template <class R>
class THALWEG_EXPORT LowestByCost {
 public:
  /// Dynamic programming over (history, errors so far): O(T^2 S K) time, O(T^2 S) memory. `wrong` [T x K]: 0
  /// or 1.
  void run(const Chain<R>& chain, Table<const std::uint8_t> wrong);
  /// [T + 1] e[d] of the last run, +infinity where no allowed labelling has d errors.
  std::span<const double> energies() const { return energies_; }
  /// Writes a labelling of energy e[errors] to `y` [T]; ties go as in MinSum. The tables of the last run must
  /// still stand. @pre energies()[errors] is finite
  void labels(Index errors, std::span<Label> y) const;

 private:
  double* row(Index t, Index errors) { return &forward_[static_cast<std::size_t>(cell(t, errors))]; }
  const double* row(Index t, Index errors) const {
    return &forward_[static_cast<std::size_t>(cell(t, errors))];
  }
  Index cell(Index t, Index errors) const { return (t * (chain_.length() + 1) + errors) * chain_.states(); }

  Chain<R> chain_;
  Table<const std::uint8_t> wrong_;
  std::vector<double> forward_;  // [T x (T + 1) x S] lowest prefix that ends there with so many errors
  std::vector<double> energies_;
};

}  // namespace thalweg
