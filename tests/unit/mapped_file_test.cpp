// SPDX-License-Identifier: Apache-2.0
// Mapping files and reading little-endian values out of bytes.
#include "depthlens/base/mapped_file.hpp"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "support/model_bytes.hpp"

using namespace depthlens;
using depthlens::test::fails_with;

BOOST_AUTO_TEST_SUITE(mapped_file_and_cursor)

BOOST_AUTO_TEST_CASE(a_file_is_mapped_with_its_bytes) {
  const test::scratch_folder folder;
  const mapped_file file(folder.write("f", "hello"));
  BOOST_TEST(file.size() == 5u);
  BOOST_TEST(std::string(reinterpret_cast<const char*>(file.bytes().data()), file.size()) == "hello");
}

BOOST_AUTO_TEST_CASE(moving_keeps_the_address_of_the_bytes) {
  const test::scratch_folder folder;
  mapped_file a(folder.write("f", "hello"));
  const std::byte* at = a.bytes().data();
  mapped_file b(std::move(a));
  BOOST_TEST(b.bytes().data() == at);
  a = std::move(b);
  BOOST_TEST(a.bytes().data() == at);
  BOOST_TEST(a.size() == 5u);
}

BOOST_AUTO_TEST_CASE(a_file_that_was_replaced_removed_or_written_to_since_is_told) {
  const test::scratch_folder folder;
  const std::string path = folder.write("f", "hello").string();
  const auto changed = [](const mapped_file& file) {
    return fails_with(status::io, "was replaced, removed or written to", [&] { file.require_unchanged(); });
  };
  const mapped_file first(path);
  first.require_unchanged();
  std::filesystem::rename(folder.write("other", "hullo"), path);
  BOOST_TEST(changed(first));
  const mapped_file second(path);
  std::ofstream(path, std::ios::app) << '!';
  BOOST_TEST(changed(second));
  mapped_file third(path);
  const mapped_file moved(std::move(third));
  moved.require_unchanged();
  std::filesystem::remove(path);
  BOOST_TEST(changed(moved));
}

// Kilobytes of the mapping that begins at `at` which are in memory.
std::size_t resident(const std::byte* at) {
  std::ostringstream address;
  address << std::hex << reinterpret_cast<std::uintptr_t>(at) << '-';
  std::ifstream maps("/proc/self/smaps");
  for (std::string line; std::getline(maps, line);) {
    if (!line.starts_with(address.str())) continue;
    while (std::getline(maps, line) && !line.starts_with("Rss:")) {
    }
    return std::stoul(line.substr(4));
  }
  return 0;
}

boost::test_tools::assertion_result with_page_counts(boost::unit_test::test_unit_id) {
  const std::string maps = test::read_bytes("/proc/self/smaps");
  boost::test_tools::assertion_result counted(maps.find("Rss:") != std::string::npos);
  if (!counted) counted.message() << "this kernel does not say which pages of a mapping are in memory";
  return counted;
}

BOOST_AUTO_TEST_CASE(forgotten_pages_take_no_memory_and_are_read_again,
                     *boost::unit_test::precondition(with_page_counts)) {
  const test::scratch_folder folder;
  const std::string text(1u << 20, 'x');
  const mapped_file file(folder.write("f", text));
  const auto as_written = [&] {
    return std::string_view(reinterpret_cast<const char*>(file.bytes().data()), file.size()) == text;
  };
  BOOST_TEST(as_written());
  BOOST_TEST(resident(file.bytes().data()) >= 1024u);
  file.forget_pages();
  BOOST_TEST(resident(file.bytes().data()) == 0u);
  BOOST_TEST(as_written());
  mapped_file().forget_pages();
}

BOOST_AUTO_TEST_CASE(an_empty_file_has_no_bytes) {
  const test::scratch_folder folder;
  BOOST_TEST(mapped_file(folder.write("f", "")).bytes().empty());
}

BOOST_AUTO_TEST_CASE(missing_files_folders_and_pipes_are_refused_with_their_path) {
  const test::scratch_folder folder;
  const auto pipe = folder.path() / "pipe";
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  BOOST_TEST(fails_with(status::no_input, "/none", [&] { mapped_file(folder.path() / "none"); }));
  BOOST_TEST(fails_with(status::data, "is a folder", [&] { mapped_file{folder.path()}; }));
  BOOST_TEST(fails_with(status::data, "not a regular file", [&] { mapped_file{pipe}; }));
}

