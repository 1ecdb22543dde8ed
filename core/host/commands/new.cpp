// SPDX-License-Identifier: Apache-2.0
// depthlens new: a project of one's own that builds a plugin, copied from the skeleton that was installed.
#include "commands/command.hpp"

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "process/own_prefix.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <iostream>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

// A kind of plugin, and what its skeleton is called.
struct skeleton {
  std::string_view kind, name;
};
constexpr std::array skeletons = {skeleton{"experiment", "surprise"}, skeleton{"backend", "longhand"}};

const skeleton& skeleton_of(const std::string& kind) {
  for (const skeleton& s : skeletons)
    if (s.kind == kind) return s;
  fail(status::usage, "expected: depthlens new experiment NAME DIR, or depthlens new backend NAME DIR");
}

void check_name(const std::string& name) {
  const auto allowed = [](unsigned char c) { return std::islower(c) || std::isdigit(c) || c == '_'; };
  constexpr std::size_t longest = 40;
  const bool good = !name.empty() && name.size() <= longest &&
                    std::islower(static_cast<unsigned char>(name[0])) &&
                    std::all_of(name.begin(), name.end(), allowed);
  if (!good)
    fail(status::usage, "the name \"", name, "\" is not one of a plugin: a-z first, then a-z, 0-9 and _, ",
         longest, " at most");
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
void copy_skeleton(const fs::path& from, const skeleton& what, const fs::path& to, const std::string& name,
                   const std::string& license) {
  std::error_code code;
  if (fs::exists(to) && !fs::is_empty(to, code))
    fail(status::cannot_create, to.string(), ": is there already, and not an empty folder");
  if (fs::create_directories(to, code); code)
    fail(status::cannot_create, to.string(), ": cannot be made: ", code.message());
  for (const fs::directory_entry& e : fs::directory_iterator(from)) {
    std::string text = replaced(content_of(e.path()), what.name, name);
    text = replaced(std::move(text), "\"Apache-2.0\"", '"' + license + '"');
    text = replaced(std::move(text), "SPDX-License-Identifier: Apache-2.0",
                    "SPDX-License-Identifier: " + license);
    atomic_file out(to / replaced(e.path().filename().string(), what.name, name));
    out.write(text);
    out.commit();
  }
}

// Stdout is the commands alone.
void say_where_to_read(const fs::path& to, std::string_view kind) {
  const fs::path tutorial = own_prefix() / "share/doc/depthlens/share/doc/first-experiment.md";
  log_info(cat((to / "README.md").string(), " says what to change",
               kind == "experiment" && fs::exists(tutorial)
                   ? cat("; ", tutorial.string(), " writes an experiment step by step")
                   : ""));
}

void print_steps(const fs::path& to, std::string_view kind, const std::string& name) {
  const std::string at = own_prefix().string(), own = cat("'", at, "/bin/depthlens' ");
  std::cout << "cd '" << to.string() << "'\n"
            << "cmake -B build -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH='" << at << "'\n"
            << "cmake --build build\n"
            << own << "plugins check build/" << kind << '-' << name << ".so\n";
  if (kind == "experiment")
    std::cout << own << "run " << name << " --plugin-path build --data " << name
              << "=rows.json --out results --model M\n";
  else
    std::cout << own << "trace --plugin-path build --backend " << name
              << " --prompt 'The capital of France is' --model M\n";
}

}  // namespace

int new_command(const arguments& args) {
  namespace po = boost::program_options;
  po::options_description d("Options");
  d.add_options()("kind", po::value<std::string>()->value_name("experiment|backend"),
                  "what to begin (given first, without --kind)");
  d.add_options()("name", po::value<std::string>()->value_name("NAME"), "its word on the command line");
  d.add_options()("folder", po::value<std::string>()->value_name("DIR"), "a new folder");
  d.add_options()("license", po::value<std::string>()->value_name("SPDX")->default_value("NOASSERTION"),
                  "of what you write: MIT, Apache-2.0, ...");
  d.add(common_options());
  const parsed_options o = parse_options(
      args,
      "usage: depthlens new experiment|backend NAME DIR [--license SPDX]\n\nA small project that works, "
      "built against the installed depthlens.\n",
      d, {{"kind", 1}, {"name", 1}, {"folder", 1}});
  if (o.done) return 0;
  const skeleton& what = skeleton_of(o.text("kind"));
  if (!o.has("name") || !o.has("folder"))
    fail(status::usage, "expected: depthlens new ", what.kind, " NAME DIR");
  check_name(o.text("name"));
  const fs::path from = own_prefix() / "share/depthlens/skeleton" / what.kind;
  if (!fs::exists(from / "CMakeLists.txt") || !fs::exists(own_prefix() / "include/depthlens/experiment.hpp"))
    fail(status::unavailable,
         "the headers and the skeleton are not installed beside this program: looked in ",
         own_prefix().string(),
         "; from a build tree: cmake --install BUILD --prefix PREFIX, then PREFIX/bin/depthlens new");
  copy_skeleton(from, what, o.text("folder"), o.text("name"), o.text("license"));
  print_steps(o.text("folder"), what.kind, o.text("name"));
  say_where_to_read(o.text("folder"), what.kind);
  return 0;
}

}  // namespace depthlens
