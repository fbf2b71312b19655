/// @file
/// What `train` shows of its iterations and of their end.
#pragma once

#include <memory>
#include <string>

#include "terminal.h"
#include "thalweg/learning/train.h"

namespace thalweg::app {

/// "12.3s", "4m05s", "1h20m".
std::string duration(double seconds);

/// Shows the iterations: a line that moves on a terminal, lines elsewhere, objects on standard output for
/// machines.
class TrainingLog {
 public:
  /// @param mistakes whether objectives are such
  TrainingLog(bool json, bool mistakes);

  void iteration(const TrainProgress& progress);
  void end() { progress_.reset(); }

 private:
  bool json_, mistakes_;
  std::unique_ptr<ProgressLine> progress_;
};

/// One object on standard output. @param seconds from reading to writing
void print_summary(const TrainSummary& summary, double seconds);

}  // namespace thalweg::app
