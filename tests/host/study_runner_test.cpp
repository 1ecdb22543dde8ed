// SPDX-License-Identifier: Apache-2.0
// Whole runs on a fake backend: the CSVs are the same however the work is divided, stopped or extended.
#include "host/fake_run.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(study_runners)

namespace {

using namespace depthlens;
using test::check_fails;
using test::fake_backend;
using test::fake_run;
using test::lines;
using test::made_prompts;
using test::read_bytes;
using test::run_result;
using test::run_setting;

constexpr std::size_t kRecords = 60;

run_result undisturbed(const run_setting& s, std::size_t records = kRecords) {
  const fake_run run(made_prompts(records));
  fake_backend backend(fake_run::kVocabulary);
  run_result r = run.go(backend, s);
  BOOST_TEST(r.finished);
  return r;
}

void check_same(const run_result& got, const run_result& wanted) {
  BOOST_TEST(got.finished);
  BOOST_REQUIRE_EQUAL(got.csv.size(), wanted.csv.size());
  for (const auto& [file, bytes] : wanted.csv) {
    BOOST_REQUIRE(got.csv.contains(file));
    BOOST_TEST((got.csv.at(file) == bytes), file << " differs");
  }
  BOOST_TEST((got.kept == wanted.kept));
}

}  // namespace

BOOST_AUTO_TEST_CASE(rows_hold_what_the_backend_said_of_the_prompt_and_come_in_record_order) {
  const std::vector<std::string> prompts = made_prompts(kRecords);
  const fake_run run(prompts);
  fake_backend backend(fake_run::kVocabulary);
  const run_result r = run.go(backend, {});
  const std::vector<std::string> rows = lines(r.csv.at("fake/fake_model_logit.csv"));
  BOOST_REQUIRE_EQUAL(rows.at(0), "prompt_id,round,layer,target,rank,logprob,entropy,kl,guess");
  const test::fake_lens& logit = fake_run::lens_of("logit");
  std::size_t at = 1, with_rounds = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::vector<std::int32_t> ids = run.tokens().encode_prompt(prompts[i]);
    if (ids.empty()) continue;
    const std::uint64_t path = test::path_hash(ids);
    for (std::size_t l = 0; l < 5; ++l)
      for (const std::int32_t target :
           {backend.final_top(path), static_cast<std::int32_t>(prompts[i].size() / 2)}) {
        const std::string start =
            cat(i, ",0,", l, ',', target, ',', backend.rank(path, logit, l, target), ',');
        BOOST_REQUIRE_LT(at, rows.size());
        BOOST_REQUIRE_MESSAGE(rows[at].starts_with(start), rows[at] << " does not begin with " << start);
        ++at;
      }
    with_rounds += backend.final_top(path) % 2 == 0 ? 1 : 0;
    while (at < rows.size() && rows[at].starts_with(cat(i, ",")) && !rows[at].starts_with(cat(i, ",0,")))
      ++at;
  }
  BOOST_TEST(at == rows.size());
  BOOST_TEST(with_rounds > 5U);
  BOOST_TEST(lines(r.csv.at("fake/prompts_fake.csv")).size() == 1 + kRecords);
  BOOST_TEST(lines(r.csv.at("fake/mean_rank_tuned.csv")).size() == 1U + 3U);
  BOOST_TEST(r.records == kRecords);
  BOOST_TEST(r.kept.at(0).at("").at("") == kRecords - 1);
  BOOST_TEST(r.kept.at(0).at("").at("empty") == 1U);
}

BOOST_AUTO_TEST_CASE(results_do_not_depend_on_window_packs_or_threads) {
  const run_result wanted = undisturbed({});
  for (const std::size_t window : {1U, 7U, 8192U})
    for (const std::size_t pack : {16U, 50U, 100000U})
      for (const unsigned threads : {1U, 4U}) {
        run_setting s;
        s.window = window;
        s.pack_tokens = pack;
        s.threads = threads;
        check_same(undisturbed(s), wanted);
      }
}

BOOST_AUTO_TEST_CASE(a_run_that_is_stopped_anywhere_goes_on_to_the_same_results) {
  const run_result wanted = undisturbed({});
  for (const std::uint64_t after : {1U, 2U, 3U, 5U, 8U, 13U, 30U}) {
    const fake_run run(made_prompts(kRecords));
    run_setting s;
    s.window = 9;
    s.threads = 2;
    s.pack_tokens = 16;
    fake_backend backend(fake_run::kVocabulary);
    std::atomic<bool> stop{false};
    backend.on_forward = [&] {
      if (backend.forwards + 1 >= after) stop = true;
    };
    const run_result first = run.go(backend, s, stop);
    BOOST_TEST(!first.finished);
    BOOST_TEST(first.records < kRecords);
    fake_backend again(fake_run::kVocabulary);
    const run_result second = run.go(again, s);
    check_same(second, wanted);
    BOOST_TEST(first.records + second.records == kRecords);
  }
}

