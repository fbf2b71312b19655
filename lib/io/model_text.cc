#include "thalweg/io/model_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"
#include "thalweg/io/atomic_file.h"

namespace thalweg {
namespace {

constexpr std::string_view kFirstLine = "thalweg model text 1", kFirstWords = "thalweg model text ";
constexpr std::string_view kExactList = "[gazetteer ", kLowerList = "[gazetteer-lower ";
constexpr std::string_view kEscaped("\t\n\r\0\\", 5), kEscapes = "tnr0\\";

void append_name(std::string_view name, std::string& out) {
  if (name.empty()) out += "\\e";
  if (name.starts_with('[')) out += '\\';
  for (const char c : name) {
    const std::size_t escape = kEscaped.find(c);
    if (escape == kEscaped.npos)
      out += c;
    else
      (out += '\\') += kEscapes[escape];
  }
}

void append_weight(double weight, std::string& out) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), static_cast<float>(weight)).ptr;
  out.append(digits.begin(), end);
}

// append_label(l) writes what the index calls a label.
template <class AppendLabel>
void append_weights(const FeatureIndex& index, const Vocabulary& rows, bool keep_empty,
                    std::span<const double> weights, AppendLabel append_label, std::string& out) {
  for (Index r = 0; r < index.rows(); ++r) {
    const std::string_view row = rows.name(static_cast<std::uint32_t>(r));
    if (keep_empty && index.row(r).empty()) append_name(row, out), out += '\n';
    for (std::uint32_t f = index.offsets[r]; f < index.offsets[r + 1]; ++f) {
      append_name(row, out), out += '\t';
      append_label(index.labels[f]), out += '\t';
      append_weight(weights[f], out), out += '\n';
    }
  }
}

// A line is the length of the string, its labels, the next one, and the weight.
void append_contexts(const Model& model, std::string& out) {
  const Index K = static_cast<Index>(model.labels.size());
  const double* weight = model.weights.data() + model.first_context_weight();
  out += "\n[contexts]\n";
  for (Index c = 0; c < model.contexts.next.rows(); ++c) {
    std::string string;
    const std::vector<Label> labels = spell(model.contexts, c, K);
    string += std::to_string(labels.size());
    for (Label l : labels) string += '\t', append_name(model.labels.name(l), string);
    if (model.contexts.next.row(c).empty()) out += string + '\n';
    for (Label next : model.contexts.next.row(c)) {
      out += string + '\t', append_name(model.labels.name(next), out), out += '\t';
      append_weight(*weight++, out), out += '\n';
    }
  }
}

// Start and end of a sentence; a label of that name would be written without the backslash.
constexpr std::string_view kStart = "\\<s>", kEnd = "\\</s>";

void append_constraints(const Model& model, std::string& out) {
  const Constraints& constraints = model.constraints;
  if (constraints.empty()) return;
  out += "\n[forbidden]\n";
  const Label boundary = constraints.boundary();
  const auto append_label = [&](Label l, std::string_view at_boundary) {
    l == boundary ? void(out += at_boundary) : append_name(model.labels.name(l), out);
  };
  for (Label i = 0; i <= boundary; ++i) {
    for (Label j = 0; j <= boundary; ++j) {
      if (constraints.allows(i, j)) continue;
      append_label(i, kStart), out += '\t';
      append_label(j, kEnd), out += '\n';
    }
  }
}

// The sections of weights. An attribute that is not written would lose its number.
void append_all_weights(const Model& model, std::string& out) {
  const std::span<const double> w(model.weights);
  const auto unary = static_cast<std::size_t>(model.emissions.features()),
             pairwise = static_cast<std::size_t>(model.transitions.features());
  const Label K = static_cast<Label>(model.labels.size());
  const auto label = [&](Label l) { append_name(model.labels.name(l), out); };
  out += "\n[transitions]\n";
  append_weights(model.transitions, model.labels, false, w.subspan(unary, pairwise), label, out);
  out += "\n[weights]\n";
  append_weights(model.emissions, model.attributes, true, w.first(unary), label, out);
  if (model.pairs.rows() > 0) {
    const auto two_labels = [&](Label pair) { label(pair / K), out += '\t', label(pair % K); };
    out += "\n[pairs]\n";
    append_weights(model.pairs, model.pair_attributes, true, w.subspan(unary + pairwise), two_labels, out);
  }
  if (!model.contexts.empty()) append_contexts(model, out);
}

void append_lines(std::string_view text, std::string& out) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) append_name(text.substr(0, end), out), out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// A weight on its way in: lines come in any order within an index.
struct Entry {
  std::uint32_t row;
  Label label;
  float weight;
  std::uint64_t line;
};

class Reader {
 public:
  explicit Reader(TextReader text) : text_(std::move(text)) {}

