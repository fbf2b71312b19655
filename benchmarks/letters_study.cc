// Letter error of the linear chain on OCR letters, the protocol of Taskar, Guestrin and Koller (2003): ten
// folds; small trains on one and tests on nine, large trains on nine and tests on one. Loss and its lambda
// are chosen inside the training folds: on one of the nine (large), or on every fourth word of the one
// (small), and the chosen one is trained on all of them. The tested folds have no part in it.
//
//     THALWEG_DATA=... letters_study [small|large]

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "thalweg/io/letters_reader.h"
#include "thalweg/pipeline/comparison.h"

namespace {

using namespace thalweg;

struct Choice {
  std::string loss;
  double lambda = 0;  // c2 = words * lambda / 2; without: the perceptron's passes
  Index passes = 0;

  std::string shown() const {
    char number[32];
    std::snprintf(number, sizeof number, "%g", passes > 0 ? static_cast<double>(passes) : lambda);
    return loss + (passes > 0 ? ", passes " : ", lambda ") + number;
  }
};

std::vector<Choice> choices() {
  std::vector<Choice> all;
  for (const Index passes : {5, 10, 20, 40}) all.push_back({"perceptron", 0, passes});
  for (const char* loss : {"likelihood", "softmax-margin", "structured-hinge"}) {
    for (const double lambda : {0.03, 0.01, 0.003, 0.001, 0.0003}) all.push_back({loss, lambda, 0});
  }
  return all;
}

TrainOptions options_of(const Choice& choice, double words) {
  TrainOptions o;
  o.loss = loss_named(choice.loss);
  if (auto* hinge = std::get_if<StructuredHingeLoss>(&o.loss)) hinge->cost = HammingMeanCost{};
  if (auto* margin = std::get_if<SoftmaxMarginLoss>(&o.loss)) margin->cost = HammingMeanCost{};
  o.all_features = true;
  o.iterations = choice.passes;
  o.c2 = choice.passes > 0 ? 0 : words * choice.lambda / 2;
  if (choice.loss == "structured-hinge") o.gap = 0.01;
  return o;
}

struct Outcome {
  double error = 0, seconds = 0;
};

Outcome run(const Corpus& train, const std::function<bool(Index)>& keep, const Corpus& test,
            const std::function<bool(Index)>& keep_test, const Choice& choice) {
  FeatureOptions features;
  features.format = Format::Attributes, features.keep = keep;
  const Examples examples = learn_examples(train, features);
  const DevelopmentSet held_out = development_set(test, examples.model, {}, keep_test);
  Model model = examples.model;
  const std::clock_t start = std::clock();
  train_model(model, examples.data, nullptr, options_of(choice, examples.data.total_weight()));
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  return {100 - score(model, held_out).accuracy, seconds};
}

std::vector<int> without(int fold, int other = -1) {
  std::vector<int> folds;
  for (int f = 0; f < 10; ++f) {
    if (f != fold && f != other) folds.push_back(f);
  }
  return folds;
}

void study(const std::string& path, bool large) {
  std::vector<double> errors;
  double seconds = 0, search = 0;
  std::map<std::string, int> chosen;
  for (int fold = 0; fold < 10; ++fold) {
    const Corpus train = read_letters(path, large ? without(fold) : std::vector<int>{fold});
    const Corpus test = read_letters(path, large ? std::vector<int>{fold} : without(fold));
    const int inner = (fold + 1) % 10;
    const Corpus part = large ? read_letters(path, without(fold, inner)) : train;
    const Corpus rest = large ? read_letters(path, {inner}) : train;
    const auto most = [&](Index n) { return large || n % 4 != 0; };
    const auto fourth = [&](Index n) { return large || n % 4 == 0; };
    Choice best;
    double lowest = 100;
    for (const Choice& choice : choices()) {
      const Outcome o = run(part, most, rest, fourth, choice);
      search += o.seconds;
      if (o.error < lowest) lowest = o.error, best = choice;
    }
    const Outcome o = run(train, {}, test, {}, best);
    std::printf("  fold %d: %.2f %% in %.2f CPU s by %s (%.2f %% inside)\n", fold, o.error, o.seconds,
                best.shown().c_str(), lowest);
    std::fflush(stdout);
    errors.push_back(o.error), seconds += o.seconds, ++chosen[best.loss];
  }
  double mean = 0, spread = 0;
  for (const double e : errors) mean += e / 10;
  for (const double e : errors) spread += (e - mean) * (e - mean) / 9;
  std::printf("%s: %.2f %% wrong letters, standard deviation %.2f; %.2f CPU s a fold, search %.1f\n",
              large ? "large" : "small", mean, std::sqrt(spread), seconds / 10, search / 10);
}

}  // namespace

int main(int argc, char** argv) {
  const char* const data = std::getenv("THALWEG_DATA");
  if (!data) {
    std::fputs("letters_study: THALWEG_DATA does not name the folder of ocr_letters\n", stderr);
    return 0;
  }
  const std::string path = std::string(data) + "/ocr_letters/letter.data.gz", asked = argc > 1 ? argv[1] : "";
  if (asked != "large") study(path, false);
  if (asked != "small") study(path, true);
}
