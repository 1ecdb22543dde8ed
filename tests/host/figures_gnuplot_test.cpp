// SPDX-License-Identifier: Apache-2.0
// gnuplot as a process: one that hangs, crashes or reads nothing, what its environment may not change, and
// how a picture of which a part is lost is known.
#include "figures/gnuplot_environment.hpp"
#include "figures/picture_check.hpp"

#include "support/figures_files.hpp"
#include "support/stand_in_gnuplot.hpp"

#include <boost/crc.hpp>
#include <boost/test/unit_test.hpp>

#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
using boost::unit_test::precondition;
using std::chrono::milliseconds;

namespace {

std::string four_bytes(std::uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
          static_cast<char>(n)};
}

std::string png_chunk(const std::string& name, const std::string& data) {
  boost::crc_32_type sum;
  sum.process_bytes((name + data).data(), name.size() + data.size());
  return four_bytes(static_cast<std::uint32_t>(data.size())) + name + data + four_bytes(sum.checksum());
}

std::string small_picture(const std::string& format) {
  if (format == "png")
    return "\x89PNG\r\n\x1A\n" + png_chunk("IHDR", std::string(13, '\1')) + png_chunk("IDAT", "some bytes") +
           png_chunk("IEND", "");
  if (format == "svg") return "<?xml version=\"1.0\"?>\n<svg>\n<g><path d=\"M1,2\"/></g>\n</svg>\n\n";
  const std::string objects = "%PDF-1.5\n1 0 obj\n<< /Length 4 >>\nendobj\n";
  return objects + "xref\n0 1\n0000000000 65535 f \ntrailer\n<< >>\nstartxref\n" +
         std::to_string(objects.size()) + "\n%%EOF\n";
}

// The state of a process, 'Z' = dead and not yet collected; '-' where there is none.
char state_of(long pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name;
  char state = '-';
  file >> number >> name >> state;
  return state;
}

void check_ends(long pid) {
  for (int i = 0; i < 30000 && state_of(pid) != '-' && state_of(pid) != 'Z'; ++i)
    std::this_thread::sleep_for(milliseconds(1));
  BOOST_TEST((state_of(pid) == '-' || state_of(pid) == 'Z'), "process " << pid << " was left behind");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(figures_gnuplot)

BOOST_AUTO_TEST_CASE(a_gnuplot_that_hangs_is_ended_with_all_that_it_started) {
  const stand_in_gnuplot gnuplot("sleep 1000 & echo $$ $! >pids.new; mv pids.new pids; wait\n");
  const scratch_folder folder;
  // On a busy machine it may be ended before it has said who it is.
  for (milliseconds time{250}; !fs::exists(folder.path() / "pids") && time < milliseconds(60000); time *= 2)
    check_fails([&] { run_gnuplot(folder.path(), "set key\n", time); }, status::io,
                "gnuplot did not end within", "no message");
  std::ifstream file(folder.path() / "pids");
  long shell = 0, sleeper = 0;
  BOOST_REQUIRE(file >> shell >> sleeper);
  check_ends(shell);
  check_ends(sleeper);
}

BOOST_AUTO_TEST_CASE(a_gnuplot_that_reads_nothing_cannot_block_the_program) {
  const stand_in_gnuplot gnuplot("exec sleep 1000\n");
  const scratch_folder folder;
  check_fails([&] { run_gnuplot(folder.path(), std::string(4U << 20, '\n'), milliseconds(100)); }, status::io,
              "gnuplot did not end within 0.1 s");
}

BOOST_AUTO_TEST_CASE(a_gnuplot_that_leaves_commands_unread_has_failed) {
  const stand_in_gnuplot gnuplot("read -r first; exit 0\n");
  const scratch_folder folder;
  check_fails([&] { run_gnuplot(folder.path(), "set key\nset grid\n"); }, status::io,
              "before it had read all of its commands");
}

BOOST_AUTO_TEST_CASE(commands_that_cannot_be_written_are_an_error) {
  const stand_in_gnuplot gnuplot("while read -r line; do :; done\n");
  const scratch_folder folder;
  struct rlimit former {};
  BOOST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &former) == 0);
  const auto signal_before = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 10000, former.rlim_max };
  BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  check_fails([&] { run_gnuplot(folder.path(), std::string(50000, '\n')); }, status::io,
              "cannot hand gnuplot its commands");
  ::setrlimit(RLIMIT_FSIZE, &former);
  std::signal(SIGXFSZ, signal_before);
  run_gnuplot(folder.path(), std::string(50000, '\n'));
}