  Model read() {
    read_first_line();
    read_featurizer();
    read_labels();
    if (text_.line() == "[forbidden]") read_constraints();
    read_transitions();
    read_emissions();
    if (text_.line() == "[pairs]") read_pairs();
    if (text_.line() == "[contexts]") read_contexts();
    enter("[end]");
    if (advance()) fail("there is something after [end]", "one model a file");
    return std::move(model_);
  }

 private:
  [[noreturn]] void fail(std::uint64_t line, const std::string& problem, const char* mend) const {
    throw InputError(place(text_.name(), std::max<std::uint64_t>(line, 1)), problem, mend);
  }
  [[noreturn]] void fail(const std::string& problem, const char* mend) const {
    fail(text_.number(), problem, mend);
  }

  // Goes to the next line that is not blank.
  bool advance() {
    while (text_.next()) {
      if (!text_.line().empty()) return true;
    }
    return false;
  }
  // The same within a section: false at the head of the next, too.
  bool next_line() { return advance() && !text_.line().starts_with('['); }

  void enter(std::string_view head) const {
    if (text_.line() == head) return;
    if (text_.line().empty())
      fail("the text ends before " + std::string(head), "it was cut short: fetch or write it again");
    fail("expected " + std::string(head) + ", not " + quoted(text_.line()),
         "the sections are boundary, templates, gazetteers, labels, transitions, weights, pairs, contexts, "
         "end");
  }

  // Splits the line at its tabs, and says how many fields there are; those beyond kMostFields are not kept.
  std::size_t split() {
    std::string_view rest = text_.line();
    for (std::size_t count = 0;; ++count) {
      const std::size_t tab = rest.find('\t');
      if (count < fields_.size()) fields_[count] = rest.substr(0, tab);
      if (tab == rest.npos) return count + 1;
      rest.remove_prefix(tab + 1);
    }
  }

  // A field without its escapes; valid until the next call.
  std::string_view name(std::string_view field) {
    name_.clear();
    if (field.empty()) fail("a name is empty", "write \\e for one that is meant to be");
    if (field == "\\e") return name_;
    for (std::size_t i = 0; i < field.size(); ++i) {
      if (field[i] != '\\') {
        name_ += field[i];
        continue;
      }
      const char code = ++i < field.size() ? field[i] : ' ';
      const std::size_t escape = kEscapes.find(code);
      if (escape == kEscapes.npos && !(code == '[' && i == 1))
        fail(quoted(field) + " has an unknown escape", R"(\t \n \r \0 \\ are known; write \\ for \)");
      name_ += escape == kEscapes.npos ? code : kEscaped[escape];
    }
    return name_;
  }

  Label label(std::string_view field) {
    const Label found = model_.labels.find(name(field));
    if (found == kNoLabel) fail(quoted(field) + " is no label", "list it after [labels]");
    return found;
  }

  float weight(std::string_view field) const {
    float value = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (error == std::errc() && end == field.data() + field.size() && std::isfinite(value)) return value;
    fail(quoted(field) + " is no finite number", "write a weight like -0.25 or 1.5e-7");
  }

  void read_first_line() {
    if (!advance() || !text_.line().starts_with(kFirstWords))
      fail("this is not a model as text", "make one with `thalweg dump`");
    if (text_.line() != kFirstLine)
      fail(quoted(text_.line()) + " is a version that this build does not read", "use a newer thalweg");
    advance();
  }

  Boundary read_boundary() {
    enter("[boundary]");
    if (!next_line() || (text_.line() != "marks" && text_.line() != "none"))
      fail("the boundary is missing", "write marks or none after [boundary]");
    const Boundary boundary = text_.line() == "marks" ? Boundary::Marks : Boundary::None;
    advance();
    return boundary;
  }

  void read_featurizer() {
    const Boundary boundary = read_boundary();
    enter("[templates]");
    const std::string templates = read_lines();
    const Gazetteers lists = read_gazetteers();
    if (!templates.empty())
      model_.featurizer = featurizer(TemplateSet::parse(templates, text_.name()), boundary, lists);
    else if (!lists.empty())
      fail("a gazetteer without a template that could ask it", "take it out, or write templates");
  }

  // A section's lines for a parser, each on the line of its own number, for the parser's errors.
  std::string read_lines() {
    std::string lines;
    for (std::uint64_t line = 1; next_line();) {
      for (; line < text_.number(); ++line) lines += '\n';
      lines += name(text_.line());
    }
    return lines;
  }

