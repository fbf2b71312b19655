#include "thalweg/model/linear_terms.h"

#include <algorithm>
#include <map>
#include <set>

#include "support/catch.h"
#include "thalweg/core/random.h"
#include "thalweg/model/linear_chain.h"

using namespace thalweg;

namespace {

// Random rows of attributes, some frequent and some rare, that name the template they would come from.
struct RandomData {
  Dataset data;
  Vocabulary attributes;
  Index K;
};

RandomData make_data(Rng& rng, Index positions, Index K, bool valued) {
  RandomData r;
  r.K = K;
  for (Index p = 0; p < positions; ++p) {
    const std::string a = std::to_string(rng.below(3)), b = std::to_string(rng.below(3)),
                      word = std::to_string(rng.below(40));
    std::vector<std::string> names{"U1:" + a, "U2:" + b, "U3:" + a + "/" + b, "U4:" + word};
    for (const std::string& name : names) {
      if (rng.below(12) == 0) continue;  // a position may lack what its context implies
      r.data.attributes.columns.push_back(r.attributes.add(name));
      if (valued) r.data.attributes.values.push_back(static_cast<float>(rng.normal()));
    }
    r.data.attributes.offsets.push_back(static_cast<Index>(r.data.attributes.columns.size()));
    r.data.labels.push_back(static_cast<Label>(rng.below(static_cast<std::uint64_t>(K))));
    if (p + 1 == positions || rng.below(7) == 0) r.data.sequences.push_back(p + 1);
  }
  return r;
}

const TemplateSet kTemplates =
    TemplateSet::parse("U1:%x[0,0]\nU2:%x[0,1]\nU3:%x[0,0]/%x[0,1]\nU4:%x[0,2]\nB\n", "tpl");

}  // namespace

TEST_CASE("transposes and indices say what the data says", "[model]") {
  Rng rng(1);
  const RandomData r = make_data(rng, 200, 5, true);
  const Index A = static_cast<Index>(r.attributes.size());
  const SparseMatrix t = transpose(r.data.attributes, A);
  std::map<std::pair<Index, Index>, float> entries;
  for (Index p = 0; p < 200; ++p) {
    for (std::size_t e = 0; e < r.data.attributes.row(p).size(); ++e) {
      entries[{r.data.attributes.row(p)[e], p}] = r.data.attributes.row_values(p)[e];
    }
  }
  std::size_t seen = 0;
  for (Index a = 0; a < A; ++a) {
    for (std::size_t e = 0; e < t.row(a).size(); ++e, ++seen) {
      REQUIRE(entries.at({a, t.row(a)[e]}) == t.row_values(a)[e]);
      if (e > 0) REQUIRE(t.row(a)[e - 1] < t.row(a)[e]);
    }
  }
  CHECK(seen == entries.size());

  const FeatureIndex index = observed_features(t, r.data.labels, 5);
  for (Index a = 0; a < A; ++a) {
    std::vector<Label> want;
    for (Label l = 0; l < 5; ++l) {
      for (std::uint32_t p : t.row(a)) {
        if (r.data.labels[p] == l) {
          want.push_back(l);
          break;
        }
      }
    }
    REQUIRE(std::vector<Label>(index.row(a).begin(), index.row(a).end()) == want);
  }
  CHECK(all_features(3, 4).features() == 12);
  CHECK(all_features(3, 4).row(2)[3] == 3);
}

TEST_CASE("sorting by use keeps the data and leads with rows that are stored whole", "[model]") {
  Rng rng(2);
  for (Index min_count : {1, 3}) {
    RandomData r = make_data(rng, 300, 20, false);
    const RandomData before = r;
    sort_by_use(r.data, r.attributes, 20, min_count);
    std::map<std::string, Index> counts;
    for (auto a : before.data.attributes.columns) ++counts[std::string(before.attributes.name(a))];
    for (Index p = 0; p < 300; ++p) {
      std::multiset<std::string> was, is;
      for (auto a : before.data.attributes.row(p)) {
        if (counts[std::string(before.attributes.name(a))] >= min_count)
          was.emplace(before.attributes.name(a));
      }
      for (auto a : r.data.attributes.row(p)) is.emplace(r.attributes.name(a));
      REQUIRE(was == is);
    }
    const auto index =
        observed_features(transpose(r.data.attributes, r.attributes.size()), r.data.labels, 20);
    bool whole = true;
    for (Index a = 0; a < index.rows(); ++a) {
      const bool dense = static_cast<Index>(index.row(a).size()) >= dense_row_labels(20);
      REQUIRE((whole || !dense));
      whole = dense;
    }
  }
}

