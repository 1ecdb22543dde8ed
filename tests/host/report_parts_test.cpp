// SPDX-License-Identifier: Apache-2.0
// The parts of a page: figures with the values behind them, tables with their first rows.
#include "report/axis_ticks.hpp"
#include "report/figure_html.hpp"
#include "report/table_html.hpp"
#include "support/figures_files.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace depthlens;
using namespace depthlens::test;

namespace {

struct page_parts {
  scratch_folder folder;
  std::string figure(const figure_spec& spec, const std::string& csv, figure_run about = simple_run) const {
    return figure_html({.figure = spec,
                        .about = std::move(about),
                        .csv = folder.write("f.csv", csv),
                        .stem = "f",
                        .study = "study"},
                       "figure-1");
  }
  std::string table(const std::string& csv) const { return table_html(folder.write("t.csv", csv)); }
};

bool shows(const std::string& page, const std::string& part) { return page.find(part) != std::string::npos; }

std::size_t times(const std::string& page, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = page.find(part); at != std::string::npos; at = page.find(part, at + 1)) ++n;
  return n;
}

figure_spec figure_with_interval() {
  figure_spec figure = simple_figure(figure_kind::lines);
  figure.panels[0].low = "low";
  figure.panels[0].high = "high";
  return figure;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(report_parts)

BOOST_AUTO_TEST_CASE(a_line_carries_the_values_of_its_points_and_breaks_where_one_is_missing) {
  const page_parts parts;
  const std::string page = parts.figure(simple_figure(figure_kind::lines), simple_csv);
  BOOST_TEST(times(page, "<svg class=\"panel\"") == 1U);
  BOOST_TEST(shows(page, "data-name=\"a\" data-at=\""), page);
  BOOST_TEST(shows(page, "data-x=\"0 1 2\" data-y=\"0.25 0.5 1\""), page);
  BOOST_TEST(shows(page, "data-x=\"0 2\" data-y=\"0.75 0\""), page);
  BOOST_TEST(times(page, "<path class=\"line\"") == 4U);  // two series, and their samples
  BOOST_TEST(shows(page, "data-percent=\"yes\""));
  BOOST_TEST(shows(page, ">100%</text>"));
  BOOST_TEST(!shows(page, "data-low"));
  // The points of b have no neighbours: each is drawn as one.
  BOOST_TEST(times(page, "<g fill=\"#DE8F05\"><path") == 1U);
  BOOST_TEST(shows(page, "logit lens, 12 prompts; from <code>data/f.csv</code>"));
}

BOOST_AUTO_TEST_CASE(an_interval_is_a_band_and_is_said_with_each_value) {
  const page_parts parts;
  const std::string page = parts.figure(
      figure_with_interval(), "category,layer,y,low,high\na,0,0.5,0.25,0.75\na,1,0.5,,\na,2,0.5,0.25,0.75\n");
  BOOST_TEST(shows(page, "data-low=\"0.25 - 0.25\" data-high=\"0.75 - 0.75\""), page);
  BOOST_TEST(times(page, "<path class=\"band\" fill=\"#0173B2\" d=\"M") == 1U);
  // Each of the two stretches is a point alone, whose band has a width all the same.
  const std::size_t from = page.find("<path class=\"band\"");
  BOOST_TEST(times(page.substr(from, page.find("/>", from) - from), "L") == 6U);
}

BOOST_AUTO_TEST_CASE(an_interval_that_reaches_below_a_log_axis_ends_beyond_the_plot) {
  figure_spec figure = figure_with_interval();
  figure.panels[0].flags = DLENS_PANEL_LAYER_X | DLENS_PANEL_LOG_Y;
  const std::string page = page_parts().figure(
      figure, "category,layer,y,low,high\na,0,5,-1,9\na,1,50,0,90\na,2,5,0.5,9\na,3,0,0,1\n");
  BOOST_TEST(shows(page, "data-low=\"-1 0 0.5\""), page);
  for (const char* bad : {"NaN", "nan", "inf"}) BOOST_TEST(!shows(page, bad), bad);
}

BOOST_AUTO_TEST_CASE(bars_are_as_wide_as_their_values_are_picked) {
  const page_parts parts;
  const std::string stacked = parts.figure(simple_figure(figure_kind::stacked_bars), simple_csv);
  BOOST_TEST(times(stacked, "<rect class=\"bar\"") == 5U);
  BOOST_TEST(shows(stacked, ">75%</text>"), stacked);
  const std::string grouped = parts.figure(simple_figure(figure_kind::grouped_bars), simple_csv);
  BOOST_TEST(times(grouped, "<rect class=\"bar\"") == 5U);
  BOOST_TEST(shows(grouped, "no bar: no value"));
  BOOST_TEST(!shows(grouped, "height=\"0\""));  // 0% is seen
}

BOOST_AUTO_TEST_CASE(densities_say_how_many_values_they_are_of_or_why_there_is_none) {
  const page_parts parts;
  const figure_spec figure = simple_figure(figure_kind::density);
  const std::string page = parts.figure(figure, "category,layer,y\na,0,1\na,2,1\na,2,1\n");
  BOOST_TEST(shows(page, "data-n=\"3\""));
  BOOST_TEST(shows(page, "(n = 3)"));
  BOOST_TEST(
      shows(parts.figure(figure, "category,layer,y\na,2,1\na,2,1\n"), "no density: all values are equal"));
  BOOST_TEST(shows(parts.figure(figure, "\n"), "no data"));
}

BOOST_AUTO_TEST_CASE(a_control_and_a_baseline_are_drawn_beside_their_figure) {
  const page_parts parts;
  figure_run about = simple_run;
  about.control = parts.folder.write("null.csv", simple_csv);
  const std::string page = parts.figure(simple_figure(figure_kind::stacked_bars), simple_csv, about);
  BOOST_TEST(shows(page, "data-name=\"a, null\""));
  BOOST_TEST(shows(
      page, "logit lens and its null, 12 prompts; from <code>data/f.csv</code> and <code>data/null.csv"));
  BOOST_TEST(shows(page, "stroke-dasharray=\"5.6 2.8\""), page);
  figure_spec figure = figure_with_interval();
  figure.baseline = "text";
  const std::string with_text = parts.figure(
      figure, "category,layer,y,low,high,text\na,0,0.5,0.25,0.75,0.125\na,1,0.5,0.25,0.75,0.125\n");
  BOOST_TEST(shows(with_text, "data-name=\"a, by corpus frequency\""));
  BOOST_TEST(shows(with_text, "data-low=\"- -\""));  // the interval is around y alone
}

BOOST_AUTO_TEST_CASE(words_on_an_axis_and_names_of_series_are_escaped) {
  figure_spec figure = simple_figure(figure_kind::grouped_bars);
  figure.title = "<script>alert(1)</script>";
  figure.panels[0].flags = 0;
  figure.panels[0].title = "\"><img src=x>";
  const std::string page = page_parts().figure(
      figure, "category,layer,y\n</g><b>,\"a\"\" onfocus=\"\"x\",1\n\xE2\x80\xAEz,<i>,2\n");
  for (const char* bad : {"<script", "<img", "<b>", "<i>", "\" onfocus=\"", "\xE2\x80\xAE"})
    BOOST_TEST(!shows(page, bad), bad);
  BOOST_TEST(shows(page, "data-name=\"&lt;/g&gt;&lt;b&gt;\""), page);
  BOOST_TEST(shows(page, "data-name=\"\\u202ez\""));
  BOOST_TEST(shows(page, "data-words=\"[&quot;a\\&quot; onfocus=\\&quot;x&quot;,&quot;&lt;i&gt;&quot;]\""));
}

BOOST_AUTO_TEST_CASE(a_figure_of_too_many_points_is_named_and_not_drawn) {
  std::string csv = "category,layer,y\n";
  for (std::size_t i = 0; i <= most_points_on_page; ++i) csv += "a," + std::to_string(i) + ",0.5\n";
  const std::string page = page_parts().figure(simple_figure(figure_kind::lines), csv);
  BOOST_TEST(shows(page, "Its 50,001 points are too many for this page; it is <code>plots/f</code>"), page);
  BOOST_TEST(!shows(page, "<svg"));
}

BOOST_AUTO_TEST_CASE(ticks_are_multiples_of_their_step_or_powers_of_ten) {
  const auto labels = [](const figure_axis& axis) {
    std::string out;
    for (const axis_tick& t : ticks_of(axis)) out += t.label.empty() ? "." : t.label + " ";
    return out;
  };
  BOOST_TEST(labels({.low = 0, .high = 0.3, .step = 0.1, .words = {}}) == "0 0.1 0.2 0.3 ");
  BOOST_TEST(labels({.low = -0.6, .high = 2.6, .step = 1, .words = {}}) == "0 1 2 ");
  BOOST_TEST(labels(percent_axis(1)) == "0% 20% 40% 60% 80% 100% ");
  BOOST_TEST(labels({.low = 1, .high = 100, .step = 10, .log = true, .words = {}}) ==
             "1 ........10 ........100 ");
  BOOST_TEST(labels({.low = 1, .high = 10, .step = 10, .log = true, .words = {}}) == "1 2 ..5 ....10 ");
  BOOST_TEST(labels(word_axis({"a", "b"}, 200)) == "a b ");
  BOOST_TEST(place_on({.low = 1, .high = 100, .step = 10, .log = true, .reversed = true, .words = {}}, 10) ==
             0.5);
}

BOOST_AUTO_TEST_CASE(a_table_shows_its_first_rows_and_says_how_many_there_are_and_where) {
  std::string csv = "name,value\n";
  for (int i = 0; i < 1234; ++i) csv += "n" + std::to_string(i) + ",0.123456789\n";
  const std::string page = page_parts().table(csv);
  BOOST_TEST(times(page, "<tr>") == 1U + most_rows_on_page);
  BOOST_TEST(shows(page,
                   "The first 200 of 1,234 rows; a sort is of these. Numbers are rounded here. All are in "
                   "<code>data/t.csv</code>."));
  BOOST_TEST(shows(page, "<th scope=\"col\">name</th><th scope=\"col\" class=\"number\">value</th>"));
  BOOST_TEST(shows(page, "<td class=\"number\">0.12346</td>"));
  BOOST_TEST(page.starts_with("<details><summary>"));
}

BOOST_AUTO_TEST_CASE(a_short_table_is_unfolded_whole_and_as_it_is) {
  const std::string page = page_parts().table("name,value\na,1\nb,\n\"\",12345678901\n");
  BOOST_TEST(page.starts_with("<details open><summary>"));
  BOOST_TEST(!shows(page, "rounded"));
  BOOST_TEST(shows(page, "<td class=\"number\">12345678901</td>"));
  BOOST_TEST(shows(page, "<td><bdi>b</bdi></td><td class=\"number\"></td>"));
  BOOST_TEST(shows(page_parts().table("name,value\n"), "It has no rows."));
  BOOST_TEST(shows(page_parts().table("\n"), "It has no rows."));  // as the published code writes it
}

BOOST_AUTO_TEST_CASE(hostile_fields_and_columns_are_escaped_and_bounded) {
  std::string wide = "c0", fields = "1";
  for (int i = 1; i < 100; ++i) wide += ",c" + std::to_string(i), fields += ",1";
  const std::string page = page_parts().table(wide + "\n" + fields + "\n");
  BOOST_TEST(times(page, "<td") == most_columns_on_page);
  BOOST_TEST(shows(page, "The first 40 of 100 columns. All are in"));
  const std::string hostile =
      page_parts().table("<b>,b\n</table><script>x</script>," + std::string(100'000, 'x') + "\n");
  for (const char* bad : {"<b>", "<script"}) BOOST_TEST(!shows(hostile, bad), bad);
  BOOST_TEST(times(hostile, "</table>") == 1U);
  BOOST_TEST(hostile.size() < 2000U);
}

BOOST_AUTO_TEST_CASE(numbers_keep_five_digits_and_what_is_none_stays) {
  BOOST_TEST(rounded_number("0.43283582089552236") == "0.43284");
  BOOST_TEST(rounded_number("1e-300") == "1e-300");
  BOOST_TEST(rounded_number("0.000012345678") == "1.2346e-05");
  BOOST_TEST(rounded_number("123456789012345678") == "123456789012345678");
  BOOST_TEST(rounded_number("-123456789012") == "-123456789012");
  for (const char* same : {"", "nan", "infinity", "1.0", "0.12345", "12345678-9.5"})
    BOOST_TEST(rounded_number(same) == same);
}

BOOST_AUTO_TEST_SUITE_END()