  Gazetteers read_gazetteers() {
    Gazetteers lists;
    while (text_.line().starts_with(kExactList) || text_.line().starts_with(kLowerList)) {
      lists.push_back(read_gazetteer());
      for (std::size_t i = 0; i + 1 < lists.size(); ++i) {
        if (lists[i]->name() == lists.back()->name() && lists[i]->lower() == lists.back()->lower())
          fail("the gazetteer " + quoted(lists[i]->name()) + " ends here and was given before",
               "take one out");
      }
    }
    return lists;
  }

  std::shared_ptr<const Gazetteer> read_gazetteer() {
    const std::uint64_t first = text_.number();
    const bool lower = text_.line().starts_with(kLowerList);
    std::string list(text_.line().substr((lower ? kLowerList : kExactList).size()));
    if (list.empty() || list.back() != ']')
      fail("the gazetteer's name does not end", "write [gazetteer NAME]");
    list.pop_back();
    const std::string entries = read_lines();
    if (entries.find_first_not_of(" \t\r\n") == entries.npos)
      fail(first, "the gazetteer " + quoted(list) + " has no entry", "write one a line");
    try {
      return std::make_shared<const Gazetteer>(Gazetteer::parse(list, entries, lower, text_.name()));
    } catch (const OptionError& error) {
      fail(first, error.problem(), error.mend().c_str());
    }
  }

  Featurizer featurizer(TemplateSet templates, Boundary boundary, const Gazetteers& lists) const {
    try {
      return Featurizer(std::move(templates), boundary, lists);
    } catch (const InputError& error) {
      fail(error.problem(), "write its entries before [labels], after [gazetteer NAME]");
    }
  }

  void read_labels() {
    if (text_.line() == "[labels bioes]") {
      model_.encoding = Encoding::Bioes;
    } else {
      enter("[labels]");
    }
    while (next_line()) {
      if (split() != 1) fail("a label with a tab in it", "one label a line; write \\t for a tab");
      const std::uint32_t known = model_.labels.size();
      if (model_.labels.add(name(fields_[0])) != known)
        fail(quoted(fields_[0]) + " is listed twice", "take one out");
    }
    if (model_.labels.size() == 0) fail("there is no label", "list them after [labels]");
  }

  void require(std::size_t expected, std::size_t fields, const char* what) const {
    if (fields != expected)
      fail(std::to_string(fields) + " fields, " + std::to_string(expected) + " expected", what);
  }

  void read_constraints() {
    Constraints constraints(static_cast<Index>(model_.labels.size()));
    while (next_line()) {
      require(2, split(), "write label TAB next label; \\\\<s> is the start and \\\\</s> the end");
      const Label from = fields_[0] == kStart ? constraints.boundary() : label(fields_[0]);
      const Label to = fields_[1] == kEnd ? constraints.boundary() : label(fields_[1]);
      if (!constraints.allows(from, to)) fail("this is forbidden twice", "take one out");
      constraints.forbid(from, to);
    }
    if (constraints.forbidden() == 0) fail("nothing is forbidden", "take [forbidden] out");
    model_.constraints = constraints;
  }

  void read_transitions() {
    enter("[transitions]");
    std::vector<Entry> entries;
    while (next_line()) {
      require(3, split(), "write label TAB next label TAB weight");
      const Label from = label(fields_[0]);
      entries.push_back({from, label(fields_[1]), weight(fields_[2]), text_.number()});
    }
    model_.transitions = index(entries, model_.labels.size());
    transition_weights_ = weights_of(entries);
  }

  void read_emissions() {
    enter("[weights]");
    std::vector<Entry> entries;
    while (next_line()) {
      const std::size_t fields = split();
      const std::uint32_t attribute = model_.attributes.add(name(fields_[0]));
      if (fields == 1) continue;
      require(3, fields, "write attribute TAB label TAB weight");
      entries.push_back({attribute, label(fields_[1]), weight(fields_[2]), text_.number()});
    }
    model_.emissions = index(entries, model_.attributes.size());
    model_.weights = weights_of(entries);
    model_.weights.insert(model_.weights.end(), transition_weights_.begin(), transition_weights_.end());
  }

  void read_pairs() {
    if (!model_.featurizer.pairs())
      fail("weights of pairs, but no template makes their attributes", "write one like B01:%x[0,0]");
    std::vector<Entry> entries;
    while (next_line()) {
      const std::size_t fields = split();
      const std::uint32_t attribute = model_.pair_attributes.add(name(fields_[0]));
      if (fields == 1) continue;
      require(4, fields, "write attribute TAB label TAB next label TAB weight");
      const Label from = label(fields_[1]), to = label(fields_[2]);
      entries.push_back({attribute, from * static_cast<Label>(model_.labels.size()) + to, weight(fields_[3]),
                         text_.number()});
    }
    model_.pairs = index(entries, model_.pair_attributes.size());
    const std::vector<double> weights = weights_of(entries);
    model_.weights.insert(model_.weights.end(), weights.begin(), weights.end());
  }

