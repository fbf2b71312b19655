#include "thalweg/io/corpus_reader.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/catch.h"
#include "support/message.h"
#include "support/sanitized.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"
#include "thalweg/features/featurizer.h"

using namespace thalweg;
using thalweg::testing::TemporaryFolder;

namespace {

CorpusReader reader_of(std::string_view text, Format format = Format::Columns) {
  return {TextReader::of_memory(text, "train.conll"), format};
}

/// "a|b c|d" for tokens (a, b), (c, d); values other than 1 behind a '='.
std::string flat(const Sentence& sentence) {
  std::string text;
  for (Index t = 0; t < sentence.size(); ++t) {
    if (t > 0) text += ' ';
    for (Index c = 0; c < sentence.columns(t); ++c) {
      if (c > 0) text += '|';
      text += sentence.cell(t, c);
      if (sentence.value(t, c) != 1) text.append("=").append(Catch::Detail::stringify(sentence.value(t, c)));
    }
  }
  return text;
}

using Sentences = std::vector<std::string>;

Sentences sentences_of(std::string_view text, Format format = Format::Columns) {
  CorpusReader reader = reader_of(text, format);
  Sentences sentences;
  while (reader.next()) sentences.push_back(flat(reader.sentence()));
  return sentences;
}

std::string refusal(std::string_view text, Format format = Format::Columns) {
  return message_of<InputError>([&] { sentences_of(text, format); });
}

/// What a program that copies its input writes; a sentence that is refused passes like any other.
std::string copy_of(std::string_view text, Format format) {
  CorpusReader reader = reader_of(text, format);
  std::string copy;
  for (bool more = true; more;) {
    try {
      more = reader.next_block();
    } catch (const InputError&) {
    }
    for (const CorpusReader::Line& line : reader.lines()) copy.append(line.text).append(line.ending);
  }
  return (reader.text().byte_order_mark() ? "\xEF\xBB\xBF" : "") + copy;
}

}  // namespace

TEST_CASE("columns are cut at runs of blanks and tabs", "[io][corpus]") {
  CHECK(sentences_of("the DT\ncat NN\n\nit PRP\n") == Sentences{"the|DT cat|NN", "it|PRP"});
  CHECK(sentences_of("  the \t DT\t\ncat\tNN") == Sentences{"the|DT cat|NN"});
  CHECK(sentences_of("the DT\r\ncat NN\r\n\r\nit PRP\r\n") == Sentences{"the|DT cat|NN", "it|PRP"});
  CHECK(sentences_of("\n \t\n\na A\n\n\t \n \nb B\n\n\n") == Sentences{"a|A", "b|B"});
  CHECK(sentences_of("a\nb\n") == Sentences{"a b"});
  CHECK(sentences_of("no-break\u00A0space X\n") == Sentences{"no-break\u00A0space|X"});
  CHECK(sentences_of("-DOCSTART- -X-\n\na A\n") == Sentences{"-DOCSTART-|-X-", "a|A"});
  CHECK(sentences_of("").empty());
  CHECK(sentences_of("\n\n \n").empty());
}

TEST_CASE("ragged columns are refused at their line", "[io][corpus]") {
  CHECK(refusal("\nthe DT X\n\ncat NN Y\nsat V\n") ==
        "train.conll:5: 2 columns, 3 expected as in line 2; give every token of the file the same columns, "
        "and every "
        "sentence a blank line behind it");
  CHECK_THAT(refusal("a b\na\n"), ContainsSubstring("train.conll:2: 1 column, 2 expected"));
  CHECK_THAT(refusal("a b\na b\xFF\n"), ContainsSubstring("train.conll:2: byte 4"));
}

TEST_CASE("comments stand before a sentence and do not look like a token", "[io][corpus]") {
  CHECK(sentences_of("# sent 1 of the corpus\nthe DT\n\n# sent 2 of it\ncat NN\n") ==
        Sentences{"the|DT", "cat|NN"});
  CHECK(sentences_of("# #\nthe DT\n") == Sentences{"#|# the|DT"});  // CoNLL-2000 begins sentences so
  CHECK(sentences_of("the DT\n# #\n") == Sentences{"the|DT #|#"});
  CHECK(sentences_of("# a b\n# #\nthe DT\n") == Sentences{"#|# the|DT"});
  CHECK(sentences_of("a A\n\n# only a comment\n\nb B\n") == Sentences{"a|A", "b|B"});
  CHECK(sentences_of("# #\n") == Sentences{"#|#"});  // nothing else says how many columns there are
  CHECK(sentences_of("# a long one\n# #\n") == Sentences{"#|#"});
  CHECK(sentences_of("#hash tag\n") == Sentences{"#hash|tag"});
  CHECK_THAT(refusal("a A\n# a comment too late\n"),
             ContainsSubstring("train.conll:2: 5 columns, 2 expected"));
  CHECK_THAT(refusal("# #\n# a comment too late\nb B\n"),
             ContainsSubstring("train.conll:2: 5 columns, 2 expected"));
}

