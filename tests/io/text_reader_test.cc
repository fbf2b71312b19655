#include "thalweg/io/text_reader.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/message.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"

using namespace thalweg;
using thalweg::testing::TemporaryFolder;

namespace {

using Lines = std::vector<std::string>;

/// Every line and its ending, one after another.
Lines lines_of(TextReader reader) {
  Lines lines;
  while (reader.next()) {
    lines.emplace_back(reader.line());
    lines.emplace_back(reader.ending());
  }
  return lines;
}
Lines lines_of(std::string_view text) { return lines_of(TextReader::of_memory(text, "memory.txt")); }

std::string refusal(std::string_view text) {
  return message_of<InputError>([&] { lines_of(text); });
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

TEST_CASE("lines and their endings", "[io][text]") {
  CHECK(lines_of("").empty());
  CHECK(lines_of("\n") == Lines{"", "\n"});
  CHECK(lines_of("a") == Lines{"a", ""});
  CHECK(lines_of("a\nb\r\n\r\nc\rd\n") == Lines{"a", "\n", "b", "\r\n", "", "\r\n", "c\rd", "\n"});
  CHECK(lines_of("a\r") == Lines{"a", "\r"});
  CHECK(lines_of("a\r\r\n") == Lines{"a\r", "\r\n"});
}

TEST_CASE("a byte order mark is skipped once", "[io][text]") {
  CHECK(lines_of("\xEF\xBB\xBF") == Lines{});
  CHECK(lines_of("\xEF\xBB\xBF"
                 "a\n") == Lines{"a", "\n"});
  CHECK(lines_of("\xEF\xBB\xBF\xEF\xBB\xBF") == Lines{"\xEF\xBB\xBF", ""});
  TextReader reader = TextReader::of_memory("\xEF\xBB\xBF\n", "memory.txt");
  CHECK(reader.next());
  CHECK(reader.byte_order_mark());
  CHECK_FALSE(reader.next());
  CHECK(refusal("\xEF\xBB") ==
        "memory.txt:1: byte 1 of the line is not valid UTF-8; "
        "convert the file, for instance with iconv -t UTF-8");
}

TEST_CASE("bad bytes are refused with line and byte, and can be passed", "[io][text]") {
  using namespace std::string_literals;
  CHECK(refusal("ok\nab\0c\n"s) ==
        "memory.txt:2: byte 3 of the line is NUL; is this a text file? take the byte out");
  CHECK_THAT(refusal("ok\n\nna\xEFve\n"),
             ContainsSubstring("memory.txt:3: byte 3 of the line is not valid UTF-8"));

  TextReader reader = TextReader::of_memory("\xFF\nnext\n", "memory.txt");
  CHECK_THROWS_AS(reader.next(), InputError);
  CHECK(reader.line() == "\xFF");
  CHECK(reader.next());
  CHECK(reader.line() == "next");
  CHECK(reader.number() == 2);
}

TEST_CASE("a line of 10 MB is a line", "[io][text]") {
  std::string text(10 << 20, 'x');
  text += "\nshort\n";
  const Lines lines = lines_of(text);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].size() == 10 << 20);
  CHECK(lines[2] == "short");
}

TEST_CASE("lines are the same wherever the blocks end", "[io][text]") {
  for (std::size_t before : {65533, 65534, 65535, 65536, 65537, 131071}) {
    const std::string first(before, 'x');
    CHECK(lines_of(first + "\r\n\nlast") == Lines{first, "\r\n", "", "\n", "last", ""});
  }
}

TEST_CASE("gzip is read like plain text", "[io][text][gzip]") {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i % 977) + " lines\n";
  CHECK(lines_of(gzip(text)) == lines_of(text));
  CHECK(lines_of(gzip("")).empty());
  CHECK(lines_of(gzip("\xEF\xBB\xBF"
                      "a\n")) == Lines{"a", "\n"});
  CHECK(lines_of(gzip("one\ntw") + gzip("") + gzip("o\n")) == Lines{"one", "\n", "two", "\n"});
  CHECK_THAT(refusal(gzip("a\nb\xFF")), ContainsSubstring("memory.txt:2: byte 2"));
}

TEST_CASE("gzip that is cut short or damaged is refused by name", "[io][text][gzip]") {
  const std::string whole = gzip("the DT\ncat NN\n\nit PRP\n");
  for (std::size_t size = 2; size < whole.size(); ++size) {
    INFO(size);
    CHECK(refusal(whole.substr(0, size)) == "memory.txt: gzip data are cut short; fetch the file again");
  }
  const Lines good = lines_of(whole);
  for (std::size_t at = 10; at < whole.size(); ++at) {  // behind the header, whose time stamp may be anything
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      INFO(at << " " << bit);
      if (refusal(damaged) ==
          "no error")  // a bit that fills up the last byte before the checksum means nothing
        CHECK(lines_of(damaged) == good);
      else
        CHECK_THAT(refusal(damaged), ContainsSubstring("memory.txt: gzip data are "));
    }
  }
  CHECK_THAT(refusal(whole + "rubbish"), ContainsSubstring("damaged"));

  std::string long_text(1 << 20, 'x');
  TextReader reader = TextReader::of_memory(gzip(long_text).substr(0, 500), "cut.gz");
  CHECK_THROWS_AS(reader.next(), InputError);
  CHECK_FALSE(reader.next());  // the half line is not given out
}

TEST_CASE("files that cannot be read say so", "[io][text]") {
  const TemporaryFolder folder;
  const auto message = [](const std::string& path) {
    return message_of<IoError>([&] { lines_of(TextReader(path)); });
  };
  CHECK(message(folder / "no.txt") ==
        folder / "no.txt: cannot be read: No such file or directory; check the path");
  CHECK(message(folder.path()) == folder.path() + ": cannot be read: Is a directory; name a file in it");
  const std::string closed = folder / "closed.txt";
  std::ofstream(closed) << "a\n";
  CHECK(lines_of(TextReader(closed)) == Lines{"a", "\n"});
  if (::geteuid() != 0) {  // nothing is closed to root
    ::chmod(closed.c_str(), 0);
    CHECK_THAT(message(closed), ContainsSubstring("make it readable"));
  }
}

TEST_CASE("a whole text has plain line endings", "[io][text]") {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.tpl") << "\xEF\xBB\xBFU00\r\n\r\nB";
  CHECK(read_text(folder / "a.tpl") == "U00\n\nB\n");
}
