// SPDX-License-Identifier: Apache-2.0
#include "series.hpp"
#include "table_words.hpp"

#include <depthlens/base/error.hpp>
#include <depthlens/table/csv.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

namespace depthlens {

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

using optional_column = std::optional<std::size_t>;

// A panel while it is read. Until a word is met in the x column both readings of x are kept.
struct panel_reading {
  std::size_t x = 0;  // columns
  optional_column y, low, high, where;
  std::string wanted;  // that the where column must have

  std::vector<std::optional<std::size_t>> slots;        // of each series among those of the panel
  std::vector<std::vector<std::size_t>> categories;     // of each point, by series, while x may be words
  std::vector<std::map<double, std::size_t>> place_of;  // of each x of a density among its points, by series
  numbering words;
  bool may_be_words = false;
  std::uint64_t first_word_line = 0;  // 0 = all numbers so far
  std::string first_word;
};

class figure_reader {
 public:
  figure_reader(const figure_spec& figure, const std::filesystem::path& path) : figure_(figure), csv_(path) {
    out_.described_as = figure.kind;
    out_.panels.resize(figure.panels.size());
  }

  figure_data read() && {
    if (csv_.header().empty()) return std::move(out_);
    find_columns();
    std::vector<std::string> row;
    while (csv_.next(row))
      for (std::size_t p = 0; p < panels_.size(); ++p)
        if (!panels_[p].where || row[*panels_[p].where] == panels_[p].wanted) add(p, row);
    for (std::size_t p = 0; p < panels_.size(); ++p) finish(p);
    return std::move(out_);
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail_here(Parts&&... parts) const {
    fail(status::data, csv_.name(), ":", csv_.line(), ": ", std::forward<Parts>(parts)...);
  }

  optional_column column(const std::string& id) const {
    return id.empty() ? std::nullopt : optional_column(csv_.column(id));
  }

  void find_columns() {
    series_ = column(figure_.series);
    color_ = column(figure_.color);
    dash_ = column(figure_.dash);
    count_ = column(figure_.count);
    never_ = column(figure_.never);
    for (const panel_spec& panel : figure_.panels) {
      panel_reading& reading = panels_.emplace_back();
      reading.x = csv_.column(panel.x);
      reading.y = column(panel.y);
      reading.low = column(panel.low);
      reading.high = column(panel.high);
      if (const std::size_t at = panel.where.find('=', 1); at != std::string::npos) {
        reading.where = column(panel.where.substr(0, at));
        reading.wanted = panel.where.substr(at + 1);
      }
      reading.may_be_words = figure_.kind != figure_kind::density && !panel.has(DLENS_PANEL_LAYER_X) &&
                             !panel.has(DLENS_PANEL_LOG_X);
    }
  }

  std::size_t series_of(const std::vector<std::string>& row) {
    const std::string& name = series_ ? row[*series_] : empty_;
    const std::optional<std::size_t> number = names_.number(name, max_figure_series);
    if (!number)
      fail_here("more than ", max_figure_series, " series; is \"", figure_.series, "\" the right column?");
    if (*number == out_.series.size()) {
      const std::string& color = color_ ? row[*color_] : name;
      // No more groups than series, so neither can be one too many.
      const std::size_t dash = dash_ ? *dashes_.number(row[*dash_], max_figure_series) : 0;
      out_.series.push_back({name, *colors_.number(color, max_figure_series), dash});
    }
    return *number;
  }

  // The series in this panel, made with its first row.
  panel_series& slot(std::size_t p, std::size_t series, const std::vector<std::string>& row) {
    std::vector<std::optional<std::size_t>>& slots = panels_[p].slots;
    if (slots.size() <= series) slots.resize(series + 1);
    std::vector<panel_series>& list = out_.panels[p].series;
    if (!slots[series]) {
      slots[series] = list.size();
      list.push_back({.series = series,
                      .points = {},
                      .count = count_ ? parse_count(row[*count_]) : std::nullopt,
                      .never = never_ ? parse_count(row[*never_]) : std::nullopt});
    }
    return list[*slots[series]];
  }

  void add(std::size_t p, const std::vector<std::string>& row) {
    const panel_reading& c = panels_[p];
    panel_series& to = slot(p, series_of(row), row);
    figure_point point{read_x(p, row[c.x]), missing};
    if (figure_.kind == figure_kind::density) return count(panels_[p], to, point.x);
    const panel_spec& spec = figure_.panels[p];
    if (c.y) point.y = read_y(row[*c.y], spec.y);
    if (c.low) point.low = read_y(row[*c.low], spec.low);
    if (c.high) point.high = read_y(row[*c.high], spec.high);
    add_point(to, point);
    note_word(p, to.series, row[c.x]);
  }

  void add_point(panel_series& to, const figure_point& point) {
    if (++n_points_ > max_figure_points) fail_here("more than ", max_figure_points, " points to draw");
    to.points.push_back(point);
  }

  void count(panel_reading& state, panel_series& to, double x) {
    if (std::isnan(x)) return;
    if (state.place_of.size() <= to.series) state.place_of.resize(to.series + 1);
    const auto [at, first] = state.place_of[to.series].try_emplace(x, to.points.size());
    if (first) add_point(to, {x, 0});
    to.points[at->second].y += 1;
  }

  double read_y(const std::string& text, const std::string& column) const {
    const std::optional<double> y = parse_number(text);
    if (!y) fail_here("column \"", column, "\": \"", text, "\" is no number");
    return *y;
  }

  double read_x(std::size_t p, std::string_view text) {
    std::optional<double> x = parse_number(text);
    if (!x && figure_.panels[p].has(DLENS_PANEL_LAYER_X) && text.find('.') != std::string_view::npos)
      x = parse_number(text.substr(text.rfind('.') + 1));
    if (x) return *x;
    panel_reading& state = panels_[p];
    if (!state.may_be_words) fail_here("column \"", figure_.panels[p].x, "\": \"", text, "\" is no number");
    if (state.first_word_line == 0) {
      state.first_word_line = csv_.line();
      state.first_word = text;
    }
    return missing;
  }

  void note_word(std::size_t p, std::size_t series, const std::string& text) {
    panel_reading& state = panels_[p];
    if (!state.may_be_words) return;
    const std::optional<std::size_t> number = state.words.number(text, max_figure_categories);
    if (number) {
      if (state.categories.size() <= series) state.categories.resize(series + 1);
      state.categories[series].push_back(*number);
      return;
    }
    if (state.first_word_line != 0)
      fail(status::data, csv_.name(), ":", state.first_word_line, ": column \"", figure_.panels[p].x,
           "\": \"", state.first_word, "\" is no number, and there are too many words for an axis");
    state.may_be_words = false;
    state.categories = {};
  }

  void finish(std::size_t p) {
    panel_data& panel = out_.panels[p];
    panel_reading& state = panels_[p];
    if (state.first_word_line != 0) {
      panel.categories = state.words.words();
      for (panel_series& s : panel.series)
        for (std::size_t i = 0; i < s.points.size(); ++i)
          s.points[i].x = static_cast<double>(state.categories[s.series][i]);
    }
    std::sort(panel.series.begin(), panel.series.end(),
              [](const panel_series& a, const panel_series& b) { return a.series < b.series; });
  }

  const figure_spec& figure_;
  csv_reader csv_;
  figure_data out_;
  std::vector<panel_reading> panels_;
  optional_column series_, color_, dash_, count_, never_;
  numbering names_, colors_, dashes_;
  std::size_t n_points_ = 0;
  const std::string empty_;
};

}  // namespace

figure_data read_figure(const figure_spec& figure, const std::filesystem::path& csv) {
  return figure_reader(figure, csv).read();
}

}  // namespace depthlens
