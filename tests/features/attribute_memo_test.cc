#include "thalweg/features/attribute_memo.h"

#include <array>
#include <string>
#include <vector>

#include "support/catch.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

using namespace thalweg;

namespace {

// Rows of a word, a tag and a label; words repeat, are empty of affixes, long, or not ASCII.
void add_sentence(Corpus& corpus, Rng& rng, Index tokens) {
  static const std::vector<std::string> kOdd{
      "_B-1", "_b+1", "É", "straße", std::string(70, 'x'), std::string(64, 'y')};
  for (Index t = 0; t < tokens; ++t) {
    const std::string word =
        rng.below(4) == 0 ? kOdd[rng.below(kOdd.size())] : "w" + std::to_string(rng.below(40));
    const std::string tag(1, static_cast<char>('A' + rng.below(5)));
    corpus.add_token(std::array<std::string_view, 3>{word, tag, "L"});
  }
  corpus.end_sentence();
}

// What the memo and the function that remembers nothing make of a corpus, which is to be the same.
void check_same(const Featurizer& featurizer, const Corpus& corpus, const Vocabulary& attributes) {
  AttributeMemo memo(featurizer, attributes);
  FeatureScratch scratch;
  Dataset remembered, looked_up;
  for (Index n = 0; n < corpus.size(); ++n) {
    memo.look_up(corpus[n], remembered);
    look_up_sentence(featurizer, corpus[n], attributes, scratch, looked_up);
  }
  CHECK(remembered.sequences == looked_up.sequences);
  CHECK(remembered.attributes.offsets == looked_up.attributes.offsets);
  CHECK(remembered.attributes.columns == looked_up.attributes.columns);
  CHECK(remembered.attributes.values == looked_up.attributes.values);
}

}  // namespace

TEST_CASE("a memo looks up what the vocabulary holds", "[features][memo]") {
  const std::string templates[] = {
      TemplateSet::built_in(2).text(),
      "Uconstant\nU1:%x[-100,0]\nU2:%x[100,1]/%x[-1,0]\nU3:%x[0,1]%x[0,0]%x[0,1]\nU4:%lower[1,0]/"
      "%prefix[1,0,3]\n",
      "U1:%x[0,0]/%x[1,1]/%x[2,0]\nU2:%x[-1,0]/%x[0,1]/%x[1,0]\nU3:%x[-1,0]/%x[0,1]\nU4:%x[2,1]/%x[1,0]\n",
      "U%x[0,0]\nU%x[1,0]\n",            // these two may spell the same
      "U1%x[0,0]\nU1:%suffix[0,0,2]\n",  // and so may these
      "U1:%t[0,0,\"^w\"]/%m[1,0,\"\\d+\"]\nU2:%M[0,0,\"^.\"]\n"};
  Rng rng(1);
  Corpus train, test;
  for (Index tokens : {30, 1, 100}) add_sentence(train, rng, tokens);
  for (Index tokens : {30, 0, 1, 2, 700, 300, 5}) add_sentence(test, rng, tokens);
  for (const std::string& text : templates) {
    for (const Boundary boundary : {Boundary::Marks, Boundary::None}) {
      INFO(text);
      const Featurizer featurizer(TemplateSet::parse(text, "templates"), boundary);
      Vocabulary attributes, labels;
      learn_dataset(train, featurizer, attributes, labels);
      check_same(featurizer, test, attributes);
      check_same(featurizer, test, Vocabulary());
    }
  }
}

TEST_CASE("a memo without templates looks up attribute rows", "[features][memo]") {
  Corpus corpus;
  corpus.add_token(std::array<std::string_view, 3>{"L", "a", "b"}, std::array<float, 3>{1, 0.5f, 1});
  corpus.end_sentence();
  Vocabulary attributes;
  attributes.add("b"), attributes.add("a");
  check_same(Featurizer::of_attributes(), corpus, attributes);
}

TEST_CASE("a memo that is full starts anew", "[features][memo]") {
  const Featurizer featurizer(
      TemplateSet::parse("U1:%x[0,0]\nU2:%x[0,0]/%x[1,1]\nU3:%x[-1,1]\n", "templates"), Boundary::Marks);
  Corpus corpus;
  Vocabulary attributes;
  for (std::uint32_t i = 0; i < 2 * AttributeMemo::kMost; ++i) {
    const std::string word = std::to_string(i), tag = std::to_string(i % 3);
    corpus.add_token(std::array<std::string_view, 2>{word, tag});
    if (i % 1000 == 0) corpus.end_sentence();
    if (i % 7 == 0)
      attributes.add("U1:" + word), attributes.add("U2:" + word + "/" + std::to_string((i + 1) % 3));
  }
  corpus.end_sentence();
  attributes.add("U3:1");
  check_same(featurizer, corpus, attributes);
}

TEST_CASE("a memo misses columns where the function does", "[features][memo]") {
  const Featurizer featurizer(TemplateSet::parse("U:%x[0,1]\n", "tpl"), Boundary::Marks);
  const Vocabulary attributes;
  AttributeMemo memo(featurizer, attributes);
  Corpus corpus;
  corpus.add({{"a", "b"}, {"a"}});
  corpus.add({{"a", "b"}, {"a", "c"}});
  Dataset data;
  CHECK_THROWS_AS(memo.look_up(corpus[0], data), InputError);
  data.clear();
  memo.look_up(corpus[1], data);  // and goes on
  CHECK(data.positions() == 2);
}
