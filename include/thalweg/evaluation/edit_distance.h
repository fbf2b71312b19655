/// @file
/// Edit distance and the error rates made of it: character error rate (CER) and word error rate (WER).
///
///     ErrorRate cer;
///     for (const auto& line : lines) cer += character_errors(line.transcript, recognise(line));
///     log(cer.percent());
#pragma once

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// Edits that turn references into hypotheses; add up over lines.
struct ErrorRate {
  Index substitutions = 0;
  Index insertions = 0;  ///< symbols of the hypothesis that the reference lacks
  Index deletions = 0;   ///< symbols of the reference that the hypothesis lacks
  Index reference = 0;   ///< symbols of the reference

  Index errors() const { return substitutions + insertions + deletions; }
  /// 100 errors / reference: above 100 when much is inserted. Errors against an empty reference count as one
  /// symbol's worth each; no errors are 0 percent.
  double percent() const {
    return 100 * static_cast<double>(errors()) / static_cast<double>(std::max<Index>(reference, 1));
  }

  ErrorRate& operator+=(const ErrorRate& other) {
    substitutions += other.substitutions, insertions += other.insertions;
    deletions += other.deletions, reference += other.reference;
    return *this;
  }
  bool operator==(const ErrorRate&) const = default;
};

/// The fewest substitutions, insertions and deletions (Levenshtein 1966), found by dynamic programming
/// (Wagner and Fischer 1974). Of several fewest sets, one with the most substitutions is counted, which makes
/// the counts unique. T compares by ==. O(N M) time, O(min(N, M)) memory.
template <class T>
ErrorRate edit_errors(std::span<const T> reference, std::span<const T> hypothesis) {
  const Index n = static_cast<Index>(reference.size()), m = static_cast<Index>(hypothesis.size());
  const std::span<const T> longer = n < m ? hypothesis : reference, shorter = n < m ? reference : hypothesis;
  // One cost holds two, compared in order: all edits times `edit`, and how many of them change the length.
  const Index edit = n + m + 1, resize = edit + 1;
  std::vector<Index> row(shorter.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = static_cast<Index>(j) * resize;
  for (const T& symbol : longer) {
    Index diagonal = row[0];
    row[0] += resize;
    for (std::size_t j = 0; j < shorter.size(); ++j) {
      const Index aligned = diagonal + (symbol == shorter[j] ? 0 : edit);
      diagonal = row[j + 1];
      row[j + 1] = std::min(aligned, std::min(diagonal, row[j]) + resize);
    }
  }
  const Index edits = row.back() / edit, resizes = row.back() % edit;
  return {edits - resizes, (resizes + m - n) / 2, (resizes + n - m) / 2, n};
}

/// The number of edits alone.
template <class T>
Index edit_distance(std::span<const T> a, std::span<const T> b) {
  return edit_errors(a, b).errors();
}

/// The Unicode code points of UTF-8 text. Each byte that belongs to no valid sequence (RFC 3629) is one
/// symbol, U+DC00 plus the byte, which no valid text contains.
THALWEG_EXPORT std::vector<char32_t> code_points(std::string_view utf8);

/// The words between ASCII white space; they view the text.
THALWEG_EXPORT std::vector<std::string_view> words(std::string_view text);

/// Edits of code points, spaces included. Composed and decomposed letters differ: normalise first where they
/// should not.
THALWEG_EXPORT ErrorRate character_errors(std::string_view reference, std::string_view hypothesis);

/// Edits of words.
THALWEG_EXPORT ErrorRate word_errors(std::string_view reference, std::string_view hypothesis);

}  // namespace thalweg
