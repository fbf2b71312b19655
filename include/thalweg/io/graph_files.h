/// @file
/// Factor graphs as files: UAI (the inference competitions') and WCSP (toulbar2's weighted constraint
/// networks).
///
///     const OwnedFactorGraph graph = read_graph("grid.uai.gz");
///     const auto evidence = read_uai_evidence("grid.uai.evid");
///     const Reduced rest = keep_states(graph.view(), observed(*graph.topology, evidence), graph.constant);
///
/// **UAI**: `MARKOV` or `BAYES`, the number of variables, their numbers of states, the number of factors, a
/// line for each scope (its size, its variables), then for each factor the number of its entries and the
/// entries, the last variable of the scope fastest. An entry p is the energy -ln p; 0 becomes +infinity.
///
/// **WCSP**: `name variables largest_domain functions top`, the numbers of states, then for each function its
/// arity, variables, default cost and number of tuples, and the tuples with their costs. A cost at or above
/// top is +infinity. Global functions (a default cost of -1) are refused: they have no table.
///
/// Factors of one variable become unary energies, those of none the constant.
#pragma once

#include <string>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/energy/owned_factor_graph.h"
#include "thalweg/io/text_reader.h"

namespace thalweg {

/// Tables may hold so many cells together, 8 bytes each; states, too.
inline constexpr Index kMostGraphCells = Index{1} << 28;

/// Either format, told apart by its first word; gzip is read as it is, "-" is standard input.
/// @throws as TextReader; InputError at `file:line` for what does not keep to the format, and where there are
/// more than `most_cells` cells
THALWEG_EXPORT OwnedFactorGraph read_graph(TextReader text, Index most_cells = kMostGraphCells);
THALWEG_EXPORT OwnedFactorGraph read_graph(const std::string& path);

/// The number of observed variables, then a variable and its state for each; the older form with the number
/// of samples, 1, in front is read, too. @throws as read_graph
THALWEG_EXPORT std::vector<Observation> read_uai_evidence(TextReader text);
THALWEG_EXPORT std::vector<Observation> read_uai_evidence(const std::string& path);

/// As MARKOV, each table scaled so that its largest entry is 1. @return what that leaves out: E(y) is the
/// energy of the file's graph plus it
THALWEG_EXPORT double write_uai(const std::string& path, const FactorGraph<double>& graph);

/// For GraphViz: variables as circles, factors of two as edges, larger ones as squares with an edge to each.
THALWEG_EXPORT void write_dot(const std::string& path, const FactorTopology& topology);

}  // namespace thalweg
