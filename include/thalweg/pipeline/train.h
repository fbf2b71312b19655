/// @file
/// Training in one call:
///
///     Corpus corpus = read_corpus("train.conll", Format::Columns);
///     Model model = train(corpus, {.c2 = 0.5});
///     save_model(model, "chunks.model");
///
/// and the steps it is made of, for those who want a development set, a progress callback, or a file read in
/// a stream.
#pragma once

#include <functional>
#include <string>

#include "thalweg/core/export.h"
#include "thalweg/io/corpus_reader.h"
#include "thalweg/learning/train.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

/// Which labels may follow which, in training and in tagging.
struct ConstraintOptions {
  enum class Source {
    None,
    Spans,   ///< BIO or BIOES legality, derived from the labels (learning/legality.h)
    Listed,  ///< what `list` forbids
  };
  Source source = Source::None;
  std::string list{};                     ///< forbidden transitions, a line each (learning/legality.h)
  std::string list_name = "constraints";  ///< what errors call it
  /// Sentences whose labels break them are left out; otherwise the first is an error.
  bool skip_illegal = false;
};

/// How text becomes examples.
struct FeatureOptions {
  Format format = Format::Columns;
  /// The template language (features/templates.h); empty takes TemplateSet::built_in for the columns at hand.
  std::string templates{};
  std::string templates_name = "templates";  ///< what errors call it
  Boundary boundary = Boundary::Marks;
  /// Bioes: labels that come as BIO are learnt as BIOES.
  Encoding encoding = Encoding::None;
  /// Word lists for %gazetteer[row,column,NAME]. Built-in templates ask each about rows -1 to 1 of column 0.
  Gazetteers gazetteers{};
  /// A matrix (io/matrix_reader.h) with a row for every token, one after another: numbers that speak for
  /// labels by themselves, such as an encoder's. Best of about unit variance, as one c2 holds for all
  /// weights.
  std::string vectors{};
  /// N > 0: attributes are hashed into 2^N rows, and the model holds none of their names. 22 loses little on
  /// a million attributes; 0 keeps the names, at most Featurizer::kMaxHashBits.
  int hash_bits = 0;
  Index min_count = 1;  ///< attributes seen less often are left out, >= 1
  ConstraintOptions constraints{};
  /// A token's label may be left open: A|B|C for one of these, ? for any (learning/open_answers.h). Not with
  /// an encoding.
  bool partial = false;
  /// Lines `# weight 2.5` above sentences say how much these count (io/corpus_reader.h); for read_examples,
  /// as a Corpus knows its weights.
  bool instance_weights = false;
  std::string class_weights{};  ///< weights of labels, one a line (learning/class_weights.h); empty: 1 each
  std::string class_weights_name = "class weights";  ///< what errors call it
  /// Which sentences are read, by their number from 0; empty: all. The rest leaves no trace.
  std::function<bool(Index)> keep{};
};

/// A model that has words but no weights yet, and the data it numbered.
struct Examples {
  Model model;
  Dataset data;
  Index skipped = 0;  ///< sentences left out because they break the constraints
};

/// From memory. The label is each token's last cell (in Format::Attributes the first).
/// @throws InputError for templates or columns that do not fit, and for constraints that name unknown labels,
/// cannot be derived or are broken, and for sets of labels that make no sense; OptionError for a min_count
/// below 1.
THALWEG_EXPORT Examples learn_examples(const Corpus& corpus, const FeatureOptions& options = {});
/// From a file ("-": standard input) without keeping its text. @throws as above, IoError, and InputError at
/// `file:line`.
THALWEG_EXPORT Examples read_examples(const std::string& path, const FeatureOptions& options = {});

/// Another file as the model sees it. @param vectors as FeatureOptions::vectors; the model's examples must be
/// learnt with such, too. @throws as read_examples
THALWEG_EXPORT DevelopmentSet read_development_set(const std::string& path, Format format, const Model& model,
                                                   const std::string& vectors = {});

/// The same from memory, as learn_examples. @param keep as FeatureOptions::keep
THALWEG_EXPORT DevelopmentSet development_set(const Corpus& corpus, const Model& model,
                                              const std::string& vectors = {},
                                              const std::function<bool(Index)>& keep = {});

/// Features, weights, and the zeros pruned. @throws as learn_examples and train_model
THALWEG_EXPORT Model train(const Corpus& corpus, const TrainOptions& options = {},
                           const FeatureOptions& features = {});

}  // namespace thalweg
