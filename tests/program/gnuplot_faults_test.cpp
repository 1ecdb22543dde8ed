// SPDX-License-Identifier: Apache-2.0
// Runs whose gnuplot hangs or is broken, and runs on a disk that becomes full: the tables are whole, no torn
// picture is kept, and the same command draws the rest.
#include "program/demo.hpp"
#include "program/stand_in.hpp"
#include "program/tiny_folder.hpp"
#include "support/figures_files.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <set>

BOOST_AUTO_TEST_SUITE(gnuplot_faults)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
using boost::unit_test::precondition;

// A run of the tiny model with a few figures.
struct tiny_run : scratch_folder {
  tiny_folder model;
  std::string rows =
      write("rows.json", R"([{"prompt":"ab"},{"prompt":"abc"},{"prompt":"ba"},{"prompt":"b"}])");
  fs::path out = path() / "run";
  tiny_run() { model.make_random(); }
  words command() const { return command_into(out); }
  words command_into(const fs::path& where) const {
    return {"run",      "pos", "--model",   model.path(), "--out", where, "--data", "pos.BASELINE=" + rows,
            "--format", "svg", "--threads", "2"};
  }
};

// Every file of a folder of the run: name -> content.
std::map<std::string, std::string> files_in(const fs::path& folder) {
  std::map<std::string, std::string> out;
  if (fs::exists(folder))
    for (const auto& item : fs::directory_iterator(folder))
      out[item.path().filename()] = read_bytes(item.path());
  return out;
}

void wait_for(const fs::path& file, process& of) {
  while (!fs::exists(file))
    if (of.ends_within(std::chrono::milliseconds(2))) BOOST_FAIL("the program ended: " << of.wait().err);
}

// "unshare" and its options with which a file system can be mounted here; none: it cannot.
words mounting() {
  for (const words& with : {words{"unshare", "-m"}, words{"unshare", "-rm"}}) {
    const scratch_folder folder;
    if (run(with + words{"mount", "-t", "tmpfs", "none", folder.path()}).code == 0) return with;
  }
  return {};
}

boost::test_tools::assertion_result can_mount(boost::unit_test::test_unit_id id) {
  boost::test_tools::assertion_result result(!mounting().empty());
  if (!result) result.message() << "no file system can be mounted here";
  return result ? with_gnuplot(id) : result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_signal_ends_a_run_whose_gnuplot_hangs_and_its_tables_are_kept,
                     *precondition(with_gnuplot)) {
  for (const int number : {SIGTERM, SIGINT}) {
    const tiny_run r;
    const fs::path begun = r.path() / "begun";
    const stand_in gnuplot(
        "gnuplot", "[ \"$1\" = --version ] && exit 0\n: >'" + begun.string() + "'\nexec sleep 1000\n");
    process hanging(words{program()} + r.command(), gnuplot.use());
    wait_for(begun, hanging);
    const auto start = std::chrono::steady_clock::now();
    hanging.send(number);
    const outcome o = hanging.wait();
    BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(10)));
    BOOST_TEST(o.code == 75, o.err);
    BOOST_TEST(o.err.find("the tables are finished") != std::string::npos, o.err);
    BOOST_TEST(!tables_of(r.out).empty());
    BOOST_TEST((manifest_of(r.out).at("status") == "complete"));
    for (const auto& [name, bytes] : files_in(r.out / "plots")) BOOST_TEST(!name.ends_with(".svg"), name);
    const auto tables = tables_of(r.out);
    must_work(r.command());
    check_same_tables(tables_of(r.out), tables);
    BOOST_TEST(files_in(r.out / "plots").size() >= 3U);
  }
}

BOOST_AUTO_TEST_CASE(a_signal_ends_plot_whose_gnuplot_hangs, *precondition(with_gnuplot)) {
  const tiny_run r;
  must_work(r.command());
  const auto plots = files_in(r.out / "plots");
  const fs::path begun = r.path() / "begun";
  const stand_in gnuplot("gnuplot",
                         "[ \"$1\" = --version ] && exit 0\n: >'" + begun.string() + "'\nexec sleep 1000\n");
  process hanging({program(), "plot", r.out, "--format", "svg"}, gnuplot.use());
  wait_for(begun, hanging);
  hanging.send(SIGTERM);
  BOOST_TEST(hanging.wait().code == 75);
  BOOST_TEST((files_in(r.out / "plots") == plots));
}