BOOST_AUTO_TEST_CASE(what_git_lfs_leaves_in_place_of_a_file_is_told_as_that) {
  const test::scratch_folder folder;
  const auto file = folder.write(
      "model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 2200119864\n");
  BOOST_TEST(fails_with(status::data, "model.safetensors: is a git-lfs pointer", [&] { mapped_file{file}; }));
  BOOST_TEST(fails_with(status::data, "git lfs pull", [&] { mapped_file{file}; }));
  BOOST_CHECK_NO_THROW(mapped_file(folder.write("text", "version https://git-lfs.example\n")));
}

BOOST_AUTO_TEST_CASE(link_loops_and_long_names_are_told_as_such) {
  const test::scratch_folder folder;
  const auto loop = folder.path() / "loop";
  std::filesystem::create_symlink("loop", loop);
  BOOST_TEST(fails_with(status::no_input, "a link that leads back to itself", [&] { mapped_file{loop}; }));
  const auto longest = folder.path() / std::string(300, 'x');
  BOOST_TEST(fails_with(status::no_input, "File name too long", [&] { mapped_file{longest}; }));
  BOOST_TEST(fails_with(status::no_input, "a link that leads back to itself", [&] { input_exists(loop); }));
  BOOST_TEST(!input_exists(folder.path() / "none"));
}

BOOST_AUTO_TEST_CASE(an_errno_has_the_status_that_fits_its_use) {
  BOOST_TEST((status_of_errno(EACCES, file_use::read) == status::permission));
  BOOST_TEST((status_of_errno(EPERM, file_use::create) == status::permission));
  BOOST_TEST((status_of_errno(ENOENT, file_use::read) == status::no_input));
  BOOST_TEST((status_of_errno(ELOOP, file_use::create) == status::cannot_create));
  BOOST_TEST((status_of_errno(ENAMETOOLONG, file_use::create) == status::cannot_create));
  BOOST_TEST((status_of_errno(EROFS, file_use::create) == status::cannot_create));
  BOOST_TEST((status_of_errno(ENOSPC, file_use::create) == status::io));
  BOOST_TEST((status_of_errno(EIO, file_use::read) == status::io));
}

BOOST_AUTO_TEST_CASE(the_cursor_reads_every_type_in_order) {
  test::byte_writer w;
  w.put(std::uint8_t{1}).put(std::uint16_t{2}).put(std::uint32_t{3}).put(std::uint64_t{4}).put(1.5f).put(2.5);
  w.string("text");
  byte_cursor in(w.bytes(), "f");
  BOOST_TEST(in.u8("a") == 1);
  BOOST_TEST(in.u16("a") == 2);
  BOOST_TEST(in.u32("a") == 3u);
  BOOST_TEST(in.u64("a") == 4u);
  BOOST_TEST(in.f32("a") == 1.5f);
  BOOST_TEST(in.f64("a") == 2.5);
  BOOST_TEST(in.string("a") == "text");
  BOOST_TEST(in.remaining() == 0u);
}

BOOST_AUTO_TEST_CASE(reading_past_the_end_names_file_offset_and_what_was_read) {
  test::byte_writer w;
  w.put(std::uint32_t{7}).put(std::uint8_t{1});
  byte_cursor in(w.bytes(), "model.x");
  in.u32("first");
  BOOST_TEST(fails_with(status::data, "model.x: offset 4: the count needs 8 bytes, but 1 are left",
                        [&] { in.u64("the count"); }));
}

BOOST_AUTO_TEST_CASE(string_lengths_are_checked_before_they_are_used) {
  test::byte_writer w;
  w.put(std::numeric_limits<std::uint64_t>::max()).raw("abc");
  BOOST_TEST(fails_with(status::data, "are left", [&] { byte_cursor(w.bytes(), "f").string("a name"); }));
  test::byte_writer capped;
  capped.string("abcdef");
  BOOST_TEST(
      fails_with(status::data, "at most 5", [&] { byte_cursor(capped.bytes(), "f").string("a name", 5); }));
}

BOOST_AUTO_TEST_SUITE_END()
