/// @file
/// The loss and its numbers, as options of commands that train.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "thalweg/learning/loss.h"

namespace thalweg::app {

struct LossOptions {
  std::string loss = "likelihood", cost;
  std::optional<double> beta, margin, epsilon, offset, ceiling, gamma;
  std::optional<Index> steps, samples;
};

/// All but `--loss` itself, which train has one of and compare a list.
void add_loss_options(CLI::App& app, LossOptions& options);

/// The loss of that name with what is given. @throws OptionError for a number that the loss does not have
Loss make_loss(const LossOptions& options, std::uint64_t seed);

/// The same for one of a list: numbers count for the losses that have them.
/// @throws OptionError only for a number out of range
Loss make_loss_of(const std::string& name, const LossOptions& options, std::uint64_t seed);

}  // namespace thalweg::app
