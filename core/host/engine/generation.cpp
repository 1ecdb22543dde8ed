// SPDX-License-Identifier: Apache-2.0
#include "engine/generation.hpp"

#include "depthlens/base/text.hpp"
#include "engine/kept_paths.hpp"
#include "model/backend_advice.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace depthlens {

struct text_generator::batch {
  std::span<const generation_request> requests;
  std::span<const lens_slot> slots;
  std::vector<text> texts = {};  // unfinished
  bool by_lens = false;          // some lens says one of them
  // Of its distinct prompts: how many, their tokens, and how many of those all begin with.
  std::size_t n_prompts = 0, prompt_tokens = 0, in_common = 0;
  std::size_t said_tokens = 0;  // at most

  // Most tokens that are kept of it at a time.
  std::size_t kept_tokens() const { return kept_tokens(n_prompts, prompt_tokens, in_common, said_tokens); }
  // The same with one more prompt.
  std::size_t kept_tokens_with(const generation_request& r) const {
    return kept_tokens(n_prompts + 1, prompt_tokens + r.ids.size(), common_with(r), said_tokens + r.n_tokens);
  }
  // In order of prompts.
  void add(const text& t, bool same_prompt) {
    const generation_request& r = requests[t.request];
    if (!same_prompt) {
      in_common = common_with(r);
      ++n_prompts;
      prompt_tokens += r.ids.size();
    }
    by_lens |= r.lens >= 0;
    said_tokens += r.n_tokens;
    texts.push_back(t);
  }

 private:
  // Prompts come in order: what the first and this one begin with, all do.
  std::size_t common_with(const generation_request& r) const {
    const std::vector<std::int32_t>& first = texts.empty() ? r.ids : requests[texts.front().request].ids;
    return static_cast<std::size_t>(
        std::mismatch(first.begin(), first.end(), r.ids.begin(), r.ids.end()).first - first.begin());
  }
  static std::size_t kept_tokens(std::size_t n_prompts, std::size_t prompt_tokens, std::size_t in_common,
                                 std::size_t said_tokens) {
    return prompt_tokens + said_tokens - (n_prompts > 1 ? (n_prompts - 1) * in_common : 0);
  }
};

text_generator::text_generator(const dlens_model* model, std::vector<active_lens> lenses, active_lens output,
                               const work_rules& rules, evaluator reads, text_ends ends)
    : model_(model),
      lenses_(std::move(lenses)),
      output_(output),
      rules_(combine(rules, advice_of(model), read_cost{})),
      keeps_paths_(model->prefix_release != nullptr && advice_of(model).stages == 0 &&
                   rules_.kept_tokens > 0),
      reads_(std::move(reads)),
      ends_(std::move(ends)) {}

bool text_generator::is_over(const generation_request& asked, const std::vector<std::int32_t>& said) const {
  return said.size() == asked.n_tokens || asked.ids.size() + said.size() >= ends_.max_positions ||
         (!said.empty() &&
          std::find(ends_.tokens.begin(), ends_.tokens.end(), said.back()) != ends_.tokens.end());
}

void text_generator::run(std::span<const generation_request> requests, std::span<const lens_slot> slots,
                         const on_text& done, const on_step& at_step, const std::atomic<bool>& stop) const {
  std::vector<std::size_t> order(requests.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return requests[a].ids < requests[b].ids; });
  batch b{.requests = requests, .slots = slots};
  const auto flush = [&] {
    if (!b.texts.empty() && !stop) run_batch(b, done, at_step, stop);
    b = {.requests = requests, .slots = slots};
  };
  const std::vector<std::int32_t>* last = nullptr;
  for (const std::size_t i : order) {
    const generation_request& r = requests[i];
    std::size_t row = 0;
    if (r.lens >= 0) {
      const lens_slot& slot = slots[static_cast<std::size_t>(r.lens)];
      const auto at = std::find(slot.layers.begin(), slot.layers.end(), r.layer);
      if (slot.result < 0 || slot.of_control || at == slot.layers.end()) {
        done(i, {}, true);
        continue;
      }
      row = static_cast<std::size_t>(at - slot.layers.begin());
    }
    const bool same_prompt = last != nullptr && *last == r.ids;
    if (!same_prompt && b.kept_tokens_with(r) > rules_.kept_tokens) flush();
    b.add({.request = i, .row = row, .ids = {}}, same_prompt && !b.texts.empty());
    last = &r.ids;
  }
  flush();
}

// A batch of one prompt may need more than can be kept.
void text_generator::run_batch(batch& b, const on_text& done, const on_step& at_step,
                               const std::atomic<bool>& stop) const {
  std::optional<kept_paths> kept;
  if (keeps_paths_ && b.kept_tokens() <= rules_.kept_tokens)
    kept.emplace(model_, b.by_lens ? lenses_ : std::vector<active_lens>{}, output_, rules_);
  for (std::size_t step = 1; !b.texts.empty() && !stop; ++step) {
    at_step(cat("token ", step, ", ", b.texts.size(), b.texts.size() == 1 ? " text" : " texts"));
    paths wanted;
    std::vector<paths::iterator> path_of;
    for (const text& t : b.texts) {
      std::vector<std::int32_t> path = b.requests[t.request].ids;
      path.insert(path.end(), t.ids.begin(), t.ids.end());
      path_of.push_back(wanted.try_emplace(std::move(path)).first);
    }
    if (kept)
      kept->read(wanted, stop);
    else
      evaluate(wanted, b.by_lens);
    if (stop) return;
    std::vector<text> open;
    for (std::size_t i = 0; i < b.texts.size(); ++i) {
      text& t = b.texts[i];
      const generation_request& asked = b.requests[t.request];
      const next_tokens& next = path_of[i]->second;
      const int result = asked.lens < 0 ? -1 : b.slots[static_cast<std::size_t>(asked.lens)].result;
      const std::int32_t said =
          result < 0 ? next.final_top : next.by_lens[static_cast<std::size_t>(result)][t.row];
      if (said >= 0) t.ids.push_back(said);
      if (said < 0 || is_over(asked, t.ids))
        done(t.request, std::move(t.ids), said >= 0);
      else
        open.push_back(std::move(t));
    }
    b.texts = std::move(open);
  }
}

void text_generator::evaluate(paths& wanted, bool by_lens) const {
  std::vector<std::vector<std::int32_t>> sequences;
  std::vector<read_request> requests;
  std::vector<next_tokens*> next;
  for (auto& [ids, said] : wanted) {
    requests.push_back({.sequence = static_cast<std::uint32_t>(sequences.size()),
                        .position = static_cast<std::uint32_t>(ids.size() - 1),
                        .targets = {},
                        .top_k = 1,
                        .output_only = !by_lens});
    sequences.push_back(ids);
    next.push_back(&said);
  }
  reads_.run({sequences, requests}, [&](std::size_t request, std::shared_ptr<const site_readings> r) {
    next_tokens& to = *next[request];
    bool finite = true;  // the model's own output
    for (const lens_reading& lens : r->lenses) {
      std::vector<std::int32_t>& guesses = to.by_lens.emplace_back();
      for (std::size_t l = 0; l < lens.entropy.size(); ++l) {
        const bool is_number = std::isfinite(lens.entropy[l]);
        guesses.push_back(is_number ? lens.top[l * r->top_k] : -1);
        finite = finite && (!is_number || std::isfinite(lens.kl[l]));  // KL is of both
      }
      finite = finite && std::any_of(guesses.begin(), guesses.end(), [](auto id) { return id >= 0; });
    }
    to.final_top = finite ? r->final_top : -1;
  });
}

}  // namespace depthlens
