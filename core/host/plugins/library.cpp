// SPDX-License-Identifier: Apache-2.0
#include "plugins/library.hpp"

#include "depthlens/abi/host.h"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/io_error.hpp"
#include "plugins/progress_service.hpp"
#include "plugins/threads_service.hpp"
#include "process/plugin_call.hpp"
#include "process/stop_signal.hpp"
#include "terminal/log.hpp"
#include "version.hpp"

#include <boost/dll/library_info.hpp>
#include <boost/dll/shared_library.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <map>
#include <new>
#include <utility>
#include <vector>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

// Someone else who can write the file, or put another in its place, could run code as this user.
std::string owner_problem(const fs::path& path, const struct stat& info) {
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) return cat(path.string(), " belongs to another user");
  const bool sticky = (info.st_mode & S_ISVTX) != 0;
  if (!S_ISLNK(info.st_mode) && (info.st_mode & S_IWOTH) != 0 && !sticky)
    return cat(path.string(), " can be written by everyone");
  return "";
}

// Of the file and its folder; of a link also of all that it leads to.
std::string permission_problem(const fs::path& path) {
  constexpr int most_links = 40;  // as many as Linux follows
  fs::path at = path;
  for (int links = 0; links <= most_links; ++links) {
    struct stat info {};
    const fs::path folder = at.parent_path();
    if (::stat(folder.c_str(), &info) != 0) return cat(folder.string(), " cannot be read");
    if (std::string problem = owner_problem(folder, info); !problem.empty()) return problem;
    if (::lstat(at.c_str(), &info) != 0) return cat(at.string(), " cannot be read");
    if (std::string problem = owner_problem(at, info); !problem.empty()) return problem;
    std::error_code code;
    if (!S_ISLNK(info.st_mode)) {
      // Links of folders on the way may hide others that can be written.
      const fs::path real = fs::canonical(at, code);
      if (code) return cat(at.string(), " cannot be read: ", code.message());
      return real == at ? "" : permission_problem(real);
    }
    const fs::path target = fs::read_symlink(at, code);
    if (code) return cat(at.string(), " cannot be read: ", code.message());
    at = (folder / target).lexically_normal();
  }
  return std::string(link_loop);
}

// "" = it is a file.
std::string file_problem(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (code == std::errc::too_many_symbolic_link_levels) return std::string(link_loop);
  if (code == std::errc::no_such_file_or_directory) return "a link to a file that is not there";
  if (code) return cat("cannot be read: ", code.message());
  return fs::is_regular_file(status) ? "" : "not a file";
}

std::string export_problem(const std::filesystem::path& path) {
  char magic[4] = {};
  std::ifstream file(path, std::ios::binary);
  if (!file) return cat("cannot be read: ", errno_text(errno));
  file.read(magic, 4);
  if (std::string_view(magic, 4) !=
      "\x7f"
      "ELF")
    return "not a shared library (no ELF header)";
  try {
    boost::dll::library_info info(boost::dll::fs::path(path.string()), true);
    const std::vector<std::string> symbols = info.symbols();
    const auto exports = [&](std::string_view s) {
      return std::find(symbols.begin(), symbols.end(), s) != symbols.end();
    };
    if (exports(DLENS_ENTRY_SYMBOL)) return "";
    if (exports("dlens_entry_v2")) return "made for depthlens 2; this is depthlens " DEPTHLENS_VERSION;
    return "not a depthlens plugin: it does not export " DLENS_ENTRY_SYMBOL;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    return "a damaged shared library: its symbol table cannot be read";
  }
}

void write_log(const dlens_host*, std::int32_t level, dlens_text message) {
  if (level == DLENS_LOG_WARNING)
    log_warning(to_view(message));
  else
    log_info(to_view(message));
}

// Libraries stay loaded until the process ends: their threads and static objects may outlive any unload.
boost::dll::shared_library& keep(boost::dll::shared_library library) {
  static auto* kept = new std::deque<boost::dll::shared_library>();
  return kept->emplace_back(std::move(library));
}

std::map<std::filesystem::path, const dlens_plugin*>& loaded() {
  static auto* plugins = new std::map<std::filesystem::path, const dlens_plugin*>();
  return *plugins;
}

