// SPDX-License-Identifier: Apache-2.0
// Whose a folder is: what is not depthlens's own stays where it is, by name.
#include "results/folder_owner.hpp"

#include "results/run_folder.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>

BOOST_AUTO_TEST_SUITE(folder_owners)

namespace {

using namespace depthlens;
namespace fs = std::filesystem;
using test::check_fails;
using test::read_bytes;
using test::scratch_folder;

}  // namespace

BOOST_AUTO_TEST_CASE(a_folder_is_our_own_by_its_manifest_or_where_it_has_nothing_but_parts_of_a_run) {
  const scratch_folder folder;
  BOOST_TEST(foreign_entry(folder.path() / "none") == "");
  { const run_folder run(folder.path() / "run"); }
  BOOST_TEST(foreign_entry(folder.path() / "run") == "");
  folder.write("run/.run.json.tmp-12", "half");
  folder.write("run/null_mean.safetensors", "states");
  folder.write("run/report.html", "a page");
  folder.write("run/run.json", "{ half");
  BOOST_TEST(foreign_entry(folder.path() / "run") == "");
  folder.write("run/params.pt", "values");
  folder.write("run/config.json", "{}");
  BOOST_TEST(foreign_entry(folder.path() / "run") == "config.json");
  folder.write("run/run.json", R"({"depthlens": "1.0"})");
  BOOST_TEST(foreign_entry(folder.path() / "run") == "");
  folder.write("run/run.json", R"({"name": "of another program"})");
  fs::remove(folder.path() / "run/config.json");
  fs::remove(folder.path() / "run/params.pt");
  BOOST_TEST(foreign_entry(folder.path() / "run") == "run.json");
}

BOOST_AUTO_TEST_CASE(folders_of_others_are_not_moved_aside) {
  const scratch_folder folder;
  const fs::path model = folder.path() / "model";
  fs::create_directories(model / "data");
  for (const char* name : {"model/model.gguf", "model/tokenizer.json", "model/data/mine.txt"}) {
    folder.write(name, "kept");
    check_fails([&] { move_aside(model); }, status::config, model.string(), "model.gguf", "not moved aside");
    BOOST_TEST(read_bytes(folder.path() / name) == "kept");
  }
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_or_holds_what_is_read_is_refused) {
  const scratch_folder folder;
  fs::create_directories(folder.path() / "out/deep");
  fs::create_directories(folder.path() / "out2");
  const fs::path text = folder.write("out/deep/text.txt", "words"), beside = folder.write("out2/b.txt", "");
  fs::create_directory_symlink(folder.path() / "out", folder.path() / "link");
  fs::create_symlink(text, folder.path() / "out2/text.txt");
  const auto refused = [&](const fs::path& out, const fs::path& input) {
    check_fails(
        [&] {
          refuse_inputs_within(folder.path() / out, {"", input});
        },
        status::usage, (folder.path() / out).string(), input.string());
  };
  refused("out", text);
  refused("out/", text);
  refused("link", text);
  refused("", text);
  refused("out", folder.path() / "link");
  refused("out2", folder.path() / "out2/text.txt");
  BOOST_CHECK_NO_THROW(refuse_inputs_within(folder.path() / "out", {beside, folder.path() / "none.txt"}));
  BOOST_CHECK_NO_THROW(refuse_inputs_within(folder.path() / "out/deep/new", {text, folder.path() / "out"}));
}

BOOST_AUTO_TEST_SUITE_END()
