// Reading, the training gradient and tagging, per token, beside the textbook's (textbook.h). The data are
// CoNLL-2000 where the environment variable THALWEG_DATA names the folder that holds conll2000/train.txt.gz
// and test.txt.gz, or else made up (synthetic.h). Before anything is timed, both must agree on the objective,
// its gradient, the energies of the lowest labellings and the free energies.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "synthetic.h"
#include "textbook.h"
#include "thalweg/core/error.h"
#include "thalweg/core/isa.h"
#include "thalweg/core/parallel.h"
#include "thalweg/core/random.h"
#include "thalweg/io/corpus_reader.h"
#include "thalweg/learning/batch_objective.h"
#include "thalweg/pipeline/tagger.h"

namespace {

using thalweg::Index;

// The tutorial templates of CRFsuite and CRF++: those that read words, and the rest. Folding finds nothing to
// share among the first.
#define WORD_TEMPLATES                                                  \
  "U00:%x[-2,0]\nU01:%x[-1,0]\nU02:%x[0,0]\nU03:%x[1,0]\nU04:%x[2,0]\n" \
  "U05:%x[-1,0]/%x[0,0]\nU06:%x[0,0]/%x[1,0]\nB\n"
constexpr const char* kWordTemplates = WORD_TEMPLATES;
constexpr const char* kTemplates = WORD_TEMPLATES R"(U10:%x[-2,1]
U11:%x[-1,1]
U12:%x[0,1]
U13:%x[1,1]
U14:%x[2,1]
U15:%x[-2,1]/%x[-1,1]
U16:%x[-1,1]/%x[0,1]
U17:%x[0,1]/%x[1,1]
U18:%x[1,1]/%x[2,1]
U20:%x[-2,1]/%x[-1,1]/%x[0,1]
U21:%x[-1,1]/%x[0,1]/%x[1,1]
U22:%x[0,1]/%x[1,1]/%x[2,1]
)";

constexpr double kC2 = 1;
constexpr Index kVectorColumns = 50;

struct Texts {
  std::string name, train, test;
};

Texts load_texts() {
  if (const char* folder = std::getenv("THALWEG_DATA")) {
    const std::string files = std::string(folder) + "/conll2000/";
    return {"CoNLL-2000", thalweg::read_text(files + "train.txt.gz"),
            thalweg::read_text(files + "test.txt.gz")};
  }
  return {"synthetic", synthetic_text(2000, 1), synthetic_text(500, 2)};
}

thalweg::CorpusReader reader_of(const std::string& text) {
  return {thalweg::TextReader::of_memory(text, "text"), thalweg::Format::Columns};
}

thalweg::Corpus corpus_of(const std::string& text) {
  thalweg::Corpus corpus;
  for (auto reader = reader_of(text); reader.next();) corpus.add(reader.sentence());
  return corpus;
}

std::vector<textbook::Sentence> sentences_of(const std::string& text) {
  std::istringstream in(text);
  return textbook::read_sentences(in);
}

// --- the library's side of training

struct Training {
  thalweg::Model model;
  thalweg::Dataset data;
  thalweg::FoldedAttributes folded;

  explicit Training(const std::string& text, const char* template_text = kTemplates) {
    const auto templates = thalweg::TemplateSet::parse(template_text, "templates");
    model.featurizer = thalweg::Featurizer(templates, thalweg::Boundary::Marks);
    thalweg::FeatureScratch scratch;
    for (auto reader = reader_of(text); reader.next();) {
      learn_sentence(model.featurizer, reader.sentence(), model.attributes, model.labels, scratch, data);
    }
  }
  // What train_model does before its first evaluation.
  void make_features() {
    const Index K = model.labels.size();
    sort_by_use(data, model.attributes, K, 1);
    model.emissions = observed_features(transpose(data.attributes, model.attributes.size()), data.labels, K);
    model.transitions = observed_transitions(data, K);
    model.weights.assign(static_cast<std::size_t>(model.features()), 0.0);
    folded = fold(data.attributes, model.attributes, model.featurizer.templates());
  }
  // Gives each token this many random numbers. @pre make_features has run
  void add_vectors(Index columns) {
    thalweg::Rng rng(2);
    model.vector_columns = data.vector_columns = columns;
    data.vectors.resize(static_cast<std::size_t>(data.positions() * columns));
    for (float& x : data.vectors) x = static_cast<float>(rng.normal());
    model.weights.assign(static_cast<std::size_t>(model.features()), 0.0);
  }
  void draw_weights() {
    thalweg::Rng rng(1);
    for (double& x : model.weights) x = 0.3 * rng.normal();
  }
};

// --- agreement

[[noreturn]] void disagree(const char* what, double textbook, double thalweg) {
  std::fprintf(stderr, "benchmark: the textbook and the library differ in %s: %.12g and %.12g\n", what,
               textbook, thalweg);
  std::exit(1);
}

void check(const char* what, double textbook, double thalweg, double tolerance) {
  if (!(std::abs(textbook - thalweg) <= tolerance * (1 + std::abs(textbook))))
    disagree(what, textbook, thalweg);
}

