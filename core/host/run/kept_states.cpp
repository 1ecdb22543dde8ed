// SPDX-License-Identifier: Apache-2.0
#include "run/kept_states.hpp"

#include "depthlens/base/error.hpp"
#include "process/stop_signal.hpp"
#include "results/manifest.hpp"
#include "results/output_digests.hpp"
#include "results/state_files.hpp"
#include "run/counted_run.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <set>
#include <system_error>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

const boost::json::object* noted_states(const boost::json::object& manifest, const std::string& study) {
  return object_at(object_at(&manifest, "states"), study);
}

// Does a finished run have them all?
bool are_there(const boost::json::object& manifest, const run_inputs& inputs) {
  return is_complete(manifest) &&
         std::all_of(inputs.sessions.begin(), inputs.sessions.end(), [&](const auto& s) {
           return number_at(noted_states(manifest, s->word()), "records") == s->records_wanted();
         });
}

std::uint64_t size_of(const fs::path& file) {
  std::error_code absent;
  const std::uint64_t n = fs::file_size(file, absent);
  return absent ? 0 : n;
}

// What of the states is on the disk already.
struct there {
  std::uint64_t logged = 0, in_files = 0;
};

there bytes_there(const run_inputs& inputs, const run_folder& folder) {
  there out;
  for (const auto& s : inputs.sessions) {
    out.logged += size_of(folder.states_log(s->word()));
    std::error_code absent;
    for (const auto& file : fs::directory_iterator(folder.states(s->word()), absent))
      out.in_files += size_of(file.path());
  }
  return out;
}

}  // namespace

std::string states_below(const std::string& study) { return "states/" + study + "/"; }

bool may_keep_states(run_inputs& inputs, const states_part& part, const run_folder& folder,
                     const boost::json::object& manifest) {
  if (are_there(manifest, inputs)) return true;
  const counted_states counted = count_states(inputs, part.wanted);
  if (stop_asked()) return false;
  if (counted.places == 0 && !counted.more && !part.of_a_shard)
    fail(status::usage, "--save-states: no position is read, so there is no state to keep");
  const std::uint64_t bytes = bytes_of_states(inputs.context, counted.places);
  const there now = bytes_there(inputs, folder);
  refuse_too_little_space(folder.root(), bytes - std::min(bytes, now.logged) +
                                             (part.of_a_shard ? 0 : bytes - std::min(bytes, now.in_files)));
  return true;
}

void warn_of_older_states(const std::vector<std::unique_ptr<study_session>>& sessions,
                          const boost::json::object& manifest) {
  for (const auto& s : sessions)
    if (const auto records = number_at(noted_states(manifest, s->word()), "records");
        records && *records < s->records_wanted())
      log_warning(cat(states_below(s->word()), ": of ", *records, " of ", s->records_wanted(),
                      " records; the same command with --save-states makes those of all"));
}

bool write_kept_states(const study_session& session, const record_log& log,
                       const std::vector<std::string>& altered, const fs::path& root,
                       boost::json::object& manifest) {
  const std::string below = states_below(session.word());
  const bool as_written = std::none_of(altered.begin(), altered.end(),
                                       [&](const std::string& name) { return name.starts_with(below); });
  const auto records = number_at(noted_states(manifest, session.word()), "records");
  if (as_written && records == records_with_states(session, log)) return true;
  make_folder(root / below);
  const std::string model = text_at(object_at(&manifest, "key"), "model_sha256").value_or("");
  const auto done = write_states(
      {.session = session, .log = log, .folder = root / below, .model_sha256 = model}, stop_asked());
  if (!done) return false;
  const std::vector<std::string> before = noted_outputs(manifest, below);
  forget_outputs(manifest, below);
  std::set<std::string> names;
  for (const auto& [name, digest] : done->files) {
    note_output(manifest, below + name, digest);
    names.insert(below + name);
  }
  std::error_code ignored;
  for (const std::string& name : before)  // there may have been more; run.json may have been edited
    if (!names.contains(name) && name.find('/', below.size()) == std::string::npos)
      fs::remove(root / name, ignored);
  boost::json::object about, states;
  about["records"] = done->records;
  about["rows"] = done->rows;
  states[session.word()] = std::move(about);
  merge_into(manifest, {{"states", std::move(states)}});
  log_info(cat("the states of ", done->rows, done->rows == 1 ? " place are in " : " places are in ",
               (root / below).string()));
  return true;
}

}  // namespace depthlens
