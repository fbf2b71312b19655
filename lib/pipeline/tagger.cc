#include "thalweg/pipeline/tagger.h"

#include <fmt/format.h>

#include "thalweg/core/error.h"
#include "thalweg/io/model_file.h"
#include "thalweg/pipeline/encoding.h"

namespace thalweg {

struct Tagger::Parts {
  Model model;
  LinearChain chain;
  Couplings<float> minima, sums;
  std::vector<std::string> labels;        // what people read, where the model's own names are others
  std::vector<std::vector<Label>> alike;  // labels that read the same

  explicit Parts(Model m) : model(packed(std::move(m))), chain(model) {
    if (model.encoding == Encoding::Bioes) read_bioes();
    minima.prepare_minima(chain.pairwise(), chain.labels(), chain.histories());
    sums.prepare_sums(chain.pairwise(), chain.labels(), 1.f, chain.histories());
  }
  void read_bioes();
};

void Tagger::Parts::read_bioes() {
  for (Label l = 0; l < model.labels.size(); ++l) labels.push_back(decode_bioes(model.labels.name(l)));
  alike.resize(labels.size());
  for (Label l = 0; l < labels.size(); ++l) {
    for (Label other = 0; other < labels.size(); ++other) {
      if (labels[other] == labels[l]) alike[l].push_back(other);
    }
  }
}

Tagger Tagger::load(const std::string& path) { return Tagger(map_model(path)); }
Tagger::Tagger(Model model) : parts_(std::make_unique<const Parts>(std::move(model))) {}
Tagger::Tagger(Tagger&&) noexcept = default;
Tagger& Tagger::operator=(Tagger&&) noexcept = default;
Tagger::~Tagger() = default;

const Model& Tagger::model() const { return parts_->model; }
std::string_view Tagger::label(Label l) const {
  return parts_->labels.empty() ? parts_->model.labels.name(l) : parts_->labels[l];
}

std::vector<std::string> Tagger::tag(const Sentence& sentence) const {
  Decoder decoder(*this);
  decoder.read(sentence);
  std::vector<std::string> names;
  for (Label l : decoder.minimize()) names.emplace_back(label(l));
  return names;
}

namespace {

template <class Words>
std::vector<std::string> tag_words(const Tagger& tagger, const Words& words) {
  Corpus corpus;
  for (std::string_view word : words) corpus.add_token(std::span(&word, 1));
  corpus.end_sentence();
  return tagger.tag(corpus[0]);
}

}  // namespace

std::vector<std::string> Tagger::tag(std::span<const std::string> words) const {
  return tag_words(*this, words);
}
std::vector<std::string> Tagger::tag(std::initializer_list<std::string_view> words) const {
  return tag_words(*this, words);
}

Decoder::Decoder(const Tagger& tagger)
    : tagger_(tagger), memo_(tagger.model().featurizer, tagger.model().attributes) {}

void Decoder::read(const Sentence& sentence, Table<const float> vectors) {
  const Model& model = tagger_.model();
  if (model.vector_columns != vectors.columns || (vectors.columns > 0 && vectors.rows != sentence.size())) {
    throw OptionError("vectors",
                      fmt::format("[{} x {}] for {} tokens and a model that reads {} numbers a token",
                                  vectors.rows, vectors.columns, sentence.size(), model.vector_columns),
                      model.vector_columns > 0 ? "give a row for every token" : "leave them out");
  }
  data_.clear();
  data_.vector_columns = vectors.columns;
  if (vectors.columns > 0) data_.vectors.assign(vectors.data, vectors.data + vectors.size());
  memo_.look_up(sentence, data_);
  look_up_pairs(model.featurizer, sentence, model.pair_attributes, scratch_, data_);
  chains_ = energies_.of(tagger_.parts_->chain, data_, 0, 1);
  minima_ready_ = sums_ready_ = false;
}

Chain<float> Decoder::chain() const { return chains_.sequences.empty() ? Chain<float>{} : chains_[0]; }

const Couplings<float>& Decoder::for_minima() {
  if (tagger_.parts_->chain.shares_pairwise()) return tagger_.parts_->minima;
  if (!minima_ready_) minima_couplings_.prepare_minima(chains_.pairwise, tagger_.labels(), chains_.histories);
  minima_ready_ = true;
  return minima_couplings_;
}

const Couplings<float>& Decoder::for_sums() {
  if (tagger_.parts_->chain.shares_pairwise()) return tagger_.parts_->sums;
  if (!sums_ready_) sums_couplings_.prepare_sums(chains_.pairwise, tagger_.labels(), 1.f, chains_.histories);
  sums_ready_ = true;
  return sums_couplings_;
}

std::span<const Label> Decoder::minimize() {
  labels_.resize(static_cast<std::size_t>(chain().length()));
  energy_ = minima_.minimize(chain(), for_minima(), labels_);
  if (!(energy_ < kInfinity<double>)) labels_.clear();
  return labels_;
}

double Decoder::free_energy() { return sums_.forward(chain(), for_sums()); }

Table<const float> Decoder::marginals() {
  sums_.unary_marginals(marginals_.resize(chain().length(), tagger_.labels()));
  return marginals_.view();
}

double Decoder::probability(Index t, Label l) const {
  const Table<const float> p = marginals_.view();
  if (tagger_.parts_->alike.empty()) return static_cast<double>(p[t][l]);
  double sum = 0;
  for (Label same : tagger_.parts_->alike[l]) sum += static_cast<double>(p[t][same]);
  return sum;
}

void Decoder::k_lowest(Index k, std::vector<Minimum>& found) {
  minima_.k_lowest(chain(), for_minima(), k, found);
}

}  // namespace thalweg
