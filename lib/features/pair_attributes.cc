#include <algorithm>

#include "thalweg/features/featurizer.h"

namespace thalweg {
namespace {

constexpr Index kRun = 256;  // pairs at a time: their strings stay in the cache

// Ascending and distinct, unknown ones left out; one that comes several times gets that many as its value.
void add_row(std::span<std::uint32_t> ids, std::vector<float>& values, DistinctRows& rows) {
  std::sort(ids.begin(), ids.end());
  std::size_t end = 0;
  values.clear();
  for (const std::uint32_t id : ids) {
    if (id == Vocabulary::kUnknown) break;
    if (end > 0 && ids[end - 1] == id) {
      values.back() += 1;
    } else {
      ids[end++] = id;
      values.push_back(1);
    }
  }
  const bool all_one = std::all_of(values.begin(), values.end(), [](float value) { return value == 1; });
  rows.add(ids.first(end), all_one ? std::span<const float>() : values);
}

template <class ToIds>
void append_pairs(const Featurizer& featurizer, const Sentence& sentence, FeatureScratch& scratch,
                  DistinctRows& rows, ToIds to_ids) {
  if (!featurizer.pairs()) return;
  AttributeBuffer& run = scratch.attributes;
  for (Index begin = 1; begin < sentence.size(); begin += kRun) {
    featurizer.pairs()->attributes(sentence, begin, std::min(begin + kRun, sentence.size()), run);
    scratch.ids.resize(std::max(scratch.ids.size(), run.all_names().size()));
    to_ids(run.all_names(), std::span(scratch.ids).first(run.all_names().size()));
    std::size_t first = 0;
    for (Index t = 0; t < run.size(); ++t) {
      const std::size_t count = run.names(t).size();
      add_row(std::span(scratch.ids).subspan(first, count), scratch.values, rows);
      first += count;
    }
  }
  if (sentence.size() > 0) rows.skip();
}

}  // namespace

void learn_pairs(const Featurizer& featurizer, const Sentence& sentence, Vocabulary& pair_attributes,
                 FeatureScratch& scratch, Dataset& into) {
  append_pairs(featurizer, sentence, scratch, into.pairs,
               [&](auto names, auto ids) { pair_attributes.add(names, ids); });
}

void look_up_pairs(const Featurizer& featurizer, const Sentence& sentence, const Vocabulary& pair_attributes,
                   FeatureScratch& scratch, Dataset& into) {
  append_pairs(featurizer, sentence, scratch, into.pairs,
               [&](auto names, auto ids) { pair_attributes.find(names, ids); });
}

}  // namespace thalweg
