#include "thalweg/features/templates.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <iterator>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"
#include "thalweg/features/pattern.h"

namespace thalweg {
namespace {

struct MacroName {
  std::string_view name;
  Macro::Kind kind;
  const char* third;  // what a third argument is, or null
};
constexpr const char* kLength = ",n";
constexpr const char* kPattern = ",\"pattern\"";
constexpr const char* kName = ",NAME";
constexpr std::array kMacros = {
    MacroName{"x", Macro::Kind::Cell, nullptr},
    MacroName{"lower", Macro::Kind::Lower, nullptr},
    MacroName{"shape", Macro::Kind::Shape, nullptr},
    MacroName{"prefix", Macro::Kind::Prefix, kLength},
    MacroName{"suffix", Macro::Kind::Suffix, kLength},
    MacroName{"t", Macro::Kind::Test, kPattern},
    MacroName{"m", Macro::Kind::Match, kPattern},
    MacroName{"X", Macro::Kind::Lower, nullptr},
    MacroName{"T", Macro::Kind::Test, kPattern},
    MacroName{"M", Macro::Kind::LowerMatch, kPattern},
    MacroName{"gazetteer", Macro::Kind::Gazetteer, kName},
};

char ascii_lower(char c) { return static_cast<char>(to_lower(static_cast<unsigned char>(c))); }

bool is_letter(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }

std::string_view trim(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t first = line.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(kBlanks) - first + 1);
}

/// The known macro that shares the longest beginning with `name`, or all of them.
std::string suggestion(std::string_view name) {
  const MacroName* best = nullptr;
  std::size_t longest = 0;
  for (const MacroName& macro : kMacros) {
    std::size_t shared = 0;
    while (shared < std::min(name.size(), macro.name.size()) &&
           ascii_lower(name[shared]) == macro.name[shared])
      ++shared;
    if (shared > longest) best = &macro, longest = shared;
  }
  if (best) return fmt::format("did you mean %{}?", best->name);
  return "there are %x, %lower, %shape, %prefix, %suffix, %t, %m and %gazetteer";
}

/// Recursive descent over one line; errors name the line and the column where it stands.
class LineParser {
 public:
  LineParser(std::string_view line, std::string where) : line_(line), where_(std::move(where)) {}

  Template parse() {
    Template result;
    for (;;) {
      const std::size_t percent = std::min(line_.find('%', at_), line_.size());
      result.literals.emplace_back(line_.substr(at_, percent - at_));
      at_ = percent;
      if (at_ == line_.size()) return result;
      result.macros.push_back(macro());
    }
  }

 private:
  Macro macro() {
    const std::size_t begin = at_++;
    while (at_ < line_.size() && is_letter(line_[at_])) ++at_;
    const std::string_view name = line_.substr(begin + 1, at_ - begin - 1);
    const auto known =
        std::find_if(kMacros.begin(), kMacros.end(), [&](auto& macro) { return macro.name == name; });
    if (known == kMacros.end()) {
      at_ = begin;
      fail(name.empty() ? "a lone %"
                        : fmt::format("unknown macro {}", quoted(line_.substr(begin, name.size() + 1))),
           suggestion(name));
    }
    const std::string form = fmt::format("write %{}[row,column{}]", name, known->third ? known->third : "");
    Macro macro{known->kind, 0, 0};
    expect('[', form);
    macro.row = number("the row", -TemplateSet::kMaxRow, TemplateSet::kMaxRow, form);
    expect(',', form);
    macro.column = number("the column", 0, TemplateSet::kMaxColumn, form);
    if (known->third) expect(',', form);
    if (known->third == kLength) macro.length = number("n", 1, TemplateSet::kMaxColumn, form);
    if (known->third == kPattern) macro.argument = pattern(form);
    if (known->third == kName) macro.argument = name_of_list(form);
    expect(']', form);
    return macro;
  }

  // A pattern in quotes, in which \" is a quote.
  std::string pattern(const std::string& form) {
    expect('"', form);
    const std::size_t begin = at_;
    while (at_ < line_.size() && line_[at_] != '"') at_ += line_[at_] == '\\' ? 2 : 1;
    at_ = std::min(at_, line_.size());
    const std::string_view text = line_.substr(begin, at_ - begin);
    expect('"', form);
    Pattern::parse(text, where_);
    return std::string(text);
  }

  std::string name_of_list(const std::string& form) {
    const std::size_t end = std::min(line_.find(']', at_), line_.size());
    const std::string_view text = line_.substr(at_, end - at_);
    if (text.empty()) fail("a name expected", form);
    at_ = end;
    return std::string(text);
  }

  void expect(char c, const std::string& form) {
    if (at_ == line_.size() || line_[at_] != c) fail(fmt::format("'{}' expected", c), form);
    ++at_;
  }

