// SPDX-License-Identifier: Apache-2.0
// The C interface as compilers see it: its headers in every language they are for, and the place of every
// member and the value of every name in a file (tests/abi/layout-x86_64.txt), which structs may only outgrow.
// A change that is meant is noted there: DEPTHLENS_NEW_LAYOUT=FILE writes a new one. And the
// declarations of the frozen headers, which stay word for word.
#include "host/made_plugins.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

BOOST_AUTO_TEST_SUITE(abi_headers)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

const std::vector<std::string> headers = {
    "version.h",  "types.h", "plugin.h",  "host.h",         "experiment.h", "backend.h", "trainer.h",
    "jacobian.h", "names.h", "figures.h", "architecture.h", "intervene.h",  "tables.h"};

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::string without_comments(const std::string& text) {
  return std::regex_replace(text, std::regex("//[^\n]*"), "");
}

// The name that a declarator gives: the last word, or that behind "(*".
std::string name_in(const std::string& declarator) {
  std::smatch found;
  if (std::regex_search(declarator, found, std::regex(R"(\(\*(\w+)\))"))) return found[1];
  const std::string plain = std::regex_replace(declarator, std::regex(R"(\[[^\]]*\])"), "");
  if (std::regex_search(plain, found, std::regex(R"((\w+)\s*$)"))) return found[1];
  return "";
}

// Lines of C that print the layout of a struct with such a body.
std::string probe_of(const std::string& type, std::string body) {
  std::string out = "printf(\"" + type + " %zu\\n\", sizeof(" + type + "));\n";
  body = std::regex_replace(body, std::regex(R"(union \{[^}]*\})"), "union");
  std::istringstream members(body);
  for (std::string member; std::getline(members, member, ';');) {
    std::vector<std::string> declarators;
    if (member.find("(*") != std::string::npos) {
      declarators = {member};
    } else {
      std::istringstream parts(member);
      for (std::string part; std::getline(parts, part, ',');) declarators.push_back(part);
    }
    for (const std::string& d : declarators)
      if (const std::string name = name_in(d); !name.empty())
        out += "printf(\"" + type + "." + name + " %zu %zu\\n\", offsetof(" + type + ", " + name +
               "), sizeof(((" + type + "*)0)->" + name + "));\n";
  }
  return out;
}

std::string probe_source() {
  std::string includes, prints;
  for (const std::string& h : headers) {
    includes += "#include \"depthlens/abi/" + h + "\"\n";
    const std::string text = without_comments(read_bytes(include_folder() / "depthlens/abi" / h));
    const std::regex structs(R"(typedef struct \w+ \{([\s\S]*?)\n\} (\w+);)"),
        enums(R"(enum \{([\s\S]*?)\})"), value(R"((DLENS_\w+)\s*=)");
    for (std::sregex_iterator at(text.begin(), text.end(), structs), end; at != end; ++at)
      prints += probe_of((*at)[2], (*at)[1]);
    for (std::sregex_iterator at(text.begin(), text.end(), enums), end; at != end; ++at) {
      const std::string body = (*at)[1];
      for (std::sregex_iterator v(body.begin(), body.end(), value); v != end; ++v) {
        const std::string name = (*v)[1];
        prints += "printf(\"" + name + " %lld\\n\", (long long)" + name + ");\n";
      }
    }
  }
  return "#include <stdio.h>\n" + includes + "int main(void) {\n" + prints + "return 0; }\n";
}

std::string compiler(const char* variable, const char* otherwise) {
  return std::getenv(variable) != nullptr ? std::getenv(variable) : otherwise;
}

int compile(const std::string& with, const fs::path& source, const std::string& more) {
  return std::system(
      (with + " -I'" + include_folder().string() + "' " + more + " '" + source.string() + "'").c_str());
}

std::vector<std::string> layout_now() {
  const scratch_folder folder;
  const fs::path source = folder.write("probe.c", probe_source()), probe = folder.path() / "probe",
                 lines = folder.path() / "lines";
  BOOST_REQUIRE(compile(compiler("CC", "cc") + " -std=c11", source, "-o '" + probe.string() + "'") == 0);
  BOOST_REQUIRE(std::system(("'" + probe.string() + "' > '" + lines.string() + "'").c_str()) == 0);
  return split_lines(read_bytes(lines));
}

// What of `noted` is not so in `now`. A struct's own size (two words) may be larger.
std::vector<std::string> changes(const std::vector<std::string>& noted, const std::vector<std::string>& now) {
  std::vector<std::string> out;
  for (const std::string& line : noted) {
    if (std::find(now.begin(), now.end(), line) != now.end()) continue;
    const std::size_t space = line.find(' ');
    const bool is_size = line.starts_with("dlens_") && line.find('.') == std::string::npos;
    const bool larger = is_size && std::any_of(now.begin(), now.end(), [&](const std::string& other) {
                          return other.starts_with(line.substr(0, space + 1)) &&
                                 std::stoull(other.substr(space)) > std::stoull(line.substr(space));
                        });
    if (!larger) out.push_back(line);
  }
  return out;
}

// A header without its comments, cut at every line of the preprocessor, ";", ",", "{" and "}".
std::vector<std::string> pieces_of(const std::string& header) {
  std::string text;
  for (std::string line : split_lines(header)) {
    line = line.substr(0, line.find("//"));
    text += line.starts_with('#') ? ";" + line + ";" : line + " ";
  }
  text = std::regex_replace(text, std::regex("\\s+"), " ");
  std::vector<std::string> out;
  std::string piece;
  for (const char c : text + ";")
    if (std::string_view(";,{}").find(c) == std::string_view::npos) {
      piece += c;
    } else {
      piece = std::regex_replace(piece, std::regex("^ | $"), "");
      if (!piece.empty()) out.push_back(piece);
      piece.clear();
    }
  return out;
}

