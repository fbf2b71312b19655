#include "thalweg/evaluation/spans.h"

#include <regex>
#include <string>

#include "support/catch.h"
#include "support/sanitized.h"

using namespace thalweg;

namespace {

using Labels = std::vector<std::string_view>;
using Found = std::vector<Span>;

// Every sequence over `alphabet` of up to `longest` labels.
template <class Visit>
void for_each_sequence(const Labels& alphabet, std::size_t longest, const Visit& visit) {
  for (std::size_t length = 0; length <= longest; ++length) {
    std::vector<std::size_t> digits(length, 0);
    for (bool more = true; more;) {
      Labels labels;
      for (std::size_t d : digits) labels.push_back(alphabet[d]);
      visit(labels);
      more = false;
      for (std::size_t i = 0; i < length && !more; ++i) {
        digits[i] = (digits[i] + 1) % alphabet.size();
        more = digits[i] != 0;
      }
    }
  }
}

// An independent reading: one character a label (lower case begins or is inside X, by the map below), and a
// regular expression for each kind of span. Types have one letter.
Found read_by_expression(const Labels& labels, const std::string& expression,
                         const std::vector<std::pair<std::string_view, char>>& letters) {
  std::string text;
  for (std::string_view label : labels) {
    for (const auto& [name, letter] : letters) {
      if (name == label) text.push_back(letter);
    }
  }
  REQUIRE(text.size() == labels.size());
  const std::regex pattern(expression);
  Found found;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), none; it != none; ++it) {
    const Index begin = it->position();
    found.push_back({begin, begin + it->length(), labels[begin].substr(labels[begin].find('-') + 1)});
  }
  return found;
}

}  // namespace

TEST_CASE("BIO is read as conlleval reads it", "[evaluation][spans]") {
  const auto read = [](const Labels& labels) { return spans(labels, Scheme::Bio); };
  CHECK(read({}).empty());
  CHECK(read({"O", "O"}).empty());
  CHECK(read({"B-X", "I-X", "O", "B-Y"}) == Found{{0, 2, "X"}, {3, 4, "Y"}});
  CHECK(read({"O", "I-X", "I-X"}) == Found{{1, 3, "X"}});
  CHECK(read({"I-X", "I-Y", "I-Y"}) == Found{{0, 1, "X"}, {1, 3, "Y"}});
  CHECK(read({"B-X", "I-Y"}) == Found{{0, 1, "X"}, {1, 2, "Y"}});
  CHECK(read({"B-X", "B-X", "I-X"}) == Found{{0, 1, "X"}, {1, 3, "X"}});
  CHECK(read({"I-X", "B-X"}) == Found{{0, 1, "X"}, {1, 2, "X"}});
  CHECK(read({"I-X", "I-X"}) == Found{{0, 2, "X"}});
  CHECK(read({"B-NP-X", "I-NP-X", "I-NP-Y"}) == Found{{0, 2, "NP-X"}, {2, 3, "NP-Y"}});
  CHECK(read({"B", "I", "O", "I"}) == Found{{0, 2, ""}, {3, 4, ""}});
  CHECK(read({"IN-X", "-X"}).empty());
  CHECK(read({"B-X", "E-X", "I-X", "BX", "PER", ""}) == Found{{0, 1, "X"}, {2, 3, "X"}});
}

TEST_CASE("BIOES is read by its stated rules", "[evaluation][spans]") {
  const auto read = [](const Labels& labels) { return spans(labels, Scheme::Bioes); };
  CHECK(read({"B-X", "I-X", "E-X", "S-X", "S-Y"}) == Found{{0, 3, "X"}, {3, 4, "X"}, {4, 5, "Y"}});
  CHECK(read({"B-X", "L-X", "U-Y", "B-Y", "M-Y", "E-Y"}) == Found{{0, 2, "X"}, {2, 3, "Y"}, {3, 6, "Y"}});
  CHECK(read({"B-X", "I-X", "O"}) == Found{{0, 2, "X"}});
  CHECK(read({"O", "E-X", "E-X"}) == Found{{1, 2, "X"}, {2, 3, "X"}});
  CHECK(read({"S-X", "I-X", "E-X"}) == Found{{0, 1, "X"}, {1, 3, "X"}});
  CHECK(read({"B-X", "E-Y"}) == Found{{0, 1, "X"}, {1, 2, "Y"}});
  CHECK(read({"E-X", "I-X"}) == Found{{0, 1, "X"}, {1, 2, "X"}});
}

