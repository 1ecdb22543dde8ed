// SPDX-License-Identifier: Apache-2.0
#include "engine/kept_paths.hpp"

#include "depthlens/base/abi_error.hpp"
#include "process/plugin_call.hpp"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace depthlens {
namespace {

// A shorter beginning is not worth a call of its own.
constexpr std::size_t shortest_trunk = 16;

std::size_t length_in_common(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// The readings of one position without targets, of which the likeliest tokens alone are wanted.
struct top_buffers {
  explicit top_buffers(std::uint32_t n_layers)
      : entropy(n_layers), kl(n_layers), logprob(n_layers), top(n_layers) {
    c = {.size = sizeof c,
         .n_layers = n_layers,
         .rank = &unused,
         .ties = &unused,
         .logprob = &no_target,
         .entropy = entropy.data(),
         .kl = kl.data(),
         .top = top.data(),
         .top_logprob = logprob.data()};
  }
  top_buffers(const top_buffers&) = delete;

  // -1 where a layer has no finite logits.
  std::vector<std::int32_t> guesses() const {
    std::vector<std::int32_t> out = top;
    for (std::size_t l = 0; l < out.size(); ++l)
      if (!std::isfinite(entropy[l])) out[l] = -1;
    return out;
  }

  std::vector<float> entropy, kl, logprob;
  std::vector<std::int32_t> top;
  std::uint32_t unused = 0;
  float no_target = 0;
  dlens_readings c{};
};

}  // namespace

kept_paths::kept_paths(const dlens_model* model, std::vector<active_lens> lenses, active_lens output,
                       const pack_rules& rules)
    : model_(model), lenses_(std::move(lenses)), rules_(rules) {
  lenses_.push_back(output);
}

// Computes ids, which stand at `begin` and follow each other, behind the path; next: what comes behind the
// last of them, null = not wanted.
kept_paths::held kept_paths::forward(std::span<const std::int32_t> ids, std::size_t begin,
                                     const dlens_prefix* prefix, bool is_long, next_tokens* next) const {
  std::vector<std::int32_t> parent(ids.size()), position(ids.size());
  std::iota(parent.begin(), parent.end(), -1);
  std::iota(position.begin(), position.end(), static_cast<std::int32_t>(begin));
  const std::vector<std::uint8_t> rope_long(ids.size(), 1);
  const auto last = static_cast<std::uint32_t>(ids.size() - 1);
  const std::uint32_t target_begin[] = {0, 0};
  std::vector<std::unique_ptr<top_buffers>> buffers;
  std::vector<const dlens_readings*> readings;
  std::vector<const dlens_lens*> lenses;
  for (const active_lens& lens : lenses_) {
    if (next == nullptr) break;
    buffers.push_back(std::make_unique<top_buffers>(lens.n_layers));
    readings.push_back(&buffers.back()->c);
    lenses.push_back(lens.lens);
  }
  dlens_prefix* kept = nullptr;
  const dlens_batch batch = {.size = sizeof batch,
                             .n_tokens = static_cast<std::uint32_t>(ids.size()),
                             .tokens = ids.data(),
                             .parent = parent.data(),
                             .position = position.data(),
                             .n_reads = next != nullptr ? 1U : 0U,
                             .top_k = 1,
                             .read_token = &last,
                             .target_begin = target_begin,
                             .targets = parent.data(),
                             .n_lenses = static_cast<std::uint32_t>(lenses.size()),
                             .reserved = 0,
                             .lenses = lenses.data(),
                             .prefix = prefix,
                             .keep_token = last,
                             .prefix_length = 0,
                             .kept = &kept,
                             .hidden = nullptr,
                             .rope_long = is_long ? rope_long.data() : nullptr,
                             .choices = nullptr,
                             .interventions = nullptr};
  std::int32_t final_top = -1;
  {
    const plugin_call call("backend", backend_name(), "forward");
    checked_call(model_->forward, model_, &batch, &final_top, readings.data());
  }
  held out(kept, release{model_});
  if (next == nullptr) return out;
  next->by_lens.clear();
  for (const auto& b : buffers) next->by_lens.push_back(b->guesses());
  next->final_top = next->by_lens.back()[0] < 0 ? -1 : final_top;
  next->by_lens.pop_back();
  return out;
}

// The path of the first `end` of ids, in calls of packs' size.
kept_paths::kept_path kept_paths::go_on(const std::vector<std::int32_t>& ids, std::size_t end,
                                        const kept_path* from, bool is_long, next_tokens* next) const {
  kept_path out{
      .prefix = held(nullptr, release{model_}), .length = from ? from->length : 0, .is_long = is_long};
  while (out.length < end) {
    const dlens_prefix* prefix = out.prefix ? out.prefix.get() : from ? from->prefix.get() : nullptr;
    const std::size_t to = std::min(end, out.length + rules_.pack_tokens);
    out.prefix = forward(std::span(ids).subspan(out.length, to - out.length), out.length, prefix, is_long,
                         to == end ? next : nullptr);
    out.length = to;
  }
  return out;
}

// The longest kept path that the sequence goes on from, of the same form; null = none. At least its last
// token is left to compute.
const kept_paths::kept_path* kept_paths::start_of(const std::vector<std::int32_t>& ids) const {
  const bool form = is_long(ids.size());
  const auto before = ends_.find({ids.begin(), ids.end() - 1});
  if (before != ends_.end() && before->second.is_long == form) return &before->second;
  const bool on_trunk = trunk_.length > 0 && trunk_.length < ids.size() && trunk_.is_long == form &&
                        std::equal(trunk_ids_.begin(), trunk_ids_.end(), ids.begin());
  return on_trunk ? &trunk_ : nullptr;
}

void kept_paths::make_trunk(const std::map<std::vector<std::int32_t>, next_tokens>& wanted) {
  if (wanted.size() < 2) return;
  // Keys are in order: what first and last have in common, all have.
  const std::vector<std::int32_t>& first = wanted.begin()->first;
  std::size_t n = std::min(length_in_common(first, wanted.rbegin()->first), first.size() - 1);
  const bool form = is_long(first.size());
  for (const auto& [ids, next] : wanted)
    if (is_long(ids.size()) != form) n = 0;
  if (n < shortest_trunk) return;
  trunk_ids_.assign(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(n));
  trunk_ = go_on(trunk_ids_, n, nullptr, form, nullptr);
}

void kept_paths::read(std::map<std::vector<std::int32_t>, next_tokens>& wanted,
                      const std::atomic<bool>& stop) {
  if (ends_.empty()) make_trunk(wanted);
  std::vector<std::map<std::vector<std::int32_t>, next_tokens>::value_type*> list;
  for (auto& entry : wanted) list.push_back(&entry);
  std::vector<kept_path> made(list.size());
  tbb::task_arena arena(static_cast<int>(rules_.threads));
  arena.execute([&] {
    tbb::parallel_for(
        std::size_t{0}, list.size(),
        [&](std::size_t i) {
          if (stop) return;
          const std::vector<std::int32_t>& ids = list[i]->first;
          made[i] = go_on(ids, ids.size(), start_of(ids), is_long(ids.size()), &list[i]->second);
        },
        tbb::simple_partitioner());
  });
  ends_.clear();
  for (std::size_t i = 0; i < list.size(); ++i)
    if (made[i].length > 0) ends_.emplace(list[i]->first, std::move(made[i]));
}

}  // namespace depthlens
