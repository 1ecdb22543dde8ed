// SPDX-License-Identifier: Apache-2.0
#include "compose_runs.hpp"

#include "axis.hpp"
#include "style.hpp"
#include "table_words.hpp"

#include <depthlens/base/error.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <utility>

namespace depthlens {

namespace {

constexpr std::size_t most_series_overlaid = 4;

struct group_counts {
  std::size_t series = 0, colors = 0, dashes = 1;
};

group_counts groups_of(std::span<const figure_of_run> runs) {
  std::set<std::string> names;
  group_counts out;
  for (const figure_of_run& run : runs)
    for (const figure_series& s : run.data.series) {
      names.insert(s.name);
      out.colors = std::max(out.colors, s.color + 1);
      out.dashes = std::max(out.dashes, s.dash + 1);
    }
  out.series = names.size();
  if (out.dashes == 1) out.colors = std::max(out.colors, out.series);
  return out;
}

bool have_different_depths(std::span<const figure_of_run> runs) {
  return std::any_of(runs.begin(), runs.end(),
                     [&](const figure_of_run& run) { return run.n_layers != runs[0].n_layers; });
}

// The panel's layers become shares of the blocks.
void show_depth(panel_spec& panel) {
  panel.flags = (panel.flags & ~std::uint32_t{DLENS_PANEL_LAYER_X}) | panel_depth_x;
  panel.x_label = "Depth (layer / number of blocks)";
}

void divide_layers(panel_data& data, const panel_spec& panel, unsigned n_layers) {
  const double n = n_layers;
  for (panel_series& s : data.series)
    for (figure_point& point : s.points) {
      point.x /= n;
      if (panel.has(DLENS_PANEL_INTERVAL_X)) point.low /= n, point.high /= n;
    }
}

// Of each panel: is its x axis about layers that the runs do not share?
std::vector<bool> panels_of_depth(const figure_spec& figure, std::span<const figure_of_run> runs) {
  const bool different =
      have_different_depths(runs) && !is_bars(figure.kind) &&
      std::all_of(runs.begin(), runs.end(), [](const figure_of_run& run) { return run.n_layers > 0; });
  std::vector<bool> out;
  for (const panel_spec& panel : figure.panels) out.push_back(different && panel.has(DLENS_PANEL_LAYER_X));
  return out;
}

// The series of all runs under numbers that they share: those of one name have one colour.
class series_of_runs {
 public:
  explicit series_of_runs(std::span<const figure_of_run> runs) {
    for (const figure_of_run& run : runs)
      for (const figure_series& s : run.data.series) {
        const std::size_t name = *names_.number(s.name, no_limit);
        if (name < colors_.size()) continue;
        colors_.push_back(color_for(run, s));
      }
  }
  std::size_t names() const { return colors_.size(); }
  std::size_t number(const std::string& name) { return *names_.number(name, no_limit); }
  std::size_t color(std::size_t number) const { return colors_[number]; }
  const std::string& name(std::size_t number) const { return names_.words()[number]; }

 private:
  static constexpr std::size_t no_limit = max_figure_series * figure_spec::max_panels;

  // A run may have series that the one before has not: groups of colours are followed by what their series
  // are called in the run that had them first.
  std::size_t color_for(const figure_of_run& run, const figure_series& s) {
    const figure_series& first =
        *std::find_if(run.data.series.begin(), run.data.series.end(),
                      [&](const figure_series& other) { return other.color == s.color; });
    const auto [at, fresh] = color_of_.try_emplace(first.name, color_of_.size());
    return at->second;
  }

