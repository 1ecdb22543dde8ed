// SPDX-License-Identifier: Apache-2.0
// Texts that go on by themselves: the likeliest token at the end of a sequence is put behind it, again and
// again. All texts go on together, token by token, and equal ones are one. Where weights are held and the
// backend keeps paths, each token is computed behind the path that was kept of those before it; else every
// token is an evaluation of its own, in which prompts share what they begin with.
#pragma once

#include "engine/evaluator.hpp"
#include "engine/lens_slot.hpp"
#include "engine/pack_rules.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

constexpr std::uint32_t most_generated = 4096;  // tokens of a text

struct generation_request {
  std::vector<std::int32_t> ids;  // of the prompt
  std::uint32_t n_tokens = 0;     // at most
  std::int32_t lens = -1;         // of the run, that says the next token at `layer`; -1 = the model does
  std::int32_t layer = 0;
};

// What comes next behind a sequence; -1 where there are no finite logits.
struct next_tokens {
  std::int32_t final_top = -1;
  std::vector<std::vector<std::int32_t>> by_lens;  // (lenses read) the top-1 of each of its layers
};

// What ends a text.
struct text_ends {
  std::vector<std::int32_t> tokens;  // that the model says when it has said all
  std::uint32_t max_positions = 0;
};

class text_generator {
 public:
  // The lenses that are read, by lens_slot::result, and one that reads layer n alone. `reads` reads them too.
  text_generator(const dlens_model* model, std::vector<active_lens> lenses, active_lens output,
                 const work_rules& rules, evaluator reads, text_ends ends);

  // Called from the calling thread, once for each request; the token that ended the text is its last one. Not
  // finite: the text ends where there were no finite logits.
  using on_text = std::function<void(std::size_t request, std::vector<std::int32_t> ids, bool finite)>;
  // "token 3, 128 texts"
  using on_step = std::function<void(std::string where)>;
  // slots: of the run's lenses. Requests by a lens or layer that is not read get no tokens. Returns early
  // when `stop` is set; requests that are not finished are not answered then.
  void run(std::span<const generation_request> requests, std::span<const lens_slot> slots,
           const on_text& done, const on_step& at_step, const std::atomic<bool>& stop) const;

 private:
  struct text {
    std::size_t request;
    std::size_t row = 0;  // of its layer in the readings of its lens
    std::vector<std::int32_t> ids;
  };
  struct batch;
  using paths = std::map<std::vector<std::int32_t>, next_tokens>;

  void run_batch(batch& b, const on_text& done, const on_step& at_step, const std::atomic<bool>& stop) const;
  void evaluate(paths& wanted, bool by_lens) const;
  bool is_over(const generation_request& asked, const std::vector<std::int32_t>& said) const;

  const dlens_model* model_;
  std::vector<active_lens> lenses_;
  active_lens output_;
  pack_rules rules_;
  bool keeps_paths_;
  evaluator reads_;
  text_ends ends_;
};

}  // namespace depthlens
