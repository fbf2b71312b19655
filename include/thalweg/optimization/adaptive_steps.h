/// @file
/// Stochastic steps with a rate for each coordinate, on
///
///     f(x) + l2 |x|^2 + l1 |x|_1
///
/// of which only a noisy gradient of f is known. With g = that + 2 l2 x, each coordinate moves by its own
/// rate r_i, and then |x|_1 is minimised exactly along it (Duchi and Singer 2009), which gives exact zeros:
///
///     x_i <- shrink(x_i - r_i d_i, r_i l1)
///
/// Minimised exactly, |x|^2 would take a rare coordinate, whose rate is large, to 0 between two sights of it.
/// One whose g was always 0 stays. Adagrad (Duchi, Hazan and Singer 2011): d = g, r_i = rate / (sqrt(sum of
/// g_i^2 so far) + epsilon). Adam (Kingma and Ba 2015): d = running mean of g, r_i = rate / (sqrt(running
/// mean of g_i^2) + epsilon), both corrected for their start at 0; its rate falls with the square root of the
/// step number, without which it need not converge (their section 4).
///
///     AdaptiveSteps steps(x.size(), {.method = AdaptiveMethod::Adam, .rate = 0.01});
///     for (const Batch& batch : batches) steps.step(x, gradient_of(batch, x), l2, l1);
#pragma once

#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"

namespace thalweg {

enum class AdaptiveMethod { Adagrad, Adam };

struct AdaptiveOptions {
  AdaptiveMethod method = AdaptiveMethod::Adagrad;
  /// > 0. Adagrad is forgiving: 0.05 to 1, about the size that weights will have. Adam wants 0.001 to 0.05.
  double rate = 0.1;
  /// > 0; keeps the first steps finite.
  double epsilon = 1e-8;
  /// Of Adam's running means, in [0, 1).
  double mean_decay = 0.9, square_decay = 0.999;
  /// Steps until Adam's rate has fallen to rate / sqrt(2), > 0: those of a pass, say.
  double halving = 100;
};

/// What a run depends on beside x and the options.
struct AdaptiveState {
  std::vector<double> mean;     ///< [D] Adam's; empty for Adagrad
  std::vector<double> squares;  ///< [D] sum, or running mean, of g_i^2
  Index steps = 0;
};

class THALWEG_EXPORT AdaptiveSteps {
 public:
  /// @throws OptionError for values out of range
  explicit AdaptiveSteps(Index dimension, const AdaptiveOptions& options = {});

  /// One step from x [D] along `gradient` [D]. @pre l2, l1 >= 0. O(D); the same bits for any number of
  /// threads.
  void step(std::span<double> x, std::span<const double> gradient, double l2 = 0, double l1 = 0,
            int threads = 1);

  const AdaptiveState& state() const { return state_; }
  /// @throws InputError when its sizes do not fit
  void restore(AdaptiveState state);

 private:
  AdaptiveOptions options_;
  AdaptiveState state_;
};

}  // namespace thalweg
