#include "thalweg/learning/loss.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>

#include "core/require.h"
#include "thalweg/core/error.h"
#include "thalweg/learning/evaluate.h"

namespace thalweg {
namespace {

struct Row {
  std::string_view name, operation;
  bool convex, smooth;
};

// In the order of the variant.
constexpr Row kTable[] = {
    {"likelihood", "free_energy and marginals", true, true},
    {"perceptron", "minimize", true, false},
    {"energy", "energy", true, false},
    {"hinge", "minimize_excluding", true, false},
    {"log", "minimize_excluding", true, false},
    {"lvq2", "minimize_excluding", false, false},
    {"mce", "minimize_excluding", false, false},
    {"square-square", "minimize_excluding", true, false},
    {"square-exponential", "minimize_excluding", true, false},
    {"mee", "free_energy and marginals", false, true},
    {"structured-hinge", "minimize of an augmented structure", true, false},
    {"slack-hinge", "lowest_by_cost", true, false},
    {"softmax-margin", "free_energy and marginals of an augmented structure", true, true},
    {"ramp", "minimize of an augmented structure", false, false},
    {"direct", "minimize of an augmented structure", false, false},
    {"sparse-map", "sparse_map", true, false},
    {"contrastive-divergence", "site_energies", false, false},
    {"pseudo-likelihood", "site_energies", true, true},
    {"minimum-probability-flow", "site_energies", true, true},
    {"ratio-matching", "site_energies", false, true},
    {"ranking-noise", "energy of drawn labellings", true, true},
};
static_assert(std::size(kTable) == std::variant_size_v<Loss>);
constexpr std::string_view kPersistent = "persistent-contrastive-divergence";

template <std::size_t... I>
Loss default_loss(std::size_t index, std::index_sequence<I...>) {
  Loss loss;
  ((I == index ? void(loss = std::variant_alternative_t<I, Loss>{}) : void()), ...);
  return loss;
}

void positive(const char* field, double value) {
  require(value > 0 && std::isfinite(value), field, value, "finite and > 0", "1 is the default");
}

void at_least_one(const char* field, Index value, const char* mend) {
  require(value >= 1, field, value, ">= 1", mend);
}

template <class L>
void validate_options(const L& loss) {
  if constexpr (requires { loss.beta; }) {
    require(loss.beta > 0 && std::isfinite(loss.beta), "beta", loss.beta, "finite and > 0",
            "1 is the plain likelihood");
  }
  if constexpr (requires { loss.margin; }) positive("margin", loss.margin);
  if constexpr (requires { loss.ceiling; }) positive("ceiling", loss.ceiling);
  if constexpr (requires { loss.gamma; }) positive("gamma", loss.gamma);
  if constexpr (requires { loss.epsilon; }) positive("epsilon", loss.epsilon);
  if constexpr (requires { loss.gap; })
    require(loss.gap > 0 && std::isfinite(loss.gap), "gap", loss.gap, "finite and > 0",
            "1e-6 is the default");
  if constexpr (requires { loss.offset; })
    require(!loss.offset || std::isfinite(*loss.offset), "offset", loss.offset.value_or(0), "finite",
            "leave it out where energies are >= 0");
  if constexpr (requires { loss.steps; }) at_least_one("steps", loss.steps, "1 is the default");
  if constexpr (requires { loss.samples; }) at_least_one("samples", loss.samples, "8 is the default");
  if constexpr (requires { loss.noise; }) {
    if (!loss.noise.first.empty()) validate(loss.noise, static_cast<Index>(loss.noise.first.size()));
  }
  if constexpr (requires { loss.cost; }) {
    const auto* custom = std::get_if<CustomCost>(&loss.cost);
    if (custom && !custom->fill)
      throw OptionError("cost", "is a custom one without a function", "set `fill`");
  }
}

}  // namespace

std::string_view name(const Loss& loss) {
  const auto* cd = std::get_if<ContrastiveDivergence>(&loss);
  return cd && cd->persistent ? kPersistent : kTable[loss.index()].name;
}

std::vector<std::string_view> loss_names() {
  std::vector<std::string_view> names;
  for (const Row& row : kTable) names.push_back(row.name);
  names.push_back(kPersistent);
  return names;
}

Loss loss_named(std::string_view name) {
  if (name == kPersistent) return ContrastiveDivergence{.persistent = true};
  const auto* row =
      std::find_if(std::begin(kTable), std::end(kTable), [&](auto& r) { return r.name == name; });
  if (row != std::end(kTable)) {
    return default_loss(static_cast<std::size_t>(row - kTable),
                        std::make_index_sequence<std::variant_size_v<Loss>>{});
  }
  std::string known;
  for (std::string_view one : loss_names()) known += (known.empty() ? "" : ", ") + std::string(one);
  throw OptionError("loss", "there is none called " + std::string(name), "take one of " + known);
}

void validate(const Loss& loss) {
  std::visit([](const auto& one) { validate_options(one); }, loss);
}

std::optional<double> beta_of_sums(const Loss& loss) {
  return std::visit(
      [](const auto& one) -> std::optional<double> {
        if constexpr (detail::SumLoss<std::decay_t<decltype(one)>>) return one.beta;
        return std::nullopt;
      },
      loss);
}

bool is_smooth(const Loss& loss) { return kTable[loss.index()].smooth; }
bool is_drawn(const Loss& loss) { return std::holds_alternative<ContrastiveDivergence>(loss); }
bool is_convex(const Loss& loss) { return kTable[loss.index()].convex; }
std::string_view operation_of(const Loss& loss) { return kTable[loss.index()].operation; }

const TaskCost* cost_of(const Loss& loss) {
  return std::visit(
      [](const auto& one) -> const TaskCost* {
        if constexpr (requires { one.cost; }) return &one.cost;
        return nullptr;
      },
      loss);
}

void detail::refuse(const Loss& loss, bool open) {
  if (open) {
    throw OptionError(
        "loss",
        std::string(name(loss)) + " looks around one whole right answer, and this one leaves some open",
        "use answers that are known, or a likelihood or margin loss");
  }
  throw OptionError("loss",
                    std::string(name(loss)) + " needs " + std::string(operation_of(loss)) +
                        ", which this structure does not offer",
                    "take a loss whose operation it has");
}

}  // namespace thalweg
