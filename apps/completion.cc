#include <fmt/format.h>

#include <memory>

#include "command_tree.h"
#include "commands.h"
#include "help.h"
#include "terminal.h"

namespace thalweg::app {
namespace {

using Commands = std::vector<CommandFacts>;

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::vector<std::string> names_of(const Commands& commands) {
  std::vector<std::string> names;
  for (const CommandFacts& command : commands) names.push_back(command.name);
  return names;
}

std::vector<std::string> choices_of_arguments(const CommandFacts& command) {
  std::vector<std::string> all;
  for (const OptionFacts& argument : command.arguments)
    all.insert(all.end(), argument.choices.begin(), argument.choices.end());
  return all;
}

// Values are completed by what stands before them, everything that is not ours as a file name.
std::string bash(const Commands& commands) {
  std::string values, words;
  for (const CommandFacts& command : commands) {
    std::vector<std::string> options;
    for (const OptionFacts& option : command.options) {
      options.insert(options.end(), option.names.begin(), option.names.end());
      if (!option.takes_value) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names) patterns.push_back(command.name + ":" + name);
      values +=
          fmt::format("    {}) words='{}' ;;\n", fmt::join(patterns, "|"), fmt::join(option.choices, " "));
    }
    values += fmt::format("    {}:*) words='{}'; [[ $current == -* ]] && words='{}' ;;\n", command.name,
                          fmt::join(choices_of_arguments(command), " "), fmt::join(options, " "));
  }
  return fmt::format(R"(# bash completion for thalweg. Source this, or keep it as
# ~/.local/share/bash-completion/completions/thalweg
_thalweg() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} words=
  COMPREPLY=()
  # --option=value comes as three words
  if [[ $before == = && COMP_CWORD -gt 2 ]]; then before=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
  if [[ $current == = ]]; then before=${{COMP_WORDS[COMP_CWORD - 1]}} current=; fi
  if ((COMP_CWORD == 1)); then
    words='{} --help --version'
  else case ${{COMP_WORDS[1]}}:$before in
{}  esac; fi
  if [[ $words ]]; then mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"); fi
}}
complete -o default -F _thalweg thalweg
)",
                     fmt::join(names_of(commands), " "), values);
}

// What zsh's _arguments reads between brackets and colons.
std::string zsh_text(std::string_view text) {
  std::string out(first_line(text));
  for (const char* special : {"\\", "[", "]", ":"}) out = replaced(out, special, std::string("\\") + special);
  return replaced(out, "'", "'\\''");
}

std::string zsh_value(const OptionFacts& facts, const std::string& name) {
  if (!facts.takes_value) return "";
  return ":" + name + ":" +
         (facts.choices.empty() ? "_files" : fmt::format("({})", fmt::join(facts.choices, " ")));
}

std::string zsh(const Commands& commands) {
  std::string out =
      "#compdef thalweg\n# zsh completion for thalweg. Keep this as _thalweg in a folder of $fpath.\n";
  out += "_thalweg() {\n  if ((CURRENT == 2)); then\n    local -a commands=(\n";
  for (const CommandFacts& command : commands)
    out += fmt::format("      '{}:{}'\n", command.name, zsh_text(command.help));
  out +=
      "    )\n    _describe command commands\n    return\n  fi\n  shift words\n  ((CURRENT--))\n  case "
      "$words[1] in\n";
  for (const CommandFacts& command : commands) {
    out += fmt::format("    {}) _arguments", command.name);
    for (const OptionFacts& option : command.options) {
      for (const std::string& name : option.names)
        out += fmt::format(" \\\n      '({}){}[{}]{}'", fmt::join(option.names, " "), name,
                           zsh_text(option.description), zsh_value(option, "value"));
    }
    for (const OptionFacts& argument : command.arguments)
      out += fmt::format(" \\\n      '{}'", ":" + zsh_value(argument, argument.names[0]).substr(1));
    out += " ;;\n";
  }
  return out + "  esac\n}\n_thalweg \"$@\"\n";
}

std::string fish_text(std::string_view text) {
  return replaced(replaced(std::string(first_line(text)), "\\", "\\\\"), "'", "\\'");
}

std::string fish_option(const OptionFacts& option) {
  std::string out;
  for (const std::string& name : option.names)
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (option.takes_value && option.choices.empty()) out += " -r -F";
  if (!option.choices.empty()) out += fmt::format(" -x -a '{}'", fmt::join(option.choices, " "));
  return out + " -d '" + fish_text(option.description) + "'";
}

std::string fish(const Commands& commands) {
  std::string out =
      "# fish completion for thalweg. Keep this as ~/.config/fish/completions/thalweg.fish\n"
      "complete -c thalweg -n __fish_use_subcommand -l version -d 'Display program version information and "
      "exit'\n";
  for (const CommandFacts& command : commands) {
    out += fmt::format("complete -c thalweg -f -n __fish_use_subcommand -a {} -d '{}'\n", command.name,
                       fish_text(command.help));
    const std::string here =
        fmt::format("complete -c thalweg -n '__fish_seen_subcommand_from {}'", command.name);
    for (const OptionFacts& option : command.options) out += here + fish_option(option) + "\n";
    const auto choices = choices_of_arguments(command);
    if (!choices.empty()) out += here + fmt::format(" -f -a '{}'\n", fmt::join(choices, " "));
  }
  return out;
}

constexpr const char* kHelp = R"(Print a script that lets a shell complete commands, options and their values.

Examples:
  source <(thalweg completion bash)
  thalweg completion zsh > ~/.zfunc/_thalweg
  thalweg completion fish > ~/.config/fish/completions/thalweg.fish)";

}  // namespace

void add_completion(CLI::App& program) {
  auto shell = std::make_shared<std::string>();
  CLI::App* app = program.add_subcommand("completion", kHelp);
  app->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->option_text("bash|zsh|fish");
  app->callback([shell, &program] {
    const Commands commands = commands_of(program);
    Output out;
    out << (*shell == "bash" ? bash(commands) : *shell == "zsh" ? zsh(commands) : fish(commands));
    out.flush();
  });
}

}  // namespace thalweg::app
