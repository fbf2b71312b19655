// Continuous answers: pen trajectories cleaned of noise by the energy of energy/trajectory_energy.h.
//
//     pen_benchmark [pen.svg]       needs THALWEG_DATA; prints tables, draws a digit a class where a path is
//     given
//
// Noise of 1.5, 3 and 6 pixels a coordinate goes on digits of pendigits-orig.tes, written by hands that the
// training file lacks. Errors are root mean squares a coordinate. All that is chosen is chosen on training
// digits: the priors of highest likelihood, or of least error after noise was added there too.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "thalweg/core/random.h"
#include "thalweg/energy/trajectory_energy.h"
#include "thalweg/inference/langevin.h"
#include "thalweg/inference/trajectory_smoother.h"
#include "thalweg/io/atomic_file.h"
#include "thalweg/io/unipen_reader.h"
#include "thalweg/optimization/lbfgs.h"

using namespace thalweg;

namespace {

constexpr std::size_t kDigits = 500;  // each of training and test
constexpr int kSteps = 1000;          // of Langevin

using Trajectory = std::vector<double>;  // x_0 y_0 x_1 y_1 ...

struct Stroke {
  Trajectory clean, noisy;
  std::size_t digit;  // its place in the file
  char label;
};

// The strokes of kDigits digits at even distances through the file, so that every writer has a share.
std::vector<Stroke> noisy_strokes(const std::vector<PenDigit>& digits, double noise, const Rng& rng) {
  std::vector<Stroke> strokes;
  for (std::size_t n = 0; n < kDigits; ++n) {
    const std::size_t chosen = n * digits.size() / kDigits;
    Rng own = rng.fork(chosen);
    for (const PenStroke& pen : digits[chosen].strokes) {
      Stroke& stroke = strokes.emplace_back();
      stroke.digit = chosen, stroke.label = digits[chosen].label;
      for (const PenPoint& p : pen) stroke.clean.insert(stroke.clean.end(), {double(p.x), double(p.y)});
      for (double c : stroke.clean) stroke.noisy.push_back(c + noise * own.normal());
    }
  }
  return strokes;
}

// Bends of all digits. Samples are rounded to pixels; the noise of a pixel's width gives them a density.
std::vector<double> training_bends(const std::vector<PenDigit>& all, Rng rng) {
  std::vector<double> squared;
  Trajectory y;
  for (const PenDigit& digit : all) {
    for (const PenStroke& stroke : digit.strokes) {
      y.clear();
      for (const PenPoint& p : stroke)
        y.insert(y.end(), {p.x + rng.uniform() - 0.5, p.y + rng.uniform() - 0.5});
      squared_bends(y, squared);
    }
  }
  return squared;
}

// Of `denoise`, a function from a stroke to its trajectory.
template <class Denoise>
std::vector<Trajectory> all_of(const std::vector<Stroke>& strokes, Denoise denoise) {
  std::vector<Trajectory> answers;
  for (const Stroke& stroke : strokes) answers.push_back(denoise(stroke));
  return answers;
}

// The error of answers at points where the true trajectory bends by |d|^2 >= `corner`; 0 takes all points.
double error(const std::vector<Stroke>& strokes, const std::vector<Trajectory>& answers, double corner = 0) {
  double sum = 0;
  std::size_t count = 0;
  std::vector<double> bends;
  for (std::size_t s = 0; s < strokes.size(); ++s) {
    const Trajectory& clean = strokes[s].clean;
    bends.assign(1, 0);  // the ends have none
    squared_bends(clean, bends);
    bends.resize(clean.size() / 2);
    for (std::size_t i = 0; i < clean.size(); ++i) {
      if (bends[i / 2] < corner) continue;
      sum += (answers[s][i] - clean[i]) * (answers[s][i] - clean[i]), ++count;
    }
  }
  return std::sqrt(sum / static_cast<double>(count));
}

// The mean of the 2 k + 1 points around each; of fewer, but as many on both sides, at the ends.
Trajectory moving_average(const Trajectory& x, std::size_t k) {
  Trajectory y(x.size());
  const std::size_t points = x.size() / 2;
  for (std::size_t t = 0; t < points; ++t) {
    const std::size_t reach = std::min({k, t, points - 1 - t});
    for (std::size_t u = t - reach; u <= t + reach; ++u) {
      for (std::size_t i = 0; i < 2; ++i) y[2 * t + i] += x[2 * u + i] / static_cast<double>(2 * reach + 1);
    }
  }
  return y;
}

Trajectory smooth(const Trajectory& x, double noise, const BendPrior& prior) {
  Trajectory y = x;
  TrajectorySmoother().minimize(TrajectoryEnergy(x, noise, prior), y);
  return y;
}

// The scale near `scale`, and of the given tails the one, of least error on `strokes`.
BendPrior least_error(const std::vector<Stroke>& strokes, double noise, double scale,
                      const std::vector<double>& tails) {
  double lowest = kInfinity<double>;
  BendPrior best;
  for (double tail : tails) {
    for (int k = -8; k <= 8; ++k) {
      const BendPrior prior{scale * std::exp2(k / 4.0), tail};
      const double e =
          error(strokes, all_of(strokes, [&](const Stroke& s) { return smooth(s.noisy, noise, prior); }));
      if (e < lowest) lowest = e, best = prior;
    }
  }
  return best;
}

// Plain gradient descent, its step below what the sharpest bend allows.
void descend(const TrajectoryEnergy& energy, int steps, Trajectory& y) {
  const double bent = 1 / (energy.noise() * energy.noise()) + 16 * energy.prior().stiffness(0);
  Langevin descent(static_cast<Index>(y.size()), {.step = 1 / bent, .beta = kInfinity<double>});
  Rng silent;
  descent.start(energy, y);
  for (int k = 0; k < steps; ++k) descent.step(energy, silent, y);
}

// Samples of exp(-E): adjusted Langevin from the minimum on, whitened there. Its first quarter fits the step
// size to accept 57 %, as is best in high dimensions (Roberts and Rosenthal 1998), and is not seen.
template <class See>
void sample(const TrajectoryEnergy& energy, int steps, Rng rng, See see) {
  const Trajectory x(energy.x().begin(), energy.x().end());
  Trajectory minimum = x, y(x.size()), z(x.size());
  TrajectorySmoother smoother;
  smoother.minimize(energy, minimum);
  smoother.factor(energy, minimum);
  const auto go_to = [&](std::span<const double> at) {
    std::copy(at.begin(), at.end(), y.begin());
    smoother.unwhiten(y);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += minimum[i];
  };
  const auto whitened = [&](std::span<const double> at, std::span<double> gradient) {
    go_to(at);
    const double e = energy(y, gradient);
    smoother.whiten_gradient(gradient);
    return e;
  };
  double step = 0.4;
  const auto run = [&](int count, auto&& each) {
    Langevin langevin(static_cast<Index>(z.size()), {.step = step});
    langevin.start(whitened, z);
    int taken = 0;
    for (int k = 0; k < count; ++k) {
      taken += langevin.adjusted_step(whitened, rng, z);
      each();
    }
    return static_cast<double>(taken) / count;
  };
  const int round = std::max(1, steps / 80);
  for (int k = 0; k < 20; ++k) step *= std::exp(run(round, [] {}) - 0.57);
  run(std::max(1, steps - 20 * round), [&] {
    go_to(z);
    see(y);
  });
}

struct Moments {
  Trajectory mean, deviation;
};
Moments posterior(const TrajectoryEnergy& energy, int steps, const Rng& rng) {
  Moments m{Trajectory(energy.x().size()), Trajectory(energy.x().size())};
  double count = 0;
  sample(energy, steps, rng, [&](const Trajectory& y) {
    ++count;
    for (std::size_t i = 0; i < y.size(); ++i) {  // Welford
      const double off = y[i] - m.mean[i];
      m.mean[i] += off / count, m.deviation[i] += off * (y[i] - m.mean[i]);
    }
  });
  for (double& d : m.deviation) d = std::sqrt(d / count);
  return m;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::string describe(const BendPrior& prior) {
  return prior.tail < kInfinity<double> ? fmt::format("c = {:.2f}, nu = {:.2f}", prior.scale, prior.tail)
                                        : fmt::format("c = {:.2f}", prior.scale);
}

class Comparison {
 public:
  Comparison(const std::vector<PenDigit>& training, const std::vector<PenDigit>& testing, double noise)
      : noise_(noise),
        train_(noisy_strokes(training, noise, Rng(1))),
        test_(noisy_strokes(testing, noise, Rng(2))) {}

  // `bends` of clean training digits, ascending.
  void print(const std::vector<double>& bends) {
    corner_ = bends[bends.size() * 95 / 100];
    fmt::print(
        "| {} test digits, noise of {} pixels | error, pixels | at corners | us a digit |\n"
        "|---|---|---|---|\n",
        kDigits, noise_);
    row("noisy", [](const Stroke& s) { return s.noisy; });
    const std::size_t k = best_reach();
    row(fmt::format("moving average of {}", 2 * k + 1),
        [&](const Stroke& s) { return moving_average(s.noisy, k); });

    const BendPrior normal = fit_normal_bends(bends), student = fit_student_bends(bends);
    smoothed("normal prior of highest likelihood, exact minimum", normal);
    sampled(normal);
    smoothed("normal prior of least training error, exact minimum",
             least_error(train_, noise_, normal.scale, {kInfinity<double>}));
    smoothed("Student prior of highest likelihood, minimum by reweighted solves", student);
    searched("L-BFGS", student, [](const auto& energy, Trajectory& y) { minimize_lbfgs(energy, y); });
    searched("500 steps of gradient descent", student,
             [](const auto& energy, Trajectory& y) { descend(energy, 500, y); });
    sampled(student);
    const BendPrior tuned = least_error(train_, noise_, student.scale, {1, 2, 4, 8, 16});
    smoothed("Student prior of least training error, minimum by reweighted solves", tuned);
    sampled(tuned);
    fmt::print("\n");
  }

 private:
  // Half the width, less a half, of the moving average of least training error.
  std::size_t best_reach() const {
    std::pair<double, std::size_t> best{kInfinity<double>, 0};
    for (std::size_t k = 0; k < 8; ++k) {
      const auto averages = all_of(train_, [&](const Stroke& s) { return moving_average(s.noisy, k); });
      best = std::min(best, {error(train_, averages), k});
    }
    return best.second;
  }

  template <class Denoise>
  void row(const std::string& name, Denoise denoise) const {
    const double begin = cpu_seconds();
    const std::vector<Trajectory> answers = all_of(test_, denoise);
    const double us = 1e6 * (cpu_seconds() - begin) / kDigits;
    fmt::print("| {} | {:.3f} | {:.3f} | {:.1f} |\n", name, error(test_, answers),
               error(test_, answers, corner_), us);
    std::fflush(stdout);
  }
  void smoothed(const std::string& name, const BendPrior& prior) const {
    row(fmt::format("{}: {}", name, describe(prior)),
        [&](const Stroke& s) { return smooth(s.noisy, noise_, prior); });
  }
  template <class Minimize>
  void searched(const std::string& name, const BendPrior& prior, Minimize minimize) const {
    row("the same by " + name, [&](const Stroke& s) {
      Trajectory y = s.noisy;
      minimize(TrajectoryEnergy(s.noisy, noise_, prior), y);
      return y;
    });
  }
  void sampled(const BendPrior& prior) const {
    std::uint64_t number = 0;
    std::size_t within = 0, count = 0;
    row(fmt::format("its mean by {} steps of Langevin", kSteps), [&](const Stroke& s) {
      const Moments m = posterior(TrajectoryEnergy(s.noisy, noise_, prior), kSteps, Rng(4).fork(number++));
      for (std::size_t i = 0; i < m.mean.size(); ++i)
        within += std::abs(s.clean[i] - m.mean[i]) <= 2 * m.deviation[i], ++count;
      return m.mean;
    });
    fmt::print("| true coordinates within two of its deviations: {:.1f} % | | | |\n",
               100 * static_cast<double>(within) / static_cast<double>(count));
  }

  double noise_, corner_ = 0;
  std::vector<Stroke> train_, test_;
};

// The first digit of each class: as it was written in grey, its noisy samples as dots, draws of exp(-E) as
// faint lines and their mean as a bold one.
std::string picture(const std::vector<Stroke>& strokes, double noise, const BendPrior& prior) {
  constexpr double kPanel = 150, kInside = 112, kTop = 44, kColumns = 5;
  constexpr int kDraws = 8;
  std::string out = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1}' viewBox='0 0 {0} {1}' "
      "font-family='sans-serif' font-size='13'>\n<style>\n"
      "polyline, path {{ fill: none; stroke-linecap: round; stroke-linejoin: round }}\n"
      ".true {{ stroke: #d9dee7; stroke-width: 9 }}\n"
      ".draw {{ stroke: #3f7fd0; stroke-width: 0.7; stroke-opacity: 0.45 }}\n"
      ".clean {{ stroke: #123f7d; stroke-width: 2 }}\n"
      ".noisy {{ stroke: #e4572e; stroke-width: 3.6; stroke-opacity: 0.8 }}\n</style>\n"
      "<rect width='100%' height='100%' fill='white'/>\n",
      kColumns * kPanel, kTop + 2 * kPanel);
  const auto key = [&](int x, const char* mark, const char* name) {
    out += fmt::format("<g transform='translate({} 22)'>{}<text x='38' y='5' fill='#333'>{}</text></g>\n", x,
                       mark, name);
  };
  key(28, "<polyline class='true' points='4,0 28,0'/>", "as written");
  key(172, "<path class='noisy' d='M6,0h0M15,3h0M25,-2h0'/>", "noisy samples");
  key(338,
      "<polyline class='draw' points='2,-3 28,-1'/><polyline class='draw' points='2,0 28,-3'/>"
      "<polyline class='draw' points='2,2 28,3'/>",
      "draws of exp(-E)");
  key(520, "<polyline class='clean' points='2,0 28,0'/>", "their mean");
  for (char label = '0'; label <= '9'; ++label) {
    const auto begin =
        std::find_if(strokes.begin(), strokes.end(), [&](const Stroke& s) { return s.label == label; });
    const auto end =
        std::find_if(begin, strokes.end(), [&](const Stroke& s) { return s.digit != begin->digit; });
    const std::span<const Stroke> digit(begin, end);
    double low[2] = {kInfinity<double>, kInfinity<double>}, high[2] = {-low[0], -low[0]};
    for (const Stroke& stroke : digit) {
      for (std::size_t i = 0; i < stroke.clean.size(); ++i) {
        low[i % 2] = std::min(low[i % 2], stroke.clean[i]);
        high[i % 2] = std::max(high[i % 2], stroke.clean[i]);
      }
    }
    const double scale = kInside / std::max({high[0] - low[0], high[1] - low[1], 1.0});
    const double centre_x = (label - '0') % 5 * kPanel + kPanel / 2;
    const double centre_y = kTop + (label - '0') / 5 * kPanel + kPanel / 2;
    const auto at = [&](const Trajectory& y, std::size_t t) {
      return std::pair{centre_x + scale * (y[2 * t] - (low[0] + high[0]) / 2),
                       centre_y - scale * (y[2 * t + 1] - (low[1] + high[1]) / 2)};
    };
    const auto line = [&](const char* kind, const Trajectory& y) {
      out += fmt::format("<polyline class='{}' points='", kind);
      for (std::size_t t = 0; t < y.size() / 2; ++t) {
        const auto [px, py] = at(y, t);
        out += fmt::format("{}{:.1f},{:.1f}", t > 0 ? " " : "", px, py);
      }
      out += "'/>\n";
    };
    for (const Stroke& stroke : digit) line("true", stroke.clean);
    for (const Stroke& stroke : digit) {
      const TrajectoryEnergy energy(stroke.noisy, noise, prior);
      int number = 0;
      sample(energy, kSteps, Rng(5), [&](const Trajectory& y) {
        if (++number % (kSteps / (kDraws + 2)) == 0) line("draw", y);
      });
    }
    for (const Stroke& stroke : digit) {
      line("clean", posterior(TrajectoryEnergy(stroke.noisy, noise, prior), kSteps, Rng(5)).mean);
      out += "<path class='noisy' d='";
      for (std::size_t t = 0; t < stroke.noisy.size() / 2; ++t) {
        const auto [px, py] = at(stroke.noisy, t);
        out += fmt::format("M{:.1f},{:.1f}h0", px, py);
      }
      out += "'/>\n";
    }
  }
  return out += "</svg>\n";
}

}  // namespace

int main(int argc, char** argv) try {
  const char* const data = std::getenv("THALWEG_DATA");
  if (!data) {
    std::puts("THALWEG_DATA is not set: no pen trajectories to denoise");
    return 0;
  }
  const std::string folder = std::string(data) + "/pendigits_strokes/pendigits-orig.";
  const std::vector<PenDigit> training = read_unipen(folder + "tra.gz");
  const std::vector<PenDigit> testing = read_unipen(folder + "tes.gz");
  std::vector<double> bends = training_bends(training, Rng(3));
  std::sort(bends.begin(), bends.end());
  for (double noise : {1.5, 3.0, 6.0}) Comparison(training, testing, noise).print(bends);
  if (argc > 1) {
    const std::string drawn = picture(noisy_strokes(testing, 3, Rng(2)), 3, fit_student_bends(bends));
    write_file(argv[1], std::as_bytes(std::span(drawn)));
  }
} catch (const std::exception& e) {
  fmt::print(stderr, "pen_benchmark: {}\n", e.what());
  return 1;
}