// w in the textbook's numbering of features.
std::vector<double> renumbered(const std::vector<double>& w, const thalweg::Model& model,
                               const textbook::Crf& crf) {
  check("the number of features", crf.features(), static_cast<double>(model.features()), 0);
  std::vector<double> result(w.size());
  Index f = 0;
  const auto take = [&](int feature) {
    if (feature < 0) disagree("feature", feature, static_cast<double>(f));
    result[feature] = w[f++];
  };
  const auto label = [&](thalweg::Label l) { return crf.labels().find(std::string(model.labels.name(l))); };
  for (std::uint32_t a = 0; a < model.attributes.size(); ++a) {
    const int attribute = crf.attributes().find(std::string(model.attributes.name(a)));
    if (attribute < 0) disagree("attribute", attribute, a);
    for (thalweg::Label l : model.emissions.row(a)) take(crf.find_feature(attribute, label(l)));
  }
  for (thalweg::Label i = 0; i < model.labels.size(); ++i) {
    for (thalweg::Label j : model.transitions.row(i)) take(crf.find_transition(label(i), label(j)));
  }
  return result;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

void check_objectives(Training& training, textbook::Crf& crf, const std::vector<double>& w) {
  thalweg::LinearChain chain(training.model, &training.folded);
  thalweg::BatchObjective objective(chain, training.data, thalweg::LikelihoodLoss{}, kC2, 1);
  std::vector<double> ours(w.size()), theirs(w.size());
  const double value = objective(w, ours);
  check("the objective", crf.objective(renumbered(w, training.model, crf), kC2, theirs), value, 1e-6);
  ours = renumbered(ours, training.model, crf);
  const double norm = distance(theirs, std::vector<double>(theirs.size()));
  const double error = distance(theirs, ours) / norm;
  if (!(error <= 1e-4)) disagree("the gradient (its norm, and the relative distance)", norm, error);
}

void check_taggers(const thalweg::Tagger& tagger, const thalweg::Corpus& corpus, textbook::Crf& crf,
                   const std::vector<textbook::Sentence>& sentences) {
  check("the number of test sentences", static_cast<double>(sentences.size()),
        static_cast<double>(corpus.size()), 0);
  thalweg::Decoder decoder(tagger);
  std::vector<int> y;
  for (Index n = 0; n < corpus.size(); ++n) {
    decoder.read(corpus[n]);
    decoder.minimize();
    check("the lowest energy of a sentence", -crf.tag(sentences[n], y), decoder.energy(), 1e-5);
    check("the free energy of a sentence", -crf.marginals(sentences[n]), decoder.free_energy(), 1e-5);
  }
}

// --- what is timed

// Two threads are timed by the clock on the wall, one by the processor's, which other programs disturb less.
template <class Call>
void measure(const std::string& name, Index tokens, int threads, Call call) {
  auto* const registered = benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    call(state);
    state.counters["token"] =
        benchmark::Counter(static_cast<double>(tokens),
                           benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  });
  registered->Unit(benchmark::kMillisecond);
  if (threads > 1) registered->UseRealTime();
}

// The text lies in memory.
void measure_reading(const std::string& text, Index tokens) {
  for (const bool with_features : {false, true}) {
    const std::string name = with_features ? "read and index" : "read";
    measure(name + "<textbook>", tokens, 1, [&text, with_features](benchmark::State& state) {
      for (auto _ : state) {
        textbook::Crf crf(kTemplates);
        std::istringstream in(text);
        crf.read(in);
        if (with_features) crf.make_features();
        benchmark::DoNotOptimize(crf.sentences());
      }
    });
    measure(name + "<1>", tokens, 1, [&text, with_features](benchmark::State& state) {
      for (auto _ : state) {
        Training training(text);
        if (with_features) training.make_features();
        benchmark::DoNotOptimize(training.data.size());
      }
    });
  }
}

// One evaluation of the objective and its gradient.
void measure_gradient(const std::string& name, const Training& training) {
  for (const int threads : {1, 2}) {
    measure(name + "<" + std::to_string(threads) + ">", training.data.positions(), threads,
            [&training, threads](benchmark::State& state) {
              const std::vector<double>& w = training.model.weights;
              thalweg::LinearChain chain(training.model, &training.folded);
              thalweg::BatchObjective objective(chain, training.data, thalweg::LikelihoodLoss{}, kC2,
                                                threads);
              std::vector<double> gradient(w.size());
              for (auto _ : state) benchmark::DoNotOptimize(objective(w, gradient));
            });
  }
}

void measure_gradient_of(textbook::Crf& crf, const Training& training) {
  measure("gradient<textbook>", training.data.positions(), 1, [&](benchmark::State& state) {
    const std::vector<double> theirs = renumbered(training.model.weights, training.model, crf);
    std::vector<double> gradient(theirs.size());
    for (auto _ : state) benchmark::DoNotOptimize(crf.objective(theirs, kC2, gradient));
  });
}

