#include "learning/fingerprint.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <span>
#include <string_view>
#include <vector>

#include "thalweg/core/error.h"

namespace thalweg {
namespace {

// A hash of arrays one after another, each with its size.
class Hash {
 public:
  template <class T>
  Hash& add(std::span<const T> values) {
    const std::uint64_t size = values.size();
    hash_ = XXH3_64bits_withSeed(&size, sizeof(size), hash_);
    hash_ = XXH3_64bits_withSeed(values.data(), values.size_bytes(), hash_);
    return *this;
  }
  template <class T>
  Hash& add(const std::vector<T>& values) {
    return add(std::span<const T>(values));
  }
  Hash& add(std::string_view text) { return add(std::span<const char>(text)); }
  Hash& add(const Vocabulary& names) {
    for (std::uint32_t id = 0; id < names.size(); ++id) add(names.name(id));
    return *this;
  }
  Hash& add(const FeatureIndex& index) { return add(index.offsets).add(index.labels); }
  Hash& add(const SparseMatrix& rows) { return add(rows.offsets).add(rows.columns).add(rows.values); }
  Hash& add(const Dataset& data) {
    add(data.sequences).add(data.attributes).add(data.labels).add(data.vectors);
    add(data.choices.rows()).add(data.choices.which());
    add(data.weights).add(data.class_weights);
    return add(data.pairs.rows()).add(data.pairs.which());
  }
  std::string text() const { return fmt::format("{:016x}", hash_); }

 private:
  std::uint64_t hash_ = 0;
};

std::string features_hash(const Model& model) {
  Hash hash;
  const Featurizer& featurizer = model.featurizer;
  if (featurizer.has_templates()) hash.add(featurizer.templates().text());
  for (const auto& list : featurizer.gazetteers()) hash.add(list->name()).add(list->text());
  return hash.add(model.labels)
      .add(model.attributes)
      .add(model.pair_attributes)
      .add(model.emissions)
      .add(model.transitions)
      .add(model.pairs)
      .add(model.contexts.next)
      .add(model.constraints.table())
      .text();
}

std::string development_hash(const DevelopmentSet* set) {
  return set ? Hash().add(set->data).add(set->labels).text() : "none";
}

// The next line of `text` as name and value.
std::pair<std::string_view, std::string_view> take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  const std::size_t tab = std::min(line.find('\t'), line.size());
  return {line.substr(0, tab), line.substr(std::min(tab + 1, line.size()))};
}

// Hashes tell people nothing.
bool is_hash(std::string_view name) { return name.find(' ') != name.npos || name == "features"; }

// The numbers in a loss, by name.
std::string options_of(const Loss& loss) {
  std::string text;
  std::visit(
      [&](const auto& one) {
        const auto add = [&](const char* name, auto value) { text += fmt::format(" {} {}", name, value); };
        if constexpr (requires { one.beta; }) add("beta", one.beta);
        if constexpr (requires { one.margin; }) add("margin", one.margin);
        if constexpr (requires { one.ceiling; }) add("ceiling", one.ceiling);
        if constexpr (requires { one.gamma; }) add("gamma", one.gamma);
        if constexpr (requires { one.epsilon; }) add("epsilon", one.epsilon);
        if constexpr (requires { one.gap; }) add("gap", one.gap);
        if constexpr (requires { one.steps; }) add("steps", one.steps);
        if constexpr (requires { one.samples; }) add("samples", one.samples);
        if constexpr (requires { one.seed; }) add("seed", one.seed);
        if constexpr (requires { one.offset; }) {
          if (one.offset) add("offset", *one.offset);
        }
        if constexpr (requires { one.cost; }) add("cost", name(one.cost));
      },
      loss);
  return text;
}

}  // namespace

std::string fingerprint(const Model& model, const Dataset& data, const DevelopmentSet* development,
                        const TrainOptions& o) {
  std::string text;
  const auto add = [&](const char* name, const auto& value) { text += fmt::format("{}\t{}\n", name, value); };
  add("training data", Hash().add(data).text());
  add("features", features_hash(model));
  add("first weights", Hash().add(model.weights).text());
  add("development set", development_hash(development));
  add("loss", std::string(name(o.loss)) + options_of(o.loss));
  add("solver", name(o.solver));
  add("c2", o.c2), add("c1", o.c1), add("gap", o.gap.value_or(-1));
  add("iterations", o.iterations), add("aggressiveness", o.aggressiveness);
  add("batch", o.batch), add("rate", o.rate);
  add("patience", o.patience), add("memory", o.memory), add("order", o.order), add("seed", o.seed);
  return text;
}

void require_same(const std::string& then, const std::string& now) {
  std::string_view old_lines(then), new_lines(now);
  while (!old_lines.empty() || !new_lines.empty()) {
    const auto [old_name, old_value] = take_line(old_lines);
    const auto [name, value] = take_line(new_lines);
    if (old_name == name && old_value == value) continue;
    std::string problem =
        fmt::format("the checkpoint is of a training with {} {}, this one has {}", name, old_value, value);
    if (is_hash(name)) problem = fmt::format("the checkpoint is of a training with other {}", name);
    if (old_name != name) problem = "the checkpoint is of another version of thalweg";
    throw OptionError("resume", problem, "give the same, or leave --resume out to train from the start");
  }
}

}  // namespace thalweg