  int number(const char* what, int least, int most, const std::string& form) {
    const char* end = line_.data() + line_.size();
    int value = 0;
    const auto [stop, error] = std::from_chars(line_.data() + at_, end, value);
    if (error == std::errc::invalid_argument) fail(fmt::format("a number expected for {}", what), form);
    if (error != std::errc() || value < least || value > most)
      fail(fmt::format("{} is out of range", what), fmt::format("it goes from {} to {}", least, most));
    at_ = static_cast<std::size_t>(stop - line_.data());
    return value;
  }

  [[noreturn]] void fail(const std::string& problem, const std::string& mend) const {
    throw InputError(where_, fmt::format("{} at column {}", problem, at_ + 1), mend);
  }

  std::string_view line_;
  std::string where_;
  std::size_t at_ = 0;
};

}  // namespace

TemplateSet TemplateSet::parse(std::string_view text, std::string_view where) {
  TemplateSet set;
  set.where_ = where;
  std::unordered_map<std::string_view, std::uint64_t> seen;
  for (std::uint64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const auto [first, is_new] = seen.emplace(line, number);
    if (!is_new)
      throw InputError(place(where, number), fmt::format("the same template as in line {}", first->second),
                       "take one out");
    set.add_line(line, number);
  }
  if (set.text_.empty())
    throw InputError(where, "there is no template in it", "add lines such as U00:%x[0,0] and B");
  return set;
}

void TemplateSet::add_line(std::string_view line, std::uint64_t number) {
  const auto fail = [&](const char* problem, const char* mend) {
    throw InputError(place(where_, number), problem, mend);
  };
  if (!valid_utf8(line) || line.find('\0') != line.npos)
    fail("a template that is not UTF-8 text", "convert the file");
  const char kind = line.front();
  if (kind != 'U' && kind != 'B' && kind != '*')
    fail("a template begins with U, B or *, a comment with #", "put one in front, as in U00:%x[0,0]");
  Template parsed = LineParser(line, place(where_, number)).parse();
  parsed.line = number;
  for (const Macro& macro : parsed.macros) columns_ = std::max<Index>(columns_, macro.column + 1);
  if (kind != 'U') {
    if (parsed.macros.empty())
      transitions_ = true;
    else
      pair_templates_.push_back(parsed);
  }
  if (kind != 'B') templates_.push_back(std::move(parsed));
  text_.append(line).append("\n");
}

TemplateSet TemplateSet::built_in(Index columns) {
  assert(columns > 0);
  std::string text;
  const auto add = [&]<class... Args>(fmt::format_string<Args...> form, Args&&... args) {
    fmt::format_to(std::back_inserter(text), form, std::forward<Args>(args)...);
    text += '\n';
  };
  for (int row = -2; row <= 2; ++row) add("Uword[{0}]=%x[{0},0]", row);
  for (int row = -1; row <= 0; ++row) add("Uword[{0}],word[{1}]=%x[{0},0],%x[{1},0]", row, row + 1);
  add("Ulower=%lower[0,0]");
  for (int n = 1; n <= 4; ++n) add("Uprefix{0}=%prefix[0,0,{0}]", n);
  for (int n = 1; n <= 4; ++n) add("Usuffix{0}=%suffix[0,0,{0}]", n);
  for (int row = -1; row <= 1; ++row) add("Ushape[{0}]=%shape[{0},0]", row);
  for (Index c = 1; c < columns; ++c) {
    for (int row = -2; row <= 2; ++row) add("Ucolumn{1}[{0}]=%x[{0},{1}]", row, c);
    for (int row = -2; row <= 1; ++row) add("Ucolumn{2}[{0}],[{1}]=%x[{0},{2}],%x[{1},{2}]", row, row + 1, c);
    for (int row = -2; row <= 0; ++row)
      add("Ucolumn{3}[{0}],[{1}],[{2}]=%x[{0},{3}],%x[{1},{3}],%x[{2},{3}]", row, row + 1, row + 2, c);
  }
  text += "B\n";
  return parse(text, "built-in templates");
}

void TemplateSet::check_columns(Index columns) const {
  if (columns >= columns_) return;
  for (const auto* list : {&templates_, &pair_templates_}) {
    for (const Template& one : *list) {
      for (const Macro& macro : one.macros) {
        if (macro.column < columns) continue;
        throw InputError(
            place(where_, one.line),
            fmt::format("the template reads column {}, but the columns to read are {}", macro.column,
                        columns <= 0   ? std::string("none")
                        : columns == 1 ? std::string("column 0 alone")
                                       : fmt::format("0 to {}", columns - 1)),
            "columns count from 0, and in training the last one is the label");
      }
    }
  }
}

}  // namespace thalweg
