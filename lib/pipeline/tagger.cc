#include "thalweg/pipeline/tagger.h"

#include "thalweg/io/model_file.h"

namespace thalweg {

struct Tagger::Parts {
  Model model;
  LinearChain chain;
  Couplings<float> minima, sums;

  explicit Parts(Model m) : model(std::move(m)), chain(model) {
    minima.prepare_minima(chain.pairwise(), chain.labels());
    sums.prepare_sums(chain.pairwise(), chain.labels(), 1.f);
  }
};

Tagger Tagger::load(const std::string& path) { return Tagger(load_model(path)); }
Tagger::Tagger(Model model) : parts_(std::make_unique<const Parts>(std::move(model))) {}
Tagger::Tagger(Tagger&&) noexcept = default;
Tagger& Tagger::operator=(Tagger&&) noexcept = default;
Tagger::~Tagger() = default;

const Model& Tagger::model() const { return parts_->model; }

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

Decoder::Decoder(const Tagger& tagger) : tagger_(tagger) {}

void Decoder::read(const Sentence& sentence) {
  data_.sequences.assign(1, 0);
  data_.attributes.offsets.assign(1, 0);
  data_.attributes.columns.clear(), data_.attributes.values.clear();
  look_up_sentence(tagger_.model().featurizer, sentence, tagger_.model().attributes, scratch_, data_);
  const Block block{data_.sequences, &data_.attributes};
  tagger_.parts_->chain.unary(block, unary_.resize(block.positions(), tagger_.labels()));
}

Chain<float> Decoder::chain() const { return {unary_, tagger_.parts_->chain.pairwise(), {}}; }

std::span<const Label> Decoder::minimize() {
  labels_.resize(static_cast<std::size_t>(unary_.rows()));
  energy_ = minima_.minimize(chain(), tagger_.parts_->minima, labels_);
  return labels_;
}

double Decoder::free_energy() { return sums_.forward(chain(), tagger_.parts_->sums); }

Table<const float> Decoder::marginals() {
  sums_.unary_marginals(marginals_.resize(unary_.rows(), unary_.columns()));
  return marginals_.view();
}

void Decoder::k_lowest(Index k, std::vector<Minimum>& found) {
  minima_.k_lowest(chain(), tagger_.parts_->minima, k, found);
}

}  // namespace thalweg
