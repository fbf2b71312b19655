/// @file
/// Sentences to attributes, and attributes to the numbers of a Dataset.
///
///     const Featurizer featurizer(TemplateSet::built_in(corpus.columns() - 1), Boundary::Marks);
///     Vocabulary attributes, labels;
///     const Dataset train = learn_dataset(corpus, featurizer, attributes, labels);
///     const Dataset dev = look_up_dataset(other_corpus, featurizer, attributes, labels);
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/corpus/corpus.h"
#include "thalweg/corpus/vocabulary.h"
#include "thalweg/features/dataset.h"
#include "thalweg/features/gazetteer.h"
#include "thalweg/features/pattern.h"
#include "thalweg/features/templates.h"

namespace thalweg {

/// The attributes of a run of tokens: what a Featurizer writes. It grows and never shrinks, so that a reused
/// one allocates nothing once warm. Moving it keeps its views valid.
class AttributeBuffer {
 public:
  AttributeBuffer() = default;
  AttributeBuffer(const AttributeBuffer&) = delete;
  AttributeBuffer& operator=(const AttributeBuffer&) = delete;
  AttributeBuffer(AttributeBuffer&&) = default;
  AttributeBuffer& operator=(AttributeBuffer&&) = default;

  Index size() const { return static_cast<Index>(ends_.size()); }  ///< tokens
  /// The attributes of the run's t-th token, and their values beside them (empty when every one is 1).
  std::span<const std::string_view> names(Index t) const {
    return all_names().subspan(begin(t), ends_[t] - begin(t));
  }
  std::span<const float> values(Index t) const {
    if (values_.empty()) return {};
    return std::span(values_).subspan(begin(t), ends_[t] - begin(t));
  }
  /// Of all tokens, one after another.
  std::span<const std::string_view> all_names() const {
    return {names_.data(), ends_.empty() ? 0 : ends_.back()};
  }

 private:
  friend class Featurizer;
  std::size_t begin(Index t) const { return t == 0 ? 0 : ends_[t - 1]; }

  struct Text {
    std::size_t begin, size;  // of texts_; a size of -1: there is no such text here
  };
  std::vector<std::string_view> names_;  // may be longer than what is used
  std::vector<float> values_;            // beside names_, or empty
  std::vector<std::size_t> ends_;        // [tokens]
  std::vector<char> bytes_;              // what expanded names point into
  std::vector<Text> window_;             // [rows x sources], what macros read around the run
  std::string texts_;                    // their bytes
  std::vector<std::string> marks_;  // [sources] of gazetteers, from the window's first row in the sentence
  std::vector<char> hashed_;        // what hashed names point into
  Index marks_begin_ = 0;           // that row
  Gazetteer::Scratch gazetteer_;
};

/// Templates and a boundary rule, compiled; or the attributes as the file gives them. Immutable and
/// thread-safe.
class THALWEG_EXPORT Featurizer {
 public:
  static constexpr int kMaxHashBits = 30;

  /// @param hash_bits above 0, every attribute is called #h instead, h the leading bits of its name's XXH3-64
  /// (feature hashing, Weinberger et al. 2009): at most 2^hash_bits of them, whatever the input, at the price
  /// of some that share a weight. @pre 0 <= hash_bits <= kMaxHashBits
  /// @throws InputError if a template names a gazetteer that is not there.
  Featurizer(TemplateSet templates, Boundary boundary, Gazetteers gazetteers = {}, int hash_bits = 0);
  /// For rows of `label attribute attribute ...`: the attributes themselves, with their values.
  static Featurizer of_attributes(int hash_bits = 0);

  /// Attributes of tokens [begin, end), of each in the order of the templates. O(bytes written). The names
  /// are valid until the buffer's next use; those of attribute rows as long as the sentence is.
  /// @throws InputError if a row lacks a column that a template reads.
  void attributes(const Sentence& sentence, Index begin, Index end, AttributeBuffer& out) const;
  void attributes(const Sentence& sentence, AttributeBuffer& out) const {
    attributes(sentence, 0, sentence.size(), out);
  }

  /// One attribute of one token: that of the template of this number.
  struct Request {
    Index token;
    std::size_t which;
  };
  /// Only the attributes asked for, as those of one token; an empty name where there is none.
  /// @pre has_templates(), requests in the order of their tokens
  void attributes(const Sentence& sentence, std::span<const Request> requests, AttributeBuffer& out) const;

  /// The cell that holds a token's label: the last, or with attribute rows the first.
  std::string_view label(const Sentence& sentence, Index t) const {
    return sentence.cell(t, has_templates_ ? sentence.columns(t) - 1 : 0);
  }

  bool has_templates() const { return has_templates_; }
  const TemplateSet& templates() const { return templates_; }  ///< Empty with attribute rows.
  Boundary boundary() const { return boundary_; }
  const Gazetteers& gazetteers() const { return gazetteers_; }
  int hash_bits() const { return hash_bits_; }