TEST_CASE("attribute files are CRFsuite's", "[io][corpus]") {
  const auto read = [](std::string_view text) { return sentences_of(text, Format::Attributes); };
  CHECK(read("B\tw=the\tp=DT\nO\n\nO\tx\n") == Sentences{"B|w=the|p=DT O", "O|x"});
  CHECK(read("B\tw:0.5\tx:-2\ty:1\n") == Sentences{"B|w=0.5f|x=-2.0f|y"});
  CHECK(read("B\ta\\:b\\\\:3e-1\tc\\d\\\n") == Sentences{"B|a:b\\=0.3f|c\\d\\"});
  CHECK(read("A:B\\:C\tx\n") == Sentences{"A:B:C|x"});
  CHECK(read("B\t\tx\t\n") == Sentences{"B|x"});
  CHECK(read("B\ta b\n \t\nO\n") == Sentences{"B|a b", "O"});
  CHECK(read("# comment?\nB\tx\n") == Sentences{"# comment? B|x"});  // CRFsuite has no comments

  const auto refused = [](std::string_view text) { return refusal(text, Format::Attributes); };
  CHECK(refused("B\tx\nB\tw:1,5\n") ==
        "train.conll:2: the value '1,5' is not a finite number; write it like 0.5, or a colon that is part "
        "of the "
        "attribute as \\:");
  for (const char* value : {"", "nan", "inf", "-infinity", "1e999", "1e39", "0x10", "1 ", " 1", "+1", "1:2"})
    CHECK_THAT(refused(std::string("B\tw:").append(value).append("\n")),
               ContainsSubstring("not a finite number"));
  CHECK_THAT(refused("B\t:1\n"), ContainsSubstring("train.conll:1: an attribute without a name"));
  CHECK_THAT(refused("\tw\n"), ContainsSubstring("train.conll:1: a token without a label"));
}

TEST_CASE("the lines of all blocks are the file", "[io][corpus]") {
  const std::string text =
      "\xEF\xBB\xBF\n \t\r\n# a comment here\nthe\tDT  \r\n  cat NN\n\t\n\n# late words too\n\nx y z\nb\xFF "
      "B\n\nit PRP";
  CHECK(copy_of(text, Format::Columns) == text);
  CHECK(copy_of(text + "\r", Format::Columns) == text + "\r");

  CorpusReader reader = reader_of("# number one\n# #\nthe DT\n\n\nit PRP\n");
  REQUIRE(reader.next_block());
  REQUIRE(reader.lines().size() == 4);
  CHECK(reader.lines()[0].token == -1);
  CHECK(reader.lines()[1].token == 0);
  CHECK(reader.lines()[2].token == 1);
  CHECK(reader.lines()[3].token == -1);
  REQUIRE(reader.next_block());
  CHECK(reader.sentence().size() == 0);
  CHECK(reader.lines().size() == 1);
  CHECK(reader.first_line() == 5);
  REQUIRE(reader.next_block());
  CHECK(flat(reader.sentence()) == "it|PRP");
  CHECK_FALSE(reader.next_block());
}

TEST_CASE("random bytes are copied or refused, in both formats", "[io][corpus]") {
  Rng rng(17);
  const std::vector<std::string> pieces = {"a",    "# ", "\t", " ", "\n", "\n",
                                           "\r\n", "\\", ":",  "1", "é",  "\xFF"};
  for (int run = 0; run < 1000; ++run) {
    std::string text;
    for (std::uint64_t i = rng.below(40); i > 0; --i) text += pieces[rng.below(pieces.size())];
    INFO(text);
    REQUIRE(copy_of(text, Format::Columns) == text);
    REQUIRE(copy_of(text, Format::Attributes) == text);
  }
}

