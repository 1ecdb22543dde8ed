// SPDX-License-Identifier: Apache-2.0
#include "validate/report.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/text.hpp"
#include "process/temporary_folder.hpp"

#include <boost/json.hpp>

#include <iostream>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

void print(const check& c, const outcome& o) {
  std::cout << "  " << c.id << "  " << word_of(o.result) << std::string(9 - word_of(o.result).size(), ' ')
            << c.what << '\n';
  if (!o.reason.empty()) std::cout << "      " << visible_line(o.reason) << '\n';
}

bool is_bad(const outcome& o) { return o.result == verdict::fail || o.result == verdict::crashed; }

}  // namespace

bool validate(const validation& v) {
  boost::json::array list;
  bool good = true;
  for (const fs::path& file : v.files) {
    if (!input_exists(file)) fail(status::no_input, file.string(), ": no such file");
    const temporary_folder folder("check");
    boost::json::array results;
    const plugin_verdict judged = judge_file(fs::canonical(file));
    if (!v.json) std::cout << judged.path.string() << '\n';
    bool usable = true;
    for (const check& c : all_checks()) {
      if (!v.only.empty() && !v.only.contains(c.id)) continue;
      if (!c.kind.empty() && c.kind != judged.kind) continue;
      checked_plugin plugin{judged, v.options, folder.path() / std::string(c.id)};
      fs::create_directories(plugin.folder);
      const outcome o = usable ? run_check(c, plugin, v.rules) : skipped("an earlier check failed");
      // What follows is about plugins that can be loaded.
      if (is_bad(o) && c.id.starts_with('A') && c.id != "A7") usable = false;
      good = good && !is_bad(o);
      if (!v.json) print(c, o);
      results.push_back(
          {{"id", c.id}, {"what", c.what}, {"verdict", word_of(o.result)}, {"reason", o.reason}});
    }
    list.push_back({{"path", judged.path.string()}, {"id", judged.id}, {"checks", std::move(results)}});
  }
  if (v.json) std::cout << boost::json::serialize(list) << '\n';
  return good;
}

}  // namespace depthlens
