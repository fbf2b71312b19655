#include "thalweg/learning/class_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "learning/named_labels.h"
#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"
#include "thalweg/evaluation/edit_distance.h"

namespace thalweg {
namespace {

double read_weight(std::string_view text, const std::string& where) {
  double weight = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
  if (error == std::errc() && stop == text.data() + text.size() && std::isfinite(weight) && weight > 0)
    return weight;
  throw InputError(where, fmt::format("the weight {} is not a finite number above 0", quoted(text)),
                   "1 is neutral");
}

}  // namespace

std::vector<double> listed_class_weights(std::string_view text, const std::string& name,
                                         const Vocabulary& labels) {
  std::vector<double> weights(labels.size(), 1.0);
  std::vector<char> seen(labels.size(), 0);
  for (std::uint64_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto cells = words(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (cells.empty() || cells[0].starts_with('#')) continue;
    const std::string where = place(name, line);
    if (cells.size() != 2)
      throw InputError(where, "it is not a label and its weight", "write it like B-PER 5");
    const Label label = find_label(cells[0], labels, where);
    if (seen[label]) throw InputError(where, quoted(cells[0]) + " is listed twice", "take one out");
    seen[label] = 1, weights[label] = read_weight(cells[1], where);
  }
  return weights;
}

std::vector<float> class_handicaps(const Dataset& data, double beta) {
  std::vector<float> raised;
  for (double weight : data.class_weights) raised.push_back(static_cast<float>(std::log(weight) / beta));
  return raised;
}

}  // namespace thalweg
