#include "thalweg/evaluation/edit_distance.h"

#include "thalweg/corpus/utf8.h"

namespace thalweg {
namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r";

}  // namespace

std::vector<char32_t> code_points(std::string_view utf8) {
  std::vector<char32_t> symbols;
  for (std::size_t at = 0, size; at < utf8.size(); at += size) {
    size = character_size(utf8, at);
    const auto byte = static_cast<unsigned char>(utf8[at]);
    const bool stray = size == 1 && byte >= 0x80;
    symbols.push_back(stray ? char32_t{0xDC00} + byte : code_point(utf8.substr(at, size)));
  }
  return symbols;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  for (std::size_t begin = 0; (begin = text.find_first_not_of(kSpace, begin)) != text.npos;) {
    const std::size_t end = std::min(text.find_first_of(kSpace, begin), text.size());
    found.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return found;
}

ErrorRate character_errors(std::string_view reference, std::string_view hypothesis) {
  return edit_errors<char32_t>(code_points(reference), code_points(hypothesis));
}

ErrorRate word_errors(std::string_view reference, std::string_view hypothesis) {
  return edit_errors<std::string_view>(words(reference), words(hypothesis));
}

}  // namespace thalweg
