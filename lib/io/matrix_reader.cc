#include "thalweg/io/matrix_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>

#include "io/descriptor.h"
#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"

namespace thalweg {

struct MatrixReader::Source {
  virtual ~Source() = default;
  /// Up to `room` > 0 bytes; 0 at the end.
  virtual std::size_t read(char* to, std::size_t room) = 0;
  /// Bytes that are left, or -1 where nobody knows (a pipe).
  virtual std::int64_t left() const = 0;
  /// Exactly so many bytes, or as many as there are.
  std::size_t fill(char* to, std::size_t size) {
    std::size_t got = 0;
    for (std::size_t more; got < size && (more = read(to + got, size - got)) > 0;) got += more;
    return got;
  }
};

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeader = 1 << 16;
static_assert(std::endian::native == std::endian::little, "rows are copied as they lie in the file");

class MemorySource : public MatrixReader::Source {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  std::size_t read(char* to, std::size_t room) override {
    const std::size_t count = bytes_.copy(to, room, at_);
    at_ += count;
    return count;
  }
  std::int64_t left() const override { return static_cast<std::int64_t>(bytes_.size() - at_); }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

class FileSource : public MatrixReader::Source {
 public:
  explicit FileSource(const std::string& path)
      : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (!file_) fail(errno);
    struct stat status;
    if (::fstat(file_.get(), &status) != 0) fail(errno);
    if (S_ISDIR(status.st_mode)) fail(EISDIR);
    if (S_ISREG(status.st_mode)) left_ = status.st_size;
    buffer_.resize(std::size_t{1} << 16);
  }
  std::size_t read(char* to, std::size_t room) override {
    if (at_ == end_) refill();
    const std::size_t count = std::min(room, end_ - at_);
    std::memcpy(to, buffer_.data() + at_, count);
    at_ += count;
    if (left_ >= 0) left_ -= static_cast<std::int64_t>(count);
    return count;
  }
  std::int64_t left() const override { return left_; }

 private:
  void refill() {
    ssize_t count = -1;
    do {
      count = ::read(file_.get(), buffer_.data(), buffer_.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0) fail(errno);
    at_ = 0, end_ = static_cast<std::size_t>(count);
  }
  [[noreturn]] void fail(int error) const {
    throw IoError(path_, "cannot be read: " + system_message(error), "check the path");
  }

  std::string path_;
  Descriptor file_;
  std::int64_t left_ = -1;
  std::vector<char> buffer_;
  std::size_t at_ = 0, end_ = 0;
};

// The dictionary of a .npy file, as Python writes it: {'descr': '<f4', 'fortran_order': False, 'shape': (2,
// 3), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  struct Header {
    std::string descr;
    std::optional<bool> fortran;
    std::optional<std::vector<std::int64_t>> shape;
  };

  Header parse() {
    Header header;
    expect('{');
    while (peek() != '}') {
      const std::string key = quoted_text();
      expect(':');
      if (key == "descr" && header.descr.empty() && (peek() == '\'' || peek() == '"'))
        header.descr = quoted_text();
      else if (key == "fortran_order" && !header.fortran)
        header.fortran = truth();
      else if (key == "shape" && !header.shape)
        header.shape = shape();
      else
        fail();
      if (peek() != '}') expect(',');
    }
    expect('}');
    if (header.descr.empty() || !header.fortran || !header.shape) fail();
    return header;
  }

 private:
  char peek() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  void expect(char c) {
    if (peek() != c) fail();
    ++at_;
  }
  std::string quoted_text() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail();
    const std::size_t end = text_.find(quote, ++at_);
    if (end == text_.npos) fail();
    const std::string text(text_.substr(at_, end - at_));
    at_ = end + 1;
    return text;
  }
  bool truth() {
    peek();
    for (const std::string_view word : {"True", "False"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return word == "True";
    }
    fail();
  }
  std::vector<std::int64_t> shape() {
    std::vector<std::int64_t> sizes;
    expect('(');
    while (peek() != ')') {
      std::int64_t size = -1;
      const auto [stop, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0) fail();
      at_ = static_cast<std::size_t>(stop - text_.data());
      sizes.push_back(size);
      if (peek() != ')') expect(',');
    }
    expect(')');
    return sizes;
  }
  [[noreturn]] void fail() const {
    throw InputError(name_, fmt::format("byte {} of the .npy header is not as NumPy writes it", at_ + 1),
                     "write it with numpy.save");
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
};

}  // namespace

MatrixReader::MatrixReader(const std::string& path) : name_(path == "-" ? "standard input" : path) {
  if (path != "-") {
    source_ = std::make_unique<FileSource>(path);
    char start[kMagic.size()];
    const std::size_t got = source_->fill(start, sizeof start);
    if (std::string_view(start, got) == kMagic) {
      open_npy();
      return;
    }
    source_.reset();
  }
  open_text(TextReader(path));
}

MatrixReader::MatrixReader(std::unique_ptr<Source> source, std::string name)
    : name_(std::move(name)), source_(std::move(source)) {}

MatrixReader MatrixReader::of_memory(std::string_view bytes, std::string name) {
  MatrixReader reader(nullptr, name);
  if (bytes.starts_with(kMagic)) {
    reader.source_ = std::make_unique<MemorySource>(bytes.substr(kMagic.size()));
    reader.open_npy();
  } else {
    reader.open_text(TextReader::of_memory(bytes, std::move(name)));
  }
  return reader;
}

