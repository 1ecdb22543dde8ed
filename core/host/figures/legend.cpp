// SPDX-License-Identifier: Apache-2.0
#include "legend.hpp"

#include "axis.hpp"
#include "panel_axes.hpp"
#include "style.hpp"
#include "text_width.hpp"

#include <depthlens/base/error.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

namespace {

// What follows the name: "n = 57, 3 never", "n = 57", "3 never" or nothing.
std::string counts_text(std::optional<std::uint64_t> count, std::optional<std::uint64_t> never) {
  std::string text;
  if (count) text = "n = " + with_commas(*count);
  if (never && *never > 0) text += (text.empty() ? "" : ", ") + with_commas(*never) + " never";
  return text;
}

// "all at layer 7" of a density whose values are equal, else nothing.
std::string only_value(const panel_spec& panel, const kernel_density& density) {
  if (density.exists() || density.count() == 0 || density.smallest() != density.largest()) return "";
  return cat(density.count() > 1 ? "all at " : "at ", panel.has(DLENS_PANEL_LAYER_X) ? "layer " : "",
             density.smallest());
}

legend_entry entry_of(const figure_spec& figure, const panel_spec& panel, const figure_data& data,
                      const panel_series& s) {
  const figure_series& series = data.series[s.series];
  legend_entry entry{.series = s.series,
                     .name = series.name,
                     .counts = "",
                     .behind = series.run.empty() ? series.control : series.run};
  if (figure.kind != figure_kind::density) {
    entry.counts = counts_text(s.count, s.never);
    entry.drawn = std::any_of(s.points.begin(), s.points.end(),
                              [&](const figure_point& p) { return can_be_drawn(panel, p); });
    return entry;
  }
  const kernel_density density = density_of(panel, s);
  entry.counts =
      counts_text(figure.count.empty() ? static_cast<std::uint64_t>(density.count()) : s.count, s.never);
  const std::string value = only_value(panel, density);
  entry.counts += (entry.counts.empty() || value.empty() ? "" : ", ") + value;
  entry.drawn = density.exists();
  return entry;
}

// Are the series of a control told from their namesakes by one dash pattern, and by nothing else?
bool is_one_entry(const std::vector<legend_entry>& entries, const figure_data& data,
                  const std::string& control) {
  std::set<std::size_t> dashes;
  for (const legend_entry& entry : entries) {
    const figure_series& s = data.series[entry.series];
    if (s.control != control) continue;
    dashes.insert(s.dash);
    if (std::none_of(entries.begin(), entries.end(), [&](const legend_entry& other) {
          return other.name + ", " + control == entry.name && other.counts == entry.counts;
        }))
      return false;
  }
  return dashes.size() == 1;
}

void fold_controls(std::vector<legend_entry>& entries, const figure_data& data) {
  std::set<std::string> controls;
  for (const figure_series& s : data.series)
    if (!s.control.empty()) controls.insert(s.control);
  for (const std::string& control : controls) {
    if (!is_one_entry(entries, data, control)) continue;
    const auto of_control = [&](const legend_entry& e) { return data.series[e.series].control == control; };
    const auto first = std::find_if(entries.begin(), entries.end(), of_control);
    // The first of the figure, not of the panel, so that panels agree.
    const auto any = std::find_if(data.series.begin(), data.series.end(),
                                  [&](const figure_series& s) { return s.control == control; });
    *first = {.series = static_cast<std::size_t>(any - data.series.begin()),
              .name = control,
              .counts = "",
              .of_all = true};
    entries.erase(std::remove_if(first + 1, entries.end(), of_control), entries.end());
  }
}

// The name without the run's label behind it.
std::string name_of_all_runs(const figure_series& s) {
  return s.name == s.run ? "" : s.name.substr(0, s.name.size() - s.run.size() - 2);
}

// Do all runs count the same of the series that they share, and is each run told by one dash pattern alone?
bool runs_are_entries(const std::vector<legend_entry>& entries, const figure_data& data) {
  std::map<std::string, std::size_t> dashes;               // by run
  std::map<std::string, std::set<std::string>> of_a_name;  // what is said of it
  std::map<std::string, std::size_t> times;
  for (const figure_series& s : data.series)
    if (s.run.empty() || dashes.try_emplace(s.run, s.dash).first->second != s.dash) return false;
  for (const legend_entry& entry : entries) {
    const std::string name = name_of_all_runs(data.series[entry.series]);
    of_a_name[name].insert(entry.counts + (entry.drawn ? "" : ", not drawn"));
    ++times[name];
  }
  return of_a_name.size() > 1 && !of_a_name.contains("") &&
         std::all_of(of_a_name.begin(), of_a_name.end(), [&](const auto& said) {
           return said.second.size() == 1 && times[said.first] == dashes.size();
         });
}

// The series in their colours, then the runs in their dashes.
void fold_runs(std::vector<legend_entry>& entries, const figure_data& data) {
  if (!runs_are_entries(entries, data)) return;
  std::vector<legend_entry> out;
  std::set<std::string> seen;
  for (legend_entry& entry : entries) {
    const std::string name = name_of_all_runs(data.series[entry.series]);
    if (!seen.insert(name).second) continue;
    entry.name = name;
    entry.behind = "";
    out.push_back(std::move(entry));
  }
  std::map<std::string, std::size_t> last;  // of each run, in the whole figure, so that panels agree
  for (std::size_t i = 0; i < data.series.size(); ++i) last[data.series[i].run] = i;
  std::vector<std::pair<std::size_t, std::string>> runs;
  runs.reserve(last.size());
  for (const auto& [run, series] : last) runs.emplace_back(series, run);
  std::sort(runs.begin(), runs.end());
  for (const auto& [series, run] : runs)
    out.push_back({.series = series, .name = run, .counts = "", .of_all = true});
  entries = std::move(out);
}

using entry_of_runs = std::vector<std::optional<legend_entry>>;  // nothing where a run has no such series

// "n = 103 and 102" of "n = 103" and "n = 102"; nothing where more is said of a run than how many it has.
std::optional<std::string> counts_of_runs(const entry_of_runs& runs) {
  static constexpr std::string_view before = "n = ";
  std::vector<std::string> numbers;
  for (const auto& entry : runs) {
    if (!entry) {
      numbers.emplace_back("0");
      continue;
    }
    if (!entry->counts.starts_with(before) || entry->counts.find(", ") != std::string::npos)
      return std::nullopt;
    numbers.push_back(entry->counts.substr(before.size()));
  }
  return std::string(before) + listed(numbers);
}

// What all runs say of a series, or nothing.
std::optional<legend_entry> one_entry(const entry_of_runs& runs) {
  legend_entry out = **std::find_if(runs.begin(), runs.end(), [](const auto& e) { return e.has_value(); });
  const bool same = std::all_of(runs.begin(), runs.end(), [&](const auto& entry) {
    return entry ? entry->counts == out.counts : out.counts.empty();
  });
  if (!same) {
    const std::optional<std::string> counts = counts_of_runs(runs);
    if (!counts) return std::nullopt;
    out.counts = *counts;
  }
  for (const auto& entry : runs) out.drawn = out.drawn || (entry && entry->drawn);
  return out;
}

// What stands behind the name gives way before the name itself does.
std::string fit_name(const legend_entry& entry, double room) {
  constexpr double size = figure_style::text_size, shortest = 24;
  const std::string name = figure_line(entry.name), behind = figure_line(entry.behind);
  if (text_width(name, size) > room && !behind.empty() && name.ends_with(", " + behind)) {
    const std::string first = name.substr(0, name.size() - behind.size());
    const double left = room - text_width(first, size);
    if (left >= shortest) return first + fit_text(behind, size, left, shorten::middle);
  }
  return fit_text(name, size, room, shorten::middle);
}

}  // namespace

