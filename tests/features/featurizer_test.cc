#include "thalweg/features/featurizer.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.h"
#include "support/message.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"

using namespace thalweg;

namespace {

using Names = std::vector<std::string>;

Corpus three_tokens() {
  Corpus corpus;
  corpus.add({{"The", "DT", "B"}, {"cat", "NN", "I"}, {"sat", "VB", "O"}});
  return corpus;
}

Names names_of(const AttributeBuffer& buffer, Index t) {
  return {buffer.names(t).begin(), buffer.names(t).end()};
}

/// Attributes of every token of a sentence.
std::vector<Names> attributes_of(const Sentence& sentence, const char* templates, Boundary boundary) {
  AttributeBuffer buffer;
  Featurizer(TemplateSet::parse(templates, "tpl"), boundary).attributes(sentence, buffer);
  std::vector<Names> all;
  for (Index t = 0; t < buffer.size(); ++t) all.push_back(names_of(buffer, t));
  return all;
}

/// Attributes of a sentence of the one word, but for the template's "U".
Names expand_word(std::string_view word, const char* macros) {
  Corpus corpus;
  corpus.add({{word}});
  Names names = attributes_of(corpus[0], (std::string("U") + macros).c_str(), Boundary::Marks)[0];
  for (std::string& name : names) name.erase(0, 1);
  return names;
}

/// One attribute, by the book: the referee of the compiled templates.
std::string expand_slowly(const Template& one, const Sentence& sentence, Index t) {
  std::string text = one.literals[0];
  for (std::size_t i = 0; i < one.macros.size(); ++i) {
    const Index row = t + one.macros[i].row;
    if (row < 0)
      text.append("_B").append(std::to_string(row));
    else if (row >= sentence.size())
      text.append("_B+").append(std::to_string(row - sentence.size() + 1));
    else
      text += sentence.cell(row, one.macros[i].column);
    text += one.literals[i + 1];
  }
  return text;
}

}  // namespace

TEST_CASE("marks stand for what is outside, by distance", "[features][featurizer]") {
  const Corpus corpus = three_tokens();
  const char* templates = "U1:%x[-2,0]\nU2:%x[-1,1]/%x[0,0]!\nU3:%x[2,0]\nU\nB";
  CHECK(attributes_of(corpus[0], templates, Boundary::Marks) ==
        std::vector<Names>{{"U1:_B-2", "U2:_B-1/The!", "U3:sat", "U"},
                           {"U1:_B-1", "U2:DT/cat!", "U3:_B+1", "U"},
                           {"U1:The", "U2:NN/sat!", "U3:_B+2", "U"}});
  CHECK(attributes_of(corpus[0], "U%prefix[-1,0,9]%suffix[1,0,9]\nUs%shape[1,0]%lower[-1,0]",
                      Boundary::Marks) == std::vector<Names>{{"Usx_B-1"}, {"Usxthe"}, {"Us_B+1cat"}});
}

TEST_CASE("without marks a template that reaches outside is left out", "[features][featurizer]") {
  const Corpus corpus = three_tokens();
  const char* templates = "U1:%x[-2,0]\nU2:%x[-1,1]/%x[0,0]!\nU3:%x[2,0]\nU\nB";
  CHECK(attributes_of(corpus[0], templates, Boundary::None) ==
        std::vector<Names>{
            {"U3:sat", "U", "__BOS__"}, {"U2:DT/cat!", "U"}, {"U1:The", "U2:NN/sat!", "U", "__EOS__"}});
  Corpus one;
  one.add({{"alone", "X"}});
  CHECK(attributes_of(one[0], "U%x[0,0]", Boundary::None) ==
        std::vector<Names>{{"Ualone", "__BOS__", "__EOS__"}});
}

TEST_CASE("macros cut and map characters, not bytes", "[features][featurizer]") {
  CHECK(expand_word("McDonald's-97", "%shape[0,0]") == Names{"XxXx'x-9"});
  CHECK(expand_word("Élan...№5中", "%shape[0,0]") == Names{"Xx.№9中"});
  CHECK(expand_word("ÀÉ-Ωm", "%lower[0,0]") == Names{"àé-ωm"});
  CHECK(expand_word("naïve", "%prefix[0,0,3]|%suffix[0,0,3]") == Names{"naï|ïve"});
  CHECK(expand_word("naïve", "%prefix[0,0,5]|%suffix[0,0,5]") == Names{"naïve|naïve"});
  CHECK(expand_word("naïve", "%prefix[0,0,6]").empty());
  CHECK(expand_word("naïve", "%suffix[0,0,6]").empty());
  CHECK(expand_word("", "%x[0,0]%lower[0,0]%shape[0,0]") == Names{""});
  CHECK(expand_word("", "%prefix[0,0,1]").empty());
  const std::string word(100, 'Q');
  CHECK(expand_word(word, "<%x[0,0]%lower[0,0]%shape[0,0]>") ==
        Names{std::string("<").append(word).append(100, 'q').append("X>")});
}

