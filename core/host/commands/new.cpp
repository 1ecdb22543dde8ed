// SPDX-License-Identifier: Apache-2.0
// depthlens new: a project of one's own that builds a plugin, copied from the skeleton that was installed.
#include "commands/command.hpp"

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "process/own_prefix.hpp"

#include <algorithm>
#include <cctype>
#include <iostream>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view skeleton_name = "surprise";

void check_name(const std::string& name) {
  const auto allowed = [](unsigned char c) { return std::islower(c) || std::isdigit(c) || c == '_'; };
  constexpr std::size_t longest = 40;
  const bool good = !name.empty() && name.size() <= longest &&
                    std::islower(static_cast<unsigned char>(name[0])) &&
                    std::all_of(name.begin(), name.end(), allowed);
  if (!good)
    fail(status::usage, "the name \"", name,
         "\" is not one of an experiment: a-z first, then a-z, 0-9 and _, ", longest, " at most");
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

std::string content_of(const fs::path& file) {
  const mapped_file mapped(file);
  return {reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size()};
}

// Every file of the skeleton, under the new name and license, into a folder that is new or empty.
void copy_skeleton(const fs::path& from, const fs::path& to, const std::string& name,
                   const std::string& license) {
  std::error_code code;
  if (fs::exists(to) && !fs::is_empty(to, code))
    fail(status::cannot_create, to.string(), ": is there already, and not an empty folder");
  if (fs::create_directories(to, code); code)
    fail(status::cannot_create, to.string(), ": cannot be made: ", code.message());
  for (const fs::directory_entry& e : fs::directory_iterator(from)) {
    std::string text = replaced(content_of(e.path()), skeleton_name, name);
    text = replaced(std::move(text), "\"Apache-2.0\"", '"' + license + '"');
    text = replaced(std::move(text), "SPDX-License-Identifier: Apache-2.0",
                    "SPDX-License-Identifier: " + license);
    atomic_file out(to / replaced(e.path().filename().string(), skeleton_name, name));
    out.write(text);
    out.commit();
  }
}

void print_steps(const fs::path& to, const std::string& name) {
  const std::string at = own_prefix().string();
  std::cout << "cd '" << to.string() << "'\n"
            << "cmake -B build -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH='" << at << "'\n"
            << "cmake --build build\n"
            << "'" << at << "/bin/depthlens' plugins --plugin-path build\n"
            << "'" << at << "/bin/depthlens' run " << name << " --plugin-path build --data " << name
            << "=rows.json --out results --model M\n";
}

}  // namespace

int new_command(const arguments& args) {
  namespace po = boost::program_options;
  po::options_description d("Options");
  d.add_options()("kind", po::value<std::string>()->value_name("experiment"),
                  "what to begin (given first, without --kind)");
  d.add_options()("name", po::value<std::string>()->value_name("NAME"), "its word on the command line");
  d.add_options()("folder", po::value<std::string>()->value_name("DIR"), "a new folder");
  d.add_options()("license", po::value<std::string>()->value_name("SPDX")->default_value("NOASSERTION"),
                  "of what you write: MIT, Apache-2.0, ...");
  d.add(common_options());
  const parsed_options o = parse_options(
      args,
      "usage: depthlens new experiment NAME DIR [--license SPDX]\n\nA project of one source file, "
      "built against the installed depthlens.\n",
      d, {{"kind", 1}, {"name", 1}, {"folder", 1}});
  if (o.done) return 0;
  if (o.text("kind") != "experiment" || !o.has("name") || !o.has("folder"))
    fail(status::usage, "expected: depthlens new experiment NAME DIR");
  check_name(o.text("name"));
  const fs::path skeleton = own_prefix() / "share/depthlens/skeleton/experiment";
  if (!fs::exists(skeleton / "CMakeLists.txt") ||
      !fs::exists(own_prefix() / "include/depthlens/experiment.hpp"))
    fail(status::unavailable,
         "the headers and the skeleton are not installed beside this program: looked in ",
         own_prefix().string(),
         "; from a build tree: cmake --install BUILD --prefix PREFIX, then PREFIX/bin/depthlens new");
  copy_skeleton(skeleton, o.text("folder"), o.text("name"), o.text("license"));
  print_steps(o.text("folder"), o.text("name"));
  return 0;
}

}  // namespace depthlens
