// SPDX-License-Identifier: Apache-2.0
// What a backend is given of a model: its architecture as data, block by block, and its weights. Part of the
// interface of backend.h, whose revision counts for it too. Tensors are named in names.h.
//
// A decoder of n_layers blocks, put together from parts. D is its width, x_norm(h) is h where the model has
// no tensor of that norm, and W x adds W's bias where there is one:
//   h = embed_norm(in_projection(embed[token] * embed_scale) (+ position[position + position_offset]))
//   sequential: h += r mixer(attn_norm(h));  h += r channel(h)
//   parallel:   h += r mixer(attn_norm(h)) + r channel(h), both of the h that entered, r = residual_scale
//   norm after: h = attn_norm(h + mixer(h));  h = ffn_norm(h + channel(h)), whose own ffn_norm is none
//   then, with layer inputs, h += layer_post_norm(layer_out (activation(layer_gate h) * input of the layer));
//   and h *= output_scale
//   logits = softcap(unembed out_projection(final_norm(h)) (+ unembed.bias))
// A norm multiplies by its weight + norm_offset and adds its bias, if any. softcap(z) = c tanh(z / c).
//
//   attention(x): q, k, v = W x, all cut to -clip..clip where there is a clip; q_norm, k_norm, v_norm over
//     each head, or over the whole width if the norm's weight has that width, or with a weight of its own for
//     each head if that is a matrix; rotary positions, times rope_scale, of q and k; scores = scale q.k,
//     capped by softcap, plus ALiBi; softmax over the ancestors within the window, and over one score more
//     without a value, `sinks`, where there are; times sigmoid(attn_gate x), where there is; W_o;
//     attn_post_norm
//   of low rank: q is of q_norm'(W_q_down x) where q_rank is not 0; with l = kv_down_norm(W_kv_down x), the
//     first dimensions of a head's key are W_k l, and all heads share the others, W_k_rope x, which are
//     rotated, as are those of q; v = W_v l. (q_norm' is q_down_norm; these two norms have latent_norm_eps.)
//   delta rule(x): q, k, v = silu(causal convolution of W_delta_q x, W_delta_k x, W_delta_v x); beta =
//     sigmoid(W_delta_beta x); g = exp(decay * softplus(W_delta_step x + step_bias)); q, k divided by
//     sqrt(sum of squares + 1e-6), q by sqrt(key_dim) too; for each value head, whose keys and queries are
//     those of its group, S = g S; S += k beta (v - S^T k)^T; o = S^T q, from S = 0 before the first token;
//     delta_norm(o) * silu(W_delta_gate x), over each head, always an RMS norm without norm_offset; W_o
//   channel(h): x = ffn_norm(h); without ffn_norm, the x of the mixer in a parallel block, else h;
//     ffn_post_norm(dense + experts), either may be absent
//     dense: down(activation(gate x) * up x), without a gate down(activation(up x)); dense_post_norm
//     experts: the weighted sum over those that the router chose, each as dense: see dlens_experts
#ifndef DLENS_ABI_ARCHITECTURE_H
#define DLENS_ABI_ARCHITECTURE_H

#include "names.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { DLENS_ROPE_HALF = 1, DLENS_ROPE_INTERLEAVED = 2 };
enum { DLENS_NORM_RMS = 1, DLENS_NORM_LAYER = 2 };
enum {
  DLENS_ACTIVATION_SILU = 1,
  DLENS_ACTIVATION_GELU = 2,
  DLENS_ACTIVATION_GELU_TANH = 3,
  DLENS_ACTIVATION_RELU = 4,
  // With a gate alone, g' = min(g, limit), u' = max(-limit, min(u, limit)): g' sigmoid(alpha g') (u' + 1).
  DLENS_ACTIVATION_CLAMPED = 5
};
enum { DLENS_BLOCK_SEQUENTIAL = 1, DLENS_BLOCK_PARALLEL = 2, DLENS_BLOCK_NORM_AFTER = 3 };
enum {
  DLENS_ALIBI_NONE = 0,
  DLENS_ALIBI = 1,  // score += slope * (position of the key - position of the query)
  // score += scale * b(b(slope) * position of the key), b rounding to bf16.
  DLENS_ALIBI_ROUNDED = 2
};
enum {
  DLENS_ROUTER_SOFTMAX = 1,         // weights are a softmax over all experts
  DLENS_ROUTER_SIGMOID = 2,         // sigmoids
  DLENS_ROUTER_CHOSEN_SOFTMAX = 3,  // a softmax over the chosen ones
};
enum {
  DLENS_GROUPS_NONE = 0,
  DLENS_GROUPS_BEST = 1,     // a group is worth its best expert
  DLENS_GROUPS_BEST_TWO = 2  // its best two together
};

