#include "loss_options.h"

#include <fmt/format.h>

#include "thalweg/core/error.h"

namespace thalweg::app {
namespace {

TaskCost cost_named(const std::string& name) {
  if (name == "hamming-mean") return HammingMeanCost{};
  if (name == "spans") return SpanCost{};  // training fills it in for the labels
  return HammingCost{};
}

// Takes over what is given into a loss, and says what it could not take.
class Settings {
 public:
  explicit Settings(Loss& loss) : loss_(loss) {}

  template <class T, class Field>
  void set(const char* option, const std::optional<T>& value, Field field) {
    if (!value) return;
    const bool taken = std::visit(
        [&](auto& one) {
          if constexpr (requires { field(one) = *value; }) {
            field(one) = *value;
            return true;
          }
          return false;
        },
        loss_);
    if (!taken) refused_ = option;
  }
  const char* refused() const { return refused_; }

 private:
  Loss& loss_;
  const char* refused_ = nullptr;
};

const char* apply(const LossOptions& o, Loss& loss) {
  Settings settings(loss);
  const std::optional<TaskCost> cost =
      o.cost.empty() ? std::nullopt : std::optional<TaskCost>(cost_named(o.cost));
  settings.set("cost", cost, [](auto& l) -> decltype((l.cost)) { return l.cost; });
  settings.set("beta", o.beta, [](auto& l) -> decltype((l.beta)) { return l.beta; });
  settings.set("margin", o.margin, [](auto& l) -> decltype((l.margin)) { return l.margin; });
  settings.set("epsilon", o.epsilon, [](auto& l) -> decltype((l.epsilon)) { return l.epsilon; });
  settings.set("offset", o.offset, [](auto& l) -> decltype((l.offset)) { return l.offset; });
  settings.set("ceiling", o.ceiling, [](auto& l) -> decltype((l.ceiling)) { return l.ceiling; });
  settings.set("gamma", o.gamma, [](auto& l) -> decltype((l.gamma)) { return l.gamma; });
  settings.set("steps", o.steps, [](auto& l) -> decltype((l.steps)) { return l.steps; });
  settings.set("samples", o.samples, [](auto& l) -> decltype((l.samples)) { return l.samples; });
  return settings.refused();
}

}  // namespace

void add_loss_options(CLI::App& app, LossOptions& o) {
  app.add_option(
         "--cost", o.cost,
         "What margin losses with a task cost weigh mistakes by: hamming, the number of wrong tokens; "
         "hamming-mean, their share; spans, a bound on wrong spans [hamming]")
      ->check(CLI::IsMember({"hamming", "hamming-mean", "spans"}))
      ->option_text("hamming|hamming-mean|spans [hamming]");
  app.add_option("--beta", o.beta, "Inverse temperature of losses that have one, > 0 [1]");
  app.add_option("--margin", o.margin, "Of hinge and square-square, > 0 [1]");
  app.add_option("--epsilon", o.epsilon, "Of direct, > 0; 1 is ramp [1]");
  app.add_option(
      "--offset", o.offset,
      "Of square-square and square-exponential: added to energies, which must not be below 0 there");
  app.add_option("--ceiling", o.ceiling, "Of lvq2, > 0: no mistake counts more [1]");
  app.add_option("--gamma", o.gamma, "Of square-exponential, > 0 [1]");
  app.add_option("--cd-steps", o.steps, "Of contrastive divergence: sweeps of Gibbs sampling, >= 1 [1]");
  app.add_option("--noise-samples", o.samples, "Of ranking-noise: drawn answers a sentence, >= 1 [8]");
}

Loss make_loss_of(const std::string& name, const LossOptions& options, std::uint64_t seed) {
  Loss loss = loss_named(name);
  apply(options, loss);
  std::visit(
      [&](auto& one) {
        if constexpr (requires { one.seed; }) one.seed = seed;
      },
      loss);
  return loss;
}

Loss make_loss(const LossOptions& options, std::uint64_t seed) {
  Loss loss = make_loss_of(options.loss, options, seed);
  if (const char* const refused = apply(options, loss))
    throw OptionError(refused, fmt::format("the loss {} has none", options.loss), "leave it out");
  return loss;
}

}  // namespace thalweg::app
