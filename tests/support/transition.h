/// @file
/// Markov chains on few states as matrices, and chi-square tests that code draws as a matrix says.
#pragma once

#include <cmath>
#include <map>
#include <vector>

#include "thalweg/inference/single_site.h"

namespace thalweg::testing {

using Matrix = std::vector<std::vector<double>>;

inline Matrix zeros(std::size_t n) { return Matrix(n, std::vector<double>(n, 0)); }

inline Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c = zeros(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t k = 0; k < a.size(); ++k) {
      for (std::size_t j = 0; a[i][k] != 0 && j < a.size(); ++j) c[i][j] += a[i][k] * b[k][j];
    }
  }
  return c;
}

/// The answers of finite energy, numbered, and their probabilities.
struct Support {
  std::vector<std::vector<Label>> answers;
  std::vector<double> p;
  std::map<std::vector<Label>, std::size_t> number;

  template <class S>
  Support(const S& s, double beta) {
    std::vector<double> energies;
    each_answer(s, [&](std::span<const Label> y) {
      const double e = energy(s, y);
      if (!(e < kInfinity<double>)) return;
      number.emplace(std::vector<Label>(y.begin(), y.end()), answers.size());
      answers.emplace_back(y.begin(), y.end());
      energies.push_back(e);
    });
    const double low = *std::min_element(energies.begin(), energies.end());
    double total = 0;
    for (double e : energies) total += std::exp(-beta * (e - low));
    for (double e : energies) p.push_back(std::exp(-beta * (e - low)) / total);
  }
  std::size_t size() const { return answers.size(); }
};

/// max |p M - p|
inline double drift(const std::vector<double>& p, const Matrix& m) {
  double worst = 0;
  for (std::size_t j = 0; j < p.size(); ++j) {
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] * m[i][j];
    worst = std::max(worst, std::abs(sum - p[j]));
  }
  return worst;
}
/// max |p_i M_ij - p_j M_ji|
inline double imbalance(const std::vector<double>& p, const Matrix& m) {
  double worst = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    for (std::size_t j = 0; j < p.size(); ++j)
      worst = std::max(worst, std::abs(p[i] * m[i][j] - p[j] * m[j][i]));
  }
  return worst;
}

/// The value that chi-square with `df` degrees of freedom exceeds once in 10^5 (Wilson and Hilferty 1931).
inline double chi_square_critical(double df) {
  const double z = 4.265, c = 2 / (9 * df);
  return df * std::pow(1 - c + z * std::sqrt(c), 3);
}

/// Chi-square over its critical value: above 1, `counts` were not drawn with the probabilities `expected`.
/// Cells that expect less than five are taken together; one that expects nothing and was drawn is infinite.
inline double chi_square_ratio(const std::vector<double>& counts, const std::vector<double>& expected) {
  double n = 0, chi = 0, rest = 0, rest_expected = 0, df = -1;
  for (double c : counts) n += c;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double e = n * expected[i];
    if (expected[i] == 0 && counts[i] > 0) return kInfinity<double>;
    if (e < 5) {
      rest += counts[i], rest_expected += e;
    } else {
      chi += (counts[i] - e) * (counts[i] - e) / e, ++df;
    }
  }
  if (rest_expected >= 1) chi += (rest - rest_expected) * (rest - rest_expected) / rest_expected, ++df;
  return df < 1 ? 0 : chi / chi_square_critical(df);
}

/// Frequencies of what `step(y)` makes of each of a few answers against the rows of `m`: the largest ratio.
template <class Step>
double worst_row(const Support& support, const Matrix& m, int draws, Step step) {
  double worst = 0;
  for (std::size_t i = 0; i < support.size(); i += 1 + support.size() / 7) {
    std::vector<double> counts(support.size(), 0);
    for (int n = 0; n < draws; ++n) {
      std::vector<Label> y = support.answers[i];
      step(std::span<Label>(y));
      ++counts[support.number.at(y)];
    }
    worst = std::max(worst, chi_square_ratio(counts, m[i]));
  }
  return worst;
}

}  // namespace thalweg::testing
