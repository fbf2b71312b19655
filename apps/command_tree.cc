#include "command_tree.h"

#include <sstream>

namespace thalweg::app {
namespace {

// "a|b|c [a]", as option texts are written here, lists choices.
std::vector<std::string> choices_in(const std::string& text) {
  std::vector<std::string> choices;
  if (text.find('|') == text.npos) return choices;
  std::istringstream list(text.substr(0, text.find(' ')));
  for (std::string choice; std::getline(list, choice, '|');) choices.push_back(choice);
  return choices;
}

std::string with_default(const CLI::Option& option) {
  std::string text = option.get_description();
  if (!option.get_default_str().empty() && option.get_items_expected_max() > 0)
    text += " [" + option.get_default_str() + "]";
  return text;
}

OptionFacts facts_of(const CLI::Option& option) {
  OptionFacts facts;
  for (const std::string& name : option.get_lnames()) facts.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) facts.names.push_back("-" + name);
  if (option.get_positional()) facts.names = {option.get_name(true, false)};
  facts.description = with_default(option);
  facts.choices = choices_in(option.get_option_text());
  facts.takes_value = option.get_items_expected_max() > 0;
  facts.required = option.get_required();
  return facts;
}

}  // namespace

std::vector<CommandFacts> commands_of(const CLI::App& program) {
  std::vector<CommandFacts> commands;
  for (const CLI::App* app : program.get_subcommands(std::function<bool(const CLI::App*)>())) {
    CommandFacts& command = commands.emplace_back();
    command.name = app->get_name(), command.help = app->get_description();
    for (const CLI::Option* option : app->get_options())
      (option->get_positional() ? command.arguments : command.options).push_back(facts_of(*option));
  }
  return commands;
}

}  // namespace thalweg::app
