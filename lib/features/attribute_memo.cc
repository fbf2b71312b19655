#include "thalweg/features/attribute_memo.h"

#include <algorithm>
#include <bit>
#include <cassert>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace thalweg {
namespace {

constexpr std::uint32_t kUnasked = 0xFFFFFFFE;  // no id: Vocabulary stops before
constexpr std::uint64_t kEmptySlot = ~std::uint64_t{0};
constexpr int kIdBits = 20, kKeyBits = 64 - kIdBits;
constexpr Index kRun = 256;
constexpr std::size_t kLongText = 64;  // longer ones are numbered anew each time

// Positions outside of a sentence count as texts of their own, by their distance from it.
constexpr std::uint32_t kOutside = 2 * TemplateSet::kMaxRow;

std::uint32_t outside_number(Index row, Index size) {
  return static_cast<std::uint32_t>(row < 0 ? -row - 1 : TemplateSet::kMaxRow + row - size);
}

// Whether attributes of different templates are never the same, by what they begin with.
bool spell_apart(const std::vector<Template>& templates) {
  std::vector<std::string_view> starts;
  for (const Template& one : templates) starts.push_back(one.literals[0]);
  std::sort(starts.begin(), starts.end());
  return std::adjacent_find(starts.begin(), starts.end(), [](std::string_view a, std::string_view b) {
           return b.starts_with(a);
         }) == starts.end();
}

// Whether the macro's text can be remembered by its cell.
bool reads_one_cell(const Macro& macro) {
  switch (macro.kind) {
    case Macro::Kind::Cell:
    case Macro::Kind::Lower:
    case Macro::Kind::Shape:
    case Macro::Kind::Prefix:
    case Macro::Kind::Suffix:
    case Macro::Kind::Test:
    case Macro::Kind::Match:
    case Macro::Kind::LowerMatch:
      return true;
    case Macro::Kind::Gazetteer:
      return false;
  }
  return false;
}

}  // namespace

// --- numbers

template <class Same>
std::uint32_t AttributeMemo::Numbers::find_or_add(std::uint64_t key, Same same) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = (key * 0x9E3779B97F4A7C15u) >> shift_;
  for (; slots_[at] != kEmptySlot; at = (at + 1) & mask) {
    const auto id = static_cast<std::uint32_t>(slots_[at] & ((1u << kIdBits) - 1));
    if (slots_[at] >> kIdBits == key && same(id)) return id;
  }
  slots_[at] = key << kIdBits | size_;
  if (2 * ++findable_ > slots_.size()) grow();
  return size_++;
}

void AttributeMemo::Numbers::grow() {
  std::vector<std::uint64_t> slots(2 * slots_.size(), kEmptySlot);
  --shift_;
  for (const std::uint64_t slot : slots_) {
    if (slot == kEmptySlot) continue;
    std::size_t at = ((slot >> kIdBits) * 0x9E3779B97F4A7C15u) >> shift_;
    while (slots[at] != kEmptySlot) at = (at + 1) & (slots.size() - 1);
    slots[at] = slot;
  }
  slots_ = std::move(slots);
}

// @param reserved numbers that no key has
void AttributeMemo::Numbers::clear(std::uint32_t reserved) {
  constexpr std::size_t kFirstSlots = 1024;
  if (slots_.empty()) {
    slots_.resize(kFirstSlots);
    shift_ = 64 - std::countr_zero(kFirstSlots);
  }
  std::fill(slots_.begin(), slots_.end(), kEmptySlot);
  size_ = reserved, findable_ = 0;
}

// --- what templates read

AttributeMemo::AttributeMemo(const Featurizer& featurizer, const Vocabulary& attributes)
    : featurizer_(featurizer), attributes_(attributes) {
  const auto& templates = featurizer.templates().templates();
  const bool remembers = featurizer.hash_bits() == 0 && spell_apart(templates) &&
                         std::all_of(templates.begin(), templates.end(), [](auto& t) {
                           return std::all_of(t.macros.begin(), t.macros.end(), reads_one_cell);
                         });
  if (!remembers) return;
  for (const Template& one : templates) {
    for (const Macro& macro : one.macros) {
      first_row_ = std::min<Index>(first_row_, macro.row), last_row_ = std::max<Index>(last_row_, macro.row);
    }
  }
  for (const Template& one : templates) {
    for (const Macro& macro : one.macros) find_cells(-1, macro.column, 0, first_row_);
  }
  for (const Template& one : templates) place(one);
  for (Cells& cells : cells_) {
    if (cells.parent < 0) cells.first = first_row_, cells.last = last_row_;
    clear(cells);
  }
  if (featurizer.boundary() == Boundary::None) {
    first_token_ = attributes.find("__BOS__"), last_token_ = attributes.find("__EOS__");
  }
}

