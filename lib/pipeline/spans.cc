#include "thalweg/pipeline/spans.h"

#include <algorithm>

namespace thalweg {
namespace {

std::vector<SpanMark> marks_of(const Tagger& tagger, Scheme scheme) {
  std::vector<std::string_view> names;
  for (Index l = 0; l < tagger.labels(); ++l) names.push_back(tagger.label(static_cast<Label>(l)));
  if (scheme == Scheme::Auto) scheme = detect_scheme(names);
  std::vector<SpanMark> marks;
  for (std::string_view name : names) marks.push_back(span_mark(name, scheme));
  return marks;
}

// How a span stands: opened by its first label or else by what is before it, closed by its last label or else
// by what follows. The four ways exclude each other, and each is a set of labels at every position of a
// window.
struct Way {
  bool opens, closes;
};

bool fits(const SpanMark& mark, Index t, const Span& span, Way way) {
  const SpanMark within{true, false, false, span.type};  // a token of the span that another may follow
  if (t < span.begin) return !within.continues(mark);
  if (t == span.end) return !mark.continues(within);
  return mark.inside && mark.type == span.type && mark.opens == (t == span.begin && way.opens) &&
         mark.closes == (t + 1 == span.end && way.closes);
}

}  // namespace

template <class R>
double SpanProbabilities::operator()(SumProduct<R>& sums, Index length, const Span& span) {
  const Index K = static_cast<Index>(marks_.size());
  double total = 0;
  for (const Way way : {Way{true, true}, Way{true, false}, Way{false, true}, Way{false, false}}) {
    const Index begin = span.begin - (!way.opens && span.begin > 0);
    const Index end = span.end + (!way.closes && span.end < length);
    allowed_.resize(end - begin, K);
    bool possible = true;
    for (Index t = begin; t < end; ++t) {
      std::uint8_t* const row = allowed_[t - begin];
      for (Index l = 0; l < K; ++l) row[l] = fits(marks_[l], t, span, way);
      possible = possible && std::find(row, row + K, 1) != row + K;
    }
    if (possible) total += sums.probability(begin, allowed_.view());
  }
  return std::min(total, 1.0);
}

template double SpanProbabilities::operator()(SumProduct<float>&, Index, const Span&);
template double SpanProbabilities::operator()(SumProduct<double>&, Index, const Span&);

SpanDecoder::SpanDecoder(const Tagger& tagger, Scheme scheme) : probabilities_(marks_of(tagger, scheme)) {}

std::span<const ProbableSpan> SpanDecoder::decode(Decoder& decoder) {
  found_.clear(), marks_.clear();
  for (Label l : decoder.minimize()) marks_.push_back(probabilities_.mark(l));
  if (!(decoder.energy() < kInfinity<double>)) return found_;
  const std::vector<Span> read = spans(marks_);
  if (!read.empty()) decoder.free_energy();
  for (const Span& s : read) {
    const double p = probabilities_(decoder.sums(), static_cast<Index>(marks_.size()), s);
    found_.push_back({s.begin, s.end, s.type, p});
  }
  return found_;
}

std::vector<ProbableSpan> decode_spans(const Tagger& tagger, const Sentence& sentence, Scheme scheme) {
  Decoder decoder(tagger);
  decoder.read(sentence);
  SpanDecoder spans(tagger, scheme);
  const auto found = spans.decode(decoder);
  return {found.begin(), found.end()};
}

}  // namespace thalweg
