// SPDX-License-Identifier: Apache-2.0
// Plugins that tests write in C and compile at run time, good ones and bad ones, each into a folder of its
// own. A machine without a C compiler cannot run these tests, which is a failure and says so.
#pragma once

#include "depthlens/base/error.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace depthlens::test {

// What a plugin's source is made of; the defaults make a good experiment called NAME.
struct plugin_source {
  std::string entry = "dlens_entry_v1";
  std::string returned = "&plugin";
  std::string size = "sizeof(dlens_plugin)";
  std::string major = "DLENS_ABI_MAJOR", minor = "DLENS_ABI_MINOR";
  std::string least = "0, 0";  // interface of a host
  std::string id;              // "" = as the file name says
  std::string init = "0", deinit = "0";
  std::string interface = "depthlens.experiment/1", offered = "&table";
  std::string table_size = "sizeof(dlens_experiment)";
  std::string more;  // further C code before the table

  std::string text(const std::string& file_id) const {
    return "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
           "#include \"depthlens/abi/experiment.h\"\n#include \"depthlens/abi/plugin.h\"\n" +
           more + "\nstatic const dlens_experiment table = {.size = " + table_size +
           "};\n"
           "static const void* interface_of(const char* id) { return strcmp(id, \"" +
           interface + "\") == 0 ? (const void*)" + offered +
           " : 0; }\n"
           "static const dlens_plugin plugin = {" +
           size + ", " + major + ", " + minor + ", \"" + (id.empty() ? file_id : id) +
           "\", \"1.2.3\", \"made by a test\", \"Apache-2.0\", \"cc\", " + init + ", " + deinit +
           ", interface_of, " + least +
           ", 0};\n"
           "const dlens_plugin* " +
           entry + "(void) { return " + returned + "; }\n";
  }
};

// The headers that a plugin includes.
inline std::filesystem::path include_folder() {
  const char* root = std::getenv("DEPTHLENS_SOURCE");
  const std::filesystem::path here =
      std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  return (root != nullptr ? std::filesystem::path(root) : here) / "core/include";
}

class plugin_maker {
 public:
  const std::filesystem::path& path() const { return folder_.path(); }

  // Compiles FOLDER/STEM.so, e.g. "experiment-good" for the id "experiment.good".
  std::filesystem::path make(const std::string& stem, const plugin_source& source) const {
    std::string id = stem;
    if (const auto hyphen = id.find('-'); hyphen != std::string::npos) id[hyphen] = '.';
    const auto c = folder_.write(stem + ".c", source.text(id));
    const auto so = folder_.path() / (stem + ".so");
    const std::string compiler = std::getenv("CC") != nullptr ? std::getenv("CC") : "cc";
    const std::string command = compiler + " -shared -fPIC -I'" + include_folder().string() + "' -o '" +
                                so.string() + "' '" + c.string() + "'";
    BOOST_REQUIRE_MESSAGE(std::system(command.c_str()) == 0,
                          "the tests need a C compiler; this failed: " << command);
    std::filesystem::remove(c);
    return so;
  }
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    return folder_.write(name, content);
  }

 private:
  scratch_folder folder_;
};

}  // namespace depthlens::test