void AttributeMemo::place(const Template& one) {
  std::vector<std::pair<Index, int>> read;  // row, column
  for (const Macro& macro : one.macros) read.emplace_back(macro.row, macro.column);
  std::sort(read.begin(), read.end());
  read.erase(std::unique(read.begin(), read.end()), read.end());
  const Index shift = read.empty() ? 0 : read[0].first;
  int at = read.empty() ? find_cells(-1, -1, 0, 0) : -1;
  for (const auto& [row, column] : read) at = find_cells(at, column, row - shift, shift);
  Cells& cells = cells_[static_cast<std::size_t>(at)];
  places_.push_back({static_cast<std::size_t>(at), shift, cells.templates++});
}

int AttributeMemo::find_cells(int parent, int column, Index row, Index shift) {
  auto at = std::find_if(cells_.begin(), cells_.end(), [&](const Cells& c) {
    return c.parent == parent && c.column == column && c.row == row;
  });
  if (at == cells_.end()) {
    Cells made{};
    made.parent = parent, made.column = column, made.row = row, made.first = made.last = shift;
    at = cells_.insert(at, std::move(made));
  }
  at->first = std::min(at->first, shift), at->last = std::max(at->last, shift);
  return static_cast<int>(at - cells_.begin());
}

// The cells of the column that the last cell is of.
const AttributeMemo::Cells& AttributeMemo::column_of(const Cells& cells) const {
  return *std::find_if(cells_.begin(), cells_.end(),
                       [&](const Cells& c) { return c.parent < 0 && c.column == cells.column; });
}

void AttributeMemo::clear(Cells& cells) {
  const std::uint32_t reserved = cells.parent >= 0 ? 0 : cells.column < 0 ? 1 : kOutside;
  cells.table.clear(reserved);
  cells.ids.clear(), cells.texts.clear();
  cells.text_ends.assign(reserved, 0);
  cells.cleared = true;
}

// --- a run of tokens

void AttributeMemo::look_up(const Sentence& sentence, Dataset& into) {
  if (places_.empty()) return look_up_sentence(featurizer_, sentence, attributes_, scratch_, into);
  for (Index begin = 0; begin < sentence.size(); begin += kRun) {
    const Index end = std::min(begin + kRun, sentence.size());
    make_room();
    number(sentence, begin, end);
    if (!recall(end - begin)) ask(sentence, begin, end - begin);
    append(sentence, begin, end - begin, into);
  }
  into.sequences.push_back(into.sequences.back() + sentence.size());
}

// Numbers must last for the run that they are given out for. Pairs go with the numbers that they are made of.
void AttributeMemo::make_room() {
  for (Cells& cells : cells_) {
    cells.cleared = false;
    const bool orphaned = cells.parent >= 0 && (cells_[static_cast<std::size_t>(cells.parent)].cleared ||
                                                column_of(cells).cleared);
    if (orphaned || cells.table.size() > kMost) clear(cells);
  }
}

void AttributeMemo::number(const Sentence& sentence, Index begin, Index end) {
  const TemplateSet& templates = featurizer_.templates();
  const Index first = std::max<Index>(begin + first_row_, 0);
  const Index last = std::min(end + last_row_, sentence.size());
  for (Index row = first; row < last; ++row) {
    if (sentence.columns(row) < templates.columns()) templates.check_columns(sentence.columns(row));
  }
  for (Cells& cells : cells_) {
    cells.numbers.resize(static_cast<std::size_t>(end - begin + cells.last - cells.first));
    if (cells.parent >= 0) {
      number_pairs(cells);
    } else if (cells.column >= 0) {
      number_texts(sentence, begin, cells);
    } else {
      std::fill(cells.numbers.begin(), cells.numbers.end(), 0);
    }
    cells.ids.resize(std::size_t{cells.table.size()} * cells.templates, kUnasked);
  }
}

void AttributeMemo::number_texts(const Sentence& sentence, Index begin, Cells& cells) {
  Index row = begin + cells.first;
  for (std::uint32_t& number : cells.numbers) {
    const bool inside = row >= 0 && row < sentence.size();
    number =
        inside ? number_text(cells, sentence.cell(row, cells.column)) : outside_number(row, sentence.size());
    ++row;
  }
}

