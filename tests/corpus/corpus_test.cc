#include "thalweg/corpus/corpus.h"

#include <array>
#include <cmath>
#include <string>

#include "support/catch.h"
#include "support/message.h"
#include "thalweg/core/error.h"

using namespace thalweg;

TEST_CASE("a corpus in a few lines", "[corpus]") {
  Corpus corpus;
  corpus.add({{"the", "DT"}, {"cat", "NN"}});
  corpus.add({});
  corpus.add({{"one-token", "X"}});
  REQUIRE(corpus.size() == 3);
  CHECK(corpus.tokens() == 3);
  CHECK(corpus.columns() == 2);
  CHECK(corpus[0].size() == 2);
  CHECK(corpus[0].cell(1, 0) == "cat");
  CHECK(corpus[0].cell(1, 1) == "NN");
  CHECK(corpus[1].size() == 0);
  CHECK(corpus[2].cell(0, 0) == "one-token");
  CHECK(corpus[2].value(0, 1) == 1);
  CHECK_FALSE(corpus[2].has_values());
}

TEST_CASE("rows may be ragged and cells may be empty and weighted", "[corpus]") {
  Corpus corpus;
  corpus.add({{"A", "x"}});
  const std::array<std::string_view, 3> cells = {"B", "", "y"};
  const std::array<float, 3> values = {1, 0.5f, -2};
  corpus.add_token(cells, values);
  corpus.add_token(std::array<std::string_view, 1>{"C"});
  CHECK(corpus.size() == 1);  // the second is still open
  corpus.end_sentence();

  Corpus copy;
  copy.add({{"first"}});
  copy.add(corpus[1]);
  for (const Sentence& s : {corpus[1], copy[1]}) {
    REQUIRE(s.size() == 2);
    CHECK(s.columns(0) == 3);
    CHECK(s.columns(1) == 1);
    CHECK(s.cell(0, 1) == "");
    CHECK(s.value(0, 1) == 0.5f);
    CHECK(s.value(0, 2) == -2);
    CHECK(s.value(1, 0) == 1);
  }
  CHECK(corpus[0].value(0, 1) == 1);
  CHECK(corpus.columns() == 1);
}

TEST_CASE("a token that is refused leaves no trace", "[corpus]") {
  Corpus corpus;
  corpus.add({{"a", "A"}});
  corpus.add_token(std::array<std::string_view, 2>{"b", "B"});
  const std::array<std::string_view, 2> cells = {"c", "d"};
  const std::array<float, 2> values = {2, std::nanf("")};
  CHECK(message_of<InputError>([&] { corpus.add_token({}); }) ==
        "sentence 2, token 2: a token without cells; give it at least a word or a label");
  CHECK_THAT(message_of<InputError>([&] { corpus.add_token(cells, values); }),
             ContainsSubstring("not finite"));
  corpus.add_token(cells);
  corpus.end_sentence();
  REQUIRE(corpus[1].size() == 2);
  CHECK(corpus[1].cell(0, 1) == "B");
  CHECK(corpus[1].cell(1, 0) == "c");
  CHECK(corpus[1].columns(1) == 2);
  CHECK(corpus[1].value(1, 0) == 1);
}
