// Sentences as numbers: the attributes that a featurizer names, in the rows of a data set.
#include <algorithm>
#include <utility>

#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"
#include "thalweg/features/featurizer.h"

namespace thalweg {
namespace {

constexpr Index kRun = 256;  // tokens looked up at a time: their strings stay in the cache

// Rows are short as a rule: comparing all pairs takes a few vector instructions and no memory.
bool has_repetition(std::span<const std::uint32_t> ids, std::vector<std::uint32_t>& scratch) {
  constexpr std::size_t kShort = 64;
  if (ids.size() > kShort) {
    scratch.assign(ids.begin(), ids.end());
    std::sort(scratch.begin(), scratch.end());
    return std::adjacent_find(scratch.begin(), scratch.end()) != scratch.end();
  }
  unsigned repeated = 0;
  for (std::size_t i = 1; i < ids.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) repeated |= ids[i] == ids[j];
  return repeated != 0;
}

// Makes the entries from `begin` on distinct; values of equal columns add up.
void merge_repetitions(SparseMatrix& matrix, std::size_t begin) {
  matrix.values.resize(matrix.columns.size(), 1.0f);
  std::vector<std::pair<std::uint32_t, float>> row;
  for (std::size_t i = begin; i < matrix.columns.size(); ++i)
    row.emplace_back(matrix.columns[i], matrix.values[i]);
  std::stable_sort(row.begin(), row.end(), [](auto& a, auto& b) { return a.first < b.first; });
  matrix.columns.resize(begin);
  matrix.values.resize(begin);
  for (const auto& [column, value] : row) {
    if (matrix.columns.size() > begin && matrix.columns.back() == column) {
      matrix.values.back() += value;
    } else {
      matrix.columns.push_back(column);
      matrix.values.push_back(value);
    }
  }
}

void append_row(std::span<const std::uint32_t> ids, std::span<const float> values, FeatureScratch& scratch,
                SparseMatrix& matrix) {
  const std::size_t begin = matrix.columns.size();
  const bool all_one = std::all_of(values.begin(), values.end(), [](float value) { return value == 1; });
  const bool weighted = !all_one || !matrix.values.empty();
  matrix.columns.resize(begin + ids.size());
  if (weighted) matrix.values.resize(begin + ids.size(), 1.0f);
  std::size_t end = begin;
  for (std::size_t i = 0; i < ids.size(); ++i) {  // without a branch on the id, which no one can predict
    matrix.columns[end] = ids[i];
    if (weighted && !values.empty()) matrix.values[end] = values[i];
    end += ids[i] != Vocabulary::kUnknown;
  }
  matrix.columns.resize(end);
  if (weighted) matrix.values.resize(end);
  if (has_repetition(std::span(matrix.columns).subspan(begin), scratch.sorted))
    merge_repetitions(matrix, begin);
  matrix.offsets.push_back(static_cast<Index>(matrix.columns.size()));
}

// Appends the attributes of a sentence; to_ids(names, ids) numbers them.
template <class ToIds>
void append_attributes(const Featurizer& featurizer, const Sentence& sentence, FeatureScratch& scratch,
                       Dataset& into, ToIds to_ids) {
  for (Index begin = 0; begin < sentence.size(); begin += kRun) {
    AttributeBuffer& run = scratch.attributes;
    featurizer.attributes(sentence, begin, std::min(begin + kRun, sentence.size()), run);
    const auto names = run.all_names();
    if (scratch.ids.size() < names.size()) scratch.ids.resize(names.size());
    const auto ids = std::span(scratch.ids).first(names.size());
    to_ids(names, ids);
    for (Index t = 0; t < run.size(); ++t)
      append_row(
          ids.subspan(static_cast<std::size_t>(run.names(t).data() - names.data()), run.names(t).size()),
          run.values(t), scratch, into.attributes);
  }
  into.sequences.push_back(into.sequences.back() + sentence.size());
}

// The last column is the label: a template that reads it would learn to copy the answer.
void refuse_labels_as_input(const Featurizer& featurizer, const Sentence& sentence) {
  if (!featurizer.has_templates()) return;
  for (Index t = 0; t < sentence.size(); ++t) featurizer.templates().check_columns(sentence.columns(t) - 1);
}

// What the last sequence brings beside its tokens. Nothing is kept while all have the default.
template <class T>
void note(T value, T by_default, Index sequences, std::vector<T>& notes) {
  if (value == by_default && notes.empty()) return;
  notes.resize(static_cast<std::size_t>(sequences) - 1, by_default);
  notes.push_back(value);
}

// The label of the t-th token of the last sequence, or the set that it leaves open.
void learn_choice(std::string_view cell, Index t, Vocabulary& labels, std::vector<Label>& set,
                  Dataset& into) {
  set.clear();
  for (std::string_view rest = cell; cell != "?";) {
    const std::size_t bar = rest.find('|');
    if (rest.empty() || bar == 0)
      throw InputError(place(into, into.size() - 1, t),
                       "the set of labels " + quoted(cell) + " has an empty one",
                       "write A|B for one of two, ? for any");
    set.push_back(labels.add(rest.substr(0, bar)));
    if (bar == rest.npos) break;
    rest.remove_prefix(bar + 1);
  }
  std::sort(set.begin(), set.end());
  set.erase(std::unique(set.begin(), set.end()), set.end());
  into.labels.push_back(set.size() == 1 ? set[0] : kNoLabel);
  into.choices.add(set, {});
}

}  // namespace

void learn_sentence(const Featurizer& featurizer, const Sentence& sentence, Vocabulary& attributes,
                    Vocabulary& labels, FeatureScratch& scratch, Dataset& into, bool partial) {
  refuse_labels_as_input(featurizer, sentence);
  append_attributes(featurizer, sentence, scratch, into,
                    [&](auto names, auto ids) { attributes.add(names, ids); });
  note<std::uint64_t>(sentence.note().line, 0, into.size(), into.lines);
  note(sentence.note().weight, 1.0, into.size(), into.weights);
  for (Index t = 0; t < sentence.size(); ++t) {
    const std::string_view label = featurizer.label(sentence, t);
    partial ? learn_choice(label, t, labels, scratch.ids, into) : into.labels.push_back(labels.add(label));
  }
}

void look_up_sentence(const Featurizer& featurizer, const Sentence& sentence, const Vocabulary& attributes,
                      FeatureScratch& scratch, Dataset& into) {
  append_attributes(featurizer, sentence, scratch, into,
                    [&](auto names, auto ids) { attributes.find(names, ids); });
}

Dataset learn_dataset(const Corpus& corpus, const Featurizer& featurizer, Vocabulary& attributes,
                      Vocabulary& labels) {
  Dataset result;
  FeatureScratch scratch;
  for (Index n = 0; n < corpus.size(); ++n)
    learn_sentence(featurizer, corpus[n], attributes, labels, scratch, result);
  return result;
}

Dataset look_up_dataset(const Corpus& corpus, const Featurizer& featurizer, const Vocabulary& attributes,
                        const Vocabulary& labels) {
  Dataset result;
  FeatureScratch scratch;
  for (Index n = 0; n < corpus.size(); ++n) {
    const Sentence sentence = corpus[n];
    refuse_labels_as_input(featurizer, sentence);
    look_up_sentence(featurizer, sentence, attributes, scratch, result);
    for (Index t = 0; t < sentence.size(); ++t)
      result.labels.push_back(labels.find(featurizer.label(sentence, t)));
  }
  return result;
}

}  // namespace thalweg
