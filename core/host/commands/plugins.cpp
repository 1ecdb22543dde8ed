// SPDX-License-Identifier: Apache-2.0
// depthlens plugins: every plugin file looked at, tried in a child process, and the reason where one is
// refused or cannot run here.
#include "commands/command.hpp"

#include "depthlens/base/text.hpp"
#include "plugins/registry.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <iostream>
#include <string>

namespace depthlens {
namespace {

// One that is loaded but cannot run is of no more use than one that is refused.
bool usable(const plugin_verdict& v) { return v.ok && v.cannot_run.empty(); }

std::string reason_of(const plugin_verdict& v) {
  return v.cannot_run.empty() ? v.reason : "cannot run here: " + v.cannot_run;
}

// That it was built for; "" = it says none.
std::string interface_of(const plugin_verdict& v) {
  return v.abi_major < 0 ? "" : cat(v.abi_major, ".", v.abi_minor);
}

boost::json::object to_json(const plugin_verdict& v) {
  boost::json::object o;
  o["id"] = v.id;
  o["kind"] = v.kind;
  o["path"] = v.path.string();
  o["version"] = v.version;
  o["abi"] = interface_of(v);
  o["verdict"] = usable(v) ? "ok" : "refused";
  o["reason"] = reason_of(v);
  o["summary"] = v.summary;
  o["build"] = v.build;
  return o;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

}  // namespace

int plugins_command(const arguments& args) {
  namespace po = boost::program_options;
  if (!args.empty() && args[0] == "check")
    return check_plugins_command({args.begin() + 1, args.end()}, "depthlens plugins check");
  po::options_description d("Options");
  d.add_options()("json", po::bool_switch(), "one JSON list");
  d.add(common_options());
  const parsed_options o = parse_options(
      args, "usage: depthlens plugins [--json]\n       depthlens plugins check FILE... (see its --help)\n",
      d);
  if (o.done) return 0;
  registry plugins(o.plugin_paths());
  boost::json::array list;
  plugins.try_all();
  for (const plugin_verdict& v : plugins.files()) list.push_back(to_json(v));
  if (o.values["json"].as<bool>()) {
    std::cout << boost::json::serialize(list) << '\n';
    return 0;
  }
  if (!plugins.files().empty()) std::cout << "verdict  plugin                  version  abi  file\n";
  for (const plugin_verdict& v : plugins.files()) {
    std::cout << (usable(v) ? "ok       " : "refused  ") << padded(v.id, 22) << "  "
              << padded(v.version.empty() ? "-" : v.version, 7) << "  "
              << padded(interface_of(v).empty() ? "-" : interface_of(v), 3) << "  " << v.path.string()
              << '\n';
    if (!usable(v)) std::cout << "         " << visible_line(reason_of(v)) << '\n';
  }
  if (plugins.files().empty()) std::cout << "no plugins found\n";
  return 0;
}

}  // namespace depthlens
