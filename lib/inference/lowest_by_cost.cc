#include "thalweg/inference/lowest_by_cost.h"

#include <algorithm>

namespace thalweg {

template <class R>
void LowestByCost<R>::run(const Chain<R>& chain, Table<const std::uint8_t> wrong) {
  chain_ = chain, wrong_ = wrong;
  const Index T = chain.length(), S = chain.states();
  const auto K = static_cast<Label>(chain.labels());
  energies_.assign(static_cast<std::size_t>(T + 1), kInfinity<double>);
  if (T == 0) {
    energies_[0] = 0;
    return;
  }
  forward_.assign(static_cast<std::size_t>(T * (T + 1) * S), kInfinity<double>);
  for (Label l = 0; l < K; ++l) row(0, wrong[0][l])[chain.start(l)] = static_cast<double>(chain.unary[0][l]);
  for (Index t = 1; t < T; ++t) {
    for (Index errors = 0; errors <= t; ++errors) {
      for (State s = 0; s < static_cast<State>(S); ++s) {
        const double prefix = row(t - 1, errors)[s];
        if (!(prefix < kInfinity<double>)) continue;
        const R* coupling = chain.coupling(t - 1) + s * K;
        for (Label l = 0; l < K; ++l) {
          double& lowest = row(t, errors + wrong[t][l])[chain.next(s, l)];
          lowest = std::min(
              lowest, prefix + static_cast<double>(coupling[l]) + static_cast<double>(chain.unary[t][l]));
        }
      }
    }
  }
  for (Index errors = 0; errors <= T; ++errors)
    energies_[errors] = *std::min_element(row(T - 1, errors), row(T - 1, errors) + S);
}

template <class R>
void LowestByCost<R>::labels(Index errors, std::span<Label> y) const {
  const Index T = chain_.length(), K = chain_.labels();
  if (T == 0) return;
  const double* last = row(T - 1, errors);
  auto state = static_cast<State>(std::min_element(last, last + chain_.states()) - last);
  for (Index t = T - 1; t >= 0; --t) {
    const Label l = chain_.last(state);
    y[t] = l;
    errors -= wrong_[t][l];
    if (t == 0) return;
    const R* column = chain_.coupling(t - 1) + l;
    const double* before = row(t - 1, errors);
    State best = 0;
    double lowest = kInfinity<double>;
    chain_.each_before(state, [&](State s) {
      const double price = before[s] + static_cast<double>(column[s * K]);
      if (price < lowest) lowest = price, best = s;
    });
    state = best;
  }
}

template class LowestByCost<float>;
template class LowestByCost<double>;

}  // namespace thalweg
