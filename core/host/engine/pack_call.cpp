// SPDX-License-Identifier: Apache-2.0
#include "engine/pack_call.hpp"

#include "depthlens/base/abi_error.hpp"
#include "process/plugin_call.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace depthlens {
namespace {

bool all_finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

lens_reading make_buffers(std::size_t P, std::size_t K, std::size_t L, std::size_t top_k) {
  lens_reading r;
  r.rank.resize(K * L);
  r.ties.resize(K * L);
  r.logprob.resize(K * L);
  r.entropy.resize(P * L);
  r.kl.resize(P * L);
  r.top.resize(P * L * top_k);
  r.top_logprob.resize(P * L * top_k);
  return r;
}

// [from, to) of it.
template <class T>
std::vector<T> part(const std::vector<T>& v, std::size_t from, std::size_t to) {
  return {v.begin() + static_cast<std::ptrdiff_t>(from), v.begin() + static_cast<std::ptrdiff_t>(to)};
}

// The part of one read out of the results of a whole call.
lens_reading cut_out(const lens_reading& all, std::size_t read, std::size_t k0, std::size_t k1, std::size_t L,
                     std::size_t top_k) {
  return {.rank = part(all.rank, k0 * L, k1 * L),
          .ties = part(all.ties, k0 * L, k1 * L),
          .logprob = part(all.logprob, k0 * L, k1 * L),
          .entropy = part(all.entropy, read * L, (read + 1) * L),
          .kl = part(all.kl, read * L, (read + 1) * L),
          .top = part(all.top, read * L * top_k, (read + 1) * L * top_k),
          .top_logprob = part(all.top_logprob, read * L * top_k, (read + 1) * L * top_k)};
}

}  // namespace

pack_call::pack_call(const dlens_model* model, const planned_work& work, const pack& p,
                     const call_options& options)
    : model_(model), pack_(p), sites_(work.sites_of(p)), options_(options) {
  make_tokens(work.forest);
  make_batch();
}

pack_call::~pack_call() {
  if (pass_ != nullptr) model_->pass_end(model_, pass_);
}

void pack_call::make_tokens(const prefix_forest& f) {
  const auto above = static_cast<std::int32_t>(pack_.ancestors.size());
  for (std::int32_t i = 0; i < above; ++i) add(f, pack_.ancestors[i], i - 1);
  for (std::int32_t n = pack_.begin; n < pack_.end; ++n) {
    const std::int32_t up = f.parent[n];
    // An ancestor before the pack is the ancestor of its first node at that position: on the path that the
    // pack continues, or computed again.
    const std::int32_t again = up < 0 ? -1 : f.position[up] - pack_.prefix_length;
    add(f, n, up >= pack_.begin ? above + (up - pack_.begin) : again < 0 ? -1 : again);
  }
  target_begin_.push_back(0);
  for (const read_site& r : sites_) {
    read_token_.push_back(static_cast<std::uint32_t>(above) + r.token -
                          static_cast<std::uint32_t>(pack_.begin));
    targets_.insert(targets_.end(), r.targets.begin(), r.targets.end());
    target_begin_.push_back(static_cast<std::uint32_t>(targets_.size()));
  }
  final_top_.resize(sites_.size());
}

void pack_call::add(const prefix_forest& f, std::int32_t node, std::int32_t up) {
  tokens_.push_back(f.token[node]);
  parent_.push_back(up);
  position_.push_back(f.position[node]);
  rope_long_.push_back(f.is_long(node) ? 1 : 0);
}

