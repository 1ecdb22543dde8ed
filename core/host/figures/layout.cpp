// SPDX-License-Identifier: Apache-2.0
#include "layout.hpp"

#include "panel_axes.hpp"
#include "style.hpp"
#include "text_width.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace depthlens {

namespace {

constexpr double edge = page_layout::edge;
constexpr double title_height = 12, subtitle_height = 11;
constexpr double panel_title_height = 11, above_plot = 6, legend_gap = 3;
constexpr double tick_length = 3, tick_gap = 4;
constexpr double label_height = 10, label_gap = 4;
constexpr double column_gap = 12, row_gap = 7;

std::size_t columns_for(std::size_t panels, bool one_legend) {
  if (panels <= 2) return panels;
  if (panels == 4 || !one_legend) return 2;
  return 3;
}

class layout_builder {
 public:
  // narrowest: of a panel with what belongs to it, where the page's width is asked for.
  layout_builder(const figure_spec& figure, const figure_data& data, unsigned n_layers,
                 const figure_look& look, double narrowest)
      : figure_(figure),
        data_(data),
        n_layers_(n_layers),
        look_(look),
        narrowest_(narrowest),
        n_(figure.panels.size()) {
    page_.panels.resize(n_);
  }

  page_layout build() {
    std::vector<std::vector<legend_entry>> entries;
    for (std::size_t p = 0; p < n_; ++p) entries.push_back(legend_entries(figure_, data_, p));
    const std::optional<std::vector<legend_entry>> shared = entries_of_page(data_, entries);
    columns_ = data_.columns > 0 ? data_.columns : columns_for(n_, shared.has_value());
    page_.width = columns_ > 1 || needs_width() ? figure_style::two_columns : figure_style::one_column;
    if (look_.width > 0) {
      page_.width = look_.width;
      columns_ = std::clamp<std::size_t>(static_cast<std::size_t>(look_.width / narrowest_), 1, columns_);
    }
    head(shared.value_or(std::vector<legend_entry>{}));
    axes_and_columns();
    for (std::size_t p = 0; p < n_ && !shared; ++p)
      page_.panels[p].legend = arrange_legend(std::move(entries[p]), figure_.kind, cell_width(p));
    rows();
    return std::move(page_);
  }

 private:
  // Bars thinner than about 2 points (groups 1.5 per bar) are no longer told apart in one column.
  bool needs_width() const {
    if (!is_bars(figure_.kind)) return false;
    std::set<double> places;
    for (const panel_series& s : data_.panels[0].series)
      for (const figure_point& point : s.points)
        if (places.size() < 1000) places.insert(std::isnan(point.x) ? -1 : point.x);
    const std::size_t beside = figure_.kind == figure_kind::grouped_bars ? data_.panels[0].series.size() : 1;
    return places.size() * beside > (beside > 1 ? 64U : 48U);
  }

  void head(std::vector<legend_entry> shared) {
    const double width = page_.width - 2 * edge;
    double y = edge;
    if (look_.titles) y = titles(width);
    if (!data_.note.empty()) {
      page_.note = fit_text(data_.note, figure_style::text_size, width, shorten::end);
      page_.note_y = y + subtitle_height / 2;
      y += subtitle_height;
    }
    page_.legend = arrange_legend(std::move(shared), figure_.kind, width);
    page_.legend_y = y + legend_gap;
    if (page_.legend.rows() > 0) y += page_.legend.height() + legend_gap;
    page_.height = y;
  }

  // Returns where they end.
  double titles(double width) {
    double y = edge;
    const bool fits = text_width(figure_line(figure_.title), figure_style::title_size) <= width;
    page_.title_size = fits ? figure_style::title_size : figure_style::text_size;
    page_.title = fit_text(figure_.title, page_.title_size, width, shorten::end);
    page_.title_y = y + title_height / 2;
    y += title_height;
    page_.subtitle_y = y + subtitle_height / 2;
    return y + subtitle_height;
  }

