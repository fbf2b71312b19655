/// @file
/// Finer labels inside a model than outside: labels of spans that come as BIO are learnt as BIOES, which says
/// where a span ends and which span is one token long, and come out as BIO again. On chunks and names a
/// linear model gains some tenths of a point of F1 by it (Ratinov and Roth 2009), at about four times the
/// label pairs.
#pragma once

#include <string>
#include <string_view>

#include "thalweg/core/export.h"
#include "thalweg/corpus/vocabulary.h"
#include "thalweg/features/dataset.h"

namespace thalweg {

/// Writes the labels of `data`, named by `names`, as BIOES: `into` is the vocabulary they are of then, which
/// may have labels already. I-X that starts a span is read as B-X (evaluation/spans.h).
/// @throws InputError at `where` for labels that are neither O nor B-X nor I-X. O(positions)
THALWEG_EXPORT void encode_bioes(Dataset& data, const Vocabulary& names, Vocabulary& into,
                                 const std::string& where);

/// The BIO label of a BIOES one: S-X is B-X, and E-X is I-X.
THALWEG_EXPORT std::string decode_bioes(std::string_view label);

}  // namespace thalweg