TEST_CASE("folding gives back the matrix it was made of", "[model]") {
  Rng rng(3);
  const RandomData r = make_data(rng, 2000, 4, false);
  const FoldedAttributes f = fold(r.data.attributes, r.attributes, kTemplates);
  CHECK(f.members.rows() > 0);
  CHECK(f.alone.entries() + f.contexts.entries() < r.data.attributes.entries() * 3 / 4);
  for (Index p = 0; p < 2000; ++p) {
    std::multiset<std::uint32_t> was(r.data.attributes.row(p).begin(), r.data.attributes.row(p).end());
    std::multiset<std::uint32_t> is(f.alone.row(p).begin(), f.alone.row(p).end());
    for (auto c : f.contexts.row(p)) is.insert(f.members.row(c).begin(), f.members.row(c).end());
    REQUIRE(was == is);
  }
  const RandomData valued = make_data(rng, 100, 4, true);
  CHECK(fold(valued.data.attributes, valued.attributes, kTemplates).contexts.entries() == 0);
}

// All the ways a term works, against sums written out in double.
TEST_CASE("sparse energies and gradients are the sums they stand for", "[model][kernels]") {
  Rng rng(4);
  for (bool valued : {false, true}) {
    for (bool all : {false, true}) {
      for (Index K : {1, 2, 3, 5, 9, 17, 22, 40, 70, 150}) {
        RandomData r = make_data(rng, 150, K, valued);
        sort_by_use(r.data, r.attributes, K, 1);
        const Index A = static_cast<Index>(r.attributes.size());
        const SparseMatrix by = transpose(r.data.attributes, A);
        const FeatureIndex index = all ? all_features(A, K) : observed_features(by, r.data.labels, K);
        const FoldedAttributes folded = fold(r.data.attributes, r.attributes, kTemplates);
        SparseLinear alone(index, K), training(index, K, &folded);
        std::vector<double> w(static_cast<std::size_t>(index.features()));
        for (double& x : w) x = static_cast<double>(static_cast<float>(rng.normal()));
        alone.assign(w, 1), training.assign(w, 3);

        TableBuffer<float> gradient(150, K);
        for (Index i = 0; i < 150 * K; ++i) gradient[0][i] = static_cast<float>(rng.normal());
        TableBuffer<double> want(150, K);
        std::vector<double> want_gradient(w.size(), 0.0);
        for (Index p = 0; p < 150; ++p) {
          const auto row = r.data.attributes.row(p);
          const auto values = r.data.attributes.row_values(p);
          for (std::size_t e = 0; e < row.size(); ++e) {
            const double v = valued ? static_cast<double>(values[e]) : 1.0;
            for (Index f = index.offsets[row[e]]; f < static_cast<Index>(index.offsets[row[e] + 1]); ++f) {
              want[p][index.labels[f]] -= v * w[f];
              want_gradient[f] -= v * static_cast<double>(gradient[p][index.labels[f]]);
            }
          }
        }
        const Block whole{r.data.sequences, &r.data.attributes};
        for (const SparseLinear* term : {&alone, &training}) {
          TableBuffer<float> out(150, K, 0.5f);  // energies are added
          term->energies(whole, out);
          for (Index i = 0; i < 150 * K; ++i)
            REQUIRE(out[0][i] == Approx(0.5 + want[0][i]).margin(1e-5).epsilon(1e-5));
          std::vector<double> into(w.size(), 0.25);
          term->pull_back(whole, gradient.view(), into, 2);
          for (std::size_t f = 0; f < w.size(); ++f) {
            REQUIRE(into[f] == Approx(0.25 + want_gradient[f]).margin(2e-5).epsilon(1e-5));
          }
        }
        // A block in the middle.
        if (r.data.size() < 3) continue;
        const Block part{std::span(r.data.sequences).subspan(1, 2), &r.data.attributes};
        TableBuffer<float> out(part.positions(), K);
        training.energies(part, out);
        for (Index i = 0; i < part.positions() * K; ++i) {
          REQUIRE(out[0][i] == Approx(want[part.begin()][i]).margin(1e-5).epsilon(1e-5));
        }
      }
    }
  }
}

