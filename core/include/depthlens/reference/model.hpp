// SPDX-License-Identifier: Apache-2.0
// The place to read first: the forward pass and the readout of a lens, written down plainly, in double
// precision, one sequence and one position after the other. No run uses it; tests/backend and
// depthlens plugins check compare backends with it. h (D) is the residual stream at a position; the last
// columns say where it is done fast.
//
//   here           formula                                    plugins/cpu             plugins/torch
//   embed          h = E[id] scale + P[position]              pass.cpp embed          pass.cpp embed
//   run_block      h += mixer(h); h += channel(h) [1]         block.cpp run_block     block.cpp run_block
//   weights.hpp    norms, W x + bias                          kernels/norm.hpp        weights.cpp apply
//   attention.hpp  softmax(scale q k) v over the past         attention.cpp           attention.cpp
//   delta_rule.hpp S = g S + k beta (v - S k)                 delta_rule.cpp          delta_rule.cpp
//   channel.hpp    W_down (activation(W_gate x) * W_up x) [2] channel.cpp             channel.cpp
//   logits         cap(U norm(t(h)) + bias) [3]               readout_stack.cpp       readout_stack.cpp
//   reading.hpp    rank, logprob, entropy, KL                 kernels/reduce.hpp      reduce.hpp
//
// [1] In a parallel block both see the h that entered it, and channel takes the x of the mixer where it has
//     no norm of its own. What either gives is normed once more where the model has a norm for that.
// [2] x = norm(h); W_down activation(W_up x) where there is no gate; biases where the model has some; of
//     experts a weighted sum.
// [3] t(h), the transport of the lens, is h, h + A h + b, A h + b or b: DLENS_TRANSPORT_... of abi/backend.h.
//
// The backends differ in order alone: tokens of many sequences that begin alike are computed once, as a tree
// (depthlens/backend/token_tree.hpp), and logits are reduced tile by tile, so that no row of them is kept.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/reference/attention.hpp"
#include "depthlens/reference/channel.hpp"
#include "depthlens/reference/delta_rule.hpp"
#include "depthlens/reference/weights.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace depthlens::reference {

// One thread.
class model {
 public:
  // Errors: those of weights.
  explicit model(const dlens_weights& given) : w_(given), arch_(w_.arch().all) {}

  // What routers chose: [block][position], nothing in blocks without experts.
  using choices = std::vector<std::vector<chosen_experts>>;

  // The residual stream of a sequence, [layer 0..n][position], each (D): layer i enters block i. chosen: where
  // to put what routers chose, or NULL.
  std::vector<std::vector<row>> residuals(const std::vector<std::int32_t>& ids,
                                          choices* chosen = nullptr) const {
    std::vector<row> h;
    for (std::size_t p = 0; p < ids.size(); ++p) h.push_back(embed(static_cast<std::size_t>(ids[p]), p));
    std::vector<std::vector<row>> layers{h};
    std::map<std::uint32_t, keys_and_values> kept;
    for (std::uint32_t layer = 0; layer < arch_.n_layers; ++layer) {
      run_block(layer, ids, layers[0], h, kept, chosen ? &chosen->emplace_back() : nullptr);
      layers.push_back(h);
    }
    return layers;
  }

  // Logits (V) that a lens with this transport reads from a row (D) of the residual stream.
  row logits(const row& h, const dlens_transport& t) const {
    const bool adds_h = t.form == DLENS_TRANSPORT_IDENTITY || t.form == DLENS_TRANSPORT_RESIDUAL;
    row carried(h.size(), 0.0);
    for (std::size_t i = 0; i < h.size(); ++i) {
      for (std::size_t j = 0; j < h.size() && t.a; ++j)
        carried[i] += static_cast<double>(t.a[i * h.size() + j]) * h[j];
      if (t.b) carried[i] += static_cast<double>(t.b[i]);
      if (adds_h) carried[i] += h[i];
    }
    row x = w_.norm("final_norm", carried);
    if (w_.has("out_projection")) x = w_.multiply("out_projection", x);
    row out = w_.multiply("unembed", x);
    for (double& z : out) z = soft_cap(z, arch_.final_softcap);
    return out;
  }

