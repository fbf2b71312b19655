#include "learning/solver_choice.h"

#include <cmath>
#include <string>

#include "core/require.h"
#include "thalweg/core/error.h"
#include "thalweg/learning/exponentiated_gradient.h"

namespace thalweg {
namespace {

// Whether the likelihood has a dual that fits into memory.
bool has_dual(const Model& model, const Dataset& data, const TrainOptions& o) {
  constexpr double kMostBytes = 4e9;
  return o.c2 > 0 && o.c1 == 0 && !o.init && model.pairs.features() == 0 && model.contexts.empty() &&
         model.vector_columns == 0 && data.choices.empty() &&
         ExponentiatedGradient::bytes(model, data) <= kMostBytes;
}

// What the margin solvers cannot do; empty: nothing that is asked for.
std::string margin_obstacle(const Model& model, const Dataset& data, const TrainOptions& o) {
  if (!(o.c2 > 0) || o.c1 > 0) return "anything but c2 > 0 and c1 = 0";
  if (o.init) return "a start from another model";
  if (model.pairs.features() > 0) return "transitions that depend on the input";
  if (!model.contexts.empty()) return "chains of second order and beyond";
  if (model.vector_columns > 0) return "vectors";
  if (!model.constraints.empty()) return "constraints";
  if (!data.class_weights.empty()) return "class weights";
  if (!data.choices.empty()) return "open answers";
  return {};
}

}  // namespace

bool is_margin_solver(Solver solver) {
  return solver == Solver::BlockFrankWolfe || solver == Solver::CuttingPlane || solver == Solver::Subgradient;
}

const char* name(Solver solver) {
  switch (solver) {
    case Solver::ExponentiatedGradient:
      return "eg";
    case Solver::Lbfgs:
      return "lbfgs";
    case Solver::Averaged:
      return "averaged";
    case Solver::PassiveAggressive:
      return "pa";
    case Solver::Adagrad:
      return "adagrad";
    case Solver::Adam:
      return "adam";
    case Solver::BlockFrankWolfe:
      return "bcfw";
    case Solver::CuttingPlane:
      return "cutting-plane";
    case Solver::Subgradient:
      return "subgradient";
    default:
      return "auto";
  }
}

void validate(const TrainOptions& o) {
  require(o.c2 >= 0 && std::isfinite(o.c2), "c2", o.c2, "finite and >= 0", "1 is the usual start");
  require(o.c1 >= 0 && std::isfinite(o.c1), "c1", o.c1, "finite and >= 0", "0 turns it off");
  if (o.gap)
    require(*o.gap >= 0 && std::isfinite(*o.gap), "gap", *o.gap, "finite and >= 0",
            "leave it out for the solver's own");
  require(o.aggressiveness > 0 && std::isfinite(o.aggressiveness), "aggressiveness", o.aggressiveness,
          "finite and > 0", "1 is the default");
  require(o.batch >= 1, "batch", o.batch, ">= 1", "64 is the default");
  require(o.rate >= 0 && std::isfinite(o.rate), "rate", o.rate, "finite and >= 0",
          "0 takes the solver's own");
  require(o.iterations >= 0, "iterations", o.iterations, ">= 0", "0 takes the solver's own");
  require(o.check_gradient >= 0, "check-gradient", o.check_gradient, ">= 0", "0 turns it off");
  require(o.patience >= 1, "patience", o.patience, ">= 1", "20 is the default");
  require(o.order >= 1 && o.order <= TrainOptions::kMostOrder, "order", static_cast<double>(o.order),
          "1 to 8", "2 is a chain of second order");
  require(o.memory >= 1, "memory", o.memory, ">= 1", "6 is the default");
  require(o.threads >= 1, "threads", o.threads, ">= 1", "1 is the default");
  validate(o.loss);
  if (o.check_gradient > 0 && is_drawn(o.loss))
    throw OptionError("check-gradient", std::string(name(o.loss)) + " draws its gradient", "leave it out");
  if (std::holds_alternative<PerceptronLoss>(o.loss) && o.c1 > 0)
    throw OptionError("c1", "the perceptron has no regulariser", "leave it out");
}

Solver choose_solver(const Model& model, const Dataset& data, const TrainOptions& o) {
  const bool perceptron = std::holds_alternative<PerceptronLoss>(o.loss),
             hinge = std::holds_alternative<StructuredHingeLoss>(o.loss),
             likelihood = std::holds_alternative<LikelihoodLoss>(o.loss);
  if (o.solver == Solver::Auto) {
    if (perceptron) return Solver::Averaged;
    if (hinge && margin_obstacle(model, data, o).empty()) return Solver::BlockFrankWolfe;
    if (!is_smooth(o.loss)) return Solver::Adagrad;
    return likelihood && has_dual(model, data, o) ? Solver::ExponentiatedGradient : Solver::Lbfgs;
  }
  if (is_margin_solver(o.solver)) {
    if (!hinge)
      throw OptionError(
          "solver",
          std::string(name(o.solver)) + " is for the structured hinge, not for " + std::string(name(o.loss)),
          "use --loss structured-hinge, or leave --solver out");
    const std::string obstacle = margin_obstacle(model, data, o);
    if (!obstacle.empty())
      throw OptionError("solver", std::string(name(o.solver)) + " does not offer " + obstacle, "use adagrad");
    return o.solver;
  }
  const bool online = o.solver == Solver::Averaged || o.solver == Solver::PassiveAggressive;
  if (o.solver == Solver::Adagrad || o.solver == Solver::Adam) return o.solver;
  if (perceptron && !online) {
    throw OptionError("solver",
                      std::string(name(o.solver)) + " needs a smooth loss and the perceptron's has kinks",
                      "leave --solver out");
  }
  if (o.solver == Solver::ExponentiatedGradient && !likelihood)
    throw OptionError("solver", "eg climbs the dual of the likelihood alone", "use lbfgs");
  if (o.solver == Solver::Lbfgs && !is_smooth(o.loss)) {
    throw OptionError("solver",
                      "lbfgs needs a smooth loss and that of " + std::string(name(o.loss)) + " is none",
                      "use adagrad or adam");
  }
  if (o.solver == Solver::ExponentiatedGradient && model.pairs.features() > 0) {
    throw OptionError("solver", "eg does not offer transitions that depend on the input", "use lbfgs");
  }
  if (o.solver == Solver::ExponentiatedGradient && !data.choices.empty()) {
    throw OptionError("solver",
                      "eg climbs the dual of a convex loss, and that of an open answer is not convex",
                      "use lbfgs");
  }
  if (o.solver == Solver::ExponentiatedGradient && model.vector_columns > 0)
    throw OptionError("solver", "eg does not offer vectors", "use lbfgs");
  if (o.solver == Solver::ExponentiatedGradient && !model.contexts.empty())
    throw OptionError("solver", "eg does not offer chains of second order and beyond", "use lbfgs");
  if (o.solver == Solver::ExponentiatedGradient && (o.c1 > 0 || !(o.c2 > 0) || o.init)) {
    throw OptionError("solver", "the dual that eg climbs is there for c2 > 0, c1 = 0 and a start at 0 alone",
                      "use lbfgs");
  }
  if (!perceptron && online) {
    throw OptionError("solver", std::string(name(o.solver)) + " learns from mistakes, not from a likelihood",
                      "use --loss perceptron");
  }
  return o.solver;
}

}  // namespace thalweg
