#include "thalweg/pipeline/tagger.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/catch.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/core/parallel.h"
#include "thalweg/inference/chain.h"
#include "thalweg/io/model_file.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

const std::string kNews = std::string(THALWEG_SOURCE_DIR) + "/data/river-news/";

const Model& news_model() {
  static const Model model = train(read_corpus(kNews + "train.txt", Format::Columns), {.iterations = 30});
  return model;
}

}  // namespace

TEST_CASE("a saved model tags as the one in memory", "[pipeline][io]") {
  const TemporaryFolder folder;
  const std::string path = folder / "news.model";
  save_model(news_model(), path);
  const Tagger fresh{Model(news_model())}, loaded = Tagger::load(path);
  const Corpus test = read_corpus(kNews + "test.txt", Format::Columns);
  Index entities = 0;
  for (Index n = 0; n < test.size(); ++n) {
    const auto labels = loaded.tag(test[n]);
    REQUIRE(labels == fresh.tag(test[n]));
    entities += std::count_if(labels.begin(), labels.end(), [](auto& l) { return l != "O"; });
  }
  CHECK(entities > 100);
  // And again: the same bytes.
  save_model(load_model(path), folder / "again.model");
  std::ifstream a(path, std::ios::binary), b(folder / "again.model", std::ios::binary);
  const std::string first((std::istreambuf_iterator<char>(a)), {}),
      second((std::istreambuf_iterator<char>(b)), {});
  CHECK(first == second);
  CHECK(first.size() > 10000);
}

TEST_CASE("a decoder answers consistently about a sentence", "[pipeline]") {
  const Tagger tagger{Model(news_model())};
  Decoder decoder(tagger);
  const Corpus test = read_corpus(kNews + "test.txt", Format::Columns);
  for (Index n = 0; n < 10; ++n) {
    decoder.read(test[n]);
    const std::vector<Label> best(decoder.minimize().begin(), decoder.minimize().end());
    const double e = decoder.energy();
    CHECK(e == energy<float>(decoder.chain(), best));
    const double f = decoder.free_energy();
    CHECK(f <= e);
    const auto p = decoder.marginals();
    for (Index t = 0; t < p.rows; ++t) {
      double sum = 0;
      for (Index l = 0; l < p.columns; ++l) sum += p[t][l];
      CHECK(sum == Approx(1).epsilon(1e-4));
    }
    std::vector<Minimum> lowest;
    decoder.k_lowest(5, lowest);
    CHECK(lowest[0].labels == best);
    CHECK(lowest[1].energy >= e);
    // The n best labellings are no more probable than all.
    double mass = 0;
    for (const auto& m : lowest) mass += std::exp(f - m.energy);
    CHECK(mass <= 1 + 1e-5);
  }
}

TEST_CASE("one model, many threads, many taggings", "[pipeline][threads]") {
  const Tagger tagger{Model(news_model())};
  const Corpus test = read_corpus(kNews + "test.txt", Format::Columns);
  std::vector<std::vector<std::string>> want;
  for (Index n = 0; n < test.size(); ++n) want.push_back(tagger.tag(test[n]));
  std::vector<char> same(1600, 0);
  parallel_chunks(1600, 5, 16, [&](Index begin, Index end, int) {
    Decoder decoder(tagger);
    for (Index i = begin; i < end; ++i) {
      const Index n = i % test.size();
      decoder.read(test[n]);
      const auto labels = decoder.minimize();
      same[i] = std::equal(labels.begin(), labels.end(), want[n].begin(), want[n].end(),
                           [&](Label l, const std::string& name) { return tagger.label(l) == name; });
    }
  });
  CHECK(std::count(same.begin(), same.end(), 1) == 1600);
}

