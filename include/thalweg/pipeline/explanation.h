/// @file
/// Why a token has the label it has:
///
///     const Explanation why = explain(tagger, sentence, t);
///     why.margin;       // how much higher the lowest labelling with another label at t lies
///     why.factors[0];   // what says most about that
///
/// The margin at t is
///
///     m_t = min { E(y) : y_t != y*_t } - E(y*)
///
/// and the labelling that attains the minimum is the runner-up. Both energies are sums over features, so m_t
/// is the sum of the features' differences, exactly: no sampling, no surrogate model. Features of other
/// tokens take part, since the runner-up may change the labels around t as well.
#pragma once

#include <span>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/model/difference.h"
#include "thalweg/pipeline/tagger.h"

namespace thalweg {

struct Explanation {
  Index token = 0;                    ///< t
  std::vector<Label> best;            ///< [T] y*, what the tagger answers; empty where nothing is allowed
  std::vector<Label> runner_up;       ///< [T]; empty where no other label is allowed at t
  double energy = kInfinity<double>;  ///< of y*
  double margin = kInfinity<double>;  ///< m_t >= 0 up to rounding; +infinity without a runner-up
  double probability = 0;             ///< p(y_t = y*_t) at beta = 1
  Index begin = 0, end = 0;           ///< y* and the runner-up differ in [begin, end), which holds t, only
  std::vector<Factor> factors;        ///< y* against the runner-up, the largest |difference()| first
  /// margin - (sum of the factors' differences): what single precision loses in the tables, some 1e-6.
  double rounding = 0;
};

/// Explains tokens of one sentence after another; keeps its memory. One per thread; the Tagger must outlive
/// it.
class THALWEG_EXPORT Explainer {
 public:
  explicit Explainer(const Tagger& tagger) : tagger_(tagger), decoder_(tagger) {}

  /// O(T K^2). @throws InputError where a template reads a missing column
  void read(const Sentence& sentence);

  /// Why the tagger gives token t of the last `read` its label. O(T K^2): one more minimisation, in double,
  /// with y*_t taken away. @pre 0 <= t < sentence.size()
  /// @param against  asks "why not this label?": the runner-up is then the lowest labelling with that label
  /// at t (with y*_t, y* itself and a margin of 0)
  Explanation explain(Index t, Label against = kNoLabel);

 private:
  const Tagger& tagger_;
  Decoder decoder_;
  FeatureScratch scratch_;
  Dataset data_;
  std::vector<Label> best_;
  double energy_ = 0;
  std::vector<double> probabilities_;
  TableBuffer<double> unary_, pairwise_;
  Couplings<double> couplings_;
  MinSum<double> minima_;
};

/// One token. @pre 0 <= t < sentence.size() @throws InputError as Explainer::read
THALWEG_EXPORT Explanation explain(const Tagger& tagger, const Sentence& sentence, Index t);

}  // namespace thalweg
