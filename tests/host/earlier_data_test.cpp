// SPDX-License-Identifier: Apache-2.0
// An extended study keeps the data sets and limits it had.
#include "run/earlier_data.hpp"

#include "depthlens/base/hash.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>

using namespace depthlens;

namespace {

struct folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / cat("depthlens-earlier-", ::getpid());
  folder() { std::filesystem::create_directories(path); }
  ~folder() { std::filesystem::remove_all(path); }
  std::filesystem::path write(const char* name, const char* text) const {
    std::ofstream(path / name) << text;
    return path / name;
  }
};

constexpr const char* kRows = R"([{"prompt": "One two", "answer": "three"}])";

// run.json of a run of pos over the sets B and A, in this order.
manifest earlier_run(const std::filesystem::path& file) {
  manifest m;
  boost::json::object about, key;
  for (const char* set : {"B", "A"}) {
    about[set] = {{"file", file.string()}, {"limit", 7}};
    key[set] = {{"sha256", sha256_file(file)}, {"kind", "prompt"}};
  }
  m.fields["data"] = {{"pos", about}};
  m.fields["key"] = {{"studies", {{"pos", {{"data", key}}}}}};
  return m;
}

std::vector<study_plan> command_with(const std::vector<std::string>& sets,
                                     const std::filesystem::path& file) {
  study_plan s;
  s.word = "pos";
  for (const std::string& set : sets) {
    dataset_plan d;
    d.set = set;
    d.file = file;
    d.kind = "prompt";
    s.datasets.push_back(d);
  }
  return {s};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(earlier_data)

BOOST_AUTO_TEST_CASE(sets_that_a_command_does_not_name_come_back_in_their_order) {
  const folder f;
  const auto file = f.write("rows.json", kRows);
  auto studies = command_with({"C", "A"}, file);
  add_earlier_data(earlier_run(file), studies);
  const auto& sets = studies[0].datasets;
  BOOST_REQUIRE_EQUAL(sets.size(), 3u);
  BOOST_TEST(sets[0].set == "B");
  BOOST_TEST(sets[1].set == "A");
  BOOST_TEST(sets[2].set == "C");
  BOOST_TEST(sets[0].at_least == 7u);
  BOOST_TEST(sets[1].at_least == 7u);
  BOOST_TEST(sets[2].at_least == 0u);
  BOOST_TEST((sets[0].format == file_format::rows_json));
}

BOOST_AUTO_TEST_CASE(a_changed_or_missing_file_is_left_out) {
  const folder f;
  const auto file = f.write("rows.json", kRows);
  const manifest m = earlier_run(file);
  f.write("rows.json", R"([{"prompt": "Another one", "answer": "two"}])");
  auto studies = command_with({"C"}, file);
  add_earlier_data(m, studies);
  BOOST_TEST(studies[0].datasets.size() == 1u);
  std::filesystem::remove(file);
  add_earlier_data(m, studies);
  BOOST_TEST(studies[0].datasets.size() == 1u);
}

BOOST_AUTO_TEST_CASE(other_studies_and_empty_manifests_change_nothing) {
  const folder f;
  const auto file = f.write("rows.json", kRows);
  auto studies = command_with({"C"}, file);
  studies[0].word = "facts";
  add_earlier_data(earlier_run(file), studies);
  add_earlier_data(manifest{}, studies);
  BOOST_TEST(studies[0].datasets.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
