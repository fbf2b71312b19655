#include "thalweg/io/corpus_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"

namespace thalweg {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

constexpr std::string_view kWeight = "# weight";

bool is_blank(std::string_view line) {
  return std::all_of(line.begin(), line.end(), [](char c) { return is_blank(c); });
}

/// Calls use(begin, end) for each cell of a column line.
template <class Use>
void for_each_cell(std::string_view line, Use use) {
  for (std::size_t at = 0; at < line.size();) {
    if (is_blank(line[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < line.size() && !is_blank(line[at])) ++at;
    use(begin, at);
  }
}

Index count_cells(std::string_view line) {
  Index count = 0;
  for_each_cell(line, [&](std::size_t, std::size_t) { ++count; });
  return count;
}

}  // namespace

bool CorpusReader::next() {
  while (next_block())
    if (block_.sentence_.size() > 0) return true;
  return false;
}

bool CorpusReader::next_block() {
  clear();
  first_line_ = text_.number() + 1;
  std::optional<InputError> error;  // the first; the sentence is read to its end all the same
  const auto attempt = [&](auto&& action) {
    try {
      if (!error) action();
    } catch (const InputError& e) {
      error = e;
    }
  };
  while (text_.advance()) {
    keep_line();
    if (is_blank(text_.line())) break;
    attempt([&] {
      text_.check();
      add_line();
    });
  }
  attempt([&] { settle_comments(pending_ > 0 ? count_cells(view(pending_ - 1)) : 0); });
  attempt([&] {
    if (weight_line_ && block_.row_ends_.empty())
      throw InputError(where(*weight_line_), "a weight without a sentence",
                       "put it right above the first token");
  });
  if (error) drop_tokens();
  publish();
  if (error) throw InputError(*error);
  return !block_.lines_.empty();
}

void CorpusReader::clear() {
  block_.buffer_.clear();
  raw_.clear();
  note_ = {};
  weight_line_.reset();
  block_.lines_.clear();
  drop_tokens();
}

void CorpusReader::drop_tokens() {
  for (RawLine& line : raw_) line.token = -1;
  pending_ = 0;
  block_.cells_.clear();
  block_.values_.clear();
  block_.row_ends_.clear();
  weighted_ = false;
}

void CorpusReader::keep_line() {
  const std::size_t begin = block_.buffer_.size();
  append(text_.line());
  append(text_.ending());
  raw_.push_back({begin, text_.line().size(), text_.ending().size(), -1});
}

void CorpusReader::append(std::string_view bytes) {
  if (bytes.size() > std::numeric_limits<std::uint32_t>::max() - block_.buffer_.size())
    throw InputError(text_.where(), "a sentence of more than 4 GiB", "put blank lines between sentences");
  block_.buffer_.insert(block_.buffer_.end(), bytes.begin(), bytes.end());
}

void CorpusReader::add_line() {
  const std::size_t line = raw_.size() - 1;
  if (is_weight(line)) read_weight(line);
  if (is_weight(line) && format_ == Format::Attributes) return;
  if (format_ == Format::Attributes) return add_attributes(line);
  if (block_.row_ends_.empty() && view(line).starts_with("# ")) {
    ++pending_;
    return;
  }
  if (pending_ > 0) settle_comments(count_cells(view(line)));
  add_columns(line);
}

// Tells comments from tokens among the leading lines that begin with "# ", once it can be known how many
// cells a token has: from an earlier sentence, or else from `columns`.
void CorpusReader::settle_comments(Index columns) {
  if (columns_ > 0) columns = columns_;
  const std::size_t lines = std::exchange(pending_, 0);
  for (std::size_t line = 0; line < lines; ++line) {
    if (line == weight_line_) continue;
    if (!block_.row_ends_.empty() || count_cells(view(line)) == columns) add_columns(line);
  }
}

bool CorpusReader::is_weight(std::size_t line) const {
  const std::string_view text = view(line);
  return reads_weights_ && block_.row_ends_.empty() && text.starts_with(kWeight) &&
         (text.size() == kWeight.size() || is_blank(text[kWeight.size()]));
}

void CorpusReader::read_weight(std::size_t line) {
  std::string_view number = view(line).substr(kWeight.size());
  while (!number.empty() && is_blank(number.front())) number.remove_prefix(1);
  while (!number.empty() && is_blank(number.back())) number.remove_suffix(1);
  const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), note_.weight);
  if (error != std::errc() || stop != number.data() + number.size() || !std::isfinite(note_.weight) ||
      !(note_.weight > 0))
    throw InputError(where(line), fmt::format("the weight {} is not a finite number above 0", quoted(number)),
                     "write it like # weight 2.5");
  if (weight_line_) throw InputError(where(line), "a second weight for this sentence", "take one out");
  weight_line_ = line;
}

