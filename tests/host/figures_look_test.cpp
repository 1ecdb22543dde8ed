// SPDX-License-Identifier: Apache-2.0
// --style, --width and --titles.
#include "figures/draw.hpp"
#include "figures/layout.hpp"
#include "figures/look.hpp"
#include "support/figures_files.hpp"

#include <boost/test/unit_test.hpp>

#include <sstream>
#include <string>

BOOST_AUTO_TEST_SUITE(figure_looks)

using namespace depthlens;
using namespace depthlens::test;

namespace {

// The script of the simple figure.
std::string script_with(const figure_look& look) {
  const scratch_folder folder;
  draw_figure(simple_figure(figure_kind::lines), simple_run, folder.write("f.csv", simple_csv), folder.path(),
              "f", {}, look);
  return read_bytes(folder.path() / "f.gp");
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_CASE(a_width_is_in_inches_centimetres_or_points) {
  BOOST_TEST(parse_look("paper", "3.25in", "on").width == 234);
  BOOST_TEST(parse_look("paper", "25.4cm", "on").width == 720, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(parse_look("slides", "600pt", "on").width == 300);
  for (const char* wrong :
       {"3.25", "in", "1in", "21in", "3.25 in", "-4in", "2.4in", "nanin", "1e9in", "4em", "4inx"})
    check_fails([&] { parse_look("paper", wrong, "on"); }, status::usage, "--width");
  check_fails([] { parse_look("slides", "4in", "on"); }, status::usage, "from 5in to 20in");
  check_fails([] { parse_look("poster", "", "on"); }, status::usage,
              "--style poster: expected paper, slides");
  check_fails([] { parse_look("paper", "", "maybe"); }, status::usage, "--titles maybe");
}

BOOST_AUTO_TEST_CASE(figures_for_papers_are_as_they_are_without_a_wish) {
  BOOST_TEST(script_with({}) == script_with(parse_look("paper", "", "on")));
}

BOOST_AUTO_TEST_CASE(slides_are_twice_as_large_in_all_their_parts) {
  const std::string paper = script_with({}), slides = script_with(parse_look("slides", "", "on"));
  BOOST_TEST(has(paper, "pdfcairo noenhanced size 3.35in,"), paper);
  BOOST_TEST(has(paper, "fontscale 0.75 linewidth 2 "), paper);
  BOOST_TEST(has(slides, "pdfcairo noenhanced size 6.7in,"), slides);
  BOOST_TEST(has(slides, "fontscale 1.5 linewidth 4 "), slides);
}

BOOST_AUTO_TEST_CASE(dark_figures_have_light_letters_everywhere) {
  const std::string dark = script_with(parse_look("dark", "", "on"));
  BOOST_TEST(has(dark, "background '#000000'"));
  BOOST_TEST(has(dark, "set tics out nomirror scale 0.5, 0.3 textcolor rgb '#FFFFFF'"));
  BOOST_TEST(!has(dark, "'#4D4D4D'"));
  std::istringstream lines(dark);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("set label") || line.starts_with("set xlabel"))
      BOOST_TEST(has(line, " tc rgb '#"), line);
}

BOOST_AUTO_TEST_CASE(
    a_page_has_the_width_that_is_asked_for_and_its_panels_below_each_other_where_it_is_narrow) {
  figure_spec two = simple_figure(figure_kind::lines);
  two.panels.push_back(two.panels[0]);
  const scratch_folder folder;
  const drawn_figure drawn = read_drawn(two, simple_run, folder.write("f.csv", simple_csv));
  const page_layout wide = lay_out(drawn.figure, drawn.data, 2),
                    narrow = lay_out(drawn.figure, drawn.data, 2, parse_look("paper", "3.25in", "on"));
  BOOST_TEST(wide.panels[0].top == wide.panels[1].top);
  BOOST_TEST(narrow.width == 234);
  BOOST_TEST(narrow.panels[1].top > narrow.panels[0].bottom);
  BOOST_TEST(narrow.panels[1].bottom < narrow.height);
}

BOOST_AUTO_TEST_CASE(narrow_pages_of_many_panels_have_two_beside_each_other_before_they_are_too_tall) {
  figure_spec six = simple_figure(figure_kind::lines);
  six.panels.resize(6, six.panels[0]);
  const scratch_folder folder;
  const drawn_figure drawn = read_drawn(six, simple_run, folder.write("f.csv", simple_csv));
  const page_layout narrow = lay_out(drawn.figure, drawn.data, 2, parse_look("paper", "3.25in", "on")),
                    thin = lay_out(drawn.figure, drawn.data, 2, parse_look("paper", "2.5in", "on"));
  BOOST_TEST(narrow.width == 234);
  BOOST_TEST(narrow.height < 9 * 72);
  BOOST_TEST(narrow.panels[0].top == narrow.panels[1].top);
  BOOST_TEST(narrow.panels[2].top > narrow.panels[0].bottom);
  BOOST_TEST(narrow.panels[0].right < narrow.panels[1].left);
  BOOST_TEST(thin.panels[1].top > thin.panels[0].bottom);  // two would be too narrow
}

BOOST_AUTO_TEST_CASE(without_titles_nothing_is_left_in_their_place) {
  const scratch_folder folder;
  const drawn_figure drawn =
      read_drawn(simple_figure(figure_kind::lines), simple_run, folder.write("f.csv", simple_csv));
  const page_layout with = lay_out(drawn.figure, drawn.data, 2),
                    without = lay_out(drawn.figure, drawn.data, 2, parse_look("paper", "", "off"));
  BOOST_TEST(without.title == "");
  BOOST_TEST(without.height == with.height - 23, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(!has(script_with(parse_look("paper", "", "off")), simple_run.model));
}

BOOST_AUTO_TEST_SUITE_END()
