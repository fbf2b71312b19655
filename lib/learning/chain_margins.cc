#include "thalweg/learning/chain_margins.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include "model/sparse_kernels.h"
#include "thalweg/core/aligned.h"
#include "thalweg/core/error.h"
#include "thalweg/inference/min_sum.h"

namespace thalweg {
namespace {

// Products of positions are kept while they take no more floats than this; beyond they are made anew each
// time.
constexpr Index kMostSquares = Index{1} << 25;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

}  // namespace

// --- the problem

template <class R>
ChainMargins<R>::ChainMargins(const Model& model, const Dataset& data, TaskCost cost)
    : model_(model),
      data_(data),
      cost_(std::move(cost)),
      labels_(static_cast<Index>(model.labels.size())),
      parameters_(model.emissions.features() + model.transitions.features()),
      no_pairs_(at(data.positions() + 1), 0) {
  check(model);
  const Index K = labels_;
  all_emissions_ = model.emissions.features() == model.emissions.rows() * K;
  transition_.assign(at(K * K), -1);
  std::int32_t number = static_cast<std::int32_t>(model.emissions.features());
  for (Index i = 0; i < model.transitions.rows(); ++i) {
    for (Label j : model.transitions.row(i)) transition_[at(i * K) + j] = number++;
  }
  if (all_emissions_) compare_positions();
}

template <class R>
ChainMargins<R>::~ChainMargins() = default;

template <class R>
void ChainMargins<R>::check(const Model& model) const {
  const auto refuse = [](const char* what) {
    throw OptionError("solver", fmt::format("margin solvers do not know {}", what),
                      "leave them out, or take another solver");
  };
  if (model.pairs.features() > 0) refuse("attributes of pairs");
  if (model.contexts.next.features() > 0) refuse("chains of higher order");
  if (model.vector_columns > 0) refuse("vectors");
  if (!model.constraints.empty()) refuse("constraints");
  if (data_.size() == 0) throw InputError("training data", "there is no sequence", "give it some");
  if (labels_ < 2)
    throw InputError("training data", "there is one label only, and so no wrong answer", "give it two");
  for (Index n = 0; n < data_.size(); ++n) {
    const auto y = data_.answer(n);
    for (std::size_t t = 0; t < y.size(); ++t) {
      if (static_cast<Index>(y[t]) >= labels_)
        throw InputError(place(data_, n, static_cast<Index>(t)), "its label is open, or none of the model's",
                         "margin solvers need one that was seen in training");
    }
  }
  for (float x : data_.attributes.values) {
    if (!std::isfinite(x)) throw InputError("training data", "a value is not finite", "leave it out");
  }
  TableBuffer<double> costs(std::ssize(data_.answer(0)), labels_);
  lower<double>(cost_, data_.answer(0), costs);  // refuses what does not fit
}

template <class R>
Index ChainMargins<R>::feature(Index attribute, Label label) const {
  const FeatureIndex& index = model_.emissions;
  const auto row = index.row(attribute);
  if (std::ssize(row) == labels_) return static_cast<Index>(index.offsets[at(attribute)] + label);
  const auto found = std::lower_bound(row.begin(), row.end(), label);
  if (found == row.end() || *found != label) return -1;
  return static_cast<Index>(index.offsets[at(attribute)]) + (found - row.begin());
}

// sum of x_p(a) x_q(a) over the attributes a that have a weight for the label. Ids need not ascend in a row,
// and rows are short, or squares_ has the answer.
template <class R>
double ChainMargins<R>::overlap(Index p, Index q, Label label) const {
  const auto left = data_.attributes.row(p), right = data_.attributes.row(q);
  const auto left_values = data_.attributes.row_values(p), right_values = data_.attributes.row_values(q);
  double sum = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const auto same = std::find(right.begin(), right.end(), left[i]);
    if (same == right.end() || (!all_emissions_ && feature(left[i], label) < 0)) continue;
    const auto j = static_cast<std::size_t>(same - right.begin());
    sum += left_values.empty() ? 1.0
                               : static_cast<double>(left_values[i]) * static_cast<double>(right_values[j]);
  }
  return sum;
}

