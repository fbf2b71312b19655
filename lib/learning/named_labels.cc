#include "learning/named_labels.h"

#include <fmt/format.h>

#include <span>

#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"
#include "thalweg/evaluation/edit_distance.h"

namespace thalweg {

std::vector<std::string_view> names_of(const Vocabulary& labels) {
  std::vector<std::string_view> names;
  for (Label l = 0; l < labels.size(); ++l) names.push_back(labels.name(l));
  return names;
}

std::string_view nearest_label(std::string_view name, const std::vector<std::string_view>& known) {
  std::string_view best;
  Index distance = 3;
  for (std::string_view label : known) {
    const Index d = edit_distance(std::span<const char>(name), std::span<const char>(label));
    if (d < distance && d < static_cast<Index>(name.size())) distance = d, best = label;
  }
  return best;
}

Label find_label(std::string_view name, const Vocabulary& labels, const std::string& where) {
  const Label label = labels.find(name);
  if (label != kNoLabel) return label;
  const std::string_view near = nearest_label(name, names_of(labels));
  throw InputError(
      where, quoted(name) + " is no label of the training data",
      near.empty() ? "labels are what tokens have in it" : fmt::format("did you mean {}?", near));
}

}  // namespace thalweg
