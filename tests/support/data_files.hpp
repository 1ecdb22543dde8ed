// SPDX-License-Identifier: Apache-2.0
// Helpers of the tests of readers and tables: files of given content in a folder of their own that is removed
// at the end, and the check that an action fails with a status and a text.
#pragma once

#include <depthlens/base/error.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace depthlens::test {

class scratch_folder {
 public:
  scratch_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "depthlens-test-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(std::string_view name, std::string_view content) const {
    const std::filesystem::path path = path_ / name;
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    BOOST_REQUIRE(file);
    return path;
  }

 private:
  std::filesystem::path path_;
};

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  BOOST_REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The action throws depthlens::error with this status, and its message has every one of the parts.
template <class Action, class... Parts>
void check_fails(Action&& action, status expected, const Parts&... parts) {
  try {
    action();
    BOOST_ERROR("no error, expected one with: " + cat(parts...));
  } catch (const error& failure) {
    const std::string_view message = failure.what();
    BOOST_TEST(static_cast<int>(failure.code()) == static_cast<int>(expected), "wrong status: " << message);
    for (const std::string_view part : {std::string_view(parts)...})
      BOOST_TEST((message.find(part) != message.npos), "\"" << part << "\" is not in: " << message);
    BOOST_TEST((message.find('\n') == message.npos), "more than one line: " << message);
  }
}

}  // namespace depthlens::test
