#include "thalweg/io/checkpoint_file.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "thalweg/core/error.h"

namespace thalweg {
namespace {

template <class T>
std::vector<T> copied(const ArrayFile& file, const std::string& name) {
  const auto values = file.array<T>(name);
  return {values.begin(), values.end()};
}

// Numbers of a state that are no arrays, as one.
using Counts = std::vector<std::int64_t>;
using Figures = std::vector<double>;

std::array<std::uint64_t, 4> rng_state(const ArrayFile& file, const std::string& name) {
  const auto words = file.array<std::uint64_t>(name, {4});
  return {words[0], words[1], words[2], words[3]};
}

// --- L-BFGS

std::string pair_name(const char* what, std::size_t n) { return fmt::format("lbfgs/{}-{}", what, n); }

struct LbfgsNumbers {
  Counts counts;
  Figures figures, curvatures;
  explicit LbfgsNumbers(const LbfgsState& s)
      : counts{s.nonzeros, s.iterations, s.evaluations, static_cast<std::int64_t>(s.stop)},
        figures{s.scale, s.objective, s.gradient_norm, s.step_length} {
    for (const LbfgsPair& pair : s.history) curvatures.push_back(pair.curvature);
  }
};

void add(ArrayFileWriter& writer, const LbfgsState& s, const LbfgsNumbers& numbers) {
  writer.add("lbfgs/x", s.x);
  writer.add("lbfgs/gradient", s.gradient);
  writer.add("lbfgs/window", s.window);
  writer.add("lbfgs/counts", numbers.counts);
  writer.add("lbfgs/figures", numbers.figures);
  writer.add("lbfgs/curvatures", numbers.curvatures);
  for (std::size_t n = 0; n < s.history.size(); ++n) {
    writer.add(pair_name("step", n), s.history[n].step);
    writer.add(pair_name("change", n), s.history[n].change);
  }
}

LbfgsState lbfgs_state(const ArrayFile& file) {
  LbfgsState s;
  s.x = copied<double>(file, "lbfgs/x");
  s.gradient = copied<double>(file, "lbfgs/gradient");
  s.window = copied<double>(file, "lbfgs/window");
  const auto counts = file.array<std::int64_t>("lbfgs/counts", {4});
  s.nonzeros = counts[0], s.iterations = counts[1], s.evaluations = counts[2];
  s.stop = static_cast<LbfgsStop>(counts[3]);
  const auto figures = file.array<double>("lbfgs/figures", {4});
  s.scale = figures[0], s.objective = figures[1], s.gradient_norm = figures[2], s.step_length = figures[3];
  for (const double curvature : file.array<double>("lbfgs/curvatures")) {
    const std::size_t n = s.history.size();
    s.history.push_back({copied<double>(file, pair_name("step", n)),
                         copied<double>(file, pair_name("change", n)), curvature});
  }
  return s;
}

// --- the dual

void add(ArrayFileWriter& writer, const ExponentiatedGradientState& s) {
  writer.add("dual/theta", s.theta);
  writer.add("dual/theta-pairs", s.theta_pairs);
  writer.add("dual/eta", s.eta);
  writer.add("dual/order", s.order);
  writer.add("dual/rng", s.rng);
  writer.add("dual/weights", s.weights);
  writer.add("dual/norm", std::span(&s.norm, 1));
}

ExponentiatedGradientState dual_state(const ArrayFile& file) {
  ExponentiatedGradientState s;
  s.theta = copied<float>(file, "dual/theta");
  s.theta_pairs = copied<float>(file, "dual/theta-pairs");
  s.eta = copied<float>(file, "dual/eta");
  s.order = copied<Index>(file, "dual/order");
  s.rng = rng_state(file, "dual/rng");
  s.weights = copied<double>(file, "dual/weights");
  s.norm = file.array<double>("dual/norm", {1})[0];
  return s;
}

// --- online learners

void add(ArrayFileWriter& writer, const OnlineState& s) {
  writer.add("online/weights", s.weights);
  writer.add("online/weighted", s.weighted);
  writer.add("online/order", s.order);
  writer.add("online/rng", s.rng);
  writer.add("online/step", std::span(&s.step, 1));
}

OnlineState online_state(const ArrayFile& file) {
  OnlineState s;
  s.weights = copied<double>(file, "online/weights");
  s.weighted = copied<double>(file, "online/weighted");
  s.order = copied<Index>(file, "online/order");
  s.rng = rng_state(file, "online/rng");
  s.step = file.array<double>("online/step", {1})[0];
  return s;
}

// --- minibatches

// Markov chains one after another.
struct FlatChains {
  std::vector<Label> labels;
  std::vector<Index> lengths;
  explicit FlatChains(const PersistentChains& chains) {
    for (const auto& y : chains) {
      labels.insert(labels.end(), y.begin(), y.end());
      lengths.push_back(std::ssize(y));
    }
  }
};

PersistentChains chains(const ArrayFile& file) {
  const auto labels = file.array<Label>("minibatch/chains");
  PersistentChains chains;
  std::size_t at = 0;
  for (const Index length : file.array<Index>("minibatch/lengths")) {
    if (length < 0 || static_cast<std::size_t>(length) > labels.size() - at)
      throw ModelError("minibatch/lengths", "they are longer than what they measure", "");
    const auto y = labels.subspan(at, static_cast<std::size_t>(length));
    chains.emplace_back(y.begin(), y.end());
    at += y.size();
  }
  return chains;
}

void add(ArrayFileWriter& writer, const MinibatchState& s, const FlatChains& flat) {
  writer.add("minibatch/weights", s.weights);
  writer.add("minibatch/order", s.order);
  writer.add("minibatch/rng", s.rng);
  writer.add("minibatch/mean", s.steps.mean);
  writer.add("minibatch/squares", s.steps.squares);
  writer.add("minibatch/steps", std::span(&s.steps.steps, 1));
  writer.add("minibatch/round", std::span(&s.round, 1));
  writer.add("minibatch/chains", flat.labels);
  writer.add("minibatch/lengths", flat.lengths);
}

MinibatchState minibatch_state(const ArrayFile& file) {
  MinibatchState s;
  s.weights = copied<double>(file, "minibatch/weights");
  s.order = copied<Index>(file, "minibatch/order");
  s.rng = rng_state(file, "minibatch/rng");
  s.steps.mean = copied<double>(file, "minibatch/mean");
  s.steps.squares = copied<double>(file, "minibatch/squares");
  s.steps.steps = file.array<Index>("minibatch/steps", {1})[0];
  s.round = file.array<std::uint64_t>("minibatch/round", {1})[0];
  s.persistent = chains(file);
  return s;
}

TrainState read(const ArrayFile& file) {
  TrainState s;
  s.fingerprint = file.text("fingerprint");
  s.stopped = file.text("stopped");
  const auto counts = file.array<std::int64_t>("counts", {2});
  s.iterations = counts[0], s.evaluations = counts[1];
  const auto figures = file.array<double>("figures", {5});
  s.objective = figures[0], s.dual = figures[1], s.gap_by_rise = figures[2];
  s.seconds = figures[3], s.cpu_seconds = figures[4];
  const auto watch = file.array<double>("watch/figures", {2});
  s.watch.best = watch[0], s.watch.best_f1 = watch[1];
  s.watch.best_iteration = file.array<std::int64_t>("watch/iteration", {1})[0];
  s.watch.best_weights = copied<double>(file, "watch/weights");
  if (file.find("lbfgs/x")) {
    s.learner = lbfgs_state(file);
  } else if (file.find("dual/theta")) {
    s.learner = dual_state(file);
  } else if (file.find("minibatch/weights")) {
    s.learner = minibatch_state(file);
  } else {
    s.learner = online_state(file);
  }
  return s;
}

}  // namespace

void save_checkpoint(const TrainState& s, const std::string& path) {
  const Counts counts{s.iterations, s.evaluations};
  const Figures figures{s.objective, s.dual, s.gap_by_rise, s.seconds, s.cpu_seconds},
      watch{s.watch.best, s.watch.best_f1};
  ArrayFileWriter writer(kCheckpointFormat);
  writer.add_text("fingerprint", s.fingerprint);
  writer.add_text("stopped", s.stopped);
  writer.add("counts", counts);
  writer.add("figures", figures);
  writer.add("watch/figures", watch);
  writer.add("watch/iteration", std::span(&s.watch.best_iteration, 1));
  writer.add("watch/weights", s.watch.best_weights);
  // Numbers of L-BFGS that are gathered for the writer, which borrows.
  const auto* const lbfgs = std::get_if<LbfgsState>(&s.learner);
  const LbfgsNumbers numbers(lbfgs ? *lbfgs : LbfgsState{});
  if (lbfgs) add(writer, *lbfgs, numbers);
  if (const auto* dual = std::get_if<ExponentiatedGradientState>(&s.learner)) add(writer, *dual);
  if (const auto* online = std::get_if<OnlineState>(&s.learner)) add(writer, *online);
  const auto* const batches = std::get_if<MinibatchState>(&s.learner);
  const FlatChains flat(batches ? batches->persistent : PersistentChains{});
  if (batches) add(writer, *batches, flat);
  writer.write(path);
}

TrainState load_checkpoint(const std::string& path) {
  try {
    return read(ArrayFile::open(path, kCheckpointFormat));
  } catch (const ModelError& error) {
    throw ModelError(error.where(), error.problem(), "leave --resume out to train from the start");
  }
}

}  // namespace thalweg
