#include "thalweg/evaluation/score.h"

#include "support/catch.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

using namespace thalweg;

namespace {

using Labels = std::vector<std::string_view>;

Labels random_labels(std::size_t length, const Labels& alphabet, Rng& rng) {
  Labels labels;
  for (std::size_t t = 0; t < length; ++t) labels.push_back(alphabet[rng.below(alphabet.size())]);
  return labels;
}

}  // namespace

TEST_CASE("tokens, sentences and confusions are counted", "[evaluation][score]") {
  LabelScore score;
  CHECK(score.accuracy() == 0);
  CHECK(score.sentence_accuracy() == 0);
  score.add(Labels{"N", "V", "N"}, Labels{"N", "V", "X"});
  score.add(Labels{"D", "N"}, Labels{"D", "N"});
  score.add(Labels{"A", "V"}, Labels{"N", "V"});
  score.add(Labels{}, Labels{});
  CHECK(score.tokens() == 7);
  CHECK(score.right() == 5);
  CHECK(score.accuracy() == Approx(100 * 5 / 7.0));
  CHECK(score.sentences() == 4);
  CHECK(score.sentences_right() == 2);
  CHECK(score.sentence_accuracy() == 50);
  CHECK(score.labels() == Labels{"A", "D", "N", "V", "X"});
  const TableBuffer<Index> table = score.confusion();
  const std::vector<std::vector<Index>> expected{
      {0, 0, 1, 0, 0}, {0, 1, 0, 0, 0}, {0, 0, 2, 0, 1}, {0, 0, 0, 2, 0}, {0, 0, 0, 0, 0}};
  for (Index row = 0; row < 5; ++row) {
    const auto cells = table.view().row(row);
    CHECK(std::vector<Index>(cells.begin(), cells.end()) == expected[row]);
  }
}

TEST_CASE("a hand-worked table of spans", "[evaluation][score]") {
  SpanScore score;
  //        right     wrong type  too long      missed  invented
  score.add(Labels{"B-X", "I-X", "B-Y", "O", "B-X", "O", "B-Y", "O"},
            Labels{"B-X", "I-X", "B-X", "O", "B-X", "I-X", "O", "B-Z"});
  score.add(Labels{"B-Y"}, Labels{"I-Y"});  // two ways to write the same span
  CHECK(score.overall() == SpanCounts{5, 4 + 1, 2});
  CHECK(score.overall().precision() == 40);
  CHECK(score.overall().recall() == 40);
  CHECK(score.overall().f1() == 40);
  REQUIRE(score.types().size() == 3);
  CHECK(score.types().at("X") == SpanCounts{2, 3, 1});
  CHECK(score.types().at("Y") == SpanCounts{3, 1, 1});
  CHECK(score.types().at("Z") == SpanCounts{0, 1, 0});
  CHECK(score.types().at("Y").precision() == 100);
  CHECK(score.types().at("Y").recall() == Approx(100 / 3.0));
  CHECK(score.types().at("Y").f1() == 50);
  CHECK(score.types().at("Z").recall() == 0);
  CHECK(score.types().at("Z").f1() == 0);
  CHECK(score.macro().precision == Approx((100 / 3.0 + 100 + 0) / 3));
  CHECK(score.macro().recall == Approx((50 + 100 / 3.0 + 0) / 3));
  CHECK(score.macro().f1 == Approx((40 + 50 + 0) / 3.0));
}

TEST_CASE("nothing found of nothing is zero", "[evaluation][score]") {
  SpanScore score;
  score.add(Labels{"O"}, Labels{"O"});
  CHECK(score.overall() == SpanCounts{});
  CHECK(score.overall().f1() == 0);
  CHECK(score.macro().f1 == 0);
}

TEST_CASE("gold and predicted labels are read by one scheme", "[evaluation][score]") {
  const Labels gold{"B-X", "B-X", "I-X"}, predicted{"B-X", "B-X", "E-X"};
  SpanScore automatic, bio(Scheme::Bio);
  automatic.add(gold, predicted), bio.add(gold, predicted);
  CHECK(automatic.overall() == SpanCounts{2, 2, 2});
  CHECK(bio.overall() == SpanCounts{2, 2, 1});
  SpanScore plain;
  plain.add(Labels{"X", "X", "Y"}, Labels{"X", "O", "Y"});
  CHECK(plain.overall() == SpanCounts{2, 2, 1});
  SpanScore mixed;  // the prediction shows BIO: the plain gold labels are then outside
  mixed.add(Labels{"X"}, Labels{"B-X"});
  CHECK(mixed.overall() == SpanCounts{0, 1, 0});
}

TEST_CASE("scores agree with sets of spans on random labels", "[evaluation][score]") {
  const Labels alphabet{"O", "B-X", "I-X", "B-Y", "I-Y"};
  Rng rng(5);
  SpanScore score;
  LabelScore tokens;
  SpanCounts expected;
  Index right = 0;
  for (int n = 0; n < 300; ++n) {
    const std::size_t length = rng.below(12);
    const Labels gold = random_labels(length, alphabet, rng),
                 predicted = random_labels(length, alphabet, rng);
    score.add(gold, predicted), tokens.add(gold, predicted);
    for (std::size_t t = 0; t < length; ++t) right += gold[t] == predicted[t];
    const auto g = spans(gold, Scheme::Bio), p = spans(predicted, Scheme::Bio);
    SpanCounts counts{static_cast<Index>(g.size()), static_cast<Index>(p.size()), 0};
    for (const Span& a : g) {
      for (const Span& b : p) counts.correct += a == b;
    }
    expected += counts;
  }
  CHECK(expected.correct > 50);
  CHECK(score.overall() == expected);
  CHECK(tokens.right() == right);
  SpanCounts sum;
  for (const auto& [_, counts] : score.types()) sum += counts;
  CHECK(sum == expected);
  Index cells = 0, diagonal = 0;
  const TableBuffer<Index> table = tokens.confusion();
  for (Index i = 0; i < 5; ++i) {
    diagonal += table[i][i];
    for (Index j = 0; j < 5; ++j) cells += table[i][j];
  }
  CHECK(cells == tokens.tokens());
  CHECK(diagonal == right);
}

TEST_CASE("sentences of two lengths are refused", "[evaluation][score]") {
  SpanScore score;
  LabelScore tokens;
  CHECK_THROWS_WITH(score.add(Labels{"O", "O"}, Labels{"O"}), ContainsSubstring("1 labels for 2 gold"));
  CHECK_THROWS_AS(tokens.add(Labels{"O", "O"}, Labels{"O"}), InputError);
}