BOOST_AUTO_TEST_CASE(what_a_broken_gnuplot_does_is_said_and_it_is_not_called_absent) {
  const auto verdict_on = [](const std::string& script, milliseconds time = version_time) {
    const stand_in_gnuplot gnuplot(script);
    const gnuplot_verdict v = check_gnuplot(time);
    BOOST_TEST((v.state == gnuplot_state::broken));
    return v.words;
  };
  BOOST_TEST(verdict_on("exit 3").starts_with("gnuplot --version ended with status 3"));
  BOOST_TEST(verdict_on("kill -SEGV $$").starts_with("gnuplot --version ended by signal 11 ("));
  BOOST_TEST(verdict_on("exec sleep 1000", milliseconds(50)) ==
             "gnuplot --version did not end within 0.05 s");
  {
    const stand_in_gnuplot gnuplot("exit 0");
    fs::permissions(gnuplot.program(), fs::perms::owner_read);
    const changed_variable alone("PATH", gnuplot.program().parent_path().string());  // no other is found
    BOOST_TEST(check_gnuplot().words == "gnuplot cannot be started: Permission denied");
  }
  const scratch_folder empty;
  const changed_variable path("PATH", empty.path().string());
  BOOST_TEST((check_gnuplot().state == gnuplot_state::absent));
  BOOST_TEST(check_gnuplot().words == "gnuplot is not installed");
}