typedef struct dlens_attention {
  uint32_t size;
  uint32_t n_heads;     // H
  uint32_t n_kv_heads;  // divides H
  uint32_t head_dim;    // of queries and keys
  uint32_t value_dim;   // of values
  uint32_t window;      // a token sees itself and the window - 1 before it; 0 = all
  uint32_t rope_kind;   // HALF rotates (i, i + dims/2), INTERLEAVED rotates (2i, 2i + 1)
  uint32_t rope_dims;   // 0 = no rotary positions
  uint32_t rope_begin;  // the first dimension of a head that is rotated
  uint32_t kv_layer;    // the block whose keys and values are taken: this one or one before it
  uint32_t q_rank;      // of low rank: width of W_q_down x; 0 = q is of x
  uint32_t kv_rank;     // width of l; 0 = not of low rank
  uint32_t alibi;       // DLENS_ALIBI_...
  uint32_t reserved;
  double scale;
  double softcap;     // 0 = none
  double clip;        // 0 = none
  double rope_scale;  // 1 = none
  double latent_norm_eps;
  const float *rope_inverse_frequency;  // (rope_dims / 2), any scaling applied; angle = position * it, in f32
  const float *alibi_slopes;            // (H); NULL where there are none
  // (rope_dims / 2) of prompts of more than long_positions tokens; NULL = the same as of others
  const float *rope_long_inverse_frequency;
} dlens_attention;

typedef struct dlens_delta_rule {
  uint32_t size;
  uint32_t n_key_heads;
  uint32_t n_value_heads;  // a multiple; value head i goes with key head i / (n_value_heads / n_key_heads)
  uint32_t key_dim;        // of a head
  uint32_t value_dim;
  uint32_t conv_width;  // tokens that the convolution sees: itself and those before it
} dlens_delta_rule;

// s = router(router_norm'(h)), router_norm' being router_norm where there is one, else x is routed; its
// scores are softmax(s) or sigmoid(s) by `router`. Chosen are the n_used experts with the largest scores +
// router_correction, of equal ones that with the smaller number; where there are groups of neighbours, among
// the best groups_used of them alone. Weights are their scores, divided by their sum where they are
// normalised, times `scale` and expert_scale. Experts see expert_norm(h) where there is such a norm, else x;
// expert_post_norm of their sum is taken. The shared expert, where there is one, is added to it, times
// sigmoid(shared_router x) where there is such a tensor.
typedef struct dlens_experts {
  uint32_t size;
  uint32_t n_experts;
  uint32_t n_used;
  uint32_t d_ff;         // of each
  uint32_t d_shared;     // of the shared expert; 0 = none
  uint32_t router;       // DLENS_ROUTER_...
  uint32_t normalised;   // 0 or 1
  uint32_t group_score;  // DLENS_GROUPS_...
  uint32_t n_groups;     // divides n_experts
  uint32_t groups_used;
  double scale;
} dlens_experts;

typedef struct dlens_block {
  uint32_t size;
  uint32_t form;                       // DLENS_BLOCK_...
  uint32_t d_ff;                       // F, of the dense part; 0 = none
  uint32_t activation;                 // DLENS_ACTIVATION_..., of dense parts, experts and layer inputs
  const dlens_attention *attention;    // the mixer: this
  const dlens_delta_rule *delta_rule;  // or this, the other is NULL
  const dlens_experts *experts;        // NULL = none
  double activation_alpha, activation_limit;
  double residual_scale;
  double output_scale;
} dlens_block;

// Layer inputs: what each block is told of the token besides h. Of layer i the i-th part (P) of
//   (layer_embed[token] * embed_scale + layer_embed_norm(W_layer_projection h0 * projection_scale)) *
//   sum_scale, the norm over each part; h0 is what enters block 0.
typedef struct dlens_layer_inputs {
  uint32_t size;
  uint32_t dim;  // P
  uint32_t vocab_size;
  uint32_t reserved;
  double embed_scale;
  double projection_scale;
  double sum_scale;
} dlens_layer_inputs;

typedef struct dlens_architecture {
  uint32_t size;
  uint32_t n_layers;    // blocks
  uint32_t d_model;     // D
  uint32_t vocab_size;  // V: rows of the unembedding
  uint32_t max_positions;
  uint32_t norm_kind;        // DLENS_NORM_..., of all norms but those said otherwise above
  uint32_t position_offset;  // of the rows of the tensor "position"
  uint32_t embed_dim;        // of the rows of embed; D, or another with the tensors in_projection and so on
  double norm_eps;
  double norm_offset;  // 0 or 1
  double embed_scale;
  double final_softcap;                    // 0 = none
  const dlens_block *const *blocks;        // (n_layers)
  const dlens_layer_inputs *layer_inputs;  // NULL = none
  // What the model asks for, by the names below, each once. A backend refuses a model by the name of what it
  // does not know: what else the members say is then within what it knows.
  const char *const *ops;
  uint64_t n_ops;
  uint32_t long_positions;  // 0 = no block turns longer prompts by other frequencies
  uint32_t reserved;
} dlens_architecture;