  numbering names_;
  std::vector<std::size_t> colors_;
  std::map<std::string, std::size_t> color_of_;
};

// Points at words get the words' numbers in `all`.
void renumber_words(panel_data& panel, numbering& all) {
  for (panel_series& s : panel.series)
    for (figure_point& point : s.points) {
      const auto word =
          all.number(panel.categories[static_cast<std::size_t>(point.x)], max_figure_categories);
      if (!word) fail(status::data, "more than ", max_figure_categories, " words on an axis of all runs");
      point.x = static_cast<double>(*word);
    }
}

figure_data overlaid(const figure_spec& figure, std::vector<figure_of_run>& runs) {
  figure_data out{.described_as = figure.kind, .series = {}, .panels = {}};
  series_of_runs all(runs);
  const group_counts groups = groups_of(runs);
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> place;  // by name and run
  for (std::size_t name = 0; name < all.names(); ++name)
    for (std::size_t r = 0; r < runs.size(); ++r)
      for (const figure_series& s : runs[r].data.series) {
        if (s.name != all.name(name)) continue;
        place[{name, r}] = out.series.size();
        out.series.push_back({.name = s.name.empty() ? runs[r].label : s.name + ", " + runs[r].label,
                              .color = all.color(name),
                              .dash = r * groups.dashes + s.dash,
                              .run = runs[r].label});
      }
  for (std::size_t p = 0; p < figure.panels.size(); ++p) {
    panel_data& panel = out.panels.emplace_back();
    numbering words;
    for (std::size_t r = 0; r < runs.size(); ++r) {
      panel_data& from = runs[r].data.panels.at(p);
      if (!from.categories.empty()) renumber_words(from, words);
      for (panel_series& s : from.series) {
        s.series = place.at({all.number(runs[r].data.series[s.series].name), r});
        panel.series.push_back(std::move(s));
      }
    }
    panel.categories = words.words();
    std::sort(panel.series.begin(), panel.series.end(),
              [](const panel_series& a, const panel_series& b) { return a.series < b.series; });
  }
  return out;
}

// Four runs stand two by two; more of them three to a row.
std::size_t columns_of(std::size_t runs) { return runs == 4 ? 2 : std::min<std::size_t>(runs, 3); }

figure_data beside(figure_spec& figure, std::vector<figure_of_run>& runs) {
  figure_data out{
      .described_as = figure.kind, .series = {}, .panels = {}, .columns = columns_of(runs.size())};
  series_of_runs all(runs);
  out.series.resize(all.names());
  for (const figure_of_run& run : runs)
    for (const figure_series& s : run.data.series) {
      const std::size_t name = all.number(s.name);
      out.series[name] = {.name = s.name, .color = all.color(name), .dash = s.dash};
    }
  const std::vector<panel_spec> panels = std::exchange(figure.panels, {});
  for (std::size_t p = 0; p < panels.size(); ++p)
    for (figure_of_run& run : runs) {
      figure.panels.push_back(panels[p]);
      panel_data& panel = out.panels.emplace_back(std::move(run.data.panels.at(p)));
      panel.axes = p;
      panel.run = run.label;
      for (panel_series& s : panel.series) s.series = all.number(run.data.series[s.series].name);
      std::sort(panel.series.begin(), panel.series.end(),
                [](const panel_series& a, const panel_series& b) { return a.series < b.series; });
    }
  return out;
}

// "logit lens, 120 and 118 prompts", each said once where the runs agree.
std::string note_of(const figure_spec& figure, std::span<const figure_of_run> runs) {
  std::vector<std::string> counts, parts;
  for (const figure_of_run& run : runs) {
    counts.push_back(with_commas(run.prompts));
    if (!run.part.empty() && parts.empty()) parts.push_back(run.part);
  }
  const bool same =
      std::all_of(counts.begin(), counts.end(), [&](const std::string& n) { return n == counts[0]; });
  const bool one_lens = std::all_of(runs.begin(), runs.end(),
                                    [&](const figure_of_run& run) { return run.lens == runs[0].lens; });
  std::string out = one_lens && !runs[0].lens.empty() ? runs[0].lens + " lens, " : "";
  out += same ? counts[0] : listed(counts);
  out += same && runs[0].prompts == 1 ? " prompt" : " prompts";
  if (!parts.empty()) out += " of a part of the run, " + parts[0];
  return out + words_about_intervals(figure);
}

}  // namespace

std::string_view name_of(runs_layout layout) {
  return layout == runs_layout::overlay ? "overlay" : layout == runs_layout::side ? "side" : "auto";
}

std::optional<runs_layout> layout_of_runs(const figure_spec& figure, std::span<const figure_of_run> runs,
                                          runs_layout wanted) {
  const group_counts groups = groups_of(runs);
  const bool has_side = figure.panels.size() * runs.size() <= figure_spec::max_panels;
  const bool has_overlay = groups.dashes * runs.size() <= figure_style::dashes.size() &&
                           groups.colors <= figure_style::line_colors.size();
  const bool suits = !is_bars(figure.kind) && groups.dashes == 1 && groups.series <= most_series_overlaid;
  if (has_overlay && (wanted == runs_layout::overlay || !has_side)) return runs_layout::overlay;
  if (has_overlay && suits && wanted == runs_layout::automatic) return runs_layout::overlay;
  return has_side ? std::optional(runs_layout::side) : std::nullopt;
}

composed_figure compose_runs(const figure_spec& given, std::vector<figure_of_run> runs, runs_layout layout) {
  composed_figure out{
      .figure = given, .data = {}, .n_layers = runs.at(0).n_layers, .models = {}, .about = {}};
  figure_spec& figure = out.figure;
  const std::vector<bool> depth = panels_of_depth(figure, runs);
  for (std::size_t p = 0; p < figure.panels.size(); ++p) {
    if (!depth[p]) continue;
    for (figure_of_run& run : runs) divide_layers(run.data.panels.at(p), figure.panels[p], run.n_layers);
    show_depth(figure.panels[p]);
  }
  if (layout == runs_layout::overlay && is_bars(figure.kind)) {
    // Intervals of stacked bars are around their tops.
    for (panel_spec& panel : figure.panels) panel.low = panel.high = "";
  }
  out.data = layout == runs_layout::overlay ? overlaid(figure, runs) : beside(figure, runs);
  if (layout == runs_layout::overlay && is_bars(figure.kind)) figure.kind = figure_kind::lines;
  if (out.data.series.size() > max_figure_series)
    fail(status::data, "more than ", max_figure_series, " series in all runs");
  for (const figure_of_run& run : runs)
    if (std::find(out.models.begin(), out.models.end(), run.model) == out.models.end())
      out.models.push_back(run.model);
  out.data.note = note_of(figure, runs);
  return out;
}

}  // namespace depthlens
