#include "thalweg/io/model_text.h"

#include <cmath>
#include <fstream>
#include <limits>

#include "support/catch.h"
#include "support/message.h"
#include "support/sanitized.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"
#include "thalweg/core/random.h"
#include "thalweg/io/model_file.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

using namespace thalweg;
using namespace thalweg::testing;

namespace {

Model parse(std::string_view text) { return read_model_text(TextReader::of_memory(text, "m.txt")); }

void check_round_trip(const Model& model) {
  const std::string text = model_text(model);
  const Model back = parse(text);
  CHECK(model_bytes(back) == model_bytes(model));
  CHECK(model_text(back) == text);
}

const Model& news_model() {
  static const Model model =
      train(read_corpus(std::string(THALWEG_SOURCE_DIR) + "/data/river-news/dev.txt", Format::Columns),
            {.iterations = 10});
  return model;
}

constexpr std::string_view kSmall =
    "thalweg model text 1\n\n[boundary]\nnone\n\n[templates]\nU:%x[0,0]\nB\n\n[labels]\nX\nY\n\n"
    "[transitions]\nX\tY\t1.5\n\n[weights]\nU:a\tX\t-2\nU:b\tY\t0.1\n\n[end]\n";

// With everything that is optional.
constexpr std::string_view kFull =
    "thalweg model text 1\n\n[boundary]\nmarks\n\n[templates]\nU:%gazetteer[0,0,towns]\nB1:%x[0,0]\n\n"
    "[gazetteer towns]\nOld Port\n\\[x\n\n[gazetteer-lower towns]\nport\n\n[labels]\nX\nY\n\n"
    "[transitions]\n\n[weights]\nU:B\tX\t2\n\n[pairs]\nB1:a\tX\tY\t1\nB1:b\tY\tX\t-0.5\n\n[end]\n";

// What reading a text says once `from` has been replaced.
std::string error_of(std::string_view from, std::string_view to, std::string_view in = kSmall) {
  std::string text(in);
  REQUIRE(text.find(from) != text.npos);
  text.replace(text.find(from), from.size(), to);
  return message_of<InputError>([&] { parse(text); });
}

}  // namespace

TEST_CASE("a model as text gives the same file again", "[io][model_text]") {
  check_round_trip(news_model());
  Model none = news_model();
  none.featurizer = Featurizer(news_model().featurizer.templates(), Boundary::None);
  check_round_trip(none);
  Corpus attributes;
  for (int i = 0; i < 3; ++i) attributes.add({{"X", "w=a", "cap"}, {"Y", "w=b"}});
  check_round_trip(train(attributes, {}, {.format = Format::Attributes}));
}

TEST_CASE("weights of pairs and gazetteers are part of the text", "[io][model_text]") {
  check_round_trip(parse(kFull));
  CHECK(model_text(parse(kFull)) == kFull);
  Corpus corpus;
  for (int i = 0; i < 3; ++i) corpus.add({{"to", "O"}, {"Old", "B"}, {"[\\Port", "I"}});
  const auto list = [](const char* name, bool lower) {
    return std::make_shared<const Gazetteer>(
        Gazetteer::parse(name, "Old [\\Port\n[\\Port\\\nÅby", lower, "towns.txt"));
  };
  const Model model =
      train(corpus, {},
            {.templates =
                 "U1:%x[0,0]\nU2:%gazetteer[0,0,exact]\nB\nB1:%x[-1,0]/%gazetteer[0,0,lower]\n*2:%x[0,0]\n",
             .gazetteers = {list("exact", false), list("lower", true)}});
  REQUIRE(model.pairs.features() > 0);
  check_round_trip(model);
  const Model back = parse(model_text(model));
  CHECK(back.featurizer.gazetteers()[1]->lower());
  CHECK(Tagger(back).tag(corpus[0]) == std::vector<std::string>{"O", "B", "I"});
}

TEST_CASE("pair weights by hand: order is free, attributes without weights keep their numbers",
          "[io][model_text]") {
  std::string text(kFull);
  const std::string_view pairs = "B1:a\tX\tY\t1\nB1:b\tY\tX\t-0.5\n";
  text.replace(text.find(pairs), pairs.size(), "B1:z\nB1:b\tY\tX\t3\nB1:b\tX\tY\t4\n");
  const Model model = parse(text);
  CHECK(model.pairs.offsets == std::vector<std::uint32_t>{0, 0, 2});
  CHECK(model.pairs.labels == std::vector<Label>{1, 2});  // X * 2 + Y, Y * 2 + X
  CHECK(model.weights == std::vector<double>{2, 4, 3});
  check_round_trip(model);
}

