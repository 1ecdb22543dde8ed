// SPDX-License-Identifier: Apache-2.0
// The output folder of a run as this command holds it, with its run.json in memory.
#pragma once

#include "results/manifest.hpp"
#include "results/run_folder.hpp"
#include "run/run_inputs.hpp"
#include "run/run_state.hpp"

#include <boost/json.hpp>

#include <optional>
#include <string>

namespace depthlens {

// [main], but for what `state` lets the thread that ends the program do.
class held_run {
 public:
  // Moves an existing run aside where --fresh asks for it, then takes the folder. Throws where it is another
  // process's, not a run's, or would get two tables of one name.
  held_run(const run_inputs& inputs, run_state& state, const lock_timing& timing = {});
  ~held_run() { state_.set_folder(nullptr); }
  held_run(const held_run&) = delete;

  // Throws where the run is one of another configuration, as far as that is known before the mean states of
  // --null mean are.
  void refuse_other_configuration(const run_inputs& inputs, const std::string& backend) const;
  // The run becomes one of this configuration, in memory. Throws where it is one of another already.
  void take_configuration(const run_inputs& inputs, const std::string& backend,
                          const std::string& means_sha256);

  run_folder& folder() { return folder_; }
  boost::json::object& fields() { return manifest_.fields; }
  bool is_new() const;  // it has no run.json yet
  // The model has another name than in the figures that are there.
  bool model_renamed() const { return model_renamed_; }

  // From now on run.json is this command's.
  void begin(std::uint64_t records_wanted) { state_.begin(records_wanted); }
  bool begun() const { return state_.begun(); }
  void save(const char* status);

 private:
  void refuse(const boost::json::object& key) const;

  run_state& state_;
  run_folder folder_;
  manifest manifest_;
  bool model_renamed_ = false;
};

}  // namespace depthlens