TEST_CASE("sixteen threads share one model, also from within other parallel work", "[pipeline][threads]") {
  const TemporaryFolder folder;
  Corpus corpus;
  corpus.add({{"a", "X"}, {"b", "Y"}, {"c", "X"}});
  save_model(train(corpus, {}, {.templates = "U:%x[0,0]\nB\nB1:%x[0,0]\n"}), folder / "m");
  const Tagger tagger = Tagger::load(folder / "m");
  Corpus sentences;
  for (const char* word : {"a", "b", "c", "d"}) sentences.add({{"b"}, {word}});
  std::vector<std::vector<Label>> want;
  Decoder one(tagger);
  for (Index n = 0; n < sentences.size(); ++n) {
    one.read(sentences[n]);
    want.emplace_back(one.minimize().begin(), one.minimize().end());
  }
  // Tags [begin, end), as often as it is different from what one thread says.
  const auto wrong = [&](Index begin, Index end) {
    Decoder decoder(tagger);
    Index count = 0;
    for (Index i = begin; i < end; ++i) {
      decoder.read(sentences[i % 4]);
      const auto y = decoder.minimize();
      count += !std::equal(y.begin(), y.end(), want[i % 4].begin(), want[i % 4].end());
    }
    return count;
  };
  constexpr Index kTaggings = 17000, kChunk = 100;
  for (const int threads : {1, 2, 8, 16}) {
    std::vector<Index> found(kTaggings / kChunk);
    parallel_chunks(kTaggings, kChunk, threads,
                    [&](Index begin, Index end, int) { found[begin / kChunk] = wrong(begin, end); });
    CHECK(std::count(found.begin(), found.end(), 0) == std::ssize(found));
  }
  for (const auto& threads : {std::pair{4, 4}, {16, 2}}) {
    const int outer = threads.first, inner = threads.second;
    std::vector<Index> found(kTaggings / kChunk);
    parallel_chunks(kTaggings, 10 * kChunk, outer, [&](Index from, Index to, int) {
      parallel_chunks(to - from, kChunk, inner, [&](Index begin, Index end, int) {
        found[(from + begin) / kChunk] = wrong(from + begin, from + end);
      });
    });
    CHECK(std::count(found.begin(), found.end(), 0) == std::ssize(found));
  }
}

TEST_CASE("words as they come", "[pipeline]") {
  const Tagger tagger{Model(news_model())};
  const auto labels = tagger.tag({"Mara", "Lindqvist", "left", "Port", "Amery", "on", "Friday", "."});
  REQUIRE(labels.size() == 8);
  CHECK(labels[0] == "B-PER");
  CHECK(labels[7] == "O");
  CHECK(tagger.tag(std::initializer_list<std::string_view>{}).empty());
  CHECK(tagger.tag({"one"}).size() == 1);
}

TEST_CASE("attribute files train and tag", "[pipeline]") {
  Corpus corpus;
  for (int i = 0; i < 20; ++i) corpus.add({{"X", "w=a", "cap"}, {"Y", "w=b"}, {"X", "w=a"}});
  const Tagger tagger(train(corpus, {}, {.format = Format::Attributes}));
  Corpus test;
  test.add({{"?", "w=b"}, {"?", "w=a", "cap"}, {"?", "w=b"}});
  CHECK(tagger.tag(test[0]) == std::vector<std::string>{"Y", "X", "Y"});
}

TEST_CASE("model files that mean nothing are refused", "[pipeline][io]") {
  const TemporaryFolder folder;
  const std::string path = folder / "small.model";
  Corpus corpus;
  corpus.add({{"a", "X"}, {"b", "Y"}});
  const Model good = train(corpus, {}, {.templates = "U:%x[0,0]\nB\nB1:%x[0,0]\n"});
  auto refuses = [&](auto damage, const char* array) {
    Model m = good;
    damage(m);
    save_model(m, path);
    try {
      load_model(path);
      FAIL("accepted a damaged " << array);
    } catch (const ModelError& error) {
      CHECK_THAT(error.what(), ContainsSubstring(array));
      CHECK_THAT(error.what(), ContainsSubstring("small.model"));
    }
  };
  refuses([](Model& m) { m.weights[0] = std::nan(""); }, "emissions/rows");
  refuses([](Model& m) { m.weights.back() = std::nan(""); }, "weights");
  refuses([](Model& m) { m.weights.pop_back(); }, "weights");
  refuses([](Model& m) { m.transitions.labels.push_back(0); }, "transitions/offsets");
  refuses([](Model& m) { m.pairs.labels[0] = 4; }, "pairs/labels");
  refuses([](Model& m) { m.pairs.offsets[1] = 99; }, "pairs/offsets");
  refuses([](Model& m) { m.pair_attributes = Vocabulary(); }, "pairs/offsets");
  refuses([](Model& m) { m.featurizer = Featurizer(TemplateSet::parse("U:%x[0,0]", "t"), Boundary::Marks); },
          "pairs/offsets");
  refuses([](Model& m) { m.attributes.add("more"); }, "emissions/offsets");

  auto never_written = [&](auto damage) {
    Model m = good;
    damage(m);
    CHECK_THROWS_AS(save_model(m, path), ModelError);
  };
  never_written([](Model& m) { m.emissions.labels[0] = 2; });
  never_written([](Model& m) { m.emissions.offsets[1] = 99; });
  never_written([](Model& m) { m.emissions.offsets.pop_back(); });
  never_written([](Model& m) { m.weights.clear(); });
  never_written([](Model& m) { m.labels = Vocabulary(); });
}
