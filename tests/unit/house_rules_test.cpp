// SPDX-License-Identifier: Apache-2.0
// The rules of CONTRIBUTING.md that a machine can check, on every source file, without exceptions.
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

BOOST_AUTO_TEST_SUITE(house_rules)

namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_columns = 110, most_lines = 400, most_lines_of_a_function = 60;

struct source_file {
  std::string name;  // within the tree
  std::string text;
  std::vector<std::string> lines;
};

std::vector<source_file> read_sources() {
  const char* root = std::getenv("DEPTHLENS_SOURCE");
  BOOST_REQUIRE_MESSAGE(root != nullptr,
                        "DEPTHLENS_SOURCE does not name the source tree; run the tests by ctest");
  std::vector<source_file> out;
  for (const char* folder : {"core", "plugins", "experiments", "share", "tests"})
    for (const auto& item : fs::recursive_directory_iterator(fs::path(root) / folder)) {
      static constexpr std::array kinds = {".hpp", ".cpp", ".h", ".cu", ".cuh"};
      if (std::find(kinds.begin(), kinds.end(), item.path().extension()) == kinds.end()) continue;
      source_file& f = out.emplace_back();
      f.name = fs::relative(item.path(), root).string();
      f.text = depthlens::test::read_bytes(item.path());
      std::istringstream all(f.text);
      for (std::string line; std::getline(all, line);) f.lines.push_back(line);
    }
  BOOST_REQUIRE(out.size() > 200);
  return out;
}

const std::vector<source_file>& sources() {
  static const std::vector<source_file> all = read_sources();
  return all;
}

