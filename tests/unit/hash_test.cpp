// SPDX-License-Identifier: Apache-2.0
// SHA-256 and XXH3 against published values, and files against their bytes.
#include "depthlens/base/hash.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <sys/stat.h>

#include "support/model_bytes.hpp"

using namespace depthlens;
using depthlens::test::fails_with;

BOOST_AUTO_TEST_SUITE(hash)

BOOST_AUTO_TEST_CASE(sha256_gives_the_values_of_fips_180) {
  BOOST_TEST(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  BOOST_TEST(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(sha256(std::string(1000000, 'a')) ==
             "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

BOOST_AUTO_TEST_CASE(a_stream_in_pieces_equals_the_whole) {
  sha256_stream pieces;
  pieces.update("a");
  pieces.update("");
  pieces.update("bc");
  BOOST_TEST(pieces.finish() == sha256("abc"));
}

BOOST_AUTO_TEST_CASE(a_file_hashes_as_its_bytes_over_several_reads) {
  const test::scratch_folder folder;
  const std::string text(2'500'001, 'x');
  BOOST_TEST(sha256_file(folder.write("big", text)) == sha256(text));
  BOOST_TEST(sha256_file(folder.write("empty", "")) == sha256(""));
}

BOOST_AUTO_TEST_CASE(a_missing_file_and_a_folder_are_errors) {
  const test::scratch_folder folder;
  BOOST_TEST(fails_with(status::no_input, "none", [&] { sha256_file(folder.path() / "none"); }));
  BOOST_TEST(fails_with(status::no_input, "is a folder", [&] { sha256_file(folder.path()); }));
}

BOOST_AUTO_TEST_CASE(a_pipe_is_refused_and_not_waited_for) {
  const test::scratch_folder folder;
  const auto pipe = folder.path() / "pipe";
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  BOOST_TEST(fails_with(status::no_input, "not a regular file", [&] { sha256_file(pipe); }));
}

BOOST_AUTO_TEST_CASE(xxh3_gives_its_published_values) {
  BOOST_TEST(xxh3_64("") == 0x2d06800538d394c2ull);
  BOOST_TEST(xxh3_64("abc") == 0x78af5f94892f3950ull);
}

BOOST_AUTO_TEST_SUITE_END()
