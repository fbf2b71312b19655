#include "thalweg/energy/histories.h"

#include <algorithm>
#include <numeric>

namespace thalweg {

bool Histories::valid(Index labels, std::span<const Context> contexts) {
  std::vector<std::uint64_t> keys;
  keys.reserve(contexts.size());
  for (std::size_t c = 0; c < contexts.size(); ++c) {
    if (contexts[c].prefix >= static_cast<std::size_t>(labels) + c) return false;
    if (contexts[c].last >= static_cast<Label>(labels)) return false;
    keys.push_back(std::uint64_t{contexts[c].prefix} << 32 | contexts[c].last);
  }
  std::sort(keys.begin(), keys.end());
  return std::adjacent_find(keys.begin(), keys.end()) == keys.end();
}

// Here strings are numbered labels first, then contexts as they are listed; `number` turns that into states.
Histories::Histories(Index labels, std::span<const Context> contexts) : labels_(labels) {
  const auto K = static_cast<std::size_t>(labels), all = K + contexts.size();
  std::vector<std::uint32_t> length(all, 1), children(all + 1, 0), suffix(all), group(all, 0);
  std::vector<Label> last(all);
  std::iota(last.begin(), last.begin() + labels, Label{0});
  for (std::size_t c = 0; c < contexts.size(); ++c) {
    length[K + c] = length[contexts[c].prefix] + 1;
    last[K + c] = contexts[c].last;
    ++children[contexts[c].prefix + 1];
  }
  std::partial_sum(children.begin(), children.end(), children.begin());
  std::vector<std::uint32_t> child(contexts.size()), at(children.begin(), children.end() - 1);
  for (std::size_t c = 0; c < contexts.size(); ++c)
    child[at[contexts[c].prefix]++] = static_cast<std::uint32_t>(K + c);

  std::vector<std::uint32_t> order(all);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return length[a] < length[b]; });
  reach_ = order.empty() ? 1 : static_cast<Index>(length[order.back()]);
  next_.resize(K);  // of the empty string, and so of every label that no context begins with
  std::iota(next_.begin(), next_.end(), 0u);
  for (std::uint32_t s : order) {
    const bool single = s < K;
    const std::uint32_t prefix = single ? 0 : contexts[s - K].prefix;
    // One label less in front of the prefix, then the last label; shorter strings are done.
    const std::uint32_t before = single || prefix < K ? 0 : group[suffix[prefix]];
    suffix[s] = single ? s : next_[before * K + last[s]];
    group[s] = single ? 0 : group[suffix[s]];
    if (children[s] == children[s + 1]) continue;
    const std::size_t from = group[s] * K;
    group[s] = static_cast<std::uint32_t>(next_.size() / K);
    for (std::size_t l = 0; l < K; ++l) next_.push_back(next_[from + l]);
    for (std::size_t i = children[s]; i < children[s + 1]; ++i)
      next_[group[s] * K + last[child[i]]] = child[i];
  }
  number(order, group, last, suffix);
  index_predecessors();
}

// States group by group, so that a group's rows lie together.
void Histories::number(std::span<const std::uint32_t> order, std::span<const std::uint32_t> group,
                       std::span<const Label> last, std::span<const std::uint32_t> suffix) {
  std::vector<std::uint32_t> grouped(order.begin(), order.end());
  std::stable_sort(grouped.begin(), grouped.end(), [&](auto a, auto b) { return group[a] < group[b]; });
  of_.resize(grouped.size());
  groups_.assign(next_.size() / static_cast<std::size_t>(labels_) + 1, 0);
  for (std::uint32_t s : grouped) {
    of_[s] = static_cast<State>(last_.size());
    last_.push_back(last[s]);
    group_of_.push_back(group[s]);
    ++groups_[group[s] + 1];
  }
  std::partial_sum(groups_.begin(), groups_.end(), groups_.begin());
  for (State& s : next_) s = of_[s];
  suffix_.resize(last_.size());
  for (std::uint32_t s : order) suffix_[of_[s]] = of_[suffix[s]];
  for (std::size_t i = static_cast<std::size_t>(labels_); i < order.size(); ++i)
    by_length_.push_back(of_[order[i]]);
}

void Histories::index_predecessors() {
  const auto K = static_cast<std::size_t>(labels_);
  before_offsets_.assign(last_.size() + 1, 0);
  for (std::size_t cell = 0; cell < next_.size(); ++cell)
    before_offsets_[next_[cell] + 1] += groups_[cell / K + 1] - groups_[cell / K];
  std::partial_sum(before_offsets_.begin(), before_offsets_.end(), before_offsets_.begin());
  before_.resize(before_offsets_.back());
  std::vector<std::uint32_t> at(before_offsets_.begin(), before_offsets_.end() - 1);
  for (std::size_t cell = 0; cell < next_.size(); ++cell) {
    for (State s = groups_[cell / K]; s < groups_[cell / K + 1]; ++s) before_[at[next_[cell]]++] = s;
  }
}

}  // namespace thalweg
