#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "commands.h"
#include "terminal.h"
#include "thalweg/core/error.h"
#include "thalweg/evaluation/bootstrap.h"
#include "thalweg/evaluation/edit_distance.h"
#include "thalweg/evaluation/score.h"
#include "thalweg/io/corpus_reader.h"

namespace thalweg::app {
namespace {

struct Options {
  std::string file = "-", against;
  bool json = false, cer = false, wer = false;
  Scheme scheme = Scheme::Auto;
  Format format = Format::Columns;
};

using Labels = std::vector<std::string_view>;

// All labels of a sentence as one text: letters run together, words apart.
std::string joined(const Labels& labels, bool letters) {
  std::string text;
  for (std::string_view label : labels) {
    if (!letters && !text.empty()) text += ' ';
    text += label;
  }
  return text;
}

bool is_letter(std::string_view label) {
  return std::count_if(label.begin(), label.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }) <= 1;
}

struct Report {
  LabelScore tokens;
  SpanScore spans;
  ErrorRate characters, words;

  explicit Report(Scheme scheme) : spans(scheme) {}

  void add(const Labels& gold, const Labels& predicted) {
    tokens.add(gold, predicted);
    spans.add(gold, predicted);
    const bool letters = std::all_of(gold.begin(), gold.end(), is_letter) &&
                         std::all_of(predicted.begin(), predicted.end(), is_letter);
    const std::string right = joined(gold, letters), guess = joined(predicted, letters);
    characters += character_errors(right, guess);
    words += word_errors(right, guess);
  }
};

std::string rate(double percent) { return fmt::format("{:.2f}", percent); }

template <class Counts>
std::vector<std::string> span_row(std::string name, const Counts& c) {
  return {std::move(name),        rate(c.precision()),         rate(c.recall()),         rate(c.f1()),
          std::to_string(c.gold), std::to_string(c.predicted), std::to_string(c.correct)};
}

// The most frequent confusions, which say more than a large matrix.
std::vector<std::vector<std::string>> confusions(const LabelScore& tokens, std::size_t most,
                                                 const Palette& palette) {
  struct Pair {
    Index count, gold, predicted;
  };
  const auto labels = tokens.labels();
  const auto counts = tokens.confusion();
  std::vector<Pair> pairs;
  for (Index g = 0; g < counts.rows(); ++g) {
    for (Index p = 0; p < counts.columns(); ++p) {
      if (g != p && counts[g][p] > 0) pairs.push_back({counts[g][p], g, p});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](auto& a, auto& b) { return a.count > b.count; });
  if (pairs.size() > most) pairs.resize(most);
  std::vector<std::vector<std::string>> rows{{"tokens", "", "gold", "predicted"}};
  for (std::string& head : rows[0]) head = palette.dim(head);
  for (const Pair& p : pairs) {
    const double share = static_cast<double>(p.count) / static_cast<double>(pairs[0].count);
    rows.push_back({std::to_string(p.count), palette.bad(bar(share, 12)), std::string(labels[p.gold]),
                    std::string(labels[p.predicted])});
  }
  return rows;
}

std::string span_table(const SpanScore& spans, const Palette& palette) {
  std::vector<std::vector<std::string>> rows{
      {"span", "precision", "recall", "F1", "gold", "predicted", "correct"}};
  for (std::string& head : rows[0]) head = palette.dim(head);
  for (const auto& [type, counts] : spans.types()) rows.push_back(span_row(type, counts));
  rows.push_back(span_row("all", spans.overall()));
  for (std::string& cell : rows.back()) cell = palette.bold(cell);
  return table(rows, "lrrrrrr");
}

// What the paired bootstrap needs of each sentence.
struct Tally {
  std::vector<SpanCounts> spans, tokens;
  bool any_span = false;

