// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_page_data.hpp"

#include "commands/json_print.hpp"
#include "depthlens/base/error.hpp"
#include "html/html_text.hpp"
#include "terminal/token_text.hpp"

#include <cmath>
#include <unordered_map>

namespace depthlens {
namespace {

constexpr std::size_t longest_token = 64, longest_prompt = 400;  // characters that are shown
constexpr long least_followed = 10;                              // of 10,000

long ten_thousandths(float logprob) { return std::lround(1e4 * std::exp(static_cast<double>(logprob))); }

// The tokens of a page, numbered as they are met.
class page_tokens {
 public:
  std::size_t number(std::int32_t id) {
    const auto [at, added] = numbers_.emplace(id, ids_.size());
    if (added) ids_.push_back(id);
    return at->second;
  }
  const std::vector<std::int32_t>& ids() const { return ids_; }

 private:
  std::unordered_map<std::int32_t, std::size_t> numbers_;
  std::vector<std::int32_t> ids_;
};

using numbers = std::vector<long>;

void put_numbers(std::string& out, std::string_view name, const numbers& list) {
  out += cat(",\"", name, "\":");
  put_list(out, list, [&](long n) { append_integer(out, n); });
}

// One lens of one prompt.
struct plane {
  numbers top, p, rank, entropy;
  std::vector<numbers> followed;
  std::vector<long> last;  // of each followed token, the cell that was noted last
};

void add_followed(plane& to, const site_readings& r, const lens_reading& lens, std::size_t l, std::size_t L,
                  const std::vector<std::int32_t>& followed) {
  const auto cell = static_cast<long>(to.rank.size()) - 1;
  for (std::size_t i = 0; i < followed.size(); ++i) {
    const long p = ten_thousandths(lens.logprob[target_index(r, followed[i]) * L + l]);
    if (p < least_followed) continue;
    to.followed[i].push_back(cell - to.last[i]);
    to.followed[i].push_back(p);
    to.last[i] = cell;
  }
}

void add_cell(plane& to, const trace_result& all, const site_readings& r, const lens_reading& lens,
              std::size_t l, std::size_t L, const std::vector<std::int32_t>& followed, page_tokens& tokens) {
  const std::size_t K = all.top_k;
  const bool finite = std::isfinite(lens.entropy[l]);
  for (std::size_t j = l * K; j < (l + 1) * K; ++j) {
    const bool holds = finite && lens.top[j] >= 0;
    to.top.push_back(holds ? static_cast<long>(tokens.number(lens.top[j])) : -1);
    to.p.push_back(holds ? ten_thousandths(lens.top_logprob[j]) : 0);
  }
  const bool ranked = finite && meant_token(all, r, -1);
  to.rank.push_back(ranked ? static_cast<long>(lens.rank[target_index(r, -1) * L + l]) : 0);
  to.entropy.push_back(finite ? std::lround(100 * static_cast<double>(lens.entropy[l])) : 0);
  if (finite) add_followed(to, r, lens, l, L, followed);
}

void put_plane(std::string& out, const trace_result& all, std::size_t lens, const position_readings& readings,
               const std::vector<std::int32_t>& followed, page_tokens& tokens) {
  const std::size_t L = all.lenses[lens].layers.size();
  plane made;
  made.followed.resize(followed.size());
  made.last.resize(followed.size());
  for (const auto& r : readings)
    for (std::size_t l = 0; l < L; ++l) add_cell(made, all, *r, r->lenses[lens], l, L, followed, tokens);
  out += "{\"lens\":" + std::to_string(lens);
  put_numbers(out, "top", made.top);
  put_numbers(out, "p", made.p);
  put_numbers(out, "rank", made.rank);
  put_numbers(out, "entropy", made.entropy);
  out += ",\"followed\":";
  put_list(out, made.followed,
           [&](const numbers& list) { put_list(out, list, [&](long n) { append_integer(out, n); }); });
  out += '}';
}

void put_prompt(std::string& out, const trace_result& all, const trace_prompt& p,
                const position_readings& readings, const std::vector<std::int32_t>& followed,
                page_tokens& tokens) {
  numbers shown, positions, finals;
  for (const std::int32_t id : p.ids) shown.push_back(static_cast<long>(tokens.number(id)));
  for (std::size_t i = 0; i < readings.size(); ++i) {
    positions.push_back(p.readings[i].position);
    const auto final = meant_token(all, *readings[i], -1);
    finals.push_back(final ? static_cast<long>(tokens.number(*final)) : -1);
  }
  out += "{\"text\":" + script_text(shortened_text(shown_text(p.text), longest_prompt));
  put_numbers(out, "tokens", shown);
  put_numbers(out, "positions", positions);
  put_numbers(out, "finals", finals);
  out += cat(",\"said\":", p.said, ",\"planes\":[");
  for (std::size_t lens = 0; lens < all.lenses.size(); ++lens) {
    if (lens > 0) out += ',';
    put_plane(out, all, lens, readings, followed, tokens);
  }
  out += "]}";
}

// The tokens that are pinned when the page opens: those asked for, or what the first prompt is answered with.
numbers pinned(const trace_result& all, const std::vector<position_readings>& readings, page_tokens& tokens) {
  numbers out;
  for (const std::int32_t id : all.targets)
    if (id >= 0) out.push_back(static_cast<long>(tokens.number(id)));
  if (!out.empty() || readings.empty() || readings[0].empty()) return out;
  if (const auto final = meant_token(all, *readings[0].back(), -1))
    out.push_back(static_cast<long>(tokens.number(*final)));
  return out;
}

}  // namespace

std::string trace_page_data(const trace_result& all, const std::vector<std::int32_t>& followed,
                            const std::vector<position_readings>& readings, const tokenizer& t) {
  page_tokens tokens;
  numbers followed_numbers;
  for (const std::int32_t id : followed) followed_numbers.push_back(static_cast<long>(tokens.number(id)));
  std::string out = cat("{\"model\":", script_text(shown_text(all.model)), ",\"version\":\"",
                        DEPTHLENS_VERSION, "\",\"layers\":", all.n_layers, ",\"k\":", all.top_k,
                        ",\"least\":", least_followed, ",\"lenses\":");
  put_list(out, all.lenses, [&](const trace_lens& l) {
    out += cat("{\"label\":", script_text(l.label), ",\"layers\":");
    put_list(out, l.layers, [&](std::int32_t layer) { append_integer(out, layer); });
    out += '}';
  });
  put_numbers(out, "followed", followed_numbers);
  put_numbers(out, "pinned", pinned(all, readings, tokens));
  out += ",\"prompts\":[";
  for (std::size_t p = 0; p < all.prompts.size(); ++p) {
    if (p > 0) out += ',';
    put_prompt(out, all, all.prompts[p], readings[p], followed, tokens);
  }
  out += "],\"ids\":";
  put_list(out, tokens.ids(), [&](std::int32_t id) { append_integer(out, id); });
  out += ",\"texts\":";
  put_list(out, tokens.ids(), [&](std::int32_t id) {
    out += script_text(shortened_text(shown_token(t.bytes(id)), longest_token));
  });
  return out + '}';
}

}  // namespace depthlens
