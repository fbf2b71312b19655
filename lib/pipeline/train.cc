#include "thalweg/pipeline/train.h"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <utility>

#include "thalweg/core/error.h"
#include "thalweg/io/matrix_reader.h"
#include "thalweg/learning/class_weights.h"
#include "thalweg/learning/legality.h"
#include "thalweg/learning/open_answers.h"
#include "thalweg/pipeline/encoding.h"

namespace thalweg {
namespace {

TemplateSet built_in(Index columns, const Gazetteers& gazetteers) {
  std::string text = TemplateSet::built_in(columns).text();
  for (const auto& list : gazetteers) {
    for (const char* row : {"-1", "0", "1"})
      text += "U" + list->name() + "[" + row + "]=%gazetteer[" + row + ",0," + list->name() + "]\n";
  }
  return TemplateSet::parse(text, "built-in templates");
}

// A list that no template reads would be in the model for nothing.
void check_used(const TemplateSet& templates, const Gazetteers& gazetteers) {
  for (const auto& list : gazetteers) {
    const std::string& name = list->name();
    if (templates.text().find("," + name + "]") == std::string::npos) {
      throw OptionError("gazetteer", "no template reads '" + name + "'",
                        "add a line such as U" + name + ":%gazetteer[0,0," + name + "] to the templates");
    }
  }
}

// @param columns cells of a token, the label among them; @param where names the data in errors
Featurizer make_featurizer(const FeatureOptions& options, Index columns, const std::string& where) {
  if (options.format == Format::Attributes) {
    if (!options.gazetteers.empty())
      throw OptionError("gazetteer", "does not go with attribute files", "write its marks as attributes");
    return Featurizer::of_attributes(options.hash_bits);
  }
  if (columns < 2) {
    throw InputError(where, "a token has one column", "put its label behind it, after a space or tab");
  }
  TemplateSet templates = options.templates.empty()
                              ? built_in(columns - 1, options.gazetteers)
                              : TemplateSet::parse(options.templates, options.templates_name);
  templates.check_columns(columns - 1);
  check_used(templates, options.gazetteers);
  return Featurizer(std::move(templates), options.boundary, options.gazetteers, options.hash_bits);
}

void check(const FeatureOptions& options) {
  if (options.min_count < 1) {
    throw OptionError("min-count", "is " + std::to_string(options.min_count) + ", must be >= 1",
                      "1 keeps every attribute");
  }
  if (options.hash_bits < 0 || options.hash_bits > Featurizer::kMaxHashBits) {
    throw OptionError("hash-bits",
                      fmt::format("is {}, must be 0 to {}", options.hash_bits, Featurizer::kMaxHashBits),
                      "0 keeps the names, 22 suits a million attributes");
  }
  if (options.partial && options.encoding != Encoding::None) {
    throw OptionError("partial", "does not go with an encoding: a set of labels of BIO is none of BIOES",
                      "write the labels as BIOES");
  }
  std::set<std::string> names;
  for (const auto& list : options.gazetteers) {
    if (!names.insert(list->name()).second)
      throw OptionError("gazetteer", "two are called '" + list->name() + "'", "give each a name of its own");
  }
}

// Vectors for tokens in their order, or none.
class VectorRows {
 public:
  explicit VectorRows(const std::string& path) {
    if (!path.empty()) reader_.emplace(path);
  }
  void add(Index tokens, Dataset& data) {
    if (!reader_) return;
    data.vector_columns = reader_->columns();
    for (Index t = 0; t < tokens; ++t) {
      const std::size_t at = data.vectors.size();
      data.vectors.resize(at + static_cast<std::size_t>(reader_->columns()));
      read(std::span(data.vectors).subspan(at));
    }
  }
  void skip(Index tokens) {
    if (!reader_) return;
    std::vector<float> row(static_cast<std::size_t>(reader_->columns()));
    for (Index t = 0; t < tokens; ++t) read(row);
  }
  void end() {
    if (!reader_) return;
    std::vector<float> row(static_cast<std::size_t>(reader_->columns()));
    if (!reader_->next(row)) return;
    throw InputError(reader_->name(),
                     fmt::format("it has more rows than the {} tokens", reader_->rows_read() - 1),
                     "give a row for every token, and none for blank lines");
  }

 private:
  void read(std::span<float> row) {
    if (reader_->next(row)) return;
    throw InputError(reader_->name(),
                     fmt::format("it has {} rows, and there are more tokens", reader_->rows_read()),
                     "give a row for every token");
  }

  std::optional<MatrixReader> reader_;
};

using Keep = std::function<bool(Index)>;

// Sentences of one file after the other, of which some are wanted, with their vectors.
class Sentences {
 public:
  Sentences(const std::string& vectors, const Keep& keep) : vectors_(vectors), keep_(keep) {}
  explicit Sentences(const FeatureOptions& options)
      : vectors_(options.vectors), keep_(options.keep), partial_(options.partial) {}

  void learn(Examples& e, const Sentence& sentence) {
    if (!wanted(sentence)) return;
    learn_sentence(e.model.featurizer, sentence, e.model.attributes, e.model.labels, scratch_, e.data,
                   partial_);
    learn_pairs(e.model.featurizer, sentence, e.model.pair_attributes, scratch_, e.data);
    vectors_.add(sentence.size(), e.data);
  }
  void look_up(DevelopmentSet& set, const Sentence& sentence, const Model& model) {
    if (!wanted(sentence)) return;
    look_up_sentence(model.featurizer, sentence, model.attributes, scratch_, set.data);
    look_up_pairs(model.featurizer, sentence, model.pair_attributes, scratch_, set.data);
    vectors_.add(sentence.size(), set.data);
    for (Index t = 0; t < sentence.size(); ++t)
      set.data.labels.push_back(set.labels.add(model.featurizer.label(sentence, t)));
  }
  void end() { vectors_.end(); }

