/// @file
/// The margin problem of a linear chain (learning/margin_problem.h): answers are labellings,
///
///     E(x, y; w) = - sum_t sum_{a in x_t} x_t(a) w(a, y_t) - sum_t w(y_t, y_{t+1}),
///
/// and the task cost is any that is a sum over positions (learning/task_cost.h).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/features/dataset.h"
#include "thalweg/learning/margin_problem.h"
#include "thalweg/learning/task_cost.h"
#include "thalweg/model/linear_chain.h"

namespace thalweg {

/// R is the scalar of tables: float for training; double for referees. Sums of slopes are double in both.
template <class R>
class THALWEG_EXPORT ChainMargins : public MarginProblem {
 public:
  /// The parameters are model.weights, in their order: those of its emissions and transitions. Both
  /// references must outlive this.
  /// @throws InputError where an answer is open or its label not in the model, a value or its square
  /// is not finite, or for a cost that does not fit the labels; OptionError for a model with other terms
  /// (attributes of pairs, contexts, vectors, constraints)
  ChainMargins(const Model& model, const Dataset& data, TaskCost cost = HammingCost{});
  ~ChainMargins() override;

  Index blocks() const override { return data_.size(); }
  Index parameters() const override { return parameters_; }
  double weight(Index block) const override { return data_.weight(block); }
  std::span<const Label> right(Index block) const override { return data_.answer(block); }
  std::unique_ptr<MarginWorker> worker(std::span<const Sign> signs) const override;

 private:
  class Worker;
  void check(const Model& model) const;
  void compare_positions();
  Index feature(Index attribute, Label label) const;
  double overlap(Index p, Index q, Label label) const;

  const Model& model_;
  const Dataset& data_;
  TaskCost cost_;
  Index labels_, parameters_;
  bool all_emissions_ = false;            // every attribute has a weight for every label
  std::vector<std::int32_t> transition_;  // [K x K] its number, or -1
  std::vector<Index> squares_begin_;      // [N] where x_s . x_t of a sequence's positions begins, or empty
  std::vector<float> squares_;
  std::vector<Index> no_pairs_;  // [positions + 1] zeros
};

}  // namespace thalweg
