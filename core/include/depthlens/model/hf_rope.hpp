// SPDX-License-Identifier: Apache-2.0
// The rotary part of config.json: base, share of a head, scaling; as rope_parameters (of all layers, or one
// object for each kind of layer) or in the older keys that a family's rope_rule names.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "depthlens/base/checked.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/families/family.hpp"
#include "depthlens/model/rope_scaling.hpp"

namespace depthlens::detail {

inline void refuse_unless(bool good, const json_view& value, const char* why) {
  if (!good)
    fail(status::data, value.place(), boost::json::serialize(value.value()), " is not supported: ", why);
}

// A key that could change the numbers, named in full, with what passes over it.
[[noreturn]] inline void refuse_config_key(const json_view& object, std::string_view key) {
  const std::string whole = object.path().empty() ? std::string(key) : cat(object.path(), ".", key);
  fail(status::data, object.label(), ": key ", printable(whole),
       " is not understood and may change what the model computes; if it does not, --ignore-config ",
       visible_line(whole), " passes over it");
}

inline bool is_rope_key(const rope_rule& rule, std::string_view key) {
  if (!rule.used) return false;
  for (const char* one : {rule.theta_key, rule.part_key, rule.dims_key, rule.local_theta_key}) {
    if (one != nullptr && key == one) return true;
  }
  return rule.theta_key != nullptr &&
         is_listed("rope_parameters rope_scaling rope_theta partial_rotary_factor", key);
}

struct rope_numbers {
  double theta = 10000;
  double part = 1;
  rope_scaling scaling;
};

// The keys that each type of scaling reads.
inline std::string_view rope_type_keys(std::string_view type) {
  if (type == "yarn") return "attention_factor beta_fast beta_slow mscale mscale_all_dim truncate";
  if (type == "proportional") return "";
  if (type == "longrope") return "attention_factor long_factor short_factor";
  return "low_freq_factor high_freq_factor";
}

inline void refuse_unknown_rope_keys(const json_view& rope, std::string_view type, std::string_view more) {
  static constexpr std::string_view known =
      "rope_theta rope_type type factor finetuned original_max_position_embeddings partial_rotary_factor";
  for (const auto& [key, value] : rope.as_object()) {
    const std::string_view name(key.data(), key.size());
    if (is_listed(known, name) || is_listed(rope_type_keys(type), name) || is_listed(more, name)) continue;
    if (value.is_null() || (value.is_bool() && !value.get_bool())) continue;
    refuse_config_key(rope, name);
  }
}

inline std::vector<float> read_divisors(const json_view& values) {
  std::vector<float> out;
  for (std::size_t i = 0; i < values.as_array().size(); ++i)
    out.push_back(static_cast<float>(values.at(i).as_double()));
  return out;
}

// What is read besides the type, with the defaults of the published formulas.
inline void read_scaling(const json_view& rope, std::string_view type, rope_scaling& s) {
  using kind = rope_scaling::kind;
  s.type = type == "linear"     ? kind::linear
           : type == "yarn"     ? kind::yarn
           : type == "llama3"   ? kind::llama3
           : type == "longrope" ? kind::longrope
                                : kind::proportional;
  if (s.type == kind::proportional) {
    s.factor = rope.find_double("factor").value_or(1.0);
    s.share = rope.find_double("partial_rotary_factor").value_or(1.0);
    return;
  }
  if (s.type == kind::longrope) {
    s.factor = rope.find_double("factor").value_or(0.0);  // 0: the ratio of the numbers of positions
    s.divisors = read_divisors(rope.require("short_factor"));
    s.long_divisors = read_divisors(rope.require("long_factor"));
    s.original_positions = rope.find_double("original_max_position_embeddings").value_or(0.0);
  } else {
    s.factor = rope.require_double("factor");
    if (s.type != kind::linear)
      s.original_positions = rope.require_double("original_max_position_embeddings");
  }
  if (s.type == kind::llama3) {
    s.low_freq_factor = rope.require_double("low_freq_factor");
    s.high_freq_factor = rope.require_double("high_freq_factor");
  }
  if (s.type == kind::yarn) {
    s.beta_fast = rope.find_double("beta_fast").value_or(s.beta_fast);
    s.beta_slow = rope.find_double("beta_slow").value_or(s.beta_slow);
    s.truncate = config_flag(rope, "truncate", true);
    s.mscale = rope.find_double("mscale").value_or(0.0);
    s.mscale_all_dim = rope.find_double("mscale_all_dim").value_or(0.0);
  }
  if (s.type != kind::yarn && s.type != kind::longrope) return;
  if (const auto by = rope.find_double("attention_factor")) {
    if (!(*by > 0)) fail(status::data, rope.place(), "attention_factor is ", *by, ", expected more than 0");
    s.attention_factor = *by;
  }
}

// {"rope_type" or "type", "factor", ...}; theta and part are set where the object holds them.
inline void read_rope_object(const json_view& rope, const rope_rule& rule, rope_numbers& out) {
  const auto kind = rope.find("rope_type"), old = rope.find("type");
  const auto spelled = [](const json_view& type) {
    return type.as_string() == "su" ? std::string_view("longrope") : type.as_string();
  };
  if (kind && old && spelled(*kind) != spelled(*old)) {
    fail(status::data, rope.place(), "rope_type is ", printable(kind->as_string()), " and type ",
         printable(old->as_string()));
  }
  const std::string_view name = kind ? spelled(*kind) : old ? spelled(*old) : "default";
  refuse_unless(is_listed("default linear llama3 longrope proportional yarn", name),
                kind  ? *kind
                : old ? *old
                      : rope,
                "the rope types are default, linear, llama3, longrope, proportional and yarn");
  refuse_unknown_rope_keys(rope, name, rule.keys);
  if (const auto value = rope.find_double("rope_theta")) out.theta = *value;
  const auto part = rope.find_double("partial_rotary_factor");
  if (part && name != "proportional") out.part = *part;
  if (name == "default") out.scaling = {};
  if (name != "default") read_scaling(rope, name, out.scaling);
}

// The number of positions before LongRoPE stretched them: beside the object, in rope_parameters, or what the
// family means without; for a rope_scaling alone, which some readers look past, only where that changes
// nothing.
inline void read_original_positions(const json_view& root, const rope_rule& rule, const architecture& a,
                                    rope_scaling& s) {
  static constexpr const char* key = "original_max_position_embeddings";
  if (s.type != rope_scaling::kind::longrope) return;
  const auto beside = root.find_double(key);
  if (!beside && root.as_object().contains(key))
    fail(status::data, root.place(), key, " is null, but longrope needs it");
  const bool within = s.original_positions != 0;
  const double usual =
      beside.value_or(rule.original_positions != 0 ? rule.original_positions : a.max_positions);
  if (within && s.original_positions != usual && (beside || !root.find("rope_parameters"))) {
    fail(status::data, root.place(), key, " is ", usual, beside ? " here" : " by default here", " and ",
         s.original_positions, " in the rope parameters");
  }
  if (!within) s.original_positions = usual;
  if (!(s.original_positions > 0)) return;  // check_rope refuses it
  const double ratio = a.max_positions / s.original_positions;
  const bool said = within || beside || rule.original_positions != 0;
  if (s.factor == 0) s.factor = ratio;
  if (said && s.attention_factor == 0 && std::abs(s.factor - ratio) > 1e-6 * ratio) {
    fail(status::data, root.place(), "the factor of longrope is ", s.factor,
         ", but max_position_embeddings is ", ratio, " times ", key);
  }
}

// A number that may stand under several old keys and in the object: all that are there must agree, also with
// what is meant without them where a family has a key of its own.
inline void check_old_keys(const json_view& root, const char* first, const char* second, double read) {
  for (const char* key : {first, second}) {
    if (key == nullptr) continue;
    if (const auto old = root.find_double(key); old && *old != read)
      fail(status::data, root.place(), key, " is ", *old, " here and ", read,
           " elsewhere in the file or by default");
  }
}

inline std::vector<float> frequencies_of(const rope_numbers& n, const json_view& root, std::uint32_t dims) {
  check_rope(n.theta, n.scaling, dims, root.label());
  return rope_frequencies(dims, n.theta, n.scaling);
}

// One object for each kind of layer; `local` where the family has other frequencies within windows.
inline void read_nested_rope(const json_view& parameters, const rope_rule& rule, architecture& a,
                             rope_numbers& global, rope_numbers& local) {
  bool others = false;
  for (const auto& [key, value] : parameters.as_object()) {
    const std::string_view name(key.data(), key.size());
    if (is_listed("full_attention sliding_attention", name) || value.is_null()) continue;
    if (!rule.flat_too) refuse_config_key(parameters, name);
    others = true;
  }
  if (others)
    a.notes.push_back(
        cat(parameters.place(), "what stands beside full_attention and sliding_attention is read by nobody"));
  read_rope_object(parameters.require("full_attention"), rule, global);
  if (const auto object = parameters.find("sliding_attention")) read_rope_object(*object, rule, local);
}

// Reads what all layers share into `global`, what windowed ones have to themselves into `local`.
inline void read_rope_keys(const json_view& root, const rope_rule& rule, architecture& a,
                           rope_numbers& global, rope_numbers& local) {
  if (rule.theta_key != nullptr) global.theta = root.find_double(rule.theta_key).value_or(global.theta);
  if (rule.part_key != nullptr) global.part = root.find_double(rule.part_key).value_or(global.part);
  if (rule.local_theta_key != nullptr)
    local.theta = root.find_double(rule.local_theta_key).value_or(local.theta);
  const auto parameters = root.find("rope_parameters");
  const auto scaling = root.find("rope_scaling");
  if (parameters && scaling && parameters->value() != scaling->value()) {
    fail(status::data, scaling->place(), "differs from rope_parameters: keep one of them");
  }
  if (parameters && rule.local) {
    read_nested_rope(*parameters, rule, a, global, local);
  } else if (parameters || scaling) {
    const rope_numbers outside = global;
    read_rope_object(parameters ? *parameters : *scaling, rule, global);
    if (!parameters && (global.theta != outside.theta || global.part != outside.part)) {
      fail(status::data, scaling->place(),
           "rope_theta or partial_rotary_factor is another here than outside or by default, and only "
           "rope_parameters may say it");
    }
  }
  check_old_keys(root, "rope_theta", rule.theta_key, global.theta);
  check_old_keys(root, "partial_rotary_factor", rule.part_key, global.part);
  check_old_keys(root, rule.local_theta_key, nullptr, local.theta);
}

// Rotary numbers of all layers, and of those with a window where they have their own.
struct layer_ropes {
  rope_numbers global, local;
};

// Of an architecture whose sizes are checked.
inline layer_ropes read_rope(const json_view& root, const rope_rule& rule, architecture& a) {
  layer_ropes out{{rule.theta, rule.part, {}}, {rule.local_theta, rule.part, {}}};
  if (!rule.used) return out;
  if (rule.proportional != 0)
    out.global.scaling = {.type = rope_scaling::kind::proportional, .share = rule.proportional};
  if (rule.yarn != 0)
    out.global.scaling = {.type = rope_scaling::kind::yarn,
                          .factor = rule.yarn,
                          .original_positions = rule.yarn_positions,
                          .truncate = false};
  if (rule.theta_key != nullptr) read_rope_keys(root, rule, a, out.global, out.local);
  if (!rule.part_varies && (out.global.part != 1 || out.local.part != 1)) {
    fail(status::data, root.place(),
         "partial_rotary_factor is not supported: all of a head is rotated in this family");
  }
  for (const rope_numbers* one : {&out.global, &out.local})
    if (!(one->part > 0 && one->part <= 1)) {
      fail(status::data, root.place(), "the rotated share of a head is ", one->part,
           ", expected more than 0 to 1");
    }
  if (rule.local && scales_attention(out.local.scaling))
    fail(status::data, root.place(), "yarn and longrope are not supported in layers with a window");
  // The library that such files are written for looks for it outside the objects of the kinds of layers.
  if (rule.local && !std::exchange(out.global.scaling.truncate, true))
    a.notes.push_back(cat(root.place(), "truncate of the rotary positions is read by nobody in this family"));
  read_original_positions(root, rule, a, out.global.scaling);
  return out;
}

inline std::uint32_t rope_dims_of(const json_view& root, const rope_rule& rule, const rope_numbers& n,
                                  std::uint32_t head_dim) {
  auto out = static_cast<std::uint32_t>(n.part * head_dim);
  if (rule.dims_key != nullptr) {
    const auto dims = root.find(rule.dims_key);
    if (!dims && root.as_object().contains(rule.dims_key))
      fail(status::data, root.place(), rule.dims_key, " is null, expected a number of dimensions");
    out = dims ? checked_narrow<std::uint32_t>(dims->as_u64(), [&] { return dims->place() + "value"; })
               : rule.dims;
  }
  if (out >= 2 && out % 2 == 0 && out <= head_dim) return out;
  const char* const key = rule.dims_key != nullptr ? rule.dims_key
                          : n.part != 1            ? rule.part_key
                                                   : "the head size";
  fail(status::data, root.place(), key, " makes ", out,
       " rotary dimensions, expected an even number of 2 to the head size ", head_dim);
}

// Of one kind of layer; its heads have one size.
struct layer_frequencies {
  std::uint32_t dims = 0;
  shared_numbers frequencies, of_long_prompts;
};

// Sets the rotary numbers of each block's attention. sliding: (n_layers) which have a window, or could.
inline void set_ropes(const json_view& root, const rope_rule& rule, const layer_ropes& ropes,
                      const std::vector<bool>& sliding, architecture& a) {
  if (!rule.used) return;
  set_long_positions(ropes.global.scaling, a);
  layer_frequencies global, local;
  for (std::uint32_t i = 0; i < a.n_layers; ++i) {
    if (!a.blocks[i].attention) continue;
    attention_part& t = *a.blocks[i].attention;
    const bool is_local = rule.local && sliding[i];
    const rope_numbers& n = is_local ? ropes.local : ropes.global;
    t.rope = rule.kind;
    // Of attention of low rank the rotated dimensions are a part of the key by themselves.
    t.rope_dims = t.kv_rank > 0 ? t.rope_dims : rope_dims_of(root, rule, n, t.head_dim);
    layer_frequencies& its = is_local ? local : global;
    if (its.dims != t.rope_dims) {
      its = {t.rope_dims, shared_numbers(frequencies_of(n, root, t.rope_dims)), {}};
      if (a.long_positions != 0)
        its.of_long_prompts = shared_numbers(long_rope_frequencies(t.rope_dims, n.theta, n.scaling));
    }
    t.rope_inv_freq = its.frequencies;
    t.rope_long_inv_freq = its.of_long_prompts;
    t.rope_scale = rope_scale_of(n.scaling, root.label());
  }
}

}  // namespace depthlens::detail
