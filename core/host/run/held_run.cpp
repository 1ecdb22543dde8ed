// SPDX-License-Identifier: Apache-2.0
#include "run/held_run.hpp"

#include "results/folder_owner.hpp"
#include "results/output_digests.hpp"
#include "run/listed_outputs.hpp"
#include "run/run_key.hpp"
#include "run/shard_run.hpp"
#include "terminal/log.hpp"
#include "version.hpp"

#include <filesystem>
#include <utility>

namespace depthlens {
namespace {

// Opens the folder for this process alone, once nothing is in the way of a run there.
run_folder open_folder(const run_inputs& inputs, const lock_timing& timing) {
  const std::filesystem::path& out = inputs.request.out;
  if (inputs.request.fresh) {
    refuse_inputs_within(out, inputs.files_read());
    refuse_running_shards(out);
    if (const std::filesystem::path old = move_aside(out); !old.empty())
      log_info(cat("the former run is now ", old.string()));
  }
  if (std::filesystem::exists(out / "run.json")) refuse_foreign_folder(out, "cannot become that of a run");
  return run_folder(out, timing);
}

// All commands that made the run, each once, in the order in which they were given last: by the words of
// their experiments, with a number from the second of the same words on.
boost::json::object with_command(const boost::json::object* before, const std::string& words,
                                 const typed_command& command) {
  const boost::json::value mine = to_json(command);
  boost::json::object out;
  const auto add = [&](const std::string& name, const boost::json::value& one) {
    std::string free = name;
    for (int n = 2; out.contains(free); ++n) free = cat(name, " (", n, ")");
    out[free] = one;
  };
  if (before != nullptr)
    for (const auto& [name, one] : *before)
      if (one != mine) add(std::string(name.substr(0, name.find(" ("))), one);
  add(words, mine);
  return out;
}

}  // namespace

held_run::held_run(const run_inputs& inputs, run_state& state, const lock_timing& timing)
    : state_(state), folder_(open_folder(inputs, timing)) {
  manifest_ = manifest::read(folder_.manifest());
  if (manifest_.empty()) refuse_unlisted_files(folder_);
  check_file_names(inputs.sessions, inputs.context);
  state_.set_folder(&folder_);  // last, as no destructor takes it back where this throws
}

void held_run::refuse(const boost::json::object& key) const {
  refuse_other_key(manifest_, key, folder_.root(), "run of another configuration");
}

void held_run::refuse_other_configuration(const run_inputs& inputs, const std::string& backend) const {
  refuse(make_run_key(inputs, backend));
}

void held_run::take_configuration(const run_inputs& inputs, const std::string& backend,
                                  const std::string& means_sha256) {
  boost::json::object key = make_run_key(inputs, backend);
  if (!means_sha256.empty()) key["null_mean"] = means_sha256;
  refuse(key);
  boost::json::object now = describe_run(inputs.request, inputs.model);
  now["lenses"] = inputs.lenses.describe();
  now["depthlens"] = DEPTHLENS_VERSION;
  now["format"] = manifest::format;
  now["key"] = std::move(key);
  std::string words;
  for (const study_plan& s : inputs.request.studies) words += (words.empty() ? "" : "+") + s.word;
  now["commands"] = with_command(object_at(&fields(), "commands"), words, inputs.request.command);
  fields().erase("commands");
  model_renamed_ = model_name_in(fields()) != inputs.model.name;
  merge_into(fields(), now);
  if (model_renamed_) forget_outputs(fields(), "plots/");  // their titles
}

bool held_run::is_new() const { return !std::filesystem::exists(folder_.manifest()); }

void held_run::save(const char* status) {
  fields()["status"] = status;
  state_.save(manifest_);
}

}  // namespace depthlens
