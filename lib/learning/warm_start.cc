#include "learning/warm_start.h"

#include <algorithm>
#include <span>

namespace thalweg {
namespace {

double weight_of(const FeatureIndex& index, std::uint32_t row, Label label, std::span<const double> weights) {
  if (row == Vocabulary::kUnknown) return 0;
  const auto labels = index.row(row);
  const auto at = std::lower_bound(labels.begin(), labels.end(), label);
  return at == labels.end() || *at != label ? 0 : weights[index.offsets[row] + (at - labels.begin())];
}

}  // namespace

std::vector<double> weights_from(const Model& init, const Model& model) {
  std::vector<double> weights;
  weights.reserve(static_cast<std::size_t>(model.features()));
  std::vector<Label> labels;  // of `init`, by ours
  for (Label l = 0; l < model.labels.size(); ++l) labels.push_back(init.labels.find(model.labels.name(l)));
  const std::span<const double> all(init.weights);
  for (Index a = 0; a < model.emissions.rows(); ++a) {
    const std::uint32_t row = init.attributes.find(model.attributes.name(static_cast<std::uint32_t>(a)));
    for (Label l : model.emissions.row(a)) weights.push_back(weight_of(init.emissions, row, labels[l], all));
  }
  for (Index i = 0; i < model.transitions.rows(); ++i) {
    for (Label l : model.transitions.row(i)) {
      weights.push_back(
          weight_of(init.transitions, labels[i], labels[l], all.subspan(init.emissions.features())));
    }
  }
  // Label pairs by ours, then a pair's attributes like a token's.
  const Index offset = init.emissions.features() + init.transitions.features();
  const Label K = static_cast<Label>(model.labels.size()), init_K = static_cast<Label>(init.labels.size());
  for (Index b = 0; b < model.pairs.rows(); ++b) {
    const auto row = init.pair_attributes.find(model.pair_attributes.name(static_cast<std::uint32_t>(b)));
    for (Label pair : model.pairs.row(b)) {
      const Label i = labels[pair / K], j = labels[pair % K];
      const bool known = i != kNoLabel && j != kNoLabel;
      weights.push_back(known ? weight_of(init.pairs, row, i * init_K + j, all.subspan(offset)) : 0);
    }
  }
  for (Index d = 0; d < model.vector_columns; ++d) {
    for (Label l : labels) {
      const bool known = d < init.vector_columns && l != kNoLabel;
      weights.push_back(known ? init.weights[init.first_vector_weight() + d * init_K + l] : 0);
    }
  }
  return weights;
}

}  // namespace thalweg