  // The number of the string in the fields, a new one where need be; all but its last label must have been
  // listed.
  std::uint32_t context(std::size_t length) {
    std::uint32_t string = label(fields_[1]);
    const auto K = static_cast<std::uint32_t>(model_.labels.size());
    auto& strings = model_.contexts.strings;
    for (std::size_t i = 2; i <= length; ++i) {
      const auto [at, is_new] = contexts_.emplace(std::pair(string, label(fields_[i])),
                                                  K + static_cast<std::uint32_t>(strings.size()));
      if (is_new && i < length) fail("this string's beginning is not listed", "list shorter strings first");
      if (is_new) strings.push_back({at->first.first, at->first.second});
      string = at->second;
    }
    return string - K;
  }

  void read_contexts() {
    std::vector<Entry> entries;
    while (next_line()) {
      const std::size_t fields = split();
      std::size_t length = 0;
      const auto [end, error] =
          std::from_chars(fields_[0].data(), fields_[0].data() + fields_[0].size(), length);
      if (error != std::errc() || end != fields_[0].data() + fields_[0].size() || length < 2 ||
          length + 3 > kMostFields)
        fail(quoted(fields_[0]) + " is no length of a string of labels", "write a number from 2 to 13");
      if (fields == length + 1) {
        context(length);
        continue;
      }
      require(length + 3, fields,
              "write LENGTH, so many labels, the next label and its weight, TABs between");
      const std::uint32_t string = context(length);
      entries.push_back({string, label(fields_[length + 1]), weight(fields_[length + 2]), text_.number()});
    }
    model_.contexts.next = index(entries, static_cast<std::uint32_t>(model_.contexts.strings.size()));
    const std::vector<double> weights = weights_of(entries);
    model_.weights.insert(model_.weights.end(), weights.begin(), weights.end());
  }

  // Sorts the entries by row and label.
  FeatureIndex index(std::vector<Entry>& entries, std::uint32_t rows) const {
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return std::pair(a.row, a.label) < std::pair(b.row, b.label);
    });
    FeatureIndex index;
    index.offsets.assign(std::size_t{rows} + 1, 0);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const Entry& e = entries[i];
      if (i > 0 && entries[i - 1].row == e.row && entries[i - 1].label == e.label)
        fail(e.line, "this weight was given before, in line " + std::to_string(entries[i - 1].line),
             "take one out");
      index.labels.push_back(e.label);
      index.offsets[std::size_t{e.row} + 1] = static_cast<std::uint32_t>(index.labels.size());
    }
    for (std::size_t r = 1; r < index.offsets.size(); ++r)  // rows without entries
      index.offsets[r] = std::max(index.offsets[r], index.offsets[r - 1]);
    return index;
  }

  static std::vector<double> weights_of(const std::vector<Entry>& entries) {
    std::vector<double> weights;
    for (const Entry& e : entries) weights.push_back(static_cast<double>(e.weight));
    return weights;
  }

  TextReader text_;
  Model model_;
  std::vector<double> transition_weights_;
  std::map<std::pair<std::uint32_t, Label>, std::uint32_t> contexts_;
  static constexpr std::size_t kMostFields = 16;
  std::array<std::string_view, kMostFields> fields_;
  std::string name_;
};

}  // namespace

std::string model_text(const Model& model) {
  if (model.packed) return model_text(unpacked(model));
  if (model.vector_columns > 0 || model.featurizer.hash_bits() > 0)
    throw InputError("the model", "it has dense vectors or hashed attributes, which have no text form",
                     "keep its file, or train without --vectors and --hash-bits");
  std::string out(kFirstLine);
  out += "\n\n[boundary]\n";
  out += model.featurizer.boundary() == Boundary::Marks ? "marks" : "none";
  out += "\n\n[templates]\n";
  if (model.featurizer.has_templates()) append_lines(model.featurizer.templates().text(), out);
  for (const auto& list : model.featurizer.gazetteers()) {
    ((out += '\n') += list->lower() ? kLowerList : kExactList) += list->name() + "]\n";
    append_lines(list->text(), out);
  }
  out += model.encoding == Encoding::Bioes ? "\n[labels bioes]\n" : "\n[labels]\n";
  for (Label l = 0; l < model.labels.size(); ++l) append_name(model.labels.name(l), out), out += '\n';
  append_constraints(model, out);
  append_all_weights(model, out);
  return out += "\n[end]\n";
}

void save_model_text(const Model& model, const std::string& path) {
  const std::string text = model_text(model);
  write_file(path, std::as_bytes(std::span(text)));
}

Model read_model_text(TextReader text) { return Reader(std::move(text)).read(); }
Model load_model_text(const std::string& path) { return read_model_text(TextReader(path)); }

}  // namespace thalweg
