#include "thalweg/features/featurizer.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <utility>

#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"

namespace thalweg {
namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

// Most texts are shorter than this and then copied as this many bytes, which is one load and one store. So
// all that texts are copied from or to has as much slack at its end.
constexpr std::size_t kSlack = 16;

char* copy_text(const char* from, std::size_t size, char* to) {
  if (size <= kSlack)
    std::memcpy(to, from, kSlack);
  else
    std::memcpy(to, from, size);
  return to + size;
}

void append_shape(std::string_view text, std::string& to) {
  std::string_view last;
  for (std::size_t at = 0; at < text.size();) {
    std::string_view character = text.substr(at, character_size(text, at));
    at += character.size();
    switch (character_class(code_point(character))) {
      case CharacterClass::Upper:
        character = "X";
        break;
      case CharacterClass::Lower:
        character = "x";
        break;
      case CharacterClass::Digit:
        character = "9";
        break;
      case CharacterClass::Other:
        break;
    }
    if (character != last) to.append(character);
    last = character;
  }
}

// Bytes of the first n characters, or kNone if there are fewer.
std::size_t prefix_size(std::string_view text, int n) {
  std::size_t at = 0;
  for (; n > 0; --n) {
    if (at == text.size()) return kNone;
    at += character_size(text, at);
  }
  return at;
}

// Where the last n characters begin, or kNone if there are fewer.
std::size_t suffix_begin(std::string_view text, int n) {
  std::size_t at = text.size();
  for (; n > 0; --n) {
    if (at == 0) return kNone;
    do {
      --at;
    } while (at > 0 && (text[at] & 0xC0) == 0x80);  // a continuation byte
  }
  return at;
}

}  // namespace

Featurizer::Featurizer(TemplateSet templates, Boundary boundary, Gazetteers gazetteers, int hash_bits)
    : has_templates_(true),
      hash_bits_(hash_bits),
      templates_(std::move(templates)),
      boundary_(boundary),
      marks_ends_(boundary == Boundary::None),
      gazetteers_(std::move(gazetteers)) {
  compile(templates_.templates());
  if (templates_.pair_templates().empty()) return;
  Featurizer pairs;
  pairs.has_templates_ = true, pairs.templates_ = templates_, pairs.boundary_ = boundary;
  pairs.gazetteers_ = gazetteers_, pairs.hash_bits_ = hash_bits;
  pairs.compile(templates_.pair_templates());
  pairs_ = std::make_shared<const Featurizer>(std::move(pairs));
}

const Gazetteer* Featurizer::find_list(const Source& source) const {
  for (const auto& list : gazetteers_)
    if (list->name() == source.argument) return list.get();
  throw InputError(templates_.where(),
                   "a template reads the gazetteer " + quoted(source.argument) + ", which is not there",
                   "give it with --gazetteer " + source.argument + "=FILE");
}

Featurizer Featurizer::of_attributes(int hash_bits) {
  Featurizer featurizer;
  featurizer.hash_bits_ = hash_bits;
  return featurizer;
}

void Featurizer::compile(const std::vector<Template>& templates) {
  for (const Template& one : templates) {
    for (const Macro& macro : one.macros) {
      sources_.push_back({macro.column, macro.kind, macro.length, macro.argument});
      first_row_ = std::min<Index>(first_row_, macro.row);
      last_row_ = std::max<Index>(last_row_, macro.row);
    }
  }
  std::sort(sources_.begin(), sources_.end());
  sources_.erase(std::unique(sources_.begin(), sources_.end()), sources_.end());
  uses_.resize(sources_.size());
  for (const Source& source : sources_) {
    const bool matches = source.kind == Macro::Kind::Test || source.kind == Macro::Kind::Match ||
                         source.kind == Macro::Kind::LowerMatch;
    patterns_.push_back(Pattern::parse(matches ? source.argument : ""));
    lists_.push_back(source.kind == Macro::Kind::Gazetteer ? find_list(source) : nullptr);
  }
  for (const Template& one : templates) compile(one);
  literals_size_ = literals_.size();
  literals_.resize(literals_size_ + kSlack);
}

void Featurizer::compile(const Template& one) {
  for (std::size_t i = 0; i < one.literals.size(); ++i) {
    Piece piece{literals_.size(), one.literals[i].size(), kNone};
    literals_ += one.literals[i];
    if (i < one.macros.size()) {
      const Macro& macro = one.macros[i];
      const Source source{macro.column, macro.kind, macro.length, macro.argument};
      const auto place = std::lower_bound(sources_.begin(), sources_.end(), source) - sources_.begin();
      piece.text = static_cast<std::size_t>((macro.row - first_row_) * std::ssize(sources_) + place);
      ++uses_[static_cast<std::size_t>(place)];
    }
    if (piece.text != kNone || piece.literal_size > 0) pieces_.push_back(piece);
  }
  ends_.push_back(pieces_.size());
}

