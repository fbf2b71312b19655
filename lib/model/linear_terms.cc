#include "thalweg/model/linear_terms.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "model/dense_kernels.h"
#include "model/row_plan.h"
#include "model/sparse_kernels.h"
#include "thalweg/core/parallel.h"

namespace thalweg {
namespace {

using detail::SparseWeight;
static_assert(sizeof(SparseWeight) == sizeof(std::uint64_t));

std::uint64_t pack(Label label, float weight) {
  return std::bit_cast<std::uint64_t>(SparseWeight{label, weight});
}

detail::SparseRows rows_of(const SparseMatrix& m) {
  return {m.offsets.data(), m.columns.data(), m.values.empty() ? nullptr : m.values.data()};
}

constexpr Index kRowsPerChunk = 1024;

}  // namespace

SparseLinear::SparseLinear(const FeatureIndex& index, Index K, const FoldedAttributes* data)
    : LinearTerm(index.features()),
      index_(index),
      data_(data),
      labels_(K),
      stride_(detail::sparse_kernels().stride(K)),
      positions_(std::make_unique<detail::Plan>()),
      contexts_(std::make_unique<detail::Plan>()) {
  while (dense_rows_ < index.rows() &&
         static_cast<Index>(index.row(dense_rows_).size()) >= dense_row_labels(K)) {
    ++dense_rows_;
  }
  const Index contexts = data ? data->members.rows() : 0;
  dense_.assign(static_cast<std::size_t>((dense_rows_ + contexts) * stride_), 0.f);
  sparse_.resize(static_cast<std::size_t>(index.features()) - index.offsets[dense_rows_]);
  if (!data) return;
  contexts_->add(rows(), data->members, 0, contexts);
  for (Index p = 0; p < data->alone.rows(); ++p) {
    positions_->add(rows(), data->alone, p, p + 1);
    SparseMatrix& whole = positions_->rows;
    for (std::uint32_t c : data->contexts.row(p))
      whole.columns.push_back(static_cast<std::uint32_t>(dense_rows_) + c);
    whole.offsets.back() = static_cast<Index>(whole.columns.size());
  }
}

SparseLinear::SparseLinear(const FeatureIndex& index, Index K, const SparseMatrix& rows)
    : SparseLinear(index, K) {
  positions_->add(this->rows(), rows, 0, rows.rows());
}

SparseLinear::~SparseLinear() = default;

detail::RowLayout SparseLinear::rows() const { return {index_.offsets.data(), dense_rows_}; }

detail::SparseLayout SparseLinear::layout() const {
  return {labels_, stride_, dense_rows_, dense_.data(),
          reinterpret_cast<const SparseWeight*>(sparse_.data())};
}

void SparseLinear::assign(std::span<const double> w, int threads) {
  const Index first = index_.offsets[dense_rows_];
  for (Index a = 0; a < dense_rows_; ++a) {
    for (Index f = index_.offsets[a]; f < static_cast<Index>(index_.offsets[a + 1]); ++f) {
      dense_[a * stride_ + index_.labels[f]] = static_cast<float>(w[f]);
    }
  }
  for (Index f = first; f < index_.features(); ++f) {
    sparse_[f - first] = pack(index_.labels[f], static_cast<float>(w[f]));
  }
  if (!data_) return;
  float* const sums = dense_.data() + dense_rows_ * stride_;
  std::fill(sums, dense_.data() + dense_.size(), 0.f);
  parallel_chunks(data_->members.rows(), kRowsPerChunk, threads, [&](Index begin, Index end, int) {
    detail::sparse_kernels().gather(layout(), contexts_->raw(), begin, end, 1, sums + begin * stride_,
                                    stride_);
  });
}

// What the positions of a block read: rows of the plan from `begin` on.
const detail::Plan& SparseLinear::plan_of(const Block& block, Index& begin) const {
  const bool planned = positions_->rows.rows() > 0;
  begin = planned ? block.begin() : 0;
  if (planned) return *positions_;
  static thread_local detail::Plan plan;  // warm after the first sentences
  plan.clear();
  plan.add(rows(), *block.attributes, block.begin(), block.begin() + block.positions());
  // A sentence's memory is asked for all at once, instead of a few rows ahead of the sums.
  for (const std::uint32_t row : plan.rows.columns) {
    const float* const weights = dense_.data() + static_cast<Index>(row) * stride_;
    __builtin_prefetch(weights), __builtin_prefetch(weights + stride_ - 1);
  }
  for (const std::uint32_t pair : plan.pairs.columns) __builtin_prefetch(sparse_.data() + pair);
  return plan;
}

void SparseLinear::energies(const Block& block, Table<float> out) const {
  Index begin = 0;
  const detail::Plan& plan = plan_of(block, begin);
  detail::sparse_kernels().gather(layout(), plan.raw(), begin, begin + block.positions(), -1, out.data,
                                  labels_);
}

detail::SparseTarget SparseLinear::target() {
  const Index words = (stride_ + 31) / 32;
  if (masks_.empty()) {
    masks_.assign(static_cast<std::size_t>(dense_rows_ * words), 0);
    for (Index a = 0; a < dense_rows_; ++a) {
      for (Label l : index_.row(a)) masks_[a * words + l / 32] |= 1u << l % 32;
    }
  }
  return {labels_,       stride_,       words,
          dense_.data(), masks_.data(), reinterpret_cast<SparseWeight*>(sparse_.data())};
}

double SparseLinear::descend(const Block& block, Table<const float> part_gradient, float step) {
  Index begin = 0;
  const detail::Plan& plan = plan_of(block, begin);
  return detail::sparse_kernels().move(target(), plan.raw(), begin, begin + block.positions(), step,
                                       part_gradient.data);
}

void SparseLinear::weights(std::span<double> w) const {
  for (Index a = 0; a < dense_rows_; ++a) {
    for (Index f = index_.offsets[a]; f < static_cast<Index>(index_.offsets[a + 1]); ++f)
      w[f] = static_cast<double>(dense_[a * stride_ + index_.labels[f]]);
  }
  const Index first = index_.offsets[dense_rows_];
  for (Index f = first; f < index_.features(); ++f)
    w[f] = static_cast<double>(std::bit_cast<SparseWeight>(sparse_[f - first]).weight);
}

void SparseLinear::pull_back(const Block& block, Table<const float> part_gradient, std::span<double> into,
                             int threads) const {
  if (data_) return pull_back_all(part_gradient, into, threads);
  for (Index p = 0; p < block.positions(); ++p) {
    const auto columns = block.attributes->row(block.begin() + p);
    const auto values = block.attributes->row_values(block.begin() + p);
    for (std::size_t e = 0; e < columns.size(); ++e) {
      const double value = values.empty() ? 1.0 : static_cast<double>(values[e]);
      for (Index f = index_.offsets[columns[e]]; f < static_cast<Index>(index_.offsets[columns[e] + 1]);
           ++f) {
        into[f] -= value * static_cast<double>(part_gradient[p][index_.labels[f]]);
      }
    }
  }
}

void SparseLinear::pull_back_all(Table<const float> gradient, std::span<double> into, int threads) const {
  const auto& kernels = detail::sparse_kernels();
  TableBuffer<float> contexts(data_->members.rows(), labels_);
  const auto by_context = rows_of(data_->by_context);
  parallel_chunks(contexts.rows(), kRowsPerChunk, threads, [&](Index begin, Index end, int) {
    kernels.sum_rows(layout(), by_context, begin, end, gradient.data, contexts[0]);
  });
  const auto alone = rows_of(data_->by_attribute), members = rows_of(data_->by_member);
  const detail::FeatureRows features{index_.offsets.data(), index_.labels.data()};
  parallel_chunks(index_.rows(), kRowsPerChunk, threads, [&](Index begin, Index end, int) {
    kernels.reduce(layout(), alone, features, begin, end, gradient.data, into.data());
    kernels.reduce(layout(), members, features, begin, end, contexts[0], into.data());
  });
}

DenseLinear::DenseLinear(Index columns, Index K)
    : LinearTerm(columns * K), columns_(columns), labels_(K), stride_(detail::dense_kernels().stride(K)) {
  weights_.assign(static_cast<std::size_t>(columns * stride_), 0.f);
}

void DenseLinear::assign(std::span<const double> w, int) {
  for (Index d = 0; d < columns_; ++d) {
    for (Index l = 0; l < labels_; ++l) weights_[d * stride_ + l] = static_cast<float>(w[d * labels_ + l]);
  }
}

void DenseLinear::energies(const Block& block, Table<float> out) const {
  detail::dense_kernels().multiply(block.vectors[block.begin()], block.positions(), columns_, weights_.data(),
                                   labels_, stride_, out.data);
}

// In tiles of positions, whose gradients lie padded in cache and whose sums are float; tiles add up in
// double.
void DenseLinear::pull_back_columns(const Block& block, Table<const float> part_gradient, Index begin,
                                    Index end, AlignedVector<float>& padded, std::span<double> into) const {
  constexpr Index kPositions = 256;
  padded.resize(static_cast<std::size_t>(kPositions * stride_), 0.f);
  for (Index p = 0; p < block.positions(); p += kPositions) {
    const Index rows = std::min(kPositions, block.positions() - p);
    for (Index r = 0; r < rows; ++r) std::copy_n(part_gradient[p + r], labels_, &padded[r * stride_]);
    detail::dense_kernels().multiply_transposed(block.vectors[block.begin() + p], rows, columns_, begin, end,
                                                padded.data(), labels_, stride_, into.data());
  }
}

void DenseLinear::pull_back(const Block& block, Table<const float> part_gradient, std::span<double> into,
                            int threads) const {
  constexpr Index kColumns = 16;
  parallel_chunks(columns_, kColumns, threads, [&](Index begin, Index end, int) {
    AlignedVector<float> padded;
    pull_back_columns(block, part_gradient, begin, end, padded, into);
  });
}

double DenseLinear::descend(const Block& block, Table<const float> part_gradient, float step) {
  gradient_.assign(static_cast<std::size_t>(parameters()), 0.0);
  pull_back_columns(block, part_gradient, 0, columns_, padded_, gradient_);
  double grown = 0;
  for (Index d = 0; d < columns_; ++d) {
    for (Index l = 0; l < labels_; ++l) {
      float& w = weights_[d * stride_ + l];
      const double before = static_cast<double>(w);
      w = static_cast<float>(before - static_cast<double>(step) * gradient_[d * labels_ + l]);
      const double after = static_cast<double>(w);
      grown += after * after - before * before;
    }
  }
  return grown;
}

void DenseLinear::weights(std::span<double> w) const {
  for (Index d = 0; d < columns_; ++d) {
    for (Index l = 0; l < labels_; ++l) w[d * labels_ + l] = static_cast<double>(weights_[d * stride_ + l]);
  }
}

Transitions::Transitions(const FeatureIndex& index, Index K) : Transitions(index, K, {}, K) {
  rows_.resize(static_cast<std::size_t>(index.rows()));
  std::iota(rows_.begin(), rows_.end(), State{0});
}

// Calls visit(feature, cell of a table).
template <class Visit>
void Transitions::for_each_cell(Visit visit) const {
  for (Index i = 0; i < index_.rows(); ++i) {
    for (Index f = index_.offsets[i]; f < static_cast<Index>(index_.offsets[i + 1]); ++f)
      visit(f, rows_[i] * labels_ + index_.labels[f]);
  }
}

void Transitions::energies(const Block&, Table<float> out) const {
  for (Index table = 0; table < out.rows; ++table)
    for_each_cell([&](Index f, Index cell) { out[table][cell] -= static_cast<float>(weights_[f]); });
}

void Transitions::pull_back(const Block&, Table<const float> part_gradient, std::span<double> into,
                            int) const {
  for (Index table = 0; table < part_gradient.rows; ++table)
    for_each_cell([&](Index f, Index cell) { into[f] -= static_cast<double>(part_gradient[table][cell]); });
}

double Transitions::descend(const Block&, Table<const float> part_gradient, float step) {
  double grown = 0;
  for_each_cell([&](Index f, Index cell) {
    double along = 0;
    for (Index c = 0; c < part_gradient.rows; ++c) along += static_cast<double>(part_gradient[c][cell]);
    const double by = static_cast<double>(step) * along;
    grown += by * (2 * weights_[f] + by);
    weights_[f] += by;
  });
  return grown;
}

namespace {

// Calls visit(table, feature, value) for all that the tables of a block are made of, in order.
template <class Visit>
void for_each_pair_feature(const Block& block, const FeatureIndex& index, Visit visit) {
  for (std::size_t table = 0; table < block.tables.size(); ++table) {
    const auto attributes = block.pair_rows->row(block.tables[table]);
    const auto values = block.pair_rows->row_values(block.tables[table]);
    for (std::size_t e = 0; e < attributes.size(); ++e) {
      const double value = values.empty() ? 1.0 : static_cast<double>(values[e]);
      for (std::uint32_t f = index.offsets[attributes[e]]; f < index.offsets[attributes[e] + 1]; ++f) {
        visit(static_cast<Index>(table), f, value);
      }
    }
  }
}

}  // namespace

void PairLinear::energies(const Block& block, Table<float> out) const {
  for_each_pair_feature(block, index_, [&](Index table, std::uint32_t f, double value) {
    out[table][index_.labels[f]] -= static_cast<float>(value * weights_[f]);
  });
}

void PairLinear::pull_back(const Block& block, Table<const float> part_gradient, std::span<double> into,
                           int) const {
  for_each_pair_feature(block, index_, [&](Index table, std::uint32_t f, double value) {
    into[f] -= value * static_cast<double>(part_gradient[table][index_.labels[f]]);
  });
}

double PairLinear::descend(const Block& block, Table<const float> part_gradient, float step) {
  double grown = 0;
  for_each_pair_feature(block, index_, [&](Index table, std::uint32_t f, double value) {
    const double by =
        value * static_cast<double>(step) * static_cast<double>(part_gradient[table][index_.labels[f]]);
    grown += by * (2 * weights_[f] + by);
    weights_[f] += by;
  });
  return grown;
}

void LabelOffsets::energies(const Block&, Table<float> out) const {
  for (Index p = 0; p < out.rows; ++p) {
    for (Index l = 0; l < out.columns; ++l) out[p][l] += offsets_[static_cast<std::size_t>(l)];
  }
}

void LegalEnds::energies(const Block& block, Table<float> out) const {
  const Label K = static_cast<Label>(constraints_.labels()), boundary = constraints_.boundary();
  for (std::size_t n = 0; n + 1 < block.sequences.size(); ++n) {
    const Index first = block.sequences[n] - block.begin(), end = block.sequences[n + 1] - block.begin();
    if (first == end) continue;
    for (Label l = 0; l < K; ++l) {
      if (!constraints_.allows(boundary, l)) out[first][l] = kInfinity<float>;
      if (!constraints_.allows(l, boundary)) out[end - 1][l] = kInfinity<float>;
    }
  }
}

void LegalPairs::energies(const Block&, Table<float> out) const {
  const Label K = static_cast<Label>(constraints_.labels());
  for (Label i = 0; i < K; ++i) {
    for (Label j = 0; j < K; ++j) {
      if (constraints_.allows(i, j)) continue;
      for (Index table = 0; table < out.rows; ++table) out[table][i * K + j] = kInfinity<float>;
    }
  }
}

}  // namespace thalweg
