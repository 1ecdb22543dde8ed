// SPDX-License-Identifier: Apache-2.0
#include "run/held_run.hpp"

#include "results/folder_owner.hpp"
#include "results/output_digests.hpp"
#include "run/listed_outputs.hpp"
#include "run/run_key.hpp"
#include "terminal/log.hpp"
#include "version.hpp"

#include <filesystem>
#include <utility>

namespace depthlens {
namespace {

// Opens the folder for this process alone, once nothing is in the way of a run there.
run_folder open_folder(const run_inputs& inputs) {
  const std::filesystem::path& out = inputs.request.out;
  if (inputs.request.fresh) {
    refuse_inputs_within(out, inputs.files_read());
    if (const std::filesystem::path old = move_aside(out); !old.empty())
      log_info(cat("the former run is now ", old.string()));
  }
  if (std::filesystem::exists(out / "run.json")) refuse_foreign_folder(out, "cannot become that of a run");
  return run_folder(out);
}

}  // namespace

held_run::held_run(const run_inputs& inputs, run_state& state) : state_(state), folder_(open_folder(inputs)) {
  manifest_ = manifest::read(folder_.manifest());
  if (manifest_.empty()) refuse_unlisted_files(folder_);
  check_file_names(inputs.sessions, inputs.context);
  state_.set_folder(&folder_);  // last, as no destructor takes it back where this throws
}

void held_run::refuse(const boost::json::object& key) const {
  refuse_other_key(manifest_, key, folder_.root(), "run of another configuration");
}

void held_run::refuse_other_configuration(const run_inputs& inputs, const std::string& backend) const {
  refuse(make_run_key(inputs.request, inputs.model, inputs.chat.get(), inputs.lenses, backend));
}

void held_run::take_configuration(const run_inputs& inputs, const std::string& backend,
                                  const std::string& means_sha256) {
  boost::json::object key =
      make_run_key(inputs.request, inputs.model, inputs.chat.get(), inputs.lenses, backend);
  if (!means_sha256.empty()) key["null_mean"] = means_sha256;
  refuse(key);
  boost::json::object now = describe_run(inputs.request, inputs.model);
  now["lenses"] = inputs.lenses.describe();
  now["depthlens"] = DEPTHLENS_VERSION;
  now["format"] = manifest::format;
  now["key"] = std::move(key);
  std::string words;
  for (const study_plan& s : inputs.request.studies) words += (words.empty() ? "" : "+") + s.word;
  now["commands"] = {{words, to_json(inputs.request.command)}};
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
