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

// Contexts that keep a weight, and those that longer ones begin with.
void prune_contexts(const Model& model, std::span<const double> w, Model& out) {
  std::vector<bool> used;
  const FeatureIndex kept = without_zeros(model.contexts.next, w, out.weights, used);
  const auto& strings = model.contexts.strings;
  const auto K = static_cast<std::uint32_t>(model.labels.size());
  for (std::size_t c = strings.size(); c-- > 0;) {
    if (used[c] && strings[c].prefix >= K) used[strings[c].prefix - K] = true;
  }
  std::vector<std::uint32_t> number(strings.size());
  for (std::size_t c = 0; c < strings.size(); ++c) {
    if (!used[c]) continue;
    const std::uint32_t prefix = strings[c].prefix;
    number[c] = K + static_cast<std::uint32_t>(out.contexts.strings.size());
    out.contexts.strings.push_back({prefix < K ? prefix : number[prefix - K], strings[c].last});
    const auto row = kept.row(static_cast<Index>(c));
    out.contexts.next.labels.insert(out.contexts.next.labels.end(), row.begin(), row.end());
    out.contexts.next.offsets.push_back(static_cast<std::uint32_t>(out.contexts.next.labels.size()));
  }
}

}  // namespace

Model pruned(const Model& model) {
  if (model.packed) return pruned(unpacked(model));
  Model out;
  out.featurizer = model.featurizer;
  out.labels = model.labels, out.encoding = model.encoding, out.storage = model.storage;
  out.constraints = model.constraints;
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
  prune_contexts(model, w.subspan(model.first_context_weight()), out);
  out.vector_columns = model.vector_columns;
  const auto vectors = w.subspan(model.first_vector_weight());
  out.weights.insert(out.weights.end(), vectors.begin(), vectors.end());
  return out;
}

namespace {

std::unique_ptr<LinearTerm> emission_term(const Model& model, const FoldedAttributes* data) {
  if (model.packed) return std::make_unique<PackedLinear>(*model.packed);
  return std::make_unique<SparseLinear>(model.emissions, model.labels.size(), data);
}

}  // namespace

LinearChain::LinearChain(const Model& model, const FoldedAttributes* data)
    : LinearChain(model, emission_term(model, data)) {}

LinearChain::LinearChain(const Model& model, const SparseMatrix& rows)
    : LinearChain(model, std::make_unique<SparseLinear>(model.emissions, model.labels.size(), rows)) {}

LinearChain::LinearChain(const Model& model, std::unique_ptr<LinearTerm> emissions)
    : labels_(static_cast<Index>(model.labels.size())), shares_pairwise_(model.pairs.features() == 0) {
  place(unary_terms_, std::move(emissions));
  first_pairwise_ = parameters_;
  place(pairwise_terms_, std::make_unique<Transitions>(model.transitions, labels_));
  if (!shares_pairwise_) place(pairwise_terms_, std::make_unique<PairLinear>(model.pairs, labels_));
  if (!model.constraints.empty()) place(pairwise_terms_, std::make_unique<LegalPairs>(model.constraints));
  if (!model.contexts.empty()) {
    histories_ = std::make_unique<const Histories>(labels_, model.contexts.strings);
    std::vector<State> rows;
    for (Index c = 0; c < model.contexts.next.rows(); ++c) rows.push_back(histories_->of_context(c));
    place(history_terms_,
          std::make_unique<Transitions>(model.contexts.next, labels_, std::move(rows), histories_->states()));
  }
  pairwise_parameters_ = parameters_ - first_pairwise_;
  if (model.vector_columns > 0)
    place(unary_terms_, std::make_unique<DenseLinear>(model.vector_columns, labels_));
  if (!model.constraints.empty()) place(unary_terms_, std::make_unique<LegalEnds>(model.constraints));
  assign(model.weights);
}

void LinearChain::place(std::vector<Placed>& terms, std::unique_ptr<LinearTerm> term) {
  const Index at = parameters_;
  parameters_ += term->parameters();
  terms.push_back({at, std::move(term)});
}

void LinearChain::raise(std::span<const float> by) {
  if (!by.empty()) place(unary_terms_, std::make_unique<LabelOffsets>(std::vector(by.begin(), by.end())));
}

void LinearChain::assign(std::span<const double> w, int threads) {
  for (auto* terms : {&unary_terms_, &pairwise_terms_, &history_terms_}) {
    for (Placed& one : *terms) one.term->assign(w.subspan(one.at, one.term->parameters()), threads);
  }
  refresh_pairwise();
}