void Featurizer::attributes(const Sentence& sentence, Index begin, Index end, AttributeBuffer& out) const {
  out.ends_.clear();
  out.values_.clear();
  if (has_templates_)
    expand_templates(sentence, begin, end, out);
  else
    copy_attributes(sentence, begin, end, out);
  if (hash_bits_ > 0) hash_names(out);
}

// Calls every name by its hash.
void Featurizer::hash_names(AttributeBuffer& out) const {
  constexpr std::size_t kRoom = 11;  // '#' and ten digits
  const std::size_t names = out.ends_.empty() ? 0 : out.ends_.back();
  if (out.hashed_.size() < names * kRoom) out.hashed_.resize(names * kRoom);
  char* to = out.hashed_.data();
  for (std::size_t i = 0; i < names; ++i, to += kRoom) {
    const std::string_view name = out.names_[i];
    *to = '#';
    const char* const end =
        std::to_chars(to + 1, to + kRoom, XXH3_64bits(name.data(), name.size()) >> (64 - hash_bits_)).ptr;
    out.names_[i] = {to, static_cast<std::size_t>(end - to)};
  }
}

void Featurizer::expand_templates(const Sentence& sentence, Index begin, Index end,
                                  AttributeBuffer& out) const {
  const auto tokens = static_cast<std::size_t>(end - begin);
  const std::size_t texts_size = fill_window(sentence, begin, end, out);
  const std::size_t names = tokens * (ends_.size() + 2);  // and __BOS__, __EOS__
  const std::size_t bytes = tokens * literals_size_ + texts_size + kSlack;
  if (out.names_.size() < names) out.names_.resize(names);
  if (out.bytes_.size() < bytes) out.bytes_.resize(bytes);

  std::size_t count = 0;
  char* to = out.bytes_.data();
  for (Index t = begin; t < end; ++t) {
    const AttributeBuffer::Text* window = out.window_.data() + (t - begin) * std::ssize(sources_);
    std::size_t first = 0;
    for (const std::size_t last : ends_) {
      const std::span<const Piece> pieces(pieces_.data() + first, last - first);
      first = last;
      char* const stop = expand(pieces, window, out.texts_.data(), to);
      if (stop == nullptr) continue;
      out.names_[count++] = {to, static_cast<std::size_t>(stop - to)};
      to = stop;
    }
    if (marks_ends_ && t == 0) out.names_[count++] = "__BOS__";
    if (marks_ends_ && t + 1 == sentence.size()) out.names_[count++] = "__EOS__";
    out.ends_.push_back(count);
  }
}

std::span<const Featurizer::Piece> Featurizer::pieces_of(std::size_t which) const {
  const std::size_t first = which == 0 ? 0 : ends_[which - 1];
  return std::span(pieces_).subspan(first, ends_[which] - first);
}

void Featurizer::attributes(const Sentence& sentence, std::span<const Request> requests,
                            AttributeBuffer& out) const {
  out.values_.clear();
  out.ends_.assign(1, requests.size());
  if (out.names_.size() < requests.size()) out.names_.resize(requests.size());
  if (requests.empty()) return;
  const Index begin = requests.front().token;
  fill_window(sentence, begin, requests.back().token + 1, out);
  const auto window = [&](const Request& r) {
    return out.window_.data() + (r.token - begin) * std::ssize(sources_);
  };
  std::size_t bytes = requests.size() * literals_size_ + kSlack;
  for (const Request& r : requests) {
    for (const Piece& piece : pieces_of(r.which)) {
      if (piece.text != kNone && window(r)[piece.text].size != kNone) bytes += window(r)[piece.text].size;
    }
  }
  if (out.bytes_.size() < bytes) out.bytes_.resize(bytes);
  char* to = out.bytes_.data();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    char* const stop = expand(pieces_of(requests[i].which), window(requests[i]), out.texts_.data(), to);
    out.names_[i] = {to, stop == nullptr ? 0 : static_cast<std::size_t>(stop - to)};
    if (stop != nullptr) to = stop;
  }
}

// Writes one attribute; null if a text that it needs does not exist.
char* Featurizer::expand(std::span<const Piece> pieces, const AttributeBuffer::Text* window,
                         const char* texts, char* to) const {
  for (const Piece& piece : pieces) {
    to = copy_text(literals_.data() + piece.literal, piece.literal_size, to);
    if (piece.text == kNone) break;
    const AttributeBuffer::Text& text = window[piece.text];
    if (text.size == kNone) return nullptr;
    to = copy_text(texts + text.begin, text.size, to);
  }
  return to;
}

