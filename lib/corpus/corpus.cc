#include "thalweg/corpus/corpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "thalweg/core/error.h"

namespace thalweg {

void Corpus::add_token(std::span<const std::string_view> cells, std::span<const float> values) {
  begin_token(cells.size());
  for (std::size_t i = 0; i < cells.size(); ++i) add_cell(cells[i], values.empty() ? 1.0f : values[i]);
  end_token();
}

void Corpus::add(std::initializer_list<std::initializer_list<std::string_view>> tokens) {
  for (const auto& cells : tokens) add_token({cells.begin(), cells.size()});
  end_sentence();
}

void Corpus::add(const Sentence& sentence) {
  for (Index t = 0; t < sentence.size(); ++t) {
    const Index columns = sentence.columns(t);
    begin_token(static_cast<std::size_t>(columns));
    for (Index c = 0; c < columns; ++c) add_cell(sentence.cell(t, c), sentence.value(t, c));
    end_token();
  }
  open_.note = sentence.note();
  close();
}

void Corpus::begin_token(std::size_t cells) {
  if (cells == 0) fail("a token without cells", "give it at least a word or a label");
}

void Corpus::add_cell(std::string_view text, float value) {
  if (!std::isfinite(value)) fail("a value that is not finite", "leave the attribute out");
  constexpr std::size_t kMax = std::numeric_limits<std::uint32_t>::max();
  const std::size_t begin = text_.size() - open_.text;
  if (text.size() > kMax - begin || cells_.size() - open_.cell == kMax)
    fail("a sentence of more than 4 GiB", "cut it into sentences");
  text_.insert(text_.end(), text.begin(), text.end());
  cells_.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(text.size())});
  if (value != 1 && values_.empty()) values_.assign(cells_.size() - 1, 1.0f);
  if (value != 1 || !values_.empty()) values_.push_back(value);
}

std::uint32_t Corpus::row_begin() const { return row_ends_.size() == open_.row ? 0 : row_ends_.back(); }

void Corpus::end_token() {
  const auto row_end = static_cast<std::uint32_t>(cells_.size() - open_.cell);
  const auto columns = static_cast<Index>(row_end - row_begin());
  columns_ = row_ends_.empty() ? columns : std::min(columns_, columns);
  row_ends_.push_back(row_end);
}

void Corpus::end_sentence(double weight) {
  if (!(weight > 0 && std::isfinite(weight)))
    throw InputError(fmt::format("sentence {}", size() + 1), fmt::format("its weight is {}", weight),
                     "weights are finite and > 0");
  open_.note.weight = weight;
  close();
}

void Corpus::close() {
  sentences_.push_back(open_);
  open_ = {text_.size(), cells_.size(), row_ends_.size(), {}};
}

Sentence Corpus::operator[](Index n) const {
  const Begin& begin = sentences_[static_cast<std::size_t>(n)];
  const std::size_t row_end = n + 1 < size() ? sentences_[static_cast<std::size_t>(n) + 1].row : open_.row;
  return {text_.data() + begin.text, cells_.data() + begin.cell,
          std::span(row_ends_).subspan(begin.row, row_end - begin.row),
          values_.empty() ? nullptr : values_.data() + begin.cell, begin.note};
}

double Corpus::total_weight() const {
  double total = 0;
  for (const Begin& sentence : sentences_) total += sentence.note.weight;
  return total;
}

void Corpus::fail(const char* problem, const char* mend) {
  cells_.resize(open_.cell + row_begin());  // the token is not added
  if (!values_.empty()) values_.resize(cells_.size());
  const std::size_t token = row_ends_.size() - open_.row + 1;
  throw InputError(fmt::format("sentence {}, token {}", size() + 1, token), problem, mend);
}

}  // namespace thalweg
