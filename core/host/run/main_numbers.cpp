// SPDX-License-Identifier: Apache-2.0
#include "run/main_numbers.hpp"

#include "depthlens/base/error.hpp"
#include "run/job_file.hpp"
#include "terminal/log.hpp"
#include "terminal/token_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <set>
#include <system_error>

namespace depthlens {
namespace {

constexpr std::size_t most_series = 8, most_columns = 5, name_width = 30, cell_width = 9;

// Three digits that count, never as 1.2e+04.
std::string number_text(double value, bool percent) {
  if (std::isnan(value)) return "-";
  const double v = percent ? 100 * value : value, size = std::abs(v);
  std::array<char, 64> out{};
  const int digits = size == std::floor(size) || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  std::snprintf(out.data(), out.size(), "%.*f%s", digits, std::clamp(v, -1e15, 1e15), percent ? " %" : "");
  return out.data();
}

// At most so many of them, from the first to the last at equal distances.
std::vector<double> spread(const std::set<double>& all, std::size_t most) {
  const std::vector<double> sorted(all.begin(), all.end());
  if (sorted.size() <= most) return sorted;
  std::vector<double> out;
  for (std::size_t i = 0; i < most; ++i) out.push_back(sorted[i * (sorted.size() - 1) / (most - 1)]);
  return out;
}

// Those among them; all of them where these are too few to stand for the rest.
std::set<double> powers_of_ten(const std::set<double>& all) {
  std::set<double> out;
  for (const double v : all)
    if (v > 0 && std::pow(10.0, std::round(std::log10(v))) == v) out.insert(v);
  return out.size() > 2 ? out : all;
}

// What heads a column, and what stands in it: x and y, or the opposite.
class glance {
 public:
  glance(const panel_spec& spec, const panel_data& data)
      : spec_(spec), data_(data), by_y_(spec.has(DLENS_PANEL_INTERVAL_X)) {
    std::set<double> heads;
    for (const panel_series& s : data.series)
      for (const figure_point& p : s.points)
        if (std::isfinite(p.x) && std::isfinite(p.y)) heads.insert(head(p));
    const bool log = spec.has(by_y_ ? DLENS_PANEL_LOG_Y : DLENS_PANEL_LOG_X);
    heads_ = spread(log ? powers_of_ten(heads) : heads, most_columns);
  }

  bool empty() const { return heads_.empty(); }
  std::string value_label() const { return by_y_ ? spec_.x_label : spec_.y_label; }
  std::string head_line() const {
    std::string out = column_text(by_y_ ? spec_.y_label : spec_.x_label, name_width);
    for (const double h : heads_) out += cell(head_text(h));
    return out;
  }
  std::string line(const std::string& name, const panel_series& series) const {
    std::string out = column_text(shown_text(name), name_width);
    for (const double h : heads_) out += cell(number_text(value_at(series, h), !by_y_ && is_percent()));
    return out;
  }

 private:
  static std::string cell(const std::string& text) {
    const std::string shown = shortened_text(text, cell_width - 2);
    return std::string(cell_width - std::min(cell_width - 1, columns_of_text(shown)), ' ') + shown;
  }
  double head(const figure_point& p) const { return by_y_ ? p.y : p.x; }
  bool is_percent() const { return spec_.has(DLENS_PANEL_PERCENT_Y); }
  std::string head_text(double h) const {
    const auto at = static_cast<std::size_t>(h);
    if (!by_y_ && at < data_.categories.size()) return shown_text(data_.categories[at]);
    return number_text(h, by_y_ && is_percent());
  }
  double value_at(const panel_series& series, double h) const {
    for (const figure_point& p : series.points)
      if (head(p) == h) return by_y_ ? p.x : p.y;
    return std::nan("");
  }

  const panel_spec& spec_;
  const panel_data& data_;
  const bool by_y_;
  std::vector<double> heads_;
};

}  // namespace

std::string numbers_at_a_glance(const run_figure& figure) {
  if (figure.figure.kind == figure_kind::density) return "";
  figure_run alone = figure.about;
  alone.control.clear();
  const drawn_figure drawn = read_drawn(figure.figure, alone, figure.csv);
  if (drawn.data.panels.empty()) return "";
  const panel_spec& spec = drawn.figure.panels[0];
  const panel_data& data = drawn.data.panels[0];
  const glance view(spec, data);
  if (view.empty()) return "";
  std::string title = shown_text(drawn.figure.title);
  if (!spec.title.empty()) title += ": " + shown_text(spec.title);
  std::string out = cat(title, " (", shown_text(words_about(alone)), ")\n  ", view.value_label(), "\n  ",
                        view.head_line(), '\n');
  for (std::size_t i = 0; i < std::min(data.series.size(), most_series); ++i)
    out += "  " + view.line(drawn.data.series[data.series[i].series].name, data.series[i]) + '\n';
  if (data.series.size() > most_series) out += cat("  and ", data.series.size() - most_series, " more\n");
  return out;
}

std::string main_numbers(const std::vector<run_figure>& figures, const std::vector<std::string>& studies) {
  std::string out;
  for (const std::string& study : studies) {
    const auto first =
        std::find_if(figures.begin(), figures.end(), [&](const run_figure& f) { return f.study == study; });
    if (first == figures.end()) continue;
    const std::string numbers = numbers_at_a_glance(*first);
    if (!numbers.empty()) out += cat(out.empty() ? "" : "\n", numbers);
  }
  return out;
}

void tell_main_numbers(const std::filesystem::path& run, const boost::json::object& manifest,
                       const std::vector<std::string>& studies) {
  if (quiet() || !lists_figures(manifest)) return;
  try {
    if (const std::string text = main_numbers(figures_of(run, manifest), studies); !text.empty())
      log_text(text + '\n');
  } catch (const error& e) {  // the tables are there: that they are too large to be looked at is no failure
    log_warning(cat("the main numbers are not told: ", e.what()));
  }
}

std::string next_commands(const std::filesystem::path& run, const std::string& model) {
  const std::string dir = shell_quoted(run.string());
  std::error_code absent;  // a name in the cache is no file
  const std::string whole =
      std::filesystem::exists(model, absent) ? std::filesystem::absolute(model).string() : model;
  const std::array<std::pair<std::string, std::string_view>, 3> commands = {
      {{cat("depthlens report ", dir), "one page of it, to send"},
       {cat("depthlens verify ", dir, " --rows 20"), "compute 20 records again and compare"},
       {cat("depthlens trace --model ", shell_quoted(whole), " \"The capital of France is\""),
        "one prompt, layer by layer"}}};
  std::string out = "next:\n";
  for (const auto& [text, what] : commands) out += cat("  ", text, "   # ", what, '\n');
  return out;
}

}  // namespace depthlens
