// SPDX-License-Identifier: Apache-2.0
// run.json: which differences it names, how it grows, and what a damaged one gives.
#include "results/manifest.hpp"

#include "support/data_files.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(manifests)

namespace {

using namespace depthlens;
using test::check_fails;
using test::scratch_folder;

boost::json::object object(const std::string& text) { return boost::json::parse(text).as_object(); }

}  // namespace

BOOST_AUTO_TEST_CASE(equal_keys_do_not_differ_whatever_the_order_of_their_fields) {
  const auto a = object(R"({"mode":"default","studies":{"pos":{"options":{"words":"first"}}}})");
  const auto b = object(R"({"studies":{"pos":{"options":{"words":"first"}}},"mode":"default"})");
  BOOST_TEST(differing_fields(a, b).empty());
}

BOOST_AUTO_TEST_CASE(every_field_that_differs_is_named_with_both_values) {
  const auto a = object(
      R"({"precision":"f32","model_sha256":"ab","studies":{"freq":{"data":{"":{"seed":42,"cuts":4}}}}})");
  const auto b = object(
      R"({"precision":"bf16","model_sha256":"cd","studies":{"freq":{"data":{"":{"seed":43,"cuts":4}}}}})");
  const std::vector<std::string> expected = {"precision: f32 -> bf16", "model_sha256: ab -> cd",
                                             "studies.freq.data.seed: 42 -> 43"};
  BOOST_TEST(differing_fields(a, b) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_only_one_side_has_extends_a_run_and_does_not_differ) {
  const auto a = object(R"({"lenses":{"logit":"logit"},"studies":{"pos":{"version":"1"}}})");
  const auto b = object(R"({"lenses":{"tuned":"tuned x"},"studies":{"facts":{"version":"1"}}})");
  BOOST_TEST(differing_fields(a, b).empty());
  BOOST_TEST(differing_fields(b, a).empty());
}

BOOST_AUTO_TEST_CASE(what_an_earlier_version_could_not_say_is_as_runs_were_then) {
  const auto old = object(R"({"mode":"default","studies":{"pos":{"version":"1"}}})");
  const auto same = object(R"({"mode":"default","experts":"off","chat":"off","generate":0})");
  BOOST_TEST(differing_fields(old, same).empty());
  const auto other =
      object(R"({"experts":"on","chat":"on","generate":3,"studies":{"pos":{"columns":{"pos":"a"}}}})");
  const std::vector<std::string> expected = {"studies.pos.columns: of an earlier version -> {\"pos\":\"a\"}",
                                             "experts: off -> on", "chat: off -> on", "generate: 0 -> 3"};
  BOOST_TEST(differing_fields(old, other) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_value_of_another_kind_differs_and_long_values_are_cut) {
  const auto a = object(R"({"data":{"x":1}})");
  boost::json::object b;
  b["data"] = std::string(200, 'y');
  const std::vector<std::string> d = differing_fields(a, b);
  BOOST_REQUIRE_EQUAL(d.size(), 1U);
  BOOST_TEST(d[0] == R"(data: {"x":1} -> )" + std::string(57, 'y') + "...");
}

BOOST_AUTO_TEST_CASE(numbers_are_equal_after_a_way_through_the_file) {
  const scratch_folder folder;
  manifest m;
  boost::json::object key;
  key["seed"] = std::uint64_t{42};
  key["largest"] = std::numeric_limits<std::uint64_t>::max();
  key["smallest"] = std::numeric_limits<std::int64_t>::min();
  m.fields["key"] = key;
  m.write(folder.path() / "run.json");
  const manifest back = manifest::read(folder.path() / "run.json");
  BOOST_TEST(differing_fields(back.fields.at("key").as_object(), key).empty());
  BOOST_TEST((back.fields == m.fields));
}

BOOST_AUTO_TEST_CASE(merging_keeps_what_is_only_in_the_older_and_takes_the_newer_value_elsewhere) {
  auto older = object(R"({"tables":{"pos":{"logit":["a.csv"]}},"status":"running","format":1})");
  merge_into(older, object(R"({"tables":{"pos":{"tuned":["b.csv"]},"facts":{}},"status":"complete"})"));
  BOOST_TEST((older == object(R"({"tables":{"pos":{"logit":["a.csv"],"tuned":["b.csv"]},"facts":{}},)"
                              R"("status":"complete","format":1})")));
}

BOOST_AUTO_TEST_CASE(merging_does_not_mix_lists_or_values_of_different_kinds) {
  auto older = object(R"({"a":[1,2],"b":{"x":1},"c":3})");
  merge_into(older, object(R"({"a":[3],"b":4,"c":{"y":1}})"));
  BOOST_TEST((older == object(R"({"a":[3],"b":4,"c":{"y":1}})")));
}

BOOST_AUTO_TEST_CASE(an_absent_manifest_is_empty) {
  const scratch_folder folder;
  BOOST_TEST(manifest::read(folder.path() / "run.json").empty());
}

BOOST_AUTO_TEST_CASE(a_damaged_manifest_is_refused_by_name) {
  const scratch_folder folder;
  for (const std::string content : {"", "{\"key\":", "[1]", "null", "{} x", "\xff\xfe"}) {
    const auto file = folder.write("run.json", content);
    check_fails([&] { manifest::read(file); }, status::data, file.string() + ":1:", "");
  }
  const auto pipe = folder.path() / "pipe.json";
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  check_fails([&] { manifest::read(pipe); }, status::data, pipe.string(), "not a regular file");
}

BOOST_AUTO_TEST_CASE(a_manifest_of_a_later_format_is_refused_with_the_version_that_wrote_it) {
  const scratch_folder folder;
  const auto file = folder.write("run.json", R"({"format": 2, "depthlens": "9.0.0\u001b"})");
  check_fails([&] { manifest::read(file); }, status::config, file.string(), "format 2", "9.0.0\\x1b",
              "format 1");
  for (const char* format : {"\"1\"", "1.5", "-1", "0", "null", "[1]", "1e400"}) {
    const auto bad = folder.write("run.json", cat("{\"format\": ", format, "}"));
    check_fails([&] { manifest::read(bad); }, status::data, bad.string());
  }
  for (const char* good : {R"({"format": 1})", R"({"format": 1.0})", R"({"depthlens": "0.1.0"})"})
    BOOST_CHECK_NO_THROW(manifest::read(folder.write("run.json", good)));
}

BOOST_AUTO_TEST_CASE(a_manifest_that_no_longer_says_what_its_run_was_made_of_is_refused) {
  const boost::json::object key = {{"model_sha256", "a"}, {"studies", {{"facts", {{"tokens", 3}}}}}};
  manifest m;
  refuse_other_key(m, key, "run", "run");  // a new one
  m.fields = {{"status", "complete"}, {"key", key}, {"tables", {{"facts", boost::json::object()}}}};
  refuse_other_key(m, key, "run", "run");
  const auto refused = [&] {
    try {
      refuse_other_key(m, key, "run", "run");
    } catch (const error& e) {
      return e.code() == status::data && std::string(e.what()).find("no longer says") != std::string::npos;
    }
    return false;
  };
  m.fields["key"].as_object().erase("studies");
  BOOST_TEST(refused());
  m.fields.erase("key");
  BOOST_TEST(refused());
}

BOOST_AUTO_TEST_CASE(a_manifest_of_hostile_nesting_is_refused) {
  const scratch_folder folder;
  const auto file = folder.write("run.json", "{\"a\":" + std::string(100000, '['));
  check_fails([&] { manifest::read(file); }, status::data, file.string());
}

BOOST_AUTO_TEST_CASE(the_printed_text_reads_back_as_the_same_value) {
  const auto v = object(R"({"a":{},"b":[],"c":[1,[2,{"d":null}]],"e\"\n":"f\u0001\\","g":{"h":true}})");
  BOOST_TEST((boost::json::parse(pretty(v)) == v));
  BOOST_TEST(pretty(object(R"({"a":{"b":[1,2]}})")) ==
             "{\n  \"a\": {\n    \"b\": [\n      1,\n      2\n    ]\n  }\n}");
}

BOOST_AUTO_TEST_CASE(a_manifest_that_cannot_be_written_leaves_nothing) {
  const scratch_folder folder;
  const auto plain = folder.write("plain", "x");
  manifest m;
  m.fields["a"] = 1;
  check_fails([&] { m.write(plain / "run.json"); }, status::cannot_create, "plain");
}

BOOST_AUTO_TEST_CASE(what_a_manifest_lacks_or_has_of_another_type_is_not_found) {
  const auto o = object(R"({"status":"complete","model":{"name":"m","n_layers":3},"key":"text"})");
  BOOST_TEST(text_at(object_at(&o, "model"), "name").value_or("") == "m");
  BOOST_TEST(!text_at(object_at(&o, "model"), "n_layers"));
  BOOST_TEST(!text_at(object_at(&o, "key"), "backend"));
  BOOST_TEST(!text_at(object_at(&o, "none"), "name"));
  BOOST_TEST(is_complete(o));
  BOOST_TEST(!is_complete(object(R"({"status":"running"})")));
  BOOST_TEST(!is_complete(object(R"({"status":["complete"]})")));
  BOOST_TEST(!is_complete({}));
}

BOOST_AUTO_TEST_SUITE_END()
