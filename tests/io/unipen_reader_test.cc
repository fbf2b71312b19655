#include "thalweg/io/unipen_reader.h"

#include <cstdlib>
#include <set>

#include "support/catch.h"
#include "support/message.h"
#include "thalweg/core/error.h"

using namespace thalweg;

namespace {

std::vector<PenDigit> read(const std::string& text) {
  return read_unipen(TextReader::of_memory(text, "pen"));
}

const std::string kHeader = ".INCLUDE dene.doc\n\n.LEXICON \"0\" \"1\"\n.HIERARCHY DIGIT\n\n";
const std::string kOne =
    ".SEGMENT DIGIT 0 ? \"8\"\n.COMMENT 8  6  138\n.PEN_DOWN\n 273  323\n 272\t327\n"
    ".PEN_UP\n.DT 100\n";
const std::string kTwo =
    ".SEGMENT DIGIT 1-2 ? \"4\"\n.COMMENT 4 11 89\n.PEN_DOWN\n 0 500\n.PEN_UP\n.DT 7\n"
    ".PEN_DOWN\n1 2\n3 4\n5 6\n.PEN_UP\n.DT 100\n";
const std::string kFile = kHeader + kOne + "\n" + kTwo + "\n\n";

// The file with its only `what` replaced.
std::string damaged(const std::string& what, const std::string& by) {
  std::string text = kFile;
  const std::size_t at = text.find(what);
  REQUIRE(at != text.npos);
  REQUIRE(text.find(what, at + 1) == text.npos);
  return text.replace(at, what.size(), by);
}

}  // namespace

TEST_CASE("digits are strokes of points", "[unipen]") {
  const std::vector<PenDigit> digits = read(kFile);
  REQUIRE(digits.size() == 2);
  CHECK(digits[0].label == '8');
  CHECK(digits[0].writer == 6);
  CHECK(digits[0].line == 6);
  CHECK(digits[0].strokes == std::vector<PenStroke>{{{273, 323}, {272, 327}}});
  CHECK(digits[1].label == '4');
  CHECK(digits[1].writer == 11);
  CHECK(digits[1].line == 14);
  CHECK(digits[1].strokes == std::vector<PenStroke>{{{0, 500}}, {{1, 2}, {3, 4}, {5, 6}}});
}

TEST_CASE("pen trajectories that are damaged are refused, by line", "[unipen]") {
  const auto error = [](const std::string& text) { return message_of<InputError>([&] { read(text); }); };
  struct Case {
    const char *what, *by, *message;
  };
  const Case cases[] = {
      {".INCLUDE dene.doc", ".VERSION 1", "pen:1: '.VERSION 1' where .SEGMENT is due"},
      {"DIGIT 0 ? \"8\"", "DIGIT 0 \"8\"", "pen:6: .SEGMENT with 3 fields, expected 4"},
      {"SEGMENT DIGIT 0", "SEGMENT WORD 0", "pen:6: a segment 'WORD', expected DIGIT"},
      {"? \"8\"", "? \"a\"", "pen:6: label \"a\" is none of"},
      {"? \"8\"", "? 8", "pen:6: label 8 is none of"},
      {"DIGIT 0", "DIGIT 1", "pen:6: stroke number 1 where 0 is due"},
      {"DIGIT 0", "DIGIT x", "pen:6: stroke number 'x' is no whole number"},
      {"DIGIT 1-2", "DIGIT 1-0", "pen:14: strokes 1-0 run backwards"},
      {"DIGIT 1-2", "DIGIT 1-", "pen:14: stroke number '' is no whole number"},
      {"DIGIT 1-2", "DIGIT 1-3", "pen:27: the file ends where .PEN_DOWN is due"},
      {"DIGIT 1-2", "DIGIT 1", "pen:20: '.PEN_DOWN' where .SEGMENT is due"},
      {".COMMENT 8  6  138\n", "", "pen:7: '.PEN_DOWN' where .COMMENT is due"},
      {".COMMENT 8", ".COMMENT 3", "pen:7: label 3 where the line before has '8'"},
      {"COMMENT 8  6 ", "COMMENT 8  -6 ", "pen:7: writer '-6' is no whole number"},
      {" 6  138", " 6", "pen:7: .COMMENT with 2 fields, expected 3"},
      {" 0 500\n", "", "pen:17: a stroke without points"},
      {" 0 500\n", " 0 501\n", "pen:17: y '501' is no whole number from 0 to 500"},
      {" 0 500\n", " 0.5 500\n", "pen:17: x '0.5' is no whole number"},
      {" 0 500\n", " 0 99999999999999\n", "pen:17: y '99999999999999' is no whole number"},
      {" 0 500\n", " 0 500 1\n", "pen:17: ' 0 500 1' is no point"},
      {" 0 500\n", " 0 500\n\n", "pen:18: '' is no point"},
      {" 0 500\n.PEN_UP\n", " 0 500\n", "pen:18: x '.DT' is no whole number"},
      {".DT 7\n", "", "pen:19: '.PEN_DOWN' where .DT is due"},
      {".DT 7\n", ".DT soon\n", "pen:19: pause 'soon' is no whole number"},
  };
  for (const Case& c : cases) {
    INFO(c.what << " -> " << c.by);
    const std::string message = error(damaged(c.what, c.by));
    INFO(message);
    CHECK(message.rfind(c.message, 0) == 0);
  }
  CHECK(error("") == "pen: there is no digit in it; is this pendigits-orig as it was published?");
  CHECK(error(kHeader).rfind("pen: there is no digit", 0) == 0);
}

TEST_CASE("a file cut anywhere is refused or loses whole digits", "[unipen]") {
  const std::size_t first = kHeader.size() + kOne.size();
  for (std::size_t size = 0; size < kFile.size(); ++size) {
    std::size_t digits = 0;
    try {
      digits = read(kFile.substr(0, size)).size();
    } catch (const InputError&) {
      continue;
    }
    INFO(size);
    // ".DT 1" and ".DT 10" are pauses too.
    CHECK(digits == (size < first + 2 ? 1 : 2));
    CHECK((size + 3 >= first));
  }
}

TEST_CASE("pendigits-orig as it was published", "[unipen]") {
  const char* data = std::getenv("THALWEG_DATA");
  if (!data) return;
  const auto check = [&](const char* name, std::size_t digits, std::size_t strokes, std::size_t points,
                         std::size_t writers) {
    const std::vector<PenDigit> found =
        read_unipen(std::string(data) + "/pendigits_strokes/pendigits-orig." + name + ".gz");
    std::set<Index> hands;
    std::set<char> labels;
    std::size_t stroke_count = 0, point_count = 0;
    for (const PenDigit& digit : found) {
      hands.insert(digit.writer), labels.insert(digit.label);
      stroke_count += digit.strokes.size();
      for (const PenStroke& stroke : digit.strokes) point_count += stroke.size();
    }
    CHECK(found.size() == digits);
    CHECK(stroke_count == strokes);
    CHECK(point_count == points);
    CHECK(hands.size() == writers);
    CHECK(labels.size() == 10);
  };
  check("tra", 7494, 9433, 304216, 30);
  check("tes", 3498, 4257, 138578, 14);
}
