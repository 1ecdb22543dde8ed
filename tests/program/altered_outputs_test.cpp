// SPDX-License-Identifier: Apache-2.0
// Files of a run that are not what the run wrote: the next run makes them again as they were, and plot says
// so.
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"

#include "depthlens/base/hash.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

BOOST_AUTO_TEST_SUITE(altered_outputs_of_runs)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

struct small_run : scratch_folder {
  tiny_folder model;
  std::string rows =
      write("rows.json", R"([{"prompt":"ab"},{"prompt":"abc"},{"prompt":"ba"},{"prompt":"b"}])");
  std::string options =
      write("options.json", R"([{"prompt":"ab","answer":"c"},{"prompt":"ba","answer":"d"}])");
  small_run() { model.make_random(); }
  fs::path out() const { return path() / "run"; }
  words pos() const {
    return {"run",    "pos",  "--model",  model.path(), "--out", out(), "--data", "pos.BASELINE=" + rows,
            "--null", "mean", "--format", "svg"};
  }
  words both() const {
    return {"run",
            "pos",
            "downstream",
            "--model",
            model.path(),
            "--out",
            out(),
            "--data",
            "pos.BASELINE=" + rows,
            "--data",
            "downstream.t=" + options,
            "--null",
            "mean",
            "--format",
            "svg,png,pdf"};
  }
  // Path within the run -> content, of everything but run.json and logs.
  std::map<std::string, std::string> outputs() const {
    std::map<std::string, std::string> all;
    for (const char* part : {"data", "plots"})
      for (const auto& item : fs::directory_iterator(out() / part))
        all[cat(part, '/', item.path().filename().string())] = read_bytes(item.path());
    all["null_mean.safetensors"] = read_bytes(out() / "null_mean.safetensors");
    return all;
  }
  // A picture in PDF says when it was made.
  void check_as_before(const std::map<std::string, std::string>& before) const {
    const auto now = outputs();
    const boost::json::object noted = manifest_of(out()).at("outputs").as_object();
    BOOST_TEST(now.size() == before.size());
    for (const auto& [name, bytes] : before) {
      BOOST_REQUIRE_MESSAGE(now.contains(name), name << " is missing");
      if (name.ends_with(".pdf"))
        BOOST_TEST((now.at(name).starts_with("%PDF") && now.at(name).find("%%EOF") != std::string::npos),
                   name);
      else
        BOOST_TEST((now.at(name) == bytes), name << " differs");
      BOOST_REQUIRE_MESSAGE(noted.contains(name), name << " is not noted in run.json");
      BOOST_TEST((noted.at(name).at("size") == now.at(name).size()), name);
      BOOST_TEST((noted.at(name).at("sha256").as_string() == sha256(now.at(name))), name);
    }
  }
};

bool says(const outcome& o, const std::string& part) { return o.err.find(part) != std::string::npos; }

}  // namespace

BOOST_AUTO_TEST_CASE(every_output_that_is_altered_in_one_byte_is_made_again_as_it_was) {
  const small_run run;
  must_work(run.both());
  const auto before = run.outputs();
  run.check_as_before(before);
  std::map<std::string, int> kinds;
  for (const auto& [name, bytes] : before) ++kinds[fs::path(name).extension().string()];
  for (const char* kind : {".csv", ".svg", ".png", ".pdf", ".gp", ".dat", ".safetensors"}) {
    BOOST_TEST_CONTEXT("files " << kind) {
      BOOST_TEST(kinds[kind] > 0);
      std::string altered;
      for (auto [name, bytes] : before) {
        if (!name.ends_with(kind)) continue;
        bytes.at(bytes.size() / 2) ^= 1;
        run.write("run/" + name, bytes);
        altered = name;
      }
      const outcome o = must_work(run.both());
      BOOST_TEST(says(o, "made again: "), o.err);
      BOOST_TEST((kinds[kind] > 20 || says(o, altered)), o.err);
      BOOST_TEST(!says(o, "as they were"), o.err);
      run.check_as_before(before);
    }
  }
  BOOST_TEST(says(must_work(run.both()), "nothing new: tables and figures are as they were"));
}

