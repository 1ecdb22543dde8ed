// SPDX-License-Identifier: Apache-2.0
// One plugin file: judged before any of its code runs, loaded with RTLD_NOW | RTLD_LOCAL by absolute path,
// never unloaded.
#pragma once

#include "depthlens/abi/host.h"
#include "depthlens/abi/plugin.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace depthlens {

// What is known of a file that looks like a plugin.
struct plugin_verdict {
  std::string id;    // "experiment.flips", from the file name
  std::string kind;  // "backend" | "experiment" | "tables" | "" for other names
  // The word of the command line: what follows the last dot of the id, or full_word where another has that.
  std::string word;
  std::string full_word;  // all that follows the kind, with "-" for "."
  std::filesystem::path path;
  std::string version, summary, build;
  int abi_major = -1, abi_minor = -1;
  bool ok = false;
  std::string reason;      // why it was refused
  std::string cannot_run;  // of a backend that was tried: why it cannot run here
  bool foreign = false;    // not one of those beside the program
  bool tried = false;      // in a child process
};

// The reason of a file that is a link to itself, by way of others too.
inline constexpr std::string_view link_loop = "a loop of links";

// What plugins get at init; valid until the process ends.
const dlens_host* plugin_host();

// Judges the file by its name, owner, permissions and exported symbols, without running its code.
plugin_verdict judge_file(const std::filesystem::path& path);

// Loads a file that was judged ok and checks what its entry says; on refusal verdict.ok is false and nullptr
// is returned. Initialises the plugin. Calling it again for the same path returns the same plugin.
const dlens_plugin* load_plugin(plugin_verdict& verdict);

// Calls deinit of every loaded plugin, newest first.
void end_plugins();

}  // namespace depthlens
