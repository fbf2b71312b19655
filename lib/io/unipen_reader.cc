#include "thalweg/io/unipen_reader.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "thalweg/core/error.h"

namespace thalweg {
namespace {

constexpr int kTablet = 500;        // pixels each way
constexpr int kNumbers = 10000000;  // more than any writer, stroke or pause

class Parser {
 public:
  explicit Parser(TextReader text) : text_(std::move(text)) {}

  std::vector<PenDigit> parse() {
    advance();
    while (more_ && (at(".INCLUDE") || at(".LEXICON") || at(".HIERARCHY"))) advance();
    std::vector<PenDigit> digits;
    while (more_) digits.push_back(digit());
    if (digits.empty()) throw InputError(text_.name(), "there is no digit in it", kMend);
    return digits;
  }

 private:
  static constexpr const char* kMend = "is this pendigits-orig as it was published?";

  [[noreturn]] void fail(const std::string& problem) const {
    throw InputError(text_.where(), problem, kMend);
  }

  void advance(bool over_empty_lines = true) {
    do {
      more_ = text_.next();
      split(more_ ? text_.line() : std::string_view());
    } while (more_ && over_empty_lines && fields_.empty());
  }
  void split(std::string_view line) {
    constexpr const char* kBlank = " \t";
    fields_.clear();
    for (std::size_t begin; (begin = line.find_first_not_of(kBlank)) != line.npos;) {
      line.remove_prefix(begin);
      fields_.push_back(line.substr(0, line.find_first_of(kBlank)));
      line.remove_prefix(fields_.back().size());
    }
  }
  bool at(std::string_view keyword) const { return !fields_.empty() && fields_[0] == keyword; }

  void expect(std::string_view keyword, std::size_t count) const {
    if (!more_) fail(fmt::format("the file ends where {} is due", keyword));
    if (!at(keyword)) fail(fmt::format("'{}' where {} is due", text_.line(), keyword));
    if (fields_.size() != count)
      fail(fmt::format("{} with {} fields, expected {}", keyword, fields_.size() - 1, count - 1));
  }
  int number(std::string_view text, int most, const char* name) const {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > most)
      fail(fmt::format("{} '{}' is no whole number from 0 to {}", name, text, most));
    return value;
  }

  PenDigit digit() {
    expect(".SEGMENT", 5);
    PenDigit digit;
    digit.line = static_cast<Index>(text_.number());
    const std::string_view range = fields_[2], label = fields_[4];
    if (fields_[1] != "DIGIT") fail(fmt::format("a segment '{}', expected DIGIT", fields_[1]));
    if (label.size() != 3 || label[0] != '"' || label[1] < '0' || label[1] > '9' || label[2] != '"')
      fail(fmt::format("label {} is none of \"0\" to \"9\"", label));
    digit.label = label[1];
    const std::size_t dash = range.find('-');
    const int first = number(range.substr(0, dash), kNumbers, "stroke number");
    const int last = dash == range.npos ? first : number(range.substr(dash + 1), kNumbers, "stroke number");
    if (first != strokes_) fail(fmt::format("stroke number {} where {} is due", first, strokes_));
    if (last < first) fail(fmt::format("strokes {} run backwards", range));
    strokes_ = last + 1;

    advance();
    expect(".COMMENT", 4);
    if (fields_[1] != std::string_view(&digit.label, 1))
      fail(fmt::format("label {} where the line before has '{}'", fields_[1], digit.label));
    digit.writer = number(fields_[2], kNumbers, "writer");
    number(fields_[3], kNumbers, "number");

    advance();
    for (int s = first; s <= last; ++s) digit.strokes.push_back(stroke());
    return digit;
  }

  PenStroke stroke() {
    expect(".PEN_DOWN", 1);
    PenStroke stroke;
    for (advance(false); more_ && !at(".PEN_UP"); advance(false)) {
      if (fields_.size() != 2) fail(fmt::format("'{}' is no point 'x y'", text_.line()));
      stroke.push_back({number(fields_[0], kTablet, "x"), number(fields_[1], kTablet, "y")});
    }
    expect(".PEN_UP", 1);
    if (stroke.empty()) fail("a stroke without points");
    advance();
    expect(".DT", 2);
    number(fields_[1], kNumbers, "pause");
    advance();
    return stroke;
  }

  TextReader text_;
  std::vector<std::string_view> fields_;  // of the line, gone with the next
  bool more_ = false;                     // whether there is a line
  int strokes_ = 0;                       // announced so far
};

}  // namespace

std::vector<PenDigit> read_unipen(TextReader text) { return Parser(std::move(text)).parse(); }

std::vector<PenDigit> read_unipen(const std::string& path) { return read_unipen(TextReader(path)); }

}  // namespace thalweg