const dlens_plugin* entry_of(const std::filesystem::path& path, std::string& reason) {
  try {
    namespace mode = boost::dll::load_mode;
    const boost::dll::shared_library& library = keep(
        boost::dll::shared_library(boost::dll::fs::path(path.string()), mode::rtld_now | mode::rtld_local));
    return library.get<dlens_entry>(DLENS_ENTRY_SYMBOL)();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {
    reason = cat("cannot be loaded: ", e.what());
    return nullptr;
  }
}

// Without ".so".
std::string file_name_of(std::string id) {
  std::replace(id.begin(), id.end(), '.', '-');
  return id;
}

std::string contract_problem(const dlens_plugin* p, const std::string& id) {
  if (p == nullptr) return "its entry returned nothing";
  if (!DLENS_HAS(dlens_plugin, p, reserved)) return "its entry table is too small for this interface";
  if (p->abi_major != DLENS_ABI_MAJOR)
    return cat("made for interface ", p->abi_major, ".", p->abi_minor, ", this program takes ",
               DLENS_ABI_MAJOR, ".x: rebuild it");
  if (p->reserved != 0) return cat("has ", p->reserved, " in a reserved place, which must be 0");
  const auto least = std::pair(p->least_major, p->least_minor);
  if (least > std::pair<std::uint16_t, std::uint16_t>(DLENS_ABI_MAJOR, DLENS_ABI_MINOR))
    return cat("needs interface ", p->least_major, ".", p->least_minor, " at least; this program has ",
               DLENS_ABI_MAJOR, ".", DLENS_ABI_MINOR);
  if (p->id == nullptr || file_name_of(p->id) != file_name_of(id))
    return cat("calls itself ", p->id ? p->id : "(nothing)", ", not ", id);
  return "";
}

void describe(plugin_verdict& v, const dlens_plugin& p) {
  v.abi_major = p.abi_major;
  v.abi_minor = p.abi_minor;
  if (p.id) v.id = p.id;
  if (p.version) v.version = p.version;
  if (p.summary) v.summary = p.summary;
  if (p.build) v.build = p.build;
}

}  // namespace

const dlens_host* plugin_host() {
  static const dlens_host host = {
      .size = sizeof(dlens_host),
      .abi_major = DLENS_ABI_MAJOR,
      .abi_minor = DLENS_ABI_MINOR,
      .name = "depthlens",
      .version = DEPTHLENS_VERSION,
      .self = nullptr,
      .log = &write_log,
      .should_stop = [](const dlens_host*) -> std::uint32_t { return stop_asked() ? 1 : 0; },
      .get_extension = [](const dlens_host*, const char* id) -> const void* {
        const std::string_view asked = id != nullptr ? id : "";
        if (asked == DLENS_THREADS_SERVICE) return threads_service();
        if (asked == DLENS_PROGRESS_SERVICE) return progress_service();
        return nullptr;
      }};
  return &host;
}

plugin_verdict judge_file(const std::filesystem::path& path) {
  plugin_verdict v;
  v.path = path;
  const std::string stem = path.stem().string();
  const auto hyphen = stem.find('-');
  v.kind = stem.substr(0, hyphen);
  const bool known = v.kind == "backend" || v.kind == "experiment" || v.kind == "tables";
  if (hyphen == std::string::npos || !known) {
    v.kind.clear();
    v.id = stem;
    v.reason = "its name is not backend-NAME.so, experiment-NAME.so or tables-NAME.so";
    return v;
  }
  v.id = cat(v.kind, ".", stem.substr(hyphen + 1));
  v.word = v.id.substr(v.id.rfind('.') + 1);
  v.full_word = stem.substr(hyphen + 1);
  std::replace(v.full_word.begin(), v.full_word.end(), '.', '-');
  v.reason = file_problem(path);
  if (v.reason.empty()) v.reason = permission_problem(path);
  if (v.reason.empty()) v.reason = export_problem(path);
  v.ok = v.reason.empty();
  return v;
}

const dlens_plugin* load_plugin(plugin_verdict& v) {
  if (!v.ok) return nullptr;
  if (const auto at = loaded().find(v.path); at != loaded().end()) {
    describe(v, *at->second);
    return at->second;
  }
  const plugin_call call("plugin", v.path.filename().string(), "loading");
  const dlens_plugin* p = entry_of(v.path, v.reason);
  if (v.reason.empty()) v.reason = contract_problem(p, v.id);
  if (p != nullptr && DLENS_HAS(dlens_plugin, p, reserved)) describe(v, *p);
  if (v.reason.empty() && p->init != nullptr) {
    try {
      checked_call(p->init, plugin_host(), v.path.c_str());
    } catch (const error& e) {
      v.reason = cat("refuses to start: ", e.what());
    }
  }
  v.ok = v.reason.empty();
  if (!v.ok) return nullptr;
  loaded().emplace(v.path, p);
  return p;
}

void end_plugins() {
  for (auto at = loaded().rbegin(); at != loaded().rend(); ++at)
    if (at->second->deinit != nullptr) {
      const plugin_call call("plugin", at->first.filename().string(), "deinit");
      at->second->deinit();
    }
  loaded().clear();
}

}  // namespace depthlens