// Returns how many bytes of texts the run's attributes can hold at most.
std::size_t Featurizer::fill_window(const Sentence& sentence, Index begin, Index end,
                                    AttributeBuffer& out) const {
  out.window_.clear();
  out.texts_.clear();
  mark_rows(sentence, begin + first_row_, end + last_row_, out);
  for (Index row = begin + first_row_; row < end + last_row_; ++row) {
    if (row >= 0 && row < sentence.size())
      add_row(sentence, row, out);
    else
      add_outside_row(row < 0 ? row : row - sentence.size() + 1, out);
  }
  std::size_t size = 0;
  for (std::size_t i = 0; i < out.window_.size(); ++i)
    if (out.window_[i].size != kNone) size += uses_[i % sources_.size()] * out.window_[i].size;
  out.texts_.append(kSlack, '\0');
  return size;
}

// Asks the gazetteers about rows [begin, end), those of them that the sentence has.
void Featurizer::mark_rows(const Sentence& sentence, Index begin, Index end, AttributeBuffer& out) const {
  out.marks_.resize(std::max(out.marks_.size(), lists_.size()));
  out.marks_begin_ = std::max<Index>(0, begin);
  for (std::size_t i = 0; i < lists_.size(); ++i) {
    if (!lists_[i]) continue;
    lists_[i]->mark(sentence, sources_[i].column, out.marks_begin_, std::min(end, sentence.size()),
                    out.gazetteer_, out.marks_[i]);
  }
}

void Featurizer::add_row(const Sentence& sentence, Index t, AttributeBuffer& out) const {
  if (sentence.columns(t) < templates_.columns()) templates_.check_columns(sentence.columns(t));
  std::string& texts = out.texts_;
  int column = -1;
  std::string_view cell;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = sources_[i];
    if (source.column != column) {  // once for all sources that read the column
      column = source.column;
      cell = sentence.cell(t, column);
      begin = texts.size();
      texts.append(cell);
    }
    const std::size_t mapped = texts.size();  // where a mapped copy will begin
    switch (source.kind) {
      case Macro::Kind::Cell:
        out.window_.push_back({begin, cell.size()});
        break;
      case Macro::Kind::Prefix:
        out.window_.push_back({begin, prefix_size(cell, source.length)});
        break;
      case Macro::Kind::Suffix: {
        const std::size_t from = suffix_begin(cell, source.length);
        out.window_.push_back({begin + from, from == kNone ? kNone : cell.size() - from});
        break;
      }
      case Macro::Kind::Lower:
        append_lower(cell, texts);
        out.window_.push_back({mapped, texts.size() - mapped});
        break;
      case Macro::Kind::Shape:
        append_shape(cell, texts);
        out.window_.push_back({mapped, texts.size() - mapped});
        break;
      case Macro::Kind::Test:
        texts.append(patterns_[i].find(cell) ? "true" : "false");
        out.window_.push_back({mapped, texts.size() - mapped});
        break;
      case Macro::Kind::Gazetteer:
        texts.push_back(out.marks_[i][static_cast<std::size_t>(t - out.marks_begin_)]);
        out.window_.push_back({mapped, 1});
        break;
      case Macro::Kind::Match: {
        const Pattern::Match match = patterns_[i].find(cell);
        out.window_.push_back({begin + (match ? match.begin : 0), match.size});
        break;
      }
      case Macro::Kind::LowerMatch: {
        const Pattern::Match match = patterns_[i].find(cell);
        if (match) append_lower(cell.substr(match.begin, match.size), texts);
        out.window_.push_back({mapped, texts.size() - mapped});
        break;
      }
    }
  }
}

// A position `distance` before (negative) or after the sentence.
void Featurizer::add_outside_row(Index distance, AttributeBuffer& out) const {
  AttributeBuffer::Text text{out.texts_.size(), kNone};
  if (boundary_ == Boundary::Marks) {
    out.texts_.append("_B").append(distance > 0 ? "+" : "").append(std::to_string(distance));
    text.size = out.texts_.size() - text.begin;
  }
  out.window_.insert(out.window_.end(), sources_.size(), text);
}

void Featurizer::copy_attributes(const Sentence& sentence, Index begin, Index end,
                                 AttributeBuffer& out) const {
  out.names_.clear();
  for (Index t = begin; t < end; ++t) {
    for (Index c = 1; c < sentence.columns(t); ++c) {
      out.names_.push_back(sentence.cell(t, c));
      if (sentence.has_values()) out.values_.push_back(sentence.value(t, c));
    }
    out.ends_.push_back(out.names_.size());
  }
}

}  // namespace thalweg
