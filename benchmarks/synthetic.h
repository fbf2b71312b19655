/// @file
/// Made-up training text for machines without the CoNLL-2000 data.
#pragma once

#include <cstdint>
#include <string>

#include "thalweg/core/types.h"

/// Sentences in three columns, word, part of speech and chunk label, with the shape of CoNLL-2000: 24 tokens
/// a sentence on average, zipfian words that mostly keep to one of 44 parts of speech, 22 labels in B- and I-
/// pairs that follow from the parts of speech but for some noise. Two seeds give two samples of one language.
/// The same text on every platform.
std::string synthetic_text(thalweg::Index sentences, std::uint64_t seed);
