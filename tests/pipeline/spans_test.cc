#include "thalweg/pipeline/spans.h"

#include <cmath>

#include "support/catch.h"
#include "support/enumerate.h"
#include "thalweg/corpus/corpus.h"
#include "thalweg/io/corpus_reader.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

using Names = std::vector<std::string_view>;

std::vector<SpanMark> marks_of(const Names& names, Scheme scheme) {
  std::vector<SpanMark> marks;
  for (std::string_view name : names) marks.push_back(span_mark(name, scheme));
  return marks;
}

}  // namespace

TEMPLATE_TEST_CASE("a span is as probable as all labellings that read as it", "[pipeline][spans]", float,
                   double) {
  using R = TestType;
  const std::vector<std::pair<Names, Scheme>> label_sets{
      {{"O", "B-X", "I-X", "B-Y", "I-Y"}, Scheme::Bio},
      {{"I-X", "O", "I-Y"}, Scheme::Bio},  // no B at all
      {{"O", "B-X", "I-X", "E-X", "S-X", "I-Y"}, Scheme::Bioes},
      {{"B-X", "L-X", "M-Y", "U-Y"}, Scheme::Bioes},
      {{"O", "X", "Y"}, Scheme::Io},
      {{"X", "Y", "I-X"}, Scheme::Io}};  // two labels of one type, and no O
  Rng rng(61);
  for (const auto& [names, scheme] : label_sets) {
    const Index K = static_cast<Index>(names.size());
    for (double forbid : {0.0, 0.2}) {
      for (Index T = 1; T <= 4; ++T) {
        auto owned = random_chain<R>(rng, {T, K, 1, 1, 0, forbid});
        const auto all = enumerate(owned.view());
        Couplings<R> couplings;
        couplings.prepare_sums(owned.pairwise.view(), K, R(1));
        SumProduct<R> sums;
        const double f = sums.forward(owned.view(), couplings);
        if (!(f < kInfinity<double>)) continue;
        SpanProbabilities probability(marks_of(names, scheme));
        for (Index begin = 0; begin < T; ++begin) {
          for (Index end = begin + 1; end <= T; ++end) {
            for (std::string_view type : {"X", "Y"}) {
              const Span span{begin, end, type};
              double want = 0;
              for (const auto& l : all) {
                Names y;
                for (Label one : l.y) y.push_back(names[one]);
                const auto found = spans(y, scheme);
                if (std::find(found.begin(), found.end(), span) != found.end())
                  want += std::exp(f - l.energy);
              }
              CHECK(probability(sums, T, span) == Approx(want).margin(sizeof(R) == 4 ? 1e-5 : 1e-12));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("decoded spans are those of the lowest labelling, with their probabilities", "[pipeline][spans]") {
  const std::string folder = std::string(THALWEG_SOURCE_DIR) + "/data/river-news/";
  const Tagger tagger(train(read_corpus(folder + "train.txt", Format::Columns), {.iterations = 20}));
  const Corpus test = read_corpus(folder + "test.txt", Format::Columns);
  Names all;
  for (Index l = 0; l < tagger.labels(); ++l) all.push_back(tagger.label(static_cast<Label>(l)));
  Decoder decoder(tagger);
  SpanDecoder spans_of(tagger);
  Index found = 0;
  for (Index n = 0; n < std::min<Index>(test.size(), 60); ++n) {
    decoder.read(test[n]);
    Names y;
    for (Label l : decoder.minimize()) y.push_back(tagger.label(l));
    const auto want = spans(y, detect_scheme(all));
    const auto got = spans_of.decode(decoder);
    REQUIRE(got.size() == want.size());
    const double f = decoder.free_energy();
    const double labelling = std::exp(f - decoder.energy());
    const auto marginals = decoder.marginals();
    for (std::size_t i = 0; i < got.size(); ++i) {
      CHECK(Span{got[i].begin, got[i].end, got[i].type} == want[i]);
      // At least as probable as the labelling it is part of, at most as probable as its labels.
      CHECK(got[i].probability >= labelling * (1 - 1e-4));
      for (Index t = got[i].begin + 1; t < got[i].end; ++t) {
        double inside = 0;
        for (Index l = 0; l < tagger.labels(); ++l) {
          if (span_mark(all[l], detect_scheme(all)).type == got[i].type) inside += marginals[t][l];
        }
        CHECK(got[i].probability <= inside * (1 + 1e-4));
      }
    }
    found += static_cast<Index>(got.size());
    const auto once = decode_spans(tagger, test[n]);
    CHECK(std::equal(once.begin(), once.end(), spans_of.decode(decoder).begin()));
  }
  CHECK(found > 30);
}
