/// @file
/// Where constraints (model/constraints.h) come from, and whether training data keep them:
///
///     model.constraints = span_constraints(model.labels);        // I-NP follows B-NP or I-NP alone, ...
///     check_legal(data, model.constraints, model.labels);        // train.conll:812: I-NP behind O is
///     forbidden
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/corpus/vocabulary.h"
#include "thalweg/evaluation/spans.h"
#include "thalweg/features/dataset.h"
#include "thalweg/model/constraints.h"

namespace thalweg {

/// What a scheme's spans allow. A label that goes on with a span (I, and E, L, M of BIOES) must stand behind
/// one of the same type that is open, so not at the start either; in BIOES a span that is open must be closed
/// before anything else, and before the end. Labels outside the scheme are like O. Empty where nothing is
/// forbidden, as in the scheme Io.
THALWEG_EXPORT Constraints span_constraints(const Vocabulary& labels, Scheme scheme = Scheme::Auto);

/// What a list forbids: a line for each transition, the label before and the label behind, separated by white
/// space; `<s>` before stands for the start of a sentence, `</s>` behind for its end. Empty lines and lines
/// that begin with # are skipped.
/// @param name what errors call the text
/// @throws InputError at `name:line` for a line without two labels, or a label that is not there
THALWEG_EXPORT Constraints listed_constraints(std::string_view text, const std::string& name,
                                              const Vocabulary& labels);

/// Where a sequence leaves what is legal for the first time: between tokens `token - 1` and `token`. Token 0
/// is behind the start, and token T the end.
struct IllegalStep {
  Index sequence = 0, token = 0;
};

/// One for each sequence whose labels break the constraints; of an open answer (Dataset::choices), all that
/// it allows. O(positions), and K^2 for each open token.
THALWEG_EXPORT std::vector<IllegalStep> illegal_steps(const Dataset& data, const Constraints& constraints);

/// @throws InputError at the first of them, by file and line where the data know these
THALWEG_EXPORT void check_legal(const Dataset& data, const Constraints& constraints,
                                const Vocabulary& labels);

/// Takes those sequences out. Returns how many.
THALWEG_EXPORT Index drop_illegal(Dataset& data, const Constraints& constraints);

}  // namespace thalweg