BOOST_AUTO_TEST_CASE(files_that_are_cut_emptied_or_deleted_are_made_again_in_every_format_they_had) {
  const small_run run;
  must_work(run.both());
  const auto before = run.outputs();
  for (const char* kind : {".csv", ".svg", ".safetensors"}) {
    const auto at =
        std::find_if(before.begin(), before.end(), [&](auto& f) { return f.first.ends_with(kind); });
    const auto [name, bytes] = *at;
    for (const std::size_t left : {bytes.size() / 2, bytes.size() - 1, std::size_t{0}}) {
      run.write("run/" + name, bytes.substr(0, left));
      BOOST_TEST(says(must_work(run.both()), "made again: " + name));
      run.check_as_before(before);
    }
    fs::remove(run.out() / name);
    BOOST_TEST(says(must_work(run.both() + words{"--threads", "1"}), "made again: " + name));
    run.check_as_before(before);
  }
}

BOOST_AUTO_TEST_CASE(plot_draws_from_an_edited_table_and_says_so_and_the_next_run_makes_both_again) {
  const small_run run;
  must_work(run.pos());
  const auto before = run.outputs();
  BOOST_TEST(must_work({"plot", run.out(), "--format", "svg"}).err.empty());
  BOOST_TEST(says(must_work(run.pos()), "as they were"));  // what plot drew is the run's
  const std::string table = "data/earliest_layer_pos_logit.csv";
  std::string edited = before.at(table);
  const std::size_t digit = edited.find_last_of("0123456789");
  edited[digit] = edited[digit] == '1' ? '2' : '1';
  run.write("run/" + table, edited);
  const outcome plot = must_work({"plot", run.out(), "--format", "svg"});
  BOOST_TEST(says(plot, "not as the run wrote"), plot.err);
  BOOST_TEST(says(plot, table), plot.err);
  BOOST_TEST(read_bytes(run.out() / table) == edited);
  BOOST_TEST(says(must_work(run.pos()), "made again: " + table));
  run.check_as_before(before);
}

BOOST_AUTO_TEST_CASE(plot_leaves_an_edited_script_alone_and_draws_the_figure_elsewhere_when_asked) {
  const small_run run;
  must_work(run.pos());
  const auto before = run.outputs();
  const std::string script = "plots/earliest_layer_pos_logit.gp";
  const std::string edited = before.at(script) + "# mine\n";
  run.write("run/" + script, edited);
  const outcome plot = must_work({"plot", run.out(), "--format", "svg"});
  BOOST_TEST(says(plot, "edited, and left as it is: " + script), plot.err);
  BOOST_TEST(plot.out.find("earliest_layer_pos_logit.svg") == std::string::npos, plot.out);
  BOOST_TEST(read_bytes(run.out() / script) == edited);
  const std::string elsewhere = run.out().string() + "-figures";
  must_work({"plot", run.out(), "--format", "svg", "--out", elsewhere, "--style", "dark", "--width", "12cm"});
  BOOST_TEST(read_bytes(elsewhere + "/earliest_layer_pos_logit.gp").find("#000000") != std::string::npos);
  BOOST_TEST(read_bytes(run.out() / script) == edited);
  BOOST_TEST(says(must_work(run.pos()), "made again: " + script));
  run.check_as_before(before);
}

BOOST_AUTO_TEST_CASE(a_run_of_before_outputs_were_noted_is_made_again_from_its_log_once) {
  const small_run run;
  must_work(run.pos());
  const auto before = run.outputs();
  boost::json::object manifest = manifest_of(run.out());
  manifest.erase("outputs");
  run.write("run/run.json", boost::json::serialize(manifest));
  const std::string table = "data/prompts_pos_BASELINE.csv";
  run.write("run/" + table, before.at(table).substr(0, 20));
  const outcome o = must_work(run.pos());
  BOOST_TEST(says(o, " 0 records in"), o.err);
  run.check_as_before(before);
  BOOST_TEST(says(must_work(run.pos()), "as they were"));
}

BOOST_AUTO_TEST_CASE(a_table_that_a_command_does_not_make_is_named_and_left) {
  const small_run run;
  must_work(run.both());
  const std::string table = "data/prompts_downstream_t.csv";
  run.write("run/" + table, "cut");
  const outcome o = must_work(run.pos());
  BOOST_TEST(says(o, "not made by the experiments and lenses of this command: " + table), o.err);
  BOOST_TEST(read_bytes(run.out() / table) == "cut");
  must_work(run.both());
  BOOST_TEST(read_bytes(run.out() / table) != "cut");
}

BOOST_AUTO_TEST_SUITE_END()