TEST_CASE("any name and any weight survives", "[io][model_text]") {
  Model model;
  for (const char* label : {"", "[end]", "[", "\\", "a\tb", "x y ", "B-Fluß"}) model.labels.add(label);
  for (std::string_view name :
       {std::string_view("\0", 1), std::string_view("\r"), std::string_view("\n[weights]"),
        std::string_view(""), std::string_view("\\e"), std::string_view("[x"),
        std::string_view("# no comment"), std::string_view("\xF0\x9F\xA6\xA2")}) {
    model.attributes.add(name);
  }
  const Index K = 7;
  model.emissions = all_features(8, K), model.transitions = all_features(K, K);
  Rng rng(1);
  for (Index f = 0; f < model.features(); ++f)
    model.weights.push_back(std::ldexp(rng.normal(), static_cast<int>(f % 200) - 100));
  const float limits[] = {0.f,
                          -0.f,
                          std::numeric_limits<float>::max(),
                          std::numeric_limits<float>::denorm_min(),
                          std::numeric_limits<float>::min(),
                          16777216.f,
                          0.1f};
  std::copy(std::begin(limits), std::end(limits), model.weights.begin());
  check_round_trip(model);
}

TEST_CASE("attributes without weights keep their numbers", "[io][model_text]") {
  Model model;
  model.labels.add("X"), model.labels.add("Y");
  for (const char* a : {"p", "q", "r"}) model.attributes.add(a);
  model.emissions = {{0, 0, 1, 1}, {1}}, model.transitions = {{0, 0, 0}, {}};
  model.weights = {3};
  check_round_trip(model);
}

TEST_CASE("a vocabulary's history does not show in the file", "[io][model_text]") {
  // One that stands on a file's table and grows keeps that table's arrangement.
  const std::vector<std::byte> bytes = model_bytes(news_model());
  Model grown = load_model(ArrayFile::of_memory(bytes, "m", kModelFormat));
  for (int i = 0; i < 200; ++i) {
    grown.attributes.add("later" + std::to_string(i));
    grown.emissions.offsets.push_back(grown.emissions.offsets.back());
  }
  check_round_trip(grown);
}

TEST_CASE("a model written by hand", "[io][model_text]") {
  const Model model = parse(kSmall);
  CHECK(model.featurizer.boundary() == Boundary::None);
  CHECK(model.weights == std::vector<double>{-2, static_cast<double>(0.1f), 1.5});
  CHECK(model.transitions.offsets == std::vector<std::uint32_t>{0, 1, 1});
  CHECK(Tagger(model).tag({"a", "b"}) == std::vector<std::string>{"Y", "Y"});
  // Order, blank lines and line endings are free.
  const Model other = parse(
      "thalweg model text "
      "1\r\n[boundary]\r\nmarks\n[templates]\n\n\n[labels]\nX\nY\n[transitions]\nY\tX\t2\nX\tY\t1\n"
      "[weights]\nb\tY\t4\na\nb\tX\t3\n[end]");
  CHECK_FALSE(other.featurizer.has_templates());
  CHECK(other.weights == std::vector<double>{3, 4, 1, 2});
  CHECK(other.attributes.name(0) == "b");
  CHECK(other.emissions.row(1).empty());
}

