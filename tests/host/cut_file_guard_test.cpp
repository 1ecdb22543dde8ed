// SPDX-License-Identifier: Apache-2.0
// A mapped file that is cut short while it is read.
#include "process/cut_file_guard.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

BOOST_AUTO_TEST_SUITE(cut_files)

namespace {

using namespace depthlens;

// How a child process ends that does `work` with the guard in place, its stderr in `said`.
template <class Work>
int end_of_child(const std::filesystem::path& said, const Work& work) {
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    const int out = ::open(said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(out, STDERR_FILENO);
    end_cleanly_on_cut_files();
    work();
    ::_exit(0);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_mapped_file_that_is_cut_short_ends_the_program_with_one_line_and_the_io_status) {
  const test::scratch_folder folder;
  const mapped_file file(folder.write("model", std::string(1u << 20, 'x')));
  const int status = end_of_child(folder.path() / "said", [&] {
    std::filesystem::resize_file(file.path(), 4096);
    volatile auto last = file.bytes().back();
    static_cast<void>(last);
  });
  BOOST_REQUIRE(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == static_cast<int>(status::io));
  const std::string said = test::read_bytes(folder.path() / "said");
  BOOST_TEST(said.starts_with("depthlens: error: a file that is being read"));
  BOOST_TEST(said.find('\n') == said.size() - 1);
}

BOOST_AUTO_TEST_CASE(another_bus_error_ends_the_program_with_one_line_as_a_crash_does) {
  const test::scratch_folder folder;
  const int ended = end_of_child(folder.path() / "said", [] { ::raise(SIGBUS); });
  BOOST_REQUIRE(WIFEXITED(ended));
  BOOST_TEST(WEXITSTATUS(ended) == static_cast<int>(status::internal));
  const std::string said = test::read_bytes(folder.path() / "said");
  BOOST_TEST(said.find("bus error") != std::string::npos, said);
}

BOOST_AUTO_TEST_SUITE_END()
