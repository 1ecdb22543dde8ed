// SPDX-License-Identifier: Apache-2.0
#include "block.hpp"

#include "delta_rule.hpp"

#include <algorithm>
#include <utility>

namespace depthlens::cpu {

block_run::block_run(const model& m, block_call& call, std::uint32_t layer, const block_output& out)
    : model_(m),
      call_(call),
      p_(call.p),
      layer_(layer),
      shape_(m.arch().blocks[layer]),
      w_(m.weights().blocks[layer]),
      out_(out),
      tools_{m.kernels(), m.held(), call.scratch},
      together_(out.h.n == call.p.stream.n && !shape_.shares_kv(layer)) {}

void block_run::run() {
  const float_rows mixed = shape_.delta ? run_delta_rule() : attend();
  if (shape_.experts) {
    add_experts(mixed);
  } else {
    add_dense(mixed);
  }
  if (model_.arch().layer_inputs) add_layer_inputs();
  if (shape_.form.output_scale != 1)
    tools_.kernels.scale(out_.h.data, static_cast<float>(shape_.form.output_scale), out_.h.n * out_.h.width);
}

float_rows block_run::run_delta_rule() {
  const kept_path* const prefix = call_.prefix.get();
  delta_rule rule(tools_, w_, *shape_.delta, p_.tree, prefix, layer_);
  const float_rows all = rule.run(p_.stream);
  if (call_.kept) rule.keep(p_.kept_tokens, call_.kept->begin, call_.kept->layers[call_.slot(layer_)]);
  if (out_.h.n == all.n) return all;
  for (std::size_t i = 0; i < p_.site_tokens.size(); ++i)  // ascending: none is needed any more
    if (p_.site_tokens[i] != i) std::copy_n(all.row(p_.site_tokens[i]), all.width, all.row(i));
  return all.part({0, out_.h.n});
}

// In a parallel block without a norm of its own the channel part sees what the mixer saw.
const norm_weights& block_run::channel_norm() const {
  const bool shared = shape_.form.form == DLENS_BLOCK_PARALLEL && !w_.ffn_norm.present();
  return shared ? w_.attn_norm : w_.ffn_norm;
}

// h += W_o mixed, of some rows.
void block_run::add_mixed(const float_rows& mixed, row_range rows) {
  const float_rows h = out_.h.part(rows);
  const float_rows values = tools_.product(w_.o, mixed.part(rows));
  tools_.add_normed(w_.attn_post_norm, values, shape_.form.residual_scale, h);
}

void block_run::add_dense(const float_rows& mixed) {
  const dlens_block& form = shape_.form;
  const bool parallel = form.form == DLENS_BLOCK_PARALLEL, after = form.form == DLENS_BLOCK_NORM_AFTER;
  const norm_weights none;
  for_chunks(out_.h.n, chunk_rows, [&](row_range rows) {
    const float_rows h = out_.h.part(rows);
    const auto inner_of = [&](const norm_weights& norm) {
      return tools_.inner_values(w_.dense, form, form.d_ff, tools_.normed(norm, h));
    };
    input_rows inner;
    // In a parallel block both halves see what entered it, so the second one looks before the first one adds.
    if (parallel) inner = inner_of(channel_norm());
    add_mixed(mixed, rows);
    if (after) w_.attn_norm.apply(tools_.kernels, h.data, h.n, h.data);
    if (!parallel) inner = inner_of(after ? none : w_.ffn_norm);
    tools_.add_normed(w_.ffn_post_norm, tools_.product(w_.dense.down, inner), form.residual_scale, h);
    if (after) w_.ffn_norm.apply(tools_.kernels, h.data, h.n, h.data);
  });
}

// Rows are gathered by expert from all of them, so every step is made of all rows before the next one.
void block_run::add_experts(const float_rows& mixed) {
  workspace& s = call_.scratch;
  const float_rows& h = out_.h;
  const bool parallel = shape_.form.form == DLENS_BLOCK_PARALLEL;
  const auto mix_all = [&] { for_chunks(h.n, chunk_rows, [&](row_range rows) { add_mixed(mixed, rows); }); };
  if (!parallel) mix_all();
  float* const floats = tools_.rounds() ? nullptr : s.channel_in.reserve(h.n * h.width);
  bf16* const rounded = tools_.rounds() ? reserve_bf16(s.channel_in, h.n * h.width) : nullptr;
  for_chunks(h.n, chunk_rows, [&](row_range rows) {
    const input_rows x = tools_.normed(channel_norm(), h.part(rows));
    const std::size_t at = rows.first * h.width, n = rows.n * h.width;
    if (rounded) {
      std::copy_n(x.rounded, n, rounded + at);
    } else {
      std::copy_n(x.floats, n, floats + at);
    }
  });
  const input_rows x = rounded ? input_rows(rounded, h.n, h.width) : input_rows(floats, h.n, h.width);
  const float_rows sum = s.channel_out.rows(h.n, h.width);
  expert_hooks hooks{.ready = [&](std::size_t e) { model_.need_expert(layer_, e, s); }, .chose = {}};
  if (p_.choices.wanted() && p_.read)
    hooks.chose = [this](std::size_t row, const chosen_experts& chosen, const float* logits) {
      put_choice(row, chosen, logits);
    };
  expert_part(tools_, w_, shape_, std::move(hooks)).run(h, x, sum);
  if (shape_.form.d_ff > 0)
    for_chunks(h.n, chunk_rows, [&](row_range rows) {
      const input_rows inner = tools_.inner_values(w_.dense, shape_.form, shape_.form.d_ff, x.part(rows));
      tools_.add_normed(w_.dense_post_norm, tools_.product(w_.dense.down, inner), 1, sum.part(rows));
    });
  if (parallel) mix_all();
  tools_.add_normed(w_.ffn_post_norm, sum, shape_.form.residual_scale, h);
}

// Rows are of all tokens, or in the last block of the sites.
void block_run::put_choice(std::size_t row, const chosen_experts& chosen, const float* logits) const {
  const std::vector<std::uint32_t>& tokens = p_.site_tokens;  // ascending
  std::size_t site = row;
  if (out_.h.data == p_.stream.data) {
    const auto at = std::lower_bound(tokens.begin(), tokens.end(), row);
    if (at == tokens.end() || *at != row) return;
    site = static_cast<std::size_t>(at - tokens.begin());
  }
  p_.choices.put<std::uint32_t, double>(layer_, p_.read->sites()[site].reads, chosen.ids, chosen.weights,
                                        router_entropy(*shape_.experts, logits));
}

}  // namespace depthlens::cpu
