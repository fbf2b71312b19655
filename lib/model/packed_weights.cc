#include "thalweg/model/packed_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/row_plan.h"
#include "model/sparse_kernels.h"
#include "thalweg/core/aligned.h"
#include "thalweg/core/error.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

template <>
float rounded<float>(double weight) {
  return static_cast<float>(weight) + 0.f;
}

template <>
Half rounded<Half>(double weight) {
  if (!(std::abs(weight) < 65520)) {
    throw OptionError("weights", fmt::format("a weight of {:.6g} does not fit 16 bits", weight),
                      "take f32, or train with a larger c2 or smaller inputs");
  }
  const Half half = to_half(weight);
  return half == Half{0x8000} ? Half{} : half;
}

namespace {

constexpr std::size_t kVector = 16;  // numbers that are read at once

// What PackedWeights of our own stand on.
template <class Number, class Pair>
struct Storage {
  std::vector<std::uint32_t> offsets;
  AlignedVector<Number> rows;
  std::vector<Pair> pairs;
};

std::uint64_t pair_of(Label label, float weight) {
  return std::uint64_t{std::bit_cast<std::uint32_t>(weight)} << 32 | label;
}
std::uint32_t pair_of(Label label, Half weight) { return std::uint32_t{weight.bits} << 16 | label; }

// Rows from the first on that have many labels, once rounded.
template <class Number>
Index whole_rows(const FeatureIndex& index, Index K, std::span<const double> w) {
  const auto many = [&](Index a) {
    Index kept = 0;
    for (Index f = index.offsets[a]; f < static_cast<Index>(index.offsets[a + 1]); ++f)
      kept += rounded<Number>(w[f]) != Number{};
    return kept >= dense_row_labels(K);
  };
  Index whole = 0;
  while (whole < index.rows() && many(whole)) ++whole;
  return whole;
}

template <class Number, class Pair>
std::shared_ptr<const Storage<Number, Pair>> store(const FeatureIndex& index, Index K,
                                                   std::span<const double> w, Index whole) {
  auto out = std::make_shared<Storage<Number, Pair>>();
  out->rows.assign(static_cast<std::size_t>(whole * K) + kVector, Number{});
  for (Index a = 0; a < whole; ++a) {
    for (Index f = index.offsets[a]; f < static_cast<Index>(index.offsets[a + 1]); ++f)
      out->rows[a * K + index.labels[f]] = rounded<Number>(w[f]);
  }
  const std::uint32_t first = index.offsets[whole];
  for (const std::uint32_t offset : index.offsets) out->offsets.push_back(std::max(offset, first) - first);
  out->pairs.reserve(index.labels.size() - first);
  for (std::size_t f = first; f < index.labels.size(); ++f)
    out->pairs.push_back(pair_of(index.labels[f], rounded<Number>(w[f])));
  return out;
}

// Models are plain data, which anyone may have filled in.
void check(const Model& model) {
  const FeatureIndex& index = model.emissions;
  const auto K = static_cast<Label>(model.labels.size());
  const bool good = !index.offsets.empty() && index.offsets.front() == 0 &&
                    std::is_sorted(index.offsets.begin(), index.offsets.end()) &&
                    index.offsets.back() == index.labels.size() &&
                    model.weights.size() >= index.labels.size() &&
                    std::all_of(index.labels.begin(), index.labels.end(), [&](Label l) { return l < K; });
  if (!good)
    throw ModelError("the model", "its emissions do not go with its labels and weights", "make it anew");
}

template <class Number, class Pair>
void pack(const Model& model, PackedWeights& out, std::span<const Number>& rows,
          std::span<const Pair>& pairs) {
  const auto w = std::span(model.weights).first(static_cast<std::size_t>(model.emissions.features()));
  out.whole = whole_rows<Number>(model.emissions, out.labels, w);
  const auto stored = store<Number, Pair>(model.emissions, out.labels, w, out.whole);
  out.offsets = stored->offsets, pairs = stored->pairs;
  rows = std::span(stored->rows).first(static_cast<std::size_t>(out.whole * out.labels));
  out.storage = stored;
}

}  // namespace

std::shared_ptr<const PackedWeights> packed_emissions(const Model& model, WeightType type) {
  check(model);
  auto out = std::make_shared<PackedWeights>();
  out->type = type, out->labels = static_cast<Index>(model.labels.size());
  if (type == WeightType::F16 && out->labels > 0x10000)
    throw OptionError("weights", fmt::format("f16 goes with at most 65536 labels, there are {}", out->labels),
                      "take f32");
  type == WeightType::F32 ? pack(model, *out, out->rows, out->pairs)
                          : pack(model, *out, out->half_rows, out->half_pairs);
  return out;
}

