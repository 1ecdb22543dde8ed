// SPDX-License-Identifier: Apache-2.0
// Where files that appear when they are complete may appear: through links, and never in the place of a
// device.
#include "depthlens/base/atomic_file.hpp"

#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <filesystem>

BOOST_AUTO_TEST_SUITE(atomic_files)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

void write_all(const fs::path& file, std::string_view text) {
  atomic_file out(file);
  out.write(text);
  out.commit();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_link_stays_and_what_it_names_is_written) {
  const scratch_folder folder;
  const fs::path file = folder.write("table.csv", "former"), link = folder.path() / "link";
  fs::create_symlink("table.csv", link);
  write_all(link, "new");
  BOOST_TEST(fs::is_symlink(link));
  BOOST_TEST(read_bytes(file) == "new");
  fs::create_symlink("absent.csv", folder.path() / "dangling");
  write_all(folder.path() / "dangling", "made");
  BOOST_TEST(read_bytes(folder.path() / "absent.csv") == "made");
}

BOOST_AUTO_TEST_CASE(pipes_devices_and_folders_are_refused_and_stay) {
  const scratch_folder folder;
  const fs::path pipe = folder.path() / "pipe";
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const fs::path& path : {pipe, folder.path()})
    check_fails([&] { write_all(path, "x"); }, status::cannot_create, path.string(), "not a regular file");
  BOOST_TEST(fs::is_fifo(pipe));
}

BOOST_AUTO_TEST_SUITE_END()
