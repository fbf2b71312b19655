/// @file
/// Scalars, sizes and the one table type that the whole library speaks.
///
/// Energies are minimised, always: lower is better and `+infinity` forbids. T positions, K labels, D
/// features, N sequences; matrices are row-major and written [T x K].
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace thalweg {

using Index = std::ptrdiff_t;  ///< Counts and positions.
using Label = std::uint32_t;   ///< One of K states of a variable.

/// A label that the model does not know: it counts as an error in evaluation and forbids training.
inline constexpr Label kNoLabel = std::numeric_limits<Label>::max();

/// The energy of what is forbidden.
template <class R>
inline constexpr R kInfinity = std::numeric_limits<R>::infinity();

/// A row-major view [rows x columns]. It owns nothing and is cheap to copy. The same type carries tables of
/// part energies up from a model to a structure and tables of part gradients down again.
template <class R>
struct Table {
  R* data = nullptr;
  Index rows = 0;
  Index columns = 0;

  R* operator[](Index row) const { return data + row * columns; }
  std::span<R> row(Index r) const { return {data + r * columns, static_cast<std::size_t>(columns)}; }
  Index size() const { return rows * columns; }
  /// Rows [begin, begin + count).
  Table slice(Index begin, Index count) const { return {data + begin * columns, count, columns}; }
  operator Table<const R>() const { return {data, rows, columns}; }
};

/// The storage behind a Table: grows, never shrinks, so that a reused one allocates nothing once warm.
template <class R>
class TableBuffer {
 public:
  TableBuffer() = default;
  TableBuffer(Index rows, Index columns, R value = R{}) { resize(rows, columns, value); }

  /// Sets the shape and fills every cell with `value`.
  Table<R> resize(Index rows, Index columns, R value = R{}) {
    cells_.assign(static_cast<std::size_t>(rows * columns), value);
    rows_ = rows, columns_ = columns;
    return *this;
  }
  Table<const R> view() const { return {cells_.data(), rows_, columns_}; }
  operator Table<R>() { return {cells_.data(), rows_, columns_}; }
  operator Table<const R>() const { return view(); }
  R* operator[](Index row) { return cells_.data() + row * columns_; }
  const R* operator[](Index row) const { return cells_.data() + row * columns_; }
  Index rows() const { return rows_; }
  Index columns() const { return columns_; }

 private:
  std::vector<R> cells_;
  Index rows_ = 0, columns_ = 0;
};

}  // namespace thalweg
