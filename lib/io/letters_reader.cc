#include "thalweg/io/letters_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "thalweg/core/error.h"

namespace thalweg {
namespace {

constexpr std::size_t kRows = 16, kColumns = 8, kPixels = kRows * kColumns;
constexpr std::size_t kFields = 6 + kPixels;
constexpr int kFolds = 10;

// Every cell there can be: the words of a corpus point into one text.
class Names {
 public:
  Names() {
    for (char letter = 'a'; letter <= 'z'; ++letter) letters_.push_back(add(std::string(1, letter)));
    bias = add("bias"), first = add("__BOS__"), last = add("__EOS__");
    for (std::size_t p = 0; p < kPixels; ++p)
      pixels_.push_back(add(fmt::format("p_{}_{}", p / kColumns, p % kColumns)));
  }
  const char* text() const { return text_.data(); }
  Cell letter(char c) const { return letters_[static_cast<std::size_t>(c - 'a')]; }
  Cell pixel(std::size_t p) const { return pixels_[p]; }

  Cell bias{}, first{}, last{};

 private:
  Cell add(const std::string& name) {
    const Cell cell{static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(name.size())};
    text_ += name;
    return cell;
  }

  std::string text_;
  std::vector<Cell> letters_, pixels_;
};

struct Letter {
  long id = 0, next = 0, word = 0, position = 0, fold = 0;
  char label = 'a';
  std::array<bool, kPixels> on{};
};

class LineParser {
 public:
  explicit LineParser(const TextReader& reader) : reader_(reader) {}

  Letter parse() {
    split();
    Letter letter;
    letter.id = number(0, "id"), letter.next = number(2, "id of the next letter");
    letter.word = number(3, "word id"), letter.position = number(4, "position");
    letter.fold = number(5, "fold");
    if (letter.fold < 0 || letter.fold >= kFolds)
      fail(fmt::format("fold {} is none of 0 to {}", letter.fold, kFolds - 1));
    if (fields_[1].size() != 1 || fields_[1][0] < 'a' || fields_[1][0] > 'z')
      fail(fmt::format("letter '{}' is none of a to z", fields_[1]));
    letter.label = fields_[1][0];
    for (std::size_t p = 0; p < kPixels; ++p) {
      const std::string_view pixel = fields_[6 + p];
      if (pixel != "0" && pixel != "1") fail(fmt::format("pixel {} is '{}', not 0 or 1", p + 1, pixel));
      letter.on[p] = pixel == "1";
    }
    return letter;
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw InputError(reader_.where(), problem, "is this a line of letter.data as it was published?");
  }

 private:
  void split() {
    std::string_view line = reader_.line();
    if (line.ends_with('\t')) line.remove_suffix(1);
    const auto count = static_cast<std::size_t>(std::count(line.begin(), line.end(), '\t')) + 1;
    if (count != kFields) fail(fmt::format("{} fields, expected {}", count, kFields));
    for (std::string_view& field : fields_) {
      const std::size_t size = std::min(line.find('\t'), line.size());
      field = line.substr(0, size);
      line.remove_prefix(std::min(size + 1, line.size()));
    }
  }

  long number(std::size_t field, const char* name) const {
    const std::string_view text = fields_[field];
    long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      fail(fmt::format("{} '{}' is not a whole number", name, text));
    return value;
  }

  const TextReader& reader_;
  std::array<std::string_view, kFields> fields_;
};

// The word being read, as attribute rows.
class Word {
 public:
  explicit Word(const Names& names) : names_(names) {}

  void add(const Letter& letter, bool first, bool last) {
    cells_.insert(cells_.end(), {names_.letter(letter.label), names_.bias});
    if (first) cells_.push_back(names_.first);
    if (last) cells_.push_back(names_.last);
    for (std::size_t p = 0; p < kPixels; ++p) {
      if (letter.on[p]) cells_.push_back(names_.pixel(p));
    }
    row_ends_.push_back(static_cast<std::uint32_t>(cells_.size()));
  }
  void add_to(Corpus& corpus, std::uint64_t line) const {
    corpus.add(Sentence(names_.text(), cells_.data(), row_ends_, nullptr, {line}));
  }
  void clear() { cells_.clear(), row_ends_.clear(); }

 private:
  const Names& names_;
  std::vector<Cell> cells_;
  std::vector<std::uint32_t> row_ends_;
};

void check_follows(const Letter& before, const Letter& letter, const LineParser& parser) {
  const auto expect = [&](const char* what, long found, long expected) {
    if (found != expected)
      parser.fail(fmt::format("{} {} where the letter before calls for {}", what, found, expected));
  };
  expect("id", letter.id, before.next);
  expect("word id", letter.word, before.word);
  expect("position", letter.position, before.position + 1);
  expect("fold", letter.fold, before.fold);
}

}  // namespace

Corpus read_letters(TextReader text, const std::vector<int>& folds) {
  for (int fold : folds) {
    if (fold < 0 || fold >= kFolds)
      throw OptionError("folds", fmt::format("{} is none of 0 to {}", fold, kFolds - 1), "");
  }
  const Names names;
  LineParser parser(text);
  Corpus corpus;
  corpus.set_source(text.name());
  Word word(names);
  Letter before;
  bool within = false;  // the word of `before`
  std::uint64_t first_line = 0;
  while (text.next()) {
    const Letter letter = parser.parse();
    if (within) {
      check_follows(before, letter, parser);
    } else {
      if (letter.position != 1)
        parser.fail(fmt::format("a word begins at position {}, not 1", letter.position));
      first_line = text.number();
      word.clear();
    }
    const bool last = letter.next == -1;
    word.add(letter, !within, last);
    before = letter, within = !last;
    if (within) continue;
    if (folds.empty() || std::find(folds.begin(), folds.end(), letter.fold) != folds.end())
      word.add_to(corpus, first_line);
  }
  if (within) parser.fail("the file ends within a word");
  if (corpus.size() == 0)
    throw InputError(text.name(), "no word in it is of the folds asked for", "name other folds, or none");
  return corpus;
}

Corpus read_letters(const std::string& path, const std::vector<int>& folds) {
  return read_letters(TextReader(path), folds);
}

}  // namespace thalweg
