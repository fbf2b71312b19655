/// @file
/// What the subcommands share towards people: buffered output that notices a full disk, colours where a
/// terminal shows them, a progress line.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace thalweg::app {

/// Standard output, buffered. Every write is checked; `close` flushes. @throws IoError
class Output {
 public:
  ~Output();
  Output& operator<<(std::string_view text);
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    *this << fmt::format(format, std::forward<Args>(args)...);
  }
  void flush();

 private:
  std::string buffer_;
};

/// Whether the stream is a terminal that shows colours (NO_COLOR and TERM=dumb say no, CLICOLOR_FORCE yes).
bool colours(int descriptor);
bool is_terminal(int descriptor);

/// `text` in the `number`-th colour of a short round.
std::string paint(std::string_view text, std::size_t number);

/// One line on standard error that is written again and again: a bar, and what there is to say beside it.
class ProgressLine {
 public:
  /// @param share done, in [0, 1]; negative: not known
  void show(double share, std::string_view text);
  ~ProgressLine();

 private:
  bool shown_ = false;
};

/// A table in columns: the first row is the head; numbers, which begin with a digit or sign, to the right.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// The most memory the process has held, in bytes.
long long peak_bytes();

}  // namespace thalweg::app
