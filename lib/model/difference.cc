#include "thalweg/model/difference.h"

#include <algorithm>
#include <unordered_map>

namespace thalweg {
namespace {

struct Weights {
  const FeatureIndex& index;
  std::span<const double> values;
  const PackedWeights* packed = nullptr;

  double of(Index row, Label label) const {
    if (packed) return packed->weight(row, label);
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

// Which contexts end at a position, from the shortest on, kept up from position to position.
class EndingContexts {
 public:
  explicit EndingContexts(const Model& model) : K_(static_cast<std::uint32_t>(model.labels.size())) {
    for (std::uint32_t c = 0; c < model.contexts.strings.size(); ++c) {
      const auto& string = model.contexts.strings[c];
      numbers_.emplace(key(string.prefix, string.last), c);
    }
  }
  // `ending` are those of the position before, whose label was `before`.
  void next(std::vector<std::uint32_t>& ending, Label before, Label label) const {
    std::vector<std::uint32_t> longer;
    const auto extend = [&](std::uint32_t prefix) {
      const auto found = numbers_.find(key(prefix, label));
      if (found != numbers_.end()) longer.push_back(found->second);
    };
    extend(before);
    for (std::uint32_t c : ending) extend(K_ + c);
    ending = longer;
  }

 private:
  static std::uint64_t key(std::uint32_t prefix, Label last) { return std::uint64_t{prefix} << 32 | last; }
  std::uint32_t K_;
  std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
};

void add_contexts(const Model& model, std::span<const Label> y, std::span<const Label> other,
                  std::vector<Factor>& factors) {
  const EndingContexts contexts(model);
  const Weights weights{model.contexts.next, std::span(model.weights).subspan(model.first_context_weight())};
  std::vector<std::uint32_t> ending, other_ending;
  for (std::size_t t = 1; t + 1 < y.size(); ++t) {
    contexts.next(ending, y[t - 1], y[t]), contexts.next(other_ending, other[t - 1], other[t]);
    const auto has = [](const auto& list, std::uint32_t c) {
      return std::find(list.begin(), list.end(), c) != list.end();
    };
    const auto add = [&](std::uint32_t c, bool here, bool there) {
      keep({Factor::Kind::Context, static_cast<Index>(t), c, 1, here ? weights.of(c, y[t + 1]) : 0,
            there ? weights.of(c, other[t + 1]) : 0},
           factors);
    };
    for (std::uint32_t c : ending) add(c, true, has(other_ending, c));
    for (std::uint32_t c : other_ending) {
      if (!has(ending, c)) add(c, false, true);
    }
  }
}

}  // namespace

std::vector<Factor> difference(const Model& model, const Dataset& sentence, std::span<const Label> y,
                               std::span<const Label> other) {
  const auto unary = static_cast<std::size_t>(model.emissions.features()),
             pairwise = static_cast<std::size_t>(model.transitions.features());
  const std::span<const double> w(model.weights);
  const Weights emissions{model.emissions, w.first(unary), model.packed.get()},
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
  if (!model.contexts.empty()) {
    add_contexts(model, y, other, factors);
    std::stable_sort(factors.begin(), factors.end(),
                     [](const Factor& a, const Factor& b) { return a.position < b.position; });
  }
  return factors;
}

}  // namespace thalweg
