// SPDX-License-Identifier: Apache-2.0
#include "training/jacobian_prompts.hpp"

#include "depthlens/data/cuts.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <utility>

namespace depthlens {

jacobian_prompts read_jacobian_prompts(const jacobian_request& request, const opened_model& model) {
  const std::string file = request.text.string();
  token_sequences all = read_sequences(request.text, model, {.longest = request.tokens}).ids;
  const std::size_t shortest = request.skip_first + 2, found = all.size();
  std::erase_if(all, [&](const auto& ids) { return ids.size() < shortest; });
  if (all.empty())
    fail(status::data, file, ": none of its ", found, " stretches has the ", shortest,
         " tokens that a prompt needs: ", request.skip_first,
         " first positions (--skip), one that counts, and a last one");
  if (all.size() < found)
    log_info(cat(file, ": left out ", found - all.size(), " of ", found, " stretches, of under ", shortest,
                 " tokens each"));
  jacobian_prompts out;
  out.chosen = std::min<std::size_t>(all.size(), request.prompts);
  if (out.chosen < request.prompts)
    log_warning(cat(file, ": holds ", all.size(), " prompts, not ", request.prompts));
  cut_generator random(request.seed, 0);
  for (std::size_t i = 0; i < out.chosen; ++i) {
    std::swap(all[i], all[i + static_cast<std::size_t>(random.below(all.size() - i))]);
    if (i % request.shards == request.shard - 1) out.ids.push_back(all[i]);
  }
  if (out.ids.empty())
    fail(status::usage, "--shard ", request.shard, "/", request.shards, ": there are ", out.chosen,
         " prompts, none of them for this shard");
  return out;
}

}  // namespace depthlens
