/// @file
/// How `--help` looks.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace thalweg::app {

/// CLI11's, with the commands' first lines only and long descriptions broken to the terminal's width.
std::shared_ptr<CLI::Formatter> help_formatter();

/// `text` up to its first line ending.
std::string_view first_line(std::string_view text);

}  // namespace thalweg::app