BOOST_AUTO_TEST_CASE(logs_cut_at_any_place_are_completed_to_the_same_results) {
  const run_result wanted = undisturbed({});
  const fake_run run(made_prompts(kRecords));
  fake_backend backend(fake_run::kVocabulary);
  run_setting s;
  s.window = 16;
  check_same(run.go(backend, s), wanted);
  std::mt19937 random(5);
  for (int round = 0; round < 12; ++round) {
    for (const char* lens : {"logit", "tuned"}) {
      const auto size = std::filesystem::file_size(run.log("fake", lens));
      std::filesystem::resize_file(run.log("fake", lens), random() % (size + 1));
    }
    check_same(run.go(backend, s), wanted);
  }
}

BOOST_AUTO_TEST_CASE(a_byte_that_is_wrong_in_each_log_costs_one_record_of_each) {
  const run_result wanted = undisturbed({});
  const fake_run run(made_prompts(kRecords));
  fake_backend backend(fake_run::kVocabulary);
  const run_setting s;
  check_same(run.go(backend, s), wanted);
  std::mt19937 random(6);
  for (int round = 0; round < 12; ++round) {
    for (const char* lens : {"logit", "tuned"}) {
      const auto file = run.log("fake", lens);
      std::string bytes = read_bytes(file);
      bytes.at(16 + random() % (bytes.size() - 16)) ^= 0x10;  // behind the first line
      std::ofstream(file, std::ios::binary) << bytes;
    }
    const run_result again = run.go(backend, s);
    check_same(again, wanted);
    BOOST_TEST(again.records <= 2U);
  }
}

BOOST_AUTO_TEST_CASE(a_backend_that_fails_loses_nothing_that_was_finished) {
  const run_result wanted = undisturbed({});
  const fake_run run(made_prompts(kRecords));
  run_setting s;
  s.window = 10;
  fake_backend failing(fake_run::kVocabulary);
  failing.on_forward = [&] {
    if (failing.forwards >= 4) fail(status::io, "the device is gone");
  };
  check_fails([&] { run.go(failing, s); }, status::io, "the device is gone");
  fake_backend backend(fake_run::kVocabulary);
  const run_result r = run.go(backend, s);
  check_same(r, wanted);
  BOOST_TEST(r.records < kRecords);
}

BOOST_AUTO_TEST_CASE(a_finished_run_needs_no_backend_any_more) {
  const fake_run run(made_prompts(kRecords));
  fake_backend backend(fake_run::kVocabulary), unused(fake_run::kVocabulary);
  const run_result first = run.go(backend, {});
  const run_result second = run.go(unused, {});
  check_same(second, first);
  BOOST_TEST(second.records == 0U);
  BOOST_TEST(unused.forwards == 0U);
}

BOOST_AUTO_TEST_CASE(a_lens_that_is_added_is_read_alone_and_both_tables_are_as_in_one_go) {
  const run_result wanted = undisturbed({});
  for (const char* first : {"logit", "tuned"}) {
    const fake_run run(made_prompts(kRecords));
    fake_backend backend(fake_run::kVocabulary);
    run_setting one;
    one.lenses = {first};
    run.go(backend, one);
    fake_backend other(fake_run::kVocabulary);
    check_same(run.go(other, {}), wanted);
    BOOST_REQUIRE_EQUAL(other.lenses_used.size(), 1U);
    const auto* added = reinterpret_cast<const dlens_lens*>(
        &fake_run::lens_of(std::string(first) == "logit" ? "tuned" : "logit"));
    BOOST_TEST((*other.lenses_used.begin() == added));
  }
}

BOOST_AUTO_TEST_CASE(lenses_that_are_done_to_different_lengths_are_completed) {
  const run_result wanted = undisturbed({});
  const fake_run run(made_prompts(kRecords));
  fake_backend backend(fake_run::kVocabulary);
  for (const auto& [lens, limit] : {std::pair<std::string, std::uint64_t>{"logit", 40}, {"tuned", 10}}) {
    run_setting s;
    s.lenses = {lens};
    s.limit = limit;
    run.go(backend, s);
  }
  run_setting s;
  s.window = 8;
  check_same(run.go(backend, s), wanted);
}

BOOST_AUTO_TEST_CASE(a_larger_limit_runs_only_the_further_records) {
  const run_result wanted = undisturbed({});
  const fake_run run(made_prompts(kRecords));
  fake_backend backend(fake_run::kVocabulary);
  run_setting s;
  s.limit = 10;
  const run_result ten = run.go(backend, s);
  BOOST_TEST(ten.records == 10U);
  check_same(ten, undisturbed({}, 10));
  const run_result all = run.go(backend, {});
  BOOST_TEST(all.records == kRecords - 10);
  check_same(all, wanted);
  check_same(run.go(backend, s), ten);  // the smaller limit again: the same ten records
}

