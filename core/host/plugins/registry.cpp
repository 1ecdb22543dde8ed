// SPDX-License-Identifier: Apache-2.0
#include "plugins/registry.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/nearest.hpp"
#include "depthlens/base/text.hpp"
#include "plugins/description_check.hpp"
#include "plugins/plugin_trial.hpp"
#include "process/own_prefix.hpp"
#include "process/plugin_call.hpp"
#include "terminal/log.hpp"

#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <set>
#include <sstream>
#include <system_error>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

// Beside the program; empty = there is none.
fs::path own_folder() {
  std::error_code code;
  fs::path real = fs::canonical(own_prefix() / "lib/depthlens/plugins", code);
  if (code == std::errc::not_enough_memory) throw std::bad_alloc();
  return real;
}

void add_folder(const fs::path& folder, std::string_view from, std::vector<fs::path>& out) {
  std::error_code code;
  const fs::path real = fs::canonical(folder, code);
  if (code)
    log_warning(cat(from, ": folder ", visible_line(folder.string()), " is passed over: ", code.message()));
  else if (fs::is_directory(real, code))
    out.push_back(real);
}

std::vector<fs::path> search_folders(const std::vector<fs::path>& extra, const fs::path& own) {
  std::vector<fs::path> folders;
  for (const fs::path& p : extra) {
    std::error_code code;
    const fs::file_status status = fs::status(p, code);
    if (!code && !fs::is_directory(status)) fail(status::no_input, "--plugin-path: no folder ", p.string());
    if (code && code != std::errc::too_many_symbolic_link_levels)
      fail(code == std::errc::permission_denied ? status::permission : status::no_input,
           "--plugin-path: no folder ", p.string(), ": ", code.message());
    add_folder(p, "--plugin-path", folders);
  }
  // Path variables are ignored where the program runs with more rights than its user.
  const char* variable = ::getauxval(AT_SECURE) ? nullptr : std::getenv("DEPTHLENS_PLUGIN_PATH");
  std::istringstream entries(variable ? variable : "");
  for (std::string entry; std::getline(entries, entry, ':');) {
    std::error_code code;
    const bool missing = fs::status(entry, code).type() == fs::file_type::not_found;
    if (fs::path(entry).is_absolute() && !missing) add_folder(entry, "DEPTHLENS_PLUGIN_PATH", folders);
  }
  if (!own.empty()) folders.push_back(own);
  return folders;
}

std::vector<fs::path> libraries_in(const fs::path& folder) {
  std::vector<fs::path> here;
  std::error_code code;
  for (fs::directory_iterator at(folder, code), end; !code && at != end; at.increment(code))
    if (at->path().extension() == ".so") here.push_back(at->path());
  if (code == std::errc::not_enough_memory) throw std::bad_alloc();
  if (code)
    log_warning(cat("plugin folder ", visible_line(folder.string()), " is passed over: ", code.message()));
  std::sort(here.begin(), here.end());
  return here;
}

}  // namespace

registry::registry(const std::vector<fs::path>& extra) {
  const fs::path own = own_folder();
  folders_ = search_folders(extra, own);
  std::set<std::string> seen;
  for (const fs::path& folder : folders_) {
    for (const fs::path& path : libraries_in(folder)) {
      plugin_verdict v = judge_file(path);
      v.foreign = folder != own;
      if (v.reason == link_loop) log_warning(cat("plugin ", visible_line(path.string()), ": ", v.reason));
      if (!seen.insert(v.id).second && v.ok) {
        v.ok = false;
        v.reason = "another file of that name comes first";
      }
      files_.push_back(std::move(v));
    }
  }
  give_words();
}

// Whose word is short needs its full one where that is another's full one, or an earlier one's short one.
void registry::give_words() {
  for (plugin_verdict& v : files_) {
    const auto takes = [&](const plugin_verdict& other) {
      if (&other == &v || !other.ok || other.kind != v.kind) return false;
      return other.full_word == v.word || (other.word == v.word && &other < &v);
    };
    if (v.word != v.full_word && std::any_of(files_.begin(), files_.end(), takes)) v.word = v.full_word;
  }
}

