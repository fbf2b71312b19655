// Attributes hashed into few rows: from the featurizer to models that hold no names.
#include <charconv>
#include <set>

#include "support/catch.h"
#include "support/message.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/io/model_file.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using thalweg::testing::TemporaryFolder;

namespace {

const std::string kNews = std::string(THALWEG_SOURCE_DIR) + "/data/river-news/";

double accuracy(const Tagger& tagger, const Corpus& test) {
  Index right = 0;
  for (Index n = 0; n < test.size(); ++n) {
    const auto labels = tagger.tag(test[n]);
    for (Index t = 0; t < test[n].size(); ++t) right += labels[t] == test[n].cell(t, 1);
  }
  return static_cast<double>(right) / static_cast<double>(test.tokens());
}

}  // namespace

TEST_CASE("hashed names are numbers below 2^N, the same for the same name", "[features][hashing]") {
  Corpus corpus;
  corpus.add({{"a", "X"}, {"b", "Y"}, {"a", "X"}});
  const TemplateSet set = TemplateSet::parse("U1:%x[0,0]\nU2\nB1:%x[0,0]\n", "tpl");
  for (const int bits : {1, 5, 22, 30}) {
    const Featurizer featurizer(set, Boundary::Marks, {}, bits);
    AttributeBuffer buffer;
    featurizer.attributes(corpus[0], buffer);
    REQUIRE(buffer.size() == 3);
    for (const std::string_view name : buffer.all_names()) {
      REQUIRE(name.front() == '#');
      std::uint64_t number = ~0ull;
      const auto parsed = std::from_chars(name.data() + 1, name.data() + name.size(), number);
      CHECK(parsed.ptr == name.data() + name.size());
      CHECK(number < std::uint64_t{1} << bits);
    }
    CHECK(buffer.names(0)[0] == buffer.names(2)[0]);
    CHECK(buffer.names(0)[1] == buffer.names(1)[1]);
    if (bits > 20) CHECK(buffer.names(0)[0] != buffer.names(1)[0]);
    featurizer.pairs()->attributes(corpus[0], buffer);
    CHECK(buffer.names(0)[0].front() == '#');
  }
}

TEST_CASE("a hashed model holds no names, is smaller, and tags about as well", "[pipeline][hashing][io]") {
  const TemporaryFolder folder;
  const Corpus corpus = read_corpus(kNews + "train.txt", Format::Columns),
               test = read_corpus(kNews + "test.txt", Format::Columns);
  const Model plain = train(corpus, {.iterations = 20}),
              hashed = train(corpus, {.iterations = 20}, {.hash_bits = 18});
  std::set<std::string_view> seen;
  for (std::uint32_t a = 0; a < hashed.attributes.size(); ++a) {
    REQUIRE(hashed.attributes.name(a).front() == '#');
    seen.insert(hashed.attributes.name(a));
  }
  CHECK(seen.size() == hashed.attributes.size());
  CHECK(model_bytes(hashed).size() < model_bytes(plain).size());
  const double with_names = accuracy(Tagger(Model(plain)), test);
  CHECK(accuracy(Tagger(Model(hashed)), test) > with_names - 0.01);
  save_model(hashed, folder / "m");
  CHECK(accuracy(Tagger::load(folder / "m"), test) == accuracy(Tagger(Model(hashed)), test));
  // A handful of rows must bound the model, collisions and all.
  const Model tiny = train(corpus, {.iterations = 5}, {.hash_bits = 6});
  CHECK(tiny.attributes.size() <= 64);
  CHECK(accuracy(Tagger(Model(tiny)), test) > 0.5);
}

TEST_CASE("hashing goes with attribute files, and its range is checked", "[pipeline][hashing]") {
  Corpus corpus;
  for (int i = 0; i < 20; ++i) corpus.add({{"X", "w=a", "cap"}, {"Y", "w=b"}, {"X", "w=a"}});
  const Tagger tagger(train(corpus, {}, {.format = Format::Attributes, .hash_bits = 20}));
  Corpus test;
  test.add({{"?", "w=b"}, {"?", "w=a", "cap"}, {"?", "w=b"}});
  CHECK(tagger.tag(test[0]) == std::vector<std::string>{"Y", "X", "Y"});
  for (const int bits : {-1, 31}) {
    CHECK_THAT(message_of<OptionError>(
                   [&] { learn_examples(corpus, {.format = Format::Attributes, .hash_bits = bits}); }),
               ContainsSubstring("must be 0 to 30"));
  }
}
