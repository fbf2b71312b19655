#include "thalweg/learning/open_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "learning/named_labels.h"
#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"

namespace thalweg {
namespace {

// Labels that some token has for itself.
std::vector<char> settled_labels(const Dataset& data, const Vocabulary& labels) {
  std::vector<char> settled(labels.size(), 0);
  for (Label l : data.labels) {
    if (l != kNoLabel) settled[l] = 1;
  }
  return settled;
}

[[noreturn]] void refuse(const Dataset& data, Index n, Index t, Label label, const Vocabulary& labels,
                         const std::vector<char>& settled) {
  std::vector<std::string_view> known;
  for (Label l = 0; l < labels.size(); ++l) {
    if (settled[l]) known.push_back(labels.name(l));
  }
  const std::string_view near = nearest_label(labels.name(label), known);
  throw InputError(place(data, n, t), "no token has the label " + quoted(labels.name(label)) + " for itself",
                   near.empty() ? "there must be one to learn from" : fmt::format("did you mean {}?", near));
}

}  // namespace

void settle_choices(Dataset& data, const Vocabulary& labels) {
  if (std::find(data.labels.begin(), data.labels.end(), kNoLabel) == data.labels.end()) data.choices.clear();
  if (data.choices.empty()) return;
  const std::vector<char> settled = settled_labels(data, labels);
  for (Index n = 0; n < data.size(); ++n) {
    for (Index p = data.sequences[n]; p < data.sequences[n + 1]; ++p) {
      for (Label l : data.choices.rows().row(data.choices.which()[static_cast<std::size_t>(p)])) {
        if (!settled[l]) refuse(data, n, p - data.sequences[n], l, labels, settled);
      }
    }
  }
}

}  // namespace thalweg
