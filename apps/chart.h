/// @file
/// Line charts as SVG, for what a table shows badly.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< x ascending, both above 0
  int colour = -1;                                ///< its number; -1: the next
  bool dashed = false;
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  /// Of a thin line through the last point of the first series: what theory says.
  std::optional<double> slope = {};
};

/// The chart with both axes logarithmic, a decade a line: a straight line is a power law. Series without
/// points are left out.
std::string svg(const Chart& chart);

/// Charts side by side, `columns` a row, and one legend for all: of series of one name the first counts.
std::string small_multiples(std::span<const Chart> charts, std::size_t columns);