std::vector<legend_entry> legend_entries(const figure_spec& figure, const figure_data& data,
                                         std::size_t panel) {
  const panel_spec& spec = figure.panels[panel];
  std::vector<legend_entry> entries;
  bool missing = false;
  for (const panel_series& s : data.panels[panel].series) {
    entries.push_back(entry_of(figure, spec, data, s));
    if (entries.back().name.empty() && entries.back().counts.empty()) entries.pop_back();
    missing = missing || std::any_of(s.points.begin(), s.points.end(),
                                     [](const figure_point& p) { return std::isnan(p.y); });
  }
  fold_controls(entries, data);
  fold_runs(entries, data);
  if (missing && figure.kind == figure_kind::grouped_bars)
    entries.push_back(
        {.series = data.series.size(), .name = "no bar: no value", .counts = "", .drawn = false});
  return entries;
}

std::optional<std::vector<legend_entry>> entries_of_page(
    const figure_data& data, const std::vector<std::vector<legend_entry>>& of_panels) {
  std::vector<std::string> runs;
  for (const panel_data& panel : data.panels)
    if (std::find(runs.begin(), runs.end(), panel.run) == runs.end()) runs.push_back(panel.run);
  std::map<std::pair<std::size_t, bool>, entry_of_runs> all;
  for (std::size_t p = 0; p < of_panels.size(); ++p) {
    const auto run =
        static_cast<std::size_t>(std::find(runs.begin(), runs.end(), data.panels[p].run) - runs.begin());
    for (const legend_entry& entry : of_panels[p]) {
      entry_of_runs& of_runs = all[{entry.series, entry.of_all}];
      of_runs.resize(runs.size());
      if (of_runs[run] && *of_runs[run] != entry) return std::nullopt;
      of_runs[run] = entry;
    }
  }
  std::vector<legend_entry> out;
  for (const auto& [place, of_runs] : all) {
    std::optional<legend_entry> entry = one_entry(of_runs);
    if (!entry) return std::nullopt;
    out.push_back(std::move(*entry));
  }
  return out;
}

figure_legend arrange_legend(std::vector<legend_entry> entries, figure_kind kind, double width) {
  figure_legend legend;
  if (is_bars(kind)) legend.sample = 8;
  const double before = legend.sample + figure_legend::sample_gap;
  std::vector<double> widths;
  for (const legend_entry& entry : entries) {
    // The counts stay whole, the name is shortened.
    std::string counts = entry.counts;
    if (!counts.empty() && !entry.name.empty()) counts = " (" + counts + ")";
    const double room = width - before - text_width(counts, figure_style::text_size);
    legend.texts.push_back(fit_name(entry, room) + counts);
    widths.push_back(before + text_width(legend.texts.back(), figure_style::text_size) +
                     figure_legend::column_gap);
  }
  // As few rows as possible, and no more columns than these rows need: 6 entries are 3 + 3, not 4 + 2.
  for (std::size_t rows = 1; rows <= entries.size(); ++rows) {
    legend.columns = (entries.size() + rows - 1) / rows;
    std::vector<double> columns(legend.columns, 0);
    for (std::size_t i = 0; i < widths.size(); ++i) {
      double& column = columns[i % legend.columns];
      column = std::max(column, widths[i]);
    }
    legend.column_left.clear();
    double left = 0;
    for (const double column : columns) {
      legend.column_left.push_back(left);
      left += column;
    }
    if (left - figure_legend::column_gap <= width) break;
  }
  legend.entries = std::move(entries);
  return legend;
}

}  // namespace depthlens
