#include "help.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

namespace thalweg::app {
namespace {

constexpr std::size_t kColumn = 30;  // where descriptions begin

std::size_t terminal_columns() {
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0) return 100;
  return std::clamp<std::size_t>(window.ws_col, 60, 120);
}

// Breaks at blanks, so that no line is longer than `width` but for a word that is.
std::string wrapped(std::string_view text, std::size_t width) {
  std::string out;
  std::size_t used = 0;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    const bool broken = used > 0 && used + 1 + word.size() > width;
    if (used > 0) out += broken ? '\n' : ' ';
    used = broken || used == 0 ? word.size() : used + 1 + word.size();
    out += word;
  }
  return out;
}

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(kColumn); }

  std::string make_description(const CLI::App* app) const override {
    return CLI::Formatter::make_description(app) + "\n";
  }
  std::string make_subcommand(const CLI::App* command) const override {
    std::ostringstream out;
    CLI::detail::format_help(out, command->get_display_name(true),
                             std::string(first_line(command->get_description())), kColumn);
    return out.str();
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    return wrapped(option->get_description(), terminal_columns() - kColumn);
  }
};

}  // namespace

std::shared_ptr<CLI::Formatter> help_formatter() { return std::make_shared<HelpFormatter>(); }

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

}  // namespace thalweg::app
