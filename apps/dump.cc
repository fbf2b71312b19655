#include <memory>

#include "commands.h"
#include "terminal.h"
#include "thalweg/io/model_file.h"
#include "thalweg/io/model_text.h"

namespace thalweg::app {
namespace {

struct Options {
  std::string model, file = "-";
  WeightType precision = WeightType::F32;
};

constexpr const char* kDumpHelp =
    R"(Write a model as text: to read, to compare with diff, to edit, and to load again.

The text has the boundary, the templates and word lists, the labels, and one weight a line, the columns parted by tabs.
`thalweg load` makes the same model file of it, byte for byte.

Examples:
  thalweg dump --model chunks.model | less
  diff <(thalweg dump --model old.model) <(thalweg dump --model new.model))";

constexpr const char* kLoadHelp = R"(Make a model of a text that `thalweg dump` wrote.

Weights may be changed, taken out or added by hand in between; errors name the line.

Examples:
  thalweg load chunks.txt --model chunks.model
  thalweg dump --model chunks.model | thalweg load - --precision f16 --model half.model
  thalweg dump --model big.model | awk -F'\t' 'NF < 3 || $NF^2 > 1e-6' | thalweg load - --model small.model)";

}  // namespace

void add_dump(CLI::App& program) {
  auto o = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("dump", kDumpHelp);
  app->add_option("FILE", o->file, "Where the text goes, whole or not at all; - is standard output")
      ->capture_default_str();
  app->add_option("--model,-m", o->model, "A model from `thalweg train`")->required();
  app->callback([o] {
    const Model model = load_model(o->model);
    if (o->file != "-") return save_model_text(model, o->file);
    Output out;
    out << model_text(model);
    out.flush();
  });
}

void add_load(CLI::App& program) {
  auto o = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("load", kLoadHelp);
  app->add_option("FILE", o->file, "A text from `thalweg dump`; gzip is read as it is, - is standard input")
      ->required();
  app->add_option("--model,-m", o->model, "Where the model goes; written whole or not at all")->required();
  add_precision(*app, o->precision);
  app->callback([o] {
    announce_keyboard(o->file);
    save_model(packed(load_model_text(o->file), o->precision), o->model);
  });
}

}  // namespace thalweg::app
