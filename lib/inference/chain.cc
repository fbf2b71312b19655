#include "thalweg/inference/chain.h"

#include <algorithm>
#include <cmath>

#include "energy/check_energies.h"
#include "thalweg/inference/lowest_by_cost.h"
#include "thalweg/inference/min_sum.h"
#include "thalweg/inference/sparse_map.h"
#include "thalweg/inference/sum_product.h"

namespace thalweg {
namespace {

template <class R>
void check_table(const char* name, Table<const R> table) {
  const std::span<const R> values(table.data, static_cast<std::size_t>(table.size()));
  const Index bad = detail::first_bad(values);
  if (bad < table.size())
    detail::refuse_energy(detail::at(name, {bad / table.columns, bad % table.columns}), values[bad]);
}

template <class R>
void check(const Chain<R>& chain) {
  check_table("unary", chain.unary);
  check_table("pairwise", chain.pairwise);
}

template <class R>
struct Minimiser {
  Couplings<R> couplings;
  MinSum<R> work;
  explicit Minimiser(const Chain<R>& chain) {
    check(chain);
    couplings.prepare_minima(chain.pairwise, chain.labels(), chain.histories);
  }
};

template <class R>
struct Summer {
  Couplings<R> couplings;
  SumProduct<R> work;
  double free_energy;
  Summer(const Chain<R>& chain, double beta) {
    check(chain);
    detail::check_beta<R>(beta);
    couplings.prepare_sums(chain.pairwise, chain.labels(), static_cast<R>(beta), chain.histories);
    free_energy = work.forward(chain, couplings);
  }
};

// Runs `solve(y)` for the energy; an infinite one means that there are no labels.
template <class Solve>
Minimum answer(Index length, Solve solve) {
  Minimum m;
  m.labels.resize(static_cast<std::size_t>(length));
  m.energy = m.lower_bound = solve(std::span<Label>(m.labels));
  if (!m.feasible()) m.labels.clear();
  return m;
}

}  // namespace

template <class R>
Minimum minimize(const Chain<R>& chain) {
  Minimiser<R> m(chain);
  return answer(chain.length(), [&](std::span<Label> y) { return m.work.minimize(chain, m.couplings, y); });
}

template <class R>
Minimum minimize_excluding(const Chain<R>& chain, std::span<const Label> excluded) {
  Minimiser<R> m(chain);
  return answer(chain.length(), [&](std::span<Label> y) {
    return m.work.minimize_excluding(chain, m.couplings, excluded, y);
  });
}

template <class R>
Minimum minimize_augmented(const Chain<R>& chain, Table<const R> cost) {
  TableBuffer<R> storage;
  return minimize(augment(chain, cost, storage));
}

template <class R>
std::vector<Minimum> lowest_by_cost(const Chain<R>& chain, std::span<const Label> right) {
  check(chain);
  TableBuffer<std::uint8_t> wrong(chain.length(), chain.labels(), 1);
  for (Index t = 0; t < chain.length(); ++t) wrong[t][right[t]] = 0;
  LowestByCost<R> work;
  work.run(chain, wrong);
  std::vector<Minimum> lowest;
  for (Index d = 0; d <= chain.length(); ++d) {
    lowest.push_back(answer(chain.length(), [&](std::span<Label> y) {
      if (!(work.energies()[d] < kInfinity<double>)) return kInfinity<double>;
      work.labels(d, y);
      return energy<R>(chain, y);
    }));
  }
  return lowest;
}

template <class R>
SparseAnswer sparse_map(const Chain<R>& chain, double gap) {
  if (!(gap > 0 && std::isfinite(gap)))
    throw OptionError("gap", "is " + std::to_string(gap) + ", must be finite and > 0", "1e-9 is the default");
  Minimiser<R> m(chain);
  SparseMap<R> work;
  SparseAnswer out;
  out.value = work.solve(chain, m.couplings, gap), out.gap = work.gap();
  for (Index i = 0; i < work.size(); ++i) {
    if (!(work.weight(i) > 0)) continue;
    const auto y = work.labels(i);
    const double e = energy(chain, y);
    out.labellings.push_back({{y.begin(), y.end()}, e, e});
    out.weights.push_back(work.weight(i));
  }
  return out;
}

template <class R>
std::vector<Minimum> k_lowest(const Chain<R>& chain, Index k) {
  Minimiser<R> m(chain);
  std::vector<Minimum> found;
  m.work.k_lowest(chain, m.couplings, k, found);
  return found;
}

template <class R>
TableBuffer<R> min_marginals(const Chain<R>& chain) {
  Minimiser<R> m(chain);
  TableBuffer<R> out(chain.length(), chain.labels());
  m.work.min_marginals(chain, m.couplings, out);
  return out;
}

template <class R>
double free_energy(const Chain<R>& chain, double beta) {
  return Summer<R>(chain, beta).free_energy;
}

template <class R>
ChainMarginals<R> marginals(const Chain<R>& chain, double beta) {
  Summer<R> s(chain, beta);
  ChainMarginals<R> out;
  out.free_energy = s.free_energy;
  out.unary.resize(chain.length(), chain.labels());
  out.pairwise.resize(chain.pairwise.rows, chain.pairwise.columns);
  if (s.free_energy < kInfinity<double>) s.work.marginals(R(1), {out.unary, out.pairwise, chain.which});
  return out;
}

template <class R>
std::vector<std::vector<Label>> sample(const Chain<R>& chain, double beta, Rng& rng, Index count) {
  Summer<R> s(chain, beta);
  if (!(s.free_energy < kInfinity<double>)) return {};
  std::vector<std::vector<Label>> draws(static_cast<std::size_t>(count));
  for (auto& y : draws) {
    y.resize(static_cast<std::size_t>(chain.length()));
    s.work.sample(rng, y);
  }
  return draws;
}

template <class R>
Minimum maximum_marginals(const Chain<R>& chain, double beta) {
  Summer<R> s(chain, beta);
  Minimum m;
  if (!(s.free_energy < kInfinity<double>)) return m;
  TableBuffer<R> p(chain.length(), chain.labels());
  s.work.unary_marginals(p);
  for (Index t = 0; t < chain.length(); ++t) {
    m.labels.push_back(static_cast<Label>(std::max_element(p[t], p[t] + chain.labels()) - p[t]));
  }
  m.energy = energy<R>(chain, m.labels);
  m.lower_bound = -kInfinity<double>;
  return m;
}

template <class R>
double window_probability(const Chain<R>& chain, double beta, Index begin,
                          Table<const std::uint8_t> allowed) {
  Summer<R> s(chain, beta);
  return s.free_energy < kInfinity<double> ? s.work.probability(begin, allowed) : 0.0;
}

#define THALWEG_INSTANTIATE(R)                                                           \
  template Minimum minimize(const Chain<R>&);                                            \
  template Minimum minimize_excluding(const Chain<R>&, std::span<const Label>);          \
  template Minimum minimize_augmented(const Chain<R>&, Table<const R>);                  \
  template std::vector<Minimum> lowest_by_cost(const Chain<R>&, std::span<const Label>); \
  template SparseAnswer sparse_map(const Chain<R>&, double);                             \
  template std::vector<Minimum> k_lowest(const Chain<R>&, Index);                        \
  template TableBuffer<R> min_marginals(const Chain<R>&);                                \
  template double free_energy(const Chain<R>&, double);                                  \
  template ChainMarginals<R> marginals(const Chain<R>&, double);                         \
  template std::vector<std::vector<Label>> sample(const Chain<R>&, double, Rng&, Index); \
  template Minimum maximum_marginals(const Chain<R>&, double);                           \
  template double window_probability(const Chain<R>&, double, Index, Table<const std::uint8_t>);
THALWEG_INSTANTIATE(float)
THALWEG_INSTANTIATE(double)
#undef THALWEG_INSTANTIATE

}  // namespace thalweg
