#include "thalweg/io/graph_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "thalweg/core/error.h"
#include "thalweg/io/atomic_file.h"

namespace thalweg {
namespace {

constexpr const char* kForms = "UAI begins with MARKOV or BAYES, WCSP with a name and four numbers";
constexpr const char* kNumber = "a number was expected";

// Words between blanks, with the line they stand in.
class Words {
 public:
  explicit Words(TextReader text) : text_(std::move(text)) {}

  // The next word; empty at the end.
  std::string_view next() {
    for (;;) {
      const auto begin = rest_.find_first_not_of(" \t\v\f\r");
      if (begin != std::string_view::npos) {
        rest_.remove_prefix(begin);
        const auto size = std::min(rest_.find_first_of(" \t\v\f\r"), rest_.size());
        const std::string_view word = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return word;
      }
      if (!text_.next()) return {};
      rest_ = text_.line();
    }
  }
  [[noreturn]] void fail(const std::string& problem, const std::string& mend) const {
    throw InputError(text_.where(), problem, mend);
  }
  std::string_view word(const char* what) {
    const std::string_view found = next();
    if (found.empty()) fail(fmt::format("ends before {}", what), "is the file cut short?");
    return found;
  }
  template <class T>
  T number(const char* what, const char* mend = kNumber) {
    const std::string_view found = word(what);
    T value{};
    const auto [end, error] = std::from_chars(found.data(), found.data() + found.size(), value);
    if (error != std::errc() || end != found.data() + found.size())
      fail(fmt::format("'{}' is not {}", found.substr(0, 40), what), mend);
    return value;
  }
  Index count(const char* what, Index least, Index most, const char* mend = kNumber) {
    const Index n = number<Index>(what, mend);
    if (n < least || n > most) fail(fmt::format("{} is {}", what, n), "is that what was meant?");
    return n;
  }

 private:
  TextReader text_;
  std::string_view rest_;
};

// A graph while its factors come in.
class Builder {
 public:
  Builder(Words& words, Index most_cells) : words_(words), most_(most_cells) {}

  void variables(Index V, const char* what) {
    Index cells = 0;
    for (Index v = 0; v < V; ++v) {
      states_.push_back(words_.count(what, 1, 1 << 24));
      if ((cells += states_.back()) > most_) words_.fail("more states than fit", "2^28 together fit");
    }
    unary_.resize(static_cast<std::size_t>(cells), 0.0);
  }
  std::vector<std::uint32_t> scope(Index arity) {
    std::vector<std::uint32_t> scope;
    for (Index i = 0; i < arity; ++i) {
      const Index v = words_.number<Index>("a variable of a scope");
      if (v < 0 || v >= std::ssize(states_))
        words_.fail(fmt::format("variable {} of {}", v, states_.size()), "variables count from 0");
      if (std::find(scope.begin(), scope.end(), v) != scope.end())
        words_.fail(fmt::format("variable {} twice in one scope", v), "name it once");
      scope.push_back(static_cast<std::uint32_t>(v));
    }
    return scope;
  }
  // The cells that a table over `scope` has.
  Index cells(const std::vector<std::uint32_t>& scope) const {
    Index cells = 1;
    for (const std::uint32_t v : scope) {
      if (cells > most_ / states_[v]) words_.fail("a scope whose table does not fit", too_many());
      cells *= states_[v];
    }
    return cells;
  }
  Index states(std::uint32_t v) const { return states_[v]; }

  void add(const std::vector<std::uint32_t>& scope, const std::vector<double>& energies) {
    if (scope.empty()) {
      constant_ += energies[0];
    } else if (scope.size() == 1) {
      Index first = 0;
      if (firsts_.empty()) {
        for (const Index K : states_) firsts_.push_back(first), first += K;
      }
      for (std::size_t l = 0; l < energies.size(); ++l)
        unary_[firsts_[scope[0]] + static_cast<Index>(l)] += energies[l];
    } else {
      if (std::ssize(tables_) + std::ssize(energies) > most_)
        words_.fail("more cells in its tables than fit", too_many());
      tables_.insert(tables_.end(), energies.begin(), energies.end());
      scopes_.insert(scopes_.end(), scope.begin(), scope.end());
      offsets_.push_back(std::ssize(scopes_));
    }
  }
  OwnedFactorGraph graph() {
    return {std::make_shared<const FactorTopology>(states_, Scopes{offsets_, scopes_, {}}), std::move(unary_),
            std::move(tables_), constant_};
  }

