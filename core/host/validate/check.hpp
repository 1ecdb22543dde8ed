// SPDX-License-Identifier: Apache-2.0
// A check of a plugin file, and what comes of it. Each is made in a child process of its own, with a time
// limit, because the plugin is foreign code.
#pragma once

#include "plugins/library.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

enum class verdict { pass, warning, fail, crashed, skipped };
std::string_view word_of(verdict v);

struct outcome {
  verdict result = verdict::pass;
  std::string reason;  // "" where it passes
};

inline outcome passed() { return {}; }
outcome warned(std::string reason);
outcome failed(std::string reason);
outcome skipped(std::string reason);

// What is checked: the file, as judge_file found it, and what the user gives for options without a default.
struct checked_plugin {
  plugin_verdict file;
  std::map<std::string, std::string> options;
  std::filesystem::path folder;  // where a check may write
};

struct check {
  std::string_view id;              // "A1"
  std::string_view what;            // one sentence: what is so where it passes
  std::string_view kind;            // "experiment", "backend" or "" = both
  outcome (*run)(checked_plugin&);  // in a child process; throws what it likes
};

// All of them, in the order in which they are made.
std::vector<check> all_checks();
std::span<const check> library_checks();
std::span<const check> description_checks();
std::span<const check> experiment_checks();
std::span<const check> backend_checks();
std::span<const check> growth_checks();

struct child_rules {
  std::chrono::milliseconds longest{30'000};
  bool in_process = false;  // for a debugger
};

// What comes of a check in a child process: a crash, an end of the process, no return within the time, and
// words on stdout (a warning) are outcomes too.
outcome run_check(const check& c, checked_plugin& plugin, const child_rules& rules);

}  // namespace depthlens
