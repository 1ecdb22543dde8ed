// SPDX-License-Identifier: Apache-2.0
// run --save-states: the states are the model's own, files and index say the same, and they do not depend on
// threads, kills, shards or on when they are asked for.
#include "program/sharded_run.hpp"
#include "program/suspended_run.hpp"

#include "depthlens/files/safetensors.hpp"
#include "depthlens/reference/model.hpp"
#include "model/model_views.hpp"
#include "model/opened_model.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

BOOST_AUTO_TEST_SUITE(saved_states)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

constexpr std::size_t kRecords = 40;

const sharded_run& tiny() {
  static const sharded_run once(kRecords);
  return once;
}

words with_states(const std::string& out, const std::string& layers = "all") {
  return tiny().run(out) + words{"--save-states", layers};
}

// Every file of the states of a run, by its path there.
std::map<std::string, std::string> states_of(const fs::path& run) {
  std::map<std::string, std::string> out;
  if (!fs::exists(run / "states")) return out;
  for (const auto& item : fs::recursive_directory_iterator(run / "states"))
    if (item.is_regular_file()) out[item.path().lexically_relative(run)] = read_bytes(item.path());
  return out;
}

const std::map<std::string, std::string>& undisturbed() {
  static const std::map<std::string, std::string> once = [] {
    must_work(with_states("undisturbed"));
    return states_of(tiny().path("undisturbed"));
  }();
  return once;
}

// The one file of a study's states.
const fs::path first_file = "states-00001.safetensors";

// Row of a tensor (rows, D).
std::vector<float> row_of(const safetensors_file& file, const std::string& name, std::size_t row) {
  for (const safetensors_tensor& t : file.tensors()) {
    if (t.view.name != name) continue;
    BOOST_REQUIRE(t.view.shape.size() == 2U);
    BOOST_REQUIRE(row < t.view.shape[0]);
    std::vector<float> out(t.view.shape[1]);
    std::memcpy(out.data(), t.view.data + row * out.size() * sizeof(float), out.size() * sizeof(float));
    return out;
  }
  BOOST_FAIL("no tensor " << name);
  return {};
}

double distance(const std::vector<float>& got, const reference::row& want) {
  double worst = 0, largest = 0;
  for (const double v : want) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < want.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(got.at(i)) - want[i]) / largest);
  return worst;
}

// The tokens up to the place of a row: those of its prompt, behind which every place of a sequence is read.
std::vector<std::int32_t> ids_of_row(const std::vector<table_row>& index, std::size_t row,
                                     const tokenizer_service& tokens, const words& prompts) {
  const auto number = [&](std::size_t r, const char* column) { return std::stoul(index[r].at(column)); };
  std::vector<std::int32_t> ids = tokens.encode_prompt(prompts.at(number(row, "prompt_id")));
  BOOST_REQUIRE(number(row, "position") + 1 >= ids.size());
  for (std::size_t r = 0; r <= row; ++r)
    if (number(r, "prompt_id") == number(row, "prompt_id") &&
        number(r, "sequence") == number(row, "sequence") && number(r, "position") == ids.size())
      ids.push_back(static_cast<std::int32_t>(number(r, "token")));
  BOOST_REQUIRE(ids.size() == number(row, "position") + 1);
  BOOST_TEST(static_cast<std::size_t>(ids.back()) == number(row, "token"));
  return ids;
}

// Refused with this code and a text that holds the words.
void check_refused(const words& command, int code, const std::string& text) {
  const outcome o = depthlens_says(command);
  BOOST_TEST(o.code == code, o.err);
  BOOST_TEST(o.err.find(text) != std::string::npos, o.err);
}

}  // namespace

