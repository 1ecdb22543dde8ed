// SPDX-License-Identifier: Apache-2.0
// What may not be read or cannot be made: the code that fits, and errno's words. Run as a user whom file
// permissions bind.
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include <filesystem>
#include <string>

BOOST_AUTO_TEST_SUITE(permissions_and_paths)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

const std::string kRows = R"([{"prompt":"ab","answer":"c"}])";

struct tiny_run {
  tiny_folder model;
  scratch_folder folder;
  std::string rows = folder.write("rows.json", kRows);

  words into(const fs::path& out) const {
    return {"run", "pos",    "--model",          model.path(), "--out",
            out,   "--data", "pos.NOUN=" + rows, "--format",   "svg"};
  }
};

bool permissions_bind() {
  if (::geteuid() != 0) return true;
  BOOST_TEST_MESSAGE("skipped: root reads everything");
  return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_output_that_cannot_be_there_is_said_with_the_reason) {
  const tiny_run r;
  fs::create_symlink("loop", r.folder.path() / "loop");
  check_refused(r.into(r.folder.path() / "loop"), status::cannot_create, "loop",
                "a link that leads back to itself");
  check_refused(r.into(r.folder.path() / std::string(300, 'x')), status::cannot_create, "File name too long");
  check_refused(r.into(""), status::usage, "--out is empty");
  check_refused(r.into(r.rows), status::cannot_create, "rows.json");
}

BOOST_AUTO_TEST_CASE(an_input_that_cannot_be_there_is_said_with_the_reason) {
  const tiny_run r;
  fs::create_symlink("loop", r.folder.path() / "loop");
  const std::string loop = r.folder.path() / "loop";
  check_refused({"trace", "--model", loop, "--prompt", "a"}, status::no_input,
                "a link that leads back to itself");
  check_refused({"run", "pos", "--model", r.model.path(), "--out", r.folder.path() / "run", "--data",
                 "pos.NOUN=" + loop},
                status::no_input, "a link that leads back to itself");
  check_refused({"run", "freq", "--model", r.model.path(), "--out", r.folder.path() / "run", "--data",
                 "freq=" + r.rows, "--token-counts", r.folder.path()},
                status::no_input, "is a folder, expected a file");
}

BOOST_AUTO_TEST_CASE(a_manifest_that_is_no_json_is_told_with_line_column_and_what_was_expected) {
  const tiny_run r;
  fs::create_directory(r.folder.path() / "run");
  r.folder.write("run/run.json", "{\"depthlens\": \"0.1\",\n \"key\" 1}");
  check_refused(r.into(r.folder.path() / "run"), status::data,
                "run.json:2:8: ", "expected \":\" after the key");
}

BOOST_AUTO_TEST_CASE(what_may_not_be_read_or_written_is_a_matter_of_permission) {
  if (!permissions_bind()) return;
  const tiny_run r;
  const fs::path run = r.folder.path() / "run", closed = r.folder.path() / "closed";
  must_work(r.into(run) + words{"--dry-run"});
  fs::create_directory(run);
  r.folder.write("run/run.json", "{}");
  fs::permissions(run / "run.json", fs::perms::none);
  check_refused(r.into(run), status::permission, "run.json", "Permission denied");
  fs::create_directory(closed);
  fs::permissions(closed, fs::perms::none);
  check_refused({"models", closed}, status::permission, "closed", "Permission denied");
  check_refused(r.into(closed / "run"), status::permission, "Permission denied");
  check_refused(r.into(closed), status::permission, "closed");
  fs::permissions(r.rows, fs::perms::none);
  check_refused(r.into(r.folder.path() / "other"), status::permission, "rows.json", "Permission denied");
  fs::permissions(closed, fs::perms::owner_all);
}

BOOST_AUTO_TEST_CASE(a_finished_shard_that_may_not_be_read_is_named_by_merge) {
  if (!permissions_bind()) return;
  const tiny_run r;
  const fs::path out = r.folder.path() / "cut";
  must_work(r.into(out) + words{"--shard", "1/1"});
  const fs::path about = out / "shards/0001-of-0001/run.json";
  fs::permissions(about, fs::perms::none);
  check_refused({"merge", out.string()}, status::permission, about.string(), "Permission denied");
  check_refused({"merge", out.string(), "--partial"}, status::permission, about.string());
  fs::permissions(about, fs::perms::owner_all);
  must_work({"merge", out.string()});
}

BOOST_AUTO_TEST_SUITE_END()
