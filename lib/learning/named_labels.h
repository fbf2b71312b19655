/// @file
/// Labels as people write them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "thalweg/corpus/vocabulary.h"

namespace thalweg {

std::vector<std::string_view> names_of(const Vocabulary& labels);

/// For messages: the one of `known` that `name` may have been meant to be; empty where none is near.
std::string_view nearest_label(std::string_view name, const std::vector<std::string_view>& known);

/// The label of that name. @throws InputError at `where` that suggests another
Label find_label(std::string_view name, const Vocabulary& labels, const std::string& where);

}  // namespace thalweg
