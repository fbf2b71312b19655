#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "terminal.h"
#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"
#include "thalweg/pipeline/explanation.h"

namespace thalweg::app {
namespace {

using Rows = std::vector<std::vector<std::string>>;
using Json = nlohmann::ordered_json;

struct Options {
  std::string model, file = "-", against;
  Index sentence = 0, token = 0, top = 10;  // sentence and token count from 1; 0: all
  bool json = false;
  Format format = Format::Columns;
};

// A sentence with what is known about it beside its explanation.
struct Case {
  const Tagger& tagger;
  const Sentence& sentence;
  const std::string& file;
  Index number;  // from 1
  bool gold;     // whether the right labels are there

  std::string word(Index t) const {
    const Index column = tagger.model().featurizer.has_templates() ? 0 : 1;
    return column < sentence.columns(t) ? std::string(sentence.cell(t, column)) : "";
  }
  std::string_view right(Index t) const { return tagger.model().featurizer.label(sentence, t); }
  bool wrong(const Explanation& e) const {
    return gold && !e.best.empty() && right(e.token) != tagger.label(e.best[e.token]);
  }
};

// The column where the label would be may be missing, or hold something else: it counts as the right label
// when most of what is there are labels of the model.
bool has_gold(const Tagger& tagger, const Sentence& sentence) {
  const Model& model = tagger.model();
  if (model.featurizer.has_templates() && sentence.columns(0) <= model.featurizer.templates().columns())
    return false;
  Index known = 0;
  for (Index t = 0; t < sentence.size(); ++t)
    known += model.labels.find(model.featurizer.label(sentence, t)) != kNoLabel;
  return 2 * known > sentence.size();
}

bool spans_two(const Factor& factor) { return factor.kind != Factor::Kind::Emission; }

std::string signed_number(double x) { return fmt::format("{:+.3f}", x); }

// The labels that a factor looks at, in one of the two labellings.
std::vector<std::string> labels_of(const Tagger& tagger, const Factor& factor, const std::vector<Label>& y) {
  // By the model's own names: those that read alike may be what it is about.
  const Vocabulary& names = tagger.model().labels;
  std::vector<std::string> labels{std::string(names.name(y[factor.position]))};
  if (spans_two(factor)) labels.emplace_back(names.name(y[factor.position + 1]));
  return labels;
}

std::string arrow(const std::vector<std::string>& labels) {
  return fmt::format("{}", fmt::join(labels, " → "));
}

std::string attribute_of(const Tagger& tagger, const Factor& factor) {
  if (factor.kind == Factor::Kind::Transition) return "";
  const Model& model = tagger.model();
  if (factor.kind == Factor::Kind::Context) {
    std::vector<std::string_view> labels;
    for (Label l : spell(model.contexts, factor.attribute, tagger.labels()))
      labels.push_back(model.labels.name(l));
    return fmt::format("{}", fmt::join(labels, " "));
  }
  const bool pair = factor.kind == Factor::Kind::Pair;
  return std::string((pair ? model.pair_attributes : model.attributes).name(factor.attribute));
}

std::string name_of(const Tagger& tagger, const Factor& factor) {
  std::string name = factor.kind == Factor::Kind::Transition ? "transition" : attribute_of(tagger, factor);
  if (factor.kind == Factor::Kind::Context) name = "after " + name;
  if (factor.value != 1) name += fmt::format(" × {:.4g}", factor.value);
  return name;
}

std::string place_of(const Case& c, const Factor& factor) {
  if (spans_two(factor)) return fmt::format("{}–{}", factor.position + 1, factor.position + 2);
  return fmt::format("{} {}", factor.position + 1, c.word(factor.position));
}

// What is not shown, so that what is shown and this sum to the margin.
double rest_of(const Explanation& e, std::size_t shown) {
  double sum = e.margin;
  for (std::size_t i = 0; i < shown; ++i) sum -= e.factors[i].difference();
  return sum;
}

std::size_t shown_of(const Explanation& e, const Options& o) {
  return std::min(e.factors.size(), static_cast<std::size_t>(o.top));
}

// How close a call it was, for the eye.
std::string shaded(double margin, const Palette& palette) {
  const std::string text = fmt::format("{:.3f}", margin);
  return margin < 1 ? palette.warning(text) : text;
}

// What says most for the label.
std::string strongest(const Case& c, const Explanation& e, const Palette& palette) {
  const auto found =
      std::find_if(e.factors.begin(), e.factors.end(), [](const Factor& f) { return f.difference() > 0; });
  if (found == e.factors.end()) return "";
  const Factor& f = *found;
  const std::string part = palette.good(signed_number(f.difference())) + "  ";
  std::string name = f.kind == Factor::Kind::Transition ? "" : name_of(c.tagger, f);
  if (spans_two(f)) name += (name.empty() ? "" : " ") + arrow(labels_of(c.tagger, f, e.best));
  const bool here = f.position == e.token || (spans_two(f) && f.position + 1 == e.token);
  return part + name + (here ? "" : palette.dim(" at " + place_of(c, f)));
}

void print_compact(const Case& c, const std::vector<Explanation>& all, const Palette& palette, Output& out) {
  Rows rows{{"token", "", "label", "p", "margin", "runner-up", "strongest for it"}};
  std::string alignment = "rllrrll";
  if (c.gold) rows[0].insert(rows[0].begin() + 3, "gold"), alignment.insert(3, "l");
  for (std::string& head : rows[0]) head = palette.dim(head);
  for (const Explanation& e : all) {
    const std::string label(c.tagger.label(e.best[e.token]));
    std::vector<std::string> row{std::to_string(e.token + 1), c.word(e.token), palette.bold(label),
                                 fmt::format("{:.3f}", e.probability)};
    if (c.gold) row.insert(row.begin() + 3, c.wrong(e) ? palette.bad(c.right(e.token)) : palette.dim("="));
    if (e.runner_up.empty()) {
      row.insert(row.end(), {"∞", palette.dim("none"), ""});
    } else {
      row.insert(row.end(),
                 {shaded(e.margin, palette), std::string(c.tagger.model().labels.name(e.runner_up[e.token])),
                  strongest(c, e, palette)});
    }
    rows.push_back(row);
  }
  out << palette.bold(fmt::format("sentence {}", c.number)) << "\n" << table(rows, alignment) << "\n";
}

// The stretch where the labellings differ, with a token of surroundings.
std::string stretch(const Case& c, const Explanation& e, const Palette& palette) {
  Rows rows{{"", "token", "", "label", "runner-up"}};
  if (c.gold) rows[0].push_back("gold");
  for (std::string& head : rows[0]) head = palette.dim(head);
  for (Index t = std::max<Index>(0, e.begin - 1); t < std::min(std::ssize(e.best), e.end + 1); ++t) {
    const bool differs = t >= e.begin && t < e.end;
    const Vocabulary& names = c.tagger.model().labels;
    const std::string best(names.name(e.best[t])), other(names.name(e.runner_up[t]));
    std::vector<std::string> row{t == e.token ? "▸" : "", std::to_string(t + 1), c.word(t),
                                 differs ? palette.good(best) : best,
                                 differs ? palette.bad(other) : palette.dim(other)};
    if (c.gold) row.push_back(c.right(t) == best ? palette.dim("=") : palette.bad(c.right(t)));
    rows.push_back(row);
  }
  return table(rows, "lrllll");
}

std::string weight_cell(const std::vector<std::string>& labels, double weight) {
  return fmt::format("{} {}", arrow(labels), weight == 0 ? "0" : signed_number(weight));
}

std::string factor_table(const Case& c, const Explanation& e, std::size_t shown, const Palette& palette) {
  constexpr int kCells = 16;
  double scale = std::abs(e.margin);
  for (const Factor& f : e.factors) scale = std::max(scale, std::abs(f.difference()));
  Rows rows{{"part", "", "factor", "at", "weight with the label", "with the runner-up"}};
  for (std::string& head : rows[0]) head = palette.dim(head);
  auto add = [&](double part, std::vector<std::string> more) {
    const std::string number = signed_number(part), drawn = bar(std::abs(part) / scale, kCells);
    std::vector<std::string> row{part > 0 ? palette.good(number) : palette.bad(number),
                                 part > 0 ? palette.good(drawn) : palette.bad(drawn)};
    row.insert(row.end(), more.begin(), more.end());
    rows.push_back(row);
  };
  for (std::size_t i = 0; i < shown; ++i) {
    const Factor& f = e.factors[i];
    add(f.difference(),
        {name_of(c.tagger, f), place_of(c, f), weight_cell(labels_of(c.tagger, f, e.best), f.weight),
         weight_cell(labels_of(c.tagger, f, e.runner_up), f.other_weight)});
  }
  if (e.factors.size() > shown)
    add(rest_of(e, shown), {palette.dim(fmt::format("{} more", e.factors.size() - shown))});
  rows.push_back({palette.bold(signed_number(e.margin)), "", palette.bold("margin")});
  return table(rows, "rlllll");
}

void print_full(const Case& c, const Explanation& e, const Options& o, const Palette& palette, Output& out) {
  const Index t = e.token;
  out.print("sentence {}, token {}: {} is {}, probability {:.3f}\n", c.number, t + 1, palette.bold(c.word(t)),
            palette.bold(c.tagger.label(e.best[t])), e.probability);
  if (c.wrong(e)) {
    out << palette.bad(fmt::format("the file says {}", c.right(t)));
    const bool answered = !e.runner_up.empty() && c.right(t) == c.tagger.label(e.runner_up[t]);
    out << (answered ? "\n" : palette.dim(fmt::format(" (why not: --against {})", c.right(t))) + "\n");
  }
  if (e.runner_up.empty()) {
    out << "no other label is allowed here\n";
    return;
  }
  if (e.runner_up[t] == e.best[t]) {
    out << "that is the label it is asked against\n";
    return;
  }
  const std::string_view other = c.tagger.model().labels.name(e.runner_up[t]);
  const std::string with = palette.bold(other), higher = shaded(e.margin, palette);
  if (o.against.empty())
    out.print("the lowest labelling with another label here has {} and lies {} higher\n\n", with, higher);
  else
    out.print("the lowest labelling with {} here lies {} higher\n\n", with, higher);
  out << stretch(c, e, palette) << "\n" << factor_table(c, e, shown_of(e, o), palette);
}

std::vector<std::string> names(const Tagger& tagger, const Explanation& e, const std::vector<Label>& y) {
  std::vector<std::string> labels;
  for (Index t = e.begin; t < e.end && t < std::ssize(y); ++t) labels.emplace_back(tagger.label(y[t]));
  return labels;
}

const char* kind_of(const Factor& f) {
  switch (f.kind) {
    case Factor::Kind::Emission:
      return "emission";
    case Factor::Kind::Transition:
      return "transition";
    case Factor::Kind::Pair:
      return "pair";
    case Factor::Kind::Context:
      return "context";
  }
  return "";
}

Json json_of(const Tagger& tagger, const Explanation& e, const Factor& f) {
  Json j{{"part", f.difference()},
         {"kind", kind_of(f)},
         {"token", f.position + 1},
         {"attribute", attribute_of(tagger, f)},
         {"value", f.value},
         {"labels", labels_of(tagger, f, e.best)},
         {"weight", f.weight},
         {"runner_up_labels", labels_of(tagger, f, e.runner_up)},
         {"runner_up_weight", f.other_weight}};
  if (f.kind == Factor::Kind::Transition) j["attribute"] = nullptr;
  return j;
}

Json json_of(const Case& c, const Explanation& e, const Options& o) {
  const Index t = e.token;
  Json j{{"sentence", c.number},
         {"token", t + 1},
         {"word", c.word(t)},
         {"label", c.tagger.label(e.best[t])},
         {"gold", nullptr},
         {"probability", e.probability},
         {"energy", e.energy},
         {"runner_up", nullptr},
         {"margin", nullptr},
         {"first", e.begin + 1},
         {"last", e.end},
         {"labels", names(c.tagger, e, e.best)},
         {"runner_up_labels", names(c.tagger, e, e.runner_up)},
         {"factors", Json::array()}};
  if (c.gold) j["gold"] = c.right(t);
  if (e.runner_up.empty()) return j;
  j["runner_up"] = c.tagger.label(e.runner_up[t]), j["margin"] = e.margin;
  const std::size_t shown = shown_of(e, o);
  for (std::size_t i = 0; i < shown; ++i) j["factors"].push_back(json_of(c.tagger, e, e.factors[i]));
  j["rest"] = {{"factors", e.factors.size() - shown}, {"part", rest_of(e, shown)}};
  return j;
}

void check(const Options& o) {
  auto require = [](bool holds, const char* option, Index is, const char* must, const char* mend) {
    if (!holds) throw OptionError(option, fmt::format("is {}, must be {}", is, must), mend);
  };
  require(o.sentence >= 0, "sentence", o.sentence, ">= 1", "sentences count from 1");
  require(o.token >= 0, "token", o.token, ">= 1", "tokens count from 1");
  require(o.top >= 0, "top", o.top, ">= 0", "10 is the default");
}

Label label_of(const Tagger& tagger, const std::string& name) {
  if (name.empty()) return kNoLabel;
  const Label label = tagger.model().labels.find(name);
  if (label != kNoLabel) return label;
  throw OptionError("against", thalweg::quoted(name) + " is no label of the model",
                    "thalweg inspect lists them");
}

void explain_sentence(const Case& c, Explainer& explainer, const Options& o, Output& out) {
  const Palette palette(colours(STDOUT_FILENO));
  const Index T = c.sentence.size();
  if (o.token > T) {
    throw OptionError("token", fmt::format("is {}, but sentence {} has {} tokens", o.token, c.number, T),
                      "tokens count from 1");
  }
  const Label against = label_of(c.tagger, o.against);
  explainer.read(c.sentence);
  std::vector<Explanation> all;
  for (Index t = o.token > 0 ? o.token - 1 : 0; t < (o.token > 0 ? o.token : T); ++t)
    all.push_back(explainer.explain(t, against));
  if (all[0].best.empty()) {
    throw InputError(place(c.file, c.sentence.note().line), "the model's constraints leave no labelling", "");
  } else if (o.json) {
    for (const Explanation& e : all) out << json_of(c, e, o).dump() << "\n";
  } else if (o.token > 0) {
    print_full(c, all[0], o, palette, out);
  } else {
    print_compact(c, all, palette, out);
  }
}

void run(Options o) {
  check(o);
  if (o.token > 0 && o.sentence == 0) o.sentence = 1;
  const Tagger tagger = Tagger::load(o.model);
  check_format(tagger, o.format);
  announce_keyboard(o.file);
  CorpusReader reader(o.file, o.format);
  Explainer explainer(tagger);
  Output out;
  Index number = 0;
  while ((o.sentence == 0 || number < o.sentence) && reader.next()) {
    if (++number < o.sentence) continue;
    check_columns(reader, tagger, o.format);
    const Sentence& sentence = reader.sentence();
    explain_sentence({tagger, sentence, reader.text().name(), number, has_gold(tagger, sentence)}, explainer,
                     o, out);
  }
  if (number == 0)
    throw InputError(reader.text().name(), "there is no sentence",
                     "one token a line, a blank line after each sentence");
  if (number < o.sentence)
    throw OptionError("sentence",
                      fmt::format("is {}, but {} has {}", o.sentence, reader.text().name(), number),
                      "sentences count from 1");
  out.flush();
}

constexpr const char* kHelp = R"(Say why tokens have their labels.

The margin of a label is how much higher the energy of the best labelling with another label there (the runner-up)
lies. Energies are sums, so the margin is exactly the sum of the features in which the two labellings differ: those
above 0 speak for the label, those below for the runner-up. A runner-up may change the labels around a token, too.

Without --token there is one line a token; with it all that matters about one. Where the file has a label column, labels
that differ from it are pointed out.

Examples:
  thalweg explain test.conll --model chunks.model --sentence 3
  thalweg explain test.conll --model chunks.model --sentence 3 --token 5 --against B-NP
  echo 'the DT' | thalweg explain --model chunks.model --json)";

}  // namespace

