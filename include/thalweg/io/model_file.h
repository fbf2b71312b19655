/// @file
/// A trained labeller as one file: versioned, checksummed, verified, memory-mapped (io/array_file.h).
///
/// | array              | type and shape    | what it is |
/// |--------------------|-------------------|------------------------------------------------------------|
/// | `templates`        | u8                | the template language; empty with attribute files          |
/// | `boundary`         | u32 [1]           | 0 marks, 1 none                                             |
/// | `labels/bytes` ... | u8, u32, u64      | the K label names (Vocabulary::Arrays)                      |
/// | `attributes/...`   |                   | the A attribute names                                       |
/// | `emissions/rows`   | f32 or f16 [R x K] | PackedWeights: whole rows of the first R attributes        |
/// | `emissions/pairs`  | u64 or u32 [P]    | label and weight of each other feature                      |
/// | `emissions/offsets` | u32 [A+1]        | where the pairs of each attribute are                       |
/// | `transitions/offsets`, `/labels` | u32 [K+1], u32 [G] | FeatureIndex of (label, label) weights      |
/// | `weights`          | f32 or f16 [G + H + D K] | of transitions, pairs and vectors, as Model::weights |
///
/// In format 1 emissions were a FeatureIndex, `emissions/offsets` and `/labels`, whose weights came first in
/// `weights`. Since 1.1 there are, with templates that make transitions depend on the input:
///
/// | `pair-attributes/...` |                | the B names of attributes of pairs                          |
/// | `pairs/offsets`, `/labels` | u32 [B+1], u32 [H] | FeatureIndex of (attribute, label pair) weights    |
///
/// with hashed attributes, which are then called #0 to #(2^N - 1):
///
/// | `hash-bits`        | u32 [1]           | N, 1 to 30                                                  |
///
/// with vectors beside the tokens:
///
/// | `vector-columns`   | u32 [1]           | D                                                           |
///
/// with gazetteers, for each of them:
///
/// | `gazetteer/NAME` or `gazetteer-lower/NAME` | u8 | its entries, one a line                              |
///
/// and since 1.2, with constraints:
///
/// | `legal`            | u8 [K+1 x K+1]    | 1 where a label may follow another (model/constraints.h)    |
#pragma once

#include <string>

#include "thalweg/core/export.h"
#include "thalweg/io/array_file.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

inline constexpr FileFormat kModelFormat{"thalweg model", 2, 0};

/// Writes the model whole or not at all. Weights are rounded to float, the precision that tagging works in,
/// or stay as they are packed (model/packed_weights.h). Same model, same bytes. @throws IoError
THALWEG_EXPORT void save_model(const Model& model, const std::string& path);

/// The bytes of that file.
THALWEG_EXPORT std::vector<std::byte> model_bytes(const Model& model);

/// Everything is verified before a Model exists: the container, then what the arrays mean (ids below sizes,
/// offsets monotone, labels of a row ascending, weights finite, names UTF-8 and distinct, templates that
/// parse).
/// @throws IoError, ModelError that names the file and the array
THALWEG_EXPORT Model load_model(const std::string& path);
/// The same from an open file, which the model keeps alive.
THALWEG_EXPORT Model load_model(ArrayFile file);

/// A model to tag with, packed: of its big arrays nothing is copied, and beside the checksums only that is
/// checked which keeps every look-up inside the file. Ready at the speed at which memory is read.
/// @throws as load_model
THALWEG_EXPORT Model map_model(const std::string& path);
THALWEG_EXPORT Model map_model(ArrayFile file);

}  // namespace thalweg
