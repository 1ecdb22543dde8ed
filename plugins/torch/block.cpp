// SPDX-License-Identifier: Apache-2.0
// One block. The residual stream, norms and rotary positions are float32, matrix products in the precision
// asked for.
#include "channel.hpp"
#include "delta_rule.hpp"
#include "heads.hpp"
#include "pass.hpp"

#include <span>

namespace depthlens::torch_backend {

namespace {

// h + scale * x; x is nobody else's.
at::Tensor add_scaled(const at::Tensor& h, const at::Tensor& x, double scale) {
  if (scale != 1) x.mul_(scale);
  return x.add_(h);
}

}  // namespace

block_work model::work_of(block_call& call, std::uint32_t layer) const {
  return {.shape = arch_.blocks[layer],
          .weights = call.p.on.weights.blocks[layer],
          .type = form_.type,
          .products = call.products};
}

// The rows `made` of the stream behind the block, which leaves the pass as it was.
at::Tensor model::run_block(block_call& call, std::uint32_t layer, const made_rows& made) const {
  block_work work = work_of(call, layer);
  if (call.p.choices.wanted() && work.shape.experts)
    work.chose = [&](const at::Tensor& ids, const at::Tensor& weights, const at::Tensor& logits) {
      put_choices(call.p, layer, made, {ids, weights, logits});
    };
  const block_weights& w = work.weights;
  const dlens_block& form = work.shape.form;
  const bool after = form.form == DLENS_BLOCK_NORM_AFTER, parallel = form.form == DLENS_BLOCK_PARALLEL;
  const at::Tensor& stream = call.p.stream;
  const at::Tensor x = (after ? stream : w.attn_norm.apply(stream)).to(form_.type);  // for several products
  const at::Tensor entering = made.of(stream), x_rows = made.of(x);
  const at::Tensor mixed = w.attn_post_norm.apply(mix(call, layer, x, x_rows, made));
  at::Tensor h = add_scaled(entering, mixed, form.residual_scale);
  if (after) h = w.attn_norm.apply(h);
  const at::Tensor& seen = parallel ? entering : h;
  const at::Tensor inner = !after && w.ffn_norm.present() ? w.ffn_norm.apply(seen) : parallel ? x_rows : seen;
  h = add_scaled(h, channel_output(work, seen, inner), form.residual_scale);
  if (after) h = w.ffn_norm.apply(h);
  if (arch_.layer_inputs) h = layer_input(call, layer, h, made).add_(h);
  if (form.output_scale != 1) h.mul_(form.output_scale);
  return h;
}

// Rows are of all tokens, or in the last block of the sites.
void model::put_choices(const pass& p, std::uint32_t layer, const made_rows& made,
                        const router_choice& of) const {
  const auto at_sites = [&](const at::Tensor& rows) {
    const at::Tensor own = made.tokens.defined() ? rows : p.at_sites(rows);
    return own.to(at::kCPU, at::kDouble).contiguous();
  };
  const at::Tensor ids = made.tokens.defined() ? of.ids : p.at_sites(of.ids);
  const at::Tensor here = ids.to(at::kCPU).contiguous(), weights = at_sites(of.weights);
  const at::Tensor logits = at_sites(of.logits);
  const bool sigmoid = arch_.blocks[layer].experts->router == DLENS_ROUTER_SIGMOID;
  at::Tensor share = sigmoid ? at::sigmoid(logits) : at::softmax(logits, 1);
  if (sigmoid) share = share / share.sum(1, /*keepdim=*/true);
  const at::Tensor entropy = at::special_entr(share).sum(1);
  const std::vector<read_site>& sites = p.read->sites();
  const auto n = static_cast<std::size_t>(here.size(1));
  for (std::size_t i = 0; i < sites.size(); ++i)
    p.choices.put<std::int64_t, double>(
        layer, sites[i].reads, std::span(here.const_data_ptr<std::int64_t>() + i * n, n),
        std::span(weights.const_data_ptr<double>() + i * n, n), entropy.const_data_ptr<double>()[i]);
}

// x (T, D), x_rows (rows made, D), of the products' type -> (rows made, D), float32.
at::Tensor model::mix(block_call& call, std::uint32_t layer, const at::Tensor& x, const at::Tensor& x_rows,
                      const made_rows& made) const {
  const block_work work = work_of(call, layer);
  if (work.shape.delta) return delta_output(work, x, made, call.paths());
  const rope_angles& angles = call.angles(work.shape);
  const bool shares = work.shape.shares_kv(layer);
  const keys_values kv =
      shares ? call.p.shared.at(work.shape.attention->kv_layer) : make_keys_values(work, x, angles);
  if (!shares && arch_.is_shared(layer)) call.made_kv = kv;
  return attention_output(work, x_rows, angles.of(made.tokens), kv, made.attention);
}

// What the block is told of each token besides, to be added to h.
at::Tensor model::layer_input(block_call& call, std::uint32_t layer, const at::Tensor& h,
                              const made_rows& made) const {
  const block_work work = work_of(call, layer);
  const at::Tensor own = made.of(call.p.layer_inputs.select(1, layer));
  const at::Tensor gate = activate(work.multiply(work.weights.layer_gate, h), work.shape.form.activation);
  const at::Tensor out = work.multiply(work.weights.layer_out, gate.to(at::kFloat).mul(own));
  return work.weights.layer_post_norm.apply(out.to(at::kFloat));
}

}  // namespace depthlens::torch_backend