TEST_CASE("after an error the reader goes on with the next sentence", "[io][corpus]") {
  CorpusReader reader = reader_of("a A\n\nb B\nc\nd D\n\ne E\n");
  CHECK(reader.next());
  CHECK_THROWS_AS(reader.next(), InputError);
  CHECK(reader.lines().size() == 4);
  CHECK(reader.first_line() == 3);
  CHECK(reader.sentence().size() == 0);
  CHECK(reader.next());
  CHECK(flat(reader.sentence()) == "e|E");
  CHECK_FALSE(reader.next());
}

TEST_CASE("a sentence of one long line, and one of many tokens", "[io][corpus]") {
  const std::string word(10 << 20, 'w');
  const std::string line = word + " X\n";
  CorpusReader reader = reader_of(line);
  REQUIRE(reader.next());
  CHECK(reader.sentence().cell(0, 0) == word);
  CHECK(reader.sentence().cell(0, 1) == "X");

  std::string many;
  for (int i = 0; i < 300000; ++i) many += "a B\n";
  CorpusReader long_reader = reader_of(many);
  REQUIRE(long_reader.next());
  CHECK(long_reader.sentence().size() == 300000);
}

TEST_CASE("a corpus needs a sentence", "[io][corpus]") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.conll";
  std::ofstream(path) << "\n \n";
  CHECK(message_of<InputError>([&] { read_corpus(path, Format::Columns); }) ==
        path + ": there is no sentence in it; check the path");
  std::ofstream(path) << "a A\n\nb B\nc C\n";
  const Corpus corpus = read_corpus(path, Format::Columns);
  CHECK(corpus.size() == 2);
  CHECK(corpus.tokens() == 3);
  CHECK(corpus.columns() == 2);
}

TEST_CASE("CoNLL-2000 with the tutorial's templates gives the known counts", "[io][corpus][data]") {
  const char* data = std::getenv("THALWEG_DATA");
  if (data == nullptr || testing::kSanitized) return;
  std::string text = "B\n";
  for (const char* macros :
       {"%x[-2,0]", "%x[-1,0]", "%x[0,0]", "%x[1,0]", "%x[2,0]", "%x[-1,0]/%x[0,0]", "%x[0,0]/%x[1,0]",
        "%x[-2,1]", "%x[-1,1]", "%x[0,1]", "%x[1,1]", "%x[2,1]", "%x[-2,1]/%x[-1,1]", "%x[-1,1]/%x[0,1]",
        "%x[0,1]/%x[1,1]", "%x[1,1]/%x[2,1]", "%x[-2,1]/%x[-1,1]/%x[0,1]", "%x[-1,1]/%x[0,1]/%x[1,1]",
        "%x[0,1]/%x[1,1]/%x[2,1]"})
    text.append("U").append(std::to_string(text.size())).append(":").append(macros).append("\n");

  const Corpus corpus = read_corpus(std::string(data) + "/conll2000/train.txt.gz", Format::Columns);
  CHECK(corpus.size() == 8936);
  CHECK(corpus.tokens() == 211727);
  for (const auto& [boundary, attributes_known, pairs_known] :
       {std::tuple{Boundary::None, 335674u, 452610u}, std::tuple{Boundary::Marks, 338551u, 456323u}}) {
    Vocabulary attributes, labels;
    const Featurizer featurizer(TemplateSet::parse(text, "tutorial.tpl"), boundary);
    const Dataset train = learn_dataset(corpus, featurizer, attributes, labels);
    std::vector<std::pair<std::uint32_t, Label>> pairs;
    for (Index p = 0; p < train.positions(); ++p)
      for (const std::uint32_t a : train.attributes.row(p)) pairs.emplace_back(a, train.labels[p]);
    std::sort(pairs.begin(), pairs.end());
    CHECK(labels.size() == 22);
    CHECK(attributes.size() == attributes_known);
    CHECK(static_cast<unsigned>(std::unique(pairs.begin(), pairs.end()) - pairs.begin()) == pairs_known);
  }
}

TEST_CASE("a block taken from its reader stays as it was", "[io][corpus_reader]") {
  const char* text = "the DT\ncat NN\n\nsat VB\n";
  CorpusReader reader(TextReader::of_memory(text, "test"), Format::Columns);
  CorpusReader::Block first, second;
  REQUIRE(reader.next_block());
  reader.take(first);
  CHECK(reader.sentence().size() == 0);
  CHECK(reader.lines().empty());
  REQUIRE(reader.next_block());
  reader.take(second);
  CHECK(!reader.next_block());
  CHECK(first.sentence().size() == 2);
  CHECK(first.sentence().cell(1, 0) == "cat");
  CHECK(first.lines()[2].ending == "\n");
  CHECK(second.sentence().cell(0, 1) == "VB");
}