void CorpusReader::add_columns(std::size_t line) {
  const RawLine& raw = raw_[line];
  Index columns = 0;
  for_each_cell(view(line), [&](std::size_t begin, std::size_t end) {
    block_.cells_.push_back(
        {static_cast<std::uint32_t>(raw.begin + begin), static_cast<std::uint32_t>(end - begin)});
    ++columns;
  });
  if (columns_ == 0) columns_ = columns, columns_line_ = first_line_ + line;
  if (columns != columns_) {
    throw InputError(
        where(line),
        fmt::format("{} column{}, {} expected as in line {}", columns, columns == 1 ? "" : "s", columns_,
                    columns_line_),
        "give every token of the file the same columns, and every sentence a blank line behind it");
  }
  end_token(line);
}

void CorpusReader::add_attributes(std::size_t line) {
  const std::size_t end = raw_[line].begin + raw_[line].size;
  std::size_t begin = raw_[line].begin;
  const auto field_end = [&] {
    return static_cast<std::size_t>(
        std::find(block_.buffer_.begin() + begin, block_.buffer_.begin() + end, '\t') -
        block_.buffer_.begin());
  };
  std::size_t tab = field_end();
  if (tab == begin)
    throw InputError(where(line), "a token without a label", "begin the line with a label and a tab");
  add_name(begin, tab);
  block_.values_.push_back(1);
  while (tab < end) {
    begin = tab + 1;
    tab = field_end();
    if (tab > begin) add_attribute(begin, tab, line);
  }
  end_token(line);
}

// attribute[:value] in bytes [begin, end) of block_.buffer_.
void CorpusReader::add_attribute(std::size_t begin, std::size_t end, std::size_t line) {
  std::size_t colon = begin;
  while (colon < end && block_.buffer_[colon] != ':') colon += is_escape(colon, end) ? 2 : 1;
  if (colon == begin)
    throw InputError(where(line), "an attribute without a name", "write a plain colon as \\:");
  add_name(begin, colon);
  float value = 1;
  if (colon < end) {
    const char* first = block_.buffer_.data() + colon + 1;
    const char* last = block_.buffer_.data() + end;
    double number = 0;
    const auto [stop, error] = std::from_chars(first, last, number);
    value = static_cast<float>(number);
    if (error != std::errc() || stop != last || !std::isfinite(value))
      throw InputError(where(line), fmt::format("the value {} is not a finite number", quoted({first, last})),
                       "write it like 0.5, or a colon that is part of the attribute as \\:");
  }
  weighted_ |= value != 1;
  block_.values_.push_back(value);
}

bool CorpusReader::is_escape(std::size_t at, std::size_t end) const {
  return block_.buffer_[at] == '\\' && at + 1 < end &&
         (block_.buffer_[at + 1] == ':' || block_.buffer_[at + 1] == '\\');
}

// A cell of bytes [begin, end) of block_.buffer_; if there are escapes, of a copy without them at its end.
void CorpusReader::add_name(std::size_t begin, std::size_t end) {
  if (std::memchr(block_.buffer_.data() + begin, '\\', end - begin) != nullptr) {
    const std::size_t copy = block_.buffer_.size();
    for (std::size_t at = begin; at < end; ++at) {
      const char c = block_.buffer_[at += is_escape(at, end)];
      append({&c, 1});
    }
    begin = copy, end = block_.buffer_.size();
  }
  block_.cells_.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end - begin)});
}

void CorpusReader::end_token(std::size_t line) {
  raw_[line].token = static_cast<Index>(block_.row_ends_.size());
  block_.row_ends_.push_back(static_cast<std::uint32_t>(block_.cells_.size()));
}

// Only now do the buffers stand still.
void CorpusReader::publish() {
  for (const RawLine& raw : raw_) {
    const char* first = block_.buffer_.data() + raw.begin;
    if (raw.token == 0) note_.line = first_line_ + block_.lines_.size();
    block_.lines_.push_back({{first, raw.size}, {first + raw.size, raw.ending}, raw.token});
  }
  block_.sentence_ = {block_.buffer_.data(), block_.cells_.data(), block_.row_ends_,
                      weighted_ ? block_.values_.data() : nullptr, note_};
}

void CorpusReader::take(Block& into) {
  std::swap(block_, into);
  block_.lines_.clear();
  block_.sentence_ = {};
}

std::string_view CorpusReader::view(std::size_t line) const {
  return {block_.buffer_.data() + raw_[line].begin, raw_[line].size};
}

std::string CorpusReader::where(std::size_t line) const { return place(text_.name(), first_line_ + line); }

Corpus read_corpus(const std::string& path, Format format, bool weights) {
  CorpusReader reader(path, format, weights);
  Corpus corpus;
  while (reader.next()) corpus.add(reader.sentence());
  corpus.set_source(reader.text().name());
  if (corpus.size() == 0)
    throw InputError(reader.text().name(), "there is no sentence in it", "check the path");
  return corpus;
}

}  // namespace thalweg
