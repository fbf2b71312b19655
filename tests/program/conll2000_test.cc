// The published task, where THALWEG_DATA names a folder that has it: feature counts, optima and accuracy of
// the peers, and their labels, marginals and probabilities sentence by sentence where a reference file lies
// beside it.

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>

#include "support/catch.h"
#include "support/sanitized.h"
#include "thalweg/evaluation/score.h"
#include "thalweg/io/text_reader.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;

namespace {

std::string templates() {
  TextReader reader(std::string(THALWEG_SOURCE_DIR) + "/data/chunking.tpl");
  std::string text;
  while (reader.next()) text.append(reader.line()).append("\n");
  return text;
}

std::string data_folder() {
  if (testing::kSanitized) return "";  // minutes, and nothing that smaller data does not show
  const char* folder = std::getenv("THALWEG_DATA");
  return folder && std::filesystem::exists(std::string(folder) + "/conll2000/train.txt.gz") ? folder : "";
}

Tagger train_on(const std::string& folder, Boundary boundary, double gap, TrainSummary& summary) {
  Examples e =
      read_examples(folder + "/conll2000/train.txt.gz", {.templates = templates(), .boundary = boundary});
  summary = train_model(e.model, e.data, nullptr, {.c2 = 1, .gap = gap, .threads = 2});
  return Tagger(pruned(e.model));
}

double test_f1(const std::string& folder, const Tagger& tagger) {
  const Corpus test = read_corpus(folder + "/conll2000/test.txt.gz", Format::Columns);
  SpanScore score;
  for (Index n = 0; n < test.size(); ++n) {
    const auto predicted = tagger.tag(test[n]);
    std::vector<std::string_view> gold, guess(predicted.begin(), predicted.end());
    for (Index t = 0; t < test[n].size(); ++t) gold.push_back(test[n].cell(t, 2));
    score.add(gold, guess);
  }
  return score.overall().f1();
}

// Rows of `word pos gold best marginal`, a line `# p PROBABILITY` before each sentence.
void check_reference(const std::string& path, const Tagger& tagger) {
  TextReader reader(path);
  Decoder decoder(tagger);
  Corpus corpus;
  std::vector<std::string> labels;
  std::vector<double> marginals;
  double probability = 0, worst = 0, worst_log = 0;
  Index different = 0, sentences = 0;
  auto close = [&] {
    if (labels.empty()) return;
    corpus.end_sentence();
    decoder.read(corpus[corpus.size() - 1]);
    const auto best = decoder.minimize();
    worst_log =
        std::max(worst_log, std::abs(decoder.free_energy() - decoder.energy() - std::log(probability)));
    const auto p = decoder.marginals();
    for (std::size_t t = 0; t < labels.size(); ++t) {
      const bool same = tagger.label(best[t]) == labels[t];
      different += !same;
      if (same)
        worst =
            std::max(worst, std::abs(static_cast<double>(p[static_cast<Index>(t)][best[t]]) - marginals[t]));
    }
    labels.clear(), marginals.clear(), ++sentences;
  };
  while (reader.next()) {
    std::istringstream line{std::string(reader.line())};
    std::string word, pos, gold, best;
    double marginal;
    if (reader.line().rfind("# p ", 0) == 0) {
      probability = std::stod(std::string(reader.line().substr(4)));
    } else if (line >> word >> pos >> gold >> best >> marginal) {
      const std::string_view cells[] = {word, pos, gold};
      corpus.add_token(cells), labels.push_back(best), marginals.push_back(marginal);
    } else {
      close();
    }
  }
  close();
  CHECK(sentences == 200);
  CHECK(different <= 5);
  CHECK(worst < 0.005);
  CHECK(worst_log < 0.03);
}

}  // namespace

TEST_CASE("CoNLL-2000: features, optimum and accuracy of the peers", "[conll2000]") {
  const std::string folder = data_folder();
  if (folder.empty()) return;
  TrainSummary summary;
  const Tagger marks = train_on(folder, Boundary::Marks, 1e-6, summary);  // single marginals ask for more
  CHECK(summary.features == 456'468);
  CHECK(summary.objective == Approx(12887.2).epsilon(1e-4));
  CHECK(test_f1(folder, marks) == Approx(93.57).margin(0.06));
  const std::string reference = folder + "/../reference/conll2000_marginals.tsv";
  if (std::filesystem::exists(reference)) check_reference(reference, marks);

  constexpr double kGap = 1e-5;  // the default
  const Tagger none = train_on(folder, Boundary::None, kGap, summary);
  CHECK(summary.features == 452'755);
  CHECK(summary.objective - summary.dual <= kGap * summary.objective);
  CHECK(summary.objective == Approx(13139.4).epsilon(1e-4));
  CHECK(test_f1(folder, none) == Approx(93.60).margin(0.06));
}
