#include "training_log.h"

#include <unistd.h>

#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

namespace thalweg::app {
namespace {

void print_object(const TrainProgress& p) {
  nlohmann::ordered_json o{{"iteration", p.iteration},         {"evaluations", p.evaluations},
                           {"objective", p.objective},         {"active", p.active},
                           {"gradient_norm", p.gradient_norm}, {"seconds", p.seconds}};
  if (std::isfinite(p.dual)) o["dual"] = p.dual;
  if (p.dev_f1 >= 0) o["dev_f1"] = p.dev_f1, o["dev_accuracy"] = p.dev_accuracy;
  Output out;
  out << o.dump() << "\n";
  out.flush();
}

}  // namespace

std::string duration(double seconds) {
  if (seconds < 100) return fmt::format("{:.1f}s", seconds);
  const long s = std::lround(seconds);
  return s < 3600 ? fmt::format("{}m{:02}s", s / 60, s % 60)
                  : fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
}

TrainingLog::TrainingLog(bool json, bool mistakes) : json_(json), mistakes_(mistakes) {
  if (is_terminal(STDERR_FILENO)) progress_ = std::make_unique<ProgressLine>();
}

void TrainingLog::iteration(const TrainProgress& p) {
  std::string line = fmt::format("[{:3}]", p.iteration);
  if (mistakes_) {
    line += fmt::format(" mistakes={:.0f}", p.objective);
  } else if (std::isfinite(p.objective)) {
    line += fmt::format(" obj={:.2f}", p.objective);
    if (std::isfinite(p.dual)) line += fmt::format(" gap={:.3g}", p.objective - p.dual);
  } else {
    line += fmt::format(" obj>={:.2f}", p.dual);  // the dual bounds it from below
  }
  if (p.gradient_norm > 0) line += fmt::format(" |g|={:.3g}", p.gradient_norm);
  line += fmt::format(" act={}", p.active);
  if (p.dev_f1 >= 0) line += fmt::format(" dev={:.2f}%/{:.2f}", p.dev_accuracy, p.dev_f1);
  line += fmt::format(" time={}", duration(p.seconds));
  if (p.remaining >= 0) line += fmt::format(" eta={}", duration(p.remaining));
  if (progress_) {
    progress_->show(p.remaining < 0 ? 0 : p.seconds / (p.seconds + p.remaining + 1e-9), line);
  } else {
    fmt::print(stderr, "{}\n", line);
  }
  if (json_) print_object(p);
}

void print_summary(const TrainSummary& s, double seconds) {
  nlohmann::ordered_json summary{
      {"objective", s.objective},
      {"features", s.features},
      {"attributes", s.attributes},
      {"labels", s.labels},
      {"sequences", s.sequences},
      {"positions", s.positions},
      {"evaluations", s.evaluations},
      {"iterations", s.iterations},
      {"gradient_norm", s.gradient_norm},
      {"solver", name(s.used)},
      {"best_iteration", s.best_iteration},
      {"dev_f1", s.dev_f1 < 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(s.dev_f1)},
      {"seconds", seconds},
      {"cpu_seconds", static_cast<double>(std::clock()) / CLOCKS_PER_SEC},
      {"peak_bytes", peak_bytes()},
      {"stopped", s.stopped}};
  if (std::isfinite(s.dual)) {
    summary["primal"] = s.objective, summary["dual"] = s.dual, summary["gap"] = s.objective - s.dual;
  }
  Output out;
  out << summary.dump() << "\n";
  out.flush();
}

}  // namespace thalweg::app
