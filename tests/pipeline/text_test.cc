// Text as it comes: what is a corpus and what is refused, and where. From the file to a trained tagger.

#include <fstream>

#include "support/catch.h"
#include "support/message.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace std::string_literals;
using thalweg::testing::TemporaryFolder;

namespace {

struct Case {
  const char* name;
  std::string text;
  Index sentences, tokens;  // of what is read; 0 sentences: refused
  const char* says = "";    // where and what, of a refusal
  const char* mend = "";
  Format format = Format::Columns;
};

constexpr auto kAttributes = Format::Attributes;

const std::vector<Case> kCases{
    {"empty", "", 0, 0, "f: there is no sentence", "a blank line after each"},
    {"a line break", "\n", 0, 0, "f: there is no sentence", "a blank line after each"},
    {"blank lines", "\n\n\n\n", 0, 0, "f: there is no sentence", "a blank line after each"},
    {"lines of blanks", " \n\t\n \t \n", 0, 0, "f: there is no sentence", "a blank line after each"},
    {"blank lines with CR", "\r\n\r\n", 0, 0, "f: there is no sentence", "a blank line after each"},
    {"a byte order mark alone", "\xEF\xBB\xBF", 0, 0, "f: there is no sentence", "a blank line after each"},
    {"comments", "# one two\n# three four\na X\nb Y\n\n# five six\n\n", 1, 2},
    {"LF", "a X\nb Y\n\nc X\n\n", 2, 3},
    {"CRLF", "a X\r\nb Y\r\n\r\nc X\r\n\r\n", 2, 3},
    {"LF and CRLF", "a X\r\nb Y\n\r\nc X\n", 2, 3},
    {"a byte order mark",
     "\xEF\xBB\xBF"
     "a X\nb Y\n",
     1, 2},
    {"a mark inside is a letter",
     "a X\n\xEF\xBB\xBF"
     "b Y\n",
     1, 2},
    {"half a byte order mark",
     "\xEF\xBB"
     "a X\n",
     0, 0, "f:1: byte 1", "iconv"},
    {"UTF-16",
     "\xFF\xFE"
     "a\0 \0X\0\n\0"s,
     0, 0, "f:1: byte 1 of the line begins a UTF-16", "iconv"},
    {"NUL in a word", "a X\nb\0c Y\n"s, 0, 0, "f:2: byte 2 of the line is NUL", "take the byte out"},
    {"NUL at the end", "a X\nb Y\0"s, 0, 0, "f:2: byte 4 of the line is NUL", "take the byte out"},
    {"NUL on a line of its own", "a X\n\0\n"s, 0, 0, "f:2: byte 1 of the line is NUL", "take the byte out"},
    {"Latin-1", "a X\ncaf\xE9 Y\n", 0, 0, "f:2: byte 4 of the line is not valid UTF-8", "iconv"},
    {"a lone continuation byte", "\x80 X\n", 0, 0, "f:1: byte 1", "iconv"},
    {"an overlong slash", "a\xC0\xAF X\n", 0, 0, "f:1: byte 2", "iconv"},
    {"a surrogate", "a\xED\xA0\x80 X\n", 0, 0, "f:1: byte 2", "iconv"},
    {"beyond Unicode", "a\xF4\x90\x80\x80 X\n", 0, 0, "f:1: byte 2", "iconv"},
    {"cut off in a letter", "a X\nb Y\xE2\x82", 0, 0, "f:2: byte 4", "iconv"},
    {"bad bytes in a comment", "# \xFF\na X\nb Y\n", 0, 0, "f:1: byte 3", "iconv"},
    {"tabs, blanks and both", "a X\nb\tY\nc \t X\n\td   Y \n", 1, 4},
    {"a no-break space parts nothing", "a\u00A0b X\nc Y\n", 1, 2},
    {"too few columns", "a p X\nb Y\n", 0, 0, "f:2: 2 columns, 3 expected as in line 1", "the same columns"},
    {"too many columns", "a X\n\nb X\n\nc d Y\n", 0, 0, "f:5: 3 columns, 2 expected as in line 1",
     "the same"},
    {"ragged in the last line", "a X\nb Y\nc", 0, 0, "f:3: 1 column, 2 expected as in line 1", "the same"},
    {"a forgotten blank line", "a X\n# next sentence here\nb Y\n", 0, 0, "f:2: 4 columns, 2 expected",
     "a blank line behind it"},
    {"no label column", "a\nb\n", 0, 0, "f:1: a token has one column", "put its label behind it"},
    {"no last line break", "a X\nb Y", 1, 2},
    {"no last line break, CR", "a X\nb Y\r", 1, 2},
    {"a line of 10 MB", std::string(10 << 20, 'x') + " X\ny Y\n", 1, 2},
    {"one label", "a X\nb X\n\nc X\n", 0, 0, "every token has the label X", "label"},
    {"attributes: CRLF, no last break", "X\ta\tb:2\r\nY\tb\r\n\r\nX\ta", 2, 3, "", "", kAttributes},
    {"attributes: no label", "X\ta\n\tb\n", 0, 0, "f:2: a token without a label", "begin the line",
     kAttributes},
    {"attributes: no name", "X\ta\nY\t:2\n", 0, 0, "f:2: an attribute without a name", "\\:", kAttributes},
    {"attributes: no number", "X\ta\nY\tb:two\n", 0, 0, "f:2: the value 'two'", "0.5", kAttributes},
    {"attributes: a label alone", "X\nY\ta\n", 1, 2, "", "", kAttributes},
};

// Reads, trains a little and tags what it was trained on.
void check_case(const Case& c) {
  const TemporaryFolder folder;
  const std::string path = folder / "f";
  std::ofstream(path, std::ios::binary) << c.text;
  Examples e;
  const std::string message = message_of<InputError>([&] {
    e = read_examples(path, {.format = c.format});
    train_model(e.model, e.data, nullptr, {.iterations = 2});
  });
  if (c.sentences == 0) {
    CHECK_THAT(message, ContainsSubstring(c.says));
    CHECK_THAT(message, ContainsSubstring(c.mend));
    CHECK(message.find('\n') == std::string::npos);
    return;
  }
  REQUIRE(message == "no error");
  CHECK(e.data.size() == c.sentences);
  CHECK(e.data.positions() == c.tokens);
  const Tagger tagger(pruned(e.model));
  CorpusReader reader(path, c.format);
  while (reader.next())
    CHECK(static_cast<Index>(tagger.tag(reader.sentence()).size()) == reader.sentence().size());
}

}  // namespace

TEST_CASE("forty texts are read, or refused where they are wrong", "[pipeline][text]") {
  CHECK(kCases.size() == 40);
  for (const Case& c : kCases) {
    INFO(c.name);
    check_case(c);
  }
}

TEST_CASE("ten thousand labels are numbered, and an unknown one counts as an error", "[pipeline][text]") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 10000; ++i) text += "w" + std::to_string(i % 7) + " L" + std::to_string(i) + "\n\n";
  std::ofstream(folder / "f") << text;
  const Examples e = read_examples(folder / "f", {.templates = "U:%x[0,0]\n"});
  CHECK(e.model.labels.size() == 10000);
  CHECK(e.data.labels.back() == 9999);
  std::ofstream(folder / "g") << "w1 L3\nw2 new\n";
  const DevelopmentSet set = read_development_set(folder / "g", Format::Columns, e.model);
  CHECK(set.data.labels == std::vector<Label>{3, 10000});
  CHECK(set.labels.name(10000) == "new");
}
