// SPDX-License-Identifier: Apache-2.0
// What run.json notes of the files of a run, and which of them are seen to differ.
#include "results/output_digests.hpp"

#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(output_digests)

namespace {

using namespace depthlens;
using test::read_bytes;
using test::scratch_folder;

struct run_with_table : scratch_folder {
  boost::json::object manifest;
  run_with_table() {
    std::filesystem::create_directories(path() / "data");
    hashed_file file(path() / "data/a.csv");
    for (int i = 0; i < 30'000; ++i) file.write("layer,rank\n");
    note_output(manifest, "data/a.csv", file.commit());
  }
  output_state state() const { return state_of_output(manifest, path(), "data/a.csv"); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_hashed_on_its_way_is_what_lies_in_the_file) {
  run_with_table run;
  BOOST_TEST((run.state() == output_state::as_written));
  boost::json::object read;
  note_output(read, run.path(), "data/a.csv");
  BOOST_TEST((read == run.manifest));
  BOOST_TEST(read_bytes(run.path() / "data/a.csv").size() == 330'000U);
}

BOOST_AUTO_TEST_CASE(a_byte_more_less_or_other_and_a_missing_file_are_seen) {
  run_with_table run;
  const std::string whole = read_bytes(run.path() / "data/a.csv");
  std::string other = whole;
  other[12345] ^= 1;
  for (const std::string& content : {other, whole + "\n", whole.substr(1), std::string()}) {
    run.write("data/a.csv", content);
    BOOST_TEST((run.state() == output_state::different));
    BOOST_TEST(altered_outputs(run.manifest, run.path()) == std::vector<std::string>{"data/a.csv"},
               boost::test_tools::per_element());
    BOOST_TEST(altered_outputs(run.manifest, run.path(), {"data/a.csv"}).empty());
  }
  std::filesystem::remove(run.path() / "data/a.csv");
  BOOST_TEST((run.state() == output_state::absent));
  BOOST_TEST(altered_outputs(run.manifest, run.path()).size() == 1U);
  std::filesystem::create_directory(run.path() / "data/a.csv");
  BOOST_TEST((run.state() == output_state::different));
}

BOOST_AUTO_TEST_CASE(a_manifest_of_before_or_an_edited_one_notes_nothing) {
  const scratch_folder folder;
  folder.write("a", "x");
  for (const char* text : {R"({})", R"({"outputs":[]})", R"({"outputs":{"a":{"size":-1,"sha256":"x"}}})",
                           R"({"outputs":{"a":{"size":1}}})", R"({"outputs":{"a":7}})"}) {
    const auto manifest = boost::json::parse(text).as_object();
    BOOST_TEST((state_of_output(manifest, folder.path(), "a") == output_state::not_noted), text);
    BOOST_TEST(altered_outputs(manifest, folder.path()).empty());
  }
  for (const char* outside : {"../a", "/etc/passwd", "data/../../a"}) {
    boost::json::object manifest;
    note_output(manifest, outside, {1, "x"});
    BOOST_TEST((state_of_output(manifest, folder.path(), outside) == output_state::not_noted));
  }
}

BOOST_AUTO_TEST_CASE(names_that_are_no_utf8_come_back_and_one_line_names_them_all) {
  const scratch_folder folder;
  const std::string wild = "plots/\xff\n.svg";
  std::filesystem::create_directories(folder.path() / "plots");
  folder.write(wild, "x");
  boost::json::object manifest;
  note_output(manifest, folder.path(), wild);
  note_output(manifest, "data/b", {1, "x"});
  BOOST_TEST((noted_outputs(manifest, "plots/") == std::vector<std::string>{wild}));
  BOOST_TEST((state_of_output(manifest, folder.path(), wild) == output_state::as_written));
  BOOST_TEST(names_for_people({wild, "data/b"}) == "plots/\\xff\\x0a.svg, data/b");
  BOOST_TEST(names_for_people(std::vector<std::string>(25, "a")).ends_with(", a and 5 more"));
  forget_outputs(manifest, "plots/");
  BOOST_TEST(noted_outputs(manifest, "").size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
