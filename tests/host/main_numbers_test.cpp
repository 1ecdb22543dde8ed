// SPDX-License-Identifier: Apache-2.0
// The small table at the end of a run.
#include "run/main_numbers.hpp"
#include "support/figures_files.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(main_numbers_of_runs)

using namespace depthlens;
using namespace depthlens::test;

namespace {

struct made_figure {
  scratch_folder folder;
  std::string glance(const figure_spec& spec, const std::string& csv) const {
    return numbers_at_a_glance({.figure = spec,
                                .about = simple_run,
                                .csv = folder.write("f.csv", csv),
                                .stem = "f",
                                .study = "study"});
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_figure_is_a_line_for_each_series_with_five_values_of_x) {
  const made_figure made;
  figure_spec spec = simple_figure(figure_kind::lines);
  std::string csv = "layer,y,category\n";
  for (int x = 0; x <= 30; ++x) csv += cat(x, ",", x / 30.0, ",\"a\"\n", x, ",0.125,\"b\"\n");
  spec.panels[0].flags |= DLENS_PANEL_PERCENT_Y;
  const std::string text = made.glance(spec, csv);
  BOOST_TEST(text.find("        0        7       15       22       30\n") != std::string::npos, text);
  BOOST_TEST(text.find("      0 %   23.3 %     50 %   73.3 %    100 %\n") != std::string::npos, text);
  BOOST_TEST(text.find("   12.5 %   12.5 %") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(where_the_interval_is_one_of_x_columns_are_values_of_y) {
  const made_figure made;
  figure_spec spec = simple_figure(figure_kind::lines);
  spec.panels[0].flags = DLENS_PANEL_INTERVAL_X;
  const std::string text = made.glance(spec, "layer,y,category\n20.25,1,\"a\"\n3,5,\"a\"\n,9,\"b\"\n");
  BOOST_TEST(text.find("        1        5\n") != std::string::npos, text);
  BOOST_TEST(text.find("     20.2        3\n") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(names_from_models_and_data_cannot_steer_the_terminal) {
  const made_figure made;
  const std::string text =
      made.glance(simple_figure(figure_kind::lines), "layer,y,category\n0,1,\"\033[2J\xE2\x80\xAE\"\n");
  BOOST_TEST(text.find('\033') == std::string::npos);
  BOOST_TEST(text.find("\xE2\x80\xAE") == std::string::npos);
  const std::string next = next_commands("/a b/it's", "m");
  BOOST_TEST(next.find("depthlens report '/a b/it'\\''s'") != std::string::npos, next);
  const std::string odd = next_commands("/u\xff\n'", "-m");
  BOOST_TEST(odd.find(R"(report $'/u\xff\x0a\'')") != std::string::npos, odd);
}

BOOST_AUTO_TEST_CASE(a_density_has_no_numbers_at_a_glance) {
  const made_figure made;
  figure_spec spec = simple_figure(figure_kind::density);
  BOOST_TEST(made.glance(spec, simple_csv) == "");
}

BOOST_AUTO_TEST_SUITE_END()
