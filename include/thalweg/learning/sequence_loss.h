/// @file
/// The loss of one sequence of a data set, whatever its answer: what trainers that work sequence by sequence
/// share.
#pragma once

#include "thalweg/core/export.h"
#include "thalweg/features/dataset.h"
#include "thalweg/learning/chain_operations.h"

namespace thalweg {

/// Scratch space of one thread, with the operations a loss may call.
struct SequenceScratch {
  ChainOperations<float> operations;
  TableBuffer<std::uint8_t> allowed;  // by an open answer, ...
  TableBuffer<float> restricted;      // ... and the unary energies that are left
};

/// weight_n L(E, y_n) of sequence n of `data`, whose energies are `chain`, with the gradient as `evaluate`
/// writes it. @pre scratch.operations.couplings are prepared for the loss and the tables of `chain`
THALWEG_EXPORT double evaluate_sequence(const Loss& loss, const Dataset& data, Index n,
                                        const Chain<float>& chain, const ChainParts<float>& gradient,
                                        SequenceScratch& scratch);

}  // namespace thalweg
