#include "thalweg/pipeline/encoding.h"

#include <vector>

#include "thalweg/core/error.h"
#include "thalweg/evaluation/spans.h"

namespace thalweg {
namespace {

// How BIO reads each label; all others are refused.
std::vector<SpanMark> bio_marks(const Vocabulary& names, const std::string& where) {
  std::vector<SpanMark> marks;
  for (Label l = 0; l < names.size(); ++l) {
    const std::string_view name = names.name(l);
    marks.push_back(span_mark(name, Scheme::Bio));
    if (name != "O" && !(marks.back().inside && name.size() > 2 && name[1] == '-'))
      throw InputError(where, "the label " + std::string(name) + " is neither O nor B-X nor I-X",
                       "leave --encode out");
  }
  return marks;
}

// Of a token, and what follows it.
std::string bioes(const SpanMark& mark, bool starts, bool goes_on) {
  if (!mark.inside) return "O";
  const char prefix = starts ? (goes_on ? 'B' : 'S') : (goes_on ? 'I' : 'E');
  return std::string{prefix, '-'} + std::string(mark.type);
}

}  // namespace

void encode_bioes(Dataset& data, const Vocabulary& names, Vocabulary& into, const std::string& where) {
  const std::vector<SpanMark> marks = bio_marks(names, where);
  for (Index n = 0; n < data.size(); ++n) {
    SpanMark before, mark;
    const Index end = data.sequences[n + 1];
    for (Index p = data.sequences[n]; p < end; ++p, before = mark) {
      mark = marks[data.labels[p]];
      const bool goes_on = p + 1 < end && marks[data.labels[p + 1]].continues(mark);
      data.labels[p] = into.add(bioes(mark, !mark.continues(before), goes_on));
    }
  }
}

std::string decode_bioes(std::string_view label) {
  std::string bio(label);
  if (bio.starts_with("S-")) bio[0] = 'B';
  if (bio.starts_with("E-")) bio[0] = 'I';
  return bio;
}

}  // namespace thalweg
