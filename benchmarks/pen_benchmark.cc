// Continuous answers: pen trajectories cleaned of noise by the energy of energy/trajectory_energy.h.
//
//     pen_benchmark [pen.svg]       needs THALWEG_DATA; prints tables, draws a digit a class where a path is
//     given
//
// Noise of kNoise pixels a coordinate goes on digits of pendigits-orig.tes, written by hands that the
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

constexpr double kNoise = 3;
constexpr std::size_t kDigits = 500;  // each of training and test

using Trajectory = std::vector<double>;  // x_0 y_0 x_1 y_1 ...

struct Stroke {
  Trajectory clean, noisy;
};
struct Digit {
  char label;
  std::vector<Stroke> strokes;
};

// `count` digits at even distances through the file, so that every writer has his share.
std::vector<Digit> noisy_digits(const std::vector<PenDigit>& all, std::size_t count, const Rng& rng) {
  std::vector<Digit> digits;
  for (std::size_t n = 0; n < count; ++n) {
    const std::size_t chosen = n * all.size() / count;
    Rng noise = rng.fork(chosen);
    Digit& digit = digits.emplace_back(Digit{all[chosen].label, {}});
    for (const PenStroke& pen : all[chosen].strokes) {
      Stroke& stroke = digit.strokes.emplace_back();
      for (const PenPoint& p : pen) stroke.clean.insert(stroke.clean.end(), {double(p.x), double(p.y)});
      for (double c : stroke.clean) stroke.noisy.push_back(c + kNoise * noise.normal());
    }
  }
  return digits;
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

double squared_distance(const Trajectory& a, const Trajectory& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

// The error of `denoise`, which gets a noisy trajectory to change.
template <class Denoise>
double error(const std::vector<Digit>& digits, Denoise denoise) {
  double sum = 0;
  std::size_t count = 0;
  for (const Digit& digit : digits) {
    for (const Stroke& stroke : digit.strokes) {
      Trajectory y = stroke.noisy;
      denoise(y);
      sum += squared_distance(y, stroke.clean), count += y.size();
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

void smooth(const BendPrior& prior, Trajectory& y) {
  const Trajectory x = y;
  TrajectorySmoother().minimize(TrajectoryEnergy(x, kNoise, prior), y);
}

// The lowest value of `f` over factors of 2^(1/4) around `start`, and where.
template <class F>
std::pair<double, double> best_factor(double start, F f) {
  std::pair<double, double> best{kInfinity<double>, start};
  for (int k = -12; k <= 8; ++k) {
    const double at = start * std::exp2(k / 4.0);
    best = std::min(best, {f(at), at});
  }
  return best;
}

// The scale, and of the given tails the one, of least error on `digits`.
BendPrior least_error(const std::vector<Digit>& digits, double scale, const std::vector<double>& tails) {
  double lowest = kInfinity<double>;
  BendPrior best;
  for (double tail : tails) {
    const auto [e, c] = best_factor(scale, [&](double at) {
      return error(digits, [&](Trajectory& y) { smooth({at, tail}, y); });
    });
    if (e < lowest) lowest = e, best = {c, tail};
  }
  return best;
}

struct Langevins {
  int steps = 2000;
  double burn_in = 0.25;  // of them, in rounds that fit the step size
};

// The mean of exp(-E), sampled from the minimum on. Steps are fitted to accept 57 % before any is counted.
void langevin_mean(const TrajectoryEnergy& energy, Rng rng, const Langevins& o, Trajectory& y) {
  constexpr int kRounds = 20;
  double step = 0.2 * energy.noise() * energy.noise();
  const auto run = [&](int steps, auto&& see) {
    Langevin langevin(static_cast<Index>(y.size()), {.step = step});
    langevin.start(energy, y);
    int taken = 0;
    for (int k = 0; k < steps; ++k) {
      taken += langevin.adjusted_step(energy, rng, y);
      see();
    }
    return static_cast<double>(taken) / steps;
  };
  const int round = std::max(1, static_cast<int>(o.burn_in * o.steps) / kRounds);
  for (int k = 0; k < kRounds; ++k) step *= std::exp(run(round, [] {}) - 0.57);
  const int counted = o.steps - kRounds * round;
  Trajectory sum(y.size());
  run(counted, [&] {
    for (std::size_t i = 0; i < y.size(); ++i) sum[i] += y[i];
  });
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = sum[i] / counted;
}

// Plain gradient descent, its step below what the sharpest bend allows.
void descend(const TrajectoryEnergy& energy, int steps, Trajectory& y) {
  const double bent = 1 / (kNoise * kNoise) + 16 * energy.prior().stiffness(0);
  Langevin descent(static_cast<Index>(y.size()), {.step = 1 / bent, .beta = kInfinity<double>});
  Rng silent;
  descent.start(energy, y);
  for (int k = 0; k < steps; ++k) descent.step(energy, silent, y);
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

template <class Denoise>
void report(const std::string& name, const std::vector<Digit>& digits, Denoise denoise) {
  const double begin = cpu_seconds();
  const double e = error(digits, denoise);
  const double us = 1e6 * (cpu_seconds() - begin) / static_cast<double>(digits.size());
  fmt::print("| {} | {:.3f} | {:.1f} |\n", name, e, us);
  std::fflush(stdout);
}

std::string describe(const BendPrior& prior) {
  return prior.tail < kInfinity<double> ? fmt::format("c = {:.2f}, nu = {:.2f}", prior.scale, prior.tail)
                                        : fmt::format("c = {:.2f}", prior.scale);
}

// The first digit of each class: as it was written in grey, its noisy samples as dots, denoised as a line.
template <class Denoise>
std::string picture(const std::vector<Digit>& digits, Denoise denoise) {
  constexpr double kPanel = 150, kInside = 112, kTop = 44, kColumns = 5;
  std::string out = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1}' viewBox='0 0 {0} {1}' "
      "font-family='sans-serif' font-size='13'>\n<style>\n"
      "polyline {{ fill: none; stroke-linecap: round; stroke-linejoin: round }}\n"
      ".true {{ stroke: #d3d9e3; stroke-width: 8 }}\n.clean {{ stroke: #16498f; stroke-width: 2 }}\n"
      ".noisy {{ fill: #e4572e; fill-opacity: 0.75 }}\n</style>\n"
      "<rect width='100%' height='100%' fill='white'/>\n",
      kColumns * kPanel, kTop + 2 * kPanel);
  const auto key = [&](double x, const std::string& mark, const char* name) {
    out += mark + fmt::format("<text x='{}' y='27' fill='#333'>{}</text>\n", x, name);
  };
  key(66, "<polyline class='true' points='28,22.5 54,22.5'/>", "as written");
  key(210,
      "<circle class='noisy' cx='182' cy='22' r='2'/><circle class='noisy' cx='190' cy='24' r='2'/>"
      "<circle class='noisy' cx='198' cy='21' r='2'/>",
      "noisy samples");
  key(376, "<polyline class='clean' points='338,22.5 364,22.5'/>", "mean of exp(-E) by Langevin");
  for (char label = '0'; label <= '9'; ++label) {
    const auto digit =
        std::find_if(digits.begin(), digits.end(), [&](const Digit& d) { return d.label == label; });
    if (digit == digits.end()) continue;
    double low[2] = {kInfinity<double>, kInfinity<double>}, high[2] = {-low[0], -low[0]};
    for (const Stroke& stroke : digit->strokes) {
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
    for (const Stroke& stroke : digit->strokes) line("true", stroke.clean);
    for (const Stroke& stroke : digit->strokes) {
      Trajectory y = stroke.noisy;
      denoise(y);
      line("clean", y);
      for (std::size_t t = 0; t < y.size() / 2; ++t) {
        const auto [px, py] = at(stroke.noisy, t);
        out += fmt::format("<circle class='noisy' cx='{:.1f}' cy='{:.1f}' r='1.8'/>\n", px, py);
      }
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
  const std::vector<Digit> train = noisy_digits(training, kDigits, Rng(1));
  const std::vector<Digit> test = noisy_digits(read_unipen(folder + "tes.gz"), kDigits, Rng(2));

  const std::vector<double> bends = training_bends(training, Rng(3));
  const BendPrior normal = fit_normal_bends(bends), student = fit_student_bends(bends);
  const BendPrior normal_tuned = least_error(train, normal.scale, {kInfinity<double>});
  const BendPrior student_tuned = least_error(train, student.scale, {1, 1.5, 2, 3, 4, 6, 10});
  std::size_t width = 0;
  double lowest = kInfinity<double>;
  for (std::size_t k = 0; k < 8; ++k) {
    const double e = error(train, [&](Trajectory& y) { y = moving_average(y, k); });
    if (e < lowest) lowest = e, width = k;
  }

  fmt::print("| {} test digits, noise of {} pixels | error, pixels | us a digit |\n|---|---|---|\n", kDigits,
             kNoise);
  report("noisy", test, [](Trajectory&) {});
  report(fmt::format("moving average of {}", 2 * width + 1), test,
         [&](Trajectory& y) { y = moving_average(y, width); });
  const auto minimum = [&](const std::string& name, const BendPrior& prior) {
    report(fmt::format("{} ({})", name, describe(prior)), test, [&](Trajectory& y) { smooth(prior, y); });
  };
  const auto mean = [&](const std::string& name, const BendPrior& prior, int steps) {
    std::uint64_t number = 0;
    report(fmt::format("{}, {} steps", name, steps), test, [&](Trajectory& y) {
      const Trajectory x = y;
      const TrajectoryEnergy energy(x, kNoise, prior);
      TrajectorySmoother().minimize(energy, y);
      langevin_mean(energy, Rng(4).fork(number++), {.steps = steps}, y);
    });
  };
  minimum("normal prior of highest likelihood: exact", normal);
  minimum("normal prior of least training error: exact", normal_tuned);
  mean("the same: Langevin mean", normal_tuned, 2000);
  minimum("Student prior of highest likelihood: minimum by reweighted solves", student);
  const auto by = [&](const std::string& name, auto minimize) {
    report("the same: " + name, test, [&](Trajectory& y) {
      const Trajectory x = y;
      minimize(TrajectoryEnergy(x, kNoise, student), y);
    });
  };
  by("L-BFGS", [](const TrajectoryEnergy& energy, Trajectory& y) { minimize_lbfgs(energy, y); });
  by("gradient descent, 500 steps",
     [](const TrajectoryEnergy& energy, Trajectory& y) { descend(energy, 500, y); });
  mean("the same: Langevin mean", student, 2000);
  minimum("Student prior of least training error: minimum by reweighted solves", student_tuned);
  mean("the same: Langevin mean", student_tuned, 2000);
  mean("the same: Langevin mean", student_tuned, 20000);
  if (argc > 1) {
    const std::string drawn = picture(test, [&](Trajectory& y) {
      const Trajectory x = y;
      langevin_mean(TrajectoryEnergy(x, kNoise, student), Rng(5), {.steps = 20000}, y);
    });
    write_file(argv[1], std::as_bytes(std::span(drawn)));
  }
} catch (const std::exception& e) {
  fmt::print(stderr, "pen_benchmark: {}\n", e.what());
  return 1;
}
