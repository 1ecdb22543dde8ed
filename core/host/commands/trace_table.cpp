// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_table.hpp"

#include "commands/trace_json.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "terminal/shades.hpp"
#include "terminal/token_text.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <span>
#include <sstream>

namespace depthlens {
namespace {

constexpr std::size_t token_width = 12, numbers_width = 50, most_tokens = 5;

// How many tokens of each layer are shown.
std::size_t tokens_in_a_row(std::size_t top_k, const table_look& look) {
  const std::size_t n = std::min(top_k, most_tokens);
  if (look.columns == 0 || n == 0) return n;
  const std::size_t left = look.columns > numbers_width ? look.columns - numbers_width : 0;
  return std::clamp<std::size_t>((left + 1) / (token_width + 1), 1, n);
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

std::string target_line(const trace_result& all, const trace_prompt& p, const trace_reading& r,
                        std::int32_t wanted, const tokenizer& t) {
  const std::string after =
      cat("position ", r.position, " after \"", visible_line(t.bytes(p.ids[r.position])), "\", target ");
  const auto token = meant_token(all, *r.result, wanted);
  if (!token) return after + "unknown: the output is not finite\n";
  return cat(after, '"', visible_line(t.bytes(*token)), "\" (", *token, ")\n");
}

// All layers of one lens at one position, as to one target.
void print_layers(std::ostream& out, const trace_result& all, const trace_lens& read,
                  const lens_reading& lens, std::size_t target, const tokenizer& t, const table_look& look) {
  const std::size_t L = read.layers.size(), K = all.top_k, n = tokens_in_a_row(K, look);
  out << "layer     rank  logprob  entropy      kl" << (K > 0 ? "    prob" : "") << "  top\n";
  for (std::size_t l = L; l-- > 0;) {
    const std::size_t at = target * L + l;
    out << std::setw(5) << read.layers[l];
    if (!std::isfinite(lens.entropy[l] + lens.kl[l] + lens.logprob[at])) {
      out << "   not finite: NaN or infinity\n";
      continue;
    }
    out << std::setw(9) << lens.rank[at] << std::fixed << std::setprecision(3) << std::setw(9)
        << lens.logprob[at] << std::setw(9) << lens.entropy[l] << std::setw(8) << lens.kl[l];
    if (K > 0) out << std::setw(8) << std::exp(lens.top_logprob[l * K]);
    out << "  ";
    for (std::size_t j = 0; j < n; ++j) {
      const std::string text = column_text(shown_token(t.bytes(lens.top[l * K + j])), token_width);
      out << (look.shades ? shaded(text, std::exp(lens.top_logprob[l * K + j])) : text) << ' ';
    }
    out << '\n';
  }
}

}  // namespace

std::string trace_table(const trace_result& all, const trace_prompt& p, const tokenizer& t,
                        const table_look& look) {
  std::ostringstream out;
  if (all.prompts.size() > 1) out << "prompt \"" << visible_line(p.text) << "\"\n";
  if (p.readings.empty()) out << "the prompt has no tokens\n";
  if (p.said > 0) out << "the model says \"" << visible_line(said_text(p, t)) << "\"\n";
  for (const trace_reading& r : p.readings) {
    for (std::size_t x = 0; x < all.lenses.size(); ++x)
      for (const std::int32_t wanted : all.targets) {
        if (all.lenses.size() > 1) out << "lens " << all.lenses[x].label << ", ";
        out << target_line(all, p, r, wanted, t);
        print_layers(out, all, all.lenses[x], r.result->lenses[x], target_index(*r.result, wanted), t, look);
      }
    if (!all.experts.empty()) print_experts(out, all, r.result->choices);
  }
  if (look.shades && all.top_k > 0 && !p.readings.empty()) out << shade_legend() << '\n';
  if (p.patch) print_patch(out, *p.patch, all.top_k, t);
  return std::move(out).str();
}

}  // namespace depthlens