bool PackedWeights::pair_is_finite(Index p) const {
  return type == WeightType::F32 ? std::isfinite(pair_weight(p))
                                 : is_finite(Half{static_cast<std::uint16_t>(half_pairs[p] >> 16)});
}

double PackedWeights::weight(Index a, Label label) const {
  if (a < whole) return static_cast<double>(row_weight(a, label));
  for (Index p = offsets[a]; p < static_cast<Index>(offsets[a + 1]); ++p) {
    if (pair_label(p) == label) return static_cast<double>(pair_weight(p));
  }
  return 0;
}

Model packed(Model model, std::optional<WeightType> type) {
  if (model.packed && type.value_or(model.packed->type) == model.packed->type) return model;
  model = unpacked(std::move(model));
  model.packed = packed_emissions(model, type.value_or(WeightType::F32));
  model.weights.erase(model.weights.begin(), model.weights.begin() + model.emissions.features());
  model.emissions = {};
  if (type == WeightType::F16) {
    for (double& weight : model.weights) weight = static_cast<double>(to_float(rounded<Half>(weight)));
  }
  return model;
}

Model unpacked(Model model) {
  if (!model.packed) return model;
  const auto held = std::exchange(model.packed, nullptr);
  const PackedWeights& from = *held;
  FeatureIndex& index = model.emissions;
  index = {};
  std::vector<double> weights;
  const auto add = [&](Label label, float weight) {
    index.labels.push_back(label), weights.push_back(static_cast<double>(weight));
  };
  for (Index a = 0; a < from.attributes(); ++a) {
    for (Label l = 0; a < from.whole && l < static_cast<Label>(from.labels); ++l) {
      if (const float weight = from.row_weight(a, l); weight != 0) add(l, weight);
    }
    for (Index p = from.offsets[a]; p < static_cast<Index>(from.offsets[a + 1]); ++p)
      add(from.pair_label(p), from.pair_weight(p));
    index.offsets.push_back(static_cast<std::uint32_t>(index.labels.size()));
  }
  weights.insert(weights.end(), model.weights.begin(), model.weights.end());
  model.weights = std::move(weights);
  return model;
}

namespace {

template <class Number, class Pair>
void gather(void (*kernel)(const detail::WeightLayout<Number, Pair>&, const detail::RowPlan&, std::ptrdiff_t,
                           std::ptrdiff_t, float, float*, std::ptrdiff_t),
            const detail::WeightLayout<Number, Pair>& layout, const detail::Plan& plan, Table<float> out) {
  // A sentence's memory is asked for all at once, instead of a few rows ahead of the sums.
  for (const std::uint32_t row : plan.rows.columns) {
    const Number* const weights = layout.dense + static_cast<Index>(row) * layout.stride;
    __builtin_prefetch(weights), __builtin_prefetch(weights + layout.stride - 1);
  }
  for (const std::uint32_t pair : plan.pairs.columns) __builtin_prefetch(layout.sparse + pair);
  kernel(layout, plan.raw(), 0, out.rows, -1, out.data, layout.labels);
}

// Whether all exponents are below the highest. Branch-free: it runs over every energy.
bool all_finite(Table<const float> table) {
  std::uint32_t highest = 0;
  for (Index i = 0; i < table.size(); ++i)
    highest = std::max(highest, std::bit_cast<std::uint32_t>(table.data[i]) & 0x7FFFFFFF);
  return highest < 0x7F800000;
}

}  // namespace

void PackedLinear::energies(const Block& block, Table<float> out) const {
  static thread_local detail::Plan plan;  // warm after the first sentences
  plan.clear();
  plan.add({weights_.offsets.data(), weights_.whole}, *block.attributes, block.begin(),
           block.begin() + block.positions());
  const Index K = weights_.labels;
  if (weights_.type == WeightType::F32) {
    gather(detail::sparse_kernels().gather,
           {K, K, weights_.whole, weights_.rows.data(),
            reinterpret_cast<const detail::SparseWeight*>(weights_.pairs.data())},
           plan, out);
  } else {
    gather(detail::sparse_kernels().gather_half,
           {K, K, weights_.whole, weights_.half_rows.data(),
            reinterpret_cast<const detail::HalfWeight*>(weights_.half_pairs.data())},
           plan, out);
  }
  if (!all_finite(out))
    throw ModelError("the model", "weights of a sentence have no finite sum", "train the model again");
}

}  // namespace thalweg