 private:
  row embed(std::size_t id, std::size_t position) const {
    row h = w_.at("embed").at(id);
    for (double& x : h) x *= arch_.embed_scale;
    if (w_.has("in_projection")) h = w_.multiply("in_projection", h);
    if (w_.has("position")) add(h, w_.at("position").at(position + arch_.position_offset));
    return w_.norm("embed_norm", h);
  }

  // h, of all positions, becomes what leaves the block. kept: keys and values by block.
  void run_block(std::uint32_t layer, const std::vector<std::int32_t>& ids, const std::vector<row>& h0,
                 std::vector<row>& h, std::map<std::uint32_t, keys_and_values>& kept,
                 std::vector<chosen_experts>* chosen) const {
    const std::string block = cat("block.", layer, ".");
    const dlens_block& form = w_.arch().blocks[layer].form;
    const bool after = form.form == DLENS_BLOCK_NORM_AFTER, parallel = form.form == DLENS_BLOCK_PARALLEL;
    std::vector<row> x;
    for (const row& one : h) x.push_back(after ? one : w_.norm(block + "attn_norm", one));
    const std::vector<row> mixed = mix(layer, x, kept);
    const channel second(w_, layer);
    for (std::size_t p = 0; p < h.size(); ++p) {
      const row entered = h[p];
      add(h[p], w_.norm(block + "attn_post_norm", mixed[p]), form.residual_scale);
      if (after) h[p] = w_.norm(block + "attn_norm", h[p]);
      const row& seen = parallel ? entered : h[p];
      const bool own = !after && w_.has(block + "ffn_norm");
      const row normed = own ? w_.norm(block + "ffn_norm", seen) : parallel ? x[p] : seen;
      if (chosen && w_.arch().blocks[layer].experts) chosen->push_back(second.choose(seen, normed));
      add(h[p], second.output(seen, normed), form.residual_scale);
      if (after) h[p] = w_.norm(block + "ffn_norm", h[p]);
      if (w_.arch().layer_inputs) add_layer_input(layer, static_cast<std::size_t>(ids[p]), h0[p], h[p]);
      for (double& value : h[p]) value *= form.output_scale;
    }
  }

  std::vector<row> mix(std::uint32_t layer, const std::vector<row>& x,
                       std::map<std::uint32_t, keys_and_values>& kept) const {
    const block_shape& shape = w_.arch().blocks[layer];
    if (shape.delta) return delta_rule(w_, layer).outputs(x);
    const attention own(w_, layer, x.size());
    if (!shape.shares_kv(layer)) kept[layer] = own.make_kv(x);
    return own.outputs(x, kept.at(shape.attention->kv_layer));
  }

  void add_layer_input(std::uint32_t layer, std::size_t id, const row& h0, row& h) const {
    const std::string block = cat("block.", layer, ".");
    const dlens_layer_inputs& form = *w_.arch().layer_inputs;
    row projected = w_.multiply("layer_projection", h0);
    for (double& x : projected) x *= form.projection_scale;
    const row context = w_.norm("layer_embed_norm", projected), own = w_.at("layer_embed").at(id);
    row inner = w_.multiply(block + "layer_gate", h);
    for (std::size_t i = 0; i < inner.size(); ++i) {
      const std::size_t at = std::size_t{layer} * form.dim + i;
      inner[i] = activate(inner[i], w_.arch().blocks[layer].form.activation) *
                 (own[at] * form.embed_scale + context[at]) * form.sum_scale;
    }
    add(h, w_.norm(block + "layer_post_norm", w_.multiply(block + "layer_out", inner)));
  }

  weights w_;
  const dlens_architecture& arch_;
};

}  // namespace depthlens::reference
