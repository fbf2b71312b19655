#include "textbook.h"

#include <algorithm>
#include <cmath>
#include <istream>
#include <limits>
#include <stdexcept>

namespace textbook {

// --- the chain

void Chain::resize(int T, int K) {
  if (K != K_) {
    K_ = K;
    for (auto* table : {&transition_, &by_later_, &exp_transition_, &exp_by_later_})
      table->assign(row(K), 0.0);
  }
  T_ = T;
  state_.assign(row(T), 0.0);
  for (auto* table : {&exp_state_, &alpha_, &beta_, &after_, &marginal_}) table->resize(row(T));
  back_.resize(row(T));
  scale_.resize(static_cast<std::size_t>(T));
}

void Chain::transitions_changed() {
  for (int i = 0; i < K_; ++i) {
    for (int j = 0; j < K_; ++j) {
      by_later_[row(j) + i] = transition_[row(i) + j];
      exp_transition_[row(i) + j] = exp_by_later_[row(j) + i] = std::exp(transition_[row(i) + j]);
    }
  }
}

double Chain::forward() {
  const int K = K_;
  for (std::size_t i = 0; i < state_.size(); ++i) exp_state_[i] = std::exp(state_[i]);
  double log_z = 0;
  for (int t = 0; t < T_; ++t) {
    double* a = &alpha_[row(t)];
    const double* s = &exp_state_[row(t)];
    if (t == 0) {
      for (int j = 0; j < K; ++j) a[j] = s[j];
    } else {
      const double* before = &alpha_[row(t - 1)];
      for (int j = 0; j < K; ++j) a[j] = 0;
      for (int i = 0; i < K; ++i) {
        const double* m = &exp_transition_[row(i)];
        for (int j = 0; j < K; ++j) a[j] += before[i] * m[j];
      }
      for (int j = 0; j < K; ++j) a[j] *= s[j];
    }
    double sum = 0;
    for (int j = 0; j < K; ++j) sum += a[j];
    scale_[t] = 1 / sum;
    for (int j = 0; j < K; ++j) a[j] *= scale_[t];
    log_z += std::log(sum);
  }
  return log_z;
}

void Chain::backward() {
  const int K = K_;
  for (int t = T_ - 1; t >= 0; --t) {
    double* b = &beta_[row(t)];
    double* after = &after_[row(t)];
    if (t == T_ - 1) {
      for (int j = 0; j < K; ++j) b[j] = 1;
    } else {
      // Column by column: a sum over j inside would be a chain of dependent additions, three times slower.
      for (int i = 0; i < K; ++i) b[i] = 0;
      for (int j = 0; j < K; ++j) {
        const double* m = &exp_by_later_[row(j)];
        for (int i = 0; i < K; ++i) b[i] += m[i] * after[K + j];
      }
    }
    for (int j = 0; j < K; ++j) after[j] = exp_state_[row(t) + j] * b[j] * scale_[t];
    for (int j = 0; j < K; ++j) marginal_[row(t) + j] = alpha_[row(t) + j] * b[j];
  }
}

void Chain::add_pairs(std::vector<double>& pairs) {
  const int K = K_;
  for (int t = 0; t + 1 < T_; ++t) {
    const double* after = &after_[row(t + 1)];
    for (int i = 0; i < K; ++i) {
      const double a = alpha_[row(t) + i];
      const double* m = &exp_transition_[row(i)];
      double* p = &pairs[row(i)];
      for (int j = 0; j < K; ++j) p[j] += a * m[j] * after[j];
    }
  }
}

double Chain::highest(std::vector<int>& y) {
  const int K = K_;
  y.resize(static_cast<std::size_t>(T_));
  if (T_ == 0) return 0;
  // alpha_ holds the highest score of a prefix by its last label.
  for (int j = 0; j < K; ++j) alpha_[j] = state_[j];
  for (int t = 1; t < T_; ++t) {
    const double* before = &alpha_[row(t - 1)];
    for (int j = 0; j < K; ++j) {
      const double* m = &by_later_[row(j)];
      double best = -std::numeric_limits<double>::infinity();
      int from = 0;
      for (int i = 0; i < K; ++i) {
        const double score = before[i] + m[i];
        if (score > best) best = score, from = i;
      }
      alpha_[row(t) + j] = best + state_[row(t) + j];
      back_[row(t) + j] = from;
    }
  }
  const double* last = &alpha_[row(T_ - 1)];
  y.back() = static_cast<int>(std::max_element(last, last + K) - last);
  for (int t = T_ - 1; t > 0; --t) y[t - 1] = back_[row(t) + y[t]];
  return last[y.back()];
}

// --- text

std::vector<Sentence> read_sentences(std::istream& in) {
  std::vector<Sentence> sentences;
  Sentence sentence;
  std::string line;
  const auto close = [&] {
    if (!sentence.empty()) sentences.push_back(std::move(sentence));
    sentence.clear();
  };
  while (std::getline(in, line)) {
    std::vector<std::string> cells;
    for (std::size_t at = 0; (at = line.find_first_not_of(" \t\r", at)) != std::string::npos;) {
      const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
      cells.push_back(line.substr(at, end - at));
      at = end;
    }
    if (cells.empty()) {
      close();
    } else {
      sentence.push_back(std::move(cells));
    }
  }
  close();
  return sentences;
}

Templates::Templates(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.empty() || line[0] != 'U') continue;  // B: transitions are always there
    std::vector<Piece> pieces;
    for (std::size_t from = 0; from < line.size();) {
      const std::size_t macro = std::min(line.find("%x[", from), line.size());
      Piece piece{line.substr(from, macro - from), 0, -1};
      from = macro;
      if (macro < line.size()) {
        const std::size_t comma = line.find(',', macro), bracket = line.find(']', macro);
        if (comma > bracket || bracket == std::string::npos) throw std::runtime_error("bad template " + line);
        piece.row = std::stoi(line.substr(macro + 3));
        piece.column = std::stoi(line.substr(comma + 1));
        from = bracket + 1;
      }
      pieces.push_back(std::move(piece));
    }
    templates_.push_back(std::move(pieces));
  }
}