// x_s . x_t for the positions of each sequence, where that is not too much to keep.
template <class R>
void ChainMargins<R>::compare_positions() {
  Index cells = 0;
  for (Index n = 0; n < data_.size(); ++n) {
    const Index T = std::ssize(data_.answer(n));
    cells += T * T;
    if (cells > kMostSquares) return;
  }
  squares_.resize(at(cells));
  squares_begin_.reserve(at(data_.size()));
  std::vector<float> marked(at(model_.emissions.rows()), 0.f);
  Index begin = 0;
  for (Index n = 0; n < data_.size(); ++n) {
    const Index T = std::ssize(data_.answer(n)), first = data_.sequences[at(n)];
    squares_begin_.push_back(begin);
    for (Index s = 0; s < T; ++s) {
      const auto row = data_.attributes.row(first + s);
      const auto values = data_.attributes.row_values(first + s);
      for (std::size_t i = 0; i < row.size(); ++i) marked[row[i]] = values.empty() ? 1.f : values[i];
      for (Index t = s; t < T; ++t) {
        const auto other = data_.attributes.row(first + t);
        const auto other_values = data_.attributes.row_values(first + t);
        float sum = 0;
        for (std::size_t i = 0; i < other.size(); ++i)
          sum += marked[other[i]] * (other_values.empty() ? 1.f : other_values[i]);
        if (!std::isfinite(sum))
          throw InputError(place(data_, n, t), "the square of its values overflows", "scale them down");
        squares_[at(begin + s * T + t)] = squares_[at(begin + t * T + s)] = sum;
      }
      for (std::uint32_t a : row) marked[a] = 0;
    }
    begin += T * T;
  }
}

// --- a worker

template <class R>
class ChainMargins<R>::Worker : public MarginWorker {
 public:
  Worker(const ChainMargins& problem, std::span<const Sign> signs)
      : MarginWorker(problem.parameters(), signs), problem_(problem) {
    stride_ = std::max<Index>(detail::sparse_kernels().stride(problem.labels_), problem.labels_);
    weights_.assign(at(problem.model_.emissions.rows() * stride_ + kSlack), R(0));
    pairwise_.resize(1, problem.labels_ * problem.labels_);
    couplings_.prepare_minima(pairwise_.view(), problem.labels_);
    pair_slope_.assign(at(problem.labels_ * problem.labels_), 0.0);
  }

  void visit(Index block) override {
    block_ = block;
    first_ = problem_.data_.sequences[at(block)];
    right_ = problem_.data_.answer(block);
    const Index T = std::ssize(right_);
    gather(unary_.resize(T, problem_.labels_));
    lower<double>(problem_.cost_, right_, costs_.resize(T, problem_.labels_));
  }

  Offence most_offending(std::span<Label> y) override {
    const Index T = unary_.rows(), K = problem_.labels_;
    if (T == 0) return {};
    const auto per_scale = static_cast<R>(1 / scale());
    const Table<R> augmented = augmented_.resize(T, K);
    for (Index i = 0; i < augmented.size(); ++i)
      augmented.data[i] = unary_[0][i] - per_scale * static_cast<R>(costs_[0][i]);
    const double lowest = minima_.minimize({augmented_.view(), pairwise_.view(), {}}, couplings_, y);
    if (!std::isfinite(lowest))
      throw InputError(place(problem_.data_, block_, 0), "the energies of its sequence are not finite",
                       "scale the values of attributes down");
    Offence offence;
    offence.cost = cost(y);
    double margin = 0;
    margins({y.data(), 1, T}, {&margin, 1});
    offence.value = offence.bound = offence.cost - margin;
    return offence;
  }

  void margins(Table<const Label> answers, std::span<double> values) override {
    price(unary_.view(), pairwise_[0], answers, values);
    for (double& value : values) value *= scale();
  }

