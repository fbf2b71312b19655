/// @file
/// Line charts as SVG, for what a table shows badly.
#pragma once

#include <string>
#include <utility>
#include <vector>

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< x ascending, both above 0
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
};

/// The chart with both axes logarithmic, a decade a line: a straight line is a power law. Series without
/// points are left out.
std::string svg(const Chart& chart);
