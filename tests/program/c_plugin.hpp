// SPDX-License-Identifier: Apache-2.0
// Plugins that tests compile outside the program, with warnings as errors.
#pragma once

#include "program/process.hpp"

#include "host/made_plugins.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace depthlens::test {

// Compiles a source in C as FOLDER/NAME, which exports one symbol.
inline void build_c_plugin(const scratch_folder& folder, const std::filesystem::path& source,
                           const std::string& name) {
  const std::string so = folder.path() / name;
  const char* cc = std::getenv("CC") != nullptr ? std::getenv("CC") : "cc";
  const outcome built =
      run({cc, "-std=c11", "-O1", "-Wall", "-Wextra", "-pedantic", "-Werror", "-shared", "-fPIC",
           "-fvisibility=hidden", "-I" + include_folder().string(), "-o", so, source, "-lm"});
  BOOST_REQUIRE_MESSAGE(built.code == 0, built.err);
  const outcome symbols = run({"nm", "-D", "--defined-only", so});
  BOOST_TEST(lines_of(symbols.out).size() == 1U, symbols.out);
}

// Compiles the text of a source in C++ as FOLDER/NAME.
inline void build_cpp_plugin(const scratch_folder& folder, const std::string& text, const std::string& name) {
  const auto source = folder.write(name + ".cpp", text);
  const char* cxx = std::getenv("CXX") != nullptr ? std::getenv("CXX") : "c++";
  const outcome built =
      run({cxx, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
           "-I" + include_folder().string(), "-o", folder.path() / name, source});
  BOOST_REQUIRE_MESSAGE(built.code == 0, built.err);
}

}  // namespace depthlens::test
