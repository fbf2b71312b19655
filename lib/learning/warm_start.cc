#include "learning/warm_start.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

namespace thalweg {
namespace {

double weight_of(const FeatureIndex& index, std::uint32_t row, Label label, std::span<const double> weights) {
  if (row == Vocabulary::kUnknown) return 0;
  const auto labels = index.row(row);
  const auto at = std::lower_bound(labels.begin(), labels.end(), label);
  return at == labels.end() || *at != label ? 0 : weights[index.offsets[row] + (at - labels.begin())];
}

// Strings of labels by ours, from the shortest on: a string is there if what it begins with is. @param labels
// of `init`, by ours
void add_context_weights(const Model& init, const Model& model, std::span<const Label> labels,
                         std::vector<double>& weights) {
  const auto K = static_cast<std::uint32_t>(labels.size()),
             init_K = static_cast<std::uint32_t>(init.labels.size());
  std::map<std::pair<std::uint32_t, Label>, std::uint32_t> numbers;
  for (std::uint32_t c = 0; c < init.contexts.strings.size(); ++c)
    numbers.emplace(std::pair(init.contexts.strings[c].prefix, init.contexts.strings[c].last), init_K + c);
  std::vector<std::uint32_t> strings(labels.begin(), labels.end());  // of `init`, by ours; labels first
  const auto all = std::span(init.weights).subspan(static_cast<std::size_t>(init.first_context_weight()));
  for (std::uint32_t c = 0; c < model.contexts.strings.size(); ++c) {
    const auto& string = model.contexts.strings[c];
    const auto found = numbers.find({strings[string.prefix], labels[string.last]});
    strings.push_back(found == numbers.end() ? kNoLabel : found->second);
    const std::uint32_t row = strings[K + c] == kNoLabel ? Vocabulary::kUnknown : strings[K + c] - init_K;
    for (Label next : model.contexts.next.row(static_cast<Index>(c)))
      weights.push_back(weight_of(init.contexts.next, row, labels[next], all));
  }
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
  add_context_weights(init, model, labels, weights);
  for (Index d = 0; d < model.vector_columns; ++d) {
    for (Label l : labels) {
      const bool known = d < init.vector_columns && l != kNoLabel;
      weights.push_back(known ? init.weights[init.first_vector_weight() + d * init_K + l] : 0);
    }
  }
  return weights;
}

}  // namespace thalweg
