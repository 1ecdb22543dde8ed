// SPDX-License-Identifier: Apache-2.0
// Points, series, groups and counts from a CSV, and the tables that cannot be drawn.
#include "figures/series.hpp"

#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace depthlens;
using depthlens::test::check_fails;
using depthlens::test::scratch_folder;

namespace {

figure_spec lines(std::vector<panel_spec> panels) {
  figure_spec figure;
  figure.id = figure.file = figure.table = "f";
  figure.series = "category";
  figure.panels = std::move(panels);
  return figure;
}
panel_spec panel(std::string x, std::string y, std::uint32_t flags = 0, std::string where = "") {
  panel_spec out;
  out.x = std::move(x);
  out.y = std::move(y);
  out.flags = flags;
  out.where = std::move(where);
  return out;
}

// x,y x,y ... with "-" for missing
std::string text(const panel_series& series) {
  std::string out;
  for (const figure_point& p : series.points)
    for (const double v : {p.x, p.y}) out += (std::isnan(v) ? "-" : cat(v)) + " ";
  return out;
}

struct table {
  scratch_folder folder;
  std::filesystem::path path;
  explicit table(const std::string& csv) : path(folder.write("t.csv", csv)) {}
  figure_data read(const figure_spec& figure) const { return read_figure(figure, path); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(figures_series)

BOOST_AUTO_TEST_CASE(series_keep_the_order_of_their_first_rows_and_points_that_of_the_rows) {
  const table t("category,x,y\nb,2,5\na,1,7\nb,1,6\na,3,\nb,,1\na,nan,2\na,4,inf\n");
  const figure_data data = t.read(lines({panel("x", "y")}));
  BOOST_REQUIRE(data.series.size() == 2U);
  BOOST_TEST(data.series[0].name == "b");
  BOOST_TEST(data.series[1].name == "a");
  BOOST_REQUIRE(data.panels[0].series.size() == 2U);
  BOOST_TEST(text(data.panels[0].series[0]) == "2 5 1 6 - 1 ");
  BOOST_TEST(text(data.panels[0].series[1]) == "1 7 3 - - 2 4 - ");
}

BOOST_AUTO_TEST_CASE(where_selects_rows_and_series_are_the_same_in_all_panels) {
  const table t("category,k,x,y\nb,1,0,10\na,1,0,11\na,5,0,12\nb,5,0,13\nc,7,0,14\n");
  const figure_data data =
      t.read(lines({panel("x", "y", 0, "k=5"), panel("x", "y", 0, "k=1"), panel("x", "y", 0, "k=")}));
  BOOST_TEST(data.series.size() == 2U);  // c is in no panel
  BOOST_REQUIRE(data.panels[0].series.size() == 2U);
  BOOST_TEST(data.panels[0].series[0].series == 0U);
  BOOST_TEST(text(data.panels[0].series[0]) == "0 13 ");
  BOOST_TEST(text(data.panels[1].series[1]) == "0 11 ");
  BOOST_TEST(data.panels[2].series.empty());
}

BOOST_AUTO_TEST_CASE(colours_dashes_and_counts_come_from_the_first_row) {
  figure_spec figure = lines({panel("x", "y")});
  figure.color = "len";
  figure.dash = "pos";
  figure.count = "n";
  figure.never = "lost";
  const table t(
      "category,len,pos,n,lost,x,y\n"
      "1/1,1,1,57,3,0,0\n2/1,2,1,1.0,0,0,0\n2/2,2,2,,-1,0,0\n3/2,3,2,x,1.5,0,0\n1/1,9,9,9,9,1,1\n");
  const figure_data data = t.read(figure);
  std::string groups;
  for (const figure_series& s : data.series) groups += cat(s.name, ":", s.color, s.dash, " ");
  BOOST_TEST(groups == "1/1:00 2/1:10 2/2:11 3/2:21 ");
  const std::vector<panel_series>& series = data.panels[0].series;
  BOOST_TEST(series[0].count.value() == 57U);
  BOOST_TEST(series[0].never.value() == 3U);
  BOOST_TEST(series[1].count.value() == 1U);
  BOOST_TEST(!series[2].count.has_value());
  BOOST_TEST(!series[2].never.has_value());
  BOOST_TEST(!series[3].count.has_value());
  BOOST_TEST(!series[3].never.has_value());
}

BOOST_AUTO_TEST_CASE(a_figure_without_a_series_column_has_one_series) {
  figure_spec figure = lines({panel("x", "y")});
  figure.series = "";
  const figure_data data = table("x,y\n1,2\n3,4\n").read(figure);
  BOOST_REQUIRE(data.series.size() == 1U);
  BOOST_TEST(data.series[0].name == "");
  BOOST_TEST(text(data.panels[0].series[0]) == "1 2 3 4 ");
}

BOOST_AUTO_TEST_CASE(layers_may_be_module_names) {
  const table t("category,layer,y\na,model.layers.7,1\na,transformer.h.12,2\na,3,3\na,4.0,4\n");
  const figure_data data = t.read(lines({panel("layer", "y", DLENS_PANEL_LAYER_X)}));
  BOOST_TEST(text(data.panels[0].series[0]) == "7 1 12 2 3 3 4 4 ");
  BOOST_TEST(data.panels[0].categories.empty());
  check_fails(
      [] { table("category,layer,y\na,embed,1\n").read(lines({panel("layer", "y", DLENS_PANEL_LAYER_X)})); },
      status::data, "t.csv:2", "\"layer\"", "\"embed\"");
}

BOOST_AUTO_TEST_CASE(words_on_the_x_axis_are_numbered) {
  const table t("category,task,y\na,1,1\na,SST,2\nb,1,3\nb,,4\n");
  const figure_data data = t.read(lines({panel("task", "y")}));
  BOOST_TEST(data.panels[0].categories == (std::vector<std::string>{"1", "SST", ""}),
             boost::test_tools::per_element());
  BOOST_TEST(text(data.panels[0].series[0]) == "0 1 1 2 ");
  BOOST_TEST(text(data.panels[0].series[1]) == "0 3 2 4 ");
}

BOOST_AUTO_TEST_CASE(densities_count_each_x) {
  figure_spec figure = lines({panel("first", "")});
  figure.kind = figure_kind::density;
  const figure_data data = table("category,first\na,3\nb,5\na,\na,5\na,3\na,3.0\n").read(figure);
  BOOST_TEST(text(data.panels[0].series[0]) == "3 3 5 1 ");
  BOOST_TEST(text(data.panels[0].series[1]) == "5 1 ");
  check_fails([&] { table("category,first\na,3\na,word\n").read(figure); }, status::data, "t.csv:3",
              "\"word\"");
}

BOOST_AUTO_TEST_CASE(tables_without_rows_or_header_have_no_series) {
  BOOST_TEST(table("category,x,y\n").read(lines({panel("x", "y")})).series.empty());
  BOOST_TEST(table("\n").read(lines({panel("x", "y"), panel("x", "y")})).panels.size() == 2U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_drawn_is_refused_with_file_and_line) {
  const figure_spec figure = lines({panel("x", "y")});
  check_fails([&] { table("category,x,z\na,1,2\n").read(figure); }, status::data, "t.csv", "column \"y\"");
  check_fails([&] { table("category,x,y\na,1,two\n").read(figure); }, status::data, "t.csv:2", "\"y\"",
              "\"two\"");
  check_fails([&] { table("category,x,y\na,1,0x10\n").read(figure); }, status::data, "t.csv:2", "\"0x10\"");
  check_fails([&] { table("category,x,y\na,1\n").read(figure); }, status::data, "t.csv:2", "2 fields");
  check_fails([&] { read_figure(figure, "/nonexistent/t.csv"); }, status::no_input, "/nonexistent/t.csv");
  std::string many = "category,x,y\n";
  for (int i = 0; i < 70; ++i) many += cat("s", i, ",1,1\n");
  check_fails([&] { table(many).read(figure); }, status::data, "t.csv:66", "more than 64 series");
}

BOOST_AUTO_TEST_CASE(too_many_words_for_an_axis_are_refused_and_too_many_numbers_are_not) {
  const figure_spec figure = lines({panel("x", "y")});
  std::string words = "category,x,y\n", numbers = words;
  for (int i = 0; i < 600; ++i) {
    words += cat("a,w", i, ",1\n");
    numbers += cat("a,", i, ",1\n");
  }
  check_fails([&] { table(words).read(figure); }, status::data, "t.csv:2", "\"w0\"", "too many words");
  check_fails([&] { table(numbers + "a,word,1\n").read(figure); }, status::data, "t.csv:602", "\"word\"");
  BOOST_TEST(table(numbers).read(figure).panels[0].series[0].points.size() == 600U);
}

BOOST_AUTO_TEST_SUITE_END()