 private:
  bool wanted(const Sentence& sentence) {
    if (!keep_ || keep_(seen_++)) return true;
    vectors_.skip(sentence.size());
    return false;
  }

  VectorRows vectors_;
  const Keep& keep_;
  const bool partial_ = false;
  Index seen_ = 0;
  FeatureScratch scratch_;
};

void encode(Examples& e, Encoding encoding) {
  if (encoding == Encoding::None) return;
  const Vocabulary names = std::exchange(e.model.labels, {});
  encode_bioes(e.data, names, e.model.labels, e.data.source.empty() ? "training data" : e.data.source);
  e.model.encoding = encoding;
}

// Its labels as they come, those of the model first where it takes them so.
DevelopmentSet begin_set(const Model& model) {
  return {{}, model.encoding == Encoding::None ? model.labels : Vocabulary()};
}

void encode(DevelopmentSet& set, const Model& model, const std::string& where) {
  if (model.encoding == Encoding::None) return;
  const Vocabulary names = std::exchange(set.labels, model.labels);
  encode_bioes(set.data, names, set.labels, where);
}

bool any_known_label(const DevelopmentSet& set, const Model& model) {
  const auto known = [&](Label l) { return l < model.labels.size(); };
  for (Index n = 0; n < set.data.size(); ++n) {
    const auto answer = set.data.answer(n);
    if (std::any_of(answer.begin(), answer.end(), known)) return true;
  }
  return false;
}

Constraints make_constraints(const ConstraintOptions& options, const Vocabulary& labels) {
  using Source = ConstraintOptions::Source;
  if (options.source == Source::None) return {};
  if (options.source == Source::Listed) return listed_constraints(options.list, options.list_name, labels);
  Constraints constraints = span_constraints(labels);
  if (constraints.empty())
    throw InputError("training data", "its labels are neither BIO nor BIOES, so there is nothing to derive",
                     "leave --constraints out, or list what is forbidden in a file");
  return constraints;
}

void constrain(Examples& e, const ConstraintOptions& options) {
  e.model.constraints = make_constraints(options, e.model.labels);
  if (options.skip_illegal) e.skipped = drop_illegal(e.data, e.model.constraints);
  check_legal(e.data, e.model.constraints, e.model.labels);
}

void finish(Examples& examples, const FeatureOptions& options) {
  settle_choices(examples.data, examples.model.labels);
  encode(examples, options.encoding);
  constrain(examples, options.constraints);
  if (!options.class_weights.empty()) {
    examples.data.class_weights =
        listed_class_weights(options.class_weights, options.class_weights_name, examples.model.labels);
  }
  sort_by_use(examples.data, examples.model.attributes, static_cast<Index>(examples.model.labels.size()),
              options.min_count);
  if (options.min_count > 1)
    drop_rare_pairs(examples.data, examples.model.pair_attributes, options.min_count);
}

}  // namespace

Examples learn_examples(const Corpus& corpus, const FeatureOptions& options) {
  check(options);
  Examples e;
  e.model.featurizer = make_featurizer(options, corpus.columns(), "training data");
  e.data.source = corpus.source();
  Sentences sentences(options);
  for (Index n = 0; n < corpus.size(); ++n) sentences.learn(e, corpus[n]);
  sentences.end();
  finish(e, options);
  return e;
}

Examples read_examples(const std::string& path, const FeatureOptions& options) {
  check(options);
  Examples e;
  CorpusReader reader(path, options.format, options.instance_weights);
  e.data.source = reader.text().name();
  Sentences sentences(options);
  for (bool first = true; reader.next(); first = false) {
    if (first) {
      e.model.featurizer = make_featurizer(options, reader.sentence().columns(0),
                                           place(reader.text().name(), reader.first_line()));
    }
    sentences.learn(e, reader.sentence());
  }
  sentences.end();
  if (e.data.size() == 0)
    throw InputError(path, "there is no sentence", "one token a line, a blank line after each sentence");
  finish(e, options);
  return e;
}

DevelopmentSet read_development_set(const std::string& path, Format format, const Model& model,
                                    const std::string& vectors) {
  DevelopmentSet set = begin_set(model);
  CorpusReader reader(path, format);
  const Keep all;
  Sentences sentences(vectors, all);
  while (reader.next()) sentences.look_up(set, reader.sentence(), model);
  sentences.end();
  if (set.data.size() == 0)
    throw InputError(path, "there is no sentence", "one token a line, a blank line after each sentence");
  encode(set, model, path);
  if (!any_known_label(set, model)) {
    throw InputError(path, "none of its labels is one of the model's",
                     "the label is the last column, as in the training data; is it missing?");
  }
  return set;
}

DevelopmentSet development_set(const Corpus& corpus, const Model& model, const std::string& vectors,
                               const Keep& keep) {
  DevelopmentSet set = begin_set(model);
  Sentences sentences(vectors, keep);
  for (Index n = 0; n < corpus.size(); ++n) sentences.look_up(set, corpus[n], model);
  sentences.end();
  encode(set, model, corpus.source());
  return set;
}

Model train(const Corpus& corpus, const TrainOptions& options, const FeatureOptions& features) {
  Examples e = learn_examples(corpus, features);
  train_model(e.model, e.data, nullptr, options);
  return pruned(e.model);
}

}  // namespace thalweg
