#include "thalweg/features/gazetteer.h"

#include <fmt/format.h>

#include <algorithm>

#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"

namespace thalweg {
namespace {

constexpr std::string_view kBlanks = " \t\r";

void check_name(std::string_view name) {
  const auto fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (name.empty() || name.size() > 40 || !std::all_of(name.begin(), name.end(), fine)) {
    throw OptionError("gazetteer", fmt::format("the name {} does not do", quoted(name)),
                      "use letters, digits, _ and -, at most 40 of them");
  }
}

// The next word of a line; empty at its end.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

Gazetteer Gazetteer::parse(std::string_view name, std::string_view text, bool lower, std::string_view where) {
  check_name(name);
  Gazetteer g;
  g.name_ = name, g.lower_ = lower;
  std::string key;
  for (std::uint64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!valid_utf8(line) || line.find('\0') != line.npos)
      throw InputError(place(where, number), "an entry that is not UTF-8 text", "convert the file");
    std::string_view rest = line;
    Index words = 0;
    while (!next_word(rest).empty()) ++words;
    if (words > kMaxWords) {
      throw InputError(place(where, number), fmt::format("an entry of {} words", words),
                       fmt::format("one entry a line, of at most {} words", kMaxWords));
    }
    g.longest_ = std::max(g.longest_, words);
    if (words > 0) g.add(line, key);
  }
  if (g.entries_ == 0) throw InputError(where, "there is no entry in it", "one entry a line");
  return g;
}

void Gazetteer::add(std::string_view line, std::string& key) {
  key.clear();
  std::uint32_t id = 0;
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
    append_word(word, key);
    id = beginnings_.add(key);
    whole_.resize(beginnings_.size(), false);
  }
  if (whole_[id]) return;
  whole_[id] = true, ++entries_;
  text_.append(key).append("\n");
}

void Gazetteer::append_word(std::string_view word, std::string& key) const {
  if (!key.empty()) key += ' ';
  if (lower_)
    append_lower(word, key);
  else
    key += word;
}

// Words of the longest entry that begins at t.
Index Gazetteer::longest_at(const Sentence& sentence, Index column, Index t, std::string& key) const {
  key.clear();
  Index longest = 0;
  const Index most = std::min(longest_, sentence.size() - t);
  for (Index words = 1; words <= most && column < sentence.columns(t + words - 1); ++words) {
    append_word(sentence.cell(t + words - 1, column), key);
    const std::uint32_t id = beginnings_.find(key);
    if (id == Vocabulary::kUnknown) break;
    if (whole_[id]) longest = words;
  }
  return longest;
}

void Gazetteer::mark(const Sentence& sentence, Index column, Index begin, Index end, Scratch& scratch,
                     std::string& marks) const {
  const Index first = std::max<Index>(0, begin - longest_ + 1);
  scratch.lengths.clear();
  for (Index t = first; t < end; ++t) scratch.lengths.push_back(longest_at(sentence, column, t, scratch.key));
  marks.clear();
  for (Index t = begin; t < end; ++t) {
    Index longest = 0, start = t;
    for (Index s = std::max(first, t - longest_ + 1); s <= t; ++s) {
      const Index length = scratch.lengths[static_cast<std::size_t>(s - first)];
      if (length > t - s && length > longest) longest = length, start = s;
    }
    marks += longest == 0 ? 'O' : start == t ? 'B' : 'I';
  }
}

}  // namespace thalweg
