#include "learning/warm_start.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "thalweg/core/error.h"

namespace thalweg {
namespace {

double weight_of(const FeatureIndex& index, std::uint32_t row, Label label, std::span<const double> weights) {
  if (row == Vocabulary::kUnknown) return 0;
  const auto labels = index.row(row);
  const auto at = std::lower_bound(labels.begin(), labels.end(), label);
  return at == labels.end() || *at != label ? 0 : weights[index.offsets[row] + (at - labels.begin())];
}

// Hashed attributes have numbers for names.
void check_hashing(const Model& init, const Model& model) {
  const int theirs = init.featurizer.hash_bits(), ours = model.featurizer.hash_bits();
  if (theirs == ours) return;
  throw OptionError("init",
                    fmt::format("its attributes are hashed to {} bits, those here to {}", theirs, ours),
                    fmt::format("take --hash-bits {}", theirs));
}

// Reads the weights of `init` in the order of `model`.
class Translation {
 public:
  Translation(const Model& init, const Model& model) : init_(init), model_(model), all_(init.weights) {
    for (Label l = 0; l < model.labels.size(); ++l) labels_.push_back(init.labels.find(model.labels.name(l)));
    weights_.reserve(static_cast<std::size_t>(model.features()));
  }

  std::vector<double> weights() {
    add_emissions(), add_transitions(), add_pairs(), add_contexts(), add_vectors();
    return std::move(weights_);
  }

 private:
  void add_emissions() {
    for (Index a = 0; a < model_.emissions.rows(); ++a) {
      const std::uint32_t row = init_.attributes.find(model_.attributes.name(static_cast<std::uint32_t>(a)));
      for (Label l : model_.emissions.row(a))
        weights_.push_back(weight_of(init_.emissions, row, labels_[l], all_));
    }
  }

  void add_transitions() {
    const auto theirs = all_.subspan(init_.emissions.features());
    for (Index i = 0; i < model_.transitions.rows(); ++i) {
      for (Label l : model_.transitions.row(i))
        weights_.push_back(weight_of(init_.transitions, labels_[i], labels_[l], theirs));
    }
  }

  // A pair of labels counts as one: i * K + j.
  void add_pairs() {
    const auto theirs = all_.subspan(init_.emissions.features() + init_.transitions.features());
    const Label K = static_cast<Label>(model_.labels.size());
    const Label their_K = static_cast<Label>(init_.labels.size());
    for (Index b = 0; b < model_.pairs.rows(); ++b) {
      const auto row = init_.pair_attributes.find(model_.pair_attributes.name(static_cast<std::uint32_t>(b)));
      for (Label pair : model_.pairs.row(b)) {
        const Label i = labels_[pair / K], j = labels_[pair % K];
        const bool known = i != kNoLabel && j != kNoLabel;
        weights_.push_back(known ? weight_of(init_.pairs, row, i * their_K + j, theirs) : 0);
      }
    }
  }

  // Strings of labels, from the shortest on: one is there if what it begins with is.
  void add_contexts() {
    const auto K = static_cast<std::uint32_t>(labels_.size());
    const auto their_K = static_cast<std::uint32_t>(init_.labels.size());
    std::map<std::pair<std::uint32_t, Label>, std::uint32_t> numbers;
    for (std::uint32_t c = 0; c < init_.contexts.strings.size(); ++c) {
      const auto& string = init_.contexts.strings[c];
      numbers.emplace(std::pair(string.prefix, string.last), their_K + c);
    }
    std::vector<std::uint32_t> strings(labels_.begin(), labels_.end());  // of `init`, by ours; labels first
    const auto theirs = all_.subspan(static_cast<std::size_t>(init_.first_context_weight()));
    for (std::uint32_t c = 0; c < model_.contexts.strings.size(); ++c) {
      const auto& string = model_.contexts.strings[c];
      const auto found = numbers.find({strings[string.prefix], labels_[string.last]});
      strings.push_back(found == numbers.end() ? kNoLabel : found->second);
      const std::uint32_t row = strings[K + c] == kNoLabel ? Vocabulary::kUnknown : strings[K + c] - their_K;
      for (Label next : model_.contexts.next.row(static_cast<Index>(c)))
        weights_.push_back(weight_of(init_.contexts.next, row, labels_[next], theirs));
    }
  }

  void add_vectors() {
    const auto theirs = all_.subspan(init_.first_vector_weight());
    const Index their_K = static_cast<Index>(init_.labels.size());
    for (Index d = 0; d < model_.vector_columns; ++d) {
      for (Label l : labels_) {
        const bool known = d < init_.vector_columns && l != kNoLabel;
        weights_.push_back(known ? theirs[d * their_K + l] : 0);
      }
    }
  }

  const Model& init_;
  const Model& model_;
  std::span<const double> all_;
  std::vector<Label> labels_;  // of `init`, by ours
  std::vector<double> weights_;
};

}  // namespace

std::vector<double> weights_from(const Model& init, const Model& model) {
  if (init.packed) return weights_from(unpacked(init), model);
  check_hashing(init, model);
  return Translation(init, model).weights();
}

}  // namespace thalweg
