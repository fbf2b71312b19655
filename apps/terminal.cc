#include "terminal.h"

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"

namespace thalweg::app {

Output& Output::operator<<(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() > 1 << 16) flush();
  return *this;
}

void Output::flush() {
  std::string_view left = buffer_;
  while (!left.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const std::string reason = std::strerror(errno);
      buffer_.clear();
      throw IoError("standard output", "cannot write: " + reason, "free some space or write elsewhere");
    }
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
}

Output::~Output() {
  try {
    flush();
  } catch (const IoError&) {  // an error is already on its way: `flush` is called where all went well
  }
}

bool is_terminal(int descriptor) { return ::isatty(descriptor) != 0; }

bool colours(int descriptor) {
  if (std::getenv("CLICOLOR_FORCE")) return true;
  const char* term = std::getenv("TERM");
  return is_terminal(descriptor) && !std::getenv("NO_COLOR") && term && std::strcmp(term, "dumb") != 0;
}

std::string paint(std::string_view text, std::size_t number) {
  constexpr std::array<int, 7> kColours{36, 33, 35, 32, 34, 31, 96};
  return fmt::format("\x1b[1;{}m{}\x1b[0m", kColours[number % kColours.size()], text);
}

void ProgressLine::show(double share, std::string_view text) {
  constexpr int kCells = 24;
  winsize window{};
  const int columns =
      ::ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col : 80;
  std::string line;
  if (share >= 0) {
    const int full = static_cast<int>(std::clamp(share, 0.0, 1.0) * kCells);
    for (int i = 0; i < kCells; ++i) line += i < full ? "━" : "─";
    line += fmt::format(" {:3.0f} %  ", 100 * std::clamp(share, 0.0, 1.0));
  }
  const int room = columns - 1 - (share >= 0 ? kCells + 8 : 0);
  line += text.substr(0, static_cast<std::size_t>(std::max(0, room)));
  fmt::print(stderr, "\r\x1b[K{}", line);
  std::fflush(stderr);
  shown_ = true;
}

ProgressLine::~ProgressLine() {
  if (shown_) fmt::print(stderr, "\n");
}

std::string Palette::wrap(const char* code, std::string_view text) const {
  if (!coloured_ || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string bar(double share, int cells) {
  constexpr std::array<const char*, 8> kEighths{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::clamp(share, 0.0, 1.0) * 8 * cells + 0.5);
  std::string out;
  for (int full = 0; full < eighths / 8; ++full) out += "█";
  return out += kEighths[static_cast<std::size_t>(eighths % 8)];
}

namespace {

// Columns a text takes on a terminal: every character counts as one, a change of colour as none.
std::size_t width(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size(); at += character_size(text, at)) {
    if (text[at] == '\x1b') {
      at = text.find('m', at);
      if (at == text.npos) break;
    } else {
      ++columns;
    }
  }
  return columns;
}

bool numeric(std::string_view cell) {
  return !cell.empty() && (std::strchr("+-.0123456789", cell[0]) != nullptr);
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows, std::string_view alignment) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width(row[c]));
  }
  // A head stands over its numbers.
  auto to_the_right = [&](std::size_t r, std::size_t c) {
    if (c < alignment.size()) return alignment[c] == 'r';
    return r > 0 ? numeric(rows[r][c]) : rows.size() > 1 && c < rows[1].size() && numeric(rows[1][c]);
  };
  std::string out;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      const std::string& cell = rows[r][c];
      const std::string space(widths[c] - width(cell), ' ');
      line += (c ? "  " : "") + (to_the_right(r, c) ? space + cell : cell + space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

void announce_keyboard(const std::string& file) {
  if (file == "-" && is_terminal(STDIN_FILENO))
    fmt::print(stderr, "thalweg: reading what you type, up to Ctrl-D; name a file or use a pipe otherwise\n");
}

long long peak_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<long long>(usage.ru_maxrss) * 1024;
}

}  // namespace thalweg::app
