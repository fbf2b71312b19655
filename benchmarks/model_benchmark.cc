// How long a tagger of a 100 MB model takes until it has tagged its first sentence, page cache warm, beside
// what the mapping and the checksums of its file take alone (ArrayFile::open), below which no checked load
// can be. The program has its own start on top:
//
//   perf stat -r 20 thalweg tag one-sentence.txt --model big.model
//
// (or `time`), which reads, tags and writes.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>

#include "thalweg/io/model_file.h"
#include "thalweg/pipeline/tagger.h"

namespace {

using namespace thalweg;

// Two million attributes, of which every twentieth has many labels, as templates of several words make them.
Model big_model() {
  constexpr Index kAttributes = 2'000'000, kLabels = 22;
  Model model;
  model.featurizer =
      Featurizer(TemplateSet::parse("U00:%x[-1,0]/%x[0,0]\nU01:%x[0,0]\nB\n", "templates"), Boundary::Marks);
  for (Index l = 0; l < kLabels; ++l) model.labels.add("B-" + std::to_string(l));
  for (Index a = 0; a < kAttributes; ++a) {
    model.attributes.add("U0" + std::to_string(a % 2) + ":word" + std::to_string(a));
    const Index labels = a < kAttributes / 20 ? 6 : 1;
    for (Index l = 0; l < labels; ++l) model.emissions.labels.push_back(static_cast<Label>((a + l) % 16));
    std::sort(model.emissions.labels.end() - labels, model.emissions.labels.end());
    model.emissions.offsets.push_back(static_cast<std::uint32_t>(model.emissions.labels.size()));
  }
  model.transitions = all_features(kLabels, kLabels);
  for (Index f = 0; f < model.features(); ++f) model.weights.push_back(std::sin(static_cast<double>(f)));
  return model;
}

// The file, there for as long as the program runs.
class BigFile {
 public:
  explicit BigFile(WeightType type)
      : path_((std::filesystem::temp_directory_path() /
               ("thalweg-benchmark-" + std::to_string(static_cast<int>(type)) + ".model"))
                  .string()) {
    save_model(packed(big_model(), type), path_);
  }
  ~BigFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }
  void count(benchmark::State& state) const {
    state.SetBytesProcessed(state.iterations() *
                            static_cast<std::int64_t>(std::filesystem::file_size(path_)));
  }

 private:
  std::string path_;
};

template <WeightType kType>
const BigFile& file() {
  static const BigFile file(kType);
  return file;
}

template <WeightType kType>
void map_and_check(benchmark::State& state) {
  const std::string path = file<kType>().path();  // makes the model, which is not to be timed
  for (auto _ : state) benchmark::DoNotOptimize(ArrayFile::open(path, kModelFormat));
  file<kType>().count(state);
}

template <WeightType kType>
void first_tag(benchmark::State& state) {
  for (auto _ : state) {
    const Tagger tagger = Tagger::load(file<kType>().path());
    benchmark::DoNotOptimize(tagger.tag({"word1", "word30", "word999999", "word5", "word7"}));
  }
  file<kType>().count(state);
}

// What dump, inspect and warm starts take: all is checked, and all weights are doubles.
void load_all(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(load_model(file<WeightType::F32>().path()));
  file<WeightType::F32>().count(state);
}

BENCHMARK(map_and_check<WeightType::F32>)->Unit(benchmark::kMillisecond);
BENCHMARK(first_tag<WeightType::F32>)->Unit(benchmark::kMillisecond);
BENCHMARK(map_and_check<WeightType::F16>)->Unit(benchmark::kMillisecond);
BENCHMARK(first_tag<WeightType::F16>)->Unit(benchmark::kMillisecond);
BENCHMARK(load_all)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