BOOST_AUTO_TEST_CASE(shuffled_rows_give_the_same_rows_under_other_numbers) {
  const std::vector<std::string> prompts = made_prompts(kRecords);
  std::vector<std::size_t> order(prompts.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(3));
  std::vector<std::string> shuffled;
  for (const std::size_t i : order) shuffled.push_back(prompts[i]);
  const fake_run run(shuffled);
  fake_backend backend(fake_run::kVocabulary);
  const run_result got = run.go(backend, {}), wanted = undisturbed({});
  for (const char* file : {"fake/fake_model_logit.csv", "fake/fake_model_tuned.csv"}) {
    std::vector<std::vector<std::string>> by_record(prompts.size());
    const std::vector<std::string> rows = lines(got.csv.at(file));
    for (std::size_t i = 1; i < rows.size(); ++i) {
      const std::size_t old = order.at(std::stoul(rows[i]));
      by_record.at(old).push_back(cat(old, rows[i].substr(rows[i].find(','))));
    }
    std::string text = rows[0] + "\n";
    for (const auto& of_record : by_record)
      for (const std::string& row : of_record) text += row + "\n";
    BOOST_TEST((text == wanted.csv.at(file)));
  }
}

BOOST_AUTO_TEST_CASE(the_log_says_on_which_device_each_record_was_computed) {
  const fake_run run(made_prompts(kRecords));
  fake_backend backend(fake_run::kVocabulary);
  run.go(backend, {});
  const record_log log(run.log("fake", "logit"));
  auto records = log.read({""}, [](const record_key&) { return true; });
  std::size_t on_fake = 0, on_none = 0;
  while (const auto e = records.next()) ++(e->device().value().empty() ? on_none : on_fake);
  BOOST_TEST(on_fake + on_none == kRecords);
  BOOST_TEST(on_fake >= kRecords - 1);  // nothing is read of the empty prompt
}

BOOST_AUTO_TEST_CASE(studies_of_one_window_share_their_prefixes_and_their_reads) {
  run_setting one, two;
  two.words = {"fake", "twin"};
  const fake_run run_of_one(made_prompts(kRecords)), run_of_two(made_prompts(kRecords));
  fake_backend a(fake_run::kVocabulary), b(fake_run::kVocabulary);
  const run_result single = run_of_one.go(a, one), both = run_of_two.go(b, two);
  BOOST_TEST(both.counts.distinct_prefixes == single.counts.distinct_prefixes);
  BOOST_TEST(both.counts.positions_read == single.counts.positions_read);
  BOOST_TEST(both.counts.tokens_given == 2 * single.counts.tokens_given);
  BOOST_TEST(both.records == 2 * single.records);
  for (const auto& [file, bytes] : single.csv)
    BOOST_TEST((both.csv.at("twin/" + file.substr(file.find('/') + 1)) == bytes));
}

BOOST_AUTO_TEST_CASE(an_experiment_that_is_added_leaves_the_tables_of_the_first_as_they_were) {
  const fake_run run(made_prompts(kRecords));
  fake_backend backend(fake_run::kVocabulary);
  const run_result first = run.go(backend, {});
  run_setting two;
  two.words = {"fake", "twin"};
  const run_result both = run.go(backend, two);
  BOOST_TEST(both.records == kRecords);
  for (const auto& [file, bytes] : first.csv) BOOST_TEST((both.csv.at(file) == bytes));
}

BOOST_AUTO_TEST_CASE(data_sets_of_one_study_come_in_the_order_in_which_they_were_given) {
  const fake_run run(made_prompts(7));
  fake_backend backend(fake_run::kVocabulary);
  run_setting s;
  s.sets = {"z", "a"};
  const run_result r = run.go(backend, s);
  BOOST_TEST(r.records == 14U);
  BOOST_TEST(r.kept.at(0).at("z").at("") == 6U);
  BOOST_TEST(r.kept.at(0).at("a").at("empty") == 1U);
  const std::vector<std::string> prompts = lines(r.csv.at("fake/prompts_fake.csv"));
  BOOST_REQUIRE_EQUAL(prompts.size(), 15U);
  for (int i = 0; i < 14; ++i) BOOST_TEST(prompts[1 + i].starts_with(cat(i % 7, ",")));
}

BOOST_AUTO_TEST_CASE(a_dry_run_counts_the_first_round_and_writes_nothing) {
  const fake_run run(made_prompts(kRecords));
  fake_backend backend(fake_run::kVocabulary);
  run_setting s;
  s.dry_run = true;
  s.pack_tokens = 64;
  const run_result dry = run.go(backend, s);
  BOOST_TEST(dry.finished);
  BOOST_TEST(dry.records == 0U);
  BOOST_TEST(dry.counts.positions_read > 0U);
  BOOST_TEST(dry.counts.distinct_prefixes < dry.counts.tokens_given);
  BOOST_TEST(backend.forwards == 0U);
  BOOST_TEST(!std::filesystem::exists(run.log("fake", "logit")));
}

