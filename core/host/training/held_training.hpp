// SPDX-License-Identifier: Apache-2.0
// The folder of a training as this command holds it, with its run.json in memory: a training that was stopped
// goes on from what lies there.
#pragma once

#include "results/manifest.hpp"
#include "results/run_folder.hpp"
#include "training/text_sequences.hpp"
#include "training/train_request.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <string>

namespace depthlens {

// [main]
class held_training {
 public:
  // Moves an existing training aside where --fresh asks for it, then takes the folder. Throws where it is
  // another process's, or one of another configuration. All outlive it.
  held_training(const train_request& request, const opened_model& model, const training_text& text);

  const std::string& backend() const { return backend_; }  // "auto" until one is chosen
  void set_backend(const std::string& word);
  bool is_finished() const;
  void write(const char* status);
  void write_as_it_is() const { manifest_.write(folder_.manifest()); }

  boost::json::object& fields() { return manifest_.fields; }
  const std::filesystem::path& root() const { return folder_.root(); }
  // The trainer's state at its last step that was saved.
  std::filesystem::path checkpoint() const { return root() / "checkpoint.safetensors"; }
  // The translators that training began with, where a text is held out to compare them on.
  std::filesystem::path start() const { return root() / "start.safetensors"; }
  std::filesystem::path train_table() const { return folder_.data() / "train.csv"; }
  std::filesystem::path validation_table() const { return folder_.data() / "validation.csv"; }

 private:
  run_folder folder_;
  manifest manifest_;
  std::string backend_;
};

}  // namespace depthlens