TEST_CASE("damaged texts are refused with the line", "[io][model_text]") {
  auto says = [](const std::string& message, const char* what) {
    CHECK_THAT(message, ContainsSubstring(what));
  };
  says(error_of("thalweg model text 1", "thalweg model text 2"), "m.txt:1: 'thalweg model text 2'");
  says(error_of("thalweg model text 1", "hello"), "m.txt:1: this is not a model");
  says(error_of("[boundary]", "[bound]"), "m.txt:3: expected [boundary], not '[bound]'");
  says(error_of("none", "maybe"), "m.txt:4: the boundary");
  says(error_of("[labels]", ""), "m.txt:11: ");
  says(error_of("U:%x[0,0]", "U:%y[0,0]"), "m.txt:7");
  says(error_of("X\nY\n", ""), "m.txt:12: there is no label");
  says(error_of("X\nY\n", "X\nX\n"), "m.txt:12: 'X' is listed twice");
  says(error_of("X\nY\n", "X\tY\n"), "m.txt:11: a label with a tab");
  says(error_of("X\tY\t1.5", "X\tY"), "m.txt:15: 2 fields, 3 expected");
  says(error_of("X\tY\t1.5", "X\tZ\t1.5"), "m.txt:15: 'Z' is no label");
  says(error_of("X\tY\t1.5", "\tY\t1.5"), "m.txt:15: a name is empty");
  says(error_of("X\tY\t1.5", "X\tY\t1.5\t"), "m.txt:15: 4 fields");
  for (const char* number : {"", "nan", "inf", "-inf", "1e39", "1,5", "0x1p3", " 1", "1 ", "one"})
    says(error_of("1.5", number), "m.txt:15: ");
  says(error_of("U:b\tY\t0.1", "U:a\tX\t7"), "m.txt:19: this weight was given before, in line 18");
  says(error_of("U:b", "U:\\x"), "m.txt:19: 'U:\\x' has an unknown escape");
  says(error_of("U:b", "U:\\"), "unknown escape");
  says(error_of("U:b", "U\\[b"), "unknown escape");
  says(error_of("[end]\n", "[end]\nmore\n"), "m.txt:22: there is something after [end]");
  says(message_of<InputError>([] { parse(""); }), "m.txt:1: ");
}

TEST_CASE("damaged pairs and gazetteers are refused with the line", "[io][model_text]") {
  const auto check = [](std::string_view from, std::string_view to, const char* what) {
    CHECK_THAT(error_of(from, to, kFull), ContainsSubstring(what));
  };
  check("Old Port\n\\[x\n", "", "m.txt:10: the gazetteer 'towns' has no entry");
  check("Old Port\n\\[x\n", " \n", "m.txt:10: the gazetteer 'towns' has no entry");
  check("[gazetteer towns]", "[gazetteer to wns]", "m.txt:10: the name 'to wns'");
  check("[gazetteer towns]", "[gazetteer towns", "m.txt:10: the gazetteer's name does not end");
  check("[gazetteer-lower", "[gazetteer", "'towns' ends here and was given before");
  check("Old Port", "Old\\0Port", "m.txt:11: an entry that is not UTF-8");
  check("0,towns]", "0,rivers]", "'rivers', which is not there; write its entries");
  check("U:%gazetteer[0,0,towns]\nB1:%x[0,0]\n", "", "a gazetteer without a template");
  check("B1:%x[0,0]\n", "", "m.txt:25: weights of pairs, but no template");
  check("X\tY\t1\n", "X\t1\n", "m.txt:27: 3 fields, 4 expected");
  check("X\tY\t1\n", "X\tZ\t1\n", "m.txt:27: 'Z' is no label");
  check("X\tY\t1\n", "X\tY\tone\n", "m.txt:27: 'one' is no finite number");
  check("B1:b\tY\tX", "B1:a\tX\tY", "m.txt:28: this weight was given before, in line 27");
}

TEST_CASE("every cut of a text is refused, every other byte is refused or a model", "[io][model_text]") {
  const std::string good(GENERATE(kSmall, kFull));
  // Without the last line ending it is still whole.
  for (std::size_t size = 0; size + 1 < good.size(); ++size)
    REQUIRE(message_of<InputError>([&] { parse(good.substr(0, size)); }) != "no error");
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; byte += kSanitized ? 5 : 1) {
      std::string text = good;
      text[at] = static_cast<char>(byte);
      try {
        const Tagger tagger(parse(text));
        REQUIRE(tagger.labels() > 0);
      } catch (const InputError& error) {
        REQUIRE(error.where().starts_with("m.txt:"));
      }
    }
  }
}

TEST_CASE("what has no text form is not written without it", "[io][model_text]") {
  Model hashed = news_model();
  hashed.featurizer = Featurizer(hashed.featurizer.templates(), Boundary::Marks, {}, 12);
  CHECK_THROWS_AS(model_text(hashed), InputError);
  Model dense = news_model();
  dense.vector_columns = 1;
  CHECK_THROWS_AS(model_text(dense), InputError);
}

TEST_CASE("texts are files, too", "[io][model_text]") {
  const TemporaryFolder folder;
  save_model_text(news_model(), folder / "m.txt");
  CHECK(model_bytes(load_model_text(folder / "m.txt")) == model_bytes(news_model()));
  CHECK(folder.names() == std::set<std::string>{"m.txt"});
  CHECK_THROWS_AS(load_model_text(folder / "none"), IoError);
  CHECK_THROWS_AS(save_model_text(news_model(), folder.path()), IoError);
}
