// SPDX-License-Identifier: Apache-2.0
// Output folders that cannot be written, are in use or belong to another run, and `plot` where there is
// nothing.
#include "program/suspended_run.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>

BOOST_AUTO_TEST_SUITE(output_folders)

namespace {

using namespace depthlens;
using namespace depthlens::test;

const small_data& data() {
  static const small_data files(4);
  return files;
}

words run_into(const std::filesystem::path& out) {
  return words{"run", "facts", "--model", demo_model(), "--out", out, "--format", "svg"} + data().facts();
}

// The run has written its name into the folder's lock.
bool holds_its_folder(const std::filesystem::path& run) { return has_bytes(run / "log/lock", 0); }

}  // namespace

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_made_is_refused_before_any_work) {
  const scratch_folder folder;
  const std::filesystem::path plain = folder.write("plain", "a file of the user");
  check_refused(run_into(plain), status::cannot_create, plain.string());
  check_refused(run_into(plain / "run"), status::cannot_create, (plain / "run").string());
  check_refused(run_into("/proc/no/run"), status::cannot_create, "/proc/no/run");
  BOOST_TEST(read_bytes(plain) == "a file of the user");
}

BOOST_AUTO_TEST_CASE(a_folder_in_use_is_refused_with_its_holder_named) {
  suspended_run first(run_into, holds_its_folder);
  const std::filesystem::path run = first.folder();
  check_refused(run_into(run), status::config, run.string(), cat("process ", first.pid()), "lock");
  check_refused(run_into(run) + words{"--facts.tokens", "2"}, status::config, cat("process ", first.pid()));
  BOOST_TEST(first.go_on_after(SIGCONT).code == 0);
  must_work(run_into(run));
}

BOOST_AUTO_TEST_CASE(a_folder_of_another_configuration_is_refused_with_every_field_that_differs) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run";
  must_work(run_into(run));
  const auto before = tables_of(run);
  const std::string manifest = read_bytes(run / "run.json");
  const auto differs = [&](const words& more, const std::string& field, const std::string& values) {
    check_refused(run_into(run) + more, status::config, run.string(), field, values, "--fresh");
  };
  differs({"--facts.tokens", "2"}, "studies.facts.options.tokens", "3 -> 2");
  differs({"--bos", "never", "--target", "gold"}, "bos: auto -> never", "target: final -> gold");
  differs({"--seed-compat"}, "mode: default -> seed-compat", "mode");
  const small_data other(5);
  check_refused({"run", "facts", "--model", demo_model(), "--out", run, "--data", other.facts().at(1)},
                status::config, "studies.facts.data", "sha256");
  check_same_tables(tables_of(run), before);
  BOOST_TEST(read_bytes(run / "run.json") == manifest);
  must_work(run_into(run));
}

BOOST_AUTO_TEST_CASE(a_run_whose_records_have_other_columns_is_not_extended_and_stays_as_it_is) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run";
  must_work(run_into(run) + words{"--limit", "2"});
  boost::json::value manifest = boost::json::parse(read_bytes(run / "run.json"));
  boost::json::object& study = manifest.at("key").at("studies").at("facts").as_object();
  BOOST_REQUIRE(!study.at("columns").as_object().empty());
  const auto with = [&](const auto& change) {
    change();
    folder.write("run/run.json", boost::json::serialize(manifest));
    const auto before = tables_of(run);
    check_refused(run_into(run), status::config, run.string(), "studies.facts.columns", "--fresh");
    check_same_tables(tables_of(run), before);
    must_work({"plot", run.string()});
  };
  with([&] { study.at("columns").as_object().begin()->value() = "0123456789abcdef"; });
  with([&] { study.erase("columns"); });  // as versions without them wrote it
}

BOOST_AUTO_TEST_CASE(a_run_that_the_backend_refuses_leaves_the_folder_to_the_next) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run";
  check_refused(run_into(run) + words{"--backend", "cpu", "--precision", "f16"}, status::unavailable, "f16");
  must_work(run_into(run));
}

BOOST_AUTO_TEST_CASE(a_run_is_not_continued_on_another_kind_of_device) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run";
  must_work(run_into(run) + words{"--limit", "2"});
  boost::json::object manifest = manifest_of(run);
  manifest.at("backend").as_object()["device"] = "cuda:0, libtorch";
  folder.write("run/run.json", boost::json::serialize(manifest));
  check_refused(run_into(run), status::config, run.string(), "device cuda, not cpu", "--fresh");
}

