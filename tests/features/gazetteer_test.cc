#include "thalweg/features/gazetteer.h"

#include <algorithm>
#include <set>

#include "support/catch.h"
#include "support/message.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"
#include "thalweg/io/model_file.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

Corpus words(std::initializer_list<std::string_view> list) {
  Corpus corpus;
  for (std::string_view word : list) corpus.add_token(std::span(&word, 1));
  corpus.end_sentence();
  return corpus;
}

std::string marks(const Gazetteer& list, const Corpus& corpus) {
  Gazetteer::Scratch scratch;
  std::string all;
  list.mark(corpus[0], 0, 0, corpus[0].size(), scratch, all);
  return all;
}

Gazetteer parse(std::string_view text, bool lower = false) {
  return Gazetteer::parse("list", text, lower, "list.txt");
}

}  // namespace

TEST_CASE("a gazetteer marks the longest entry that covers a token", "[features][gazetteer]") {
  const Gazetteer towns = parse("New York\nYork\n\n  New   York  City \t\nYork\n");
  CHECK(towns.entries() == 3);
  CHECK(towns.text() == "New York\nYork\nNew York City\n");
  CHECK(marks(towns, words({"to", "New", "York", "and", "York"})) == "OBIOB");
  CHECK(marks(towns, words({"New", "York", "City", "York"})) == "BIIB");
  CHECK(marks(towns, words({"New", "Yorker"})) == "OO");
  CHECK(marks(towns, words({"new", "york"})) == "OO");
  CHECK(marks(parse("New York", true), words({"NEW", "yoRK", "new"})) == "BIO");
  CHECK(marks(parse("École", true), words({"école", "ÉCOLE"})) == "BB");
  // Where entries overlap each token has the longer one.
  CHECK(marks(parse("a b\nb c d\n"), words({"a", "b", "c", "d"})) == "BBII");
  CHECK(marks(parse("a b\nb c\n"), words({"a", "b", "c"})) == "BII");
  CHECK(marks(towns, words({})).empty());
}

TEST_CASE("marks of a part are a part of the marks", "[features][gazetteer]") {
  Rng rng(5);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    std::set<std::string> entries;
    for (int e = 0; e < 4; ++e) {
      std::string entry(1, "ab"[rng.below(2)]);
      for (std::uint64_t i = 0, n = rng.below(4); i < n; ++i) entry += std::string(" ") + "ab"[rng.below(2)];
      entries.insert(entry);
      text += entry + "\n";
    }
    const Gazetteer list = parse(text);
    Corpus corpus;
    std::string letters;
    for (int t = 0; t < 12; ++t) {
      letters += "abc"[rng.below(3)];
      const std::string_view cell(&letters.back(), 1);
      corpus.add_token(std::span(&cell, 1));
    }
    corpus.end_sentence();
    // By the definition.
    std::string want;
    for (std::size_t t = 0; t < letters.size(); ++t) {
      std::size_t longest = 0, start = 0;
      for (std::size_t s = 0; s <= t; ++s) {
        std::string entry;
        for (std::size_t end = s; end < letters.size(); ++end) {
          entry += (end > s ? " " : "") + letters.substr(end, 1);
          if (end >= t && entries.count(entry) && end - s + 1 > longest) longest = end - s + 1, start = s;
        }
      }
      want += longest == 0 ? 'O' : start == t ? 'B' : 'I';
    }
    REQUIRE(marks(list, corpus) == want);
    Gazetteer::Scratch scratch;
    std::string part;
    for (Index begin = 0; begin < 12; ++begin) {
      list.mark(corpus[0], 0, begin, 12, scratch, part);
      REQUIRE(part == want.substr(static_cast<std::size_t>(begin)));
    }
  }
}