// The tables of a block, whose rows are histories where there are such: a single label's row is that of the
// pairwise terms.
void LinearChain::add_pairs(const Block& block, Table<float> out, TableBuffer<float>& plain) const {
  if (!histories_) {
    for (const Placed& one : pairwise_terms_) one.term->energies(block, out);
    return;
  }
  const Table<float> tables = plain.resize(out.rows, labels_ * labels_);
  for (const Placed& one : pairwise_terms_) one.term->energies(block, tables);
  for (const Placed& one : history_terms_) one.term->energies(block, out);
  for (Index p = 0; p < out.rows; ++p) {
    for (Index i = 0; i < labels_; ++i) {
      const float* row = tables[p] + i * labels_;
      std::copy(row, row + labels_, out[p] + histories_->start(static_cast<Label>(i)) * labels_);
    }
    histories_->add_suffixes(out[p], labels_);
  }
}

void LinearChain::refresh_pairwise() {
  const Index S = histories_ ? histories_->states() : labels_;
  pairwise_.resize(1, S * labels_);
  if (shares_pairwise_) add_pairs({}, pairwise_, plain_);
}

void LinearChain::pairwise(const Block& block, TableBuffer<float>& storage,
                           TableBuffer<float>& scratch) const {
  add_pairs(block, storage.resize(static_cast<Index>(block.tables.size()), pairwise_.columns()), scratch);
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

namespace {

// The transpose of what LinearChain::add_pairs does with histories: what a history's row means for its
// suffixes goes to them, and the rows of single labels to `plain`.
void fold(const Histories& histories, Table<float> gradient, Table<float> plain) {
  const Index K = histories.labels();
  for (Index p = 0; p < gradient.rows; ++p) {
    histories.add_to_suffixes(gradient[p], K);
    for (Index i = 0; i < K; ++i) {
      const float* row = gradient[p] + histories.start(static_cast<Label>(i)) * K;
      std::copy(row, row + K, plain[p] + i * K);
    }
  }
}

}  // namespace

void LinearChain::pull_back_pairwise(const Block& block, Table<const float> gradient,
                                     std::span<double> into) const {
  const auto pull_back = [&](const std::vector<Placed>& terms, Table<const float> part) {
    for (const Placed& one : terms)
      one.term->pull_back(block, part, into.subspan(one.at - first_pairwise_, one.term->parameters()), 1);
  };
  if (!histories_) return pull_back(pairwise_terms_, gradient);
  TableBuffer<float> folded(gradient.rows, gradient.columns), plain(gradient.rows, labels_ * labels_);
  std::copy_n(gradient.data, gradient.size(), folded[0]);
  fold(*histories_, folded, plain);
  pull_back(pairwise_terms_, plain.view());
  pull_back(history_terms_, folded.view());
}

ChainBlock<float> ChainEnergies::of(const LinearChain& chain, const Dataset& data, Index first, Index last) {
  block_ = {std::span(data.sequences).subspan(first, last - first + 1), &data.attributes,
            data.vector_table()};
  chain.unary(block_, unary_.resize(block_.positions(), chain.labels()));
  pairs_.clear();
  if (chain.shares_pairwise()) return {unary_, chain.pairwise(), {}, block_.sequences, chain.histories()};
  for (Index n = first; n < last; ++n) pairs_.add(data, n);
  block_.pair_rows = &data.pairs.rows(), block_.tables = pairs_.tables();
  chain.pairwise(block_, pairwise_, scratch_);
  return {unary_, pairwise_, pairs_.which(), block_.sequences, chain.histories()};
}

double LinearChain::descend(const Block& block, Table<const float> unary_gradient,
                            Table<const float> pairwise_gradient, float step) {
  double grown = 0;
  for (Placed& one : unary_terms_) grown += one.term->descend(block, unary_gradient, step);
  if (histories_) {
    TableBuffer<float> folded(pairwise_gradient.rows, pairwise_gradient.columns),
        plain(pairwise_gradient.rows, labels_ * labels_);
    std::copy_n(pairwise_gradient.data, pairwise_gradient.size(), folded[0]);
    fold(*histories_, folded, plain);
    for (Placed& one : pairwise_terms_) grown += one.term->descend(block, plain.view(), step);
    for (Placed& one : history_terms_) grown += one.term->descend(block, folded.view(), step);
  } else {
    for (Placed& one : pairwise_terms_) grown += one.term->descend(block, pairwise_gradient, step);
  }
  refresh_pairwise();
  return grown;
}

void LinearChain::weights(std::span<double> w) const {
  for (const auto* terms : {&unary_terms_, &pairwise_terms_, &history_terms_}) {
    for (const Placed& one : *terms) one.term->weights(w.subspan(one.at, one.term->parameters()));
  }
}

}  // namespace thalweg