BOOST_AUTO_TEST_CASE(the_environment_loses_what_changes_pictures_and_nothing_else) {
  const char* const given[] = {"PATH=/bin",
                               "GNUTERM=x11",
                               "GNUPLOT_LIB=/x",
                               "GNUPLOT_DRIVER_DIR=/x",
                               "GDFONTPATH=/x",
                               "DISPLAY=:0",
                               "LANG=de_DE.UTF-8",
                               "LC_NUMERIC=de_DE.UTF-8",
                               "LC_ALL=de_DE.UTF-8",
                               "FC_LANG=ja",
                               "G_DEBUG=fatal-warnings",
                               "FONTCONFIG_FILE=/env/etc/fonts/fonts.conf",
                               "LD_LIBRARY_PATH=/env/lib",
                               "HOME=/home/gnuplot",
                               "SOURCE_DATE_EPOCH=0",
                               nullptr};
  BOOST_TEST(gnuplot_environment(given) ==
                 (std::vector<std::string>{"PATH=/bin", "FONTCONFIG_FILE=/env/etc/fonts/fonts.conf",
                                           "LD_LIBRARY_PATH=/env/lib", "HOME=/home/gnuplot",
                                           "SOURCE_DATE_EPOCH=0", "LC_ALL=C"}),
             boost::test_tools::per_element());
  BOOST_TEST(gnuplot_environment(nullptr) == std::vector<std::string>{"LC_ALL=C"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(no_variable_of_the_user_changes_a_picture, *precondition(with_gnuplot)) {
  const scratch_folder folder;
  const fs::path csv = folder.write("t.csv", simple_csv);
  const std::vector<std::string> formats = {"png", "svg"};  // a PDF holds its date
  const auto pictures = [&] {
    std::string out;
    for (const fs::path& p :
         draw_figure(simple_figure(figure_kind::lines), simple_run, csv, folder.path(), "f", formats))
      out += read_bytes(p);
    return out;
  };
  const std::string wanted = pictures();
  for (const auto& [name, value] : {std::pair{"GNUTERM", "x11"},
                                    {"GNUTERM", "no such terminal"},
                                    {"GNUPLOT_LIB", "/nowhere"},
                                    {"GNUPLOT_PS_DIR", "/nowhere"},
                                    {"GNUPLOT_DRIVER_DIR", "/nowhere"},
                                    {"GDFONTPATH", "/nowhere"},
                                    {"DISPLAY", "nowhere:0"},
                                    {"LC_ALL", "de_DE.UTF-8"},
                                    {"LANG", "ja_JP.UTF-8"},
                                    {"FC_LANG", "ja"},
                                    {"PANGO_LANGUAGE", "ja"},
                                    {"G_DEBUG", "fatal-warnings"},
                                    {"FREETYPE_PROPERTIES", "x"}}) {
    const changed_variable changed(name, value);
    BOOST_TEST((pictures() == wanted), name << "=" << value << " changes the pictures");
  }
}

BOOST_AUTO_TEST_CASE(a_picture_cut_anywhere_is_known) {
  for (const std::string& format : all_formats) {
    const std::string whole = small_picture(format);
    BOOST_TEST(picture_fault(format, whole) == "", format);
    // White space behind the end may be missing.
    for (std::size_t n = 0; n <= whole.find_last_not_of("\n"); ++n)
      BOOST_TEST(picture_fault(format, whole.substr(0, n)) != "", format << " of " << n << " bytes");
    for (const std::string& other : all_formats)
      if (other != format) BOOST_TEST(picture_fault(other, whole) != "");
  }
}

BOOST_AUTO_TEST_CASE(a_hole_in_a_png_or_a_pdf_is_known) {
  for (const std::string format : {"png", "pdf"}) {
    const std::string whole = small_picture(format);
    const std::size_t end = format == "png" ? whole.size() - 12 : whole.find("xref");
    for (std::size_t at = 8; at < end; ++at)
      for (std::size_t n = 1; n < 12 && at + n <= end; ++n)  // 12 bytes are the smallest chunk
        BOOST_TEST(picture_fault(format, whole.substr(0, at) + whole.substr(at + n)) != "",
                   format << " without " << n << " bytes at " << at);
  }
}

BOOST_AUTO_TEST_CASE(pictures_that_gnuplot_draws_are_whole_and_their_beginnings_are_not,
                     *precondition(with_gnuplot)) {
  const scratch_folder folder;
  const fs::path csv = folder.write("t.csv", simple_csv);
  for (const fs::path& p :
       draw_figure(simple_figure(figure_kind::lines), simple_run, csv, folder.path(), "f", all_formats)) {
    const std::string whole = read_bytes(p), format = p.extension().string().substr(1);
    BOOST_TEST(picture_fault(format, whole) == "", p);
    for (std::size_t n = 0; n + 16 < whole.size(); n += 61)
      BOOST_TEST(picture_fault(format, std::string_view(whole).substr(0, n)) != "", p << " of " << n);
  }
}

BOOST_AUTO_TEST_CASE(a_picture_of_which_a_part_is_lost_is_not_kept_although_gnuplot_ends_well) {
  const scratch_folder folder;
  const fs::path csv = folder.write("t.csv", simple_csv), plots = folder.path() / "plots";
  for (const std::string& format : all_formats) {
    const fs::path picture = plots / ("f." + format);
    const std::string whole = small_picture(format);
    const auto draw = [&] {
      draw_figure(simple_figure(figure_kind::lines), simple_run, csv, plots, "f",
                  std::vector<std::string>{format});
    };
    fs::create_directory(plots);
    folder.write("drawn", whole);
    const stand_in_gnuplot gnuplot(
        "while read -r line; do case $line in picture*) n=${line#*\\'}; "
        "cat ../drawn >\"${n%\\'}\";; esac; done\n");
    folder.write("drawn", whole.substr(0, whole.size() - 8));
    check_fails(draw, status::io, picture.string(), "only a part of the picture: it ends without");
    BOOST_TEST(!fs::exists(picture));
    folder.write("drawn", whole);
    draw();
    BOOST_TEST(read_bytes(picture) == whole);
    folder.write("drawn", whole.substr(0, whole.size() - 8));
    check_fails(draw, status::io, picture.string());
    BOOST_TEST(read_bytes(picture) == whole);
    BOOST_TEST(names_in(plots).size() == 3U);
    fs::remove_all(plots);
  }
}

BOOST_AUTO_TEST_SUITE_END()
