/// @file
/// Maximum-flow problems in the format of the first DIMACS challenge (Johnson and McGeoch 1991):
///
///     c a comment
///     p max 4 5           nodes, arcs
///     n 1 s               the source ...
///     n 4 t               ... and the sink
///     a 1 2 4             an arc from 1 to 2 of capacity 4
///
/// Nodes are counted from 1 in the file and from 0 here.
///
///     DimacsFlow flow = read_dimacs("network.max.gz");
///     auto network = flow_network<std::int64_t>(flow);
///     double most = network.solve().value;
#pragma once

#include <string>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/inference/max_flow.h"
#include "thalweg/io/text_reader.h"

namespace thalweg {

struct DimacsFlow {
  Index nodes = 0;
  std::int32_t source = 0, sink = 0;
  std::vector<std::int32_t> from, to;  ///< [arcs]
  std::vector<std::int64_t> capacity;  ///< [arcs], >= 0; their sum is below 2^62

  bool operator==(const DimacsFlow&) const = default;
};

/// @throws as TextReader; InputError at `file:line` for a line of another form, a node out of range, a
/// capacity that is negative or makes the sum too large, a source or sink missing, named twice or the same,
/// arcs other than were announced, and many more nodes than have arcs
THALWEG_EXPORT DimacsFlow read_dimacs(TextReader text);
/// From a file, gzipped or not; "-" is standard input.
THALWEG_EXPORT DimacsFlow read_dimacs(const std::string& path);

/// The file that is read as `flow`.
THALWEG_EXPORT std::string dimacs_text(const DimacsFlow& flow);

/// Whether `flow_network<std::int32_t>` takes it.
THALWEG_EXPORT bool fits_int32(const DimacsFlow& flow);

/// The network whose minimum cut is the maximum flow, C std::int32_t, std::int64_t or double. The source is
/// always on the source's side.
template <class C>
THALWEG_EXPORT FlowNetwork<C> flow_network(const DimacsFlow& flow);

}  // namespace thalweg
