// SPDX-License-Identifier: Apache-2.0
#include "commands/asked_model.hpp"

#include "model/self_check.hpp"

namespace depthlens {

work_rules asked_rules(const parsed_options& o) {
  constexpr std::uint64_t most = 1u << 20;
  work_rules rules{.backend = o.text("backend"),
                   .device = o.text("device"),
                   .precision = o.text("precision"),
                   .skipped_checks = parse_skipped_checks(o.text("skip-check")),
                   .threads = thread_count(o)};
  rules.memory = o.has("memory") ? parse_memory("--memory", o.text("memory")) : default_memory();
  rules.device_memory = o.has("device-memory") ? parse_memory("--device-memory", o.text("device-memory"))
                                               : default_device_memory();
  if (o.has("window")) rules.window = parse_number("window", o.text("window"), 1, most);
  if (o.has("pack-tokens")) rules.pack_tokens = parse_number("pack-tokens", o.text("pack-tokens"), 0, most);
  if (o.has("sharing")) rules.sharing = parse_switch("sharing", o.text("sharing"));
  return rules;
}

opened_model open_asked_model(const parsed_options& o) {
  return opened_model::open(o.text("model"), parse_bos_policy(o.text("bos")), "", ignored_config(o));
}

}  // namespace depthlens