// The first piece of `frozen` that does not stand in `now` behind those before it; "" = all do.
std::string lost_piece(const std::vector<std::string>& frozen, const std::vector<std::string>& now) {
  auto at = now.begin();
  for (const std::string& piece : frozen) {
    at = std::find(at, now.end(), piece);
    if (at == now.end()) return piece;
    ++at;
  }
  return "";
}

fs::path noted_layout() {
  return include_folder().parent_path().parent_path() / "tests/abi/layout-x86_64.txt";
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_header_compiles_alone_as_c_and_cpp_without_a_warning_and_without_padding) {
  const scratch_folder folder;
  for (const std::string& h : headers) {
    const std::string include = "#include \"depthlens/abi/" + h + "\"\n";
    const fs::path c = folder.write("alone.c", include + "int main(void) { return 0; }\n"),
                   cpp = folder.write("alone.cpp", include + "int main() { return 0; }\n");
    const std::string strict = " -Wall -Wextra -Wpadded -pedantic -Werror -fsyntax-only -std=";
    for (const char* standard : {"c11", "c17"})
      BOOST_TEST(compile(compiler("CC", "cc") + strict + standard, c, "") == 0, h << " as " << standard);
    for (const char* standard : {"c++17", "c++20"})
      BOOST_TEST(compile(compiler("CXX", "c++") + strict + standard, cpp, "") == 0, h << " as " << standard);
  }
}

BOOST_AUTO_TEST_CASE(members_and_values_are_where_the_noted_layout_has_them) {
  const std::vector<std::string> now = layout_now();
  if (const char* file = std::getenv("DEPTHLENS_NEW_LAYOUT"); file != nullptr) {
    std::ofstream out(file);
    for (const std::string& line : now) out << line << '\n';
  }
  BOOST_TEST(now.size() > 300U);
  const std::vector<std::string> moved = changes(split_lines(read_bytes(noted_layout())), now);
  for (const std::string& line : moved) BOOST_ERROR("no longer so: " << line);
}

BOOST_AUTO_TEST_CASE(the_layout_shows_a_moved_member_another_type_a_lost_one_and_a_smaller_struct) {
  const std::vector<std::string> noted = {"dlens_a 24", "dlens_a.x 0 8", "dlens_a.y 8 8", "DLENS_ONE 1"};
  const auto shown = [&](const std::vector<std::string>& now) { return changes(noted, now).size(); };
  BOOST_TEST(shown(noted) == 0U);
  BOOST_TEST(shown({"dlens_a 32", "dlens_a.x 0 8", "dlens_a.y 8 8", "dlens_a.z 24 8", "DLENS_ONE 1"}) == 0U);
  BOOST_TEST(shown({"dlens_a 24", "dlens_a.y 0 8", "dlens_a.x 8 8", "DLENS_ONE 1"}) == 2U);
  BOOST_TEST(shown({"dlens_a 24", "dlens_a.x 0 4", "dlens_a.y 8 8", "DLENS_ONE 1"}) == 1U);
  BOOST_TEST(shown({"dlens_a 24", "dlens_a.x 0 8", "DLENS_ONE 1"}) == 1U);
  BOOST_TEST(shown({"dlens_a 16", "dlens_a.x 0 8", "dlens_a.y 8 8", "DLENS_ONE 1"}) == 1U);
  BOOST_TEST(shown({"dlens_a 24", "dlens_a.x 0 8", "dlens_a.y 8 8", "DLENS_ONE 2"}) == 1U);
}

BOOST_AUTO_TEST_CASE(every_declaration_of_the_frozen_headers_stands_where_it_did) {
  const fs::path frozen = noted_layout().parent_path() / "v1/include/depthlens/abi";
  for (const char* name : {"types.h", "plugin.h", "host.h", "names.h", "experiment.h"}) {
    const auto then = pieces_of(read_bytes(frozen / name));
    BOOST_TEST(then.size() > 10U, name);
    const std::string lost =
        lost_piece(then, pieces_of(read_bytes(include_folder() / "depthlens/abi" / name)));
    BOOST_TEST(lost.empty(), name << " no longer has, in its place: " << lost);
  }
}

BOOST_AUTO_TEST_CASE(what_changes_a_frozen_declaration_is_shown_and_what_adds_one_is_not) {
  const auto lost = [](const std::string& now) {
    return lost_piece(pieces_of("struct a {\n  const float *x;  // one\n  int y;\n};\nenum { B = 1 };\n"),
                      pieces_of(now));
  };
  BOOST_TEST(lost("struct a { const float *x; int y; int z; }; enum { B = 1, C = 2 };") == "");
  BOOST_TEST(lost("struct a { const double *x; int y; }; enum { B = 1 };") == "const float *x");
  BOOST_TEST(lost("struct a { int y; const float *x; }; enum { B = 1 };") == "int y");
  BOOST_TEST(lost("struct a { const float *x; }; enum { B = 1 };") == "int y");
  BOOST_TEST(lost("struct a { const float *x; int y; }; enum { B = 2 };") == "B = 1");
}

BOOST_AUTO_TEST_SUITE_END()
