#include "chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace {

constexpr double kWidth = 640, kHeight = 340, kLeft = 70, kRight = 190, kTop = 36, kBottom = 48;
constexpr std::array kColours{"#0072b2", "#d55e00", "#009e73",
                              "#cc79a7", "#e69f00", "#56b4e9"};  // Okabe and Ito

[[gnu::format(printf, 2, 3)]] void append(std::string& to, const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  to += line;
}

// One axis in decades: the exponents it spans, and where a value lies between `from` and `to` of the picture.
struct Axis {
  int low, high;
  double from, to;

  double at(double value) const { return from + (std::log10(value) - low) / (high - low) * (to - from); }
};

template <class Value>
Axis axis(const Chart& chart, Value value, double from, double to) {
  double low = 1e300, high = 1e-300;
  for (const Series& series : chart.series) {
    for (const auto& point : series.points)
      low = std::min(low, value(point)), high = std::max(high, value(point));
  }
  Axis a{static_cast<int>(std::floor(std::log10(low))), static_cast<int>(std::ceil(std::log10(high))), from,
         to};
  if (a.high == a.low) ++a.high;
  return a;
}

std::string power(int exponent) {
  if (exponent >= 0 && exponent <= 3) return std::to_string(static_cast<int>(std::pow(10, exponent)));
  return "10<tspan dy='-5' font-size='9'>" + std::to_string(exponent) + "</tspan>";
}

void draw_axes(const Chart& chart, const Axis& x, const Axis& y, std::string& out) {
  for (int e = x.low; e <= x.high; ++e) {
    const double at = x.at(std::pow(10, e));
    append(out, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>\n", at, y.from, at, y.to);
    append(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n", at, y.from + 16,
           power(e).c_str());
  }
  for (int e = y.low; e <= y.high; ++e) {
    const double at = y.at(std::pow(10, e));
    append(out, "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>\n", x.from, at, x.to, at);
    append(out, "<text x='%.1f' y='%.1f' text-anchor='end'>%s</text>\n", x.from - 6, at + 4,
           power(e).c_str());
  }
  append(out, "<text x='%.1f' y='20' text-anchor='middle' font-weight='bold'>%s</text>\n",
         (x.from + x.to) / 2, chart.title.c_str());
  append(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n", (x.from + x.to) / 2, kHeight - 10,
         chart.x_label.c_str());
  append(out, "<text transform='translate(18 %.1f) rotate(-90)' text-anchor='middle'>%s</text>\n",
         (y.from + y.to) / 2, chart.y_label.c_str());
}

}  // namespace

std::string svg(const Chart& chart) {
  const Axis x = axis(
      chart, [](const auto& p) { return p.first; }, kLeft, kWidth - kRight);
  const Axis y = axis(
      chart, [](const auto& p) { return p.second; }, kHeight - kBottom, kTop);
  std::string out;
  append(out,
         "<svg xmlns='http://www.w3.org/2000/svg' width='%.0f' height='%.0f' font-family='sans-serif' "
         "font-size='12'>\n<rect width='100%%' height='100%%' fill='white'/>\n",
         kWidth, kHeight);
  draw_axes(chart, x, y, out);
  std::size_t colour = 0;
  double label = kTop + 6;
  for (const Series& series : chart.series) {
    if (series.points.empty()) continue;
    const char* const stroke = kColours[colour++ % kColours.size()];
    append(out, "<polyline fill='none' stroke='%s' stroke-width='2' points='", stroke);
    for (const auto& [px, py] : series.points) append(out, "%.1f,%.1f ", x.at(px), y.at(py));
    out += "'/>\n";
    for (const auto& [px, py] : series.points)
      append(out, "<circle cx='%.1f' cy='%.1f' r='2.5' fill='%s'/>\n", x.at(px), y.at(py), stroke);
    append(out, "<text x='%.1f' y='%.1f' fill='%s'>%s</text>\n", x.to + 10, label, stroke,
           series.name.c_str());
    label += 17;
  }
  return out += "</svg>\n";
}
