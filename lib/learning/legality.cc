#include "thalweg/learning/legality.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "learning/named_labels.h"
#include "thalweg/core/error.h"
#include "thalweg/evaluation/edit_distance.h"

namespace thalweg {
namespace {

constexpr std::string_view kStart = "<s>", kEnd = "</s>";

// A label that only makes sense behind another of its span.
bool goes_on(const SpanMark& mark) { return mark.inside && !mark.opens; }

Constraints none_if_idle(Constraints constraints) {
  return constraints.forbidden() > 0 ? constraints : Constraints{};
}

// One line of a list.
class ListedLine {
 public:
  ListedLine(std::string_view line, std::string where, const Vocabulary& labels)
      : where_(std::move(where)), labels_(labels) {
    for (std::string_view word : words(line)) {
      if (count_ < words_.size()) words_[count_] = word;
      ++count_;
    }
  }

  void forbid(Constraints& constraints) const {
    if (count_ == 0 || words_[0].starts_with('#')) return;
    if (count_ != words_.size()) {
      throw InputError(where_, fmt::format("{} label{}, 2 expected", count_, count_ == 1 ? "" : "s"),
                       "write the label before and the one behind; <s> and </s> are start and end");
    }
    const Label boundary = constraints.boundary();
    constraints.forbid(words_[0] == kStart ? boundary : find_label(words_[0], labels_, where_),
                       words_[1] == kEnd ? boundary : find_label(words_[1], labels_, where_));
  }

 private:
  std::string where_;
  const Vocabulary& labels_;
  std::array<std::string_view, 2> words_;
  std::size_t count_ = 0;
};

// The first step of a sequence that no labelling it allows can make; its length + 1 where one can make all.
Index first_illegal(const Dataset& data, Index n, const Constraints& constraints) {
  const Index T = data.sequences[n + 1] - data.sequences[n];
  std::vector<Label> reached{constraints.boundary()}, next;
  for (Index t = 0; t < T; ++t) {
    next.clear();
    data.each_choice(data.sequences[n] + t, constraints.labels(), [&](Label l) {
      const auto leads = [&](Label before) { return constraints.allows(before, l); };
      if (std::any_of(reached.begin(), reached.end(), leads)) next.push_back(l);
    });
    if (next.empty()) return t;
    std::swap(reached, next);
  }
  const auto ends = [&](Label l) { return constraints.allows(l, constraints.boundary()); };
  return T + std::any_of(reached.begin(), reached.end(), ends);
}

std::string describe(std::span<const Label> y, Index token, const Vocabulary& labels) {
  const auto open = [&](Index t) { return y[static_cast<std::size_t>(t)] == kNoLabel; };
  const auto name = [&](Index t) {
    return open(t) ? std::string_view("what is open") : labels.name(y[static_cast<std::size_t>(t)]);
  };
  if (token == 0) return fmt::format("{} at the start of a sentence is forbidden", name(0));
  if (token == std::ssize(y)) return fmt::format("{} at the end of a sentence is forbidden", name(token - 1));
  return fmt::format("{} behind {} is forbidden", name(token), name(token - 1));
}

}  // namespace

Constraints span_constraints(const Vocabulary& labels, Scheme scheme) {
  const auto names = names_of(labels);
  if (scheme == Scheme::Auto) scheme = detect_scheme(names);
  Constraints constraints(static_cast<Index>(labels.size()));
  if (scheme == Scheme::Io) return {};
  std::vector<SpanMark> marks;
  for (std::string_view name : names) marks.push_back(span_mark(name, scheme));
  const auto stays_open = [&](const SpanMark& mark) {
    return scheme == Scheme::Bioes && mark.inside && !mark.closes;
  };
  const Label boundary = constraints.boundary();
  for (Label i = 0; i < boundary; ++i) {
    if (goes_on(marks[i])) constraints.forbid(boundary, i);
    if (stays_open(marks[i])) constraints.forbid(i, boundary);
    for (Label j = 0; j < boundary; ++j) {
      if ((goes_on(marks[j]) || stays_open(marks[i])) && !marks[j].continues(marks[i]))
        constraints.forbid(i, j);
    }
  }
  return none_if_idle(constraints);
}

Constraints listed_constraints(std::string_view text, const std::string& name, const Vocabulary& labels) {
  Constraints constraints(static_cast<Index>(labels.size()));
  for (std::uint64_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    ListedLine(text.substr(0, end), place(name, line), labels).forbid(constraints);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return none_if_idle(constraints);
}

std::vector<IllegalStep> illegal_steps(const Dataset& data, const Constraints& constraints) {
  std::vector<IllegalStep> steps;
  for (Index n = 0; n < data.size() && !constraints.empty(); ++n) {
    const Index token = first_illegal(data, n, constraints);
    if (token <= data.sequences[n + 1] - data.sequences[n]) steps.push_back({n, token});
  }
  return steps;
}

void check_legal(const Dataset& data, const Constraints& constraints, const Vocabulary& labels) {
  const auto steps = illegal_steps(data, constraints);
  if (steps.empty()) return;
  const auto [n, token] = steps.front();
  const auto y = data.answer(n);
  throw InputError(place(data, n, std::min(token, std::ssize(y) - 1)), describe(y, token, labels),
                   fmt::format("{} of {} sentences break the constraints: mend them, or train with "
                               "--illegal skip",
                               steps.size(), data.size()));
}

Index drop_illegal(Dataset& data, const Constraints& constraints) {
  const auto steps = illegal_steps(data, constraints);
  if (steps.empty()) return 0;
  std::vector<std::uint8_t> drop(static_cast<std::size_t>(data.size()), 0);
  for (const IllegalStep& step : steps) drop[static_cast<std::size_t>(step.sequence)] = 1;
  drop_sequences(data, drop);
  return std::ssize(steps);
}

}  // namespace thalweg
