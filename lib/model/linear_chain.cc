#include "thalweg/model/linear_chain.h"

#include <algorithm>

#include "thalweg/model/linear_terms.h"

namespace thalweg {
namespace {

// Drops the features of weight 0 from an index, their weights from `w`, and says which rows keep one.
FeatureIndex without_zeros(const FeatureIndex& index, std::span<const double> w, std::vector<double>& kept,
                           std::vector<bool>& used) {
  FeatureIndex out;
  for (Index r = 0; r < index.rows(); ++r) {
    for (Index f = index.offsets[r]; f < static_cast<Index>(index.offsets[r + 1]); ++f) {
      if (w[f] != 0) out.labels.push_back(index.labels[f]), kept.push_back(w[f]);
    }
    used.push_back(static_cast<Index>(out.labels.size()) > static_cast<Index>(out.offsets.back()));
    out.offsets.push_back(static_cast<std::uint32_t>(out.labels.size()));
  }
  return out;
}

}  // namespace

Model pruned(const Model& model) {
  Model out;
  out.featurizer = model.featurizer;
  out.labels = model.labels, out.storage = model.storage;
  std::vector<bool> used, any;
  const std::span<const double> w(model.weights);
  const FeatureIndex kept =
      without_zeros(model.emissions, w.first(model.emissions.features()), out.weights, used);
  // Rows stored whole lead (feature_index.h), also when pruning has thinned some of them.
  const Index dense = dense_row_labels(model.labels.size());
  std::vector<Index> order;
  for (Index a = 0; a < kept.rows(); ++a) {
    if (used[a]) order.push_back(a);
  }
  std::stable_partition(order.begin(), order.end(),
                        [&](Index a) { return static_cast<Index>(kept.row(a).size()) >= dense; });
  std::vector<double> emission_weights;
  emission_weights.reserve(out.weights.size());
  for (Index a : order) {
    const auto row = kept.row(a);
    out.attributes.add(model.attributes.name(static_cast<std::uint32_t>(a)));
    out.emissions.labels.insert(out.emissions.labels.end(), row.begin(), row.end());
    out.emissions.offsets.push_back(static_cast<std::uint32_t>(out.emissions.labels.size()));
    emission_weights.insert(emission_weights.end(), out.weights.begin() + kept.offsets[a],
                            out.weights.begin() + kept.offsets[a + 1]);
  }
  out.weights = std::move(emission_weights);
  out.transitions = without_zeros(model.transitions, w.subspan(model.emissions.features()), out.weights, any);
  any.clear();
  const Index first_pair = model.emissions.features() + model.transitions.features();
  const FeatureIndex pairs = without_zeros(model.pairs, w.subspan(first_pair), out.weights, any);
  out.pairs.labels = pairs.labels;
  for (Index b = 0; b < pairs.rows(); ++b) {
    if (!any[b]) continue;
    out.pair_attributes.add(model.pair_attributes.name(static_cast<std::uint32_t>(b)));
    out.pairs.offsets.push_back(pairs.offsets[b + 1]);
  }
  out.vector_columns = model.vector_columns;
  const auto vectors = w.subspan(model.first_vector_weight());
  out.weights.insert(out.weights.end(), vectors.begin(), vectors.end());
  return out;
}

LinearChain::LinearChain(const Model& model, const FoldedAttributes* data)
    : LinearChain(model, std::make_unique<SparseLinear>(model.emissions, model.labels.size(), data)) {}

LinearChain::LinearChain(const Model& model, const SparseMatrix& rows)
    : LinearChain(model, std::make_unique<SparseLinear>(model.emissions, model.labels.size(), rows)) {}

LinearChain::LinearChain(const Model& model, std::unique_ptr<LinearTerm> emissions)
    : labels_(static_cast<Index>(model.labels.size())), shares_pairwise_(model.pairs.features() == 0) {
  place(unary_terms_, std::move(emissions));
  first_pairwise_ = parameters_;
  place(pairwise_terms_, std::make_unique<Transitions>(model.transitions, labels_));
  if (!shares_pairwise_) place(pairwise_terms_, std::make_unique<PairLinear>(model.pairs, labels_));
  pairwise_parameters_ = parameters_ - first_pairwise_;
  if (model.vector_columns > 0)
    place(unary_terms_, std::make_unique<DenseLinear>(model.vector_columns, labels_));
  assign(model.weights);
}

void LinearChain::place(std::vector<Placed>& terms, std::unique_ptr<LinearTerm> term) {
  const Index at = parameters_;
  parameters_ += term->parameters();
  terms.push_back({at, std::move(term)});
}

void LinearChain::assign(std::span<const double> w, int threads) {
  for (auto* terms : {&unary_terms_, &pairwise_terms_}) {
    for (Placed& one : *terms) one.term->assign(w.subspan(one.at, one.term->parameters()), threads);
  }
  refresh_pairwise();
}

void LinearChain::refresh_pairwise() {
  pairwise_.resize(1, labels_ * labels_);
  if (!shares_pairwise_) return;
  for (const Placed& one : pairwise_terms_) one.term->energies({}, pairwise_);
}

void LinearChain::pairwise(const Block& block, TableBuffer<float>& storage) const {
  const Table<float> tables = storage.resize(static_cast<Index>(block.tables.size()), labels_ * labels_);
  for (const Placed& one : pairwise_terms_) one.term->energies(block, tables);
}

void LinearChain::unary(const Block& block, Table<float> out) const {
  std::fill_n(out.data, out.size(), 0.f);
  for (const Placed& one : unary_terms_) one.term->energies(block, out);
}

void LinearChain::pull_back(const Block& block, Table<const float> unary_gradient,
                            Table<const float> pairwise_gradient, std::span<double> into, int threads) const {
  std::fill(into.begin(), into.end(), 0.0);
  pull_back_unary(block, unary_gradient, into, threads);
  pull_back_pairwise(block, pairwise_gradient, into.subspan(first_pairwise_, pairwise_parameters_));
}

void LinearChain::pull_back_unary(const Block& block, Table<const float> gradient, std::span<double> into,
                                  int threads) const {
  for (const Placed& one : unary_terms_)
    one.term->pull_back(block, gradient, into.subspan(one.at, one.term->parameters()), threads);
}

void LinearChain::pull_back_pairwise(const Block& block, Table<const float> gradient,
                                     std::span<double> into) const {
  for (const Placed& one : pairwise_terms_) {
    const auto part = into.subspan(one.at - first_pairwise_, one.term->parameters());
    one.term->pull_back(block, gradient, part, 1);
  }
}

ChainBlock<float> ChainEnergies::of(const LinearChain& chain, const Dataset& data, Index first, Index last) {
  block_ = {std::span(data.sequences).subspan(first, last - first + 1), &data.attributes,
            data.vector_table()};
  chain.unary(block_, unary_.resize(block_.positions(), chain.labels()));
  pairs_.clear();
  if (chain.shares_pairwise()) return {unary_, chain.pairwise(), {}, block_.sequences};
  for (Index n = first; n < last; ++n) pairs_.add(data, n);
  block_.pair_rows = &data.pairs.rows(), block_.tables = pairs_.tables();
  chain.pairwise(block_, pairwise_);
  return {unary_, pairwise_, pairs_.which(), block_.sequences};
}

double LinearChain::descend(const Block& block, Table<const float> unary_gradient,
                            Table<const float> pairwise_gradient, float step) {
  double grown = 0;
  for (Placed& one : unary_terms_) grown += one.term->descend(block, unary_gradient, step);
  for (Placed& one : pairwise_terms_) grown += one.term->descend(block, pairwise_gradient, step);
  refresh_pairwise();
  return grown;
}

void LinearChain::weights(std::span<double> w) const {
  for (const auto* terms : {&unary_terms_, &pairwise_terms_}) {
    for (const Placed& one : *terms) one.term->weights(w.subspan(one.at, one.term->parameters()));
  }
}

}  // namespace thalweg
