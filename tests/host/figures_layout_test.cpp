// SPDX-License-Identifier: Apache-2.0
// Axes, legends and pages: ticks that do not crowd, legends that fit, and nothing outside the page, for all
// sizes of models and series.
#include "figures/axis.hpp"
#include "figures/layout.hpp"
#include "figures/style.hpp"
#include "figures/text_width.hpp"

#include <depthlens/base/error.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using namespace depthlens;

namespace {

// As gnuplot places them: multiples of the step, from end to end.
std::vector<double> ticks(const figure_axis& axis) {
  std::vector<double> out;
  const double first = axis.log ? axis.low : std::ceil(axis.low / axis.step - 1e-9) * axis.step + 0.0;
  for (int i = 0; i < 65; ++i) {
    const double at = axis.log ? first * std::pow(axis.step, i) : first + i * axis.step;
    if (at <= axis.high + 1e-9 * (axis.log ? axis.high : axis.step)) out.push_back(at);
  }
  return out;
}

std::string labels(const figure_axis& axis) {
  std::string out;
  for (const double at : ticks(axis)) out += cat(at, " ");
  return out;
}

figure_axis linear(double low, double high, std::size_t n = 5) {
  return linear_axis({low, high, false}, n, false);
}

// A figure of `n_series` lines over layers 0..n in each of `n_panels` panels.
struct example {
  figure_spec figure;
  figure_data data;
  example(figure_kind kind, std::size_t n_series, unsigned n, std::size_t n_panels, std::string name = "S") {
    figure.kind = kind;
    figure.id = figure.file = figure.table = "f";
    figure.title = "A figure";
    panel_spec panel;
    panel.flags = DLENS_PANEL_LAYER_X;
    panel.x = panel.y = "x";
    panel.x_label = "Layer";
    panel.y_label = "Value";
    for (std::size_t s = 0; s < n_series; ++s) data.series.push_back({name + std::to_string(s), s, 0});
    for (std::size_t p = 0; p < n_panels; ++p) {
      figure.panels.push_back(panel);
      data.panels.emplace_back();
      for (std::size_t s = 0; s < n_series; ++s) {
        data.panels[p].series.push_back({s, {}, 1000 * p, 3});
        for (unsigned l = 0; l <= n; ++l)
          data.panels[p].series[s].points.push_back({double(l), double(s + l)});
      }
    }
  }
};

void check_legend(const figure_legend& legend, double left, double top, const page_layout& page,
                  double bottom) {
  for (std::size_t i = 0; i < legend.entries.size(); ++i) {
    const std::size_t column = i % legend.columns;
    const double text = left + legend.column_left[column] + legend.sample + figure_legend::sample_gap;
    const double end = text + text_width(legend.texts[i], figure_style::text_size);
    BOOST_TEST(end <= page.width);
    if (column + 1 < legend.columns) BOOST_TEST(end < left + legend.column_left[column + 1]);
  }
  if (!legend.entries.empty()) BOOST_TEST(top + legend.height() <= bottom);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(figures_layout)

BOOST_AUTO_TEST_CASE(numbers_get_commas) {
  BOOST_TEST(with_commas(0) == "0");
  BOOST_TEST(with_commas(999) == "999");
  BOOST_TEST(with_commas(1000) == "1,000");
  BOOST_TEST(with_commas(1234567) == "1,234,567");
}

BOOST_AUTO_TEST_CASE(linear_ticks_are_round_and_cover_the_range) {
  BOOST_TEST(labels(linear(0, 1)) == "0 0.2 0.4 0.6 0.8 1 ");
  BOOST_TEST(labels(linear(0.1, 10.9)) == "0 5 10 15 ");
  BOOST_TEST(labels(linear(-7, 3)) == "-8 -6 -4 -2 0 2 4 ");
  BOOST_TEST(labels(linear(100, 104)) == "100 101 102 103 104 ");
  BOOST_TEST(labels(linear(0, 48000)) == "0 10000 20000 30000 40000 50000 ");
  BOOST_TEST(labels(linear(0, 0.07, 3)) == "0 0.05 0.1 ");
  BOOST_TEST(labels(linear(5, 5)) == "2 3 4 5 6 7 8 ");
}

BOOST_AUTO_TEST_CASE(linear_axes_of_odd_ranges_are_axes) {
  const double huge = 1.7e308;
  const std::vector<number_range> odd = {{0, 0, true},       {0, 0, false},         {-huge, huge, false},
                                         {0, 5e-324, false}, {1e300, 1e300, false}, {3, 3 + 1e-15, false},
                                         {-1e-9, 0, false}};
  for (const number_range& range : odd) {
    const figure_axis axis = linear_axis(range, 5, false);
    BOOST_TEST(axis.low < axis.high);
    BOOST_TEST(!std::isnan(axis.low + axis.high));
    BOOST_TEST(ticks(axis).size() <= 64U);
  }
}

BOOST_AUTO_TEST_CASE(log_ticks_are_powers_of_ten) {
  BOOST_TEST(labels(log_axis({1, 10000, false})) == "1 10 100 1000 10000 ");
  BOOST_TEST(labels(log_axis({1, 38211, false})) == "1 10 100 1000 10000 100000 ");
  BOOST_TEST(labels(log_axis({0.004, 1, false})) == "0.001 0.01 0.1 1 ");
  BOOST_TEST(labels(log_axis({1, 1, false})) == "1 10 ");
  BOOST_TEST(labels(log_axis({1e-12, 1, false})) == "1e-12 1e-10 1e-08 1e-06 0.0001 0.01 1 ");
  BOOST_TEST(labels(log_axis({0, 0, true})) == "1 10 ");
  BOOST_TEST(labels(log_axis({-5, -1, false})) == "1 10 ");
  BOOST_TEST(ticks(log_axis({1e-320, 1e308, false})).size() <= 10U);
}

BOOST_AUTO_TEST_CASE(the_widest_label_is_that_of_a_tick) {
  const auto width = [](const char* text) { return text_width(text, figure_style::text_size); };
  BOOST_TEST(widest_label(linear(-0.4, 0.4)) == width("-0.4"));
  BOOST_TEST(widest_label(linear(-4, -1)) == width("-4"));
  BOOST_TEST(widest_label(percent_axis(1)) == width("100%"));
  BOOST_TEST(widest_label(log_axis({1, 30000, false})) == width("100000"));
}

BOOST_AUTO_TEST_CASE(layer_ticks_are_whole_and_never_touch) {
  BOOST_TEST(labels(layer_axis(0, 4, 190)) == "0 1 2 3 4 ");
  BOOST_TEST(labels(layer_axis(0, 12, 190)) == "0 2 4 6 8 10 12 ");
  BOOST_TEST(labels(layer_axis(0, 24, 190)) == "0 4 8 12 16 20 24 ");
  BOOST_TEST(labels(layer_axis(0, 30, 190)) == "0 5 10 15 20 25 30 ");
  BOOST_TEST(labels(layer_axis(0, 32, 190)) == "0 4 8 12 16 20 24 28 32 ");
  BOOST_TEST(labels(layer_axis(0, 80, 190)) == "0 10 20 30 40 50 60 70 80 ");
  for (const double width : {60.0, 110.0, 190.0, 440.0})
    for (int n = 1; n <= 130; ++n) {
      const figure_axis axis = layer_axis(0, n, width);
      BOOST_TEST(axis.high == n);
      const double apart = axis.step / n * width, label = widest_label(axis);
      BOOST_TEST(apart > label + 2, "n = " << n << ", " << width << " points: " << labels(axis));
      BOOST_TEST(std::floor(axis.step) == axis.step);
      BOOST_TEST(ticks(axis).size() >= 2U);
    }
}

BOOST_AUTO_TEST_CASE(words_are_shortened_or_left_out_where_there_is_no_room) {
  BOOST_TEST(word_axis({"MMLU", "SST"}, 190).words == (std::vector<std::string>{"MMLU", "SST"}),
             boost::test_tools::per_element());
  std::vector<std::string> words;
  for (int i = 0; i < 100; ++i) words.push_back("a long word " + std::to_string(i));
  const figure_axis axis = word_axis(words, 190);
  BOOST_TEST(std::count_if(axis.words.begin(), axis.words.end(), [](auto& w) { return !w.empty(); }) < 9);
  for (const std::string& word : axis.words)
    BOOST_TEST(text_width(word, figure_style::text_size) < 190 / 6.0);
}

BOOST_AUTO_TEST_CASE(legends_say_how_many_and_how_many_never) {
  example e(figure_kind::lines, 3, 4, 1);
  e.data.panels[0].series[0].count = 12314;
  e.data.panels[0].series[0].never = 0;
  e.data.panels[0].series[1].count = 57;
  e.data.panels[0].series[2].count.reset();
  const figure_legend legend = arrange_legend(legend_entries(e.figure, e.data, 0), e.figure.kind, 230);
  BOOST_TEST(
      legend.texts == (std::vector<std::string>{"S0 (n = 12,314)", "S1 (n = 57, 3 never)", "S2 (3 never)"}),
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_density_of_one_value_is_in_the_legend_without_a_curve) {
  example e(figure_kind::density, 3, 4, 1);
  for (panel_series& s : e.data.panels[0].series) s.count.reset(), s.never.reset();
  e.data.panels[0].series[0].points = {{3, 1}};
  e.data.panels[0].series[1].points = {{2, 5}};
  e.data.panels[0].series[2].points = {{2, 5}, {4, 2}};
  const std::vector<legend_entry> entries = legend_entries(e.figure, e.data, 0);
  BOOST_REQUIRE(entries.size() == 3U);
  BOOST_TEST(entries[0].counts == "n = 1, at layer 3");
  BOOST_TEST(!entries[0].drawn);
  BOOST_TEST(entries[1].counts == "n = 5, all at layer 2");
  BOOST_TEST(!entries[1].drawn);
  BOOST_TEST(entries[2].counts == "n = 7");
  BOOST_TEST(entries[2].drawn);
}

BOOST_AUTO_TEST_CASE(a_control_is_one_entry_where_its_dashes_alone_tell_it_from_its_namesakes) {
  example e(figure_kind::lines, 2, 4, 1);
  const example other(figure_kind::lines, 2, 4, 1);
  add_control(e.data, other.data, "null");
  const auto texts = [&] {
    return arrange_legend(legend_entries(e.figure, e.data, 0), e.figure.kind, 230).texts;
  };
  BOOST_TEST(texts() == (std::vector<std::string>{"S0 (n = 0, 3 never)", "S1 (n = 0, 3 never)", "null"}),
             boost::test_tools::per_element());
  e.data.panels[0].series[3].count = 7;
  BOOST_TEST(texts().size() == 4U);
  BOOST_TEST(texts()[3] == "S1, null (n = 7, 3 never)");
  e.data.panels[0].series[3].count = 0;
  e.data.series[3].dash = 2;
  BOOST_TEST(texts().size() == 4U);
}

BOOST_AUTO_TEST_CASE(bars_that_are_missing_are_explained) {
  example e(figure_kind::grouped_bars, 2, 4, 1);
  BOOST_TEST(legend_entries(e.figure, e.data, 0).size() == 2U);
  e.data.panels[0].series[1].points[3].y = std::nan("");
  BOOST_TEST(legend_entries(e.figure, e.data, 0).back().name == "no bar: no value");
}

BOOST_AUTO_TEST_CASE(panels_share_a_legend_where_it_says_the_same) {
  example differ(figure_kind::lines, 2, 4, 2);  // n = 0 and n = 1000
  const page_layout own = lay_out(differ.figure, differ.data, 4);
  BOOST_TEST(own.legend.entries.empty());
  BOOST_TEST(own.panels[1].legend.texts[0] == "S0 (n = 1,000, 3 never)");
  example same = differ;
  for (panel_data& panel : same.data.panels)
    for (panel_series& s : panel.series) s.count = 7;
  same.data.panels[1].series.pop_back();
  const page_layout shared = lay_out(same.figure, same.data, 4);
  BOOST_TEST(shared.legend.entries.size() == 2U);
  BOOST_TEST(shared.panels[0].legend.entries.empty());
}

BOOST_AUTO_TEST_CASE(panels_of_one_measure_have_one_scale) {
  example e(figure_kind::lines, 1, 4, 3);
  e.figure.panels[2].y_label = "Another value";
  for (std::size_t p = 0; p < 3; ++p) e.data.panels[p].series[0].points = {{0, 1}, {4, p == 0 ? 5.0 : 50.0}};
  e.data.panels[2].series[0].points[1].y = 700;
  const page_layout page = lay_out(e.figure, e.data, 4);
  BOOST_TEST(page.panels[0].y.high == page.panels[1].y.high);
  BOOST_TEST(page.panels[0].y.high >= 50);
  BOOST_TEST(page.panels[1].y.high < 700);
  BOOST_TEST(page.panels[2].y.high >= 700);
}

BOOST_AUTO_TEST_CASE(everything_stays_inside_the_page_for_all_sizes) {
  for (const figure_kind kind :
       {figure_kind::lines, figure_kind::stacked_bars, figure_kind::grouped_bars, figure_kind::density})
    for (const std::size_t n_series : {1U, 2U, 4U, 8U, 20U})
      for (const unsigned n : {1U, 4U, 30U, 80U})
        for (const std::size_t n_panels : {1U, 2U, 3U, 4U, 6U})
          for (const char* name :
               {"S", "a very long name of a series that fits nowhere at all on any page 0123456789"}) {
            const example e(kind, n_series, n, n_panels, name);
            const page_layout page = lay_out(e.figure, e.data, n);
            BOOST_TEST((page.width == figure_style::one_column || page.width == figure_style::two_columns));
            check_legend(page.legend, page_layout::edge, page.legend_y, page, page.panels[0].top);
            for (const panel_layout& p : page.panels) {
              BOOST_TEST(p.right - p.left > 60);
              BOOST_TEST(p.left > page_layout::edge);
              BOOST_TEST(p.right < page.width - page_layout::edge);
              BOOST_TEST(p.bottom < page.height - page_layout::edge);
              BOOST_TEST(p.top < p.bottom);
              BOOST_TEST(p.outer >= page_layout::edge);
              check_legend(p.legend, p.outer, p.legend_y, page, p.top);
            }
          }
}

BOOST_AUTO_TEST_CASE(many_bars_get_two_columns) {
  const auto width = [](figure_kind kind, unsigned n) {
    const example e(kind, 4, n, 1);
    return lay_out(e.figure, e.data, n).width;
  };
  BOOST_TEST(width(figure_kind::grouped_bars, 12) == figure_style::one_column);
  BOOST_TEST(width(figure_kind::grouped_bars, 30) == figure_style::two_columns);
  BOOST_TEST(width(figure_kind::stacked_bars, 30) == figure_style::one_column);
  BOOST_TEST(width(figure_kind::stacked_bars, 80) == figure_style::two_columns);
  BOOST_TEST(width(figure_kind::lines, 80) == figure_style::one_column);
}

BOOST_AUTO_TEST_SUITE_END()
