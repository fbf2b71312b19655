/// @file
/// Spans of tokens out of per-token labels: named entities, phrases.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

/// How labels write spans down. A label is a prefix, '-' and a type, parted at its first '-': `B-NP-X` is `B`
/// and `NP-X`. A broken sequence is read, never refused.
enum class Scheme {
  /// What the labels look like, see `detect_scheme`.
  Auto,
  /// Read as conlleval (Tjong Kim Sang and Buchholz 2000) does: a span of type X starts at B-X, or at I-X
  /// after O, after
  /// another type or at the start of a sentence, and runs on over I-X. So I-only files (IOB1) are read as
  /// well. `B` and
  /// `I` alone have the empty type. Any other label is outside, like O.
  Bio,
  /// BIO, and E-X ends its span and S-X is a span of its own (L and U in BILOU are the same, M in BMES is I).
  /// A span of
  /// type X starts at B-X and S-X, and at I-X and E-X where no span of type X is open; it ends after E-X and
  /// S-X, and
  /// before any label that does not continue it. So B-X I-X O is a span of two, E-X after O one of one, and
  /// B-X B-X two.
  /// On labels without E, S, L, U and M this reads as `Bio` does.
  Bioes,
  /// No boundaries are written: each longest run of one label but O is a span. A prefix `I-` or `B-` is not
  /// part of the
  /// type.
  Io,
};

/// Tokens [begin, end) of one type; the type views the label it was read from.
struct Span {
  Index begin = 0;
  Index end = 0;
  std::string_view type;

  bool operator==(const Span&) const = default;
};

/// What one label says of the span its token belongs to, if any. A span starts at a token that is inside one
/// and does not continue it; it ends after a token that closes it and before one that does not continue it.
struct SpanMark {
  bool inside = false;  ///< belongs to a span
  bool opens = false;   ///< which starts here, whatever came before
  bool closes = false;  ///< and ends here, whatever follows
  std::string_view type;

  /// Whether this token is of the span that a token before it, marked `before`, belongs to.
  bool continues(const SpanMark& before) const {
    return inside && !opens && before.inside && !before.closes && before.type == type;
  }
};

/// How `scheme`, which is not Auto, reads a label; the type views it.
THALWEG_EXPORT SpanMark span_mark(std::string_view label, Scheme scheme);

/// Bioes when some label has one of the prefixes `E- S- L- U- M-`, else Bio when some has `B-` or `I-`, else
/// Io. Labels that mean spans in none of these ways (`E-mail`) need their scheme stated.
THALWEG_EXPORT Scheme detect_scheme(std::span<const std::string_view> labels);

/// The spans of one sentence, whose tokens have these marks, from left to right; they do not overlap. O(T).
THALWEG_EXPORT std::vector<Span> spans(std::span<const SpanMark> marks);

/// As above, of labels. O(T).
THALWEG_EXPORT std::vector<Span> spans(std::span<const std::string_view> labels,
                                       Scheme scheme = Scheme::Auto);

}  // namespace thalweg
