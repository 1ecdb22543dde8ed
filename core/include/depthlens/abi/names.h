// SPDX-License-Identifier: Apache-2.0
// Names that cross the interface as texts: kinds and fields of records, and the tensors of a model.
#ifndef DLENS_ABI_NAMES_H
#define DLENS_ABI_NAMES_H

// Kinds of records (dlens_input.kinds, dlens_dataset.kind); experiment.h says what gives them.
#define DLENS_KIND_PROMPT "prompt"
#define DLENS_KIND_FACT "fact"
#define DLENS_KIND_SENTENCE "sentence"
#define DLENS_KIND_CUT "cut"

// Fields of records. Rows may have further ones, under the names of their columns.
#define DLENS_FIELD_PROMPT "prompt"      // what is given to the model
#define DLENS_FIELD_ANSWER "answer"      // what the data says comes next
#define DLENS_FIELD_TEXT "text"          // the whole text that the prompt begins; a sentence
#define DLENS_FIELD_OTHER "other"        // of a fact: the counterfactual answer
#define DLENS_FIELD_SUBJECT "subject"    // of a fact: what it is about
#define DLENS_FIELD_RELATION "relation"  // of a fact
#define DLENS_FIELD_CASE "case_id"       // of a fact

// Tensors outside of blocks, with their shapes (letters as in architecture.h).
#define DLENS_TENSOR_EMBED "embed"                        // (V, D)
#define DLENS_TENSOR_POSITION "position"                  // (max_positions + position_offset, D)
#define DLENS_TENSOR_FINAL_NORM "final_norm"              // (D)
#define DLENS_TENSOR_UNEMBED "unembed"                    // (V, D); the data of embed where both are tied
#define DLENS_TENSOR_EMBED_NORM "embed_norm"              // (D)
#define DLENS_TENSOR_IN_PROJECTION "in_projection"        // (D, embed_dim)
#define DLENS_TENSOR_OUT_PROJECTION "out_projection"      // (embed_dim, D)
#define DLENS_TENSOR_LAYER_EMBED "layer_embed"            // (vocab_size of layer inputs, n_layers P)
#define DLENS_TENSOR_LAYER_PROJECTION "layer_projection"  // (n_layers P, D)
#define DLENS_TENSOR_LAYER_EMBED_NORM "layer_embed_norm"  // (P)

// Tensors of block i, whose names are "block.", i in decimal, "." and one of these. With head width hd, and
// vd of values:
#define DLENS_PART_ATTN_NORM "attn_norm"              // (D)
#define DLENS_PART_Q "q"                              // (H hd, D), or (H hd, q_rank)
#define DLENS_PART_K "k"                              // (Hkv hd, D)
#define DLENS_PART_V "v"                              // (Hkv vd, D)
#define DLENS_PART_O "o"                              // (D, H vd)
#define DLENS_PART_Q_NORM "q_norm"                    // (hd), (H hd) or (H, hd)
#define DLENS_PART_K_NORM "k_norm"                    // (hd), (Hkv hd) or (Hkv, hd)
#define DLENS_PART_V_NORM "v_norm"                    // (vd)
#define DLENS_PART_ATTN_GATE "attn_gate"              // (H vd, D)
#define DLENS_PART_SINKS "sinks"                      // (H)
#define DLENS_PART_ATTN_POST_NORM "attn_post_norm"    // (D)
#define DLENS_PART_FFN_NORM "ffn_norm"                // (D)
#define DLENS_PART_GATE "gate"                        // (F, D)
#define DLENS_PART_UP "up"                            // (F, D)
#define DLENS_PART_DOWN "down"                        // (D, F)
#define DLENS_PART_DENSE_POST_NORM "dense_post_norm"  // (D)
#define DLENS_PART_FFN_POST_NORM "ffn_post_norm"      // (D)
// Of attention of low rank, where k is (H (hd - rope_dims), kv_rank) and v (H vd, kv_rank).
#define DLENS_PART_Q_DOWN "q_down"              // (q_rank, D)
#define DLENS_PART_Q_DOWN_NORM "q_down_norm"    // (q_rank)
#define DLENS_PART_KV_DOWN "kv_down"            // (kv_rank, D)
#define DLENS_PART_KV_DOWN_NORM "kv_down_norm"  // (kv_rank)
#define DLENS_PART_K_ROPE "k_rope"              // (rope_dims, D)
// Of a delta rule, with key heads Hk of kd and value heads Hv of vd; o is (D, Hv vd).
#define DLENS_PART_DELTA_Q "delta_q"        // (Hk kd, D)
#define DLENS_PART_DELTA_K "delta_k"        // (Hk kd, D)
#define DLENS_PART_DELTA_V "delta_v"        // (Hv vd, D)
#define DLENS_PART_DELTA_GATE "delta_gate"  // (Hv vd, D)
#define DLENS_PART_DELTA_BETA "delta_beta"  // (Hv, D)
#define DLENS_PART_DELTA_STEP "delta_step"  // (Hv, D)
#define DLENS_PART_DELTA_CONV "delta_conv"  // (2 Hk kd + Hv vd, conv_width): of q, k, v; last column: itself
#define DLENS_PART_DECAY "decay"            // (Hv), negative
#define DLENS_PART_STEP_BIAS "step_bias"    // (Hv)
#define DLENS_PART_DELTA_NORM "delta_norm"  // (vd)
// Of experts, E of them, each of width Fe.
#define DLENS_PART_ROUTER "router"                        // (E, D)
#define DLENS_PART_ROUTER_NORM "router_norm"              // (D)
#define DLENS_PART_ROUTER_CORRECTION "router_correction"  // (E)
#define DLENS_PART_EXPERT_SCALE "expert_scale"            // (E)
#define DLENS_PART_EXPERT_NORM "expert_norm"              // (D)
#define DLENS_PART_EXPERT_POST_NORM "expert_post_norm"    // (D)
#define DLENS_PART_SHARED_GATE "shared_gate"              // (Fs, D)
#define DLENS_PART_SHARED_UP "shared_up"                  // (Fs, D)
#define DLENS_PART_SHARED_DOWN "shared_down"              // (D, Fs)
#define DLENS_PART_SHARED_ROUTER "shared_router"          // (1, D)
// Of expert e: "expert.", e in decimal, "." and GATE, UP or DOWN, as "block.0.expert.7.gate".
#define DLENS_PART_EXPERT "expert"
// Of layer inputs of width P.
#define DLENS_PART_LAYER_GATE "layer_gate"            // (P, D)
#define DLENS_PART_LAYER_OUT "layer_out"              // (D, P)
#define DLENS_PART_LAYER_POST_NORM "layer_post_norm"  // (D)

// Behind the name of a matrix or norm: its bias, one element for each row. Tensors and biases that a model
// does not have are not there.
#define DLENS_BIAS ".bias"

#endif
