// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_page_data.hpp"

#include "commands/json_print.hpp"
#include "commands/trace_page_names.hpp"
#include "commands/trace_page_tokens.hpp"
#include "depthlens/base/error.hpp"
#include "html/html_text.hpp"
#include "terminal/token_text.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace depthlens {
namespace {

constexpr std::size_t longest_prompt = 400;  // characters that are shown
constexpr long least_followed = 10;          // of 10,000

long ten_thousandths(double p) { return std::lround(1e4 * p); }
long ten_thousandths_of(float logprob) { return ten_thousandths(std::exp(static_cast<double>(logprob))); }

using numbers = std::vector<long>;

// One lens of one prompt.
struct plane {
  numbers top, p, rank, entropy;
  std::vector<numbers> followed;
  std::vector<long> last;  // of each followed token, the cell that was noted last

  void end_list(std::size_t length) {
    top.resize((rank.size() + 1) * length, -1);
    p.resize(top.size());
  }
  void follow(std::size_t token, long cell, long probability) {
    if (probability < least_followed) return;
    followed[token].push_back(cell - last[token]);
    followed[token].push_back(probability);
    last[token] = cell;
  }
  void follow_all(std::size_t n) {
    followed.resize(n);
    last.resize(n);
  }
};

class page_writer {
 public:
  page_writer(const trace_result& all, const std::vector<std::int32_t>& followed,
              const std::vector<position_readings>& readings, const std::vector<v2_prompt>& read,
              const tokenizer* t)
      : all_(all), followed_(followed), readings_(readings), read_(read), tokens_(t), k_(all.top_k) {
    for (const v2_prompt& p : read) k_ = std::max(k_, p.longest_list());
    headings_ = headings_of_files(all, read);
  }

  std::string write() {
    numbers followed;
    for (const std::int32_t id : followed_) followed.push_back(static_cast<long>(tokens_.number(id)));
    put("{\"model\":", script_text(shown_text(models())), ",\"version\":\"", DEPTHLENS_VERSION,
        "\",\"layers\":", all_.n_layers, ",\"k\":", k_, ",\"least\":", least_followed, ",\"lenses\":");
    put_list(out_, all_.lenses, [&](const trace_lens& l) {
      put("{\"label\":", script_text(l.label), ",\"layers\":");
      put_list(out_, l.layers, [&](std::int32_t layer) { append_integer(out_, layer); });
      out_ += '}';
    });
    put_numbers("followed", followed);
    put_numbers("pinned", pinned());
    out_ += ",\"prompts\":[";
    for (std::size_t p = 0; p < all_.prompts.size(); ++p) {
      if (p > 0) out_ += ',';
      put_prompt(all_.prompts[p], readings_[p]);
    }
    for (std::size_t p = 0; p < read_.size(); ++p) {
      if (p + all_.prompts.size() > 0) out_ += ',';
      put_read(read_[p], headings_[p]);
    }
    out_ += "],\"ids\":";
    put_list(out_, tokens_.ids(), [&](std::int32_t id) { append_integer(out_, id); });
    out_ += ",\"texts\":";
    put_list(out_, tokens_.texts(), [&](const std::string& text) { out_ += script_text(text); });
    return std::move(out_ += '}');
  }

 private:
  template <class... Parts>
  void put(const Parts&... parts) {
    out_ += cat(parts...);
  }
  void put_numbers(std::string_view name, const numbers& list) {
    put(",\"", name, "\":");
    put_list(out_, list, [&](long n) { append_integer(out_, n); });
  }
  void put_all_numbers(std::string_view name, const std::vector<numbers>& lists) {
    put(",\"", name, "\":");
    put_list(out_, lists,
             [&](const numbers& list) { put_list(out_, list, [&](long n) { append_integer(out_, n); }); });
  }
  long number(const std::string& bytes) { return static_cast<long>(tokens_.number(bytes)); }
  long number(std::int32_t id) { return static_cast<long>(tokens_.number(id)); }

  // Of all prompts, each once.
  std::string models() const {
    std::vector<std::string> names;
    if (!all_.model.empty()) names.push_back(all_.model);
    for (const v2_prompt& p : read_)
      if (std::find(names.begin(), names.end(), p.model) == names.end()) names.push_back(p.model);
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
    return out;
  }

  // The tokens that are pinned when the page opens: those asked for, or what the first prompt is answered
  // with.
  numbers pinned() {
    numbers out;
    for (const std::int32_t id : all_.targets)
      if (id >= 0) out.push_back(number(id));
    if (!out.empty()) return out;
    if (!readings_.empty() && !readings_[0].empty())
      if (const auto final = meant_token(all_, *readings_[0].back(), -1)) out.push_back(number(*final));
    if (all_.prompts.empty() && !read_.empty() && !read_[0].top.empty() && !read_[0].top.back().empty())
      out.push_back(number(read_[0].top.back()[0]));
    return out;
  }

  void put_plane(const plane& made, std::size_t lens) {
    put("{\"lens\":", lens);
    put_numbers("top", made.top);
    put_numbers("p", made.p);
    put_numbers("rank", made.rank);
    put_numbers("entropy", made.entropy);
    put_all_numbers("followed", made.followed);
  }