BOOST_AUTO_TEST_CASE(states_are_those_of_the_plain_model_and_the_index_says_of_what) {
  const words prompts = {"The old mill", "A long day", "The river"},
              answers = {" is north", " of the road", " is on the"};
  boost::json::array rows;
  for (std::size_t i = 0; i < prompts.size(); ++i)
    rows.push_back({{"prompt", prompts[i]}, {"answer", answers[i]}});
  const scratch_folder folder;
  const std::string data = folder.write("facts.json", boost::json::serialize(rows));
  for (const char* family : {"llama", "gemma2", "gpt2"}) {
    BOOST_TEST_CONTEXT(family) {
      const std::string model = source_tree() / "tests/golden/models" / family;
      const fs::path run = folder.path() / family;
      must_work({"run", "facts", "--model", model, "--data", "facts=" + data, "--out", run.string(),
                 "--format", "svg", "--save-states", "all"});
      const opened_model opened = opened_model::open(model, bos_policy::automatic);
      const model_views views(*opened.files);
      const reference::model plain(*views.c());
      const std::uint32_t n = opened.files->arch().n_layers;
      const safetensors_file file((run / "states/facts" / first_file).string());
      BOOST_TEST(file.tensors().size() == n + 1U);
      const std::vector<table_row> index = table_rows(run / "states/facts" / "index.csv");
      BOOST_TEST(index.size() >= prompts.size());
      double worst = 0;
      for (std::size_t r = 0; r < index.size(); ++r) {
        BOOST_TEST(index[r].at("file") == first_file.string());
        BOOST_TEST(index[r].at("row") == std::to_string(r));
        BOOST_TEST(index[r].at("study") == "facts");
        BOOST_TEST(index[r].at("changed") == "0");
        const std::vector<std::int32_t> ids = ids_of_row(index, r, *opened.tokens, prompts);
        const std::size_t position = ids.size() - 1;
        const auto states = plain.residuals(ids);
        for (std::uint32_t l = 0; l <= n; ++l)
          worst = std::max(worst, distance(row_of(file, cat("layer.", l), r), states[l][position]));
      }
      BOOST_TEST(worst <= 2e-5);
      const auto about = boost::json::parse(read_bytes(run / "states/facts/states.json")).as_object();
      BOOST_TEST((about.at("rows") == index.size()));
      BOOST_TEST((about.at("records") == prompts.size()));
      BOOST_TEST((about.at("n_layers") == n));
    }
  }
}

BOOST_AUTO_TEST_CASE(states_do_not_depend_on_threads_packs_or_windows) {
  int number = 0;
  for (const char* threads : {"1", "4"})
    for (const words& how : {words{"--pack-tokens", "20"}, words{"--window", "3", "--sharing", "off"}}) {
      const std::string out = cat("how", ++number);
      words command = with_states(out) + how;
      *(std::find(command.begin(), command.end(), "--threads") + 1) = threads;
      must_work(command);
      check_same_tables(states_of(tiny().path(out)), undisturbed());
    }
}

BOOST_AUTO_TEST_CASE(states_change_no_table) {
  must_work(tiny().run("plain"));
  check_same_tables(tables_of(tiny().path("undisturbed")), tables_of(tiny().path("plain")));
  BOOST_TEST(!fs::exists(tiny().path("plain") / "states"));
}

BOOST_AUTO_TEST_CASE(a_run_that_is_killed_or_whose_log_is_cut_ends_with_the_same_states) {
  const auto command = [](const fs::path& out) {
    words c = tiny().run("x") + words{"--save-states", "all", "--window", "2", "--pack-tokens", "20"};
    *(std::find(c.begin(), c.end(), "--out") + 1) = out.string();
    return c;
  };
  suspended_run killed(command, [](const auto& run) { return has_bytes(run / "log/states-facts.log", 100); });
  BOOST_TEST(killed.go_on_after(SIGKILL).code == 128 + SIGKILL);
  BOOST_TEST(states_of(killed.folder()).empty());
  must_work(command(killed.folder()));
  check_same_tables(states_of(killed.folder()), undisturbed());
  const fs::path log = killed.folder() / "log/states-facts.log";
  fs::resize_file(log, fs::file_size(log) / 2);
  fs::remove_all(killed.folder() / "states");
  must_work(command(killed.folder()));
  check_same_tables(states_of(killed.folder()), undisturbed());
}

BOOST_AUTO_TEST_CASE(states_asked_for_later_or_of_more_records_are_the_same) {
  must_work(tiny().run("later") + words{"--limit", "10"});
  must_work(with_states("later") + words{"--limit", "20"});
  const auto half = states_of(tiny().path("later"));
  BOOST_TEST(half.size() == undisturbed().size());
  const outcome without = must_work(tiny().run("later"));  // those that are there stay
  BOOST_TEST(without.err.find("states/facts/: of 20 of ") != std::string::npos, without.err);
  check_same_tables(states_of(tiny().path("later")), half);
  must_work(with_states("later"));
  check_same_tables(states_of(tiny().path("later")), undisturbed());
  const outcome again = must_work(with_states("later"));
  BOOST_TEST(again.err.find("0 records in") != std::string::npos, again.err);
  BOOST_TEST(again.err.find("states of") == std::string::npos, again.err);
}

