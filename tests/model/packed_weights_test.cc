#include "thalweg/model/packed_weights.h"

#include <cmath>

#include "support/catch.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"
#include "thalweg/model/linear_chain.h"

using namespace thalweg;

namespace {

// Attributes with many labels and with few, and a block that has them, some with values.
struct Example {
  Model model;
  SparseMatrix attributes;
  std::vector<Index> sequences{0, 40};

  Example(Rng& rng, Index K, bool valued) {
    for (Index l = 0; l < K; ++l) model.labels.add("L" + std::to_string(l));
    for (Index a = 0; a < 60; ++a) {
      model.attributes.add("a" + std::to_string(a));
      const std::uint64_t one_in = a < 20 ? 2 : 20;
      for (Index l = 0; l < K; ++l) {
        if (l < (a < 20 ? dense_row_labels(K) : 0) || rng.below(one_in) == 0)
          model.emissions.labels.push_back(static_cast<Label>(l));
      }
      model.emissions.offsets.push_back(static_cast<std::uint32_t>(model.emissions.labels.size()));
    }
    model.transitions = all_features(K, K);
    for (Index f = 0; f < model.features(); ++f) model.weights.push_back(rng.normal() + 0.001);
    for (Index p = 0; p < 40; ++p) {
      for (std::uint64_t e = rng.below(6); e > 0; --e) {
        attributes.columns.push_back(static_cast<std::uint32_t>(rng.below(60)));
        if (valued) attributes.values.push_back(static_cast<float>(rng.normal()));
      }
      attributes.offsets.push_back(std::ssize(attributes.columns));
    }
  }

  TableBuffer<float> unary(const Model& of) const {
    const auto K = static_cast<Index>(of.labels.size());
    TableBuffer<float> out(40, K);
    LinearChain(of).unary({sequences, &attributes}, out);
    return out;
  }
};

double largest_difference(const TableBuffer<float>& a, const TableBuffer<float>& b) {
  double most = 0;
  for (Index i = 0; i < a.rows() * a.columns(); ++i)
    most = std::max(most, std::abs(static_cast<double>(a[0][i]) - static_cast<double>(b[0][i])));
  return most;
}

}  // namespace

TEST_CASE("packed weights give the energies of the model they are of", "[model][kernels]") {
  Rng rng(5);
  for (const Index K : {1, 2, 5, 8, 9, 16, 22, 33, 45, 70, 300}) {
    for (const bool valued : {false, true}) {
      const Example example(rng, K, valued);
      const Model half = packed(example.model, WeightType::F16);
      INFO(K);
      CHECK(largest_difference(example.unary(packed(example.model)), example.unary(example.model)) < 1e-5);
      // A half is exact to 2^-11; what it holds must come out as exactly as a float does.
      CHECK(largest_difference(example.unary(half), example.unary(example.model)) < 0.02);
      CHECK(largest_difference(example.unary(half), example.unary(unpacked(half))) < 1e-5);
    }
  }
}

TEST_CASE("packing is undone by unpacking, but for rounding", "[model]") {
  Rng rng(6);
  const Example example(rng, 9, false);
  const Model& model = example.model;
  for (const WeightType type : {WeightType::F32, WeightType::F16}) {
    const Model ready = packed(model, type), back = unpacked(ready);
    CHECK(ready.packed->whole >= 20);
    CHECK(ready.packed->pair_count() > 0);
    REQUIRE(back.emissions.offsets == model.emissions.offsets);
    REQUIRE(back.emissions.labels == model.emissions.labels);
    REQUIRE(back.weights.size() == model.weights.size());
    for (std::size_t f = 0; f < model.weights.size(); ++f) {
      const double w = model.weights[f], size = std::max(std::abs(w), 0x1p-14);
      REQUIRE(std::abs(back.weights[f] - w) <= size * (type == WeightType::F32 ? 0x1p-24 : 0x1p-11));
    }
    for (Index a = 0; a < 60; ++a) {
      for (const Label l : model.emissions.row(a)) CHECK(ready.packed->weight(a, l) != 0);
      CHECK(std::isfinite(ready.packed->weight(a, 8)));
    }
    CHECK(packed(ready).packed == ready.packed);
    CHECK(unpacked(packed(ready, WeightType::F16)).weights ==
          unpacked(packed(packed(ready, WeightType::F16), WeightType::F32)).weights);
  }
}

TEST_CASE("a weight that is too large for a half is named", "[model]") {
  Rng rng(7);
  Model model = Example(rng, 3, false).model;
  model.weights[3] = -65520;
  CHECK_THROWS_WITH(packed(model, WeightType::F16),
                    ContainsSubstring("a weight of -65520 does not fit 16 bits"));
  model.weights[3] = -65519;
  CHECK_NOTHROW(packed(model, WeightType::F16));
  model.weights.back() = 1e6;  // of a transition
  CHECK_THROWS_AS(packed(model, WeightType::F16), OptionError);
  CHECK_NOTHROW(packed(model, WeightType::F32));
}

TEST_CASE("sums that are not finite are refused where they are made", "[model]") {
  Rng rng(8);
  Example example(rng, 4, false);
  std::fill(example.model.weights.begin(), example.model.weights.end(), 3e38);
  CHECK_THROWS_AS(example.unary(packed(example.model)), ModelError);
}