BOOST_AUTO_TEST_CASE(
    a_run_does_not_mix_instruction_sets_unless_that_is_asked_for_and_then_says_which_records) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run";
  const surroundings old_machine{{{"DNNL_MAX_CPU_ISA", "SSE41"}}, {}};
  must_work(run_into(run) + words{"--limit", "2"}, old_machine);
  const std::string manifest = read_bytes(run / "run.json");
  must_work(run_into(run) + words{"--limit", "2"});  // nothing to compute
  const outcome refused = depthlens_says(run_into(run));
  if (refused.code == 0) {
    BOOST_TEST_MESSAGE("skipped: this machine has no more than SSE4.1");
    return;
  }
  BOOST_TEST(refused.code == 78);
  for (const char* part : {"SSE4.1", "not cpu", "--allow-mixed-devices"})
    BOOST_TEST(refused.err.find(part) != std::string::npos, refused.err);
  BOOST_TEST((manifest_of(run).at("status") == "complete"));
  const outcome allowed = must_work(run_into(run) + words{"--allow-mixed-devices"});
  BOOST_TEST(allowed.err.find("SSE4.1") != std::string::npos, allowed.err);
  const boost::json::object mixed = manifest_of(run);
  BOOST_REQUIRE_EQUAL(mixed.at("backend").at("devices").as_array().size(), 2U);
  const boost::json::object by_device = mixed.at("records_by_device").at("facts").at("logit").as_object();
  const std::string first(mixed.at("backend").at("devices").at(0).as_string());
  const std::string second(mixed.at("backend").at("devices").at(1).as_string());
  BOOST_TEST((by_device.at(first).at("") == "0-1"));
  BOOST_TEST(by_device.at(second).at("").as_string().starts_with("2"));
  must_work(run_into(run));  // the same two devices
}

BOOST_AUTO_TEST_CASE(what_a_later_version_wrote_is_neither_extended_nor_drawn_nor_written_over) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run";
  must_work(run_into(run) + words{"--limit", "2"});
  boost::json::object manifest = manifest_of(run);
  manifest["format"] = 2;
  manifest["depthlens"] = "9.0.0";
  const std::string later = boost::json::serialize(manifest);
  folder.write("run/run.json", later);
  const auto before = tables_of(run);
  for (const words& command : {run_into(run), words{"plot", run.string()}})
    check_refused(command, status::config, (run / "run.json").string(), "format 2", "9.0.0");
  BOOST_TEST(read_bytes(run / "run.json") == later);
  check_same_tables(tables_of(run), before);
  must_work(run_into(run) + words{"--limit", "2", "--fresh"});
  BOOST_TEST(read_bytes(folder.path() / "run.old-1/run.json") == later);
  folder.write("run/lens_eval.json", later);
  check_refused({"lens", "eval", "--model", demo_model(), "--text", demo_data("counts.txt"), "--lens",
                 "logit", "--out", run},
                status::config, "lens_eval.json", "format 2", "9.0.0");
  BOOST_TEST(read_bytes(run / "lens_eval.json") == later);
}

BOOST_AUTO_TEST_CASE(a_lock_that_another_machine_no_longer_renews_is_taken_over) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run", lock = run / "log/lock";
  std::filesystem::create_directories(run / "log");
  folder.write("run/log/lock", "another.machine 17 12345\n");
  check_refused(run_into(run), status::config, "process 17 on another.machine", "taken over in",
                lock.string());
  std::filesystem::last_write_time(lock, std::filesystem::last_write_time(lock) - std::chrono::hours(1));
  const outcome o = must_work(run_into(run));
  BOOST_TEST(o.err.find("was left by process 17 on another.machine") != std::string::npos, o.err);
  BOOST_TEST(!std::filesystem::exists(lock));
}

BOOST_AUTO_TEST_CASE(tables_and_records_without_a_manifest_are_left_alone) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run";
  must_work(run_into(run));
  const auto before = tables_of(run);
  std::filesystem::remove(run / "run.json");
  check_refused(run_into(run) + words{"--limit", "2"}, status::config, run.string(), "no run.json",
                "--fresh");
  check_same_tables(tables_of(run), before);
  must_work(run_into(run) + words{"--fresh"});
}

BOOST_AUTO_TEST_CASE(fresh_leaves_a_run_that_goes_on_alone) {
  suspended_run first(run_into, holds_its_folder);
  const std::filesystem::path run = first.folder();
  check_refused(run_into(run) + words{"--fresh"}, status::config, cat("process ", first.pid()));
  BOOST_TEST(first.go_on_after(SIGCONT).code == 0);
  BOOST_TEST(!std::filesystem::exists(run.string() + ".old-1"));
}

