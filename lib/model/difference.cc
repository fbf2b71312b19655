#include "thalweg/model/difference.h"

#include <algorithm>

namespace thalweg {
namespace {

struct Weights {
  const FeatureIndex& index;
  std::span<const double> values;

  double of(Index row, Label label) const {
    const auto labels = index.row(row);
    const auto found = std::lower_bound(labels.begin(), labels.end(), label);
    if (found == labels.end() || *found != label) return 0;
    return values[index.offsets[row] + static_cast<std::size_t>(found - labels.begin())];
  }
};

void keep(const Factor& factor, std::vector<Factor>& factors) {
  if (factor.difference() != 0) factors.push_back(factor);
}

// What the attributes of a row say for one label (or pair of labels) and against the other.
void add_row(const SparseMatrix& rows, Index row, Factor::Kind kind, Index position, const Weights& weights,
             Label label, Label other, std::vector<Factor>& factors) {
  const auto attributes = rows.row(row);
  const auto values = rows.row_values(row);
  for (std::size_t e = 0; e < attributes.size(); ++e) {
    const std::uint32_t a = attributes[e];
    const double value = values.empty() ? 1 : static_cast<double>(values[e]);
    keep({kind, position, a, value, weights.of(a, label), weights.of(a, other)}, factors);
  }
}

}  // namespace

std::vector<Factor> difference(const Model& model, const Dataset& sentence, std::span<const Label> y,
                               std::span<const Label> other) {
  const auto unary = static_cast<std::size_t>(model.emissions.features()),
             pairwise = static_cast<std::size_t>(model.transitions.features());
  const std::span<const double> w(model.weights);
  const Weights emissions{model.emissions, w.first(unary)},
      transitions{model.transitions, w.subspan(unary, pairwise)},
      pairs{model.pairs, w.subspan(unary + pairwise)};
  const auto K = static_cast<Label>(model.labels.size());
  std::vector<Factor> factors;
  for (std::size_t t = 0; t < y.size(); ++t) {
    const auto position = static_cast<Index>(t);
    if (y[t] != other[t])
      add_row(sentence.attributes, position, Factor::Kind::Emission, position, emissions, y[t], other[t],
              factors);
    if (t + 1 == y.size() || (y[t] == other[t] && y[t + 1] == other[t + 1])) continue;
    keep({Factor::Kind::Transition, position, Vocabulary::kUnknown, 1, transitions.of(y[t], y[t + 1]),
          transitions.of(other[t], other[t + 1])},
         factors);
    if (!sentence.pairs.empty())
      add_row(sentence.pairs.rows(), sentence.pairs.which()[t], Factor::Kind::Pair, position, pairs,
              y[t] * K + y[t + 1], other[t] * K + other[t + 1], factors);
  }
  return factors;
}

}  // namespace thalweg
