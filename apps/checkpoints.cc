#include "checkpoints.h"

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "terminal.h"
#include "thalweg/core/error.h"
#include "thalweg/io/checkpoint_file.h"

namespace thalweg::app {
namespace {

constexpr double kLeastShare = 19;  // seconds of training for one of writing

volatile std::sig_atomic_t received = 0;

extern "C" void on_interrupt(int signal) {
  received = signal;
  std::signal(signal, SIG_DFL);
}

double since(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - time).count();
}

}  // namespace

Interruption::Interruption() {
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
}

Interruption::~Interruption() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

int Interruption::signal() { return received; }

bool Checkpoints::exists() const { return !path_.empty() && std::filesystem::exists(path_); }

std::optional<TrainState> Checkpoints::load() const {
  if (!exists()) {
    fmt::print(stderr, "{}: there is no checkpoint; training begins at the start\n", path_);
    return std::nullopt;
  }
  TrainState state = load_checkpoint(path_);
  fmt::print(stderr, "{}: going on after iteration {}\n", path_, state.iterations);
  return state;
}

void Checkpoints::mention() const {
  if (exists())
    fmt::print(stderr, "{}: is of a training that did not end; --resume goes on from it\n", path_);
}

void Checkpoints::iteration(const TrainProgress& progress) {
  if (path_.empty() || failed_ || !progress.state) return;
  if (every_ == 0 || since(last_) >= std::max(every_, kLeastShare * cost_)) keep(progress);
}

bool Checkpoints::keep(const TrainProgress& progress) {
  if (path_.empty() || !progress.state) return false;
  const Time begin = std::chrono::steady_clock::now();
  try {
    save_checkpoint(progress.state(), path_);
  } catch (const IoError& error) {
    fmt::print(stderr, "thalweg: {}; going on without a checkpoint\n", error.what());
    failed_ = true;
    return false;
  }
  cost_ = since(begin);
  last_ = std::chrono::steady_clock::now();
  return true;
}

void Checkpoints::remove() const {
  std::error_code gone;
  if (exists()) std::filesystem::remove(path_, gone);
}

}  // namespace thalweg::app
