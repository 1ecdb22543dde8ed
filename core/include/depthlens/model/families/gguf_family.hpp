// SPDX-License-Identifier: Apache-2.0
// What a family of models is in GGUF, as data: which metadata keys give which number, what the format leaves
// unsaid, and where the tensors are after what converters do to them. One row per family in
// gguf_families.hpp, read by gguf_config.hpp and gguf_rope.hpp. Sizes stand under the same keys in every
// family.
#pragma once

#include <cstdint>
#include <string_view>

#include "depthlens/files/gguf.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/families/family.hpp"
#include "depthlens/model/tensor_names.hpp"

namespace depthlens {

// Keys are named here without the family's name and point: "attention.sliding_window".
struct gguf_family {
  std::string_view name;       // general.architecture, and what the family's keys begin with
  std::string_view keys = "";  // further keys that are read
  norm_kind norm = norm_kind::rms;
  activation_kind activation = activation_kind::silu;
  bool rotary = true;
  rope_kind rope = rope_kind::half;
  bool part_varies = false;   // else rope.dimension_count must be the head size
  bool freq_factors = false;  // rope_freqs.weight divides frequencies, not those of `local` layers
  bool long_factors = false;  // rope_factors_short.weight divides them in prompts of the original length
  bool yarn_truncates = true;
  bool local = false;      // layers with a window have a base of their own, never scaled:
  double local_theta = 0;  // this without rope.freq_base_swa; 0 = that of the others
  windowed windows = windowed::none;
  std::uint32_t (*window)(const architecture& a) =
      nullptr;                // without attention.sliding_window; 0 or null = none
  std::uint32_t pattern = 0;  // each so many layers one sees all
  block_form form = block_form::sequential;
  bool lists = false;          // sizes may be lists by layer, which `more` reads
  bool latent = false;         // sizes of heads are not those of the usual keys; `more` reads them
  bool may_be_sparse = false;  // there may be no dense part, and no size of it
  // What is peculiar to the family; blocks are all alike when it is called, without windows and rotary
  // numbers.
  void (*more)(const gguf_file& file, architecture& a) = nullptr;
  void (*finish)(const gguf_file& file, architecture& a) = nullptr;  // the same, at the end
  tensor_table tensors;
  // Instead of `tensors`, where it depends on the model.
  const tensor_table* (*table)(const architecture& a) = nullptr;

  const tensor_table& table_of(const architecture& a) const { return table != nullptr ? *table(a) : tensors; }
};

}  // namespace depthlens
