#include "thalweg/model/feature_index.h"

#include <algorithm>
#include <numeric>

namespace thalweg {

SparseMatrix transpose(const SparseMatrix& matrix, Index columns) {
  SparseMatrix t;
  t.offsets.assign(static_cast<std::size_t>(columns) + 1, 0);
  for (std::uint32_t c : matrix.columns) ++t.offsets[c + 1];
  std::partial_sum(t.offsets.begin(), t.offsets.end(), t.offsets.begin());
  t.columns.resize(matrix.columns.size()), t.values.resize(matrix.values.size());
  std::vector<Index> next(t.offsets.begin(), t.offsets.end() - 1);
  for (Index r = 0; r < matrix.rows(); ++r) {
    for (Index e = matrix.offsets[r]; e < matrix.offsets[r + 1]; ++e) {
      const Index to = next[matrix.columns[e]]++;
      t.columns[to] = static_cast<std::uint32_t>(r);
      if (!matrix.values.empty()) t.values[to] = matrix.values[e];
    }
  }
  return t;
}

namespace {

// Closes a row of `index` with the labels marked in `seen`, and clears the marks.
void close_row(std::vector<char>& seen, std::vector<Label>& touched, FeatureIndex& index) {
  std::sort(touched.begin(), touched.end());
  for (Label l : touched) index.labels.push_back(l), seen[l] = 0;
  touched.clear();
  index.offsets.push_back(static_cast<std::uint32_t>(index.labels.size()));
}

}  // namespace

namespace {

// each_label(p, see) calls see(l) for the labels of position p.
template <class EachLabel>
FeatureIndex observed(const SparseMatrix& by_attribute, Index K, EachLabel each_label) {
  FeatureIndex index;
  std::vector<char> seen(static_cast<std::size_t>(K), 0);
  std::vector<Label> touched;
  for (Index a = 0; a < by_attribute.rows(); ++a) {
    for (std::uint32_t p : by_attribute.row(a)) {
      each_label(p, [&](Label l) {
        if (!seen[l]) seen[l] = 1, touched.push_back(l);
      });
    }
    close_row(seen, touched, index);
  }
  return index;
}

// Calls see(p, y_p, y_{p+1}) for all that every pair of neighbours may be.
template <class See>
void for_each_pair(const Dataset& data, Index K, See see) {
  for (Index n = 0; n < data.size(); ++n) {
    for (Index p = data.sequences[n]; p + 1 < data.sequences[n + 1]; ++p) {
      data.each_choice(p, K, [&](Label i) { data.each_choice(p + 1, K, [&](Label j) { see(p, i, j); }); });
    }
  }
}

using RowLabels = std::vector<std::pair<std::uint32_t, Label>>;

void make_distinct(RowLabels& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

// Rows of pairs with their label pairs. Open answers have very many of them, so they are made distinct on the
// way.
RowLabels observed_rows(const Dataset& data, Index K) {
  constexpr std::size_t kMany = std::size_t{1} << 22;
  RowLabels by_row;
  std::size_t limit = kMany;
  if (data.pairs.empty()) return by_row;
  for_each_pair(data, K, [&](Index p, Label i, Label j) {
    by_row.emplace_back(data.pairs.which()[p], static_cast<Label>(i * K + j));
    if (by_row.size() < limit) return;
    make_distinct(by_row);
    limit = std::max(kMany, 2 * by_row.size());
  });
  make_distinct(by_row);
  return by_row;
}

}  // namespace

FeatureIndex observed_features(const SparseMatrix& by_attribute, std::span<const Label> labels, Index K) {
  return observed(by_attribute, K, [&](std::uint32_t p, auto see) {
    if (labels[p] != kNoLabel) see(labels[p]);
  });
}

FeatureIndex observed_features(const SparseMatrix& by_attribute, const Dataset& data, Index K) {
  if (data.choices.empty()) return observed_features(by_attribute, data.labels, K);
  return observed(by_attribute, K, [&](std::uint32_t p, auto see) { data.each_choice(p, K, see); });
}

FeatureIndex observed_transitions(const Dataset& data, Index K) {
  std::vector<char> pairs(static_cast<std::size_t>(K * K), 0);
  for_each_pair(data, K, [&](Index, Label i, Label j) { pairs[i * K + j] = 1; });
  FeatureIndex index;
  for (Index i = 0; i < K; ++i) {
    for (Index j = 0; j < K; ++j) {
      if (pairs[i * K + j]) index.labels.push_back(static_cast<Label>(j));
    }
    index.offsets.push_back(static_cast<std::uint32_t>(index.labels.size()));
  }
  return index;
}

FeatureIndex observed_pairs(const Dataset& data, Index pair_attributes, Index K) {
  RowLabels features;
  for (const auto& [row, pair] : observed_rows(data, K)) {
    for (std::uint32_t a : data.pairs.rows().row(row)) features.emplace_back(a, pair);
  }
  make_distinct(features);
  FeatureIndex index;
  index.offsets.assign(static_cast<std::size_t>(pair_attributes) + 1, 0);
  for (const auto& [a, pair] : features) ++index.offsets[a + 1], index.labels.push_back(pair);
  std::partial_sum(index.offsets.begin(), index.offsets.end(), index.offsets.begin());
  return index;
}

FeatureIndex all_features(Index rows, Index K) {
  FeatureIndex index;
  index.labels.resize(static_cast<std::size_t>(rows * K));
  for (Index r = 0; r < rows; ++r) {
    std::iota(index.labels.begin() + r * K, index.labels.begin() + (r + 1) * K, Label{0});
    index.offsets.push_back(static_cast<std::uint32_t>((r + 1) * K));
  }
  return index;
}

void sort_by_use(Dataset& data, Vocabulary& attributes, Index K, Index min_count) {
  const auto A = static_cast<std::size_t>(attributes.size());
  std::vector<std::uint32_t> counts(A, 0), order, kinds(A, 0);
  {
    // Distinct labels of each attribute: the transpose is big, and gone before anything else is made.
    const SparseMatrix by_attribute = transpose(data.attributes, static_cast<Index>(A));
    std::vector<std::uint32_t> last_seen(static_cast<std::size_t>(K), 0);
    for (std::uint32_t a = 0; a < A; ++a) {
      counts[a] = static_cast<std::uint32_t>(by_attribute.row(a).size());
      for (std::uint32_t p : by_attribute.row(a)) {
        data.each_choice(p, K, [&](Label l) {
          if (last_seen[l] != a + 1) last_seen[l] = a + 1, ++kinds[a];
        });
      }
    }
  }
  for (std::uint32_t a = 0; a < A; ++a) {
    if (static_cast<Index>(counts[a]) >= min_count) order.push_back(a);
  }
  auto dense = [&](std::uint32_t a) { return static_cast<Index>(kinds[a]) >= dense_row_labels(K); };
  const auto rare = std::stable_partition(order.begin(), order.end(), dense);
  std::stable_sort(order.begin(), rare, [&](auto a, auto b) { return counts[a] > counts[b]; });

  Vocabulary sorted;
  std::vector<std::uint32_t> renumbered(A, Vocabulary::kUnknown);
  for (std::uint32_t a : order) renumbered[a] = sorted.add(attributes.name(a));
  attributes = std::move(sorted);

  SparseMatrix& m = data.attributes;
  const bool weighted = !m.values.empty();
  std::vector<std::pair<std::uint32_t, float>> row;
  Index to = 0, from = 0;
  for (Index r = 0; r < m.rows(); ++r) {
    const Index end = m.offsets[r + 1];
    row.clear();
    for (; from < end; ++from) {
      const std::uint32_t a = renumbered[m.columns[from]];
      if (a != Vocabulary::kUnknown) row.emplace_back(a, weighted ? m.values[from] : 1.f);
    }
    std::sort(row.begin(), row.end(), [](auto& x, auto& y) { return x.first < y.first; });
    for (const auto& [a, value] : row) {
      m.columns[to] = a;
      if (weighted) m.values[to] = value;
      ++to;
    }
    m.offsets[r + 1] = to;
  }
  m.columns.resize(to);
  if (weighted) m.values.resize(to);
}

void drop_rare_pairs(Dataset& data, Vocabulary& pair_attributes, Index min_count) {
  if (data.pairs.empty()) return;  // no template asks about pairs
  const DistinctRows old = std::move(data.pairs);
  std::vector<Index> counts(pair_attributes.size(), 0);
  for (Index n = 0; n < data.size(); ++n) {
    for (Index p = data.sequences[n]; p + 1 < data.sequences[n + 1]; ++p) {
      for (std::uint32_t a : old.rows().row(old.which()[p])) ++counts[a];
    }
  }
  Vocabulary kept;
  std::vector<std::uint32_t> renumbered(counts.size(), Vocabulary::kUnknown), columns;
  for (std::uint32_t a = 0; a < counts.size(); ++a) {
    if (counts[a] >= min_count) renumbered[a] = kept.add(pair_attributes.name(a));
  }
  std::vector<float> values;
  data.pairs.clear();
  for (Index n = 0; n < data.size(); ++n) {
    for (Index p = data.sequences[n]; p < data.sequences[n + 1]; ++p) {
      if (p + 1 == data.sequences[n + 1]) {
        data.pairs.skip();
        continue;
      }
      const auto row = old.rows().row(old.which()[p]);
      const auto row_values = old.rows().row_values(old.which()[p]);
      columns.clear(), values.clear();
      for (std::size_t e = 0; e < row.size(); ++e) {
        if (renumbered[row[e]] == Vocabulary::kUnknown) continue;
        columns.push_back(renumbered[row[e]]);
        if (!row_values.empty()) values.push_back(row_values[e]);
      }
      data.pairs.add(columns, values);
    }
  }
  pair_attributes = std::move(kept);
}

}  // namespace thalweg