TEST_CASE("compiled templates agree with the book on random sentences", "[features][featurizer]") {
  Rng rng(5);
  const TemplateSet set = TemplateSet::parse(
      "U00:%x[-2,0]\nU:a literal of more than sixteen bytes %x[0,1]/%x[1,0]\nU3%x[3,1]%x[-7,0]%x[0,0]\nUx",
      "tpl");
  const Featurizer featurizer(set, Boundary::Marks);
  AttributeBuffer buffer;
  for (int run = 0; run < 60; ++run) {
    Corpus corpus;
    std::vector<std::string> words(2);
    for (std::uint64_t t = rng.below(12); t > 0; --t) {
      for (std::string& word : words) word.assign(rng.below(40), static_cast<char>('a' + rng.below(26)));
      corpus.add_token(std::array<std::string_view, 2>{words[0], words[1]});
    }
    corpus.end_sentence();
    const Sentence sentence = corpus[0];
    const auto begin = static_cast<Index>(rng.below(static_cast<std::uint64_t>(sentence.size()) + 1));
    featurizer.attributes(sentence, begin, sentence.size(), buffer);
    REQUIRE(buffer.size() == sentence.size() - begin);
    for (Index t = begin; t < sentence.size(); ++t) {
      Names expected;
      for (const Template& one : set.templates()) expected.push_back(expand_slowly(one, sentence, t));
      REQUIRE(names_of(buffer, t - begin) == expected);
    }
  }
}

TEST_CASE("attribute rows are taken as they are", "[features][featurizer]") {
  Corpus corpus;
  const std::array<std::string_view, 3> cells = {"B", "x", "y"};
  corpus.add_token(cells, std::array<float, 3>{1, 0.5f, 2});
  corpus.add_token(std::array<std::string_view, 1>{"O"});
  corpus.end_sentence();
  const Featurizer featurizer = Featurizer::of_attributes();
  AttributeBuffer buffer;
  featurizer.attributes(corpus[0], buffer);
  REQUIRE(buffer.size() == 2);
  CHECK(names_of(buffer, 0) == Names{"x", "y"});
  CHECK(buffer.values(0)[1] == 2);
  CHECK(buffer.names(1).empty());
  CHECK(featurizer.label(corpus[0], 0) == "B");
}

TEST_CASE("learning gives ids and labels, looking up skips what is new", "[features][dataset]") {
  const Featurizer featurizer(TemplateSet::parse("Uw:%x[0,0]\nUp:%x[0,1]", "tpl"), Boundary::Marks);
  Vocabulary attributes, labels;
  Corpus corpus = three_tokens();
  corpus.add({});
  corpus.add({{"cat", "NN", "B"}});
  const Dataset train = learn_dataset(corpus, featurizer, attributes, labels);
  CHECK(train.size() == 3);
  CHECK(train.positions() == 4);
  CHECK(train.sequences == std::vector<Index>{0, 3, 3, 4});
  CHECK(train.labels == std::vector<Label>{0, 1, 2, 0});
  CHECK(train.attributes.columns == std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 2, 3});
  CHECK(train.attributes.offsets == std::vector<Index>{0, 2, 4, 6, 8});
  CHECK(train.attributes.values.empty());
  CHECK(attributes.name(5) == "Up:VB");

  Corpus other;
  other.add({{"cat", "XX", "I"}, {"new", "NEW", "NEW"}});
  const Dataset dev = look_up_dataset(other, featurizer, attributes, labels);
  CHECK(dev.labels == std::vector<Label>{1, kNoLabel});
  CHECK(dev.attributes.offsets == std::vector<Index>{0, 1, 1});
  CHECK(dev.attributes.columns == std::vector<std::uint32_t>{2});
  CHECK(attributes.size() == 6);
  CHECK(labels.size() == 3);

  Dataset tagged;
  FeatureScratch scratch;
  Corpus unlabelled;
  unlabelled.add({{"cat", "NN"}});
  look_up_sentence(featurizer, unlabelled[0], attributes, scratch, tagged);
  CHECK(tagged.attributes.columns == std::vector<std::uint32_t>{2, 3});
  CHECK(tagged.labels.empty());
  tagged.clear();
  CHECK(tagged.size() == 0);
  CHECK(tagged.attributes.rows() == 0);
}

