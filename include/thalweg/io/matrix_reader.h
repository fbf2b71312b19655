/// @file
/// Rows of numbers from a NumPy file or a text: vectors that go with tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/io/text_reader.h"

namespace thalweg {

/// Streams a matrix [rows x columns] row by row, in memory that does not grow with it.
///
/// A .npy file (recognised by its first bytes; format 1 to 3, C order, little-endian float32 or float64, two
/// dimensions), or text: numbers between blanks and tabs, one row a line, blank lines skipped, gzip inflated,
/// "-" for standard input.
class THALWEG_EXPORT MatrixReader {
 public:
  static constexpr Index kMaxColumns = Index{1} << 20;

  /// @throws IoError; InputError for a .npy file of another kind, or whose size is not what its header says;
  /// for text without a row.
  explicit MatrixReader(const std::string& path);
  /// Reads a copy of `bytes`; `name` stands for the file's in errors.
  static MatrixReader of_memory(std::string_view bytes, std::string name);
  MatrixReader(MatrixReader&&) noexcept;
  MatrixReader& operator=(MatrixReader&&) noexcept;
  ~MatrixReader();

  Index columns() const { return columns_; }
  Index rows_read() const { return rows_read_; }
  const std::string& name() const { return name_; }

  /// Assigns the next row to `row` [columns()]; false at the end. @throws IoError; InputError at the row, or
  /// in text at `file:line`: a number that is missing, superfluous, or not finite as a float.
  bool next(std::span<float> row);

  struct Source;

 private:
  MatrixReader(std::unique_ptr<Source> source, std::string name);
  void open_npy();
  void open_text(TextReader text);
  std::string npy_header();
  bool next_npy(std::span<float> row);
  bool read_text_row();

  std::string name_;
  std::unique_ptr<Source> source_;  // of .npy
  std::optional<TextReader> text_;
  Index columns_ = 0, rows_ = 0, rows_read_ = 0;
  std::size_t scalar_size_ = 4;
  std::vector<char> bytes_;    // of a row
  std::vector<float> parsed_;  // a row of text, read ahead
  bool ahead_ = false;
};

}  // namespace thalweg
