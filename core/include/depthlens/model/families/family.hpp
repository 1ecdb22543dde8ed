// SPDX-License-Identifier: Apache-2.0
// What a family of models is, as data: which keys of config.json give which number, what is meant where they
// are absent, and where the tensors are. One row per family in the files of this folder, all of them in
// families.hpp; read by hf_config.hpp and tensor_map.hpp.
#pragma once

#include <cstdint>
#include <string_view>

#include "depthlens/base/error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/tensor_names.hpp"

namespace depthlens {

// A size that config.json holds under `key`, or what it is without: a number, or one of these.
struct size_key {
  static constexpr std::uint32_t required = 0;
  static constexpr std::uint32_t derived =
      0xffffffffu;            // heads for key-value heads, D/H for the head size, 4 D for F
  const char* key = nullptr;  // null: the family has no such key
  std::uint32_t otherwise = derived;
};

// Which layers see only a window, where layer_types does not say.
enum class windowed {
  none,  // and a window that would hide anything is refused
  all,
  switched,    // all, where use_sliding_window is true; so also the next three
  upper,       // from layer max_window_layers on
  lower_even,  // below layer max_window_layers, every second one from layer 0 on
  by_list,     // layer_types alone
  patterned    // all but each n-th
};

struct rope_rule {
  bool used = false;
  rope_kind kind = rope_kind::half;
  const char* theta_key = "rope_theta";
  const char* part_key = "partial_rotary_factor";  // the share of a head that is rotated
  double theta = 10000;
  double part = 1;
  bool part_varies = false;        // else another share than 1 is refused
  const char* dims_key = nullptr;  // the number of dimensions itself, instead of a share
  std::uint32_t dims = 0;
  std::uint32_t original_positions = 0;  // of LongRoPE where the file does not say; 0: as many as there are
  bool local = false;                    // layers with a window have their own base and share, never scaled
  const char* local_theta_key = nullptr;
  double local_theta = 10000;
  double proportional = 0;  // not 0: the type without rope_parameters is proportional, with this share
  double yarn = 0;  // not 0: the type without rope_parameters is YaRN by this factor, with these positions
  double yarn_positions = 0;   // before it was stretched, and no whole frequencies as limits
  std::string_view keys = "";  // further keys of rope_parameters that change nothing
  bool flat_too = false;       // beside one object for each kind of layer there may be others, read by nobody
};

// True or false, `otherwise` without the key. Where that is true, null is refused: the key's absence would
// mean true, but the null itself is false to the library that such files are written for.
inline bool config_flag(const json_view& config, std::string_view key, bool otherwise) {
  const auto given = config.find_bool(key);
  if (otherwise && !given && config.as_object().contains(key))
    fail(status::data, config.place(), key, " is null, expected true or false");
  return given.value_or(otherwise);
}

struct model_family {
  std::string_view name;  // model_type
  size_key layers{"num_hidden_layers", size_key::required};
  size_key width{"hidden_size", size_key::required};
  size_key heads{"num_attention_heads", size_key::required};
  size_key kv_heads{"num_key_value_heads", size_key::derived};
  size_key head_dim{"head_dim", size_key::derived};
  size_key feed_forward{"intermediate_size", size_key::required};
  size_key positions{"max_position_embeddings", size_key::required};
  size_key vocabulary{"vocab_size", size_key::required};
  const char* eps_key = "rms_norm_eps";  // null: always eps
  double eps = 1e-6;
  const char* activation_key = "hidden_act";
  std::string_view activation = "silu";
  std::string_view keys = "";       // further keys that are read
  std::string_view harmless = "";   // keys that change nothing in this family
  std::string_view more_keys = "";  // read, as `keys`
  std::string_view only_true = "";  // keys of which only true, which is also meant without them, is supported
  norm_kind norm = norm_kind::rms;
  double norm_offset = 0;
  block_form form = block_form::sequential;
  bool tied = false;  // without tie_word_embeddings
  bool attention_bias = false;
  std::uint32_t position_offset = 0;
  rope_rule rope = {.used = true};
  windowed windows = windowed::none;
  bool window_lists = true;    // may layer_types say otherwise than windows?
  bool linear_layers = false;  // may layer_types say linear_attention?
  std::uint32_t window = 0;    // without the key sliding_window; 0 = none
  std::uint32_t pattern = 0;   // each so many layers one sees all
  // What is peculiar to the family; blocks are all alike when it is called, and have no rotary numbers yet.
  void (*more)(const json_view& config, architecture& a) = nullptr;
  void (*finish)(const json_view& config, architecture& a) = nullptr;  // the same, at the end
  tensor_table tensors;
  // Where each expert's tensors are by themselves.
  const tensor_table* apart = nullptr;
  // Instead of `tensors`, where it depends on the model.
  const tensor_table* (*table)(const architecture& a) = nullptr;

  const tensor_table& table_of(const architecture& a) const { return table != nullptr ? *table(a) : tensors; }
};

}  // namespace depthlens
