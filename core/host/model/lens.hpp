// SPDX-License-Identifier: Apache-2.0
// Lenses as named on the command line: [LABEL:]logit, [LABEL:]tuned=DIR[@seed]. A lens is an affine transport at each
// layer it reads; which layer an artifact belongs to is decided here, a backend only sees matrices.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/model/safetensors.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace depthlens {

struct lens_spec {
  std::string label;  // file suffix: letters, digits, '-', '_'
  bool tuned = false;
  std::filesystem::path folder;  // of a tuned lens
  bool seed_alignment = false;   // translator l on the output of block l, as the published code has it
  std::string text;              // as given
};

// Throws status::usage for anything else.
lens_spec parse_lens(const std::string& text);

// What a lens reads: its layers and transports. A tuned lens is params.safetensors with {i}.weight (D, D) and
// {i}.bias (D), trained on layer i: logits = U(h + W h + b) at layers 0..n-1, and the model's own output at layer n.
// With the seed's alignment translator l reads layer l+1, and layer n is no longer the model's output.
class lens_file {
 public:
  // n_layers blocks of width D. Errors: no_input, data (wrong shapes, missing translators).
  lens_file(const lens_spec& spec, std::uint32_t n_layers, std::uint32_t d_model);
  const std::vector<std::int32_t>& layers() const { return layers_; }
  const std::vector<dlens_transport>& transports() const { return transports_; }
  const std::string& sha256() const { return sha256_; }  // of the file; "" for the logit lens

 private:
  void read_tuned(const lens_spec& spec, std::uint32_t n_layers, std::uint32_t d_model);

  std::vector<std::int32_t> layers_;
  std::vector<dlens_transport> transports_;
  std::vector<std::unique_ptr<std::vector<float>>> values_;
  std::string sha256_;
};

// A lens held by a backend's model.
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