  void add_cell(plane& to, const site_readings& r, const lens_reading& lens, std::size_t l, std::size_t L) {
    const std::size_t K = all_.top_k;
    const bool finite = std::isfinite(lens.entropy[l]);
    for (std::size_t j = l * K; j < (l + 1) * K; ++j) {
      const bool holds = finite && lens.top[j] >= 0;
      to.top.push_back(holds ? number(lens.top[j]) : -1);
      to.p.push_back(holds ? ten_thousandths_of(lens.top_logprob[j]) : 0);
    }
    to.end_list(k_);
    const auto cell = static_cast<long>(to.rank.size());
    const bool ranked = finite && meant_token(all_, r, -1);
    to.rank.push_back(ranked ? static_cast<long>(lens.rank[target_index(r, -1) * L + l]) : 0);
    to.entropy.push_back(finite ? std::lround(100 * static_cast<double>(lens.entropy[l])) : 0);
    for (std::size_t i = 0; finite && i < followed_.size(); ++i)
      to.follow(i, cell, ten_thousandths_of(lens.logprob[target_index(r, followed_[i]) * L + l]));
  }

  void put_prompt(const trace_prompt& p, const position_readings& readings) {
    numbers shown, positions, finals;
    for (const std::int32_t id : p.ids) shown.push_back(number(id));
    for (std::size_t i = 0; i < readings.size(); ++i) {
      positions.push_back(p.readings[i].position);
      const auto final = meant_token(all_, *readings[i], -1);
      finals.push_back(final ? number(*final) : -1);
    }
    put("{\"text\":", script_text(shortened_text(shown_text(p.text), longest_prompt)));
    if (!read_.empty()) put(",\"model\":", script_text(shown_text(heading_of_command(all_, read_))));
    put_numbers("tokens", shown);
    put_numbers("positions", positions);
    put_numbers("finals", finals);
    put(",\"said\":", p.said, ",\"planes\":[");
    for (std::size_t lens = 0; lens < all_.lenses.size(); ++lens) {
      if (lens > 0) out_ += ',';
      const std::size_t L = all_.lenses[lens].layers.size();
      plane made;
      made.follow_all(followed_.size());
      for (const auto& r : readings)
        for (std::size_t l = 0; l < L; ++l) add_cell(made, *r, r->lenses[lens], l, L);
      put_plane(made, lens);
      out_ += '}';
    }
    out_ += "]}";
  }

  // Of a prompt of a file, with the tokens that are followed in it and the positions at which each is.
  void put_read(const v2_prompt& p, const std::string& heading) {
    const std::size_t L = p.layers.size();
    std::map<std::string, numbers> where;
    for (std::size_t at = 0; at < p.input.size(); ++at)
      for (const auto& [token, values] : p.tracked[at]) where[token].push_back(static_cast<long>(at));
    numbers shown, positions, finals, tracked;
    std::vector<numbers> columns;
    std::string text;
    for (std::size_t at = 0; at < p.input.size(); ++at) {
      text += p.input[at];
      shown.push_back(number(p.input[at]));
      positions.push_back(static_cast<long>(at));
      const bool known = L > 0 && !p.top[at * L + L - 1].empty();
      finals.push_back(known ? number(p.top[at * L + L - 1][0]) : -1);
    }
    for (const auto& [token, at] : where) tracked.push_back(number(token)), columns.push_back(at);
    put("{\"text\":", script_text(shortened_text(shown_text(text), longest_prompt)),
        ",\"model\":", script_text(shown_text(heading)), ",\"layers\":");
    put_list(out_, p.layers, [&](std::uint32_t layer) { append_integer(out_, layer); });
    put_numbers("tokens", shown);
    put_numbers("positions", positions);
    put_numbers("finals", finals);
    out_ += ",\"said\":0,\"planes\":[";
    put_plane(plane_of(p, where), 0);
    put_numbers("tracked", tracked);
    put_all_numbers("where", columns);
    out_ += "}]}";
  }

  plane plane_of(const v2_prompt& p, const std::map<std::string, numbers>& where) {
    const std::size_t L = p.layers.size();
    plane made;
    made.follow_all(where.size());
    for (std::size_t cell = 0; cell < p.cells(); ++cell) {
      const auto& tracked = p.tracked[cell / L];
      const auto probability = [&](const std::string& token) {
        const auto at = tracked.find(token);
        return at == tracked.end() || std::isnan(at->second[cell % L])
                   ? 0
                   : ten_thousandths(at->second[cell % L]);
      };
      const std::string& final = p.top[cell / L * L + L - 1].empty() ? "" : p.top[cell / L * L + L - 1][0];
      long rank = 0;
      for (std::size_t i = 0; i < p.top[cell].size(); ++i) {
        const std::string& token = p.top[cell][i];
        made.top.push_back(number(token));
        made.p.push_back(probability(token));
        if (rank == 0 && token == final) rank = static_cast<long>(i) + 1;
      }
      made.end_list(k_);
      made.rank.push_back(rank);
      made.entropy.push_back(std::isfinite(p.entropy[cell]) ? std::lround(100 * p.entropy[cell]) : -1);
      std::size_t i = 0;
      for (const auto& [token, columns] : where)
        made.follow(i++, static_cast<long>(cell), probability(token));
    }
    return made;
  }

  const trace_result& all_;
  const std::vector<std::int32_t>& followed_;
  const std::vector<position_readings>& readings_;
  const std::vector<v2_prompt>& read_;
  std::vector<std::string> headings_;  // of what is read
  page_tokens tokens_;
  std::size_t k_;  // length of a list on the page
  std::string out_;
};

}  // namespace

std::string trace_page_data(const trace_result& all, const std::vector<std::int32_t>& followed,
                            const std::vector<position_readings>& readings,
                            const std::vector<v2_prompt>& read, const tokenizer* t) {
  return page_writer(all, followed, readings, read, t).write();
}

}  // namespace depthlens