TEST_CASE("plain labels are read as runs", "[evaluation][spans]") {
  const auto read = [](const Labels& labels) { return spans(labels, Scheme::Io); };
  CHECK(read({"PER", "PER", "O", "PER", "LOC"}) == Found{{0, 2, "PER"}, {3, 4, "PER"}, {4, 5, "LOC"}});
  CHECK(read({"I-X", "I-X", "B-X", "X", "O"}) == Found{{0, 4, "X"}});
  CHECK(read({"E-mail", "E-mail"}) == Found{{0, 2, "E-mail"}});
}

TEST_CASE("the scheme is told from the labels", "[evaluation][spans]") {
  CHECK(detect_scheme(Labels{}) == Scheme::Io);
  CHECK(detect_scheme(Labels{"O", "PER", "B", "E"}) == Scheme::Io);
  CHECK(detect_scheme(Labels{"O", "I-X"}) == Scheme::Bio);
  CHECK(detect_scheme(Labels{"B-X", "PART-OF"}) == Scheme::Bio);
  for (std::string_view label : {"E-X", "S-X", "L-X", "U-X", "M-X"}) {
    CHECK(detect_scheme(Labels{"B-X", label, "B-X"}) == Scheme::Bioes);
  }
  CHECK(spans(Labels{"B-X", "E-X", "E-X"}) == Found{{0, 2, "X"}, {2, 3, "X"}});
  CHECK(spans(Labels{"B-X", "B-X"}) == Found{{0, 1, "X"}, {1, 2, "X"}});
  CHECK(spans(Labels{"X", "X"}) == Found{{0, 2, "X"}});
}

TEST_CASE("every BIO sequence of up to five labels agrees with regular expressions", "[evaluation][spans]") {
  const Labels alphabet{"O", "B-X", "I-X", "B-Y", "I-Y"};
  int sequences = 0;
  for_each_sequence(alphabet, 5, [&](const Labels& labels) {
    ++sequences;
    const Found expected = read_by_expression(
        labels, "[Bb]b*|b+|[Cc]c*", {{"O", '.'}, {"B-X", 'B'}, {"I-X", 'b'}, {"B-Y", 'C'}, {"I-Y", 'c'}});
    if (spans(labels, Scheme::Bio) != expected || spans(labels, Scheme::Bioes) != expected) {
      FAIL("differs on a sequence of " << labels.size());
    }
  });
  CHECK(sequences == 1 + 5 + 25 + 125 + 625 + 3125);
}

TEST_CASE("every BIOES sequence of up to four labels agrees with regular expressions",
          "[evaluation][spans]") {
  const Labels alphabet{"O", "B-X", "I-X", "E-X", "S-X", "B-Y", "I-Y", "E-Y", "S-Y"};
  int sequences = 0;
  for_each_sequence(alphabet, testing::kSanitized ? 3 : 4, [&](const Labels& labels) {
    ++sequences;
    const Found expected = read_by_expression(labels, "s|[Bb]b*e?|e|t|[Cc]c*f?|f",
                                              {{"O", '.'},
                                               {"B-X", 'B'},
                                               {"I-X", 'b'},
                                               {"E-X", 'e'},
                                               {"S-X", 's'},
                                               {"B-Y", 'C'},
                                               {"I-Y", 'c'},
                                               {"E-Y", 'f'},
                                               {"S-Y", 't'}});
    if (spans(labels, Scheme::Bioes) != expected) FAIL("differs on a sequence of " << labels.size());
  });
  CHECK(sequences == 1 + 9 + 81 + 729 + (testing::kSanitized ? 0 : 6561));
}