std::uint32_t AttributeMemo::number_text(Cells& cells, std::string_view text) {
  const auto is_text = [&](std::uint32_t number) {
    const std::size_t begin = cells.text_ends[number - 1];
    return std::string_view(cells.texts).substr(begin, cells.text_ends[number] - begin) == text;
  };
  const std::uint32_t known = cells.table.size();
  const std::uint32_t number =
      text.size() > kLongText
          ? cells.table.add_unfindable()
          : cells.table.find_or_add(XXH3_64bits(text.data(), text.size()) >> kIdBits, is_text);
  if (number == known) {
    if (text.size() <= kLongText) cells.texts.append(text);
    cells.text_ends.push_back(cells.texts.size());
  }
  return number;
}

void AttributeMemo::number_pairs(Cells& cells) {
  const Cells& parent = cells_[static_cast<std::size_t>(cells.parent)];
  const Cells& column = column_of(cells);
  const std::uint32_t* left = parent.numbers.data() + (cells.first - parent.first);
  const std::uint32_t* right = column.numbers.data() + (cells.first + cells.row - column.first);
  for (std::uint32_t& number : cells.numbers) {
    const std::uint64_t key = std::uint64_t{*left++} << (kKeyBits / 2) | *right++;
    number = cells.table.find_or_add(key, [](std::uint32_t) { return true; });
  }
}

// Fills ids_; false if some of them were never asked for.
bool AttributeMemo::recall(Index tokens) {
  recalls_.clear();
  for (const Place& place : places_) {
    const Cells& cells = cells_[place.cells];
    recalls_.push_back({cells.numbers.data() + (place.shift - cells.first), cells.ids.data() + place.member,
                        cells.templates});
  }
  ids_.resize(std::max(ids_.size(), static_cast<std::size_t>(tokens) * places_.size()));
  std::uint32_t* id = ids_.data();
  bool unasked = false;
  for (Index t = 0; t < tokens; ++t) {
    for (const Recall& r : recalls_) {
      *id = r.ids[r.numbers[t] * r.templates];
      unasked |= *id++ == kUnasked;
    }
  }
  return !unasked;
}

// Looks up what was never asked for, and keeps the answers.
void AttributeMemo::ask(const Sentence& sentence, Index begin, Index tokens) {
  requests_.clear();
  for (Index t = 0; t < tokens; ++t) {
    const std::uint32_t* const ids = ids_.data() + t * std::ssize(places_);
    for (std::size_t j = 0; j < places_.size(); ++j) {
      if (ids[j] == kUnasked) requests_.push_back({begin + t, j});
    }
  }
  featurizer_.attributes(sentence, requests_, scratch_.attributes);
  const auto names = scratch_.attributes.all_names();
  scratch_.ids.resize(names.size());
  attributes_.find(names, scratch_.ids);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto [token, j] = requests_[i];
    const std::uint32_t id = names[i].empty() ? Vocabulary::kUnknown : scratch_.ids[i];
    const Place& place = places_[j];
    Cells& cells = cells_[place.cells];
    const std::uint32_t number =
        cells.numbers[static_cast<std::size_t>(token - begin + place.shift - cells.first)];
    cells.ids[std::size_t{number} * cells.templates + place.member] = id;
    ids_[static_cast<std::size_t>(token - begin) * places_.size() + j] = id;
  }
}

void AttributeMemo::append(const Sentence& sentence, Index begin, Index tokens, Dataset& into) const {
  SparseMatrix& matrix = into.attributes;
  std::size_t end = matrix.columns.size();
  matrix.columns.resize(end + static_cast<std::size_t>(tokens) * (places_.size() + 2));
  const std::uint32_t* id = ids_.data();
  const auto put = [&](std::uint32_t one) {  // without a branch, which no one can predict
    matrix.columns[end] = one;
    end += one != Vocabulary::kUnknown;
  };
  for (Index t = begin; t < begin + tokens; ++t) {
    for (std::size_t j = 0; j < places_.size(); ++j) put(*id++);
    if (t == 0) put(first_token_);
    if (t + 1 == sentence.size()) put(last_token_);
    matrix.offsets.push_back(static_cast<Index>(end));
  }
  matrix.columns.resize(end);
  if (!matrix.values.empty()) matrix.values.resize(end, 1.0f);
}

}  // namespace thalweg
