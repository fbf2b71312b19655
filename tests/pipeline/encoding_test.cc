#include "thalweg/pipeline/encoding.h"

#include <set>

#include "support/catch.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/evaluation/spans.h"
#include "thalweg/io/model_file.h"
#include "thalweg/io/model_text.h"
#include "thalweg/pipeline/explanation.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

const std::string kNews = std::string(THALWEG_SOURCE_DIR) + "/data/river-news/";

std::vector<std::string> encoded(const std::vector<std::string>& labels) {
  Dataset data;
  Vocabulary names, into;
  for (const auto& label : labels) data.labels.push_back(names.add(label));
  data.sequences.push_back(static_cast<Index>(labels.size()));
  encode_bioes(data, names, into, "here");
  std::vector<std::string> out;
  for (Label l : data.labels) out.emplace_back(into.name(l));
  return out;
}

}  // namespace

TEST_CASE("BIO is written as BIOES and read back", "[pipeline][encoding]") {
  using Labels = std::vector<std::string>;
  CHECK(encoded({"B-NP", "I-NP", "I-NP", "O", "B-VP", "B-NP"}) ==
        Labels{"B-NP", "I-NP", "E-NP", "O", "S-VP", "S-NP"});
  CHECK(encoded({"I-NP", "B-NP", "I-VP", "I-VP"}) == Labels{"S-NP", "S-NP", "B-VP", "E-VP"});
  CHECK(encoded({}).empty());
  CHECK(decode_bioes("S-NP") == "B-NP");
  CHECK(decode_bioes("E-A-B") == "I-A-B");
  CHECK(decode_bioes("I-NP") == "I-NP");
  CHECK(decode_bioes("O") == "O");
  for (const char* odd : {"X", "B", "S-NP", "noun", "B-"}) CHECK_THROWS_AS(encoded({"O", odd}), InputError);
  // Every labelling of five tokens has the spans it had, and legal ones the labels.
  const Labels all{"O", "B-X", "I-X", "B-Y", "I-Y"};
  for (int code = 0; code < 3125; ++code) {
    Labels labels;
    for (int t = 0, rest = code; t < 5; ++t, rest /= 5)
      labels.push_back(all[static_cast<std::size_t>(rest % 5)]);
    Labels back;
    for (const auto& label : encoded(labels)) back.push_back(decode_bioes(label));
    const std::vector<std::string_view> before(labels.begin(), labels.end()), after(back.begin(), back.end());
    REQUIRE(spans(before, Scheme::Bio) == spans(after, Scheme::Bio));
    bool legal = true;
    for (std::size_t t = 0; t < 5; ++t) {
      const bool goes_on =
          t > 0 && labels[t - 1] != "O" && labels[t] != "O" && labels[t - 1].substr(2) == labels[t].substr(2);
      legal = legal && (labels[t][0] != 'I' || goes_on);
    }
    REQUIRE((labels == back) == legal);
  }
}

TEST_CASE("a model learnt in BIOES answers in BIO", "[pipeline][encoding]") {
  const TemporaryFolder folder;
  FeatureOptions options;
  options.encoding = Encoding::Bioes;
  Examples e = read_examples(kNews + "train.txt", options);
  const DevelopmentSet dev = read_development_set(kNews + "test.txt", Format::Columns, e.model);
  const TrainSummary summary = train_model(e.model, e.data, &dev, {});
  CHECK(e.model.labels.find("S-LOC") != kNoLabel);
  CHECK(summary.dev_f1 > 80);
  save_model(e.model, folder / "news.model");
  CHECK(
      model_bytes(load_model_text((save_model_text(e.model, folder / "news.text"), folder / "news.text"))) ==
      model_bytes(load_model(folder / "news.model")));
  const Tagger tagger = Tagger::load(folder / "news.model");
  const Corpus corpus = read_corpus(kNews + "test.txt", Format::Columns);
  Decoder decoder(tagger);
  Explainer explainer(tagger);
  std::set<std::string> seen;
  for (Index n = 0; n < corpus.size(); ++n) {
    decoder.read(corpus[n]);
    const std::vector<Label> y(decoder.minimize().begin(), decoder.minimize().end());
    decoder.free_energy();
    const Table<const float> p = decoder.marginals();
    explainer.read(corpus[n]);
    for (Index t = 0; t < corpus[n].size(); ++t) {
      seen.insert(std::string(tagger.label(y[t])).substr(0, 1));
      // A label's probability is that of all that read like it.
      double want = 0;
      for (Label l = 0; l < static_cast<Label>(tagger.labels()); ++l) {
        if (tagger.label(l) == tagger.label(y[t])) want += static_cast<double>(p[t][l]);
      }
      REQUIRE(decoder.probability(t, y[t]) == Approx(want));
      if (n > 5) continue;
      const Explanation why = explainer.explain(t);
      REQUIRE(why.probability == Approx(want));
      if (!why.runner_up.empty()) REQUIRE(tagger.label(why.runner_up[t]) != tagger.label(why.best[t]));
    }
  }
  CHECK(seen == std::set<std::string>{"B", "I", "O"});
}
