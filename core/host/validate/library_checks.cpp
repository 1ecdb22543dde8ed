// SPDX-License-Identifier: Apache-2.0
// Checks of a plugin as a shared library: its file, its entry, its table.
#include "validate/check.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/abi/experiment.h"
#include "depthlens/abi/tables.h"
#include "depthlens/base/abi_error.hpp"

#include <boost/dll/library_info.hpp>
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace depthlens {
namespace {

outcome file_is_good(checked_plugin& p) { return p.file.ok ? passed() : failed(p.file.reason); }

// The linker and the C library add some names to every shared library.
bool is_of_linker(const std::string& name) {
  static const std::vector<std::string> known = {"_init", "_fini", "_edata", "_end", "__bss_start"};
  return name.empty() || std::find(known.begin(), known.end(), name) != known.end();
}

outcome exports_one_symbol(checked_plugin& p) {
  boost::dll::library_info info(boost::dll::fs::path(p.file.path.string()), true);
  std::string others;
  for (const std::string& name : info.symbols())
    if (name != DLENS_ENTRY_SYMBOL && !is_of_linker(name)) others += (others.empty() ? "" : ", ") + name;
  if (others.empty()) return passed();
  constexpr std::size_t longest = 200;
  if (others.size() > longest) others = others.substr(0, longest) + " ...";
  return warned(cat("it also exports ", others, ": compile it with -fvisibility=hidden"));
}

dlens_entry* entry_of(const checked_plugin& p, std::string& problem) {
  void* library = ::dlopen(p.file.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    problem = ::dlerror();
    return nullptr;
  }
  return reinterpret_cast<dlens_entry*>(::dlsym(library, DLENS_ENTRY_SYMBOL));
}

outcome loads_at_once(checked_plugin& p) {
  std::string problem;
  if (entry_of(p, problem) == nullptr) return failed(problem);
  return passed();
}

outcome entry_is_quick_and_the_same(checked_plugin& p) {
  std::string problem;
  dlens_entry* entry = entry_of(p, problem);
  if (entry == nullptr) return failed(problem);
  const auto start = std::chrono::steady_clock::now();
  const dlens_plugin* first = entry();
  const auto took = std::chrono::steady_clock::now() - start;
  if (first == nullptr) return failed("its entry returns nothing");
  if (entry() != first) return failed("its entry returns another table each time");
  if (took > std::chrono::milliseconds(100)) return warned("its entry takes longer than 0.1 s");
  return passed();
}

// Loads it as the program does; null: `problem` says why it is refused.
const dlens_plugin* loaded(checked_plugin& p, std::string& problem) {
  const dlens_plugin* plugin = load_plugin(p.file);
  if (plugin == nullptr) problem = p.file.reason;
  return plugin;
}

outcome says_who_it_is(checked_plugin& p) {
  std::string problem;
  const dlens_plugin* plugin = loaded(p, problem);
  if (plugin == nullptr) return failed(problem);
  std::string missing;
  for (const auto& [name, text] : {std::pair{"version", plugin->version},
                                   {"summary", plugin->summary},
                                   {"license", plugin->license},
                                   {"build", plugin->build}})
    if (text == nullptr || *text == '\0') missing += cat(missing.empty() ? "" : ", ", name);
  return missing.empty() ? passed() : warned("it does not say its " + missing);
}

outcome offers_its_interface_alone(checked_plugin& p) {
  std::string problem;
  const dlens_plugin* plugin = loaded(p, problem);
  if (plugin == nullptr) return failed(problem);
  if (plugin->get_interface == nullptr) return failed("it offers no interface");
  if (plugin->get_interface("depthlens.no-such-interface/1") != nullptr)
    return failed("it returns a table for an interface that there is not");
  const char* own = p.file.kind == "backend"  ? DLENS_BACKEND_INTERFACE
                    : p.file.kind == "tables" ? DLENS_TABLES_INTERFACE
                                              : DLENS_EXPERIMENT_INTERFACE;
  if (plugin->get_interface(own) == nullptr) return failed(cat("it does not offer ", own));
  return passed();
}

outcome ends_cleanly(checked_plugin& p) {
  std::string problem;
  if (loaded(p, problem) == nullptr) return failed(problem);
  end_plugins();
  return passed();
}

outcome probe_gives_a_reason(checked_plugin& p) {
  std::string problem;
  const dlens_plugin* plugin = loaded(p, problem);
  if (plugin == nullptr) return failed(problem);
  const auto* table = static_cast<const dlens_backend*>(plugin->get_interface(DLENS_BACKEND_INTERFACE));
  if (table == nullptr || !DLENS_HAS(dlens_backend, table, model_create) || table->probe == nullptr ||
      table->model_create == nullptr)
    return failed("its backend table is incomplete");
  dlens_error reason{};
  reason.size = sizeof reason;
  if (table->probe(&reason) > 0) return passed();
  reason.message[sizeof reason.message - 1] = '\0';
  if (reason.message[0] == '\0') return failed("it cannot run here and gives no reason");
  return skipped(cat("it cannot run here: ", reason.message));
}

}  // namespace

std::span<const check> library_checks() {
  static constexpr check checks[] = {
      {"A1", "the file has the name, owner and permissions of a plugin and exports its entry", "",
       file_is_good},
      {"A2", "the entry is the only symbol that it exports", "", exports_one_symbol},
      {"A3", "it loads with all its symbols resolved", "", loads_at_once},
      {"A4", "its entry returns the same table every time, within 0.1 s", "", entry_is_quick_and_the_same},
      {"A5", "its table is of this interface, its id that of the file, and it starts", "", says_who_it_is},
      {"A6", "it offers its interface, and none for an id that there is not", "", offers_its_interface_alone},
      {"A7", "it ends without a crash", "", ends_cleanly},
      {"C1", "it says whether it can run here, and if not, why", "backend", probe_gives_a_reason},
  };
  return checks;
}

}  // namespace depthlens
