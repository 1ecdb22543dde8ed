// SPDX-License-Identifier: Apache-2.0
// depthlens plugins: every plugin file looked at, loaded, and the reason where one was refused.
#include "commands/command.hpp"

#include "plugins/registry.hpp"

#include <boost/json.hpp>

#include <iostream>

namespace depthlens {
namespace {

boost::json::object to_json(const plugin_verdict& v) {
  boost::json::object o;
  o["id"] = v.id;
  o["kind"] = v.kind;
  o["path"] = v.path.string();
  o["version"] = v.version;
  o["abi"] = v.abi_major < 0 ? "" : cat(v.abi_major, ".", v.abi_minor);
  o["verdict"] = v.ok ? "ok" : "refused";
  o["reason"] = v.reason;
  o["summary"] = v.summary;
  o["build"] = v.build;
  return o;
}

}  // namespace

int plugins_command(const arguments& args) {
  namespace po = boost::program_options;
  po::options_description d("Options");
  d.add_options()("json", po::bool_switch(), "one JSON list");
  d.add(common_options());
  const parsed_options o = parse_options(args, "usage: depthlens plugins [--json]\n", d);
  if (o.done) return 0;
  registry plugins(o.plugin_paths());
  boost::json::array list;
  for (plugin_verdict& v : plugins.files()) {
    load_plugin(v);
    list.push_back(to_json(v));
  }
  if (o.values["json"].as<bool>()) {
    std::cout << boost::json::serialize(list) << '\n';
    return 0;
  }
  for (const plugin_verdict& v : plugins.files()) {
    std::cout << (v.ok ? "ok       " : "refused  ") << v.id
              << std::string(v.id.size() < 24 ? 24 - v.id.size() : 1, ' ')
              << (v.version.empty() ? "-" : v.version) << "  " << v.path.string() << '\n';
    if (!v.reason.empty()) std::cout << "         " << v.reason << '\n';
  }
  if (plugins.files().empty()) std::cout << "no plugins found\n";
  return 0;
}

}  // namespace depthlens