  std::vector<panel_ranges> ranges_of_panels() const {
    std::vector<panel_ranges> out;
    for (std::size_t p = 0; p < n_; ++p) out.push_back(ranges_of(figure_, p, data_.panels[p]));
    if (figure_.kind != figure_kind::density) return out;
    const std::vector<panel_ranges> common = common_ranges(out);
    for (std::size_t p = 0; p < n_; ++p) {
      const panel_spec& spec = figure_.panels[p];
      // Where the axis ends does not depend on its length.
      const figure_axis x = x_axis(figure_, spec, data_.panels[p], common[p].x, n_layers_, page_.width);
      out[p].y = density_range(spec, data_.panels[p], x);
    }
    return out;
  }

  // Of panels with the same axes together. Bars keep the places that they have.
  std::vector<panel_ranges> common_ranges(const std::vector<panel_ranges>& own) const {
    std::map<std::size_t, panel_ranges> common;
    const auto add = [](number_range& to, const number_range& from) {
      if (!from.empty) to.add(from.low), to.add(from.high);
    };
    for (std::size_t p = 0; p < n_; ++p)
      if (const auto axes = data_.panels[p].axes)
        add(common[*axes].x, own[p].x), add(common[*axes].y, own[p].y);
    std::vector<panel_ranges> out = own;
    for (std::size_t p = 0; p < n_; ++p) {
      const auto axes = data_.panels[p].axes;
      if (!axes) continue;
      if (!is_bars(figure_.kind)) out[p].x = common[*axes].x;
      out[p].y = common[*axes].y;
    }
    if (figure_.kind != figure_kind::density) share_scales(out);
    return out;
  }

  // Panels that show one measure are read against each other: where its label says the same, y does too.
  void share_scales(std::vector<panel_ranges>& ranges) const {
    std::map<std::pair<std::string, std::uint32_t>, number_range> of_label;
    const auto add = [](number_range& to, const number_range& from) {
      if (!from.empty) to.add(from.low), to.add(from.high);
    };
    const auto key = [&](std::size_t p) {
      return std::pair(figure_.panels[p].y_label, figure_.panels[p].flags);
    };
    for (std::size_t p = 0; p < n_; ++p) add(of_label[key(p)], ranges[p].y);
    for (std::size_t p = 0; p < n_; ++p)
      if (!figure_.panels[p].y_label.empty()) ranges[p].y = of_label[key(p)];
  }

  // Left edges, plot widths and both axes. Plots of all columns are equally wide.
  void axes_and_columns() {
    std::vector<double> margins(columns_, 0), ticks_of(columns_, 0);
    const std::vector<panel_ranges> own = ranges_of_panels(), ranges = common_ranges(own);
    for (std::size_t p = 0; p < n_; ++p) {
      panel_layout& panel = page_.panels[p];
      const panel_spec& spec = figure_.panels[p];
      if (p % columns_ == 0 || figure_.panels[p - 1].y_label != spec.y_label)
        panel.y_label = fit_text(spec.y_label, figure_style::text_size, plot_height(), shorten::end);
      panel.y = y_axis(figure_, spec, ranges[p].y);
      const double ticks = tick_length + tick_gap + widest_label(panel.y);
      ticks_of[p % columns_] = std::max(ticks_of[p % columns_], ticks);
      margins[p % columns_] =
          std::max(margins[p % columns_], ticks + (panel.y_label.empty() ? 0 : label_height + label_gap));
    }
    const double right = 9;  // half of the last label of the x axis
    double width = page_.width - 2 * edge - column_gap * static_cast<double>(columns_ - 1);
    for (const double margin : margins) width -= margin + right;
    width /= static_cast<double>(columns_);
    double x = edge;
    for (std::size_t c = 0; c < columns_; ++c) {
      for (std::size_t p = c; p < n_; p += columns_) {
        panel_layout& panel = page_.panels[p];
        panel.left = x + margins[c];
        panel.right = panel.left + width;
        panel.outer = panel.left - ticks_of[c];
        panel.x = x_axis(figure_, figure_.panels[p], data_.panels[p], ranges[p].x, n_layers_, width);
        panel.empty = own[p].y.empty;
      }
      x += margins[c] + width + right + column_gap;
    }
  }

