// SPDX-License-Identifier: Apache-2.0
// Which layers of a config.json see only a window of the text before them: layer_types where it is given,
// else by the family's rule. A window that spans all positions is none.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "depthlens/base/checked.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/families/family.hpp"
#include "depthlens/model/hf_rope.hpp"

namespace depthlens::detail {

// Has the family windows only where use_sliding_window is true?
constexpr bool is_switched(windowed windows) noexcept {
  return windows == windowed::switched || windows == windowed::upper || windows == windowed::lower_even ||
         windows == windowed::by_list;
}

inline bool is_window_key(const model_family& f, std::string_view key) {
  if (key == "layer_types" || key == "sliding_window") return true;
  if (is_switched(f.windows) && key == "use_sliding_window") return true;
  return (f.windows == windowed::upper || f.windows == windowed::lower_even) && key == "max_window_layers";
}

// At most max_positions; nothing where the model has no window.
inline std::optional<std::uint32_t> read_window(const json_view& root, const model_family& f,
                                                const architecture& a) {
  if (is_switched(f.windows) && !root.find_bool("use_sliding_window").value_or(false)) return {};
  const auto given = root.find("sliding_window");
  if (!given && (f.window == 0 || root.as_object().contains("sliding_window"))) return {};
  const std::uint64_t window = given ? given->as_u64() : f.window;
  if (given) refuse_unless(window > 0, *given, "a window holds at least the token itself");
  if (given && f.windows == windowed::none)
    refuse_unless(window >= a.max_positions, *given, "attention windows are not supported in this family");
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(window, a.max_positions));
}

inline std::uint32_t read_pattern(const json_view& root, const model_family& f) {
  const auto find = [&](const char* key) { return is_listed(f.keys, key) ? root.find(key) : std::nullopt; };
  const auto given = find("sliding_window_pattern");
  const std::uint64_t pattern = given ? given->as_u64() : f.pattern;
  if (given) refuse_unless(pattern > 0, *given, "a pattern has at least one layer");
  // Written beside layer_types, and read by nobody.
  if (const auto note = find("_sliding_window_pattern"); note && !given)
    refuse_unless(note->as_u64() == pattern, *note, "layer_types or sliding_window_pattern must say it");
  return checked_narrow<std::uint32_t>(pattern, [&] { return root.place() + "sliding_window_pattern"; });
}

// Has each layer a window? By layer_types.
inline std::vector<bool> listed_windows(const json_view& types, const model_family& f,
                                        const architecture& a) {
  if (types.as_array().size() != a.n_layers) {
    fail(status::data, types.place(), "has ", types.as_array().size(), " layers, expected ", a.n_layers);
  }
  std::vector<bool> out;
  for (std::size_t i = 0; i < a.n_layers; ++i) {
    const json_view type = types.at(i);
    const bool sliding = type.as_string() == "sliding_attention" && f.windows != windowed::none;
    const bool linear = type.as_string() == "linear_attention" && f.linear_layers;
    refuse_unless(sliding || linear || type.as_string() == "full_attention", type,
                  f.linear_layers               ? "full_attention and linear_attention are"
                  : f.windows == windowed::none ? "only full_attention is in this family"
                                                : "full_attention and sliding_attention are");
    out.push_back(sliding);
  }
  return out;
}

// The same by the family's rule.
inline std::vector<bool> usual_windows(const json_view& root, const model_family& f, const architecture& a) {
  std::vector<bool> out(a.n_layers, f.windows == windowed::all || f.windows == windowed::switched);
  const std::uint64_t first = root.find_u64("max_window_layers").value_or(28);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (f.windows == windowed::upper) out[i] = i >= first;
    if (f.windows == windowed::lower_even) out[i] = i < first && i % 2 == 0;
  }
  if (f.windows == windowed::patterned) {
    const std::uint32_t pattern = read_pattern(root, f);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = (i + 1) % pattern != 0;
  }
  return out;
}

// Sets the windows of blocks; returns which layers are sliding. Layers that layer_types calls sliding, or
// whose frequencies depend on it (own_rope), need a window in the file.
inline std::vector<bool> read_windows(const json_view& root, const model_family& f, architecture& a) {
  const bool own_rope = f.rope.used && f.rope.local;
  const std::optional<std::uint32_t> window = read_window(root, f, a);
  const auto types = root.find("layer_types");
  const std::vector<bool> sliding = types ? listed_windows(*types, f, a) : usual_windows(root, f, a);
  const bool hides = window && *window < a.max_positions;
  if (types && hides && !f.window_lists && sliding != usual_windows(root, f, a)) {
    fail(status::data, types->place(), "says otherwise than sliding_window, which means every layer in ",
         f.name, " models");
  }
  if (std::find(sliding.begin(), sliding.end(), true) == sliding.end()) return sliding;
  if (!window && (types || own_rope)) {
    fail(status::data, root.place(), "there are layers of sliding_attention, but \"sliding_window\" is ",
         is_switched(f.windows) ? "not in use" : "missing");
  }
  for (std::size_t i = 0; i < sliding.size() && hides; ++i)
    if (sliding[i] && a.blocks[i].attention) a.blocks[i].attention->window = *window;
  return sliding;
}

}  // namespace depthlens::detail
