#include "thalweg/learning/sequence_loss.h"

#include "thalweg/learning/evaluate.h"

namespace thalweg {

double evaluate_sequence(const Loss& loss, const Dataset& data, Index n, const Chain<float>& chain,
                         const ChainParts<float>& gradient, SequenceScratch& scratch) {
  const double weight = data.weight(n);
  if (!data.is_open(n)) {
    const Problem<Chain<float>> problem{chain, data.answer(n), weight, n};
    return evaluate(loss, problem, gradient, scratch.operations);
  }
  const Chain<float> right =
      restrict(chain, data.allowed(n, chain.labels(), scratch.allowed), scratch.restricted);
  return evaluate(loss, OpenProblem<Chain<float>>{chain, right, weight, n}, gradient, scratch.operations);
}

}  // namespace thalweg
