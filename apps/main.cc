#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <iostream>
#include <new>

#include "checkpoints.h"
#include "commands.h"
#include "help.h"
#include "thalweg/core/error.h"
#include "thalweg/core/isa.h"
#include "thalweg/core/parallel.h"
#include "thalweg/evaluation/edit_distance.h"

using namespace thalweg;

namespace {

constexpr int kBadInput = 1, kWrongUsage = 2;

constexpr const char* kIntroduction = R"(Energy-based labelling of sequences.

  thalweg train data/river-news/train.txt --dev data/river-news/dev.txt --model news.model
  thalweg tag data/river-news/test.txt --model news.model | thalweg evaluate

Exit codes: 0 done; 1 bad input or an input/output failure; 2 wrong usage;
130 interrupted (143 by SIGTERM).)";

// The option or command of `app` that is nearest to what was typed, if it is near.
std::string nearest(const CLI::App& app, const std::string& typed) {
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  for (const CLI::App* command : app.get_subcommands(nullptr)) known.push_back(command->get_name());
  std::string best;
  Index distance = 3;
  for (const std::string& name : known) {
    const Index d = edit_distance(std::span<const char>(typed), std::span<const char>(name));
    if (d < distance) distance = d, best = name;
  }
  return best;
}

// The first word that looks like an option of `app` and is none.
std::string unknown_option(const CLI::App& app, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string typed = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
    if (typed.starts_with("--") && typed.size() > 2 && !app.get_option_no_throw(typed)) return typed;
  }
  return {};
}

int wrong_usage(const CLI::App& program, const CLI::ParseError& error, int argc, char** argv) {
  const auto chosen = program.get_subcommands();
  const CLI::App& app = chosen.empty() ? program : *chosen.back();
  std::string message = error.what();
  std::replace(message.begin(), message.end(), '\n', ' ');
  // Where something is missing, it may be there under a name that nobody knows.
  const std::string unknown = chosen.empty() ? "" : unknown_option(app, argc, argv);
  const bool missing = dynamic_cast<const CLI::RequiredError*>(&error) && !unknown.empty();
  if (missing) message = "The following argument was not expected: " + unknown;
  std::string hint;
  // An option nobody knows is named in the message; a command nobody knows is what stands first.
  for (int i = 1; i < argc && hint.empty(); ++i) {
    const std::string typed = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
    const bool meant = chosen.empty() ? i == 1 : message.find(typed) != std::string::npos;
    if (!meant || (!chosen.empty() && !missing && !dynamic_cast<const CLI::ExtrasError*>(&error))) continue;
    const std::string near = nearest(app, typed);
    if (!near.empty() && near != typed) hint = fmt::format("; did you mean {}?", near);
  }
  fmt::print(stderr, "thalweg: {}{} (see thalweg {}--help)\n", message, hint,
             chosen.empty() ? "" : app.get_name() + " ");
  return kWrongUsage;
}

int run(int argc, char** argv) {
  CLI::App program(kIntroduction, "thalweg");
  program.set_version_flag("--version", fmt::format("thalweg {} ({}, {})", THALWEG_VERSION,
                                                    name(active_isa()), parallel_backend()));
  program.require_subcommand(1);
  program.formatter(app::help_formatter());
  app::add_train(program);
  app::add_tag(program);
  app::add_evaluate(program);
  app::add_explain(program);
  app::add_inspect(program);
  app::add_dump(program);
  app::add_load(program);
  app::add_compare(program);
  app::add_minimize(program);
  app::add_marginals(program);
  app::add_flow(program);
  app::add_completion(program);
  app::add_man(program);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      program.exit(error);
      if (std::cout.flush()) return 0;
      throw IoError("standard output", "cannot write", "free some space or write elsewhere");
    }
    return wrong_usage(program, error, argc, argv);
  }
  return 0;
}

}  // namespace

void thalweg::app::add_precision(CLI::App& command, WeightType& precision) {
  command
      .add_option(
          "--precision", precision,
          "Of the weights in the model file. f16 halves their bytes and keeps three digits, which costs "
          "no accuracy to speak of; weights up to 65504")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, WeightType>{{"f32", WeightType::F32}, {"f16", WeightType::F16}}))
      ->default_str("f32")
      ->option_text("f32|f16 [f32]");
}

void thalweg::app::add_format(CLI::App& command, Format& format) {
  command
      .add_option("--format", format,
                  "columns (CoNLL) or attributes (CRFsuite: label TAB attribute[:value]..., the value a real "
                  "number that the weight is multiplied by, 1 if left out)")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Format>{{"columns", Format::Columns}, {"attributes", Format::Attributes}}))
      ->default_str("columns")
      ->option_text("columns|attributes [columns]");
}

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const app::Interrupted& interrupted) {
    return 128 + interrupted.signal;
  } catch (const OptionError& error) {
    fmt::print(stderr, "thalweg: --{}\n", error.what());
    return kWrongUsage;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "thalweg: out of memory; use less data at a time or a larger machine\n");
    return kBadInput;
  } catch (const std::exception& error) {
    fmt::print(stderr, "thalweg: {}\n", error.what());
    return kBadInput;
  }
}