  // The slope of y as tables of energies, which then price the other answers.
  void products(std::span<const Label> y, Table<const Label> answers, std::span<double> products) override {
    const Index T = std::ssize(right_), K = problem_.labels_;
    const Table<double> slope = slope_.resize(T, K);
    for (Index t = 0; t < T; ++t) {
      const Label right = right_[at(t)], wrong = y[at(t)];
      if (right == wrong) continue;
      for (Index s = 0; s < T; ++s) {
        slope[s][right] -= square(t, s, right);
        slope[s][wrong] += square(t, s, wrong);
      }
    }
    each_pair(right_, y.data(), [&](Index cell, double sign) { pair_slope_[at(cell)] -= sign; });
    price(slope_.view(), pair_slope_.data(), answers, products);
    each_pair(right_, y.data(), [&](Index cell, double) { pair_slope_[at(cell)] = 0; });
  }

  void move(Index block, Table<const Label> answers, std::span<const double> by) override {
    const auto right = problem_.data_.answer(block);
    const Index T = std::ssize(right), first = problem_.data_.sequences[at(block)];
    parts_.clear();
    for (Index k = 0; k < answers.rows; ++k) {
      if (by[at(k)] != 0) parts_.push_back({answers[k], by[at(k)]});
    }
    if (parts_.empty()) return;
    for (Index t = 0; t < T; ++t) {
      collect(right[at(t)], t);
      if (!changes_.empty()) move_row(first + t);
    }
    for (const Part& part : parts_) {
      each_pair(right, part.y, [&](Index cell, double sign) {
        const Index f = problem_.transition_[at(cell)];
        sum(f) += sign * part.by;
        const auto energy = static_cast<R>(-clipped(f));
        pairwise_[0][cell] = energy;
        couplings_.set_minimum(0, cell / problem_.labels_, cell % problem_.labels_, energy);
      });
    }
  }

  void refresh() override {
    const FeatureIndex& emissions = problem_.model_.emissions;
    for (Index a = 0; a < emissions.rows(); ++a) {
      Index f = emissions.offsets[at(a)];
      for (Label l : emissions.row(a)) weights_[at(a * stride_) + l] = static_cast<R>(clipped(f++));
    }
    const Index K = problem_.labels_;
    for (Index cell = 0; cell < K * K; ++cell) {
      const Index f = problem_.transition_[at(cell)];
      if (f >= 0) pairwise_[0][cell] = static_cast<R>(-clipped(f));
    }
    couplings_.prepare_minima(pairwise_.view(), K);
  }

 private:
  static constexpr Index kSlack = 16;  // numbers that may be read behind the last row

  double cost(std::span<const Label> y) const {
    double total = 0;
    for (std::size_t t = 0; t < y.size(); ++t) total += costs_[static_cast<Index>(t)][y[t]];
    return total;
  }

  // Unary energies of the block at scale 1.
  void gather(Table<R> out) const {
    const SparseMatrix& x = problem_.data_.attributes;
    if constexpr (std::is_same_v<R, float>) {
      const detail::SparseLayout layout{problem_.labels_, stride_, problem_.model_.emissions.rows(),
                                        weights_.data(), nullptr};
      const detail::RowPlan plan{x.offsets.data(),          x.columns.data(), x.values.data(),
                                 problem_.no_pairs_.data(), nullptr,          nullptr,
                                 !x.values.empty()};
      detail::sparse_kernels().gather(layout, plan, first_, first_ + out.rows, -1, out.data, out.columns);
    } else {
      for (Index t = 0; t < out.rows; ++t) {
        const auto row = x.row(first_ + t);
        const auto values = x.row_values(first_ + t);
        for (std::size_t e = 0; e < row.size(); ++e) {
          const R* const weights = &weights_[at(static_cast<Index>(row[e]) * stride_)];
          const R value = values.empty() ? R(1) : static_cast<R>(values[e]);
          for (Index l = 0; l < out.columns; ++l) out[t][l] -= value * weights[l];
        }
      }
    }
  }

