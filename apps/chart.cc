#include "chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace {

constexpr double kWidth = 640, kHeight = 340, kLeft = 70, kRight = 190, kTop = 36, kBottom = 48;
constexpr double kPanelWidth = 300, kPanelHeight = 270, kPanelRight = 14;
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

  bool within(double value) const { return value >= std::pow(10, low) && value <= std::pow(10, high); }
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
  append(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n", (x.from + x.to) / 2, y.from + 38,
         chart.x_label.c_str());
  append(out, "<text transform='translate(18 %.1f) rotate(-90)' text-anchor='middle'>%s</text>\n",
         (y.from + y.to) / 2, chart.y_label.c_str());
}

const char* stroke_of(const Series& series, std::size_t number) {
  return kColours[(series.colour < 0 ? number : static_cast<std::size_t>(series.colour)) % kColours.size()];
}

void draw_line(const Series& series, const char* stroke, const Axis& x, const Axis& y, std::string& out) {
  append(out, "<polyline fill='none' stroke='%s' stroke-width='2'%s points='", stroke,
         series.dashed ? " stroke-dasharray='5 4'" : "");
  for (const auto& [px, py] : series.points) append(out, "%.1f,%.1f ", x.at(px), y.at(py));
  out += "'/>\n";
  for (const auto& [px, py] : series.points)
    append(out, "<circle cx='%.1f' cy='%.1f' r='2.5' fill='%s'/>\n", x.at(px), y.at(py), stroke);
}

// y = c x^slope, as far as the picture goes.
void draw_slope(const Chart& chart, const Axis& x, const Axis& y, std::string& out) {
  if (!chart.slope || chart.series.empty() || chart.series.front().points.empty()) return;
  const auto [x0, y0] = chart.series.front().points.back();
  append(out, "<polyline fill='none' stroke='#888' stroke-width='1' points='");
  for (double e = x.low; e < x.high + 0.01; e += 0.02) {
    const double px = std::pow(10, e), py = y0 * std::pow(px / x0, *chart.slope);
    if (y.within(py)) append(out, "%.1f,%.1f ", x.at(px), y.at(py));
  }
  out += "'/>\n";
}

void draw(const Chart& chart, double width, double height, double right, std::string& out) {
  const Axis x = axis(
      chart, [](const auto& p) { return p.first; }, kLeft, width - right);
  const Axis y = axis(
      chart, [](const auto& p) { return p.second; }, height - kBottom, kTop);
  draw_axes(chart, x, y, out);
  draw_slope(chart, x, y, out);
  std::size_t number = 0;
  for (const Series& series : chart.series) {
    if (!series.points.empty()) draw_line(series, stroke_of(series, number++), x, y, out);
  }
}

void open_picture(double width, double height, std::string& out) {
  append(out,
         "<svg xmlns='http://www.w3.org/2000/svg' width='%.0f' height='%.0f' font-family='sans-serif' "
         "font-size='12'>\n<rect width='100%%' height='100%%' fill='white'/>\n",
         width, height);
}

}  // namespace

std::string svg(const Chart& chart) {
  std::string out;
  open_picture(kWidth, kHeight, out);
  draw(chart, kWidth, kHeight, kRight, out);
  std::size_t number = 0;
  double label = kTop + 6;
  for (const Series& series : chart.series) {
    if (series.points.empty()) continue;
    append(out, "<text x='%.1f' y='%.1f' fill='%s'>%s</text>\n", kWidth - kRight + 10, label,
           stroke_of(series, number++), series.name.c_str());
    label += 17;
  }
  return out += "</svg>\n";
}

std::string small_multiples(std::span<const Chart> charts, std::size_t columns) {
  const std::size_t rows = charts.size() / columns + 1;  // a place is left for the legend
  std::string out;
  open_picture(kPanelWidth * static_cast<double>(columns), kPanelHeight * static_cast<double>(rows), out);
  const auto place = [&](std::size_t i) {
    append(out, "<g transform='translate(%.0f %.0f)'>\n", kPanelWidth * static_cast<double>(i % columns),
           kPanelHeight * static_cast<double>(i / columns));
  };
  std::vector<Series> legend;
  for (std::size_t i = 0; i < charts.size(); ++i) {
    place(i);
    draw(charts[i], kPanelWidth, kPanelHeight, kPanelRight, out);
    out += "</g>\n";
    for (const Series& series : charts[i].series) {
      const bool known =
          std::any_of(legend.begin(), legend.end(), [&](const Series& s) { return s.name == series.name; });
      if (!known && !series.points.empty()) legend.push_back(series);
    }
  }
  place(charts.size());
  double y = kTop + 16;
  const auto line = [&](const char* stroke, int width, const char* dash, const std::string& name) {
    append(out, "<line x1='30' y1='%.1f' x2='62' y2='%.1f' stroke='%s' stroke-width='%d'%s/>\n", y, y, stroke,
           width, dash);
    append(out, "<text x='72' y='%.1f'>%s</text>\n", y + 4, name.c_str());
    y += 22;
  };
  for (std::size_t i = 0; i < legend.size(); ++i)
    line(stroke_of(legend[i], i), 2, legend[i].dashed ? " stroke-dasharray='5 4'" : "", legend[i].name);
  line("#888", 1, "", "the slope that theory gives");
  return out += "</g>\n</svg>\n";
}
