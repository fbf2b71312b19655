#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "terminal.h"
#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"
#include "thalweg/io/model_file.h"

namespace thalweg::app {
namespace {

struct Options {
  std::string model, label;
  Index top = 10;
  bool json = false;
};

struct Feature {
  std::string from, to;
  double weight;
};

// The `top` features of largest magnitude, among those that `keep` accepts, of an index whose weights start
// at `offset`.
template <class RowName, class LabelName, class Keep>
std::vector<Feature> telling(const Model& model, const FeatureIndex& index, Index offset, Index top,
                             RowName row_name, LabelName label_name, Keep keep) {
  std::vector<std::pair<Index, Index>> shown;  // row and feature
  for (Index r = 0; r < index.rows(); ++r) {
    for (Index f = index.offsets[r]; f < static_cast<Index>(index.offsets[r + 1]); ++f)
      if (keep(static_cast<Label>(r), index.labels[f])) shown.emplace_back(r, f);
  }
  const auto weight = [&](Index f) { return model.weights[static_cast<std::size_t>(offset + f)]; };
  const auto count = std::min<std::size_t>(shown.size(), static_cast<std::size_t>(top));
  std::partial_sort(shown.begin(), shown.begin() + static_cast<Index>(count), shown.end(),
                    [&](const auto& a, const auto& b) {
                      const double x = std::abs(weight(a.second)), y = std::abs(weight(b.second));
                      return x != y ? x > y : a < b;
                    });
  std::vector<Feature> features;
  for (std::size_t i = 0; i < count; ++i) {
    const auto [r, f] = shown[i];
    features.push_back({std::string(row_name(static_cast<std::uint32_t>(r))),
                        std::string(label_name(index.labels[f])), weight(f)});
  }
  return features;
}

std::string feature_table(const std::vector<Feature>& features, const char* from, const char* to,
                          const Palette& palette) {
  constexpr int kCells = 12;
  const double largest = features.empty() ? 1 : std::abs(features[0].weight);
  std::vector<std::vector<std::string>> rows{{"weight", "", from, to}};
  for (std::string& head : rows[0]) head = palette.dim(head);
  for (const Feature& f : features) {
    const std::string number = fmt::format("{:+.3f}", f.weight),
                      drawn = bar(std::abs(f.weight) / largest, kCells);
    rows.push_back({f.weight > 0 ? palette.good(number) : palette.bad(number),
                    f.weight > 0 ? palette.good(drawn) : palette.bad(drawn), std::string(f.from),
                    std::string(f.to)});
  }
  return table(rows, "rlll");
}

nlohmann::ordered_json objects(const std::vector<Feature>& features, const char* from, const char* to) {
  auto list = nlohmann::ordered_json::array();
  for (const Feature& f : features) list.push_back({{from, f.from}, {to, f.to}, {"weight", f.weight}});
  return list;
}

// Forbidden transitions as pairs of names, <s> and </s> the ends.
std::vector<std::pair<std::string, std::string>> forbidden(const Model& model) {
  std::vector<std::pair<std::string, std::string>> found;
  const Constraints& constraints = model.constraints;
  if (constraints.empty()) return found;
  const Label boundary = constraints.boundary();
  const auto name = [&](Label l, const char* at_boundary) {
    return l == boundary ? std::string(at_boundary) : std::string(model.labels.name(l));
  };
  for (Label i = 0; i <= boundary; ++i) {
    for (Label j = 0; j <= boundary; ++j)
      if (!constraints.allows(i, j)) found.emplace_back(name(i, "<s>"), name(j, "</s>"));
  }
  return found;
}

// How many there are, and the first few.
std::string forbidden_line(const Model& model) {
  constexpr std::size_t kShown = 4;
  const auto found = forbidden(model);
  std::string line = fmt::format("{} forbidden transition{}:", found.size(), found.size() == 1 ? "" : "s");
  for (std::size_t i = 0; i < std::min(kShown, found.size()); ++i)
    line += fmt::format("{} {} > {}", i > 0 ? "," : "", found[i].first, found[i].second);
  return line + (found.size() > kShown ? ", ...\n" : "\n");
}

void run(const Options& o) {
  if (o.top < 0) throw OptionError("top", fmt::format("is {}, must be >= 0", o.top), "10 is the default");
  const Model model = load_model(o.model);
  const Label only = o.label.empty() ? kNoLabel : model.labels.find(o.label);
  if (!o.label.empty() && only == kNoLabel)
    throw OptionError("label", thalweg::quoted(o.label) + " is no label of the model",
                      "inspect without it lists them");
  const auto asked = [&](Label l) { return only == kNoLabel || l == only; };
  const auto label = [&](Label l) { return model.labels.name(l); };
  const Label K = static_cast<Label>(model.labels.size());
  const auto states = telling(
      model, model.emissions, 0, o.top, [&](auto a) { return model.attributes.name(a); }, label,
      [&](auto, Label to) { return asked(to); });
  const auto transitions = telling(model, model.transitions, model.emissions.features(), o.top, label, label,
                                   [&](Label from, Label to) { return asked(from) || asked(to); });
  const auto pairs = telling(
      model, model.pairs, model.emissions.features() + model.transitions.features(), o.top,
      [&](auto b) { return model.pair_attributes.name(b); },
      [&](Label pair) { return fmt::format("{} > {}", label(pair / K), label(pair % K)); },
      [&](auto, Label pair) { return asked(pair / K) || asked(pair % K); });
  const auto contexts = telling(
      model, model.contexts.next, model.first_context_weight(), o.top,
      [&](auto c) {
        std::vector<std::string_view> names;
        for (Label l : spell(model.contexts, c, K)) names.push_back(label(l));
        return fmt::format("{}", fmt::join(names, " "));
      },
      label, [&](auto c, Label to) { return asked(to) || asked(model.contexts.strings[c].last); });
  std::vector<std::string> labels;
  for (std::uint32_t l = 0; l < model.labels.size(); ++l) labels.emplace_back(model.labels.name(l));
  const std::string templates = model.featurizer.has_templates() ? model.featurizer.templates().text() : "";
  Output out;
  if (o.json) {
    out << nlohmann::ordered_json{{"labels", labels},
                                  {"attributes", model.attributes.size()},
                                  {"features", model.features()},
                                  {"vector_columns", model.vector_columns},
                                  {"hash_bits", model.featurizer.hash_bits()},
                                  {"forbidden", forbidden(model)},
                                  {"templates", templates},
                                  {"boundary",
                                   model.featurizer.boundary() == Boundary::Marks ? "marks" : "none"},
                                  {"top_features", objects(states, "attribute", "label")},
                                  {"top_transitions", objects(transitions, "from", "to")},
                                  {"top_pairs", objects(pairs, "attribute", "labels")},
                                  {"top_contexts", objects(contexts, "labels", "next")}}
               .dump()
        << "\n";
  } else {
    const Palette palette(colours(STDOUT_FILENO));
    auto head = [&](const char* text) { out << "\n" << palette.bold(text) << "\n"; };
    out.print("{} labels: {}\n", labels.size(), fmt::join(labels, " "));
    out.print("{} attributes, {} weights for (attribute, label), {} for (label, label)\n",
              model.attributes.size(), model.emissions.features(), model.transitions.features());
    if (model.featurizer.hash_bits() > 0)
      out.print("attributes are hashed into 2^{} rows\n", model.featurizer.hash_bits());
    if (model.vector_columns > 0) {
      out.print("{} numbers a token, {} weights\n", model.vector_columns,
                model.features() - model.first_vector_weight());
    }
    if (model.pairs.features() > 0) {
      out.print("{} attributes of pairs, {} weights for (attribute, label, label)\n",
                model.pair_attributes.size(), model.pairs.features());
    }
    if (!model.contexts.empty()) {
      out.print("{} strings of labels, {} weights for (labels, label)\n", model.contexts.strings.size(),
                model.contexts.next.features());
    }
    if (!model.constraints.empty()) out << forbidden_line(model);
    if (!templates.empty()) {
      out.print("{} templates, boundary {}\n", model.featurizer.templates().templates().size(),
                model.featurizer.boundary() == Boundary::Marks ? "marks" : "none");
    }
    head("most telling features (a weight above 0 speaks for the label, one below against it)");
    out << feature_table(states, "attribute", "label", palette);
    head("most telling transitions (from a token's label to the next token's)");
    out << feature_table(transitions, "from", "to", palette);
    if (model.pairs.features() > 0) {
      head("most telling transitions that depend on the input");
      out << feature_table(pairs, "attribute", "labels", palette);
    }
    if (!model.contexts.empty()) {
      head("most telling strings of labels (and the label after them)");
      out << feature_table(contexts, "labels", "next", palette);
    }
  }
  out.flush();
}

constexpr const char* kHelp = R"(Show what a model holds: labels, sizes, the weights that say most.

An attribute is a template with a token's text in it: `U02:the` is what the template U02:%x[0,0] makes of the word
"the". `thalweg explain` shows which weights decide a given token, `thalweg dump` all there are.

Examples:
  thalweg inspect --model chunks.model --top 20
  thalweg inspect --model chunks.model --label B-SBAR
  thalweg inspect --model chunks.model --json)";

}  // namespace

void add_inspect(CLI::App& program) {
  auto o = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("inspect", kHelp);
  app->add_option("--model,-m", o->model, "A model from `thalweg train`")->required();
  app->add_option("--top", o->top, "Features and transitions shown, >= 0")->capture_default_str();
  app->add_option("--label", o->label, "Features and transitions of this label only");
  app->add_flag("--json", o->json,
                "One object: labels, attributes, features, forbidden, templates, boundary, top_features, "
                "top_transitions, top_pairs, top_contexts");
  app->callback([o] { run(*o); });
}

}  // namespace thalweg::app