  // values[k] = E(y_k) - E(right) in these tables.
  template <class S>
  void price(Table<const S> unary, const S* pairwise, Table<const Label> answers,
             std::span<double> values) const {
    const Index T = std::ssize(right_), K = problem_.labels_;
    double of_right = 0;
    for (Index k = -1; k < answers.rows; ++k) {
      const Label* const y = k < 0 ? right_.data() : answers[k];
      double total = 0;
      for (Index t = 0; t < T; ++t) {
        total += static_cast<double>(unary[t][y[t]]);
        if (t > 0) total += static_cast<double>(pairwise[static_cast<Index>(y[t - 1]) * K + y[t]]);
      }
      if (k < 0) {
        of_right = total;
      } else {
        values[at(k)] = total - of_right;
      }
    }
  }

  double square(Index t, Index s, Label label) const {
    if (problem_.squares_begin_.empty()) return problem_.overlap(first_ + t, first_ + s, label);
    const Index T = std::ssize(right_);
    return static_cast<double>(problem_.squares_[at(problem_.squares_begin_[at(block_)] + t * T + s)]);
  }

  // Calls use(cell, 1 or -1) for the transitions of psi(y) that have a weight.
  template <class Use>
  void each_pair(std::span<const Label> right, const Label* y, Use use) const {
    const Index K = problem_.labels_;
    for (std::size_t t = 1; t < right.size(); ++t) {
      const Index taken = static_cast<Index>(right[t - 1]) * K + right[t],
                  wrong = static_cast<Index>(y[t - 1]) * K + y[t];
      if (taken == wrong) continue;
      if (problem_.transition_[at(taken)] >= 0) use(taken, 1);
      if (problem_.transition_[at(wrong)] >= 0) use(wrong, -1);
    }
  }

  // What a step changes at one position: label by label.
  void collect(Label right, Index t) {
    changes_.clear();
    double total = 0;
    for (const Part& part : parts_) {
      const Label wrong = part.y[t];
      if (wrong == right) continue;
      total += part.by;
      const auto same = std::find_if(changes_.begin(), changes_.end(),
                                     [&](const Change& change) { return change.label == wrong; });
      if (same != changes_.end()) {
        same->by -= part.by;
      } else {
        changes_.push_back({wrong, -part.by});
      }
    }
    if (!changes_.empty()) changes_.push_back({right, total});
  }

  void move_row(Index p) {
    const auto row = problem_.data_.attributes.row(p);
    const auto values = problem_.data_.attributes.row_values(p);
    const std::uint32_t* const offsets = problem_.model_.emissions.offsets.data();
    const bool plain = problem_.all_emissions_ && !has_signs();
    for (std::size_t e = 0; e < row.size(); ++e) {
      const auto a = static_cast<Index>(row[e]);
      const double value = values.empty() ? 1.0 : static_cast<double>(values[e]);
      R* const weights = &weights_[at(a * stride_)];
      if (plain) {
        double* const slopes = &sum(static_cast<Index>(offsets[a]));
        for (const Change& change : changes_)
          weights[change.label] = static_cast<R>(slopes[change.label] += value * change.by);
        continue;
      }
      for (const Change& change : changes_) {
        const Index f = problem_.feature(a, change.label);
        if (f < 0) continue;
        sum(f) += value * change.by;
        weights[change.label] = static_cast<R>(clipped(f));
      }
    }
  }

  struct Change {
    Label label;
    double by;
  };

  struct Part {
    const Label* y;
    double by;
  };

  const ChainMargins& problem_;
  Index stride_ = 0, block_ = 0, first_ = 0;
  std::span<const Label> right_;
  AlignedVector<R> weights_;  // [attributes x stride], clip(v)
  TableBuffer<R> pairwise_, unary_, augmented_;
  TableBuffer<double> costs_;  // of the block
  Couplings<R> couplings_;
  MinSum<R> minima_;
  TableBuffer<double> slope_;
  std::vector<double> pair_slope_;
  std::vector<Part> parts_;  // of a step
  std::vector<Change> changes_;
};

template <class R>
std::unique_ptr<MarginWorker> ChainMargins<R>::worker(std::span<const Sign> signs) const {
  return std::make_unique<Worker>(*this, signs);
}

template class ChainMargins<float>;
template class ChainMargins<double>;

}  // namespace thalweg
