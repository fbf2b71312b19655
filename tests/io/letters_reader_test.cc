#include "thalweg/io/letters_reader.h"

#include <cstdlib>

#include "support/catch.h"
#include "support/message.h"
#include "thalweg/core/error.h"

using namespace thalweg;

namespace {

// A line of letter.data; `on` lists the pixels that are 1.
std::string line(int id, const std::string& letter, int next, int word, int position, int fold,
                 const std::vector<int>& on = {}) {
  std::string text = std::to_string(id) + "\t" + letter;
  for (int number : {next, word, position, fold}) text += "\t" + std::to_string(number);
  std::vector<std::string> pixels(128, "0");
  for (int p : on) pixels[static_cast<std::size_t>(p)] = "1";
  for (const std::string& pixel : pixels) text += "\t" + pixel;
  return text + "\t\n";
}

Corpus read(const std::string& text, const std::vector<int>& folds = {}) {
  return read_letters(TextReader::of_memory(text, "letters"), folds);
}

std::vector<std::string> cells(const Sentence& sentence, Index t) {
  std::vector<std::string> row;
  for (Index c = 0; c < sentence.columns(t); ++c) row.emplace_back(sentence.cell(t, c));
  return row;
}

const std::string kTwoWords =
    line(1, "o", 2, 7, 1, 0, {0, 9}) + line(2, "k", -1, 7, 2, 0, {127}) + line(3, "a", -1, 8, 1, 3);

}  // namespace

TEST_CASE("letters become attribute rows, words sentences", "[letters]") {
  const Corpus corpus = read(kTwoWords);
  REQUIRE(corpus.size() == 2);
  CHECK(cells(corpus[0], 0) == std::vector<std::string>{"o", "bias", "__BOS__", "p_0_0", "p_1_1"});
  CHECK(cells(corpus[0], 1) == std::vector<std::string>{"k", "bias", "__EOS__", "p_15_7"});
  CHECK(cells(corpus[1], 0) == std::vector<std::string>{"a", "bias", "__BOS__", "__EOS__"});
  CHECK(corpus[1].note().line == 3);
  CHECK(corpus.source() == "letters");
}

TEST_CASE("letters of some folds only", "[letters]") {
  CHECK(read(kTwoWords, {3}).size() == 1);
  CHECK(read(kTwoWords, {0, 3}).size() == 2);
  CHECK_THROWS_AS(read(kTwoWords, {5}), InputError);
  CHECK_THROWS_AS(read(kTwoWords, {10}), OptionError);
}

TEST_CASE("lines that are none of letter.data are named", "[letters]") {
  const auto error = [](const std::string& text) { return message_of<InputError>([&] { read(text); }); };
  CHECK(error("") == "letters: no word in it is of the folds asked for; name other folds, or none");
  CHECK(error("1\ta\n").find("letters:1: 2 fields, expected 134") == 0);
  CHECK(error(line(1, "A", -1, 1, 1, 0)).find("letter 'A' is none of a to z") != std::string::npos);
  CHECK(error(line(1, "ab", -1, 1, 1, 0)).find("letter 'ab'") != std::string::npos);
  CHECK(error(line(1, "a", -1, 1, 1, 10)).find("fold 10") != std::string::npos);
  CHECK(error(line(1, "a", -1, 1, 2, 0)).find("begins at position 2") != std::string::npos);
  CHECK(error(line(1, "a", 2, 1, 1, 0)).find("letters:1: the file ends within a word") == 0);
  std::string pixel = line(1, "a", -1, 1, 1, 0);
  pixel[pixel.size() - 3] = '2';
  CHECK(error(pixel).find("pixel 128 is '2'") != std::string::npos);
  std::string number = line(1, "a", -1, 1, 1, 0);
  number[0] = 'x';
  CHECK(error(number).find("id 'x' is not a whole number") != std::string::npos);
  const std::string first = line(1, "a", 2, 1, 1, 0);
  CHECK(error(first + line(3, "b", -1, 1, 2, 0)).find("letters:2: id 3 where") == 0);
  CHECK(error(first + line(2, "b", -1, 2, 2, 0)).find("letters:2: word id 2 where") == 0);
  CHECK(error(first + line(2, "b", -1, 1, 3, 0)).find("letters:2: position 3 where") == 0);
  CHECK(error(first + line(2, "b", -1, 1, 2, 1)).find("letters:2: fold 1 where") == 0);
}

TEST_CASE("letter.data as it was published", "[letters]") {
  const char* data = std::getenv("THALWEG_DATA");
  if (!data) return;
  const std::string path = std::string(data) + "/ocr_letters/letter.data.gz";
  const Corpus small = read_letters(path, {0});
  CHECK(small.size() == 626);
  CHECK(small.tokens() == 4617);
  const Corpus all = read_letters(path);
  CHECK(all.size() == 6877);
  CHECK(all.tokens() == 52152);
}
