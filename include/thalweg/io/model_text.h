/// @file
/// A model as text: to read, to compare with diff, to keep in version control, to edit, and back again.
///
///     thalweg model text 1
///
///     [boundary]
///     marks
///
///     [templates]                      one a line; none for a model of attribute files
///     U00:%x[-1,0]
///     B
///
///     [gazetteer towns]                one entry a line; [gazetteer-lower towns] compares in lower case
///     New York
///
///     [labels]                         in the order of their numbers
///     B-NP
///     I-NP
///
///     [forbidden]                      label TAB next label; \<s> is a sentence's start and \</s> its end
///     B-NP	\</s>
///
///     [transitions]                    label TAB next label TAB weight
///     B-NP	I-NP	8.1220093
///
///     [weights]                        attribute TAB label TAB weight, by attribute
///     U00:the	I-NP	0.25
///
///     [pairs]                          attribute of a pair TAB label TAB next label TAB weight
///     B01:the	B-NP	I-NP	0.5
///
///     [end]
///
/// Weights are the shortest decimals that give the same float again. In names `\t`, `\n`, `\r`, `\0` and `\\`
/// stand for those characters, `\[` for a bracket at the beginning and `\e` for an empty name. Attributes are
/// numbered as they come; one without weights is a line of its own. Blank lines mean nothing. Gazetteers,
/// what is forbidden and pairs are there only if the model has them. `[end]` must be there, so that half a
/// file is noticed.
#pragma once

#include <string>
#include <string_view>

#include "thalweg/core/export.h"
#include "thalweg/io/text_reader.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

/// The whole text. Weights are rounded to float, as save_model does. O(features). @throws InputError for
/// models with dense vectors or hashed attributes, which have no text form
THALWEG_EXPORT std::string model_text(const Model& model);

/// Writes the text whole or not at all. @throws IoError
THALWEG_EXPORT void save_model_text(const Model& model, const std::string& path);

/// The inverse: save_model of the result writes the bytes that save_model of the original wrote. Weights may
/// come in any order; attributes are numbered as they come first. Memory is linear in the text.
/// @throws InputError at `file:line`: not such a text, or of a newer version; a section missing or out of
/// order; a line with another number of fields; an escape that does not exist; a label that is not listed, or
/// listed twice; a weight that is no finite number, or given twice; templates or a gazetteer that do not
/// parse, a gazetteer given twice or not at all; pairs without a template that makes them; the end missing.
/// IoError as TextReader.
THALWEG_EXPORT Model read_model_text(TextReader text);
THALWEG_EXPORT Model
load_model_text(const std::string& path);  ///< "-" is standard input; gzip is read as it is

}  // namespace thalweg
