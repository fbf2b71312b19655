#include "thalweg/model/difference.h"

#include <algorithm>

namespace thalweg {
namespace {

double weight_of(const FeatureIndex& index, std::span<const double> weights, Index row, Label label) {
  const auto labels = index.row(row);
  const auto found = std::lower_bound(labels.begin(), labels.end(), label);
  if (found == labels.end() || *found != label) return 0;
  return weights[index.offsets[row] + static_cast<std::size_t>(found - labels.begin())];
}

void keep(const Factor& factor, std::vector<Factor>& factors) {
  if (factor.difference() != 0) factors.push_back(factor);
}

}  // namespace

std::vector<Factor> difference(const Model& model, const Dataset& sentence, std::span<const Label> y,
                               std::span<const Label> other) {
  const std::span<const double> w(model.weights);
  const auto emissions = w.first(static_cast<std::size_t>(model.emissions.features()));
  const auto transitions = w.subspan(emissions.size());
  std::vector<Factor> factors;
  for (std::size_t t = 0; t < y.size(); ++t) {
    const auto position = static_cast<Index>(t);
    if (y[t] != other[t]) {
      const auto attributes = sentence.attributes.row(position);
      const auto values = sentence.attributes.row_values(position);
      for (std::size_t e = 0; e < attributes.size(); ++e) {
        const std::uint32_t a = attributes[e];
        const double value = values.empty() ? 1 : static_cast<double>(values[e]);
        keep({Factor::Kind::Emission, position, a, value, weight_of(model.emissions, emissions, a, y[t]),
              weight_of(model.emissions, emissions, a, other[t])},
             factors);
      }
    }
    if (t + 1 < y.size() && (y[t] != other[t] || y[t + 1] != other[t + 1])) {
      keep({Factor::Kind::Transition, position, Vocabulary::kUnknown, 1,
            weight_of(model.transitions, transitions, y[t], y[t + 1]),
            weight_of(model.transitions, transitions, other[t], other[t + 1])},
           factors);
    }
  }
  return factors;
}

}  // namespace thalweg
