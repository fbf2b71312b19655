/// @file
/// The weights of (attribute, label) pairs as taggers read them: in the arrays of a model file, where they
/// lie, so that a model of any size is ready as soon as its bytes are checked.
///
///     const Model ready = packed(model, WeightType::F16);   // model.emissions and their weights gave way
///     ready.packed->weight(attribute, label);
///     save_model(ready, "small.model");
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "thalweg/core/export.h"
#include "thalweg/core/half.h"
#include "thalweg/model/energy_term.h"

namespace thalweg {

/// How exact weights are. Half the bytes cost about three of seven decimal digits, and weights beyond
/// Half::kMax.
enum class WeightType { F32, F16 };

/// Attributes with many labels (dense_row_labels) come first and have whole rows [whole x labels], where 0
/// stands for no weight; the others have pairs, label below weight in 32 or 16 bits each. Of floats and
/// halves only those of `type` are there.
///
/// In files, what would crash is ruled out before (model_file.h), and what is left is bounded where it is
/// used: a pair whose label does not exist counts for nothing, energies that are not finite are refused.
struct PackedWeights {
  WeightType type = WeightType::F32;
  Index labels = 0, whole = 0;
  std::span<const std::uint32_t> offsets;  ///< [attributes + 1] into the pairs; 0 up to `whole`
  std::span<const float> rows;             ///< 60 bytes behind the end can be read, here and in the next
  std::span<const Half> half_rows;
  std::span<const std::uint64_t> pairs;       ///< label | weight << 32
  std::span<const std::uint32_t> half_pairs;  ///< label | weight << 16
  std::shared_ptr<const void> storage;        ///< what all of that stands on

  Index attributes() const { return static_cast<Index>(offsets.size()) - 1; }
  Index pair_count() const { return static_cast<Index>(offsets.back()); }
  Label pair_label(Index p) const {
    return type == WeightType::F32 ? static_cast<Label>(pairs[p]) : half_pairs[p] & 0xFFFF;
  }
  float pair_weight(Index p) const {
    return type == WeightType::F32 ? std::bit_cast<float>(static_cast<std::uint32_t>(pairs[p] >> 32))
                                   : to_float(Half{static_cast<std::uint16_t>(half_pairs[p] >> 16)});
  }
  THALWEG_EXPORT bool pair_is_finite(Index p) const;
  float row_weight(Index a, Label l) const {
    const Index at = a * labels + static_cast<Index>(l);
    return type == WeightType::F32 ? rows[at] : to_float(half_rows[at]);
  }
  /// 0 where there is none. O(labels of the attribute)
  THALWEG_EXPORT double weight(Index attribute, Label label) const;
};

struct Model;

/// The nearest float or Half; -0 becomes 0. @throws OptionError where a half is too small
template <class Number>
Number rounded(double weight);
template <>
float rounded<float>(double weight);
template <>
Half rounded<Half>(double weight);

/// Those of a model that is not packed. @throws OptionError where a half does not hold a weight, or a label
THALWEG_EXPORT std::shared_ptr<const PackedWeights> packed_emissions(const Model& model, WeightType type);

/// The model with that instead of `emissions` and their weights, all weights rounded to `type`. One that is
/// packed keeps its type, unless told another. @throws as packed_emissions
THALWEG_EXPORT Model packed(Model model, std::optional<WeightType> type = {});

/// The way back, for whoever wants to see or move all weights. In whole rows, features of weight 0 are gone.
/// @pre labels exist
THALWEG_EXPORT Model unpacked(Model model);

/// unary[p][l] = - sum over the attributes a of position p of value(p, a) * w(a, l), with weights that are
/// given: there is nothing to learn.
class THALWEG_EXPORT PackedLinear : public LinearTerm {
 public:
  /// `weights` must outlive the term.
  explicit PackedLinear(const PackedWeights& weights) : LinearTerm(0), weights_(weights) {}

  void assign(std::span<const double>, int) override {}
  Shape shape(const Block& block) const override { return {block.positions(), weights_.labels}; }
  /// O(attributes of the block * K).
  void energies(const Block& block, Table<float> out) const override;
  void pull_back(const Block&, Table<const float>, std::span<double>, int) const override {}
  double descend(const Block&, Table<const float>, float) override { return 0; }
  void weights(std::span<double>) const override {}

 private:
  const PackedWeights& weights_;
};

}  // namespace thalweg