void pack_call::make_batch() {
  out_.reserve(options_.lenses.size());
  views_.reserve(options_.lenses.size());
  for (const active_lens& l : options_.lenses) {
    lenses_.push_back(l.lens);
    lens_reading& b =
        out_.emplace_back(make_buffers(sites_.size(), targets_.size(), l.n_layers, options_.top_k));
    views_.push_back({.size = sizeof(dlens_readings),
                      .n_layers = static_cast<std::uint32_t>(l.n_layers),
                      .rank = b.rank.data(),
                      .ties = b.ties.data(),
                      .logprob = b.logprob.data(),
                      .entropy = b.entropy.data(),
                      .kl = b.kl.data(),
                      .top = b.top.data(),
                      .top_logprob = b.top_logprob.data()});
    view_pointers_.push_back(&views_.back());
  }
  const auto keep_token = static_cast<std::uint32_t>(pack_.ancestors.size()) +
                          static_cast<std::uint32_t>(pack_.keep < 0 ? 0 : pack_.keep - pack_.begin);
  hidden_.resize(sites_.size() * options_.state_floats);
  const bool is_long = std::count(rope_long_.begin(), rope_long_.end(), 1) > 0;
  batch_ = {.size = sizeof(dlens_batch),
            .n_tokens = static_cast<std::uint32_t>(tokens_.size()),
            .tokens = tokens_.data(),
            .parent = parent_.data(),
            .position = position_.data(),
            .n_reads = static_cast<std::uint32_t>(sites_.size()),
            .top_k = options_.top_k,
            .read_token = read_token_.data(),
            .target_begin = target_begin_.data(),
            .targets = targets_.data(),
            .n_lenses = static_cast<std::uint32_t>(lenses_.size()),
            .lenses = lenses_.data(),
            .keep_token = keep_token,
            .kept = pack_.keep < 0 ? nullptr : &kept_,
            .hidden = options_.state_floats == 0 ? nullptr : hidden_.data(),
            .rope_long = is_long ? rope_long_.data() : nullptr,
            .choices = make_choices()};
}

// Room for the routers' choices; NULL = they are not wanted.
const dlens_choices* pack_call::make_choices() {
  const auto [n_blocks, n_used] = options_.choices;
  if (n_blocks == 0) return nullptr;
  choices_.entropy.resize(sites_.size() * n_blocks);
  choices_.expert.resize(choices_.entropy.size() * n_used, -1);
  choices_.weight.resize(choices_.expert.size());
  choices_view_ = {.size = sizeof choices_view_,
                   .n_blocks = n_blocks,
                   .n_used = n_used,
                   .reserved = 0,
                   .expert = choices_.expert.data(),
                   .weight = choices_.weight.data(),
                   .entropy = choices_.entropy.data()};
  return &choices_view_;
}

dlens_prefix* pack_call::forward(const dlens_prefix* prefix) {
  if (!is_needed()) return nullptr;
  batch_.prefix = prefix;
  const plugin_call call("backend", backend_name(), "forward");
  checked_call(model_->forward, model_, &std::as_const(batch_), final_top_.data(), view_pointers_.data());
  return kept_;
}

dlens_prefix* pack_call::run_stage(std::uint32_t stage, const dlens_prefix* prefix) {
  if (!is_needed()) return nullptr;
  if (pass_ == nullptr) {
    batch_.prefix_length = static_cast<std::uint32_t>(pack_.prefix_length);
    const plugin_call call("backend", backend_name(), "pass_begin");
    checked_call(model_->pass_begin, model_, &std::as_const(batch_), final_top_.data(), view_pointers_.data(),
                 &pass_);
  }
  kept_ = nullptr;
  const plugin_call call("backend", backend_name(), "pass_run");
  checked_call(model_->pass_run, model_, pass_, stage, prefix, batch_.kept);
  return kept_;
}

std::shared_ptr<const site_readings> pack_call::result(std::size_t read) const {
  auto one = std::make_shared<site_readings>();
  one->final_top = final_top_[read];
  one->targets = sites_[read].targets;
  one->top_k = options_.top_k;
  for (std::size_t l = 0; l < options_.lenses.size(); ++l) {
    lens_reading& part =
        one->lenses.emplace_back(cut_out(out_[l], read, target_begin_[read], target_begin_[read + 1],
                                         options_.lenses[l].n_layers, options_.top_k));
    part.finite = all_finite(part.entropy) && all_finite(part.kl);
  }
  const auto& reads = sites_[read].reads;
  const auto wants_states = [&](std::size_t request) { return options_.requests[request].hidden; };
  if (std::any_of(reads.begin(), reads.end(), wants_states)) {
    const auto states = hidden_.begin() + static_cast<std::ptrdiff_t>(read * options_.state_floats);
    one->hidden.assign(states, states + static_cast<std::ptrdiff_t>(options_.state_floats));
  }
  const std::size_t X = options_.choices.n_blocks, XU = X * options_.choices.n_used;
  if (X > 0 && choices_.expert[read * XU] < 0)
    fail(status::unavailable, "backend ", backend_name(), " does not say which experts it chose");
  one->choices = {.expert = part(choices_.expert, read * XU, (read + 1) * XU),
                  .weight = part(choices_.weight, read * XU, (read + 1) * XU),
                  .entropy = part(choices_.entropy, read * X, (read + 1) * X)};
  return one;
}

}  // namespace depthlens
