/// @file
/// What the margin solvers share.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "thalweg/core/parallel.h"
#include "thalweg/learning/margin_solver.h"

namespace thalweg {

/// The oracle called for every block at fixed weights.
class OraclePass {
 public:
  OraclePass(const MarginProblem& problem, std::span<const Sign> signs, int threads);

  /// Calls use(block, offence, y) for each block at w = clip(sums), on several threads and in no order.
  template <class Use>
  void run(std::span<const double> sums, Use use) {
    prepare(sums);
    parallel_chunks(problem_.blocks(), kChunk, static_cast<int>(workers_.size()),
                    [&](Index begin, Index end, int slot) {
                      MarginWorker& worker = *workers_[static_cast<std::size_t>(slot)];
                      std::vector<Label>& y = answers_[static_cast<std::size_t>(slot)];
                      for (Index i = begin; i < end; ++i) {
                        worker.visit(i);
                        y.resize(problem_.right(i).size());
                        const Offence offence = worker.most_offending(y);
                        use(i, offence, std::span<const Label>(y));
                      }
                    });
  }
  /// |w|^2 of the last run.
  double squared_norm() const { return workers_[0]->squared_norm(); }

 private:
  static constexpr Index kChunk = 64;
  void prepare(std::span<const double> sums);

  const MarginProblem& problem_;
  std::vector<std::unique_ptr<MarginWorker>> workers_;  // one a thread
  std::vector<std::vector<Label>> answers_;
};

/// A run under way: what its passes have come to.
class MarginRun {
 public:
  MarginRun(const MarginProblem& problem, const MarginOptions& options, const MarginCallback& callback);

  /// Measures P at w = clip(sums) from the bounds that the oracle vouches for, and keeps the best w. A pass
  /// of the oracle; its sums have the same bits for any number of threads.
  void certify(std::span<const double> sums);
  /// The same from [n] bounds of the losses at these weights.
  void certify(std::span<const double> sums, std::span<const double> bounds);
  /// Ends a pass. @param certified whether it has measured the primal. @return whether to go on
  bool report(double dual, bool certified, double estimate);
  bool last_pass() const { return summary.passes + 1 >= options.passes; }

  const MarginProblem& problem;
  const MarginOptions& options;
  std::vector<double> shares;  ///< [n] c_i, which sum to 1
  OraclePass oracle;
  MarginSummary summary;

 private:
  const MarginCallback& callback_;
  std::vector<double> bounds_;
};

void run_method(MarginRun& run, const BlockFrankWolfe& method);
void run_method(MarginRun& run, const CuttingPlane& method);
void run_method(MarginRun& run, const SubgradientDescent& method);

}  // namespace thalweg
