/// @file
/// Lines of text from a file, standard input or memory; gzip is read transparently.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"

namespace thalweg {

/// Streams lines of any length through one reused buffer. A line ends with "\n" or "\r\n"; the last may end
/// without. A byte order mark at the start is skipped. Data that begin with gzip's magic number are inflated
/// on the way, several members one after another included.
class THALWEG_EXPORT TextReader {
 public:
  /// Opens a file; "-" is standard input. @throws IoError if it cannot be opened or is a folder.
  explicit TextReader(const std::string& path);
  /// Reads a copy of `bytes`; `name` stands for the file's in errors.
  static TextReader of_memory(std::string_view bytes, std::string name);
  TextReader(TextReader&&) noexcept;
  TextReader& operator=(TextReader&&) noexcept;
  ~TextReader();

  /// Goes to the next line; false at the end. @throws IoError when reading fails; InputError at `file:line`
  /// when the line is not valid UTF-8 or holds a NUL byte (the reader then stands on it and can go on), or
  /// when gzip data are damaged or cut short (it is then at its end).
  bool next() {
    if (!advance()) return false;
    check();
    return true;
  }
  /// The two halves of `next`: a program that copies bad lines through needs them apart.
  bool advance();
  void check() const;

  std::string_view line() const { return line_; }  ///< Without its ending; valid until the next call.
  std::string_view ending() const {
    return ending_;
  }  ///< "\n", "\r\n"; at the end of the data also "" and "\r".
  std::uint64_t number() const { return number_; }           ///< Of the line, from 1; 0 before the first.
  bool byte_order_mark() const { return byte_order_mark_; }  ///< Known after the first line.
  const std::string& name() const { return name_; }          ///< The path, or "standard input".
  std::string where() const;                                 ///< `name:number`

  struct Source;

 private:
  TextReader(std::unique_ptr<Source> source, std::string name);
  void start();
  bool fill();

  std::unique_ptr<Source> source_;
  std::string name_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // what of buffer_ is read and not yet given out
  std::string_view line_, ending_;
  std::uint64_t number_ = 0;
  bool started_ = false, byte_order_mark_ = false;
};

/// A whole text file, its line endings made "\n". @throws as TextReader
THALWEG_EXPORT std::string read_text(const std::string& path);

}  // namespace thalweg
