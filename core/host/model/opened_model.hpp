// SPDX-License-Identifier: Apache-2.0
// A model as named on the command line: its files, tokenizer and content hashes; and such a model on a
// backend.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/model/model_files.hpp"
#include "model/tokenizer_service.hpp"
#include "plugins/registry.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace depthlens {

struct opened_model {
  std::string name;            // for file names and titles
  std::filesystem::path path;  // what the name was resolved to
  std::unique_ptr<model_files> files;
  std::unique_ptr<tokenizer_service> tokens;
  double files_seconds = 0, tokenizer_seconds = 0;  // that opening them took

  // What prompts begin with, or token 0: one that can be computed alone.
  std::int32_t first_token() const;

  // Warns where embedding and tokenizer differ in size; fewer rows than ids is an error only when such an id
  // is used. Warns of each key that `policy` ignores.
  static opened_model open(const std::string& name_or_path, bos_policy bos,
                           const std::string& shown_name = "", const config_policy& policy = {});
};

// The tokenizer alone: of a model, or of a vocabulary-only GGUF.
tokenizer open_tokenizer(const std::string& name_or_path);

// A model held by a backend. The opened model outlives it.
class backend_model {
 public:
  struct options {
    std::string device = "auto", precision = "f32";
    unsigned threads = 1;
  };
  backend_model(const opened_model& model, const registry::backend& backend, const options& o);
  ~backend_model();
  backend_model(const backend_model&) = delete;

  const dlens_model* c() const { return model_; }
  const dlens_model_info& info() const { return *model_->info(model_); }

 private:
  std::vector<dlens_tensor> tensors_;
  std::vector<const dlens_tensor*> tensor_pointers_;
  dlens_architecture architecture_{};
  dlens_weights weights_{};
  dlens_model* model_ = nullptr;
};

}  // namespace depthlens