  /// The attributes of pairs, from B templates with macros: at t >= 1 those of the pair (t - 1, t). Null
  /// without such templates.
  const Featurizer* pairs() const { return pairs_.get(); }

 private:
  // A window [rows x sources] holds, for every position that templates can reach from a run of tokens, the
  // text of each distinct macro; a template is then a list of pieces, each a literal and a place of the
  // window relative to the token.
  struct Source {
    int column;
    Macro::Kind kind;
    int length;
    std::string argument;
    auto operator<=>(const Source&) const = default;
  };
  struct Piece {
    std::size_t literal, literal_size;  // of literals_
    std::size_t text;                   // of window_, counted from the token's row + first_row_; -1: none
  };

  Featurizer() = default;
  void compile(const std::vector<Template>& templates);
  void compile(const Template& one);
  std::size_t fill_window(const Sentence& sentence, Index begin, Index end, AttributeBuffer& out) const;
  const Gazetteer* find_list(const Source& source) const;
  void mark_rows(const Sentence& sentence, Index begin, Index end, AttributeBuffer& out) const;
  void add_row(const Sentence& sentence, Index t, AttributeBuffer& out) const;
  void add_outside_row(Index distance, AttributeBuffer& out) const;
  char* expand(std::span<const Piece> pieces, const AttributeBuffer::Text* window, const char* texts,
               char* to) const;
  std::span<const Piece> pieces_of(std::size_t which) const;
  void expand_templates(const Sentence& sentence, Index begin, Index end, AttributeBuffer& out) const;
  void copy_attributes(const Sentence& sentence, Index begin, Index end, AttributeBuffer& out) const;

  void hash_names(AttributeBuffer& out) const;

  bool has_templates_ = false;
  int hash_bits_ = 0;
  TemplateSet templates_;
  Boundary boundary_ = Boundary::Marks;
  bool marks_ends_ = false;  // with __BOS__ and __EOS__
  std::shared_ptr<const Featurizer> pairs_;
  std::vector<Source> sources_;          // by column
  std::vector<Pattern> patterns_;        // [sources], empty ones where there is none
  std::vector<const Gazetteer*> lists_;  // [sources], null where there is none
  Gazetteers gazetteers_;
  std::vector<std::size_t> uses_;  // [sources], by how many pieces
  std::vector<Piece> pieces_;      // of all templates
  std::vector<std::size_t> ends_;  // [templates], of pieces_
  std::string literals_;           // with slack behind
  std::size_t literals_size_ = 0;
  Index first_row_ = 0, last_row_ = 0;
};

/// What the functions below reuse from sentence to sentence; one per thread.
struct FeatureScratch {
  AttributeBuffer attributes;
  std::vector<std::uint32_t> ids, sorted;
  std::vector<float> values;
};

/// Training: appends a sentence with its labels; what is met for the first time gets the next id. An
/// attribute that a token has twice becomes one entry with the sum of the values: the columns of a row are
/// distinct.
/// @param partial a label cell may leave its token open: `A|B|C` for one of these labels, `?` for any
/// (Dataset::choices). Labels that contain | or are called ? cannot be written then.
/// @throws InputError if a template reads the label or a column beyond it, and for an empty label in a set
THALWEG_EXPORT void learn_sentence(const Featurizer& featurizer, const Sentence& sentence,
                                   Vocabulary& attributes, Vocabulary& labels, FeatureScratch& scratch,
                                   Dataset& into, bool partial = false);
/// The whole corpus. @throws as learn_sentence
THALWEG_EXPORT Dataset learn_dataset(const Corpus& corpus, const Featurizer& featurizer,
                                     Vocabulary& attributes, Vocabulary& labels);

/// Tagging: appends a sentence without reading labels (`into.labels` stays as it is); attributes that the
/// vocabulary does not hold are left out. @throws InputError if a row lacks a column that a template reads.
THALWEG_EXPORT void look_up_sentence(const Featurizer& featurizer, const Sentence& sentence,
                                     const Vocabulary& attributes, FeatureScratch& scratch, Dataset& into);
/// The whole corpus with its labels, as for a development set; unknown labels become kNoLabel.
/// @throws as learn_sentence
THALWEG_EXPORT Dataset look_up_dataset(const Corpus& corpus, const Featurizer& featurizer,
                                       const Vocabulary& attributes, const Vocabulary& labels);

/// The same two for the attributes of pairs: they append to `into.pairs`, and do nothing where the featurizer
/// has no pairs. One without attributes that the vocabulary holds still has a row, an empty one.
/// @throws InputError as above
THALWEG_EXPORT void learn_pairs(const Featurizer& featurizer, const Sentence& sentence,
                                Vocabulary& pair_attributes, FeatureScratch& scratch, Dataset& into);
THALWEG_EXPORT void look_up_pairs(const Featurizer& featurizer, const Sentence& sentence,
                                  const Vocabulary& pair_attributes, FeatureScratch& scratch, Dataset& into);

}  // namespace thalweg
