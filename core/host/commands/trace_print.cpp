// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_print.hpp"

#include "commands/json_print.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/base/utf8.hpp"
#include "depthlens/table/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <span>

namespace depthlens {
namespace {

void put_layer(std::string& out, const trace_result& all, const site_readings& node, std::int32_t wanted,
               std::size_t l) {
  const lens_reading& r = node.lenses[0];
  const std::size_t L = all.layers.size(), K = all.top_k, k = target_index(node, wanted);
  if (!std::isfinite(r.entropy[l])) {
    out += cat("{\"layer\":", all.layers[l], ",\"point\":\"", point_name(all.layers[l]),
               "\",\"top\":[],\"top_logprob\":[],\"rank\":null,\"ties\":null,\"logprob\":null,"
               "\"entropy\":null,\"kl_from_final\":null}");
    return;
  }
  out += cat("{\"layer\":", all.layers[l], ",\"point\":\"", point_name(all.layers[l]), "\",\"top\":");
  const auto top = [&](auto& v) {
    return std::vector(v.begin() + static_cast<std::ptrdiff_t>(l * K),
                       v.begin() + static_cast<std::ptrdiff_t>((l + 1) * K));
  };
  put_list(out, top(r.top), [&](std::int32_t id) { append_integer(out, id); });
  out += ",\"top_logprob\":";
  put_list(out, top(r.top_logprob), [&](float v) { put(out, v); });
  if (wanted < 0 && !output_is_finite(all, node)) {
    out += ",\"rank\":null,\"ties\":null,\"logprob\":null";
  } else {
    out += cat(",\"rank\":", r.rank[k * L + l], ",\"ties\":", r.ties[k * L + l], ",\"logprob\":");
    put(out, r.logprob[k * L + l]);
  }
  out += ",\"entropy\":";
  put(out, r.entropy[l]);
  out += ",\"kl_from_final\":";
  put(out, r.kl[l]);
  out += '}';
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

// One line for each block: "    3    1.234   17 0.41   4 0.22".
void print_experts(std::ostream& out, const trace_result& all, const expert_choices& c) {
  const std::size_t U = all.experts.n_used;
  out << "block  router entropy  experts and their weights\n" << std::fixed << std::setprecision(3);
  for (std::size_t x = 0; x < all.experts.blocks.size(); ++x) {
    const std::span ids = experts_at(c, x, U);
    out << std::setw(5) << all.experts.blocks[x] << std::setw(16) << c.entropy[x] << "  ";
    for (std::size_t i = 0; i < ids.size(); ++i)
      out << std::setw(i > 0 ? 6 : 4) << ids[i] << ' ' << c.weight[x * U + i];
    out << '\n';
  }
}

}  // namespace

std::size_t target_index(const site_readings& r, std::int32_t wanted) {
  return static_cast<std::size_t>(std::lower_bound(r.targets.begin(), r.targets.end(), wanted) -
                                  r.targets.begin());
}

std::string cell(const std::string& text, std::size_t width) {
  std::size_t characters = 0, at = 0;
  while (at < text.size() && characters < width) at += utf8_at(text, at).size, ++characters;
  return text.substr(0, at) + std::string(width - characters, ' ');
}

bool output_is_finite(const trace_result& all, const site_readings& r) {
  const lens_reading& lens = r.lenses[0];
  bool readable = false;
  for (std::size_t l = 0; l < all.layers.size(); ++l) {
    const bool finite = std::isfinite(lens.entropy[l]);
    if (!finite && static_cast<std::uint32_t>(all.layers[l]) == all.n_layers) return false;
    if (finite && !std::isfinite(lens.kl[l])) return false;  // it is of both
    readable |= finite;
  }
  return readable;
}

std::string point_name(std::int32_t layer) { return layer == 0 ? "embed" : cat("block.", layer - 1, ".out"); }

static std::string said_text(const trace_prompt& p, const tokenizer& t) {
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
  for (const trace_reading& r : p.readings) {
    for (const std::int32_t wanted : all.targets) {
      if (!first) out += ',';
      first = false;
      const bool known = wanted >= 0 || output_is_finite(all, *r.result);
      out += cat("{\"position\":", r.position,
                 ",\"target\":", known ? std::to_string(wanted < 0 ? r.result->final_top : wanted) : "null",
                 ",\"layers\":[");
      for (std::size_t l = 0; l < all.layers.size(); ++l) {
        if (l) out += ',';
        put_layer(out, all, *r.result, wanted, l);
      }
      out += "]}";
    }
  }
  out += ']';
  if (!all.experts.empty()) put_experts(out, all, p);
  if (p.patch) put_patch(out, *p.patch, all.top_k);
  return out + "}\n";
}

static std::string target_line(const trace_result& all, const trace_prompt& p, const trace_reading& r,
                               std::int32_t wanted, const tokenizer& t) {
  const std::string after =
      cat("position ", r.position, " after \"", visible_line(t.bytes(p.ids[r.position])), "\", target ");
  if (wanted < 0 && !output_is_finite(all, *r.result)) return after + "unknown: the output is not finite\n";
  const std::int32_t target = wanted < 0 ? r.result->final_top : wanted;
  return cat(after, '"', visible_line(t.bytes(target)), "\" (", target, ")\n");
}

std::string trace_table(const trace_result& all, const trace_prompt& p, const tokenizer& t) {
  constexpr std::size_t column_width = 12;
  std::ostringstream out;
  const std::size_t L = all.layers.size(), K = std::min<std::size_t>(all.top_k, 5);
  if (all.prompts.size() > 1) out << "prompt \"" << visible_line(p.text) << "\"\n";
  if (p.readings.empty()) out << "the prompt has no tokens\n";
  if (p.said > 0) out << "the model says \"" << visible_line(said_text(p, t)) << "\"\n";
  for (const trace_reading& r : p.readings) {
    const lens_reading& lens = r.result->lenses[0];
    for (const std::int32_t wanted : all.targets) {
      const std::size_t k = target_index(*r.result, wanted);
      out << target_line(all, p, r, wanted, t) << "layer     rank  logprob  entropy      kl  top\n";
      for (std::size_t i = L; i-- > 0;) {
        if (!std::isfinite(lens.entropy[i] + lens.kl[i] + lens.logprob[k * L + i])) {
          out << std::setw(5) << all.layers[i] << "   not finite: NaN or infinity\n";
          continue;
        }
        out << std::setw(5) << all.layers[i] << std::setw(9) << lens.rank[k * L + i] << std::fixed
            << std::setprecision(3) << std::setw(9) << lens.logprob[k * L + i] << std::setw(9)
            << lens.entropy[i] << std::setw(8) << lens.kl[i] << "  ";
        for (std::size_t j = 0; j < K; ++j)
          out << cell(visible_line(t.bytes(lens.top[i * all.top_k + j])), column_width) << ' ';
        out << '\n';
      }
    }
    if (!all.experts.empty()) print_experts(out, all, r.result->choices);
  }
  if (p.patch) print_patch(out, *p.patch, all.top_k, t);
  return std::move(out).str();
}

}  // namespace depthlens