// From sentences of cells to label numbers, or to marginals.
void measure_tagging(const thalweg::Tagger& tagger, const thalweg::Corpus& corpus, textbook::Crf& crf,
                     const std::vector<textbook::Sentence>& sentences) {
  measure("tag<textbook>", corpus.tokens(), 1, [&](benchmark::State& state) {
    std::vector<int> y;
    for (auto _ : state) {
      for (const auto& sentence : sentences) benchmark::DoNotOptimize(crf.tag(sentence, y));
    }
  });
  measure("marginals<textbook>", corpus.tokens(), 1, [&](benchmark::State& state) {
    for (auto _ : state) {
      for (const auto& sentence : sentences) benchmark::DoNotOptimize(crf.marginals(sentence));
    }
  });
  const auto measure_decoder = [&](const std::string& name, int threads, auto answer) {
    measure(name + "<" + std::to_string(threads) + ">", corpus.tokens(), threads,
            [=, &tagger, &corpus](benchmark::State& state) {
              std::vector<thalweg::Decoder> decoders;
              for (int slot = 0; slot < threads; ++slot) decoders.emplace_back(tagger);
              for (auto _ : state) {
                thalweg::parallel_chunks(corpus.size(), 16, threads, [&](Index begin, Index end, int slot) {
                  for (Index n = begin; n < end; ++n) {
                    decoders[slot].read(corpus[n]);
                    answer(decoders[slot]);
                  }
                });
              }
            });
  };
  measure_decoder("10-best", 1, [](thalweg::Decoder& d) {
    std::vector<thalweg::Minimum> found;
    d.k_lowest(10, found);
    benchmark::DoNotOptimize(found.data());
  });
  for (const int threads : {1, 2}) {
    measure_decoder("tag", threads,
                    [](thalweg::Decoder& d) { benchmark::DoNotOptimize(d.minimize().data()); });
    measure_decoder("marginals", threads, [](thalweg::Decoder& d) {
      benchmark::DoNotOptimize(d.free_energy());
      benchmark::DoNotOptimize(d.marginals().data);
    });
  }
}

// From attribute numbers, a sentence at a time, to label numbers.
void measure_decoding(const thalweg::Model& model, const thalweg::Corpus& corpus) {
  measure("tag from numbers<1>", corpus.tokens(), 1, [&](benchmark::State& state) {
    thalweg::Dataset data;
    thalweg::FeatureScratch scratch;
    for (Index n = 0; n < corpus.size(); ++n)
      look_up_sentence(model.featurizer, corpus[n], model.attributes, scratch, data);
    const thalweg::LinearChain chain(model);
    thalweg::Couplings<float> couplings;
    couplings.prepare_minima(chain.pairwise(), chain.labels());
    thalweg::MinSum<float> minima;
    thalweg::TableBuffer<float> unary;
    std::vector<thalweg::Label> y;
    for (auto _ : state) {
      for (Index n = 0; n < data.size(); ++n) {
        const thalweg::Block block{std::span(data.sequences).subspan(n, 2), &data.attributes};
        chain.unary(block, unary.resize(block.positions(), chain.labels()));
        y.resize(static_cast<std::size_t>(block.positions()));
        benchmark::DoNotOptimize(minima.minimize({unary, chain.pairwise(), {}}, couplings, y));
      }
    }
  });
}

void run() {
  const Texts texts = load_texts();
  Training training(texts.train);
  training.make_features();
  textbook::Crf crf(kTemplates);
  std::istringstream in(texts.train);
  crf.read(in);
  crf.make_features();
  const thalweg::Corpus corpus = corpus_of(texts.test);
  const std::vector<textbook::Sentence> sentences = sentences_of(texts.test);

  training.draw_weights();
  const std::vector<double>& w = training.model.weights;
  check_objectives(training, crf, w);
  crf.set_weights(renumbered(w, training.model, crf));
  const thalweg::Tagger tagger(training.model);
  check_taggers(tagger, corpus, crf, sentences);

  const Index tokens = training.data.positions();
  benchmark::AddCustomContext("data", texts.name + ", " + std::to_string(tokens) + " tokens to train on, " +
                                          std::to_string(corpus.tokens()) + " to tag, " +
                                          std::to_string(w.size()) + " features, " +
                                          std::to_string(tagger.labels()) + " labels");
  benchmark::AddCustomContext("instructions", thalweg::name(thalweg::active_isa()));
  measure_reading(texts.train, tokens);
  measure_gradient_of(crf, training);
  measure_gradient("gradient", training);
  Training words(texts.train, kWordTemplates), vectors(texts.train);
  words.make_features(), words.draw_weights();
  vectors.make_features(), vectors.add_vectors(kVectorColumns), vectors.draw_weights();
  measure_gradient("gradient of words alone", words);
  measure_gradient("gradient with 50 numbers a token", vectors);
  measure_tagging(tagger, corpus, crf, sentences);
  measure_decoding(tagger.model(), corpus);
  benchmark::RunSpecifiedBenchmarks();
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  try {
    run();
  } catch (const thalweg::Error& e) {
    std::fprintf(stderr, "benchmark: %s\n", e.what());
    return 1;
  }
}