// The text with blanks for comments and for what stands in quotes; line breaks stay.
std::string bare_code(const std::string& text) {
  static const std::regex quoted(
      R"re(//[^\n]*|/\*[^]*?\*/|R"(\w*)\([^]*?\)\1"|"(\\.|[^"\\\n])*"|'(\\.|[^'\\\n])')re");
  std::string out = text;
  for (std::sregex_iterator at(text.begin(), text.end(), quoted), end; at != end; ++at)
    std::replace_if(
        out.begin() + at->position(), out.begin() + at->position() + at->length(),
        [](char c) { return c != '\n'; }, ' ');
  return out;
}

// Does a brace behind this text begin a function or a lambda?
bool begins_function(std::string_view before) {
  static const std::regex head(R"(\)\s*(const|noexcept|override|final|mutable|->[^()]*|:[^:].*|\s)*$)");
  static const std::regex control(R"(^\s*(if|for|while|switch|catch|else|do|namespace|struct|class|enum)\b)");
  return std::regex_search(before.begin(), before.end(), head) &&
         !std::regex_search(before.begin(), before.end(), control);
}

// Calls found(first line, number of lines) for every function, from the line of its brace to that of its end.
template <class Found>
void each_function(const std::string& text, const Found& found) {
  struct open_brace {
    std::size_t line;
    bool function;
  };
  const std::string code = bare_code(text);
  std::vector<open_brace> open;
  std::size_t line = 1, statement = 0;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = code[i];
    line += c == '\n';
    if (c == '{') {
      const std::string_view before = std::string_view(code).substr(statement, i - statement);
      open.push_back(
          {line, begins_function(before.substr(before.size() - std::min<std::size_t>(before.size(), 600)))});
    }
    if (c == '}' && !open.empty()) {
      if (open.back().function) found(open.back().line, line - open.back().line + 1);
      open.pop_back();
    }
    if (c == '{' || c == '}' || c == ';') statement = i + 1;
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(files_have_their_licence_at_most_400_lines_and_no_signs_beyond_ascii) {
  for (const source_file& f : sources()) {
    BOOST_TEST(f.lines.at(0).find("SPDX-License-Identifier: Apache-2.0") != std::string::npos, f.name);
    BOOST_TEST(f.lines.size() <= most_lines, f.name << " has " << f.lines.size() << " lines");
    BOOST_TEST(std::all_of(f.text.begin(), f.text.end(), [](unsigned char c) { return c < 128; }), f.name);
  }
}

BOOST_AUTO_TEST_CASE(lines_have_at_most_110_columns) {
  for (const source_file& f : sources())
    for (std::size_t i = 0; i < f.lines.size(); ++i)
      BOOST_TEST(f.lines[i].size() <= most_columns,
                 f.name << ":" << i + 1 << " has " << f.lines[i].size() << " columns");
}

BOOST_AUTO_TEST_CASE(functions_have_at_most_60_lines) {
  std::size_t functions = 0;
  for (const source_file& f : sources())
    each_function(f.text, [&](std::size_t line, std::size_t n) {
      ++functions;
      BOOST_TEST(n <= most_lines_of_a_function, f.name << ":" << line << ": a function of " << n << " lines");
    });
  BOOST_TEST(functions > 2000U);
}

// The folders, the ground first. What stands in one includes its own folder and lower floors; not its
// neighbours on the same floor.
struct floor_of_folder {
  std::string_view folder;
  int floor;
};
constexpr floor_of_folder house[] = {
    {"core/include/depthlens/abi/", 0},
    {"core/include/depthlens/base/", 1},
    {"core/include/depthlens/files/", 2},
    {"core/include/depthlens/table/", 2},
    {"core/include/depthlens/model/", 3},
    {"core/include/depthlens/data/", 3},
    {"core/include/depthlens/tokenizer/", 4},
    {"core/include/depthlens/backend/", 4},
    {"core/include/depthlens/chat/", 5},
    {"core/include/depthlens/study/", 5},
    {"core/include/depthlens/reference/", 5},
    {"core/include/depthlens/", 2},  // experiment.hpp and plugin.hpp
    {"plugins/kernels/", 6},
    {"plugins/cpu/", 7},
    {"plugins/torch/", 7},
    {"plugins/arrow/", 7},
    {"experiments/downstream/", 7},
    {"experiments/early-exit/", 7},
    {"experiments/facts/", 7},
    {"experiments/flips/", 7},
    {"experiments/freq/", 7},
    {"experiments/patching/", 7},
    {"experiments/pos/", 7},
    {"core/host/version.hpp", 10},
    {"core/host/html/", 11},
    {"core/host/terminal/", 11},
    {"core/host/process/", 11},
    {"core/host/plugins/", 12},
    {"core/host/figures/", 12},
    {"core/host/log/", 12},
    {"core/host/model/", 13},
    {"core/host/engine/", 14},
    {"core/host/results/", 15},
    {"core/host/shards/", 16},
    {"core/host/comparison/", 16},
    {"core/host/run/", 17},
    {"core/host/validate/", 17},
    {"core/host/training/", 17},
    {"core/host/report/", 18},
    {"core/host/commands/", 19},
    {"core/host/", 20},  // main
};

const floor_of_folder* place_in_house(std::string_view file) {
  const auto* found = std::find_if(std::begin(house), std::end(house),
                                   [&](const floor_of_folder& f) { return file.starts_with(f.folder); });
  return found == std::end(house) ? nullptr : found;
}

// Where a header lies that `file` includes; "" = not in this tree.
std::string included_file(const fs::path& root, const source_file& file, const std::string& header) {
  std::vector<std::string> folders = {fs::path(file.name).parent_path().string(), "core/include"};
  folders.push_back(file.name.starts_with("core/host/") ? "core/host" : "plugins");
  for (const std::string& folder : folders) {
    const fs::path found = (fs::path(folder) / header).lexically_normal();
    if (fs::exists(root / found)) return found.string();
  }
  return fs::exists(root / "core/host" / header) ? "core/host/" + header : "";
}

BOOST_AUTO_TEST_CASE(no_include_points_upward_nor_to_a_neighbour) {
  static const std::regex include("^#include [\"<]([^\">]+)[\">]");
  const fs::path root = std::getenv("DEPTHLENS_SOURCE");
  std::size_t looked_at = 0;
  for (const source_file& f : sources()) {
    if (f.name.starts_with("tests") || f.name.starts_with("share")) continue;
    const floor_of_folder* here = place_in_house(f.name);
    BOOST_TEST_REQUIRE(here, f.name << " lies in a folder that has no floor");
    for (const std::string& line : f.lines) {
      std::smatch m;
      if (!std::regex_search(line, m, include)) continue;
      const std::string header = included_file(root, f, m[1]);
      if (here->floor == 0)
        BOOST_TEST((!header.empty() || m[1] == "stddef.h" || m[1] == "stdint.h"), f.name << ": " << line);
      if (header.empty()) continue;
      ++looked_at;
      const floor_of_folder* there = place_in_house(header);
      BOOST_TEST((there == here || (there && there->floor < here->floor)), f.name << " includes " << header);
    }
  }
  BOOST_TEST(looked_at > 1000U);
}

BOOST_AUTO_TEST_SUITE_END()
