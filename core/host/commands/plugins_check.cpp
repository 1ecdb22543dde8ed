// SPDX-License-Identifier: Apache-2.0
// depthlens plugins check, which is also the program depthlens-validate: does a plugin keep the rules of the
// interface?
#include "commands/command.hpp"

#include "validate/report.hpp"

#include <algorithm>
#include <iostream>
#include <sstream>

namespace depthlens {
namespace {

int list_checks() {
  for (const check& c : all_checks())
    std::cout << c.id << "  " << c.what << (c.kind.empty() ? "" : cat(" (", c.kind, "s)")) << '\n';
  return 0;
}

std::set<std::string, std::less<>> chosen(const std::string& text) {
  std::set<std::string, std::less<>> out;
  std::istringstream ids(text);
  const std::vector<check> all = all_checks();
  for (std::string id; std::getline(ids, id, ',');) {
    if (std::none_of(all.begin(), all.end(), [&](const check& c) { return c.id == id; }))
      fail(status::usage, "--only ", id, ": no such check; --list shows them");
    out.insert(id);
  }
  return out;
}

std::map<std::string, std::string> values_in(const std::vector<std::string>& given) {
  std::map<std::string, std::string> out;
  for (const std::string& text : given) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      fail(status::usage, "--set ", text, ": expected OPTION=VALUE, an option of the experiment");
    out[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return out;
}

}  // namespace

int check_plugins_command(const arguments& args, const std::string& name) {
  namespace po = boost::program_options;
  po::options_description d("Options");
  const auto option = [&](const char* id, const po::value_semantic* value, const char* help) {
    d.add_options()(id, value, help);
  };
  option("file", po::value<std::vector<std::string>>()->value_name("FILE"),
         "a plugin (given without --file)");
  option("set", po::value<std::vector<std::string>>()->composing()->value_name("OPTION=VALUE"),
         "of the experiment, where it has no default: a file that it reads");
  option("only", po::value<std::string>()->value_name("ID[,ID]"), "these checks alone");
  option("time", po::value<std::string>()->value_name("SECONDS")->default_value("30"),
         "the longest that a check may take");
  option("list", po::bool_switch(), "what the checks are");
  option("json", po::bool_switch(), "one JSON list");
  option("in-process", po::bool_switch(), "no child processes, for a debugger");
  d.add(common_options());
  const parsed_options o =
      parse_options(args,
                    cat("usage: ", name,
                        " FILE... [OPTION...]\n\nDoes a plugin keep the rules of the interface? Each check "
                        "is made in a process\n"
                        "of its own. Exit code 0 where all pass, warnings included, 1 where one fails.\n\n"
                        "Experiments run on small data with a model that is made up. Its tokens: 0..255\n"
                        "are bytes, 256 + b is a blank and the byte b, 512 begins every prompt.\n"),
                    d, {{"file", -1}});
  if (o.done) return 0;
  if (o.values["list"].as<bool>()) return list_checks();
  validation v;
  for (const std::string& file : o.texts("file")) v.files.emplace_back(file);
  if (v.files.empty()) fail(status::usage, "expected: ", name, " FILE...");
  v.only = chosen(o.text("only"));
  v.options = values_in(o.texts("set"));
  constexpr std::uint64_t longest = 24 * 3600;
  v.rules.longest = std::chrono::seconds(parse_number("time", o.text("time"), 1, longest));
  v.rules.in_process = o.values["in-process"].as<bool>();
  v.json = o.values["json"].as<bool>();
  return static_cast<int>(validate(v) ? status::ok : status::partial);
}

}  // namespace depthlens
