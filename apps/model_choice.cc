#include "model_choice.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "terminal.h"
#include "training_log.h"

namespace thalweg::app {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

std::string two(double x) { return fmt::format("{:.2f}", x); }

void print_lines(const std::vector<Json>& objects) {
  Output out;
  for (const Json& object : objects) out << object.dump() << "\n";
  out.flush();
}

void print_table(const Rows& rows) {
  Output out;
  out << table(rows);
  out.flush();
}

void print_json(const CrossValidation& v) {
  std::vector<Json> objects;
  for (const FoldScore& f : v.folds) {
    objects.push_back({{"fold", f.fold + 1},
                       {"sentences", f.sentences},
                       {"tokens", f.tokens},
                       {"f1", f.score.f1},
                       {"accuracy", f.score.accuracy},
                       {"iterations", f.training.iterations},
                       {"seconds", f.training.seconds}});
  }
  objects.push_back({{"folds", v.folds.size()},
                     {"f1", v.f1.mean},
                     {"f1_deviation", v.f1.deviation},
                     {"accuracy", v.accuracy.mean},
                     {"accuracy_deviation", v.accuracy.deviation}});
  print_lines(objects);
}

void print_json(const Tuned& t) {
  std::vector<Json> objects;
  for (std::size_t i = 0; i < t.trials.size(); ++i) {
    const Trial& trial = t.trials[i];
    objects.push_back({{"trial", i + 1},
                       {"c1", trial.c1},
                       {"c2", trial.c2},
                       {"f1", trial.f1},
                       {"accuracy", trial.accuracy},
                       {"deviation", trial.deviation},
                       {"iterations", trial.iterations},
                       {"seconds", trial.seconds},
                       {"abandoned", trial.abandoned},
                       {"best", i == t.chosen}});
  }
  print_lines(objects);
}

}  // namespace

void report(const FoldScore& f, Index folds) {
  fmt::print(stderr, "fold {} of {}: F1 {:.2f}, accuracy {:.2f} ({} iterations, {})\n", f.fold + 1, folds,
             f.score.f1, f.score.accuracy, f.training.iterations, duration(f.training.seconds));
}

void report(const Trial& t) {
  fmt::print(stderr, "c1 {:g}, c2 {:g}: F1 {:.2f}, accuracy {:.2f} ({} iterations, {}){}\n", t.c1, t.c2, t.f1,
             t.accuracy, t.iterations, duration(t.seconds), t.abandoned ? ", abandoned" : "");
}

void print(const CrossValidation& v, bool json) {
  if (json) return print_json(v);
  const Palette palette(colours(STDOUT_FILENO));
  Rows rows{{"fold", "sentences", "tokens", "F1", "accuracy", "iterations", "seconds"}};
  for (const FoldScore& f : v.folds) {
    rows.push_back({std::to_string(f.fold + 1), std::to_string(f.sentences), std::to_string(f.tokens),
                    two(f.score.f1), two(f.score.accuracy), std::to_string(f.training.iterations),
                    two(f.training.seconds)});
  }
  rows.push_back({"mean", "", "", palette.bold(two(v.f1.mean)), palette.bold(two(v.accuracy.mean)), "", ""});
  rows.push_back({"deviation", "", "", two(v.f1.deviation), two(v.accuracy.deviation), "", ""});
  print_table(rows);
}

void print(const Tuned& t, bool json) {
  if (json) return print_json(t);
  const Palette palette(colours(STDOUT_FILENO));
  Rows rows{{"c1", "c2", "F1", "accuracy", "deviation", "iterations", "seconds", ""}};
  for (std::size_t i = 0; i < t.trials.size(); ++i) {
    const Trial& trial = t.trials[i];
    const char* const mark = i == t.chosen ? "best" : trial.abandoned ? "abandoned" : "";
    const std::string f1 = two(trial.f1);
    rows.push_back({fmt::format("{:g}", trial.c1), fmt::format("{:g}", trial.c2),
                    i == t.chosen ? palette.bold(f1) : f1, two(trial.accuracy), two(trial.deviation),
                    std::to_string(trial.iterations), two(trial.seconds), mark});
  }
  print_table(rows);
}

}  // namespace thalweg::app