  void add(const Labels& gold, const Labels& predicted, Scheme scheme) {
    SpanScore score(scheme);
    score.add(gold, predicted);
    spans.push_back(score.overall());
    any_span |= !score.types().empty();
    const Index length = static_cast<Index>(gold.size());
    tokens.push_back({length, length,
                      std::transform_reduce(gold.begin(), gold.end(), predicted.begin(), Index{0},
                                            std::plus<>(), std::equal_to<>())});
  }
};

struct Comparison {
  const char* of;
  PairedBootstrap bootstrap;
};

void print_text(const Comparison& c, const std::string& against, Output& out) {
  out.print(
      "\n{} against {}: {:+.2f} points, 95 % of bootstrap draws from {:+.2f} to {:+.2f}; not better in "
      "{:.1f} %\n",
      c.of, against, c.bootstrap.difference, c.bootstrap.low, c.bootstrap.high, c.bootstrap.not_better);
}

nlohmann::ordered_json json_of(const Comparison& c) {
  return {{"of", c.of},
          {"difference", c.bootstrap.difference},
          {"low", c.bootstrap.low},
          {"high", c.bootstrap.high},
          {"not_better", c.bootstrap.not_better}};
}

void print_text(const Report& r, const Options& o, Output& out) {
  const Palette palette(colours(STDOUT_FILENO));
  out.print("{} sentences, {} tokens\n", r.tokens.sentences(), r.tokens.tokens());
  out.print("token accuracy     {:6.2f} %\n", r.tokens.accuracy());
  out.print("sentence accuracy  {:6.2f} %\n", r.tokens.sentence_accuracy());
  if (o.cer) out.print("character errors   {:6.2f} %\n", r.characters.percent());
  if (o.wer) out.print("word errors        {:6.2f} %\n", r.words.percent());
  if (!r.spans.types().empty()) out << "\n" << span_table(r.spans, palette);
  const auto wrong = confusions(r.tokens, 10, palette);
  if (wrong.size() > 1)
    out << "\n" << palette.bold("most frequent confusions") << "\n" << table(wrong, "rlll");
}

void print_json(const Report& r, const Options& o, const std::optional<Comparison>& comparison, Output& out) {
  nlohmann::ordered_json j{{"sentences", r.tokens.sentences()},
                           {"tokens", r.tokens.tokens()},
                           {"accuracy", r.tokens.accuracy()},
                           {"sentence_accuracy", r.tokens.sentence_accuracy()}};
  auto span = [](const SpanCounts& c) {
    return nlohmann::ordered_json{
        {"precision", c.precision()}, {"recall", c.recall()}, {"f1", c.f1()}, {"gold", c.gold},
        {"predicted", c.predicted},   {"correct", c.correct}};
  };
  j.update(span(r.spans.overall()));
  j["types"] = nlohmann::ordered_json::object();
  for (const auto& [type, counts] : r.spans.types()) j["types"][type] = span(counts);
  if (o.cer) j["cer"] = r.characters.percent();
  if (o.wer) j["wer"] = r.words.percent();
  const auto labels = r.tokens.labels();
  const auto counts = r.tokens.confusion();
  j["labels"] = labels;
  j["confusion"] = nlohmann::ordered_json::array();
  for (Index g = 0; g < counts.rows(); ++g) {
    j["confusion"].push_back(std::vector<Index>(counts[g], counts[g] + counts.columns()));
  }
  if (comparison) j["against"] = json_of(*comparison);
  out << j.dump() << "\n";
}

// A header line of `thalweg tag` that has as many columns as the tokens below it, so that the reader took it
// for one.
bool is_header(const Sentence& s) {
  if (s.columns(0) != 5 || s.cell(0, 0) != "#") return false;
  return (s.cell(0, 1) == "energy" && s.cell(0, 3) == "log-probability") ||
         (s.cell(0, 1) == "rank" && s.cell(0, 3) == "energy");
}

// Calls visit(gold, predicted) for every sentence of a file, of which there must be one.
template <class Visit>
void for_each_sentence(const std::string& file, const Options& o, const Visit& visit) {
  announce_keyboard(file);
  CorpusReader reader(file, o.format);
  Labels gold, predicted;
  bool any = false;
  for (; reader.next(); any = true) {
    const Sentence& sentence = reader.sentence();
    const Index columns = sentence.columns(0);
    if (columns < 2) {
      throw InputError(place(reader.text().name(), reader.first_line()), "one column",
                       o.format == Format::Columns
                           ? "the last two columns must be the right label and the predicted one"
                           : "the first must be the right label, the last the predicted one");
    }
    gold.clear(), predicted.clear();
    for (Index t = is_header(sentence) ? 1 : 0; t < sentence.size(); ++t) {
      const Index last = sentence.columns(t) - 1;
      gold.push_back(sentence.cell(t, o.format == Format::Columns ? last - 1 : 0));
      predicted.push_back(sentence.cell(t, last));
    }
    visit(gold, predicted);
  }
  if (!any)
    throw InputError(reader.text().name(), "there is no sentence", "give it the output of thalweg tag");
}

void run(const Options& o) {
  Report report(o.scheme);
  Tally first, second;
  for_each_sentence(o.file, o, [&](const Labels& gold, const Labels& predicted) {
    report.add(gold, predicted);
    if (!o.against.empty()) first.add(gold, predicted, o.scheme);
  });
  std::optional<Comparison> comparison;
  if (!o.against.empty()) {
    for_each_sentence(o.against, o, [&](const Labels& gold, const Labels& predicted) {
      second.add(gold, predicted, o.scheme);
    });
    comparison = first.any_span ? Comparison{"F1", paired_bootstrap(first.spans, second.spans)}
                                : Comparison{"accuracy", paired_bootstrap(first.tokens, second.tokens)};
  }
  Output out;
  if (o.json) {
    print_json(report, o, comparison, out);
  } else {
    print_text(report, o, out);
    if (comparison) print_text(*comparison, o.against, out);
  }
  out.flush();
}

constexpr const char* kHelp = R"(Score labels: the last two columns are the right label and the predicted one.

Spans are read by conlleval's rules for BIO and IO (a span of type X starts at B-X, or at I-X after O, after another
type or at the start of a sentence, and runs on over I-X); in BIOES, E-X ends a span and S-X is one. A span is correct
when its tokens and its type are.

  precision  correct spans per predicted one, in percent
  recall     correct spans per one in the right labels
  F1         their harmonic mean

