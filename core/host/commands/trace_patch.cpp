// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_patch.hpp"

#include "commands/json_print.hpp"
#include "commands/trace_result.hpp"
#include "depthlens/base/text.hpp"
#include "terminal/token_text.hpp"

#include <algorithm>
#include <iomanip>
#include <span>
#include <utility>

namespace depthlens {
namespace {

using ids = std::vector<std::int32_t>;

std::uint32_t last_of(const ids& prompt) { return static_cast<std::uint32_t>(prompt.size() - 1); }

// The final outputs' top-1.
std::vector<std::int32_t> tops_of(const evaluator& run, const std::vector<ids>& prompts) {
  std::vector<read_request> reads;
  for (std::uint32_t i = 0; i < prompts.size(); ++i)
    reads.push_back({.sequence = i, .position = last_of(prompts[i]), .targets = {}, .output_only = true});
  std::vector<std::int32_t> out(prompts.size());
  run.run({prompts, reads}, [&](std::size_t request, const std::shared_ptr<const site_readings>& r) {
    out[request] = r->final_top;
  });
  return out;
}

// A token's rank and log-probability after the patch.
std::pair<std::uint32_t, float> of_token(const site_readings& r, std::int32_t token) {
  const std::size_t k = target_index(r, token);
  return {r.lenses[0].rank[k], r.lenses[0].logprob[k]};
}

// Its end, where the state is taken, and what fits of the rest.
std::string shortened(const std::string& text) {
  constexpr std::size_t most = 60;
  std::size_t at = text.size() > most ? text.size() - most : 0;
  while (at < text.size() && at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return at > 0 ? "..." + text.substr(at) : text;
}

template <class T>
std::span<const T> first(const std::vector<T>& all, std::uint32_t n) {
  return std::span(all).first(std::min<std::size_t>(all.size(), n));
}

}  // namespace

trace_patch read_patch(const evaluator& run, const std::string& source, ids source_ids, const ids& target,
                       std::uint32_t n_layers, std::uint32_t top_k) {
  const std::vector<std::int32_t> tops = tops_of(run, {source_ids, target});
  trace_patch out{.source = source,
                  .source_ids = std::move(source_ids),
                  .source_top = tops[0],
                  .target_top = tops[1],
                  .layers = std::vector<std::shared_ptr<const site_readings>>(n_layers)};
  std::vector<ids> sequences{out.source_ids, target};
  std::vector<std::vector<state_edit>> edits(2);
  const std::uint32_t at = last_of(target);
  std::vector<read_request> reads{{.sequence = 1, .position = at, .targets = {}, .output_only = true}};
  for (std::uint32_t layer = 0; layer < n_layers; ++layer) {
    reads.push_back({.sequence = static_cast<std::uint32_t>(sequences.size()),
                     .position = at,
                     .targets = {out.source_top, out.target_top},
                     .top_k = top_k,
                     .output_only = true,
                     .against = 0});
    sequences.push_back(target);
    edits.push_back({{.position = at, .layer = layer, .from = {{0, last_of(out.source_ids)}}, .vector = {}}});
  }
  run.run({sequences, reads, edits}, [&](std::size_t request, std::shared_ptr<const site_readings> r) {
    if (request > 0) out.layers[request - 1] = std::move(r);
  });
  return out;
}

void put_patch(std::string& out, const trace_patch& p, std::uint32_t top_k, const tokenizer& t) {
  out += cat(",\"patch\":{\"source\":", json_text(p.source), ",\"source_ids\":");
  put_list(out, p.source_ids, [&](std::int32_t id) { append_integer(out, id); });
  for (const auto& [name, token] : {std::pair("source_top", p.source_top), {"target_top", p.target_top}})
    out += cat(",\"", name, "\":", token, ",\"", name, "_text\":", json_text(t.bytes(token)));
  out += ",\"layers\":";
  std::uint32_t layer = 0;
  put_list(out, p.layers, [&](const std::shared_ptr<const site_readings>& run) {
    const lens_reading& r = run->lenses[0];
    out += cat("{\"layer\":", layer++, ",\"top\":");
    put_list(out, first(r.top, top_k), [&](std::int32_t id) { append_integer(out, id); });
    out += ",\"top_text\":";
    put_list(out, first(r.top, top_k), [&](std::int32_t id) { out += json_text(t.bytes(id)); });
    out += ",\"top_logprob\":";
    put_list(out, first(r.top_logprob, top_k), [&](float v) { put(out, v); });
    for (const auto& [name, token] : {std::pair("source_top", p.source_top), {"target_top", p.target_top}}) {
      const auto [rank, logprob] = of_token(*run, token);
      out += cat(",\"rank_", name, "\":", rank, ",\"logprob_", name, "\":");
      put(out, logprob);
    }
    out += ",\"kl_from_target\":";
    put(out, r.kl[0]);
    out += '}';
  });
  out += '}';
}

void print_patch(std::ostream& out, const trace_patch& p, std::uint32_t top_k, const tokenizer& t) {
  constexpr std::size_t column_width = 12;
  const auto quoted = [&](std::int32_t id) { return cat('"', visible_line(t.bytes(id)), "\" (", id, ')'); };
  out << "patched with the state of \"" << shortened(visible_line(p.source)) << "\", which is answered with "
      << quoted(p.source_top) << ", this prompt with " << quoted(p.target_top)
      << "; layer: the block that the state enters\n       source's answer  target's answer\n"
      << "layer     rank  logprob     rank  logprob      kl  top\n";
  for (std::size_t i = p.layers.size(); i-- > 0;) {
    const lens_reading& r = p.layers[i]->lenses[0];
    out << std::setw(5) << i << std::fixed << std::setprecision(3);
    for (const std::int32_t token : {p.source_top, p.target_top}) {
      const auto [rank, logprob] = of_token(*p.layers[i], token);
      out << std::setw(9) << rank << std::setw(9) << logprob;
    }
    out << std::setw(8) << r.kl[0] << "  ";
    for (const std::int32_t id : first(r.top, std::min(top_k, 5u)))
      out << column_text(shown_token(t.bytes(id)), column_width) << ' ';
    out << '\n';
  }
}

}  // namespace depthlens