TEST_CASE("templates must not read the label, nor columns that are not there", "[features][dataset]") {
  const Corpus corpus = three_tokens();
  const Featurizer featurizer(TemplateSet::parse("U:%x[0,2]", "tpl"), Boundary::Marks);
  Vocabulary attributes, labels;
  CHECK_THAT(message_of<InputError>([&] { learn_dataset(corpus, featurizer, attributes, labels); }),
             ContainsSubstring("tpl:1: the template reads column 2"));
  CHECK_THROWS_AS(look_up_dataset(corpus, featurizer, attributes, labels), InputError);
  AttributeBuffer buffer;
  featurizer.attributes(corpus[0], buffer);  // no label is meant here
  CHECK(names_of(buffer, 0) == Names{"U:B"});

  Corpus ragged;
  ragged.add({{"a", "b", "c"}, {"a", "b"}});
  CHECK_THAT(message_of<InputError>([&] { featurizer.attributes(ragged[0], buffer); }),
             ContainsSubstring("the columns to read are 0 to 1"));
}

TEST_CASE("an attribute that comes twice is one entry", "[features][dataset]") {
  Corpus corpus;
  corpus.add({{"O", "x"}});
  corpus.add_token(std::array<std::string_view, 5>{"O", "y", "x", "y", "z"},
                   std::array<float, 5>{1, 0.5f, 1, 2, 1});
  std::vector<std::string_view> many(200, "x");
  many[0] = "O";
  corpus.add_token(many);
  corpus.add_token(std::array<std::string_view, 3>{"O", "z", "unknown"});
  corpus.end_sentence();
  Vocabulary attributes, labels;
  attributes.add("x"), attributes.add("y"), attributes.add("z");
  const Dataset data = look_up_dataset(corpus, Featurizer::of_attributes(), attributes, labels);
  CHECK(data.attributes.columns == std::vector<std::uint32_t>{0, 0, 1, 2, 0, 2});
  CHECK(data.attributes.offsets == std::vector<Index>{0, 1, 4, 5, 6});
  CHECK(data.attributes.values == std::vector<float>{1, 1, 2.5f, 1, 199, 1});
}

TEST_CASE("long sentences are cut into runs without a seam", "[features][dataset]") {
  Corpus corpus;
  for (int t = 0; t < 1000; ++t) {
    const std::string word = std::to_string(t);
    corpus.add_token(std::array<std::string_view, 2>{word, "L"});
  }
  corpus.end_sentence();
  Vocabulary attributes, labels;
  const Featurizer featurizer(TemplateSet::parse("U:%x[-3,0]/%x[3,0]", "tpl"), Boundary::None);
  const Dataset data = learn_dataset(corpus, featurizer, attributes, labels);
  REQUIRE(data.positions() == 1000);
  CHECK(attributes.size() == 1000 - 6 + 2);
  CHECK(data.attributes.row(500).size() == 1);
  CHECK(attributes.name(data.attributes.row(500)[0]) == "U:497/503");
  CHECK(attributes.find("U:253/259") != Vocabulary::kUnknown);
}

TEST_CASE("one label and ten thousand", "[features][dataset]") {
  for (int count : {1, 10000}) {
    Corpus corpus;
    for (int i = 0; i < 10000; ++i) {
      const std::string label = std::to_string(i % count) + "-L";
      corpus.add_token(std::array<std::string_view, 2>{"w", label});
      if (i % 7 == 0) corpus.end_sentence();
    }
    corpus.end_sentence();
    Vocabulary attributes, labels;
    const Featurizer featurizer(TemplateSet::built_in(1), Boundary::Marks);
    const Dataset data = learn_dataset(corpus, featurizer, attributes, labels);
    CHECK(labels.size() == static_cast<std::uint32_t>(count));
    CHECK(*std::max_element(data.labels.begin(), data.labels.end()) == static_cast<Label>(count - 1));
  }
}

TEST_CASE("a warm buffer stays where it is", "[features][featurizer]") {
  const Corpus corpus = three_tokens();
  const Featurizer featurizer(TemplateSet::built_in(2), Boundary::Marks);
  AttributeBuffer buffer;
  featurizer.attributes(corpus[0], buffer);
  const char* bytes = buffer.names(0)[0].data();
  const std::string_view* names = buffer.all_names().data();
  featurizer.attributes(corpus[0], 0, 1, buffer);
  featurizer.attributes(corpus[0], buffer);
  CHECK(buffer.names(0)[0].data() == bytes);
  CHECK(buffer.all_names().data() == names);
  const AttributeBuffer moved = std::move(buffer);
  CHECK(names_of(moved, 2).front() == "Uword[-2]=The");
}