 private:
  std::string too_many() const { return fmt::format("{} cells together do", most_); }

  Words& words_;
  Index most_;
  std::vector<Index> states_, firsts_, offsets_{0};
  std::vector<std::uint32_t> scopes_;
  std::vector<double> unary_, tables_;
  double constant_ = 0;
};

OwnedFactorGraph read_uai(Words& words, Index most_cells) {
  Builder builder(words, most_cells);
  builder.variables(words.count("the number of variables", 0, 1 << 28), "a number of states");
  const Index factors = words.count("the number of factors", 0, 1 << 28);
  std::vector<std::vector<std::uint32_t>> scopes;
  for (Index f = 0; f < factors; ++f)
    scopes.push_back(builder.scope(words.count("the size of a scope", 0, 1 << 16)));
  std::vector<double> energies;
  for (const auto& scope : scopes) {
    const Index cells = builder.cells(scope), entries = words.number<Index>("a number of entries");
    if (entries != cells)
      words.fail(fmt::format("{} entries for a scope of {} cells", entries, cells), "give one for each");
    energies.clear();
    for (Index c = 0; c < cells; ++c) {
      const double p = words.number<double>("an entry");
      if (!(p >= 0 && p < kInfinity<double>))
        words.fail(fmt::format("the entry {}", p), "entries are finite and >= 0");
      energies.push_back(p > 0 ? -std::log(p) : kInfinity<double>);
    }
    builder.add(scope, energies);
  }
  if (!words.next().empty()) words.fail("more words than the graph has", "is the number of factors right?");
  return builder.graph();
}

OwnedFactorGraph read_wcsp(Words& words, Index most_cells) {
  const Index V = words.count("the number of variables", 0, 1 << 28, kForms);
  words.count("the largest domain", 0, 1 << 24);
  const Index functions = words.count("the number of functions", 0, 1 << 28);
  const double top = words.number<double>("top");
  if (!(top > 0)) words.fail(fmt::format("top is {}", top), "it must be > 0");
  const auto energy = [&](double cost) {
    if (!(cost >= 0)) words.fail(fmt::format("the cost {}", cost), "costs are >= 0");
    return cost >= top ? kInfinity<double> : cost;
  };
  Builder builder(words, most_cells);
  builder.variables(V, "a number of states");
  std::vector<double> energies;
  for (Index f = 0; f < functions; ++f) {
    const Index arity = words.number<Index>("an arity");
    if (arity < 0) words.fail("shared functions (an arity below 0) are not read", "write them out");
    const std::vector<std::uint32_t> scope = builder.scope(std::min<Index>(arity, 1 << 16));
    const double otherwise = words.number<double>("a default cost");
    if (otherwise == -1) words.fail("a global function, which has no table", "write it as tables");
    energies.assign(static_cast<std::size_t>(builder.cells(scope)), energy(otherwise));
    const Index tuples = words.count("a number of tuples", 0, builder.cells(scope));
    for (Index t = 0; t < tuples; ++t) {
      Index cell = 0;
      for (const std::uint32_t v : scope)
        cell = cell * builder.states(v) + words.count("a state", 0, builder.states(v) - 1);
      energies[cell] = energy(words.number<double>("a cost"));
    }
    builder.add(scope, energies);
  }
  if (!words.next().empty())
    words.fail("more words than the network has", "is the number of functions right?");
  return builder.graph();
}

}  // namespace

OwnedFactorGraph read_graph(TextReader text, Index most_cells) {
  Words words(std::move(text));
  const std::string first(words.next());
  if (first.empty()) words.fail("is empty", kForms);
  return first == "MARKOV" || first == "BAYES" ? read_uai(words, most_cells) : read_wcsp(words, most_cells);
}

OwnedFactorGraph read_graph(const std::string& path) { return read_graph(TextReader(path)); }

std::vector<Observation> read_uai_evidence(TextReader text) {
  Words words(std::move(text));
  std::vector<Index> numbers;
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    Index value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || value < 0 || value > 0xFFFFFFFE)
      words.fail(fmt::format("'{}' is no variable or state", word.substr(0, 40)), "whole numbers from 0 up");
    numbers.push_back(value);
  }
  if (numbers.size() % 2 == 0 && numbers.size() >= 2 && numbers[0] == 1) numbers.erase(numbers.begin());
  if (numbers.empty() || std::ssize(numbers) != 1 + 2 * numbers[0])
    words.fail(numbers.empty()
                   ? "is empty"
                   : fmt::format("{} numbers for {} observations", numbers.size() - 1, numbers[0]),
               "their number, then a variable and its state for each");
  std::vector<Observation> evidence;
  for (std::size_t i = 1; i < numbers.size(); i += 2)
    evidence.push_back({static_cast<std::uint32_t>(numbers[i]), static_cast<Label>(numbers[i + 1])});
  return evidence;
}

