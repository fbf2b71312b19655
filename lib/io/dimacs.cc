#include "thalweg/io/dimacs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <limits>
#include <utility>

#include "thalweg/core/error.h"

namespace thalweg {
namespace {

constexpr std::int64_t kMostNodes = (std::int64_t{1} << 30) - 1;
constexpr std::int64_t kManyNodes = std::int64_t{1}
                                    << 24;  // more must have arcs, or a short file asks for gigabytes
constexpr std::int64_t kMostCapacity = std::int64_t{1} << 62;
constexpr std::size_t kMostFields = 5;

class Parser {
 public:
  explicit Parser(TextReader text) : text_(std::move(text)) {}

  DimacsFlow parse() {
    while (text_.next()) parse_line();
    if (announced_ < 0) fail_at_end("no problem line", "it should read: p max NODES ARCS");
    for (const auto& [named, what] : {std::pair{source_named_, 's'}, std::pair{sink_named_, 't'}}) {
      if (!named)
        fail_at_end(fmt::format("no node is named {}", what), fmt::format("add a line: n NODE {}", what));
    }
    if (flow_.source == flow_.sink) fail_at_end("source and sink are one node", "there is no flow then");
    const auto arcs = static_cast<std::int64_t>(flow_.from.size());
    if (arcs != announced_)
      fail_at_end(fmt::format("{} arcs, {} were announced", arcs, announced_), "was the file cut short?");
    if (flow_.nodes > kManyNodes && flow_.nodes > 2 * arcs + 2)
      fail_at_end(fmt::format("{} nodes, but {} arcs", flow_.nodes, arcs), "number nodes without gaps");
    return std::move(flow_);
  }

 private:
  void parse_line() {
    split();
    if (count_ == 0 || fields_[0] == "c") return;
    if (fields_[0] == "p") return parse_problem();
    if (announced_ < 0) fail("a line before the problem line", "begin with: p max NODES ARCS");
    if (fields_[0] == "n") return parse_terminal();
    if (fields_[0] == "a") return parse_arc();
    fail(fmt::format("line of unknown kind '{}'", fields_[0]), "lines begin with c, p, n or a");
  }

  void parse_problem() {
    if (announced_ >= 0) fail("a second problem line", "one file holds one problem");
    expect(4, "p max NODES ARCS");
    if (fields_[1] != "max")
      fail(fmt::format("problem '{}'", fields_[1]), "only 'max', maximum flow, is read");
    flow_.nodes = number(2, "number of nodes", 0, kMostNodes);
    announced_ = number(3, "number of arcs", 0, kMostNodes);
  }

  void parse_terminal() {
    expect(3, "n NODE s, or n NODE t");
    const std::int32_t v = node(1);
    const bool source = fields_[2] == "s";
    if (!source && fields_[2] != "t") fail(fmt::format("node of kind '{}'", fields_[2]), "it is s or t");
    if (std::exchange(source ? source_named_ : sink_named_, true))
      fail(fmt::format("a second node is named {}", fields_[2]), "there is one source and one sink");
    (source ? flow_.source : flow_.sink) = v;
  }

  void parse_arc() {
    expect(4, "a FROM TO CAPACITY");
    if (static_cast<std::int64_t>(flow_.from.size()) == announced_)
      fail(fmt::format("more than the {} arcs announced", announced_), "correct the problem line");
    flow_.from.push_back(node(1)), flow_.to.push_back(node(2));
    flow_.capacity.push_back(number(3, "capacity", 0, kMostCapacity - 1));
    if ((sum_ += flow_.capacity.back()) >= kMostCapacity)
      fail("the sum of all capacities reaches 2^62", "scale them down");
  }

  void split() {
    constexpr std::string_view kBlank = " \t";
    std::string_view line = text_.line();
    for (count_ = 0; count_ < kMostFields; ++count_) {
      line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
      if (line.empty()) return;
      const std::size_t size = std::min(line.find_first_of(kBlank), line.size());
      fields_[count_] = line.substr(0, size);
      line.remove_prefix(size);
    }
  }

  void expect(std::size_t count, const char* form) const {
    if (count_ != count)
      fail(fmt::format("{} fields, expected {}", count_ < kMostFields ? std::to_string(count_) : "too many",
                       count),
           fmt::format("the line should read: {}", form));
  }

  std::int64_t number(std::size_t field, const char* what, std::int64_t least, std::int64_t most) const {
    const std::string_view text = fields_[field];
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error != std::errc::invalid_argument && end == text.data() + text.size();
    if (!whole) fail(fmt::format("{} '{}' is not a whole number", what, text), "");
    if (error != std::errc() || value < least || value > most)
      fail(fmt::format("{} {} is out of range", what, text), fmt::format("it lies in {} to {}", least, most));
    return value;
  }
  std::int32_t node(std::size_t field) const {
    return static_cast<std::int32_t>(number(field, "node", 1, flow_.nodes) - 1);
  }

  [[noreturn]] void fail(const std::string& problem, const std::string& mend) const {
    throw InputError(text_.where(), problem, mend);
  }
  [[noreturn]] void fail_at_end(const std::string& problem, const std::string& mend) const {
    throw InputError(text_.name(), problem, mend);
  }

  TextReader text_;
  DimacsFlow flow_;
  std::array<std::string_view, kMostFields> fields_;
  std::size_t count_ = 0;
  std::int64_t announced_ = -1, sum_ = 0;
  bool source_named_ = false, sink_named_ = false;
};

// One more than can leave the source, or reach the sink: so it stays on its side.
std::int64_t ample(const DimacsFlow& flow, const std::vector<std::int32_t>& ends, std::int32_t node) {
  std::int64_t sum = 1;
  for (std::size_t a = 0; a < ends.size(); ++a) sum += ends[a] == node ? flow.capacity[a] : 0;
  return sum;
}

}  // namespace

DimacsFlow read_dimacs(TextReader text) { return Parser(std::move(text)).parse(); }
DimacsFlow read_dimacs(const std::string& path) { return read_dimacs(TextReader(path)); }

std::string dimacs_text(const DimacsFlow& flow) {
  fmt::memory_buffer text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "p max {} {}\nn {} s\nn {} t\n", flow.nodes, flow.from.size(), flow.source + 1,
                 flow.sink + 1);
  for (std::size_t a = 0; a < flow.from.size(); ++a)
    fmt::format_to(out, "a {} {} {}\n", flow.from[a] + 1, flow.to[a] + 1, flow.capacity[a]);
  return fmt::to_string(text);
}

bool fits_int32(const DimacsFlow& flow) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  return std::all_of(flow.capacity.begin(), flow.capacity.end(), [](std::int64_t c) { return c <= kMost; }) &&
         ample(flow, flow.from, flow.source) <= kMost && ample(flow, flow.to, flow.sink) <= kMost;
}

template <class C>
FlowNetwork<C> flow_network(const DimacsFlow& flow) {
  const std::vector<C> capacity(flow.capacity.begin(), flow.capacity.end());
  std::vector<C> source(flow.nodes), sink(flow.nodes);
  source[flow.source] = static_cast<C>(ample(flow, flow.from, flow.source));
  sink[flow.sink] = static_cast<C>(ample(flow, flow.to, flow.sink));
  return {flow.nodes, {flow.from, flow.to, capacity, {}}, {source, sink}};
}

template FlowNetwork<std::int32_t> flow_network(const DimacsFlow&);
template FlowNetwork<std::int64_t> flow_network(const DimacsFlow&);
template FlowNetwork<double> flow_network(const DimacsFlow&);

}  // namespace thalweg
