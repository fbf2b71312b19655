#include "thalweg/model/folding.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "thalweg/model/feature_index.h"

namespace thalweg {
namespace {

constexpr int kNone = -1;

// The template that each attribute comes from, by the longest text in front.
std::vector<int> template_of(const Vocabulary& attributes, const TemplateSet& templates) {
  std::map<std::string_view, int, std::greater<>> by_text;
  for (std::size_t t = 0; t < templates.templates().size(); ++t) {
    const auto [at, fresh] = by_text.emplace(templates.templates()[t].literals[0], static_cast<int>(t));
    if (!fresh) at->second = kNone;  // two begin alike: neither folds
  }
  std::vector<int> owner(attributes.size(), kNone);
  for (std::uint32_t a = 0; a < attributes.size(); ++a) {
    const std::string_view name = attributes.name(a);
    // Descending order: the first prefix found from here on is the longest.
    for (auto at = by_text.lower_bound(name);
         at != by_text.end() && at->first.substr(0, 1) == name.substr(0, 1); ++at) {
      if (name.starts_with(at->first)) {
        owner[a] = at->second;
        break;
      }
    }
  }
  return owner;
}

// For each template the head of its group, or kNone.
std::vector<int> choose_heads(const TemplateSet& set, const std::vector<int>& owner, Index positions) {
  const int n = static_cast<int>(set.templates().size());
  std::vector<std::set<std::pair<int, int>>> cells(static_cast<std::size_t>(n));
  for (int t = 0; t < n; ++t) {
    for (const Macro& macro : set.templates()[t].macros) {
      // What a gazetteer says depends on the words around, too: on no cell that another template reads.
      const bool listed = macro.kind == Macro::Kind::Gazetteer;
      cells[t].emplace(macro.row, listed ? -1 - macro.column : macro.column);
    }
  }
  // A head must be the cells themselves: an affix or a shape does not determine the word it was made of.
  auto is_plain = [&](int t) {
    return std::all_of(set.templates()[t].macros.begin(), set.templates()[t].macros.end(),
                       [](const Macro& m) { return m.kind == Macro::Kind::Cell; });
  };
  std::vector<Index> distinct(static_cast<std::size_t>(n), 0);
  for (int t : owner) {
    if (t != kNone) ++distinct[t];
  }
  std::vector<int> head(static_cast<std::size_t>(n), kNone);
  auto members = [&](int of) {
    std::vector<int> group;
    for (int t = 0; t < n; ++t) {
      if (head[t] == kNone &&
          std::includes(cells[of].begin(), cells[of].end(), cells[t].begin(), cells[t].end())) {
        group.push_back(t);
      }
    }
    return group;
  };
  for (;;) {
    // Rows read a pass: `size` a position before; one a position and `size` a context, there and back, after.
    int best = kNone;
    Index best_gain = positions / 8;
    for (int t = 0; t < n; ++t) {
      if (head[t] != kNone || distinct[t] == 0 || !is_plain(t)) continue;
      const Index size = static_cast<Index>(members(t).size());
      const Index gain = (size - 1) * positions - 2 * size * distinct[t];
      if (gain > best_gain) best = t, best_gain = gain;
    }
    if (best == kNone) return head;
    for (int t : members(best)) head[t] = best;
  }
}

void end_row(SparseMatrix& m) { m.offsets.push_back(static_cast<Index>(m.columns.size())); }

void append(SparseMatrix& m, std::span<const std::uint32_t> columns) {
  m.columns.insert(m.columns.end(), columns.begin(), columns.end());
}

}  // namespace

FoldedAttributes fold(const SparseMatrix& rows, const Vocabulary& attributes, const TemplateSet& templates) {
  const Index A = static_cast<Index>(attributes.size());
  FoldedAttributes folded;
  std::vector<int> owner = template_of(attributes, templates), head(templates.templates().size(), kNone);
  if (rows.values.empty()) head = choose_heads(templates, owner, rows.rows());
  std::vector<std::uint32_t> context_of(attributes.size(), Vocabulary::kUnknown);  // by the head's attribute
  std::vector<std::vector<std::uint32_t>> groups(head.size());
  std::vector<std::uint32_t> leaders(head.size());
  folded.alone.values.clear();
  for (Index r = 0; r < rows.rows(); ++r) {
    for (std::uint32_t a : rows.row(r)) {
      const int group = owner[a] == kNone ? kNone : head[owner[a]];
      if (group == kNone) {
        folded.alone.columns.push_back(a);
      } else {
        groups[group].push_back(a);
        if (owner[a] == group) leaders[group] = a;
      }
    }
    if (!rows.values.empty()) {
      const auto values = rows.row_values(r);
      folded.alone.values.insert(folded.alone.values.end(), values.begin(), values.end());
    }
    for (std::size_t g = 0; g < groups.size(); ++g) {
      std::vector<std::uint32_t>& group = groups[g];
      if (group.empty()) continue;
      const bool led = owner[leaders[g]] == static_cast<int>(g) &&
                       std::find(group.begin(), group.end(), leaders[g]) != group.end();
      if (led && context_of[leaders[g]] == Vocabulary::kUnknown) {
        context_of[leaders[g]] = static_cast<std::uint32_t>(folded.members.rows());
        append(folded.members, group);
        end_row(folded.members);
      }
      if (led && std::ranges::equal(folded.members.row(context_of[leaders[g]]), group)) {
        folded.contexts.columns.push_back(context_of[leaders[g]]);
      } else {
        append(folded.alone, group);
      }
      group.clear();
    }
    end_row(folded.alone), end_row(folded.contexts);
  }
  folded.by_attribute = transpose(folded.alone, A);
  folded.by_context = transpose(folded.contexts, folded.members.rows());
  folded.by_member = transpose(folded.members, A);
  return folded;
}

}  // namespace thalweg
