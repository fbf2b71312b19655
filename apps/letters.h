/// @file
/// `--format letters` of the commands that train: handwritten words (io/letters_reader.h) by their folds.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "thalweg/io/corpus_reader.h"

namespace thalweg::app {

/// `--format` with letters beside the formats that all commands know.
void add_training_format(CLI::App& command, Format& format, bool& letters);

/// "0", "1-9", "0,2-4" as folds. @throws OptionError for `option` when it is no such list
std::vector<int> parse_folds(const std::string& option, const std::string& list);

/// "5" as a number of folds, 0 for none. @throws OptionError where it is no number
Index parse_fold_count(const std::string& text);

}  // namespace thalweg::app
