/// @file
/// An unfinished training on the disk, and what ends one early.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "thalweg/learning/train.h"

namespace thalweg::app {

/// While one lives, the first Ctrl-C or SIGTERM is noted here; a second one ends the program at once.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  static int signal();  ///< 0: there was none
};

/// Thrown to leave with the exit code of who was interrupted, 128 + signal, with everything said and done.
struct Interrupted {
  int signal;
};

/// Keeps the state of a training every so many seconds.
class Checkpoints {
 public:
  /// @param path empty: nothing is kept. @param every seconds, >= 0; 0: after every iteration. A state that
  /// takes long to write is written less often, so that it all takes a twentieth of the time at most.
  Checkpoints(std::string path, double every) : path_(std::move(path)), every_(every) {}

  /// The state to go on from, if there is one. Says so. @throws ModelError, IoError
  std::optional<TrainState> load() const;
  /// Says that there is one and how to use it, if so: another training will write over it.
  void mention() const;

  /// Keeps the state if it is time. A failure is said and does not end the training.
  void iteration(const TrainProgress& progress);
  /// Keeps the state now. @return whether it is there
  bool keep(const TrainProgress& progress);
  /// The training has ended.
  void remove() const;
  const std::string& path() const { return path_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  bool exists() const;

  std::string path_;
  double every_, cost_ = 0;  // seconds
  Time last_ = std::chrono::steady_clock::now();
  bool failed_ = false;
};

}  // namespace thalweg::app