BOOST_AUTO_TEST_CASE(an_experiment_that_breaks_a_rule_is_named) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> internal = {
      {"columns", {"experiment fake", "a row of 1 values", "rows"}},
      {"table", {"experiment fake", "no table 9"}},
      {"type", {"experiment fake", "rows", "rank"}},
      {"position", {"experiment fake, plan, record 0 of ", "outside its sequence"}},
      {"id", {"experiment fake, plan, record 0 of ", cat("id ", fake_run::kVocabulary), " rows"}},
      {"target", {"experiment fake, plan, record 0 of ", cat("id ", fake_run::kVocabulary), " rows"}},
      {"endless", {"experiment fake, plan, record ", "256 rounds and does not stop"}},
      {"throws", {"experiment fake, consume, record 3 of ", "boom"}},
      {"finish", {"experiment fake", "table rows", "no summary"}},
      {"finish table", {"experiment fake", "no table 9"}},
      {"finish columns", {"experiment fake", "a row of 1 values", "summary"}},
      {"finish type", {"experiment fake", "table summary", "column layer"}},
      {"figure", {"experiment fake", "ranks", "nosuch"}},
      {"file:../rows_{lens}", {"experiment fake, describe", "rows", "'/'"}},
      {"file:", {"experiment fake, describe", "rows", "empty"}},
      {"file:.", {"experiment fake, describe", "rows", "dots"}},
      {"file:..", {"experiment fake, describe", "rows", "dots"}},
      {"file:a\nb", {"experiment fake, describe", "rows", "control", "a\\x0ab"}},
      {"file:a\xff", {"experiment fake, describe", "rows", "UTF-8", "a\\xff"}},
      {"file:" + std::string(101, 'a'), {"experiment fake, describe", "rows", "100 bytes"}}};
  for (const auto& [fault, parts] : internal) {
    BOOST_TEST_CONTEXT(fault) {
      const fake_run run(made_prompts(kRecords));
      fake_backend backend(fake_run::kVocabulary);
      run_setting s;
      s.fault = fault;
      for (const std::string& part : parts) check_fails([&] { run.go(backend, s); }, status::internal, part);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_number_that_is_none_is_a_gap_in_its_table) {
  const fake_run run(made_prompts(kRecords));
  fake_backend a(fake_run::kVocabulary), b(fake_run::kVocabulary);
  run_setting s;
  const std::vector<std::string> whole = lines(run.go(a, s).csv.at("fake/fake_model_logit.csv"));
  s.fault = "nan";
  const fake_run again(made_prompts(kRecords));
  const std::vector<std::string> rows = lines(again.go(b, s).csv.at("fake/fake_model_logit.csv"));
  BOOST_REQUIRE_EQUAL(rows.size(), whole.size());
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const std::size_t guess = whole[i].rfind(','), kl = whole[i].rfind(',', guess - 1);
    BOOST_TEST(rows[i] == whole[i].substr(0, kl + 1) + whole[i].substr(guess));
  }
}

BOOST_AUTO_TEST_CASE(data_that_an_experiment_refuses_ends_the_run_with_its_words) {
  for (const std::string fault : {"survey", "plan"}) {
    const fake_run run(made_prompts(kRecords));
    fake_backend backend(fake_run::kVocabulary);
    run_setting s;
    s.fault = fault;
    check_fails([&] { run.go(backend, s); }, status::data,
                "rows.json: record 3: " + fault + " dislikes record 3");
  }
}

BOOST_AUTO_TEST_CASE(names_of_files_get_lens_and_name_and_no_path) {
  BOOST_TEST(file_stem("facts_{lens}", "tuned", "m") == "facts_tuned");
  BOOST_TEST(file_stem("{name}_{lens}_{lens}", "a", "b") == "b_a_a");
  BOOST_TEST(file_stem("plain", "a", "b") == "plain");
  BOOST_TEST(file_stem("{other}_{", "a", "b") == "{other}_{");
  BOOST_TEST(file_stem("x_{name}", "a", "org/model") == "x_org_model");
  BOOST_TEST(file_stem("x_{name}", "{name}", "{lens}") ==
             "x_{lens}");  // what was put in is not looked at again
  BOOST_TEST(file_stem("a{_lens}", "tuned", "m") == "a_tuned");
  BOOST_TEST(file_stem("a{_lens}", "logit", "m") == "a");
  BOOST_TEST(file_stem("", "a", "b").empty());
}

BOOST_AUTO_TEST_SUITE_END()
