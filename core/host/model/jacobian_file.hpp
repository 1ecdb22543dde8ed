// SPDX-License-Identifier: Apache-2.0
// The file of a Jacobian lens as it is published: a dictionary J {block: (D, D)} of torch.save, and what it
// says of itself. Whether it is for a model is asked elsewhere (lens.hpp, lens_match.hpp).
#pragma once

#include "depthlens/files/torch_file.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace depthlens {

class jacobian_file {
 public:
  // Errors: those of torch_file; data where J is missing or holds something else than matrices of blocks, or
  // source_layers other blocks than J.
  explicit jacobian_file(const std::filesystem::path& path);

  const std::string& path() const { return file_.path(); }
  // By block, ascending; at least one. Shapes are not looked at.
  const std::map<std::int64_t, const torch_tensor*>& matrices() const { return matrices_; }
  void read(const torch_tensor& matrix, float* out) const { file_.read(matrix, out); }

  // What the file does not say is nothing.
  std::optional<std::int64_t> d_model() const { return d_model_; }
  std::optional<std::int64_t> n_prompts() const { return n_prompts_; }
  // Counted from the end where it is negative; None stands for the last, as nothing does.
  std::optional<std::int64_t> target_layer() const { return target_layer_; }
  // What depthlens writes of how it was made; empty for others' files.
  const std::map<std::string, std::string>& fit() const { return fit_; }

 private:
  std::optional<pickle_view> member(std::string_view key, pickle_kind kind) const;
  std::optional<std::int64_t> target_in(const pickle_view& dict, bool settings_too) const;
  void read_matrices();
  void read_fit();

  torch_file file_;
  std::map<std::int64_t, const torch_tensor*> matrices_;
  std::optional<std::int64_t> d_model_, n_prompts_, target_layer_;
  std::map<std::string, std::string> fit_;
};

}  // namespace depthlens
