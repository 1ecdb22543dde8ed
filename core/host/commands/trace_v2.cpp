// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_v2.hpp"

#include "commands/json_print.hpp"
#include "depthlens/base/error.hpp"

#include <cmath>
#include <map>
#include <span>
#include <string_view>

namespace depthlens {
namespace {

void put_rounded(std::string& out, double value) {
  constexpr double steps = 1e5;
  if (std::isfinite(value))
    append_f64(out, std::round(value * steps) / steps);
  else
    out += "null";
}

// The names of a position's tokens, as JSON strings.
std::map<std::int32_t, std::string> token_names(const std::vector<std::int32_t>& ids, const tokenizer& t) {
  std::map<std::string_view, int> uses;
  for (const std::int32_t id : ids) ++uses[t.bytes(id)];
  std::map<std::int32_t, std::string> names;
  for (const std::int32_t id : ids)
    names[id] = json_text(cat(t.bytes(id), uses[t.bytes(id)] > 1 ? cat(" (#", id, ")") : ""));
  return names;
}

}  // namespace

void check_v2_size(const trace_result& all, std::uint32_t generate) {
  constexpr std::size_t most_values = 25'000'000;  // of 12 bytes
  const std::size_t positions = positions_read(all, generate), L = all.lenses[0].layers.size();
  if (positions * L * L * all.top_k > most_values)
    fail(status::usage, "--format v2: ", positions, " positions with up to ", L * all.top_k,
         " tokens that are followed through ", L, " layers are more than ", most_values,
         " probabilities: choose fewer --positions or prompts, or a smaller --top");
}

std::string trace_v2_json(const trace_result& all, const trace_prompt& p, const position_readings& tracked,
                          const tokenizer& t) {
  const std::vector<std::int32_t>& read = all.lenses[0].layers;
  std::vector<std::size_t> layers;  // places of those that are outputs of blocks
  for (std::size_t l = 0; l < read.size(); ++l)
    if (read[l] > 0) layers.push_back(l);
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<std::map<std::int32_t, std::string>> names;
  for (const trace_reading& r : p.readings) {
    ids.push_back(likely_tokens(all, *r.result, 0));
    names.push_back(token_names(ids.back(), t));
  }
  std::string out = cat("{\"meta\":{\"version\":2,\"model\":", json_text(all.model), "},\"input\":");
  put_list(out, p.readings, [&](const trace_reading& r) { out += json_text(t.bytes(p.ids[r.position])); });
  out += ",\"layers\":";
  put_list(out, layers, [&](std::size_t l) { append_integer(out, read[l] - 1); });
  std::size_t at = 0;
  out += ",\"topk\":";
  put_list(out, layers, [&](std::size_t l) {
    at = 0;
    put_list(out, p.readings, [&](const trace_reading& r) {
      const lens_reading& lens = r.result->lenses[0];
      const std::size_t K = std::isfinite(lens.entropy[l]) ? all.top_k : 0;
      const auto& known = names[at++];
      put_list(out, std::span(lens.top).subspan(l * all.top_k, K),
               [&](std::int32_t id) { out += known.at(id); });
    });
  });
  at = 0;
  out += ",\"tracked\":";
  put_list(out, tracked, [&](const std::shared_ptr<const site_readings>& r) {
    out += '{';
    bool first = true;
    for (const std::int32_t id : ids[at]) {
      out += cat(first ? "" : ",", names[at].at(id), ":");
      first = false;
      const auto values =
          std::span(r->lenses[0].logprob).subspan(target_index(*r, id) * read.size(), read.size());
      put_list(out, layers,
               [&](std::size_t l) { put_rounded(out, std::exp(static_cast<double>(values[l]))); });
    }
    out += '}';
    ++at;
  });
  out += ",\"entropy\":";
  put_list(out, layers, [&](std::size_t l) {
    put_list(out, p.readings,
             [&](const trace_reading& r) { put_rounded(out, r.result->lenses[0].entropy[l]); });
  });
  return out + "}\n";
}

}  // namespace depthlens