std::vector<Observation> read_uai_evidence(const std::string& path) {
  return read_uai_evidence(TextReader(path));
}

namespace {

// " p" for every energy, the largest p of them 1. @return the energy of that one
double write_entries(std::string& out, std::span<const double> energies) {
  double low = *std::min_element(energies.begin(), energies.end());
  if (!(low < kInfinity<double>)) low = 0;
  fmt::format_to(std::back_inserter(out), "\n{}\n", energies.size());
  for (const double e : energies) fmt::format_to(std::back_inserter(out), " {}", std::exp(low - e));
  out += '\n';
  return low;
}

}  // namespace

double write_uai(const std::string& path, const FactorGraph<double>& graph) {
  check(graph);
  const FactorTopology& topology = *graph.topology;
  const auto put = [](std::string& to, auto number) {
    fmt::format_to(std::back_inserter(to), " {}", number);
  };
  std::string out = fmt::format("MARKOV\n{}\n", topology.variables());
  for (Index v = 0; v < topology.variables(); ++v) put(out, topology.states(v));
  out += fmt::format("\n{}\n", topology.variables() + topology.factors());
  for (Index v = 0; v < topology.variables(); ++v) out += fmt::format("1 {}\n", v);
  for (Index f = 0; f < topology.factors(); ++f) {
    out += std::to_string(topology.scope(f).size());
    for (const std::uint32_t v : topology.scope(f)) put(out, v);
    out += '\n';
  }
  double constant = 0;
  for (Index v = 0; v < topology.variables(); ++v)
    constant += write_entries(out, graph.unary.subspan(static_cast<std::size_t>(topology.first(v)),
                                                       static_cast<std::size_t>(topology.states(v))));
  for (Index f = 0; f < topology.factors(); ++f)
    constant += write_entries(out, graph.tables.subspan(static_cast<std::size_t>(topology.begin(f)),
                                                        static_cast<std::size_t>(topology.cells(f))));
  write_file(path, std::as_bytes(std::span(out)));
  return constant;
}

void write_dot(const std::string& path, const FactorTopology& topology) {
  std::string out = "graph factors {\n  node [shape=circle];\n";
  for (Index v = 0; v < topology.variables(); ++v) out += fmt::format("  v{} [label=\"{}\"];\n", v, v);
  for (Index f = 0; f < topology.factors(); ++f) {
    const auto scope = topology.scope(f);
    if (scope.size() == 2) {
      out += fmt::format("  v{} -- v{};\n", scope[0], scope[1]);
      continue;
    }
    out += fmt::format("  f{} [shape=square, label=\"\", width=.15, style=filled];\n", f);
    for (const std::uint32_t v : scope) out += fmt::format("  f{} -- v{};\n", f, v);
  }
  out += "}\n";
  write_file(path, std::as_bytes(std::span(out)));
}

}  // namespace thalweg
