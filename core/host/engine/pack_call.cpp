// SPDX-License-Identifier: Apache-2.0
#include "engine/pack_call.hpp"

#include "depthlens/base/abi_error.hpp"
#include "process/plugin_call.hpp"

#include <algorithm>
#include <cmath>
#include <map>
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
  make_reads(work);
  make_edits(work);
  make_batch();
}

pack_call::~pack_call() {
  if (pass_ != nullptr) model_->pass_end(model_, pass_);
}

void pack_call::make_tokens(const prefix_forest& f) {
  const auto above = static_cast<std::int32_t>(pack_.ancestors.size());
  for (std::int32_t i = 0; i < above; ++i) add(f, pack_.ancestors[i], i - 1);
  for (const std::int32_t node : pack_.besides)
    add(f, node, f.parent[node] < 0 ? -1 : index_of(f, f.parent[node]));
  for (std::int32_t n = pack_.begin; n < pack_.end; ++n)
    add(f, n, f.parent[n] < 0 ? -1 : index_of(f, f.parent[n]));
}

// The index in the pack of a node that is needed there; -1 = it lies on the path that the pack continues.
std::int32_t pack_call::index_of(const prefix_forest& f, std::int32_t node) const {
  const auto above = static_cast<std::int32_t>(pack_.ancestors.size());
  const auto beside = static_cast<std::int32_t>(pack_.besides.size());
  if (node >= pack_.begin) return above + beside + (node - pack_.begin);
  const auto found = std::lower_bound(pack_.besides.begin(), pack_.besides.end(), node);
  if (found != pack_.besides.end() && *found == node)
    return above + static_cast<std::int32_t>(found - pack_.besides.begin());
  // Else it is the ancestor of the pack's first node at that position: on the path, or computed again.
  return std::max(f.position[node] - pack_.prefix_length, -1);
}

void pack_call::make_reads(const planned_work& work) {
  target_begin_.push_back(0);
  std::map<std::int32_t, std::uint32_t> read_of;  // by node
  for (const read_site& r : sites_) {
    const auto node = static_cast<std::int32_t>(r.token);
    read_of[node] = static_cast<std::uint32_t>(read_token_.size());
    read_token_.push_back(static_cast<std::uint32_t>(index_of(work.forest, node)));
    targets_.insert(targets_.end(), r.targets.begin(), r.targets.end());
    target_begin_.push_back(static_cast<std::uint32_t>(targets_.size()));
  }
  if (work.changed.against.empty()) return;
  for (const read_site& r : sites_) {
    const std::int32_t other = work.against(r);
    const auto [at, fresh] = read_of.try_emplace(other < 0 ? static_cast<std::int32_t>(r.token) : other,
                                                 static_cast<std::uint32_t>(read_token_.size()));
    against_.push_back(at->second);
    if (!fresh) continue;
    read_token_.push_back(static_cast<std::uint32_t>(index_of(work.forest, other)));
    target_begin_.push_back(static_cast<std::uint32_t>(targets_.size()));
  }
  for (auto i = static_cast<std::uint32_t>(against_.size()); i < read_token_.size(); ++i)
    against_.push_back(i);
}

// Of all tokens of the pack, also of those that are computed again.
void pack_call::make_edits(const planned_work& work) {
  const auto add_edits = [&](std::int32_t node) {
    for (const node_edit& e : work.changed.at(node)) {
      if (e.source < 0) vectors_.push_back(options_.vectors->make(*e.edit));
      edits_.push_back(
          {.size = sizeof(dlens_edit),
           .token = static_cast<std::uint32_t>(index_of(work.forest, node)),
           .layer = e.edit->layer,
           .how = e.edit->adds ? std::uint32_t{DLENS_EDIT_ADD} : std::uint32_t{DLENS_EDIT_REPLACE},
           .vector = e.source < 0 ? vectors_.back().data() : nullptr,
           .source = e.source < 0 ? 0 : static_cast<std::uint32_t>(index_of(work.forest, e.source)),
           .reserved = 0});
    }
  };
  if (work.changed.edits.empty() && against_.empty()) return;
  for (const std::int32_t node : pack_.ancestors) add_edits(node);
  for (std::int32_t node = pack_.begin; node < pack_.end; ++node) add_edits(node);
  for (const dlens_edit& e : edits_) edit_pointers_.push_back(&e);
  interventions_ = {.size = sizeof interventions_,
                    .n_edits = static_cast<std::uint32_t>(edits_.size()),
                    .edits = edit_pointers_.data(),
                    .against = against_.empty() ? nullptr : against_.data()};
}

void pack_call::add(const prefix_forest& f, std::int32_t node, std::int32_t up) {
  tokens_.push_back(f.token[node]);
  parent_.push_back(up);
  position_.push_back(f.position[node]);
  rope_long_.push_back(f.is_long(node) ? 1 : 0);
}

void pack_call::make_batch() {
  final_top_.resize(read_token_.size());
  out_.reserve(options_.lenses.size());
  views_.reserve(options_.lenses.size());
  for (const active_lens& l : options_.lenses) {
    lenses_.push_back(l.lens);
    lens_reading& b =
        out_.emplace_back(make_buffers(read_token_.size(), targets_.size(), l.n_layers, options_.top_k));
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
  const auto keep_token = static_cast<std::uint32_t>(pack_.ancestors.size() + pack_.besides.size()) +
                          static_cast<std::uint32_t>(pack_.keep < 0 ? 0 : pack_.keep - pack_.begin);
  hidden_.resize(read_token_.size() * options_.state_floats);
  const bool is_long = std::count(rope_long_.begin(), rope_long_.end(), 1) > 0;
  batch_ = {.size = sizeof(dlens_batch),
            .n_tokens = static_cast<std::uint32_t>(tokens_.size()),
            .tokens = tokens_.data(),
            .parent = parent_.data(),
            .position = position_.data(),
            .n_reads = static_cast<std::uint32_t>(read_token_.size()),
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
            .choices = make_choices(),
            .interventions = interventions_.size > 0 ? &interventions_ : nullptr};
}

// Room for the routers' choices; NULL = they are not wanted.
const dlens_choices* pack_call::make_choices() {
  const auto [n_blocks, n_used] = options_.choices;
  if (n_blocks == 0) return nullptr;
  choices_.entropy.resize(read_token_.size() * n_blocks);
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
