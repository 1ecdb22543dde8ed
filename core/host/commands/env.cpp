// SPDX-License-Identifier: Apache-2.0
// depthlens env: what to paste into a bug report.
#include "commands/command.hpp"

#include "depthlens/abi/version.h"
#include "figures/draw.hpp"
#include "model/memory_budget.hpp"
#include "plugins/registry.hpp"
#include "version.hpp"

#include <boost/json.hpp>
#include <boost/version.hpp>
#include <tbb/version.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <thread>

namespace depthlens {
namespace {

std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string variable(const char* name) {
  const char* v = std::getenv(name);
  return v ? v : "";
}

}  // namespace

int env_command(const arguments& args) {
  namespace po = boost::program_options;
  po::options_description d("Options");
  d.add_options()("json", po::bool_switch(), "JSON");
  d.add(common_options());
  const parsed_options o = parse_options(args, "usage: depthlens env [--json]\n", d);
  if (o.done) return 0;
  boost::json::object out;
  out["depthlens"] = DEPTHLENS_VERSION;
  out["plugin interface"] = cat(DLENS_ABI_MAJOR, ".", DLENS_ABI_MINOR);
  out["compiler"] = __VERSION__;
  out["boost"] = cat(BOOST_VERSION / 100000, ".", BOOST_VERSION / 100 % 1000);
  out["tbb"] = TBB_runtime_version();
  utsname system{};
  ::uname(&system);
  out["system"] = cat(system.sysname, ' ', system.release, ' ', system.machine);
  out["cpu"] = cpu_name();
  out["threads"] = thread_count(o);
  const std::vector<memory_bound> bounds = memory_bounds(thread_count(o));
  for (const memory_bound& b : bounds) out["memory, " + b.source] = memory_words(b.bytes);
  const granted_memory may_take = grant(default_memory(), bounds);
  out["memory budget"] = cat(memory_words(may_take.bytes), " (", may_take.source, ")");
  const gnuplot_verdict gnuplot = check_gnuplot();
  out["gnuplot"] = gnuplot.state == gnuplot_state::usable   ? "found"
                   : gnuplot.state == gnuplot_state::absent ? "not found"
                                                            : gnuplot.words;
  for (const char* name :
       {"DEPTHLENS_PLUGIN_PATH", "DEPTHLENS_LIBTORCH", "HF_HOME", "HF_HUB_CACHE", "SLURM_CPUS_PER_TASK",
        "OMP_NUM_THREADS", "DEPTHLENS_MEMORY", "DEPTHLENS_DEVICE_MEMORY"})
    if (!variable(name).empty()) out[name] = variable(name);
  registry plugins(o.plugin_paths());
  plugins.try_all();
  for (const plugin_verdict& v : plugins.files()) {
    const std::string about = v.ok ? cat(v.version, " ", v.path.string()) : cat("refused: ", v.reason);
    out["plugin " + v.id] = about + (v.cannot_run.empty() ? "" : cat("; cannot run here: ", v.cannot_run));
  }
  if (o.values["json"].as<bool>()) {
    std::cout << boost::json::serialize(out) << '\n';
    return 0;
  }
  for (const auto& [key, value] : out)
    std::cout << key << ": "
              << (value.is_string() ? std::string(value.get_string()) : boost::json::serialize(value))
              << '\n';
  return 0;
}

}  // namespace depthlens
