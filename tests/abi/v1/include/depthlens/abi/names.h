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
#define DLENS_FIELD_RELATION "relation"  // of a fact
#define DLENS_FIELD_CASE "case_id"       // of a fact

// Tensors outside of blocks, with their shapes (letters as in backend.h).
#define DLENS_TENSOR_EMBED "embed"            // (V, D)
#define DLENS_TENSOR_POSITION "position"      // (max_positions + position_offset, D)
#define DLENS_TENSOR_FINAL_NORM "final_norm"  // (D)
#define DLENS_TENSOR_UNEMBED "unembed"        // (V, D); the data of embed where both are tied

// Tensors of block i, whose names are "block.", i in decimal, "." and one of these. With head width hd:
#define DLENS_PART_ATTN_NORM "attn_norm"            // (D)
#define DLENS_PART_Q "q"                            // (H hd, D)
#define DLENS_PART_K "k"                            // (Hkv hd, D)
#define DLENS_PART_V "v"                            // (Hkv hd, D)
#define DLENS_PART_O "o"                            // (D, H hd)
#define DLENS_PART_Q_NORM "q_norm"                  // (hd) or (H hd)
#define DLENS_PART_K_NORM "k_norm"                  // (hd) or (Hkv hd)
#define DLENS_PART_ATTN_POST_NORM "attn_post_norm"  // (D)
#define DLENS_PART_FFN_NORM "ffn_norm"              // (D)
#define DLENS_PART_GATE "gate"                      // (F, D)
#define DLENS_PART_UP "up"                          // (F, D)
#define DLENS_PART_DOWN "down"                      // (D, F)
#define DLENS_PART_FFN_POST_NORM "ffn_post_norm"    // (D)

// Behind the name of a matrix or norm: its bias, one element for each row. Tensors and biases that a model
// does not have are not there.
#define DLENS_BIAS ".bias"

#endif
