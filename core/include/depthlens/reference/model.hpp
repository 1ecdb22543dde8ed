// SPDX-License-Identifier: Apache-2.0
// The place to read first: the forward pass and the readout of a lens, written down plainly, in double
// precision, one sequence and one position after the other. No reading comes from it; tests/backend,
// depthlens plugins check and the check of each model that is loaded compare backends with it. h (D) is the
// residual stream at a position; the last columns say where it is done fast.
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
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace depthlens::reference {

// A block of a sequence.
struct block_input {
  std::uint32_t layer = 0;
  const std::vector<std::int32_t>& ids;  // (T)
  const std::vector<row>& h0;            // (T), each (D): what entered block 0
  std::size_t first = 0;                 // positions before it are seen, but get nothing
};

// One thread, but for a loop over rows that is given.
class model {
 public:
  // Errors: those of weights.
  explicit model(const dlens_weights& given, storage kind = storage::copied, row_loop over = {})
      : w_(given, kind, std::move(over)), arch_(w_.arch().all) {}

  const owned_architecture& arch() const { return w_.arch(); }

  // What routers chose: [block][position], nothing in blocks without experts.
  using choices = std::vector<std::vector<chosen_experts>>;

  // Changes the states (T), each (D), that enter a block.
  using change = std::function<void(std::uint32_t layer, std::vector<row>& h)>;

  // The residual stream of a sequence, [layer 0..n][position], each (D): layer i enters block i, as it is
  // changed. chosen: where to put what routers chose, or NULL.
  std::vector<std::vector<row>> residuals(const std::vector<std::int32_t>& ids, choices* chosen = nullptr,
                                          const change& before = {}) const {
    std::vector<row> h;
    for (std::size_t p = 0; p < ids.size(); ++p) h.push_back(embed(ids[p], p));
    const std::vector<row> h0 = h;
    std::vector<std::vector<row>> layers;
    std::map<std::uint32_t, keys_and_values> kept;
    for (std::uint32_t layer = 0; layer < arch_.n_layers; ++layer) {
      if (before) before(layer, h);
      layers.push_back(h);
      run_block({.layer = layer, .ids = ids, .h0 = h0}, h, kept, nullptr,
                chosen ? &chosen->emplace_back() : nullptr);
    }
    layers.push_back(h);
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

  // What enters block 0.
  row embed(std::int32_t id, std::size_t position) const {
    row h = w_.row_at("embed", static_cast<std::size_t>(id));
    for (double& x : h) x *= arch_.embed_scale;
    if (w_.has("in_projection")) h = w_.multiply("in_projection", h);
    if (w_.has("position")) add(h, w_.row_at("position", position + arch_.position_offset));
    return w_.norm("embed_norm", h);
  }

  // The keys and values that blocks after `layer` take from it, which h enters.
  void keep_kv(std::uint32_t layer, const std::vector<row>& h,
               std::map<std::uint32_t, keys_and_values>& kept) const {
    kept[layer] = attention(w_, layer, h.size()).make_kv(entering(layer, h));
  }

  // h, of all positions, becomes what leaves the block. kept: keys and values by block. margins: of each
  // position how sure its experts are, see channel::routing_margin; chosen: which they are; null = not
  // wanted.
  void run_block(const block_input& in, std::vector<row>& h, std::map<std::uint32_t, keys_and_values>& kept,
                 std::vector<double>* margins = nullptr,
                 std::vector<chosen_experts>* chosen = nullptr) const {
    const std::string block = cat("block.", in.layer, ".");
    const dlens_block& form = w_.arch().blocks[in.layer].form;
    const bool after = form.form == DLENS_BLOCK_NORM_AFTER, parallel = form.form == DLENS_BLOCK_PARALLEL;
    const std::vector<row> x = entering(in.layer, h), mixed = mix(in, x, kept);
    const channel second(w_, in.layer);
    for (std::size_t p = in.first; p < h.size(); ++p) {
      const row entered = h[p];
      add(h[p], w_.norm(block + "attn_post_norm", mixed[p - in.first]), form.residual_scale);
      if (after) h[p] = w_.norm(block + "attn_norm", h[p]);
      const row& seen = parallel ? entered : h[p];
      const bool own = !after && w_.has(block + "ffn_norm");
      const row normed = own ? w_.norm(block + "ffn_norm", seen) : parallel ? x[p] : seen;
      if (margins) margins->push_back(second.routing_margin(seen, normed));
      if (chosen && w_.arch().blocks[in.layer].experts) chosen->push_back(second.choose(seen, normed));
      add(h[p], second.output(seen, normed), form.residual_scale);
      if (after) h[p] = w_.norm(block + "ffn_norm", h[p]);
      if (w_.arch().layer_inputs) add_layer_input(in.layer, in.ids[p], in.h0[p], h[p]);
      for (double& value : h[p]) value *= form.output_scale;
    }
  }

 private:
  // What the mixer of the block sees.
  std::vector<row> entering(std::uint32_t layer, std::vector<row> h) const {
    if (w_.arch().blocks[layer].form.form == DLENS_BLOCK_NORM_AFTER) return h;
    for (row& one : h) one = w_.norm(cat("block.", layer, ".attn_norm"), std::move(one));
    return h;
  }

  std::vector<row> mix(const block_input& in, const std::vector<row>& x,
                       std::map<std::uint32_t, keys_and_values>& kept) const {
    const block_shape& shape = w_.arch().blocks[in.layer];
    if (shape.delta) return delta_rule(w_, in.layer).outputs(x, in.first);
    const attention own(w_, in.layer, in.ids.size());
    if (!shape.shares_kv(in.layer)) kept[in.layer] = own.make_kv(x);
    return own.outputs(x, kept.at(shape.attention->kv_layer), in.first);
  }

  void add_layer_input(std::uint32_t layer, std::int32_t id, const row& h0, row& h) const {
    const std::string block = cat("block.", layer, ".");
    const dlens_layer_inputs& form = *w_.arch().layer_inputs;
    row projected = w_.multiply("layer_projection", h0);
    for (double& x : projected) x *= form.projection_scale;
    const row context = w_.norm("layer_embed_norm", projected),
              own = w_.row_at("layer_embed", static_cast<std::size_t>(id));
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
