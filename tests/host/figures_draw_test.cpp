// SPDX-License-Identifier: Apache-2.0
// Script, data and pictures of figures, and what happens without a gnuplot that works.
#include "figures/glyphs.hpp"
#include "support/figures_files.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
using boost::unit_test::precondition;

namespace {

// A table, a folder for pictures, and a folder for programs that stand in for gnuplot.
struct workplace {
  scratch_folder folder;
  fs::path csv = folder.write("t.csv", simple_csv), plots = folder.path() / "plots",
           programs = folder.path() / "bin";
  workplace() {
    fs::create_directory(plots);
    fs::create_directory(programs);
  }
  std::vector<fs::path> draw(const figure_spec& figure, std::vector<std::string> formats = all_formats,
                             const std::string& stem = "f") const {
    return draw_figure(figure, simple_run, csv, plots, stem, formats);
  }
  // From now on "gnuplot" is this shell script.
  changed_variable stand_in(const std::string& script) const {
    const fs::path path = folder.write("bin/gnuplot", "#!/bin/sh\n" + script);
    fs::permissions(path, fs::perms::owner_all);
    return changed_variable("PATH", programs.string());
  }
};

std::string lines_after(const std::string& text, const std::string& marker) {
  const std::size_t at = text.find(marker);
  BOOST_REQUIRE_MESSAGE(at != text.npos, "no \"" << marker << "\" in:\n" << text);
  return text.substr(at);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(figures_draw)

BOOST_AUTO_TEST_CASE(the_data_file_holds_what_is_drawn_and_the_script_how) {
  const workplace w;
  draw_figure(simple_figure(figure_kind::lines), simple_run, w.csv, w.plots, "f", {});
  BOOST_TEST(names_in(w.plots) == (std::set<std::string>{"f.dat", "f.gp"}), boost::test_tools::per_element());
  BOOST_TEST(read_bytes(w.plots / "f.dat") ==
             "# A figure\n"
             "# Blocks are separated by two blank lines; NaN = missing\n"
             "# block 0: panel 1, a\n# layer y lone\n0 0.25 0\n1 0.5 0\n2 1 0\n"
             "\n\n"
             "# block 1: panel 1, b\n# layer y lone\n0 0.75 1\nNaN NaN 0\n2 0 1\n");
  const std::string script = read_bytes(w.plots / "f.gp");
  BOOST_TEST(lines_after(script, "# Panel 1") ==
             R"(# Panel 1
set label 'A figure' at screen X(4), screen Y(10) left font ',9'
set label 'tiny, logit lens, 12 prompts' at screen X(4), screen Y(21.5) left tc rgb '#4D4D4D'
set arrow from screen X(4), screen Y(35) to screen X(21), screen Y(35) nohead lc rgb '#0173B2' lw 1.4
set label 'a' at screen X(25), screen Y(35) left
set arrow from screen X(38.45), screen Y(35) to screen X(55.45), screen Y(35) nohead lc rgb '#DE8F05' lw 1.41
set label 'b' at screen X(59.45), screen Y(35) left
set xlabel 'Layer'; set ylabel 'Share'
set lmargin at screen X(45.46); set rmargin at screen X(228.2)
set tmargin at screen Y(49); set bmargin at screen Y(199)
unset logscale x
set xrange [0:2] noreverse
set format x '%g'
unset mxtics
set xtics 1
unset logscale y
set yrange [0:100] noreverse
set format y '%g%%'
unset mytics
set ytics 20
plot data index 0 using 1:(100*$2) with lines lc rgb '#0173B2' lw 1.4, \
     data index 1 using 1:(100*$2) with lines lc rgb '#DE8F05' lw 1.4, \
     data index 1 using 1:($3 > 0 ? 100*$2 : NaN) with points pt 5 ps 3.2*dot lc rgb '#DE8F05'
unset output
)");
}

BOOST_AUTO_TEST_CASE(stacked_bars_stand_on_each_other_and_missing_ones_are_left_out) {
  const workplace w;
  w.draw(simple_figure(figure_kind::stacked_bars), {});
  BOOST_TEST(lines_after(read_bytes(w.plots / "f.dat"), "# block 0") ==
             "# block 0: panel 1, a\n# layer y low high labelled\n0 0.25 0 0.25 1\n1 0.5 0 0.5 1\n2 1 0 1 1\n"
             "\n\n"
             "# block 1: panel 1, b\n# layer y low high labelled\n0 0.75 0.25 1 1\n2 0 1 1 0\n");
  BOOST_TEST(lines_after(read_bytes(w.plots / "f.gp"), "plot data") ==
             R"(plot data index 0 using 1:(0):($1-0.44):($1+0.44):(100*$3):(100*$4) )"
             R"(with boxxyerror lc rgb '#F97316' lw 0.6 fs solid 1 border lc rgb '#FFFFFF', \
     data index 0 using 1:(50*($3+$4)):($5 > 0 ? sprintf('%.1f', 100*$2).'%' : '') )"
             R"(with labels font ',7' tc rgb '#2B2B2B', \
     data index 1 using 1:(0):($1-0.44):($1+0.44):(100*$3):(100*$4) )"
             R"(with boxxyerror lc rgb '#2563EB' lw 0.6 fs solid 1 border lc rgb '#FFFFFF', \
     data index 1 using 1:(50*($3+$4)):($5 > 0 ? sprintf('%.1f', 100*$2).'%' : '') )"
             R"(with labels font ',7' tc rgb '#FFFFFF'
unset output
)");
}

BOOST_AUTO_TEST_CASE(an_interval_is_a_band_behind_its_line, *boost::unit_test::precondition(with_gnuplot)) {
  workplace w;
  w.csv = w.folder.write("f.csv", "category,layer,y,low,high\na,0,0.5,0.25,0.75\na,1,0.5,,\nb,0,1,0.5,1\n");
  figure_spec figure = simple_figure(figure_kind::lines);
  figure.panels[0].low = "low";
  figure.panels[0].high = "high";
  BOOST_TEST((figure_from_json(to_json(figure)) == figure));
  for (const fs::path& picture : w.draw(figure)) check_is_picture(picture);
  BOOST_TEST(lines_after(read_bytes(w.plots / "f.dat"), "# block 0") ==
             "# block 0: panel 1, a\n# layer y lone low high\n0 0.5 0 0.25 0.75\n1 0.5 0 NaN NaN\n"
             "\n\n# block 1: panel 1, b\n# layer y lone low high\n0 1 1 0.5 1\n");
  BOOST_TEST(read_bytes(w.plots / "f.gp")
                 .find("1:(100*$4):(100*$5) with filledcurves fc rgb '#0173B2' fs transparent solid 0.2") !=
             std::string::npos);
  figure.panels[0].high = "none";
  check_fails([&] { w.draw(figure, {}); }, status::data, "f.csv", "none");
}

BOOST_AUTO_TEST_CASE(bars_beside_their_control_are_lines_of_the_colours_of_the_bars) {
  const workplace w;
  figure_run run = simple_run;
  run.control = w.folder.write("null.csv", "category,layer,y\na,0,0.5\na,1,0.5\nb,0,0.5\nb,1,0.5\n");
  draw_figure(simple_figure(figure_kind::stacked_bars), run, w.csv, w.plots, "f", {});
  const std::string script = read_bytes(w.plots / "f.gp");
  for (const char* color : {"#F97316", "#2563EB"}) BOOST_TEST(script.find(color) != script.npos);
  for (const char* color : {"#0173B2", "#DE8F05"}) BOOST_TEST(script.find(color) == script.npos);
}

BOOST_AUTO_TEST_CASE(lines_have_their_baseline_beside_them_and_bars_have_none) {
  workplace w;
  w.csv =
      w.folder.write("text.csv", "category,layer,y,text\na,0,0.25,0.5\na,1,0.5,\nb,0,1,0.125\nb,1,1,0.125\n");
  for (const figure_kind kind : {figure_kind::lines, figure_kind::grouped_bars}) {
    figure_spec figure = simple_figure(kind);
    figure.baseline = "text";
    draw_figure(figure, simple_run, w.csv, w.plots, "f", {});
    const std::string data = read_bytes(w.plots / "f.dat"), script = read_bytes(w.plots / "f.gp");
    const bool lines = kind == figure_kind::lines;
    BOOST_TEST((data.find("panel 1, a, by corpus frequency\n# layer y lone\n0 0.5 1\n") != data.npos) ==
               lines);
    BOOST_TEST((data.find("panel 1, b, by corpus frequency\n") != data.npos) == lines);
    BOOST_TEST((script.find("'by corpus frequency'") != script.npos) == lines);  // one entry for both
  }
}

BOOST_AUTO_TEST_CASE(grouped_bars_stand_beside_each_other) {
  const workplace w;
  w.draw(simple_figure(figure_kind::grouped_bars), {});
  BOOST_TEST(lines_after(read_bytes(w.plots / "f.dat"), "# block 1") ==
             "# block 1: panel 1, b\n# layer y left right\n0 0.75 0 0.42\n2 0 2 2.42\n");
  // 0% is seen, and is not taken for a bar that is missing.
  BOOST_TEST(read_bytes(w.plots / "f.gp").find("(abs(100*$2) < 0.8 ? 0.8 : 100*$2)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_panel_without_data_says_so) {
  workplace w;
  w.csv = w.folder.write("empty.csv", "\n");
  w.draw(simple_figure(figure_kind::lines), {});
  const std::string script = read_bytes(w.plots / "f.gp");
  BOOST_TEST(script.find("set label 'no data' at graph 0.5, graph 0.5 center") != script.npos);
  BOOST_TEST(script.find("plot NaN\n") != script.npos);
}

BOOST_AUTO_TEST_CASE(a_density_of_equal_values_says_why_it_is_not_there) {
  workplace w;
  w.csv = w.folder.write("equal.csv", "category,layer,y\na,2,1\na,2,1\nb,1,1\n");
  w.draw(simple_figure(figure_kind::density), {});
  const std::string script = read_bytes(w.plots / "f.gp");
  BOOST_TEST(script.find("set label 'no density: all values are equal' at graph 0.5") != script.npos);
}

BOOST_AUTO_TEST_CASE(names_and_formats_that_cannot_be_are_refused) {
  const workplace w;
  const figure_spec figure = simple_figure(figure_kind::lines);
  for (const std::string& stem :
       {std::string(), std::string("../f"), std::string("a/b"), std::string(".f"), std::string("a\nb"),
        std::string("a\0b", 3), std::string("\xFF"), std::string(201, 'a')})
    check_fails([&] { w.draw(figure, all_formats, stem); }, status::usage, "name of a figure");
  check_fails([&] { w.draw(figure, {"png", "jpg"}); }, status::usage, "\"jpg\"", "png, svg, pdf or tikz");
  BOOST_TEST(names_in(w.plots).empty());
}

BOOST_AUTO_TEST_CASE(a_picture_of_every_kind_in_every_format, *precondition(with_gnuplot)) {
  const workplace w;
  for (const figure_kind kind :
       {figure_kind::lines, figure_kind::stacked_bars, figure_kind::grouped_bars, figure_kind::density}) {
    figure_spec figure = simple_figure(kind);
    const std::string stem = "f" + std::to_string(static_cast<int>(kind));
    const std::vector<fs::path> pictures = w.draw(figure, all_formats, stem);
    BOOST_REQUIRE(pictures.size() == 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      BOOST_TEST(pictures[i] == w.plots / (stem + "." + all_formats[i]));
      check_is_picture(pictures[i]);
    }
    figure.panels.resize(3, figure.panels[0]);
    w.draw(figure, {"png"}, stem + "x3");
  }
  BOOST_TEST(names_in(w.plots).size() == 4U * 5 + 4U * 3);  // and nothing else is left
}

BOOST_AUTO_TEST_CASE(pictures_replace_older_ones_and_empty_panels_are_drawn_too,
                     *precondition(with_gnuplot)) {
  workplace w;
  w.csv = w.folder.write("empty.csv", "category,layer,y\n");
  w.folder.write("plots/f.png", "old");
  for (const figure_kind kind :
       {figure_kind::lines, figure_kind::stacked_bars, figure_kind::grouped_bars, figure_kind::density}) {
    w.draw(simple_figure(kind));
    check_is_picture(w.plots / "f.png");
  }
}

BOOST_AUTO_TEST_CASE(texts_of_an_svg_are_texts, *precondition(with_gnuplot)) {
  const workplace w;
  figure_spec figure = simple_figure(figure_kind::lines);
  figure.title = "<script>alert('x & y')</script>";
  const std::string svg = read_bytes(w.draw(figure, {"svg"}).front());
  BOOST_TEST(svg.find("&lt;script") != svg.npos);
  BOOST_TEST(svg.find("<script") == svg.npos);
  BOOST_TEST(svg.find("tiny, logit lens, 12 prompts</text>") != svg.npos);
}

BOOST_AUTO_TEST_CASE(dashes_of_one_colour_differ_in_the_legend_of_an_svg_too, *precondition(with_gnuplot)) {
  workplace w;
  w.csv =
      w.folder.write("t.csv", "category,one,layer,y\na,1,0,0\na,1,1,1\nb,1,0,1\nb,1,1,0\nc,1,0,1\nc,1,1,1\n");
  figure_spec figure = simple_figure(figure_kind::lines);
  figure.color = "one";
  figure.dash = "category";
  const std::string svg = read_bytes(w.draw(figure, {"svg"}).front());
  for (const std::string dash : {"stroke-dasharray='7.5,", "stroke-dasharray='2.8,"}) {
    const std::size_t legend = svg.find(dash);
    BOOST_TEST((legend != svg.npos && svg.find(dash, legend + 1) != svg.npos), dash);
  }
}

BOOST_AUTO_TEST_CASE(the_script_draws_the_same_picture_where_it_lies, *precondition(with_gnuplot)) {
  const workplace w;
  const std::string picture = read_bytes(w.draw(simple_figure(figure_kind::lines), {"png"}).front());
  fs::remove(w.plots / "f.png");
  run_gnuplot(w.plots, read_bytes(w.plots / "f.gp"));
  BOOST_TEST((read_bytes(w.plots / "f.png") == picture));
}

BOOST_AUTO_TEST_CASE(without_gnuplot_script_and_data_are_there_for_later) {
  const workplace w;
  const changed_variable path("PATH", w.programs.string());
  BOOST_TEST(!gnuplot_available());
  check_fails([&] { w.draw(simple_figure(figure_kind::lines)); }, status::unavailable, "gnuplot",
              "depthlens plot");
  BOOST_TEST(names_in(w.plots) == (std::set<std::string>{"f.dat", "f.gp"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_failing_gnuplot_is_an_error_with_its_message_and_leaves_no_picture) {
  const workplace w;
  w.folder.write("plots/f.png", "old");
  const auto failing = [&](const std::string& script, const char* message) {
    const changed_variable path = w.stand_in(script);
    check_fails([&] { w.draw(simple_figure(figure_kind::lines)); }, status::io, message);
    BOOST_TEST(names_in(w.plots) == (std::set<std::string>{"f.dat", "f.gp", "f.png"}),
               boost::test_tools::per_element());
    BOOST_TEST(read_bytes(w.plots / "f.png") == "old");
  };
  failing("echo; echo 'set terminal foo' >&2; echo '         line 7: unknown terminal' >&2; exit 1",
          "gnuplot failed: line 7: unknown terminal");
  failing("exit 3", "gnuplot failed: it ended with status 3");
  failing("kill -9 $$", "gnuplot failed: it ended by signal 9");
  failing("exit 0", "gnuplot failed: it ended before it had read all of its commands");
  failing("while read -r line; do :; done; exit 0", "f.png: gnuplot did not write the picture");
  // An empty file under the name that the script says.
  failing("while read -r line; do case $line in picture*) n=${line#*\\'}; : >${n%\\'};; esac; done",
          "f.png: gnuplot did not write the picture");
}

BOOST_AUTO_TEST_CASE(a_gnuplot_that_stops_reading_does_not_kill_the_program) {
  const workplace w;
  const changed_variable path = w.stand_in("exec <&-; exit 1");
  std::signal(SIGPIPE, SIG_DFL);
  check_fails([&] { run_gnuplot(w.plots, std::string(4U << 20, '\n')); }, status::io, "gnuplot failed");
  sigset_t pending;
  sigpending(&pending);
  BOOST_TEST(sigismember(&pending, SIGPIPE) == 0);
}

BOOST_AUTO_TEST_CASE(errors_of_the_real_gnuplot_are_told, *precondition(with_gnuplot)) {
  const workplace w;
  check_fails([&] { run_gnuplot(w.plots, "set nonsense\n"); }, status::io, "gnuplot failed: line");
  check_fails([&] { run_gnuplot(w.plots / "none", "set key\n"); }, status::io, "none", "no such folder");
}

BOOST_AUTO_TEST_CASE(pictures_that_cannot_be_written_are_an_error, *precondition(with_gnuplot)) {
  const workplace w;
  fs::create_directory(w.plots / "f.png");  // rename cannot replace a folder, not even for root
  check_fails([&] { w.draw(simple_figure(figure_kind::lines), {"png"}); }, status::cannot_create, "f.png");
  BOOST_TEST(names_in(w.plots) == (std::set<std::string>{"f.dat", "f.gp", "f.png"}),
             boost::test_tools::per_element());
  const fs::path none = w.folder.path() / "none";
  check_fails(
      [&] { draw_figure(simple_figure(figure_kind::lines), simple_run, w.csv, none, "f", all_formats); },
      status::cannot_create, "f.dat");
}

BOOST_AUTO_TEST_CASE(a_character_that_no_font_has_is_an_empty_square_and_not_a_mark_over_the_picture,
                     *boost::unit_test::precondition(with_gnuplot)) {
  BOOST_TEST(drawable_text("a \u03a9\u0436 \u2265 \u00e9") == "a \u03a9\u0436 \u2265 \u00e9");
  BOOST_TEST(drawable_text("x\U0010FFFDy\U0010FFFD") == "x\u25a1y\u25a1");
  const scratch_folder folder;
  const auto picture = [&](const std::string& stem, const std::string& model) {
    figure_run run = simple_run;
    run.model = model;
    draw_figure(simple_figure(figure_kind::lines), run, folder.write("f.csv", simple_csv), folder.path(),
                stem, std::vector<std::string>{"png", "svg"});
    return read_bytes(folder.path() / (stem + ".png"));
  };
  BOOST_TEST((picture("missing", "a\U0010FFFD b") == picture("square", "a\u25a1 b")));
  BOOST_TEST(read_bytes(folder.path() / "missing.gp").find("\U0010FFFD") != std::string::npos);
  BOOST_TEST(read_bytes(folder.path() / "missing.svg").find("\U0010FFFD") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
