/// @file
/// The subcommands of `thalweg`, one file each. Each function adds its options to the program and the code
/// that runs them. Errors are thrown; main.cc turns them into one line and an exit code.
#pragma once

#include <CLI/CLI.hpp>

#include "thalweg/io/corpus_reader.h"

namespace thalweg::app {

/// `--format`, which `train` and `tag` share.
void add_format(CLI::App& command, Format& format);

void add_train(CLI::App& program);
void add_tag(CLI::App& program);
void add_evaluate(CLI::App& program);
void add_inspect(CLI::App& program);

}  // namespace thalweg::app
