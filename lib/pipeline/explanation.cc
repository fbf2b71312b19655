#include "thalweg/pipeline/explanation.h"

#include <algorithm>
#include <cmath>

namespace thalweg {
namespace {

Table<const double> widened(Table<const float> from, TableBuffer<double>& to) {
  std::copy_n(from.data, from.size(), to.resize(from.rows, from.columns).data);
  return to.view();
}

// Where the labellings differ around t. Beyond, where they agree for as long as a transition looks back, they
// might as well agree for good: if the runner-up still differs there it is by a tie.
void settle(Index order, Explanation& e) {
  const Index T = std::ssize(e.best);
  const auto differ = [&](Index t) { return e.best[t] != e.runner_up[t]; };
  e.begin = e.token, e.end = e.token + 1;
  for (Index t = e.begin - 1; t >= std::max<Index>(0, e.begin - order); --t) {
    if (differ(t)) e.begin = t;
  }
  for (Index t = e.end; t < std::min(T, e.end + order); ++t) {
    if (differ(t)) e.end = t + 1;
  }
  std::copy(e.best.begin(), e.best.begin() + e.begin, e.runner_up.begin());
  std::copy(e.best.begin() + e.end, e.best.end(), e.runner_up.begin() + e.end);
}

double total(const std::vector<Factor>& factors) {
  double sum = 0;
  for (const Factor& factor : factors) sum += factor.difference();
  return sum;
}

}  // namespace

void Explainer::read(const Sentence& sentence) {
  decoder_.read(sentence);
  data_.clear();
  const Model& model = tagger_.model();
  look_up_sentence(model.featurizer, sentence, model.attributes, scratch_, data_);
  look_up_pairs(model.featurizer, sentence, model.pair_attributes, scratch_, data_);
  const auto best = decoder_.minimize();
  best_.assign(best.begin(), best.end());
  energy_ = decoder_.energy();
  probabilities_.resize(best_.size());
  if (!(energy_ < kInfinity<double>)) return;
  decoder_.free_energy();
  decoder_.marginals();
  for (std::size_t t = 0; t < best_.size(); ++t)
    probabilities_[t] = decoder_.probability(static_cast<Index>(t), best_[t]);
  const Chain<float> chain = decoder_.chain();
  couplings_.prepare_minima(widened(chain.pairwise, pairwise_), chain.labels(), chain.histories);
}

Explanation Explainer::explain(Index t, Label against) {
  Explanation e;
  e.token = t, e.begin = t, e.end = t + 1;
  if (!(energy_ < kInfinity<double>)) return e;
  e.best = best_, e.energy = energy_, e.probability = probabilities_[t];
  const Chain<float> chain = decoder_.chain();
  widened(chain.unary, unary_);
  for (Label l = 0; l < static_cast<Label>(chain.labels()); ++l) {
    const bool alike = tagger_.label(l) == tagger_.label(against == kNoLabel ? best_[t] : against);
    if (alike == (against == kNoLabel)) unary_[t][l] = kInfinity<double>;
  }
  e.runner_up.resize(best_.size());
  const Chain<double> others{unary_, pairwise_, chain.which, chain.histories};
  if (!(minima_.minimize(others, couplings_, e.runner_up) < kInfinity<double>)) {
    e.runner_up.clear();
    return e;
  }
  settle(order(tagger_.model().contexts, tagger_.labels()), e);
  e.margin = thalweg::energy<double>(others, e.runner_up) - e.energy;
  e.factors = difference(tagger_.model(), data_, e.best, e.runner_up);
  e.rounding = e.margin - total(e.factors);
  std::stable_sort(e.factors.begin(), e.factors.end(), [](const Factor& a, const Factor& b) {
    return std::abs(a.difference()) > std::abs(b.difference());
  });
  return e;
}

Explanation explain(const Tagger& tagger, const Sentence& sentence, Index t) {
  Explainer explainer(tagger);
  explainer.read(sentence);
  return explainer.explain(t);
}

}  // namespace thalweg