void add_explain(CLI::App& program) {
  auto o = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("explain", kHelp);
  app->add_option("FILE", o->file,
                  "Sentences in the columns of the training data (the label column may be there or not); "
                  "gzip is read as it is, - is standard input")
      ->capture_default_str();
  app->add_option("--model,-m", o->model, "A model from `thalweg train`")->required();
  app->add_option("--sentence,-s", o->sentence, "Which sentence, counted from 1; without: all of them")
      ->option_text("N");
  app->add_option(
         "--token,-t", o->token,
         "Which token of the sentence (of the first without --sentence), counted from 1; without: all "
         "of them, one line each")
      ->option_text("N");
  app->add_option("--against", o->against,
                  "Why not this label: compares with the lowest labelling that has it at the token; without: "
                  "the lowest with any other label")
      ->option_text("LABEL");
  app->add_option("--top", o->top, "Factors shown for a token, >= 0; the others are summed")
      ->capture_default_str();
  app->add_flag(
      "--json", o->json,
      "One object a token: sentence, token, word, label, gold, probability, energy, runner_up, margin, "
      "first, last, labels, runner_up_labels (of tokens first to last, where the labellings differ), "
      "factors, rest; the parts of factors and rest sum to the margin");
  add_format(*app, o->format);
  app->callback([o] { run(*o); });
}

}  // namespace thalweg::app
