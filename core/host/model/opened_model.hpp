// SPDX-License-Identifier: Apache-2.0
// A model as named on the command line: its files, tokenizer and content hashes. On a backend it is a
// running_model.
#pragma once

#include "depthlens/model/model_files.hpp"
#include "model/tokenizer_service.hpp"

#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <string>

namespace depthlens {

// Of weights: to read so many takes seconds, and the user hears what is done.
constexpr std::uint64_t bytes_that_take_seconds = 2ull << 30;

struct opened_model {
  std::string name;            // for file names and titles
  std::filesystem::path path;  // what the name was resolved to
  std::unique_ptr<model_files> files;
  std::shared_ptr<tokenizer_service> tokens;
  std::shared_future<std::string> hash;
  double files_seconds = 0, tokenizer_seconds = 0;  // that opening them took

  // SHA-256 of the files of the weights (model_files::content_hash), which are read when it is first asked
  // for. Throws status::io.
  const std::string& content_hash() const { return hash.get(); }

  // The same with random weights, see untrained_weights.hpp.
  opened_model untrained(std::uint64_t seed, const std::filesystem::path& folder) const;

  // What prompts begin with, or token 0: one that can be computed alone.
  std::int32_t first_token() const;

  // Warns where embedding and tokenizer differ in size; fewer rows than ids is an error only when such an id
  // is used. Warns of each key that `policy` ignores.
  static opened_model open(const std::string& name_or_path, bos_policy bos,
                           const std::string& shown_name = "", const config_policy& policy = {});
};

// The tokenizer alone: of a model, or of a vocabulary-only GGUF.
tokenizer open_tokenizer(const std::string& name_or_path);

}  // namespace depthlens
