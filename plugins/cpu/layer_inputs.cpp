// SPDX-License-Identifier: Apache-2.0
// What a block is told of each token besides the residual stream: dlens_layer_inputs of abi/architecture.h.
#include "block.hpp"

#include <algorithm>

namespace depthlens::cpu {

void block_run::add_layer_inputs() {
  workspace& s = call_.scratch;
  const std::size_t P = model_.arch().layer_inputs->dim;
  for_chunks(out_.h.n, chunk_rows, [&](row_range rows) {
    const float_rows h = out_.h.part(rows);
    const float_rows input = s.gathered.rows(chunk_rows, P).part({0, rows.n});
    make_layer_inputs(rows, input);
    const float_rows gate = tools_.product(w_.layer_gate, tools_.normed({}, h));
    tools_.kernels.activate(static_cast<activation>(shape_.form.activation), gate.data, input.data,
                            rows.n * P, input.data);
    tools_.add_normed(w_.layer_post_norm, tools_.product(w_.layer_out, tools_.normed({}, input)), 1, h);
  });
}

// to (rows, P)
void block_run::make_layer_inputs(row_range rows, const float_rows& to) {
  const dlens_layer_inputs& form = *model_.arch().layer_inputs;
  const model_weights& all = model_.weights();
  workspace& s = call_.scratch;
  const bool every = out_.h.n == p_.stream.n;
  std::vector<std::uint32_t> tokens(rows.n);
  for (std::size_t i = 0; i < rows.n; ++i)
    tokens[i] = every ? static_cast<std::uint32_t>(rows.first + i) : p_.site_tokens[rows.first + i];
  const float_rows entered = s.channel_in.rows(chunk_rows, out_.h.width).part({0, rows.n});
  model_.embed_rows(p_.tree, tokens, entered, s);
  all.layer_projections[layer_].multiply(tools_.normed({}, entered), to, s);
  tools_.kernels.scale(to.data, static_cast<float>(form.projection_scale), to.n * to.width);
  if (all.layer_embed_norm.present()) all.layer_embed_norm.apply(tools_.kernels, to.data, to.n, to.data);
  std::vector<float> own(all.layer_embed.columns);
  for (std::size_t i = 0; i < rows.n; ++i) {
    all.layer_embed.read_rows(static_cast<std::size_t>(p_.tree.token[tokens[i]]), 1, own.data());
    tools_.kernels.add_scaled(to.row(i), own.data() + layer_ * form.dim, static_cast<float>(form.embed_scale),
                              form.dim);
  }
  tools_.kernels.scale(to.data, static_cast<float>(form.sum_scale), to.n * to.width);
}

}  // namespace depthlens::cpu
