#include "thalweg/io/text_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <system_error>
#include <utility>

#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"

namespace thalweg {

struct TextReader::Source {
  virtual ~Source() = default;
  /// Up to `room` > 0 bytes; 0 at the end.
  virtual std::size_t read(char* to, std::size_t room) = 0;
};

namespace {

constexpr std::size_t kBlock = std::size_t{1} << 16;
constexpr std::string_view kGzip = "\x1F\x8B";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

class MemorySource : public TextReader::Source {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}

  std::size_t read(char* to, std::size_t room) override {
    const std::size_t count = bytes_.copy(to, room, at_);
    at_ += count;
    return count;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

// By file descriptor, since read() hands over what a pipe holds: a tagger at the end of one answers without
// delay.
class FileSource : public TextReader::Source {
 public:
  explicit FileSource(const std::string& path)
      : name_(path), file_(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (file_ < 0) fail(errno);
  }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  ~FileSource() override {
    if (file_ > STDIN_FILENO) ::close(file_);
  }

  void refuse_folder() const {
    struct stat status;
    if (fstat(file_, &status) == 0 && S_ISDIR(status.st_mode)) fail(EISDIR);
  }

  std::size_t read(char* to, std::size_t room) override {
    ssize_t count = -1;
    do {
      count = ::read(file_, to, room);
    } while (count < 0 && errno == EINTR);
    if (count < 0) fail(errno);
    return static_cast<std::size_t>(count);
  }

 private:
  [[noreturn]] void fail(int error) const {
    const char* mend = error == ENOENT                     ? "check the path"
                       : error == EISDIR                   ? "name a file in it"
                       : error == EACCES || error == EPERM ? "make it readable for this user"
                                                           : "";
    throw IoError(name_, fmt::format("cannot be read: {}", std::generic_category().message(error)), mend);
  }

  std::string name_;
  int file_;
};

class GzipSource : public TextReader::Source {
 public:
  /// @param start what has been read from `compressed` already
  GzipSource(std::unique_ptr<TextReader::Source> compressed, std::string_view start, std::string name)
      : compressed_(std::move(compressed)), name_(std::move(name)), input_(std::max(kBlock, start.size())) {
    constexpr int kGzipOnly = 16;
    if (inflateInit2(&stream_, kGzipOnly + MAX_WBITS) != Z_OK) throw std::bad_alloc();
    set_input(start.copy(input_.data(), start.size()));
  }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;
  ~GzipSource() override { inflateEnd(&stream_); }

  std::size_t read(char* to, std::size_t room) override {
    const auto wanted = static_cast<uInt>(std::min<std::size_t>(room, std::numeric_limits<uInt>::max()));
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = wanted;
    while (stream_.avail_out == wanted) {
      if (stream_.avail_in == 0) set_input(compressed_->read(input_.data(), input_.size()));
      const bool exhausted = stream_.avail_in == 0;
      if (between_members_ && exhausted) return 0;
      if (std::exchange(between_members_, false)) inflateReset(&stream_);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END)
        between_members_ = true;
      else if (result == Z_MEM_ERROR)
        throw std::bad_alloc();
      else if (result == Z_BUF_ERROR && exhausted)
        fail("gzip data are cut short");
      else if (result != Z_OK && result != Z_BUF_ERROR)
        fail("gzip data are damaged");
    }
    return wanted - stream_.avail_out;
  }

 private:
  void set_input(std::size_t size) {
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(size);
  }
  [[noreturn]] void fail(const char* problem) const {
    throw InputError(name_, problem, "fetch the file again");
  }

  std::unique_ptr<TextReader::Source> compressed_;
  std::string name_;
  std::vector<char> input_;
  z_stream stream_{};
  bool between_members_ = false;
};

// Whether more bytes are needed to tell if the data begin with a magic number.
bool may_become(std::string_view magic, std::string_view start) {
  return start.size() < magic.size() && magic.starts_with(start);
}

}  // namespace

TextReader::TextReader(std::unique_ptr<Source> source, std::string name)
    : source_(std::move(source)), name_(std::move(name)) {}

TextReader::TextReader(const std::string& path) : name_(path == "-" ? "standard input" : path) {
  auto file = std::make_unique<FileSource>(path);
  file->refuse_folder();
  source_ = std::move(file);
}

TextReader TextReader::of_memory(std::string_view bytes, std::string name) {
  return {std::make_unique<MemorySource>(bytes), std::move(name)};
}

TextReader::TextReader(TextReader&&) noexcept = default;
TextReader& TextReader::operator=(TextReader&&) noexcept = default;
TextReader::~TextReader() = default;

std::string TextReader::where() const { return place(name_, number_); }

void TextReader::start() {
  const auto given = [&] { return std::string_view(buffer_.data() + begin_, end_ - begin_); };
  while (may_become(kGzip, given()) && fill()) {
  }
  if (given().starts_with(kGzip)) {
    source_ = std::make_unique<GzipSource>(std::move(source_), given(), name_);
    begin_ = end_ = 0;
  }
  while (may_become(kByteOrderMark, given()) && fill()) {
  }
  byte_order_mark_ = given().starts_with(kByteOrderMark);
  if (byte_order_mark_) begin_ += kByteOrderMark.size();
}

// Reads more behind what is there; false at the end of the data.
bool TextReader::fill() {
  if (!source_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  if (buffer_.size() - end_ < kBlock) buffer_.resize(std::max(2 * buffer_.size(), kBlock));
  std::size_t count = 0;
  try {
    count = source_->read(buffer_.data() + end_, buffer_.size() - end_);
  } catch (...) {
    source_.reset();
    begin_ = end_ = 0;
    throw;
  }
  if (count == 0) source_.reset();
  end_ += count;
  return count > 0;
}

bool TextReader::advance() {
  line_ = ending_ = {};
  if (!std::exchange(started_, true)) start();
  const char* newline = nullptr;
  for (std::size_t searched = 0; newline == nullptr;) {
    const std::size_t from = begin_ + searched;
    if (from < end_)
      newline = static_cast<const char*>(std::memchr(buffer_.data() + from, '\n', end_ - from));
    searched = end_ - begin_;
    if (newline == nullptr && !fill()) break;
  }
  if (begin_ == end_) return false;

  const char* first = buffer_.data() + begin_;
  const std::size_t taken = newline ? static_cast<std::size_t>(newline - first) + 1 : end_ - begin_;
  std::size_t size = newline ? taken - 1 : taken;
  if (size > 0 && first[size - 1] == '\r') --size;
  line_ = {first, size};
  ending_ = {first + size, taken - size};
  begin_ += taken;
  ++number_;
  return true;
}

void TextReader::check() const {
  const auto fail = [&](std::size_t at, const char* problem, const char* mend) {
    throw InputError(where(), fmt::format("byte {} of the line {}", at + 1, problem), mend);
  };
  if (number_ == 1 && (line_.starts_with("\xFF\xFE") || line_.starts_with("\xFE\xFF")))
    fail(0, "begins a UTF-16 text", "convert the file with iconv -f UTF-16 -t UTF-8");
  const std::size_t zero = line_.find('\0');
  if (zero != std::string_view::npos) fail(zero, "is NUL", "is this a text file? take the byte out");
  const std::size_t bad = utf8_error(line_);
  if (bad < line_.size())
    fail(bad, "is not valid UTF-8", "convert the file, for instance with iconv -t UTF-8");
}

std::string read_text(const std::string& path) {
  TextReader reader(path);
  std::string text;
  while (reader.next()) text.append(reader.line()).append("\n");
  return text;
}

}  // namespace thalweg