void registry::try_all() {
  std::vector<plugin_verdict*> all;
  for (plugin_verdict& v : files_) all.push_back(&v);
  try_plugins(all);
}

std::vector<std::string> registry::words(std::string_view kind) const {
  std::vector<std::string> out;
  for (const plugin_verdict& v : files_)
    if (v.ok && v.kind == kind) out.push_back(v.word);
  std::sort(out.begin(), out.end());
  return out;
}

std::string registry::list(std::string_view kind) const {
  std::string out;
  for (const std::string& w : words(kind)) out += (out.empty() ? "" : ", ") + w;
  return out.empty() ? "none" : out;
}

plugin_verdict* registry::find(std::string_view kind, std::string_view word) {
  const auto at = std::find_if(files_.begin(), files_.end(), [&](const plugin_verdict& v) {
    return v.kind == kind && (v.word == word || v.full_word == word);
  });
  return at == files_.end() ? nullptr : &*at;
}

void registry::warn_of_hidden(const plugin_verdict& taken) const {
  for (const plugin_verdict& v : files_)
    if (v.path != taken.path && v.kind == taken.kind && v.full_word == taken.full_word)
      log_warning(cat(taken.kind, " ", taken.word, " is that of ", taken.path.string(), "; it hides ",
                      v.path.string()));
}

std::string registry::folders_for_people() const {
  std::string out;
  for (const fs::path& f : folders_) out += (out.empty() ? "" : ", ") + f.string();
  return out.empty() ? "no folder" : out;
}

const void* registry::load_interface(std::string_view kind, std::string_view word, const char* interface,
                                     plugin_verdict& about) {
  plugin_verdict* v = find(kind, word);
  if (v == nullptr) {
    fail(kind == "experiment" ? status::usage : status::unavailable, "no ", kind, " \"", word, "\"",
         suggestion(word, words(kind)), "; there are: ", list(kind), " (looked for ", kind, "-", word,
         ".so in ", folders_for_people(),
         kind == "backend" ? cat("; others: --plugin-path DIR; of conda: depthlens-backend-", word) : "",
         ")");
  }
  if (::access(v->path.c_str(), R_OK) != 0)
    fail_errno(errno, file_use::read, "plugin ", v->path.string(), " was refused");
  // Those beside the program were tried when it was made.
  if (v->foreign && !v->tried) {
    trial_rules rules;
    rules.silent = true;
    try_plugins({v}, rules);
    v->tried = true;
  }
  const dlens_plugin* p = load_plugin(*v);
  if (p == nullptr) fail(status::unavailable, "plugin ", v->path.string(), " was refused: ", v->reason);
  const plugin_call call("plugin", v->path.filename().string(), "get_interface");
  const void* table = nullptr;
  try {
    if (p->get_interface != nullptr) table = p->get_interface(interface);
  } catch (const std::exception& e) {
    fail(status::unavailable, "plugin ", v->path.string(),
         ", get_interface: it throws an exception: ", e.what());
  }
  if (table == nullptr) fail(status::unavailable, "plugin ", v->path.string(), " does not offer ", interface);
  about = *v;
  return table;
}

registry::experiment registry::load_experiment(std::string_view word) {
  experiment e;
  e.table = static_cast<const dlens_experiment*>(
      load_interface("experiment", word, DLENS_EXPERIMENT_INTERFACE, e.about));
  try {
    check_experiment(*e.table);
  } catch (const error& wrong) {
    fail(status::unavailable, "plugin ", e.about.path.string(), " was refused: ", wrong.what());
  }
  warn_of_hidden(e.about);
  return e;
}

registry::backend registry::open_backend(std::string_view word) {
  backend b;
  b.table =
      static_cast<const dlens_backend*>(load_interface("backend", word, DLENS_BACKEND_INTERFACE, b.about));
  if (!DLENS_HAS(dlens_backend, b.table, model_create) || b.table->reserved != 0)
    fail(status::unavailable, "plugin ", b.about.path.string(),
         ": its backend table is too small, or of another interface");
  return b;
}

