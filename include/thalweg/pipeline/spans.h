/// @file
/// Spans with their probabilities: how sure a model is of a name as a whole, not token by token.
///
///     SpanDecoder spans(tagger);
///     decoder.read(sentence);
///     for (const ProbableSpan& s : spans.decode(decoder))
///       std::cout << s.begin << ' ' << s.end << ' ' << s.type << ' ' << s.probability << '\n';
///
/// The probability of a span is that of all labellings in which the reading of `evaluation/spans.h` finds
/// exactly it: from its first token to its last, of its type, not continued to either side. It is a sum over
/// a window with both neighbours (constrained forward-backward, Culotta and McCallum 2004), not a product of
/// marginals.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/evaluation/spans.h"
#include "thalweg/inference/sum_product.h"
#include "thalweg/pipeline/tagger.h"

namespace thalweg {

/// Tokens [begin, end) of one type; the type views a label of the model.
struct ProbableSpan {
  Index begin = 0;
  Index end = 0;
  std::string_view type;
  double probability = 0;

  bool operator==(const ProbableSpan&) const = default;
};

/// Probabilities of spans under a chain's distribution over the labels whose marks it is given.
class THALWEG_EXPORT SpanProbabilities {
 public:
  /// One mark a label, in the order of labels.
  explicit SpanProbabilities(std::vector<SpanMark> marks) : marks_(std::move(marks)) {}

  const SpanMark& mark(Label l) const { return marks_[l]; }

  /// p(`span` is one of the spans of y). @pre `sums.forward` saw a chain of `length` positions in which
  /// something is allowed; 0 <= span.begin < span.end <= length. O((span.end - span.begin) K^2).
  template <class R>
  double operator()(SumProduct<R>& sums, Index length, const Span& span);

 private:
  std::vector<SpanMark> marks_;
  TableBuffer<std::uint8_t> allowed_;
};

/// The spans of lowest-energy labellings. One per thread; the Tagger must outlive it.
class THALWEG_EXPORT SpanDecoder {
 public:
  /// `scheme` Auto is what all labels of the model look like.
  explicit SpanDecoder(const Tagger& tagger, Scheme scheme = Scheme::Auto);

  /// The spans of the lowest labelling of the sentence that `decoder` read, from left to right; valid until
  /// the next call; none where nothing is allowed. Asks the decoder for its minimum and its sums.
  std::span<const ProbableSpan> decode(Decoder& decoder);

 private:
  SpanProbabilities probabilities_;
  std::vector<SpanMark> marks_;
  std::vector<ProbableSpan> found_;
};

/// Once, for one sentence.
THALWEG_EXPORT std::vector<ProbableSpan> decode_spans(const Tagger& tagger, const Sentence& sentence,
                                                      Scheme scheme = Scheme::Auto);

}  // namespace thalweg