Examples:
  thalweg tag test.conll --model chunks.model | thalweg evaluate
  thalweg evaluate tagged.conll --json
  thalweg evaluate ours.conll --against theirs.conll)";

}  // namespace

void add_evaluate(CLI::App& program) {
  auto o = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("evaluate", kHelp);
  app->add_option(
         "TAGGED", o->file,
         "What `thalweg tag` wrote for a file with right labels; comment lines `# ` are skipped; - is "
         "standard input")
      ->capture_default_str();
  app->add_option("--against", o->against,
                  "The same sentences as another model tagged them: shows by how much TAGGED is better, "
                  "and whether it would be on other sentences (paired bootstrap, 10000 draws)");
  app->add_flag("--json", o->json, "One object: accuracy, precision, recall, f1, types, confusion");
  app->add_flag("--cer", o->cer,
                "Character error rate of each sentence's labels read as one text: labels of one "
                "character run together, longer ones are words");
  app->add_flag("--wer", o->wer, "Word error rate of the same texts");
  app->add_option("--scheme", o->scheme, "How labels write spans; auto goes by their prefixes")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Scheme>{
          {"auto", Scheme::Auto}, {"bio", Scheme::Bio}, {"bioes", Scheme::Bioes}, {"io", Scheme::Io}}))
      ->default_str("auto")
      ->option_text("auto|bio|bioes|io [auto]");
  add_format(*app, o->format);
  app->callback([o] { run(*o); });
}

}  // namespace thalweg::app
