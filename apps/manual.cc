#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <sstream>

#include "command_tree.h"
#include "commands.h"
#include "help.h"
#include "terminal.h"

namespace thalweg::app {
namespace {

// Text for troff: backslashes and hyphens meant as they stand, and nothing at the start of a line a request.
std::string troff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

// Paragraphs are filled, indented lines stand as they are.
void append_text(std::string_view text, std::string& out) {
  std::istringstream lines{std::string(text)};
  bool verbatim = false;
  for (std::string line; std::getline(lines, line);) {
    const bool indented = line.starts_with("  ");
    if (indented != verbatim) out += indented ? ".RS 4\n.nf\n" : ".fi\n.RE\n";
    verbatim = indented;
    if (line.empty())
      out += ".PP\n";
    else
      out += troff(indented ? std::string_view(line).substr(2) : line) + "\n";
  }
  if (verbatim) out += ".fi\n.RE\n";
}

std::string value_name(const OptionFacts& option) {
  if (!option.takes_value) return "";
  return option.choices.empty() ? " \\fIVALUE\\fR"
                                : fmt::format(" \\fI{}\\fR", fmt::join(option.choices, "|"));
}

void append_option(const OptionFacts& option, bool argument, std::string& out) {
  out += ".TP\n";
  for (std::size_t i = 0; i < option.names.size(); ++i)
    out += fmt::format("{}\\fB{}\\fR", i ? ", " : "", troff(option.names[i]));
  out += (argument ? "" : value_name(option)) + "\n" + troff(option.description) + "\n";
}

std::string synopsis(const CommandFacts& command) {
  std::string out = "thalweg " + command.name;
  for (const OptionFacts& option : command.options) {
    if (option.required) out += " " + option.names[0] + " VALUE";
  }
  if (command.options.size() > 1) out += " [OPTIONS]";
  for (const OptionFacts& argument : command.arguments)
    out += argument.required ? " " + argument.names[0] : " [" + argument.names[0] + "]";
  return out;
}

// No date: the same program writes the same page.
std::string manual(const CLI::App& program) {
  std::string summary(first_line(program.get_description()));
  if (summary.ends_with('.')) summary.pop_back();
  summary[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(summary[0])));
  std::string out = ".TH THALWEG 1 \"\" \"thalweg " THALWEG_VERSION
                    "\" \"User Commands\"\n.SH NAME\nthalweg \\- " +
                    troff(summary) + "\n.SH SYNOPSIS\n\\fBthalweg\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n" +
                    ".SH DESCRIPTION\n";
  append_text(program.get_description(), out);
  out += ".SH COMMANDS\n";
  for (const CommandFacts& command : commands_of(program)) {
    out += ".SS " + troff(synopsis(command)) + "\n";
    append_text(command.help, out);
    for (const OptionFacts& argument : command.arguments) append_option(argument, true, out);
    for (const OptionFacts& option : command.options) append_option(option, false, out);
  }
  return out;
}

constexpr const char* kHelp = R"(Print the manual page, for man.

Examples:
  thalweg man | man -l -
  thalweg man > ~/.local/share/man/man1/thalweg.1)";

}  // namespace

void add_man(CLI::App& program) {
  CLI::App* app = program.add_subcommand("man", kHelp);
  app->callback([&program] {
    Output out;
    out << manual(program);
    out.flush();
  });
}

}  // namespace thalweg::app
