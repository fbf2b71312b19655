#include "thalweg/learning/label_noise.h"

#include <cmath>
#include <numeric>
#include <string>

#include "thalweg/core/error.h"

namespace thalweg {
namespace {

Label draw_one(Rng& rng, std::span<const double> p) {
  double left = rng.uniform();
  std::size_t l = 0;
  for (; l + 1 < p.size() && left >= p[l]; ++l) left -= p[l];
  while (l > 0 && p[l] == 0) --l;  // what rounding left
  return static_cast<Label>(l);
}

void normalise(std::span<double> row) {
  const double total = std::accumulate(row.begin(), row.end(), 0.0);
  for (double& p : row) p /= total;
}

void require_distribution(const std::string& what, std::span<const double> p, Index K) {
  if (static_cast<Index>(p.size()) != K)
    throw InputError(what, "has " + std::to_string(p.size()) + " labels of " + std::to_string(K),
                     "make it for the model's labels");
  double total = 0;
  bool fits = true;
  for (double one : p) total += one, fits = fits && one >= 0;
  if (fits && std::abs(total - 1) <= 1e-6) return;
  throw InputError(what, "is no distribution: it sums to " + std::to_string(total),
                   "probabilities are >= 0 and sum to 1");
}

}  // namespace

double LabelNoise::draw(Rng& rng, Index K, std::span<Label> y) const {
  for (std::size_t t = 0; t < y.size(); ++t) {
    y[t] = first.empty() ? static_cast<Label>(rng.below(static_cast<std::uint64_t>(K)))
                         : draw_one(rng, t == 0 ? std::span<const double>(first) : next.view().row(y[t - 1]));
  }
  return log_probability(K, y);
}

double LabelNoise::log_probability(Index K, std::span<const Label> y) const {
  if (first.empty()) return -static_cast<double>(y.size()) * std::log(static_cast<double>(K));
  double total = 0;
  for (std::size_t t = 0; t < y.size(); ++t) total += std::log(t == 0 ? first[y[0]] : next[y[t - 1]][y[t]]);
  return total;
}

void validate(const LabelNoise& noise, Index K) {
  if (noise.first.empty() && noise.next.rows() == 0) return;
  require_distribution("noise.first", noise.first, K);
  if (noise.next.rows() != K)
    throw InputError("noise.next",
                     "has " + std::to_string(noise.next.rows()) + " rows of " + std::to_string(K),
                     "make it for the model's labels");
  for (Index i = 0; i < K; ++i)
    require_distribution("noise.next[" + std::to_string(i) + "]", noise.next.view().row(i), K);
}

LabelNoise label_noise(const Dataset& data, Index K, double smoothing) {
  if (!(smoothing > 0 && std::isfinite(smoothing)))
    throw OptionError("smoothing", "is " + std::to_string(smoothing) + ", must be finite and > 0",
                      "0.1 is the default");
  LabelNoise noise{std::vector<double>(static_cast<std::size_t>(K), smoothing), {K, K, smoothing}};
  for (Index n = 0; n < data.size(); ++n) {
    const auto y = data.answer(n);
    for (std::size_t t = 0; t < y.size(); ++t) {
      if (y[t] == kNoLabel) continue;
      if (t == 0) ++noise.first[y[0]];
      if (t > 0 && y[t - 1] != kNoLabel) ++noise.next[y[t - 1]][y[t]];
    }
  }
  normalise(noise.first);
  for (Index i = 0; i < K; ++i) normalise(Table<double>(noise.next).row(i));
  return noise;
}

}  // namespace thalweg
