/// @file
/// The yardstick: a linear-chain conditional random field (Lafferty, McCallum and Pereira 2001) as the
/// textbook explains it and the classic programs (CRF++, CRFsuite, Wapiti) have it.
///
/// The recursions are those of Rabiner (1989, section V.A for the scale factors), the gradient that of Sutton
/// and McCallum (2012, section 5.1). Everything is double and plain loops; strings go through hash maps;
/// scores are gathered and expectations scattered one feature at a time. It is written to be read and meant
/// to be fair: rows are walked in the order of memory, nothing is allocated per sequence once warm,
/// attributes have no values to multiply with, and the optimisation flags are the library's. It shares no
/// code with the library, nor its sign: here scores are maximised, as in the textbook, and are the negative
/// of the library's energies.
#pragma once

#include <iosfwd>
#include <string>
#include <unordered_map>
#include <vector>

namespace textbook {

/// The scores of one sequence and the recursions over them.
class Chain {
 public:
  /// T positions, K labels; the state scores become 0. Transition scores stay if K does.
  void resize(int T, int K);

  double* state(int t) { return &state_[row(t)]; }            ///< [K] scores at t
  double* transition(int i) { return &transition_[row(i)]; }  ///< [K] scores of i and a label after it
  const double* marginal(int t) const { return &marginal_[row(t)]; }  ///< [K] p(y_t = j)

  /// To call when transition scores have changed.
  void transitions_changed();

  /// log Z by the scaled forward recursion.
  double forward();
  /// After `forward`: p(y_t = j), see `marginal`.
  void backward();
  /// After `backward`: p(y_t = i, y_{t+1} = j) added to `pairs` [K * K].
  void add_pairs(std::vector<double>& pairs);
  /// The highest score, and its labels (Viterbi 1967), with back-pointers.
  double highest(std::vector<int>& y);

 private:
  std::size_t row(int i) const { return static_cast<std::size_t>(i) * static_cast<std::size_t>(K_); }

  int T_ = 0, K_ = 0;
  std::vector<double> state_, transition_;          // scores [T x K], [K x K]
  std::vector<double> by_later_;                    // transition scores, transposed
  std::vector<double> exp_state_, exp_transition_;  // exponentials
  std::vector<double> exp_by_later_;                // of transition scores, transposed
  std::vector<double> alpha_, beta_, marginal_;     // [T x K]
  std::vector<double> after_;                       // [T x K] beta, with state and scale of its own position
  std::vector<double> scale_;                       // [T] what row t of alpha was multiplied by
  std::vector<int> back_;                           // [T x K] the label before, on the best prefix
};

/// A token is its cells, a sentence its tokens.
using Sentence = std::vector<std::vector<std::string>>;

/// Sentences of a column file: blanks between cells, an empty line after a sentence.
std::vector<Sentence> read_sentences(std::istream& in);

/// The attribute templates of CRF++, of which only %x[row,column] is known. Beyond the sentence a cell reads
/// _B-1, _B+1 and so on.
class Templates {
 public:
  explicit Templates(const std::string& text);
  int size() const { return static_cast<int>(templates_.size()); }
  /// Attribute number k of token t.
  void expand(const Sentence& sentence, int t, int k, std::string& attribute) const;

 private:
  struct Piece {
    std::string text;  // before the cell
    int row, column;   // of the cell; column -1: none
  };
  std::vector<std::vector<Piece>> templates_;
};

/// Strings numbered in the order of their first use.
class Dictionary {
 public:
  int add(const std::string& name);
  int find(const std::string& name) const;  ///< -1 if it is not there
  int size() const { return static_cast<int>(names_.size()); }
  const std::string& name(int id) const { return names_[static_cast<std::size_t>(id)]; }

 private:
  std::unordered_map<std::string, int> ids_;
  std::vector<std::string> names_;
};

/// The model and its training data. A feature is a pair of an attribute and a label, or of two labels, that
/// the data hold.
class Crf {
 public:
  explicit Crf(const std::string& templates) : templates_(templates) {}

  /// Training data, the label in the last column.
  void read(std::istream& in);
  /// Numbers the features. After the last `read`.
  void make_features();

  int sentences() const { return static_cast<int>(data_.size()); }
  int features() const { return static_cast<int>(label_of_.size()); }
  const Dictionary& attributes() const { return attributes_; }
  const Dictionary& labels() const { return labels_; }
  /// The feature of an attribute and a label, or of a label and the one after it; -1 if there is none.
  int find_feature(int attribute, int label) const { return find(by_attribute_, attribute, label); }
  int find_transition(int label, int later) const { return find(by_label_, label, later); }

  /// - sum log p(y | x) + c2 |w|^2, and its gradient.
  double objective(const std::vector<double>& w, double c2, std::vector<double>& gradient);

  /// The weights to tag with.
  void set_weights(const std::vector<double>& w);
  /// The labels of highest score, and that score. The label column is not read.
  double tag(const Sentence& sentence, std::vector<int>& y);
  /// log Z, and p(y_t = j) in `chain().marginal(t)[j]`.
  double marginals(const Sentence& sentence);
  const Chain& chain() const { return chain_; }

 private:
  struct Example {
    std::vector<std::vector<int>> attributes;  // of each token
    std::vector<int> labels;
  };
  using Lists = std::vector<std::vector<int>>;  // features by attribute, or by label

  int find(const Lists& lists, int source, int label) const;
  void count(Lists& lists, int source, int label);
  void set_transitions(const std::vector<double>& w);
  void add_scores(const std::vector<int>& attributes, const std::vector<double>& w, double* state) const;
  void score(const Sentence& sentence);

  Templates templates_;
  Dictionary attributes_, labels_;
  std::vector<Example> data_;
  std::vector<int> label_of_;   // [features] the (later) label
  std::vector<double> counts_;  // [features] how often it is there in the data
  Lists by_attribute_, by_label_;
  std::vector<double> weights_;
  Chain chain_;
  std::vector<double> pairs_;  // [K * K] expected transitions
  std::vector<int> ids_;       // attributes of a token that is tagged
  std::string attribute_;
};

}  // namespace textbook