void Templates::expand(const Sentence& sentence, int t, int k, std::string& attribute) const {
  const int T = static_cast<int>(sentence.size());
  attribute.clear();
  for (const Piece& piece : templates_[k]) {
    attribute += piece.text;
    if (piece.column < 0) continue;
    const int at = t + piece.row;
    if (at < 0) {
      attribute += "_B" + std::to_string(at);
    } else if (at >= T) {
      attribute += "_B+" + std::to_string(at - T + 1);
    } else {
      attribute += sentence[at][piece.column];
    }
  }
}

int Dictionary::add(const std::string& name) {
  const auto [at, is_new] = ids_.try_emplace(name, size());
  if (is_new) names_.push_back(name);
  return at->second;
}

int Dictionary::find(const std::string& name) const {
  const auto at = ids_.find(name);
  return at == ids_.end() ? -1 : at->second;
}

// --- the model

void Crf::read(std::istream& in) {
  for (const Sentence& sentence : read_sentences(in)) {
    Example example;
    for (int t = 0; t < static_cast<int>(sentence.size()); ++t) {
      std::vector<int> ids;
      for (int k = 0; k < templates_.size(); ++k) {
        templates_.expand(sentence, t, k, attribute_);
        ids.push_back(attributes_.add(attribute_));
      }
      example.attributes.push_back(std::move(ids));
      example.labels.push_back(labels_.add(sentence[t].back()));
    }
    data_.push_back(std::move(example));
  }
}

int Crf::find(const Lists& lists, int source, int label) const {
  for (int f : lists[source]) {
    if (label_of_[f] == label) return f;
  }
  return -1;
}

void Crf::count(Lists& lists, int source, int label) {
  int f = find(lists, source, label);
  if (f < 0) {
    f = features();
    label_of_.push_back(label);
    counts_.push_back(0);
    lists[source].push_back(f);
  }
  ++counts_[f];
}

