/// @file
/// Handwritten words from `letter.data` (Kassel 1995; Taskar, Guestrin and Koller 2003): a letter a line, its
/// image 16 x 8 pixels of 0 or 1.
///
///     const Corpus train = read_letters("letter.data.gz", {0});
///     const Examples examples = learn_examples(train, {.format = Format::Attributes});
///
/// A word becomes a sentence of attribute rows (Format::Attributes): each letter's label, `bias`, `__BOS__`
/// at the first and `__EOS__` at the last letter, and `p_i_j` for every pixel that is on, row i and column j.
/// With `all_features` that is the chain of Taskar et al.: 26 * (128 + 1) + 2 * 26 emissions and 26 * 26
/// transitions.
///
/// The line's fields, tab separated: id, letter (a-z), id of the word's next letter (-1 at its end), word id,
/// position (from 1), fold (0-9), and 128 pixels row by row; a tab may stand at the end.
#pragma once

#include <string>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/corpus/corpus.h"
#include "thalweg/io/text_reader.h"

namespace thalweg {

/// The words of some folds, in the order of the file. @param folds empty: all
/// @throws as TextReader; OptionError for a fold outside 0-9; InputError at `file:line` for a line of another
/// form or one that does not go on with the word before it, and where no word is left
THALWEG_EXPORT Corpus read_letters(TextReader text, const std::vector<int>& folds = {});
/// From a file, gzipped or not; "-" is standard input.
THALWEG_EXPORT Corpus read_letters(const std::string& path, const std::vector<int>& folds = {});

}  // namespace thalweg