TEST_CASE("bad gazetteers are refused", "[features][gazetteer]") {
  const auto refusal = [](std::string_view text) { return message_of<InputError>([&] { parse(text); }); };
  CHECK_THAT(refusal(" \n\n"), ContainsSubstring("list.txt: there is no entry"));
  CHECK_THAT(refusal("fine\n\xFF\n"), ContainsSubstring("list.txt:2: an entry that is not UTF-8"));
  std::string longest;
  for (int i = 0; i < 33; ++i) longest += "w ";
  CHECK_THAT(refusal(longest), ContainsSubstring("list.txt:1: an entry of 33 words"));
  CHECK_THROWS_AS(Gazetteer::parse("a b", "x", false, "f"), OptionError);
  CHECK_THROWS_AS(Gazetteer::parse("", "x", false, "f"), OptionError);
  const auto towns = std::make_shared<const Gazetteer>(Gazetteer::parse("towns", "x", false, "f"));
  Corpus corpus;
  corpus.add({{"a", "X"}, {"b", "Y"}});
  const auto option = [&](FeatureOptions options) {
    return message_of<OptionError>([&] { learn_examples(corpus, options); });
  };
  CHECK_THAT(option({.templates = "U:%x[0,0]", .gazetteers = {towns}}),
             ContainsSubstring("no template reads 'towns'"));
  CHECK_THAT(option({.gazetteers = {towns, towns}}), ContainsSubstring("two are called 'towns'"));
  CHECK_THAT(option({.format = Format::Attributes, .gazetteers = {towns}}),
             ContainsSubstring("does not go with attribute files"));
  CHECK_THAT(
      message_of<InputError>([&] { learn_examples(corpus, {.templates = "U:%gazetteer[0,0,towns]"}); }),
      ContainsSubstring("--gazetteer towns=FILE"));
  CHECK_THAT(message_of<InputError>([&] { TemplateSet::parse("U:%gazetteer[0,0,]", "tpl"); }),
             ContainsSubstring("a name expected"));
}

TEST_CASE("a list tells of words that training never saw, from the model alone",
          "[pipeline][gazetteer][io]") {
  Corpus corpus;
  for (int i = 0; i < 10; ++i) {
    corpus.add({{"to", "O"}, {"Port", "B"}, {"Amery", "I"}, {"on", "O"}});
    corpus.add({{"in", "O"}, {"Tolbeck", "B"}, {"on", "O"}});
    corpus.add({{"to", "O"}, {"Friday", "O"}});
  }
  const auto towns = std::make_shared<const Gazetteer>(
      Gazetteer::parse("towns", "Port Amery\nTolbeck\nOld Dunmere Head\n", false, "towns.txt"));
  const Corpus fresh = words({"in", "Old", "Dunmere", "Head", "on"});
  const std::vector<std::string> want{"O", "B", "I", "I", "O"};
  for (const char* templates : {"", "U0:%x[0,0]\nU1:%gazetteer[0,0,towns]\nB1:%gazetteer[0,0,towns]\n"}) {
    const TemporaryFolder folder;
    save_model(train(corpus, {}, {.templates = templates, .gazetteers = {towns}}), folder / "towns.model");
    CHECK(Tagger::load(folder / "towns.model").tag(fresh[0]) == want);
    const Model loaded = load_model(folder / "towns.model");
    REQUIRE(loaded.featurizer.gazetteers().size() == 1);
    CHECK(loaded.featurizer.gazetteers()[0]->text() == towns->text());
  }
}

TEST_CASE("long sentences are marked as short ones are", "[features][gazetteer]") {
  Corpus corpus;
  for (int t = 0; t < 2000; ++t) {
    const std::string_view cells[] = {t % 3 == 1 ? "b" : "a", "X"};
    corpus.add_token(cells);
  }
  corpus.end_sentence();
  const auto list = std::make_shared<const Gazetteer>(parse("a b a\n"));
  const Featurizer featurizer(TemplateSet::parse("U%gazetteer[0,0,list]\nU1%gazetteer[1,0,list]\n", "tpl"),
                              Boundary::Marks, {list});
  AttributeBuffer whole, part;
  featurizer.attributes(corpus[0], whole);
  for (Index begin = 0; begin < 2000; begin += 256) {
    featurizer.attributes(corpus[0], begin, std::min<Index>(begin + 256, 2000), part);
    for (Index t = 0; t < part.size(); ++t)
      REQUIRE(std::ranges::equal(part.names(t), whole.names(begin + t)));
  }
  CHECK(whole.names(0)[0] == "UB");
}

TEST_CASE("rows without the column are an error, not a read behind the sentence", "[features][gazetteer]") {
  const auto list = std::make_shared<const Gazetteer>(Gazetteer::parse("towns", "a b\n", false, "list"));
  Corpus corpus;
  corpus.add({{"x", "a"}, {"x", "b"}, {"x", "a"}, {"x"}});
  Gazetteer::Scratch scratch;
  std::string marks;
  list->mark(corpus[0], 1, 0, 4, scratch, marks);
  CHECK(marks == "BIOO");
  const Featurizer featurizer(TemplateSet::parse("U:%gazetteer[1,70,towns]", "tpl"), Boundary::Marks, {list});
  AttributeBuffer out;
  CHECK_THROWS_AS(featurizer.attributes(corpus[0], out), InputError);
}
