/// @file
/// The subcommands of `thalweg`, a file each. Each function adds its options to the program and the code
/// that runs them. Errors are thrown; main.cc turns them into one line and an exit code.
#pragma once

#include <CLI/CLI.hpp>

#include "thalweg/io/corpus_reader.h"
#include "thalweg/pipeline/tagger.h"

namespace thalweg::app {

/// `--format`, which `train`, `tag` and others share.
void add_format(CLI::App& command, Format& format);
void add_precision(CLI::App& command, WeightType& precision);

/// @throws OptionError unless the model reads files of this format
void check_format(const Tagger& tagger, Format format);
/// Says with the place what a template misses in the sentence at hand, which the reader cannot know.
/// @throws InputError
void check_columns(const CorpusReader& reader, const Tagger& tagger, Format format);

void add_compare(CLI::App& program);
void add_completion(CLI::App& program);
void add_dump(CLI::App& program);
void add_evaluate(CLI::App& program);
void add_explain(CLI::App& program);
void add_flow(CLI::App& program);
void add_inspect(CLI::App& program);
void add_load(CLI::App& program);
void add_man(CLI::App& program);
void add_marginals(CLI::App& program);
void add_minimize(CLI::App& program);
void add_tag(CLI::App& program);
void add_train(CLI::App& program);

}  // namespace thalweg::app