void Crf::make_features() {
  by_attribute_.resize(static_cast<std::size_t>(attributes_.size()));
  by_label_.resize(static_cast<std::size_t>(labels_.size()));
  for (const Example& example : data_) {
    for (std::size_t t = 0; t < example.labels.size(); ++t) {
      for (int a : example.attributes[t]) count(by_attribute_, a, example.labels[t]);
      if (t > 0) count(by_label_, example.labels[t - 1], example.labels[t]);
    }
  }
  // Once more in the order of the lists, so that the weights of an attribute lie side by side.
  const std::vector<int> label_of = label_of_;
  const std::vector<double> counts = counts_;
  int next = 0;
  for (Lists* lists : {&by_attribute_, &by_label_}) {
    for (std::vector<int>& list : *lists) {
      for (int& f : list) {
        label_of_[next] = label_of[f];
        counts_[next] = counts[f];
        f = next++;
      }
    }
  }
  weights_.assign(label_of_.size(), 0.0);
}

void Crf::set_transitions(const std::vector<double>& w) {
  chain_.resize(0, labels_.size());
  for (int i = 0; i < labels_.size(); ++i) {
    for (int f : by_label_[i]) chain_.transition(i)[label_of_[f]] = w[f];
  }
  chain_.transitions_changed();
}

void Crf::add_scores(const std::vector<int>& attributes, const std::vector<double>& w, double* state) const {
  for (int a : attributes) {
    for (int f : by_attribute_[a]) state[label_of_[f]] += w[f];
  }
}

double Crf::objective(const std::vector<double>& w, double c2, std::vector<double>& gradient) {
  const int K = labels_.size();
  set_transitions(w);
  pairs_.assign(static_cast<std::size_t>(K) * static_cast<std::size_t>(K), 0.0);
  for (std::size_t f = 0; f < label_of_.size(); ++f) gradient[f] = -counts_[f];
  double value = 0;
  for (const Example& example : data_) {
    const int T = static_cast<int>(example.labels.size());
    chain_.resize(T, K);
    for (int t = 0; t < T; ++t) add_scores(example.attributes[t], w, chain_.state(t));
    for (int t = 0; t < T; ++t) {
      value -= chain_.state(t)[example.labels[t]];
      if (t > 0) value -= chain_.transition(example.labels[t - 1])[example.labels[t]];
    }
    value += chain_.forward();
    chain_.backward();
    chain_.add_pairs(pairs_);
    for (int t = 0; t < T; ++t) {
      const double* p = chain_.marginal(t);
      for (int a : example.attributes[t]) {
        for (int f : by_attribute_[a]) gradient[f] += p[label_of_[f]];
      }
    }
  }
  for (int i = 0; i < K; ++i) {
    for (int f : by_label_[i]) gradient[f] += pairs_[i * K + label_of_[f]];
  }
  for (std::size_t f = 0; f < label_of_.size(); ++f) {
    value += c2 * w[f] * w[f];
    gradient[f] += 2 * c2 * w[f];
  }
  return value;
}

void Crf::set_weights(const std::vector<double>& w) {
  weights_ = w;
  set_transitions(w);
}

void Crf::score(const Sentence& sentence) {
  const int T = static_cast<int>(sentence.size());
  chain_.resize(T, labels_.size());
  for (int t = 0; t < T; ++t) {
    ids_.clear();
    for (int k = 0; k < templates_.size(); ++k) {
      templates_.expand(sentence, t, k, attribute_);
      const int id = attributes_.find(attribute_);
      if (id >= 0) ids_.push_back(id);
    }
    add_scores(ids_, weights_, chain_.state(t));
  }
}

double Crf::tag(const Sentence& sentence, std::vector<int>& y) {
  score(sentence);
  return chain_.highest(y);
}

double Crf::marginals(const Sentence& sentence) {
  score(sentence);
  const double log_z = chain_.forward();
  chain_.backward();
  return log_z;
}

}  // namespace textbook