MatrixReader::MatrixReader(MatrixReader&&) noexcept = default;
MatrixReader& MatrixReader::operator=(MatrixReader&&) noexcept = default;
MatrixReader::~MatrixReader() = default;

// Version, length, and the dictionary.
std::string MatrixReader::npy_header() {
  const auto cut = [&] { throw InputError(name_, "the .npy header is cut short", "write the file again"); };
  unsigned char fixed[6] = {};
  if (source_->fill(reinterpret_cast<char*>(fixed), 4) < 4) cut();
  if (fixed[0] < 1 || fixed[0] > 3) {
    throw InputError(name_, fmt::format(".npy version {} is not known", fixed[0]),
                     "write it with numpy.save");
  }
  std::size_t size = fixed[2] | static_cast<std::size_t>(fixed[3]) << 8;
  if (fixed[0] > 1) {
    if (source_->fill(reinterpret_cast<char*>(fixed + 4), 2) < 2) cut();
    size |= static_cast<std::size_t>(fixed[4]) << 16 | static_cast<std::size_t>(fixed[5]) << 24;
  }
  if (size > kMaxHeader)
    throw InputError(name_, fmt::format("a .npy header of {} bytes", size), "write it with numpy.save");
  std::string text(size, '\0');
  if (source_->fill(text.data(), size) < size) cut();
  return text;
}

void MatrixReader::open_npy() {
  const std::string text = npy_header();
  const auto header = HeaderParser(text, name_).parse();
  const auto refuse = [&](const std::string& problem, const char* mend) {
    throw InputError(name_, problem, mend);
  };
  if (header.descr != "<f4" && header.descr != "<f8")
    refuse("the numbers are " + quoted(header.descr), "save x.astype('<f4')");
  if (*header.fortran) refuse("the matrix lies column by column", "save numpy.ascontiguousarray(x)");
  const auto& shape = *header.shape;
  if (shape.size() != 2) refuse(fmt::format("{} dimensions, not 2", shape.size()), "one row a token");
  if (shape[1] < 1 || shape[1] > kMaxColumns)
    refuse(fmt::format("rows of {} numbers", shape[1]), "1 to 1048576 will do");
  scalar_size_ = header.descr == "<f4" ? 4 : 8;
  rows_ = shape[0], columns_ = shape[1];
  const std::int64_t row_bytes = columns_ * static_cast<std::int64_t>(scalar_size_), left = source_->left();
  if (left >= 0 && (left % row_bytes != 0 || left / row_bytes != rows_)) {
    refuse(fmt::format("{} bytes of numbers, the header says [{} x {}] of {}", left, rows_, columns_,
                       scalar_size_),
           "write the file again");
  }
  bytes_.resize(static_cast<std::size_t>(row_bytes));
}

void MatrixReader::open_text(TextReader text) {
  text_.emplace(std::move(text));
  ahead_ = read_text_row();
  if (!ahead_) throw InputError(name_, "there is no row in it", "one row of numbers a token");
  columns_ = std::ssize(parsed_);
}

// The next line that is not blank; false at the end.
bool MatrixReader::read_text_row() {
  parsed_.clear();
  while (parsed_.empty()) {
    if (!text_->next()) return false;
    const std::string_view line = text_->line();
    const char *at = line.data(), *const end = at + line.size();
    for (;;) {
      while (at < end && (*at == ' ' || *at == '\t')) ++at;
      if (at == end) break;
      const char* const stop = std::find_if(at, end, [](char c) { return c == ' ' || c == '\t'; });
      double number = 0;
      const auto [parsed, error] = std::from_chars(at, stop, number);
      if (error != std::errc() || parsed != stop || !std::isfinite(static_cast<float>(number))) {
        throw InputError(text_->where(),
                         quoted({at, static_cast<std::size_t>(stop - at)}) + " is not a finite number",
                         "write numbers like 0.25 between blanks");
      }
      parsed_.push_back(static_cast<float>(number));
      at = stop;
    }
  }
  if (columns_ > 0 && std::ssize(parsed_) != columns_) {
    throw InputError(text_->where(),
                     fmt::format("{} numbers, {} expected as before", parsed_.size(), columns_),
                     "give every token the same");
  }
  if (std::ssize(parsed_) > kMaxColumns)
    throw InputError(text_->where(), fmt::format("a row of {} numbers", parsed_.size()),
                     "1 to 1048576 will do");
  return true;
}

bool MatrixReader::next(std::span<float> row) {
  if (!text_) return next_npy(row);
  if (!ahead_ && !read_text_row()) return false;
  ahead_ = false;
  std::copy(parsed_.begin(), parsed_.end(), row.begin());
  ++rows_read_;
  return true;
}

bool MatrixReader::next_npy(std::span<float> row) {
  if (rows_read_ == rows_) return false;
  if (source_->fill(bytes_.data(), bytes_.size()) < bytes_.size()) {
    throw InputError(name_, fmt::format("it ends in row {} of {}", rows_read_ + 1, rows_),
                     "write the file again");
  }
  ++rows_read_;
  for (std::size_t c = 0; c < row.size(); ++c) {
    if (scalar_size_ == 4) {
      std::memcpy(&row[c], &bytes_[c * 4], 4);
    } else {
      double number;
      std::memcpy(&number, &bytes_[c * 8], 8);
      row[c] = static_cast<float>(number);
    }
    if (!std::isfinite(row[c])) {
      throw InputError(name_, fmt::format("row {}, column {}: not a finite number", rows_read_, c + 1),
                       "replace it, say by 0");
    }
  }
  return true;
}

}  // namespace thalweg
