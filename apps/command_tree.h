/// @file
/// The program's commands and options as plain data, for what is generated from them: completions and the
/// manual page.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace thalweg::app {

struct OptionFacts {
  std::vector<std::string> names;    ///< as typed: "--model", "-m"; for an argument its name: "FILE"
  std::string description;           ///< with the default, where there is one
  std::vector<std::string> choices;  ///< of its value; empty where anything goes
  bool takes_value = false;
  bool required = false;
};

struct CommandFacts {
  std::string name, help;
  std::vector<OptionFacts> options, arguments;
};

/// In the order in which they were added.
std::vector<CommandFacts> commands_of(const CLI::App& program);

}  // namespace thalweg::app
