#include "thalweg/evaluation/spans.h"

#include <algorithm>

namespace thalweg {
namespace {

std::string_view prefix_of(std::string_view label) { return label.substr(0, label.find('-')); }

std::string_view type_of(std::string_view label) {
  const std::size_t dash = label.find('-');
  return dash == label.npos ? std::string_view() : label.substr(dash + 1);
}

SpanMark read_prefixed(std::string_view label, std::string_view inside, std::string_view closing,
                       std::string_view single) {
  const std::string_view prefix = prefix_of(label);
  if (prefix.size() != 1) return {};
  const auto is_in = [&](std::string_view letters) { return letters.find(prefix[0]) != letters.npos; };
  if (prefix == "B") return {true, true, false, type_of(label)};
  if (is_in(inside)) return {true, false, false, type_of(label)};
  if (is_in(closing)) return {true, false, true, type_of(label)};
  if (is_in(single)) return {true, true, true, type_of(label)};
  return {};
}

}  // namespace

SpanMark span_mark(std::string_view label, Scheme scheme) {
  switch (scheme) {
    case Scheme::Bio:
      return read_prefixed(label, "I", "", "");
    case Scheme::Bioes:
      return read_prefixed(label, "IM", "EL", "SU");
    default:
      break;
  }
  if (label == "O") return {};
  const bool prefixed = label.starts_with("I-") || label.starts_with("B-");
  return {true, false, false, prefixed ? label.substr(2) : label};
}

Scheme detect_scheme(std::span<const std::string_view> labels) {
  Scheme scheme = Scheme::Io;
  for (std::string_view label : labels) {
    if (label.size() < 2 || label[1] != '-') continue;
    if (std::string_view("ESLUM").find(label[0]) != std::string_view::npos) return Scheme::Bioes;
    if (label[0] == 'B' || label[0] == 'I') scheme = Scheme::Bio;
  }
  return scheme;
}

std::vector<Span> spans(std::span<const SpanMark> marks) {
  std::vector<Span> found;
  SpanMark before;
  for (std::size_t t = 0; t < marks.size(); ++t) {
    const Index begin = static_cast<Index>(t);
    if (marks[t].continues(before)) {
      found.back().end = begin + 1;
    } else if (marks[t].inside) {
      found.push_back({begin, begin + 1, marks[t].type});
    }
    before = marks[t];
  }
  return found;
}

std::vector<Span> spans(std::span<const std::string_view> labels, Scheme scheme) {
  if (scheme == Scheme::Auto) scheme = detect_scheme(labels);
  std::vector<SpanMark> marks;
  for (std::string_view label : labels) marks.push_back(span_mark(label, scheme));
  return spans(marks);
}

}  // namespace thalweg