BOOST_AUTO_TEST_CASE(merged_shards_have_the_same_states) {
  for (const char* shard : {"2/3", "1/3", "3/3"})
    must_work(tiny().shard("shards", shard) + words{"--save-states", "all"});
  check_refused(tiny().shard("shards", "1/3"), 78, "states");
  must_work({"merge", tiny().path("shards").string()});
  check_same_tables(states_of(tiny().path("shards")), undisturbed());
  BOOST_TEST(must_work({"verify", tiny().path("shards").string(), "--rows", "5"}).code == 0);
}

BOOST_AUTO_TEST_CASE(a_file_of_states_that_is_altered_is_found_and_made_again) {
  must_work(with_states("altered"));
  const fs::path file = tiny().path("altered") / "states/facts" / first_file;
  std::ofstream(file, std::ios::app) << "x";
  BOOST_TEST(depthlens_says({"verify", tiny().path("altered").string(), "--rows", "0"}).code != 0);
  const outcome again = must_work(with_states("altered"));
  BOOST_TEST(again.err.find("made again: states/facts/") != std::string::npos, again.err);
  check_same_tables(states_of(tiny().path("altered")), undisturbed());
}

BOOST_AUTO_TEST_CASE(a_state_in_the_log_that_is_not_what_the_model_computes_is_found) {
  must_work(with_states("other", "last"));
  must_work(tiny().run("donor") + words{"--save-states", "0"});
  fs::copy_file(tiny().path("donor") / "log/states-facts.log", tiny().path("other") / "log/states-facts.log",
                fs::copy_options::overwrite_existing);
  const outcome o = depthlens_says({"verify", tiny().path("other").string(), "--rows", "200"});
  BOOST_TEST(o.code != 0);
  BOOST_TEST((o.out + o.err).find("state at place") != std::string::npos, o.out + o.err);
}

BOOST_AUTO_TEST_CASE(chosen_layers_are_those_of_all_and_other_ones_need_another_run) {
  must_work(with_states("some", "0,last"));
  const safetensors_file some((tiny().path("some") / "states/facts" / first_file).string()),
      all((tiny().path("undisturbed") / "states/facts" / first_file).string());
  BOOST_TEST(some.tensors().size() == 2U);
  for (const safetensors_tensor& t : some.tensors())
    for (std::size_t r = 0; r < t.view.shape[0]; ++r) {
      const std::string name(t.view.name);
      BOOST_TEST((row_of(some, name, r) == row_of(all, name, r)), name << ", row " << r);
    }
  check_refused(with_states("some", "0"), 78, "states: 0,");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_kept_is_refused_before_anything_is_computed) {
  check_refused(with_states("bad", "99"), 64, "expected all, last, or layers of the model, which are 0..");
  for (const char* text : {"", "x", "1-", "-1", "1,", "2-1", "0-4000000000"})
    check_refused(with_states("bad", text), 64, "--save-states");
  // Prompts that are longer than the model reads: there is no position.
  boost::json::array rows;
  rows.push_back({{"prompt", std::string(500, 'a')}, {"answer", "b"}});
  const scratch_folder folder;
  const std::string data = folder.write("long.json", boost::json::serialize(rows));
  check_refused({"run", "facts", "--model", tiny().model(), "--data", "facts=" + data, "--out",
                 tiny().path("nothing").string(), "--save-states", "all"},
                64, "no position is read");
  BOOST_TEST(!fs::exists(tiny().path("nothing") / "run.json"));
}

BOOST_AUTO_TEST_CASE(a_dry_run_says_what_the_states_take) {
  const outcome o = must_work(with_states("dry") + words{"--dry-run"});
  const std::size_t at = o.out.find("states kept");
  BOOST_REQUIRE_MESSAGE(at != std::string::npos, o.out);
  std::size_t places = 0;
  for (const char* study : {"facts", "early-exit"})
    places += table_rows(tiny().path("undisturbed") / "states" / study / "index.csv").size();
  BOOST_TEST(o.out.find(cat(" ", places, " places at "), at) != std::string::npos, o.out);
}

BOOST_AUTO_TEST_SUITE_END()