#define DLENS_OP_ATTENTION "attention"
#define DLENS_OP_LATENT_ATTENTION "latent_attention"  // of low rank
#define DLENS_OP_DELTA_RULE "delta_rule"
#define DLENS_OP_DENSE "dense"
#define DLENS_OP_EXPERTS "experts"
#define DLENS_OP_SHARED_EXPERT "shared_expert"
#define DLENS_OP_ROUTER_SOFTMAX "router_softmax"
#define DLENS_OP_ROUTER_SIGMOID "router_sigmoid"
#define DLENS_OP_ROUTER_CHOSEN_SOFTMAX "router_chosen_softmax"
#define DLENS_OP_ROUTER_GROUPS "router_groups"
#define DLENS_OP_ROUTER_CORRECTION "router_correction"
#define DLENS_OP_EXPERT_NORMS "expert_norms"  // router_norm, expert_norm, expert_post_norm, expert_scale
#define DLENS_OP_WINDOW "window"
#define DLENS_OP_ROPE_HALF "rope_half"
#define DLENS_OP_ROPE_INTERLEAVED "rope_interleaved"
#define DLENS_OP_ROPE_PART "rope_part"  // not all dimensions of a head
#define DLENS_OP_ROPE_SCALE "rope_scale"
#define DLENS_OP_ROPE_LONG "rope_long"  // other frequencies for longer prompts
#define DLENS_OP_ALIBI "alibi"
#define DLENS_OP_ALIBI_ROUNDED "alibi_rounded"
#define DLENS_OP_ATTENTION_SOFTCAP "attention_softcap"
#define DLENS_OP_ATTENTION_SINKS "attention_sinks"
#define DLENS_OP_ATTENTION_GATE "attention_gate"
#define DLENS_OP_ATTENTION_CLIP "attention_clip"
#define DLENS_OP_SHARED_KV "shared_kv"    // kv_layer is not the block itself
#define DLENS_OP_HEAD_NORMS "head_norms"  // q_norm, k_norm, v_norm
#define DLENS_OP_NORM_RMS "norm_rms"
#define DLENS_OP_NORM_LAYER "norm_layer"
#define DLENS_OP_NORM_OFFSET "norm_offset"
#define DLENS_OP_PRE_NORMS "pre_norms"    // attn_norm and ffn_norm, in every block
#define DLENS_OP_SOME_NORMS "some_norms"  // one of these is not in every block
#define DLENS_OP_POST_NORMS "post_norms"  // attn_post_norm, ffn_post_norm, dense_post_norm
#define DLENS_OP_SEQUENTIAL "sequential"
#define DLENS_OP_PARALLEL "parallel"
#define DLENS_OP_NORM_AFTER "norm_after"
#define DLENS_OP_GATE "gate"  // in every dense part and expert
#define DLENS_OP_NO_GATE "no_gate"
#define DLENS_OP_SILU "silu"
#define DLENS_OP_GELU "gelu"
#define DLENS_OP_GELU_TANH "gelu_tanh"
#define DLENS_OP_RELU "relu"
#define DLENS_OP_CLAMPED "clamped"
#define DLENS_OP_BIAS "bias"  // of any tensor but the unembedding
#define DLENS_OP_UNEMBED_BIAS "unembed_bias"
#define DLENS_OP_POSITIONS "learned_positions"
#define DLENS_OP_EMBED_SCALE "embed_scale"
#define DLENS_OP_EMBED_NORM "embed_norm"
#define DLENS_OP_EMBED_PROJECTION "embed_projection"
#define DLENS_OP_LAYER_INPUTS "layer_inputs"
#define DLENS_OP_RESIDUAL_SCALE "residual_scale"
#define DLENS_OP_OUTPUT_SCALE "output_scale"
#define DLENS_OP_FINAL_SOFTCAP "final_softcap"
#define DLENS_OP_NO_FINAL_NORM "no_final_norm"

// The weights, by the names of names.h. Valid as long as the model.
typedef struct dlens_weights {
  uint32_t size;
  uint32_t reserved;
  const dlens_architecture *architecture;
  const dlens_tensor *const *tensors;
  uint64_t n_tensors;
} dlens_weights;

#ifdef __cplusplus
}
#endif

#endif
