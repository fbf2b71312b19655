/// @file
/// Row folding: attributes that come together are summed once per distinct context, not once per position.
///
/// Of the 18 attributes a token has under the usual chunking templates, 12 depend on the parts of speech
/// around it alone, and 211,727 tokens of CoNLL-2000 show only some 10,000 distinct triples of those. With X
/// the [positions x A] matrix of attributes,
///
///     X = alone + contexts * members         alone [positions x A], contexts [positions x C], members [C x
///     A]
///
/// so that X w costs one row a context, and X' g the same on the way back; 18 rows a position become 10.
#pragma once

#include "thalweg/core/export.h"
#include "thalweg/corpus/vocabulary.h"
#include "thalweg/features/dataset.h"
#include "thalweg/features/templates.h"

namespace thalweg {

/// A matrix of attributes in factors, with the transposes that gradients are pulled back through.
struct FoldedAttributes {
  SparseMatrix alone, contexts, members;
  SparseMatrix by_attribute;  ///< alone transposed
  SparseMatrix by_context;    ///< contexts transposed
  SparseMatrix by_member;     ///< members transposed
};

/// Folds where templates show that it pays: one that reads all cells that others read determines them, and is
/// the head of their group. Attributes are taken for those of the template whose text they begin with, and
/// every position is checked: one that does not have what its context says stays alone. Without templates, or
/// with values, nothing folds. O(entries + A).
THALWEG_EXPORT FoldedAttributes fold(const SparseMatrix& rows, const Vocabulary& attributes,
                                     const TemplateSet& templates);

}  // namespace thalweg
