// SPDX-License-Identifier: Apache-2.0
// Lenses as named on the command line: [LABEL:]logit, [LABEL:]tuned=DIR[@seed], [LABEL:]jacobian=FILE. A lens
// is an affine transport at each layer it reads; which layer an artifact belongs to is decided here, a
// backend only sees matrices. Whether a lens belongs to a model is lens_match.hpp.
#pragma once

#include "depthlens/abi/backend.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

enum class lens_kind { logit, tuned, jacobian };

struct lens_spec {
  std::string label;  // file suffix: letters, digits, '-', '_'
  lens_kind kind = lens_kind::logit;
  std::filesystem::path path;        // folder of a tuned lens, file of a Jacobian lens
  bool published_alignment = false;  // translator l on the output of block l, as the published code has it
  std::string text;                  // as given
};

// Throws status::usage for anything else.
lens_spec parse_lens(const std::string& text);

// What a file says about the lens, for people.
struct lens_about {
  std::filesystem::path file;               // with the matrices; empty for the logit lens
  std::string dtype;                        // of the matrices: "F32", "F16"
  std::optional<std::string> unembed_hash;  // of the model it was trained for
  std::optional<std::string> model;         // that model's name
  std::optional<std::uint64_t> n_prompts;   // a Jacobian lens was fitted on
  // The matrices of a Jacobian lens lead to the output of this block, counted from the end where it is
  // negative; a file that does not say it means the last block.
  std::optional<std::int64_t> target_layer;
};

// What a lens reads: its layers and transports, and its values as float32 until release.
// - Tuned: a folder with config.json and params.safetensors or params.pt (the former where both exist),
//   tensors {i}.weight (D, D) and {i}.bias (D), trained on layer i: logits = U(h + W h + b) at layers 0..n-1,
//   and the model's own output at layer n. With the published alignment translator l reads layer l+1, and
//   layer n is no longer the model's output. params.safetensors needs no config.json.
// - Jacobian: a .pt dictionary J {l: (D, D)}, d_model, n_prompts, source_layers, target_layer; J_l carries
//   the output of block l: logits = U(J h) at layers l+1 < n that have a matrix, and the model's own output
//   at layer n.
class lens_file {
 public:
  // n_layers blocks of width D. Errors: no_input, data (wrong shapes, missing translators).
  lens_file(const lens_spec& spec, std::uint32_t n_layers, std::uint32_t d_model);

  // The lens that says at every layer what `lens` says of the state `states` (n_layers + 1, D), NULL = all
  // zero; layers whose reading is then the same for all tokens, as `norm_of_zero_is_constant` says, are left
  // out. `key` names the states. Throws status::usage where no layer is left.
  static lens_file null_of(const lens_file& lens, const float* states, std::uint32_t d_model,
                           bool norm_of_zero_is_constant, const std::string& key);

  // The model's own output at layer n, and no layer before it.
  static lens_file output(std::uint32_t n_layers);

  const std::vector<std::int32_t>& layers() const { return layers_; }
  const std::vector<dlens_transport>& transports() const { return transports_; }
  std::uint64_t matrix_bytes() const;  // that a backend holds of it in float32
  const lens_about& about() const { return about_; }
  const std::string& sha256() const { return sha256_; }  // of the file; "" for the logit lens
  const std::string& key() const { return key_; }        // what readings depend on, for the run's key
  // Frees the values, once a backend has its copy; the transports then point nowhere.
  void release() { values_.clear(); }

 private:
  lens_file() = default;
  void read_tuned(const lens_spec& spec, std::uint32_t n_layers, std::uint32_t d_model);
  void read_jacobian(const lens_spec& spec, std::uint32_t n_layers, std::uint32_t d_model);
  void add_identity(std::uint32_t layer);
  void add(const dlens_transport& transport);
  float* add_values(std::size_t n);

  std::uint32_t d_model_ = 0;
  std::vector<std::int32_t> layers_;
  std::vector<dlens_transport> transports_;
  std::vector<std::unique_ptr<std::vector<float>>> values_;
  lens_about about_;
  std::string sha256_, key_;
};

// As forward calls name it.
struct active_lens {
  const dlens_lens* lens;
  std::uint32_t n_layers;  // L: layers it reads
};

// A lens held by a backend's model, which outlives it. [main]
class backend_lens {
 public:
  backend_lens(const dlens_model* model, const lens_file& file);
  ~backend_lens();
  backend_lens(const backend_lens&) = delete;
  const dlens_lens* c() const { return lens_; }

 private:
  const dlens_model* model_;
  dlens_lens* lens_ = nullptr;
};

}  // namespace depthlens
