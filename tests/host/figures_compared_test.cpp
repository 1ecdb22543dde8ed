// SPDX-License-Identifier: Apache-2.0
// The same figure of several runs as one: in the same axes, or in panels beside each other.
#include "figures/compose_runs.hpp"
#include "figures/draw.hpp"
#include "figures/layout.hpp"
#include "figures/plot_blocks.hpp"
#include "figures/style.hpp"
#include "figures/text_width.hpp"
#include "support/figures_files.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
using boost::unit_test::precondition;

namespace {

struct run_tables {
  scratch_folder folder;
  figure_of_run of(const figure_spec& figure, const std::string& label, const std::string& csv,
                   unsigned n_layers = 2) const {
    figure_of_run out{
        .label = label, .model = "model of " + label, .lens = "logit", .prompts = 12, .data = {}};
    out.n_layers = n_layers;
    out.data = read_figure(figure, folder.write(label + ".csv", csv));
    return out;
  }
  std::vector<figure_of_run> two(const figure_spec& figure) const {
    return {of(figure, "f32", "category,layer,y\na,0,0.25\nb,0,0.75\na,2,1\nb,2,0.5\n"),
            of(figure, "bf16", "category,layer,y\nb,0,0.5\na,0,0.5\na,2,1\nb,2,0.25\n")};
  }
};

std::vector<std::string> names_of(const std::vector<legend_entry>& entries) {
  std::vector<std::string> out;
  for (const legend_entry& e : entries)
    out.push_back(e.name + (e.counts.empty() ? "" : " " + e.counts) + (e.of_all ? " *" : ""));
  return out;
}

using names = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(figures_compared)

BOOST_AUTO_TEST_CASE(overlaid_series_have_the_colour_of_their_name_and_the_dashes_of_their_run) {
  const run_tables tables;
  const figure_spec figure = simple_figure(figure_kind::lines);
  const composed_figure c = compose_runs(figure, tables.two(figure), runs_layout::overlay);
  names series;
  for (const figure_series& s : c.data.series)
    series.push_back(s.name + " " + std::to_string(s.color) + " " + std::to_string(s.dash));
  BOOST_TEST(series == (names{"a, f32 0 0", "a, bf16 0 1", "b, f32 1 0", "b, bf16 1 1"}),
             boost::test_tools::per_element());
  BOOST_TEST_REQUIRE(c.data.panels.size() == 1U);
  BOOST_TEST_REQUIRE(c.data.panels[0].series.size() == 4U);
  const panel_series& b_of_bf16 = c.data.panels[0].series[3];
  BOOST_TEST(b_of_bf16.series == 3U);
  BOOST_TEST(b_of_bf16.points.at(1).y == 0.25);
  BOOST_TEST(names_of(legend_entries(c.figure, c.data, 0)) == (names{"a", "b", "f32 *", "bf16 *"}),
             boost::test_tools::per_element());
  BOOST_TEST(c.models == (names{"model of f32", "model of bf16"}), boost::test_tools::per_element());
  BOOST_TEST(c.data.note == "logit lens, 12 prompts");
}

BOOST_AUTO_TEST_CASE(runs_that_count_otherwise_are_named_series_by_series) {
  const run_tables tables;
  figure_spec figure = simple_figure(figure_kind::lines);
  figure.count = "n";
  std::vector<figure_of_run> runs = {
      tables.of(figure, "one", "category,layer,y,n\na,0,0.25,7\nb,0,0.75,7\n"),
      tables.of(figure, "two", "category,layer,y,n\na,0,0.25,7\nb,0,0.75,6\n")};
  runs[1].prompts = 11;
  const composed_figure c = compose_runs(figure, runs, runs_layout::overlay);
  BOOST_TEST(names_of(legend_entries(c.figure, c.data, 0)) ==
                 (names{"a, one n = 7", "a, two n = 7", "b, one n = 7", "b, two n = 6"}),
             boost::test_tools::per_element());
  BOOST_TEST(c.data.note == "logit lens, 12 and 11 prompts");
}

BOOST_AUTO_TEST_CASE(series_without_a_name_are_named_after_their_runs) {
  const run_tables tables;
  figure_spec figure = simple_figure(figure_kind::lines);
  figure.series = "";
  std::vector<figure_of_run> runs = {tables.of(figure, "one", "layer,y\n0,0.25\n1,0.5\n"),
                                     tables.of(figure, "two", "layer,y\n0,0.75\n1,0.5\n")};
  runs[1].lens = "tuned";
  const composed_figure c = compose_runs(figure, runs, runs_layout::overlay);
  BOOST_TEST(names_of(legend_entries(c.figure, c.data, 0)) == (names{"one", "two"}),
             boost::test_tools::per_element());
  BOOST_TEST(c.data.note == "12 prompts");
}

BOOST_AUTO_TEST_CASE(models_of_different_depth_are_drawn_over_the_share_of_their_blocks) {
  const run_tables tables;
  figure_spec figure = simple_figure(figure_kind::lines);
  figure.panels[0].low = "low", figure.panels[0].high = "high";
  figure.panels.push_back(figure.panels[0]);
  figure.panels[1].flags |= DLENS_PANEL_INTERVAL_X;
  const std::string csv = "category,layer,y,low,high\na,0,0.25,0,1\na,2,1,1,2\n";
  const composed_figure c = compose_runs(
      figure, {tables.of(figure, "two", csv, 2), tables.of(figure, "four", csv, 4)}, runs_layout::overlay);
  const auto& of_four = c.data.panels[0].series[1].points;
  BOOST_TEST(of_four.at(1).x == 0.5);
  BOOST_TEST(of_four[1].high == 2);
  BOOST_TEST(c.data.panels[1].series[1].points.at(1).high == 0.5);
  BOOST_TEST(c.data.panels[1].series[0].points.at(1).low == 0.5);
  const page_layout page = lay_out(c.figure, c.data, c.n_layers);
  for (const panel_layout& panel : page.panels) {
    BOOST_TEST(panel.x.low == 0);
    BOOST_TEST(panel.x.high == 1);
    BOOST_TEST(panel.x_label == "Depth (layer / number of blocks)");
  }
}

BOOST_AUTO_TEST_CASE(panels_beside_each_other_have_the_same_axes_and_name_their_run) {
  const run_tables tables;
  figure_spec figure = simple_figure(figure_kind::lines);
  figure.panels[0].flags = DLENS_PANEL_LAYER_X;
  figure.panels.push_back(figure.panels[0]);
  figure.panels[1].title = "Again";
  const composed_figure c = compose_runs(figure,
                                         {tables.of(figure, "one", "category,layer,y\na,0,1\nb,2,3\n"),
                                          tables.of(figure, "two", "category,layer,y\nb,0,40\nc,2,80\n")},
                                         runs_layout::side);
  names series;
  for (const figure_series& s : c.data.series) series.push_back(s.name + " " + std::to_string(s.color));
  BOOST_TEST(series == (names{"a 0", "b 1", "c 2"}), boost::test_tools::per_element());
  BOOST_TEST(c.data.panels[1].series.at(0).series == 1U);
  const page_layout page = lay_out(c.figure, c.data, c.n_layers);
  names titles;
  for (const panel_layout& panel : page.panels) titles.push_back(panel.title);
  BOOST_TEST(titles == (names{"one", "two", "one: Again", "two: Again"}), boost::test_tools::per_element());
  BOOST_TEST(page.panels[0].y.high == 80);
  BOOST_TEST(page.panels[1].y.high == 80);
  BOOST_TEST(page.panels[0].top == page.panels[1].top);
  BOOST_TEST(page.panels[0].left < page.panels[1].left);
  BOOST_TEST(page.panels[2].top > page.panels[0].bottom);
}

BOOST_AUTO_TEST_CASE(on_a_narrow_page_labels_of_runs_give_way_and_panels_keep_their_names) {
  const run_tables tables;
  figure_spec figure = simple_figure(figure_kind::lines);
  figure.panels.push_back(figure.panels[0]);
  figure.panels[0].title = "k = 1", figure.panels[1].title = "k = 10";
  const std::string csv = "category,layer,y\na,0,1\nb,2,3\n";
  const composed_figure c = compose_runs(figure,
                                         {tables.of(figure, "SmolLM2-135M-Instruct of all texts f32", csv),
                                          tables.of(figure, "SmolLM2-135M-Instruct of all texts bf16", csv)},
                                         runs_layout::side);
  const page_layout page = lay_out(c.figure, c.data, c.n_layers, {.width = 3.25 * 72});
  names titles;
  for (const panel_layout& panel : page.panels) titles.push_back(panel.title);
  BOOST_TEST(titles == (names{"k = 1", "k = 1", "k = 10", "k = 10"}), boost::test_tools::per_element());
  BOOST_TEST(page.panels[0].run.starts_with("Smol"), page.panels[0].run);
  BOOST_TEST(page.panels[0].run.ends_with("f32"), page.panels[0].run);
  BOOST_TEST(page.panels[1].run.ends_with("bf16"), page.panels[1].run);
  for (const panel_layout& panel : page.panels) {
    BOOST_TEST(text_width(panel.run, figure_style::text_size) <= panel.right - panel.outer);
    BOOST_TEST(panel.run_y < panel.title_y);
  }
  BOOST_TEST(page.panels[0].run_y > page.legend_y + page.legend.height());
  BOOST_TEST(page.panels[2].run_y > page.panels[0].bottom + 10);
}

BOOST_AUTO_TEST_CASE(runs_beside_each_other_have_one_legend_with_the_counts_of_all) {
  const run_tables tables;
  figure_spec figure = simple_figure(figure_kind::lines);
  figure.count = "n";
  const std::string first = "category,layer,y,n\na,0,1,1103\nb,0,2,7\nc,0,3,5\n";
  const auto entries = [&](const std::string& second) {
    const composed_figure c = compose_runs(
        figure, {tables.of(figure, "one", first), tables.of(figure, "two", second)}, runs_layout::side);
    return names_of(lay_out(c.figure, c.data, c.n_layers).legend.entries);
  };
  BOOST_TEST(entries(first) == (names{"a n = 1,103", "b n = 7", "c n = 5"}),
             boost::test_tools::per_element());
  BOOST_TEST(entries("category,layer,y,n\na,0,1,1102\nb,0,2,7\n") ==
                 (names{"a n = 1,103 and 1,102", "b n = 7", "c n = 5 and 0"}),
             boost::test_tools::per_element());
  figure.never = "never";
  const composed_figure c = compose_runs(figure,
                                         {tables.of(figure, "one", "category,layer,y,n,never\na,0,1,9,2\n"),
                                          tables.of(figure, "two", "category,layer,y,n,never\na,0,1,9,3\n")},
                                         runs_layout::side);
  const page_layout page = lay_out(c.figure, c.data, c.n_layers);
  BOOST_TEST(page.legend.entries.empty());
  BOOST_TEST(page.panels[1].legend.texts.at(0) == "a (n = 9, 3 never)");
}

BOOST_AUTO_TEST_CASE(in_a_legend_a_label_is_cut_before_the_name_of_the_series) {
  const run_tables tables;
  figure_spec figure = simple_figure(figure_kind::lines);
  figure.count = "n";
  const composed_figure c =
      compose_runs(figure,
                   {tables.of(figure, "SmolLM2-135M-Instruct of all the texts, in full precision",
                              "category,layer,y,n\nNOUN,0,0.25,7\nVERB,0,0.75,7\n"),
                    tables.of(figure, "SmolLM2-135M-Instruct of all the texts, in half of it",
                              "category,layer,y,n\nNOUN,0,0.25,6\nVERB,0,0.75,6\n")},
                   runs_layout::overlay);
  const figure_legend legend = arrange_legend(legend_entries(c.figure, c.data, 0), c.figure.kind, 120);
  BOOST_REQUIRE(legend.texts.size() == 4U);
  for (const std::string& text : legend.texts)
    BOOST_TEST((text.starts_with("NOUN, S") || text.starts_with("VERB, S")), text);
  BOOST_TEST(legend.texts[0].ends_with("n (n = 7)"), legend.texts[0]);
  BOOST_TEST(legend.texts[1].ends_with("it (n = 6)"), legend.texts[1]);
}

BOOST_AUTO_TEST_CASE(few_lines_are_overlaid_bars_and_many_stand_beside_each_other) {
  const run_tables tables;
  const figure_spec lines = simple_figure(figure_kind::lines),
                    bars = simple_figure(figure_kind::stacked_bars);
  const std::vector<figure_of_run> two = tables.two(lines);
  BOOST_TEST((layout_of_runs(lines, two, runs_layout::automatic) == runs_layout::overlay));
  BOOST_TEST((layout_of_runs(lines, two, runs_layout::side) == runs_layout::side));
  BOOST_TEST((layout_of_runs(bars, two, runs_layout::automatic) == runs_layout::side));
  BOOST_TEST((layout_of_runs(bars, two, runs_layout::overlay) == runs_layout::overlay));
  std::string csv = "category,layer,y\n";
  for (const char* name : {"a", "b", "c", "d", "e"}) csv += std::string(name) + ",0,1\n";
  const std::vector<figure_of_run> five = {tables.of(lines, "five", csv), two[0]};
  BOOST_TEST((layout_of_runs(lines, five, runs_layout::automatic) == runs_layout::side));
  figure_spec dashed = lines;
  dashed.dash = "category";
  BOOST_TEST((layout_of_runs(dashed, tables.two(dashed), runs_layout::automatic) == runs_layout::side));
  std::vector<figure_of_run> nine(9, two[0]);  // dash patterns are eight
  BOOST_TEST((layout_of_runs(lines, nine, runs_layout::overlay) == runs_layout::side));
  figure_spec many = lines;
  many.panels.resize(3, many.panels[0]);  // 27 panels
  BOOST_TEST(!layout_of_runs(many, nine, runs_layout::side));
  nine.resize(8);
  many.panels.resize(4, many.panels[0]);
  BOOST_TEST((layout_of_runs(many, nine, runs_layout::side) == runs_layout::overlay));
}

BOOST_AUTO_TEST_CASE(words_on_an_axis_have_one_place_for_all_runs) {
  const run_tables tables;
  figure_spec figure = simple_figure(figure_kind::lines);
  figure.panels[0].flags = 0;
  const composed_figure c = compose_runs(figure,
                                         {tables.of(figure, "one", "category,layer,y\na,x,1\na,y,2\n"),
                                          tables.of(figure, "two", "category,layer,y\na,y,3\na,z,4\n")},
                                         runs_layout::overlay);
  BOOST_TEST(c.data.panels[0].categories == (names{"x", "y", "z"}), boost::test_tools::per_element());
  BOOST_TEST(c.data.panels[0].series[1].points.at(0).x == 1);
  BOOST_TEST(c.data.panels[0].series[1].points.at(1).x == 2);
}

BOOST_AUTO_TEST_CASE(names_of_models_give_way_to_what_follows_them) {
  composed_figure c{.figure = {}, .data = {}, .models = {"tiny", "small"}, .about = ", 3 prompts"};
  BOOST_TEST(subtitle_of(c, 300) == "tiny and small, 3 prompts");
  c.models = {std::string(60, 'm'), std::string(60, 'w'), "x"};
  const std::string line = subtitle_of(c, 230);
  BOOST_TEST(line.ends_with(" and x, 3 prompts"), line);
  BOOST_TEST(line.find("...") != std::string::npos, line);
  BOOST_TEST(text_width(line, figure_style::text_size) <= 230);
}

BOOST_AUTO_TEST_CASE(both_layouts_are_drawn_in_every_format, *precondition(with_gnuplot)) {
  const run_tables tables;
  for (const figure_kind kind :
       {figure_kind::lines, figure_kind::stacked_bars, figure_kind::grouped_bars, figure_kind::density})
    for (const runs_layout layout : {runs_layout::overlay, runs_layout::side}) {
      const figure_spec figure = simple_figure(kind);
      std::vector<figure_of_run> runs = tables.two(figure);
      runs[0].label = "it's \"$(touch canary)\" `touch canary` 100%";
      const fs::path plots = tables.folder.path() / "plots";
      fs::create_directories(plots);
      for (const fs::path& picture :
           draw_composed(compose_runs(figure, runs, layout), plots, "f", all_formats))
        check_is_picture(picture);
      BOOST_TEST(!fs::exists(plots / "canary"));
      BOOST_TEST(read_bytes(plots / "f.gp").find("logit lens, 12 prompts") != std::string::npos);
    }
}

BOOST_AUTO_TEST_SUITE_END()
