// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_json.hpp"

#include "commands/json_print.hpp"
#include "depthlens/base/error.hpp"

#include <cmath>
#include <span>

namespace depthlens {
namespace {

// One lens at one position, as to one target.
struct told_reading {
  const lens_reading& lens;
  std::size_t top_k;
  std::size_t target;  // where it is in the readings
  bool known;          // there is such a token
};

void put_layer(std::string& out, const trace_lens& lens, const told_reading& r, std::size_t l,
               const tokenizer& t) {
  const std::size_t at = r.target * lens.layers.size() + l;
  out += cat("{\"layer\":", lens.layers[l], ",\"point\":\"", point_name(lens.layers[l]), "\",\"top\":");
  if (!std::isfinite(r.lens.entropy[l])) {
    out +=
        "[],\"top_text\":[],\"top_logprob\":[],\"rank\":null,\"ties\":null,\"logprob\":null,"
        "\"entropy\":null,\"kl_from_final\":null}";
    return;
  }
  const auto top = std::span(r.lens.top).subspan(l * r.top_k, r.top_k);
  put_list(out, top, [&](std::int32_t id) { append_integer(out, id); });
  out += ",\"top_text\":";
  put_list(out, top, [&](std::int32_t id) { out += json_text(t.bytes(id)); });
  out += ",\"top_logprob\":";
  put_list(out, std::span(r.lens.top_logprob).subspan(l * r.top_k, r.top_k), [&](float v) { put(out, v); });
  if (r.known) {
    out += cat(",\"rank\":", r.lens.rank[at], ",\"ties\":", r.lens.ties[at], ",\"logprob\":");
    put(out, r.lens.logprob[at]);
  } else {
    out += ",\"rank\":null,\"ties\":null,\"logprob\":null";
  }
  out += ",\"entropy\":";
  put(out, r.lens.entropy[l]);
  out += ",\"kl_from_final\":";
  put(out, r.lens.kl[l]);
  out += '}';
}

void put_reading(std::string& out, const trace_result& all, const trace_reading& r, std::size_t lens,
                 std::int32_t wanted, const tokenizer& t) {
  const auto token = meant_token(all, *r.result, wanted);
  out += cat("{\"position\":", r.position, ",\"lens\":", json_text(all.lenses[lens].label),
             ",\"target\":", token ? std::to_string(*token) : "null",
             ",\"target_text\":", token ? json_text(t.bytes(*token)) : "null", ",\"layers\":[");
  const told_reading told{r.result->lenses[lens], all.top_k, target_index(*r.result, wanted),
                          token.has_value()};
  for (std::size_t l = 0; l < all.lenses[lens].layers.size(); ++l) {
    if (l > 0) out += ',';
    put_layer(out, all.lenses[lens], told, l, t);
  }
  out += "]}";
}

// ,"experts":[{"position":3,"blocks":[{"block":0,"router_entropy":1.5,"experts":[5,2],"weights":[0.6,0.4]}]}]
void put_experts(std::string& out, const trace_result& all, const trace_prompt& p) {
  const std::size_t U = all.experts.n_used;
  out += ",\"experts\":";
  put_list(out, p.readings, [&](const trace_reading& r) {
    const expert_choices& c = r.result->choices;
    out += cat("{\"position\":", r.position, ",\"blocks\":[");
    for (std::size_t x = 0; x < all.experts.blocks.size(); ++x) {
      const std::span ids = experts_at(c, x, U);
      out += cat(x > 0 ? "," : "", "{\"block\":", all.experts.blocks[x], ",\"router_entropy\":");
      put(out, c.entropy[x]);
      out += ",\"experts\":";
      put_list(out, ids, [&](std::int32_t id) { append_integer(out, id); });
      out += ",\"weights\":";
      put_list(out, std::span(c.weight).subspan(x * U, ids.size()), [&](float w) { put(out, w); });
      out += '}';
    }
    out += "]}";
  });
}

}  // namespace

std::string said_text(const trace_prompt& p, const tokenizer& t) {
  std::string out;
  for (const std::int32_t id : std::span(p.ids).last(p.said)) out += t.bytes(id);
  return out;
}

std::string trace_json(const trace_result& all, const trace_prompt& p, const tokenizer& t) {
  std::string out = "{\"text\":" + json_text(p.text) + ",\"ids\":";
  put_list(out, p.ids, [&](std::int32_t id) { append_integer(out, id); });
  out += ",\"tokens\":";
  put_list(out, p.ids, [&](std::int32_t id) { out += json_text(t.bytes(id)); });
  if (p.said > 0)
    out += cat(",\"prompt_tokens\":", p.ids.size() - p.said, ",\"said\":", json_text(said_text(p, t)));
  out += ",\"readings\":[";
  bool first = true;
  for (const trace_reading& r : p.readings)
    for (std::size_t lens = 0; lens < all.lenses.size(); ++lens)
      for (const std::int32_t wanted : all.targets) {
        if (!first) out += ',';
        first = false;
        put_reading(out, all, r, lens, wanted, t);
      }
  out += ']';
  if (!all.experts.empty()) put_experts(out, all, p);
  if (p.patch) put_patch(out, *p.patch, all.top_k, t);
  return out + "}\n";
}

}  // namespace depthlens