TEST_CASE("a step down a gradient moves the weights that the gradient moves", "[model][kernels]") {
  Rng rng(7);
  for (bool valued : {false, true}) {
    for (Index K : {1, 3, 9, 22, 40, 150}) {
      RandomData r = make_data(rng, 150, K, valued);
      sort_by_use(r.data, r.attributes, K, 1);
      const FeatureIndex index =
          observed_features(transpose(r.data.attributes, r.attributes.size()), r.data.labels, K);
      SparseLinear alone(index, K), training(index, K, r.data.attributes);
      std::vector<double> w(static_cast<std::size_t>(index.features()));
      for (double& x : w) x = static_cast<double>(static_cast<float>(rng.normal()));
      alone.assign(w, 1), training.assign(w, 1);
      // Sequence by sequence over a block in the middle, so that rows are moved from where others left them.
      for (Index n = 1; n + 1 < r.data.size(); ++n) {
        const Block block{std::span(r.data.sequences).subspan(n, 2), &r.data.attributes};
        TableBuffer<float> gradient(block.positions(), K);
        for (Index i = 0; i < block.positions() * K; ++i) gradient[0][i] = static_cast<float>(rng.normal());
        std::vector<double> down(w.size(), 0.0);
        alone.pull_back(block, gradient.view(), down, 1);
        double grown = 0;
        for (std::size_t f = 0; f < w.size(); ++f) {
          const double moved = w[f] - 0.25 * down[f];
          grown += moved * moved - w[f] * w[f];
          w[f] = moved;
        }
        for (SparseLinear* term : {&alone, &training})
          REQUIRE(term->descend(block, gradient.view(), 0.25f) == Approx(grown).margin(1e-3).epsilon(1e-4));
      }
      for (const SparseLinear* term : {&alone, &training}) {
        std::vector<double> is(w.size());
        term->weights(is);
        for (std::size_t f = 0; f < w.size(); ++f) REQUIRE(is[f] == Approx(w[f]).margin(1e-4));
        SparseLinear fresh(index, K);
        fresh.assign(is, 1);  // lanes without a weight were left alone
        const Block whole{r.data.sequences, &r.data.attributes};
        TableBuffer<float> moved(150, K), assigned(150, K);
        term->energies(whole, moved), fresh.energies(whole, assigned);
        for (Index i = 0; i < 150 * K; ++i) REQUIRE(moved[0][i] == assigned[0][i]);
      }
    }
  }
}

TEST_CASE("a model without its zeros has the same energies", "[model]") {
  Rng rng(5);
  RandomData r = make_data(rng, 200, 9, false);
  sort_by_use(r.data, r.attributes, 9, 1);
  Model model;
  model.featurizer = Featurizer(kTemplates, Boundary::Marks);
  model.attributes = r.attributes;
  for (Index k = 0; k < 9; ++k) model.labels.add("L" + std::to_string(k));
  model.emissions = observed_features(transpose(r.data.attributes, r.attributes.size()), r.data.labels, 9);
  model.transitions = observed_transitions(r.data, 9);
  for (Index f = 0; f < model.features(); ++f) {
    model.weights.push_back(rng.below(3) ? 0.0 : static_cast<double>(static_cast<float>(rng.normal())));
  }
  const Model small = pruned(model);
  CHECK(small.features() ==
        std::count_if(model.weights.begin(), model.weights.end(), [](double w) { return w != 0; }));
  CHECK(small.attributes.size() < model.attributes.size());
  CHECK(std::count(small.weights.begin(), small.weights.end(), 0.0) == 0);
  Dataset renamed = r.data;
  renamed.attributes = {};
  for (Index p = 0; p < 200; ++p) {
    for (auto a : r.data.attributes.row(p)) {
      const auto now = small.attributes.find(model.attributes.name(a));
      if (now != Vocabulary::kUnknown) renamed.attributes.columns.push_back(now);
    }
    renamed.attributes.offsets.push_back(static_cast<Index>(renamed.attributes.columns.size()));
  }
  LinearChain big(model), little(small);
  TableBuffer<float> a(200, 9), b(200, 9);
  big.unary({r.data.sequences, &r.data.attributes}, a);
  little.unary({renamed.sequences, &renamed.attributes}, b);
  for (Index i = 0; i < 200 * 9; ++i) REQUIRE(a[0][i] == Approx(b[0][i]).margin(1e-5));
  for (Index i = 0; i < 81; ++i) REQUIRE(big.pairwise().data[i] == little.pairwise().data[i]);
}
