#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "chart.h"
#include "commands.h"
#include "letters.h"
#include "loss_options.h"
#include "terminal.h"
#include "thalweg/core/error.h"
#include "thalweg/io/atomic_file.h"
#include "thalweg/io/letters_reader.h"
#include "thalweg/pipeline/comparison.h"
#include "training_log.h"

namespace thalweg::app {
namespace {

struct Options {
  std::string train, test, templates, svg, folds, test_folds;
  std::vector<std::string> losses{"likelihood", "softmax-margin", "structured-hinge", "hinge", "perceptron"};
  LossOptions loss;
  std::optional<double> c2, lambda;
  Index iterations = 0;
  Format format = Format::Columns;
  Boundary boundary = Boundary::Marks;
  int threads = 1;
  std::uint64_t seed = 1;
  bool letters = false, json = false;
};

struct Entry {
  std::string loss;
  LossReport report;
};

TrainOptions train_options(const Options& o, const std::string& loss, double sentences) {
  TrainOptions t;
  t.loss = make_loss_of(loss, o.loss, o.seed);
  t.all_features = o.letters;
  t.c2 = o.lambda ? sentences * *o.lambda / 2 : o.c2.value_or(1);
  t.iterations = o.iterations, t.threads = o.threads, t.seed = o.seed;
  return t;
}

nlohmann::ordered_json json_of(const Entry& entry) {
  const LossReport& r = entry.report;
  nlohmann::ordered_json curve = nlohmann::ordered_json::array();
  for (const CurvePoint& point : r.curve) {
    curve.push_back({{"iteration", point.iteration},
                     {"cpu_seconds", point.cpu_seconds},
                     {"f1", point.score.f1},
                     {"accuracy", point.score.accuracy}});
  }
  return {{"loss", entry.loss},
          {"solver", name(r.training.used)},
          {"accuracy", r.score.accuracy},
          {"f1", r.score.spans ? nlohmann::ordered_json(r.score.f1) : nlohmann::ordered_json()},
          {"separated", r.landscape.separated},
          {"energy_gap", r.landscape.gap},
          {"calibration_error", r.landscape.calibration},
          {"iterations", r.training.iterations},
          {"cpu_seconds", r.cpu_seconds},
          {"objective", r.training.objective},
          {"curve", curve}};
}

std::vector<std::string> row_of(const Entry& entry, bool spans, const Palette& palette, bool best) {
  const LossReport& r = entry.report;
  const double quality = spans ? r.score.f1 : r.score.accuracy;
  std::vector<std::string> row{best ? palette.bold(entry.loss) : entry.loss, name(r.training.used)};
  const std::string shown = fmt::format("{:.2f}", quality);
  if (spans) row.push_back(best ? palette.good(shown) : shown);
  row.push_back(spans || !best ? fmt::format("{:.2f}", r.score.accuracy) : palette.good(shown));
  row.push_back(fmt::format("{:.1f}", r.landscape.separated));
  row.push_back(fmt::format("{:.2f}", r.landscape.gap));
  row.push_back(fmt::format("{:.1f}", r.landscape.calibration));
  row.push_back(std::to_string(r.training.iterations));
  row.push_back(fmt::format("{:.2f}", r.cpu_seconds));
  return row;
}

void print_table(const std::vector<Entry>& entries) {
  const Palette palette(colours(STDOUT_FILENO));
  const bool spans =
      std::any_of(entries.begin(), entries.end(), [](auto& e) { return e.report.score.spans; });
  std::vector<std::vector<std::string>> rows{{"loss", "solver"}};
  if (spans) rows[0].push_back("F1");
  for (const char* head : {"accuracy", "separated", "gap", "calibration", "passes", "CPU s"})
    rows[0].emplace_back(head);
  const auto best = std::max_element(entries.begin(), entries.end(), [](auto& a, auto& b) {
    return a.report.score.quality() < b.report.score.quality();
  });
  for (const Entry& entry : entries) rows.push_back(row_of(entry, spans, palette, &entry == &*best));
  Output out;
  out << table(rows, spans ? "llrrrrrrr" : "llrrrrrr");
  out << palette.dim(
      "separated: % of sentences whose right answer has the lowest energy of all. gap: energy of the most\n"
      "offending answer less that of the right one, mean. calibration: expected error of marginals, %.\n");
  out.flush();
}

Chart chart_of(const std::vector<Entry>& entries, const std::string& test) {
  const bool spans =
      std::any_of(entries.begin(), entries.end(), [](auto& e) { return e.report.score.spans; });
  Chart chart;
  chart.title = fmt::format("Losses on {}", test.substr(test.find_last_of('/') + 1));
  chart.x_label = "CPU seconds of training";
  chart.y_label = spans ? "100 - F1" : "wrong labels, %";
  for (const Entry& entry : entries) {
    Series series{.name = entry.loss, .points = {}};
    for (const CurvePoint& point : entry.report.curve) {
      const double wrong = 100 - point.score.quality();
      if (wrong > 0 && point.cpu_seconds > 0) series.points.emplace_back(point.cpu_seconds, wrong);
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

std::string read_text(const std::string& path) {
  TextReader reader(path);
  std::string text;
  while (reader.next()) text.append(reader.line()).append("\n");
  return text;
}

void run(const Options& o) {
  if (!o.svg.empty()) const AtomicFile probe(o.svg);  // what cannot be written shows now
  FeatureOptions features;
  features.format = o.format, features.boundary = o.boundary;
  if (!o.templates.empty())
    features.templates = read_text(o.templates), features.templates_name = o.templates;
  if (!o.letters && !(o.folds.empty() && o.test_folds.empty()))
    throw OptionError("folds", "are those of --format letters", "leave them out");
  const Examples examples =
      o.letters ? learn_examples(read_letters(o.train, parse_folds("folds", o.folds)), features)
                : read_examples(o.train, features);
  const DevelopmentSet held_out =
      o.letters
          ? development_set(read_letters(o.test, parse_folds("test-folds", o.test_folds)), examples.model)
          : read_development_set(o.test, o.format, examples.model);
  std::vector<TrainOptions> trainings;  // all of them are sound before the first begins
  for (const std::string& loss : o.losses)
    trainings.push_back(train_options(o, loss, examples.data.total_weight()));

  std::vector<Entry> entries;
  const bool terminal = is_terminal(STDERR_FILENO);
  for (std::size_t i = 0; i < o.losses.size(); ++i) {
    ProgressLine line;
    const double done = static_cast<double>(i) / static_cast<double>(o.losses.size());
    entries.push_back(
        {o.losses[i], train_under(examples, held_out, trainings[i], [&](const TrainProgress& p) {
           if (terminal) line.show(done, fmt::format("{}, pass {}", o.losses[i], p.iteration));
           return true;
         })});
    const Entry& last = entries.back();
    if (o.json) {
      Output out;
      out << json_of(last).dump() << "\n";
      out.flush();
    } else if (!terminal) {
      fmt::print(stderr, "{}: {} passes, {}\n", last.loss, last.report.training.iterations,
                 duration(last.report.cpu_seconds));
    }
  }
  if (!o.json) print_table(entries);
  if (!o.svg.empty()) {
    const std::string picture = svg(chart_of(entries, o.test));
    write_file(o.svg, std::as_bytes(std::span(picture)));
  }
}

constexpr const char* kHelp =
    R"(Train one model under several losses and compare what they make of the energy landscape.

Shows accuracy, span F1, how often and how far the right answer lies below all others, calibration and time.
TEST has no part in training: nothing is chosen by it.

Examples:
  thalweg compare train.conll --test test.conll --losses likelihood,structured-hinge --svg curves.svg
  thalweg compare letter.data --format letters --folds 1-9 --test letter.data --test-folds 0 --lambda 0.001)";

}  // namespace

void add_compare(CLI::App& program) {
  auto o = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("compare", kHelp);
  app->add_option("TRAIN", o->train, "Labelled sentences, as for train")->required();
  app->add_option("--test", o->test, "Labelled sentences to compare on")->required();
  app->add_option("--losses", o->losses, fmt::format("Some of: {}", fmt::join(loss_names(), ", ")))
      ->delimiter(',')
      ->option_text("NAME,... [likelihood,softmax-margin,structured-hinge,hinge,perceptron]");
  add_loss_options(*app, o->loss);
  app->add_option("--templates,-t", o->templates, "Attribute templates, as for train");
  auto* c2 = app->add_option("--c2", o->c2, "Weight of |w|^2, >= 0, the same for all [1]");
  app->add_option("--lambda", o->lambda, "The same as c2 = sentences * lambda / 2")->excludes(c2);
  app->add_option("--iterations,-i", o->iterations, "At most so many; 0 takes each solver's own")
      ->capture_default_str();
  app->add_option("--boundary", o->boundary, "What templates read outside of a sentence, as for train")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Boundary>{{"marks", Boundary::Marks}, {"none", Boundary::None}}))
      ->default_str("marks")
      ->option_text("marks|none [marks]");
  add_training_format(*app, o->format, o->letters);
  app->add_option("--folds", o->folds, "With --format letters: the folds of TRAIN, as in 1-9; all without");
  app->add_option("--test-folds", o->test_folds, "The same of TEST");
  app->add_option("--svg", o->svg, "Where a picture of the error against training time goes");
  app->add_option("--threads", o->threads, "Threads, >= 1; results are the same for any number")
      ->capture_default_str();
  app->add_option("--seed", o->seed, "Of everything random")->capture_default_str();
  app->add_flag("--json", o->json, "One object a loss on standard output, with its curve");
  app->callback([o] { run(*o); });
}

}  // namespace thalweg::app
