// SPDX-License-Identifier: Apache-2.0
#include "model/backend_advice.hpp"

#include "depthlens/base/json_members.hpp"
#include "model/model_size.hpp"

#include <boost/json.hpp>

namespace depthlens {

backend_advice advice_of(const dlens_model* model) {
  const dlens_model_info& info = *model->info(model);
  backend_advice advice{.pack_tokens = info.pack_tokens, .weight_bytes = info.weight_bytes};
  if (DLENS_HAS(dlens_model_info, &info, calls)) advice.calls = info.calls;
  if (DLENS_HAS(dlens_model_info, &info, stages)) advice.stages = info.stages;
  advice.token_bytes = info.bytes_per_token;
  advice.read_bytes = info.bytes_per_read;
  const bool keeps = DLENS_HAS(dlens_model, model, prefix_release) && model->prefix_release != nullptr &&
                     DLENS_HAS(dlens_model_info, &info, prefix_bytes_per_token);
  if (keeps) advice.kept_token_bytes = info.prefix_bytes_per_token;
  return advice;
}

backend_advice advice_of(const dlens_model_needs& needs, bool streamed) {
  return {.pack_tokens = needs.pack_tokens,
          .calls = needs.calls,
          .weight_bytes = streamed ? needs.streamed_bytes : needs.held_bytes,
          .kept_token_bytes = streamed ? needs.stage_token_bytes : needs.kept_token_bytes,
          .token_bytes = needs.bytes_per_token,
          .read_bytes = needs.bytes_per_read,
          .stages = streamed ? needs.stages : 0};
}

backend_advice assumed_advice(const model_files& files) {
  const architecture& a = files.arch();
  const double parameters = held_parameters(files) + unembed_parameters(files);
  std::uint64_t kept = 0;
  for (const block_part& b : a.blocks)
    if (b.attention)
      kept += std::uint64_t{b.attention->n_kv_heads} * (b.attention->head_dim + b.attention->value_dim);
  return {.weight_bytes = static_cast<std::uint64_t>(sizeof(float) * parameters),
          .kept_token_bytes = sizeof(float) * kept};
}

void describe(const backend_advice& advice, boost::json::object& backend) {
  backend["weight_bytes"] = advice.weight_bytes;
  backend["pack_tokens"] = advice.pack_tokens;
  backend["calls"] = advice.calls;
  backend["kept_token_bytes"] = advice.kept_token_bytes;
}

std::optional<backend_advice> advice_in(const boost::json::object& backend) {
  bool whole = true;
  const auto number = [&](const char* key, std::uint64_t most) {
    const std::uint64_t n = number_at(&backend, key).value_or(most + 1);
    whole = whole && n <= most;
    return n;
  };
  constexpr std::uint64_t most_tokens = 1u << 30, most_bytes = 1ull << 60;
  const backend_advice advice{.pack_tokens = number("pack_tokens", most_tokens),
                              .calls = static_cast<unsigned>(number("calls", most_tokens)),
                              .weight_bytes = number("weight_bytes", most_bytes),
                              .kept_token_bytes = number("kept_token_bytes", most_bytes)};
  return whole ? std::optional(advice) : std::nullopt;
}

}  // namespace depthlens