BOOST_AUTO_TEST_CASE(a_gnuplot_that_cannot_say_its_version_is_not_called_absent) {
  const std::pair<const char*, const char*> broken[] = {
      {"kill -SEGV $$", "gnuplot --version ended by signal 11"},
      {"exit 3", "gnuplot --version ended with status 3"}};
  for (const auto& [script, words_of_it] : broken) {
    const tiny_run r;
    const stand_in gnuplot("gnuplot", script);
    const outcome o = depthlens_says(r.command(), gnuplot.use());
    BOOST_TEST(o.code == static_cast<int>(status::unavailable), o.err);
    for (const std::string part : {words_of_it, "the tables are finished", "later: depthlens plot "})
      BOOST_TEST(o.err.find(part) != std::string::npos, part << " is not in: " << o.err);
    BOOST_TEST(o.err.find("not installed") == std::string::npos, o.err);
    BOOST_TEST(!tables_of(r.out).empty());
    BOOST_TEST((manifest_of(r.out).at("status") == "complete"));
    const outcome plot = depthlens_says({"plot", r.out}, gnuplot.use());
    BOOST_TEST(plot.code == static_cast<int>(status::unavailable), plot.err);
    BOOST_TEST(plot.err.find(words_of_it) != std::string::npos, plot.err);
    BOOST_TEST(must_work({"env"}, gnuplot.use()).out.find(words_of_it) != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_torn_picture_that_is_there_is_drawn_again, *precondition(with_gnuplot)) {
  const tiny_run r;
  must_work(r.command());
  const auto wanted = files_in(r.out / "plots");
  for (const auto& [name, bytes] : wanted)
    if (name.ends_with(".svg")) r.write("run/plots/" + name, bytes.substr(0, bytes.size() / 2));
  must_work(r.command());
  BOOST_TEST((files_in(r.out / "plots") == wanted));
}

// The run starts on a disk of each size from 4 KiB on in steps of 4, and again when there is room.
BOOST_AUTO_TEST_CASE(on_a_disk_of_any_size_no_torn_file_is_kept_and_with_room_all_is_made,
                     *precondition(can_mount)) {
  const tiny_run r;
  must_work(r.command());
  const auto plots = files_in(r.out / "plots"), tables = tables_of(r.out);
  const fs::path disk = r.path() / "disk";
  fs::create_directory(disk);
  // $1: size, $2: where what is there goes, then the command.
  const std::string script = r.write("sized.sh", "mount -t tmpfs -o size=$1k none '" + disk.string() +
                                                     "' || exit 99; to=$2; shift 2; mkdir $to\n"
                                                     "\"$@\" 2>$to/err; echo $? >$to/code\n"
                                                     "cp -R '" +
                                                     disk.string() +
                                                     "/run' $to/first\n"
                                                     "mount -o remount,size=64m '" +
                                                     disk.string() +
                                                     "'\n"
                                                     "\"$@\" && cp -R '" +
                                                     disk.string() + "/run' $to/second\n");
  const auto check_parts = [](const std::map<std::string, std::string>& got,
                              const std::map<std::string, std::string>& wanted) {
    for (const auto& [name, bytes] : got)
      BOOST_TEST((name.starts_with(".") || (wanted.contains(name) && wanted.at(name) == bytes)),
                 name << " is torn");
  };
  bool all_fits = false;
  for (int size = 4; size < 4000 && !all_fits; size += 4) {
    BOOST_TEST_CONTEXT("a disk of " << size << " KiB") {
      const fs::path to = r.path() / std::to_string(size);
      const outcome o = run(mounting() + words{"sh", script, std::to_string(size), to, program()} +
                            r.command_into(disk / "run"));
      BOOST_REQUIRE_MESSAGE(o.code == 0, o.err);
      all_fits = read_bytes(to / "code") == "0\n";
      BOOST_TEST((all_fits || read_bytes(to / "code") == "74\n"), read_bytes(to / "code")
                                                                      << read_bytes(to / "err"));
      check_parts(files_in(to / "first/plots"), plots);
      check_parts(tables_of(to / "first"), tables);
      BOOST_TEST((files_in(to / "second/plots") == plots));
      check_same_tables(tables_of(to / "second"), tables);
      fs::remove_all(to);
    }
  }
  BOOST_TEST(all_fits);
}

BOOST_AUTO_TEST_SUITE_END()