  double cell_width(std::size_t p) const { return page_.panels[p].right - page_.panels[p].outer; }

  double plot_height() const {
    if (n_ == 1) return page_.width > figure_style::one_column ? 165 : 150;
    if (columns_ == 3) return 112;
    return n_ <= 2 ? 145 : 112;
  }

  // Has a run's label to stand above its panel's title, since both do not fit beside each other? All panels
  // do it, or none.
  bool has_lines_of_runs() const {
    for (std::size_t p = 0; p < n_; ++p) {
      const panel_spec& spec = figure_.panels[p];
      const std::string title = figure_line(title_of(spec, data_.panels[p]));
      if (!data_.panels[p].run.empty() && !spec.title.empty() &&
          text_width(title, figure_style::text_size) > cell_width(p))
        return true;
    }
    return false;
  }

  void rows() {
    double y = page_.height;
    runs_above_ = has_lines_of_runs();
    for (std::size_t first = 0; first < n_; first += columns_) {
      const std::size_t end = std::min(n_, first + columns_);
      double titles = 0, legends = 0;
      bool x_labels = false;
      for (std::size_t p = first; p < end; ++p) {
        panel_layout& panel = page_.panels[p];
        const panel_spec& spec = figure_.panels[p];
        const std::string title = title_of(spec, data_.panels[p]);
        if (!title.empty()) titles = runs_above_ ? 2 * panel_title_height : panel_title_height;
        legends = std::max(legends, panel.legend.height());
        const double width = panel.right - panel.left;
        if (p + columns_ >= n_ || figure_.panels[p + columns_].x_label != spec.x_label)
          panel.x_label = fit_text(spec.x_label, figure_style::text_size, width, shorten::end);
        x_labels = x_labels || !panel.x_label.empty();
      }
      const double top = y + (first > 0 ? row_gap : legend_gap) + titles + legends + above_plot;
      for (std::size_t p = first; p < end; ++p) place(p, top, legends);
      y = top + plot_height() + tick_length + tick_gap + label_height + (x_labels ? label_height + 1 : 0);
    }
    page_.height = y + edge;
  }

  void place(std::size_t p, double top, double legends) {
    panel_layout& panel = page_.panels[p];
    const panel_spec& spec = figure_.panels[p];
    panel.top = top;
    panel.bottom = top + plot_height();
    panel.legend_y = top - above_plot - legends;
    panel.title_y = panel.legend_y - panel_title_height / 2;
    const double width = cell_width(p), size = figure_style::text_size;
    const std::string& run = data_.panels[p].run;
    if (runs_above_) {
      panel.run_y = panel.title_y - panel_title_height;
      panel.run = fit_text(run, size, width, shorten::middle);
      panel.title = fit_text(spec.title, size, width, shorten::end);
    } else if (spec.title.empty()) {
      panel.title = fit_text(run, size, width, shorten::middle);
    } else {
      panel.title = fit_text(title_of(spec, data_.panels[p]), size, width, shorten::end);
    }
  }

  const figure_spec& figure_;
  const figure_data& data_;
  const unsigned n_layers_;
  const figure_look& look_;
  const double narrowest_;
  const std::size_t n_;
  std::size_t columns_ = 1;
  bool runs_above_ = false;
  page_layout page_;
};

}  // namespace

page_layout lay_out(const figure_spec& figure, const figure_data& data, unsigned n_layers,
                    const figure_look& look) {
  page_layout page = layout_builder(figure, data, n_layers, look, 2.0 * 72).build();
  if (look.width > 0 && page.height > figure_style::tallest)
    page = layout_builder(figure, data, n_layers, look, 1.5 * 72).build();
  return page;
}

}  // namespace depthlens
