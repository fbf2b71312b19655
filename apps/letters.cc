#include "letters.h"

#include <fmt/format.h>

#include <charconv>

#include "thalweg/core/error.h"

namespace thalweg::app {
namespace {

constexpr int kMostFold = 9;

// The number that `text` is, or -1.
Index number(std::string_view text) {
  Index value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

}  // namespace

void add_training_format(CLI::App& command, Format& format, bool& letters) {
  command
      .add_option_function<std::string>(
          "--format",
          [&format, &letters](const std::string& name) {
            letters = name == "letters";
            format = name == "columns" ? Format::Columns : Format::Attributes;
          },
          "columns (CoNLL), attributes (CRFsuite: label TAB attribute[:value]..., the value a real number "
          "that "
          "the weight is multiplied by, 1 if left out) or letters (handwritten words of letter.data: pixels, "
          "a "
          "bias, and all features)")
      ->check(CLI::IsMember({"columns", "attributes", "letters"}))
      ->option_text("columns|attributes|letters [columns]");
}

std::vector<int> parse_folds(const std::string& option, const std::string& list) {
  std::vector<int> folds;
  if (list.empty()) return folds;
  for (const std::string& part : CLI::detail::split(list, ',')) {
    const std::size_t dash = part.find('-');
    const Index first = number(std::string_view(part).substr(0, dash));
    const Index last = dash == part.npos ? first : number(std::string_view(part).substr(dash + 1));
    if (first < 0 || last < first || last > kMostFold)
      throw OptionError(option, fmt::format("'{}' names no folds of letters", list),
                        "folds are 0 to 9, as in 0 or 1-9 or 0,2-4");
    for (Index fold = first; fold <= last; ++fold) folds.push_back(static_cast<int>(fold));
  }
  return folds;
}

Index parse_fold_count(const std::string& text) {
  if (text.empty()) return 0;
  const Index folds = number(text);
  if (folds < 0)
    throw OptionError("folds", fmt::format("is '{}', must be a number >= 2", text), "5 or 10 are usual");
  return folds;
}

}  // namespace thalweg::app
