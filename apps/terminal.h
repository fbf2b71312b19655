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

/// Text with emphasis, or as it is where `coloured` is false.
class Palette {
 public:
  explicit Palette(bool coloured) : coloured_(coloured) {}
  std::string bold(std::string_view text) const { return wrap("1", text); }
  std::string dim(std::string_view text) const { return wrap("2", text); }
  std::string good(std::string_view text) const { return wrap("32", text); }
  std::string bad(std::string_view text) const { return wrap("31", text); }
  std::string warning(std::string_view text) const { return wrap("33", text); }

 private:
  std::string wrap(const char* code, std::string_view text) const;
  bool coloured_;
};

/// A bar of `share` in [0, 1] of `cells` characters, to an eighth of one.
std::string bar(double share, int cells);

/// A table in columns: the first row is the head. Texts may be painted. @param alignment 'l' or 'r' for each
/// column; empty: numbers, which begin with a digit or sign, to the right.
std::string table(const std::vector<std::vector<std::string>>& rows, std::string_view alignment = {});

/// Says on standard error what the program waits for when `file` is "-" and someone sits at a keyboard.
void announce_keyboard(const std::string& file);

/// The most memory the process has held, in bytes.
long long peak_bytes();

}  // namespace thalweg::app