BOOST_AUTO_TEST_CASE(fresh_moves_the_former_run_aside_also_where_it_stands_and_behind_a_link) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run";
  must_work(run_into(run));
  const outcome o = depthlens_says(run_into(".") + words{"--fresh"}, {{}, run});
  BOOST_TEST(o.code == 0, o.err);
  BOOST_TEST(std::filesystem::exists(run / "run.json"));
  BOOST_TEST(std::filesystem::exists(folder.path() / "run.old-1/run.json"));
  std::filesystem::create_directory_symlink(run, folder.path() / "link");
  must_work(run_into(folder.path() / "link") + words{"--fresh"});
  BOOST_TEST(std::filesystem::is_symlink(folder.path() / "link"));
  BOOST_TEST(std::filesystem::exists(folder.path() / "run.old-2/run.json"));
}

BOOST_AUTO_TEST_CASE(fresh_moves_nothing_aside_that_is_not_a_run) {
  const scratch_folder folder;
  const std::filesystem::path work = folder.path() / "work";
  std::filesystem::create_directory(work);
  folder.write("work/thesis.tex", "years");
  check_refused(run_into(work) + words{"--fresh"}, status::config, work.string(), "thesis.tex");
  folder.write("work/run.json", R"({"of": "another program"})");
  for (const words& more : {words{}, words{"--fresh"}})
    check_refused(run_into(work) + more, status::config, work.string(), "which depthlens did not write");
  BOOST_TEST(read_bytes(work / "run.json") == R"({"of": "another program"})");
  BOOST_TEST(!std::filesystem::exists(folder.path() / "work.old-1"));
}

BOOST_AUTO_TEST_CASE(fresh_moves_the_former_run_aside) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run";
  must_work(run_into(run));
  const auto before = tables_of(run);
  const outcome o = must_work(run_into(run) + words{"--fresh", "--facts.tokens", "1"});
  BOOST_TEST(o.err.find("run.old-1") != std::string::npos, o.err);
  check_same_tables(tables_of(folder.path() / "run.old-1"), before);
  const boost::json::value key = manifest_of(run).at("key");
  BOOST_TEST((key.at("studies").at("facts").at("options").at("tokens") == "1"));
}

BOOST_AUTO_TEST_CASE(a_command_that_is_refused_moves_nothing_aside) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run";
  must_work(run_into(run));
  check_refused(
      {"run", "facts", "--model", demo_model(), "--out", run, "--fresh", "--data", "facts=/no/such.json"},
      status::no_input, "/no/such.json");
  BOOST_TEST(std::filesystem::exists(run / "run.json"));
  BOOST_TEST(!std::filesystem::exists(folder.path() / "run.old-1"));
}

BOOST_AUTO_TEST_CASE(a_damaged_manifest_or_log_is_refused_and_left_alone) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run";
  must_work(run_into(run));
  const std::string manifest = read_bytes(run / "run.json");
  folder.write("run/run.json", manifest.substr(0, manifest.size() / 2));
  check_refused(run_into(run), status::data, "run.json");
  folder.write("run/run.json", manifest);
  folder.write("run/log/facts.logit.log", "something else altogether");
  check_refused(run_into(run), status::config, "facts.logit.log", "--fresh");
  BOOST_TEST(read_bytes(run / "log/facts.logit.log") == "something else altogether");
}

BOOST_AUTO_TEST_CASE(a_table_that_was_deleted_is_made_again) {
  const scratch_folder folder;
  const std::filesystem::path run = folder.path() / "run";
  must_work(run_into(run));
  const auto before = tables_of(run);
  std::filesystem::remove(run / "data/facts_logit.csv");
  must_work(run_into(run));
  check_same_tables(tables_of(run), before);
}

BOOST_AUTO_TEST_CASE(plot_says_what_is_missing) {
  const scratch_folder folder;
  check_refused({"plot"}, status::usage, "output folder");
  check_refused({"plot", folder.path() / "nothing"}, status::no_input, "nothing");
  check_refused({"plot", folder.path()}, status::no_input, folder.path().string(), "run.json");
  const std::filesystem::path run = folder.path() / "run";
  must_work(run_into(run));
  std::filesystem::remove_all(run / "data");
  check_refused({"plot", run}, status::no_input, run.string(), ".csv");
}

BOOST_AUTO_TEST_CASE(plot_of_a_run_that_did_not_finish_says_so) {
  suspended_run killed(run_into, [](const auto& to) { return has_bytes(to / "log/facts.logit.log", 0); });
  killed.go_on_after(SIGKILL);
  const std::filesystem::path run = killed.folder();
  check_no_tables(run);
  check_refused({"plot", run}, status::no_input, run.string(), "did not finish");
}

BOOST_AUTO_TEST_SUITE_END()