registry::backend registry::load_backend(std::string_view word) {
  backend b = open_backend(word);
  dlens_error reason{};
  reason.size = sizeof reason;
  const plugin_call call("backend", word, "probe");
  if (b.table->probe(&reason) == 0)
    fail(status::unavailable, "backend ", word, " cannot run here: ", reason.message);
  warn_of_hidden(b.about);
  return b;
}

// The best first; of equal ones the first by name.
std::vector<registry::backend> registry::backends_by_score(std::vector<passed_over>& others) {
  std::vector<std::pair<std::uint32_t, backend>> scored;
  for (const std::string& word : words("backend")) {
    try {
      backend b = open_backend(word);
      dlens_error reason{};
      reason.size = sizeof reason;
      const plugin_call call("backend", word, "probe");
      if (const std::uint32_t score = b.table->probe(&reason); score > 0) {
        scored.emplace_back(score, std::move(b));
        continue;
      }
      const bool mendable = reason.code != DLENS_OK && reason.code != DLENS_UNAVAILABLE;
      others.push_back({word, cat("backend ", word, " cannot run here: ", reason.message),
                        mendable ? reason.message : ""});
    } catch (const error& e) {
      others.push_back({word, e.what(), ""});
    }
  }
  std::stable_sort(scored.begin(), scored.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<backend> out;
  for (auto& [score, b] : scored) out.push_back(std::move(b));
  return out;
}

registry::backend registry::choose_backend(std::string_view word_or_auto) {
  if (word_or_auto != "auto") return load_backend(word_or_auto);
  std::vector<passed_over> others;
  std::vector<backend> usable = backends_by_score(others);
  std::string reasons;
  for (const passed_over& o : others) {
    reasons += "; " + o.reason;
    if (!o.to_mend.empty()) log_warning(cat("backend ", o.word, " is passed over: ", o.to_mend));
  }
  if (usable.empty())
    fail(status::unavailable, "no backend can run here; there are: ", list("backend"), reasons);
  warn_of_hidden(usable.front().about);
  return std::move(usable.front());
}

std::vector<registry::backend> registry::usable_backends() {
  std::vector<passed_over> others;
  std::vector<backend> usable = backends_by_score(others);
  for (const passed_over& o : others) log_info(cat("backend ", o.word, " is left aside: ", o.reason));
  return usable;
}

registry::table_writer registry::load_table_writer(std::string_view form) {
  if (const auto at = writers_.find(form); at != writers_.end()) return at->second;
  std::string reasons;
  for (const plugin_verdict& v : files_)
    if (v.kind == "tables" && !v.ok) reasons += cat("; ", v.path.string(), ": ", v.reason);
  for (const std::string& word : words("tables")) {
    try {
      table_writer w;
      w.table =
          static_cast<const dlens_tables*>(load_interface("tables", word, DLENS_TABLES_INTERFACE, w.about));
      if (!DLENS_HAS(dlens_tables, w.table, write) || w.table->reserved != 0 || w.table->forms == nullptr)
        fail(status::unavailable, "plugin ", w.about.path.string(),
             ": its table is too small, or of another interface");
      const char* const* f = w.table->forms;
      while (*f != nullptr && *f != form) ++f;
      if (*f == nullptr) continue;
      warn_of_hidden(w.about);
      return writers_.emplace(form, w).first->second;
    } catch (const error& e) {
      reasons += cat("; ", e.what());
    }
  }
  fail(status::unavailable, "tables cannot be written as ", form,
       ": there is no plugin that does (tables-NAME.so in ", folders_for_people(), ")", reasons,
       "; get Arrow by share/get-arrow.sh and build depthlens with ",
       "-DDEPTHLENS_ARROW=ON, or install depthlens-tables-arrow of conda");
}

}  // namespace depthlens
