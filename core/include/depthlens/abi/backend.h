// SPDX-License-Identifier: Apache-2.0
// The interface "depthlens.backend/3": a model's forward pass over a tree of tokens, and the readout of
// lenses at the positions asked for. Only measurements leave a backend, never logits.
//
// Layer i = 0..n is the residual stream entering block i; layer n is the output of the last block.
// A lens reads logits = softcap(W_U . norm(t(h))), with t(h) = h, h + A h + b, A h + b or b as its transport
// says (DLENS_TRANSPORT_...) and the final norm recomputed for each row.
// rank = 1 + number of strictly larger logits; ties = number of other tokens with an equal logit; of equal
// logits the smaller id comes first. logprob, entropy and kl are in nats. Logits are f32, accumulated in f32
// or better.
#ifndef DLENS_ABI_BACKEND_H
#define DLENS_ABI_BACKEND_H

#include "architecture.h"
#include "host.h"
#include "names.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DLENS_BACKEND_INTERFACE "depthlens.backend/3"

typedef struct dlens_model_options {
  uint32_t size;
  uint32_t threads;       // how many forward calls the host will have in flight at most
  const char *device;     // "auto", "cpu", "cuda", "cuda:1"; several with commas between: "cuda:0,cuda:1"
  const char *precision;  // "f32", "bf16", "f16"; on GPUs also "tf32": f32 whose products may round to TF32
  uint32_t stream;        // 0: all weights are held in memory; 1: stage by stage, see dlens_pass
  uint32_t reserved;
  // Most bytes to take of each device's own memory, which packs are sized for; 0 = not said: most of what is
  // free. Nothing to devices whose weights lie in the process's memory.
  uint64_t device_memory;
} dlens_model_options;

// What a model takes, known before its weights are read. Bytes of the memory that its weights lie in; where
// that is the devices' own, of the device that takes the most, and of a call the share that falls on it.
typedef struct dlens_model_needs {
  uint32_t size;
  uint32_t pack_tokens;  // as dlens_model_info says them
  uint32_t calls;
  uint32_t stages;           // of a streamed model; 0 = this backend cannot stream
  uint64_t held_bytes;       // weights, when all are held
  uint64_t streamed_bytes;   // weights in memory at a time, when they are streamed
  uint64_t call_bytes;       // scratch of a call in flight on a pack of pack_tokens tokens
  uint64_t bytes_per_token;  // as dlens_model_info says them
  uint64_t bytes_per_read;
  uint64_t kept_token_bytes;   // of a dlens_prefix for each token, in all layers; 0 = none are kept
  uint64_t stage_token_bytes;  // the same in the layers of a stage
  // Free on the device with the least; 0 = the weights lie in the process's own memory.
  uint64_t device_bytes;
} dlens_model_needs;

enum {
  DLENS_TRANSPORT_IDENTITY = 0,  // h: the logit lens
  DLENS_TRANSPORT_RESIDUAL = 1,  // h + A h + b: tuned lenses
  DLENS_TRANSPORT_FULL = 2,      // A h + b: Jacobian lenses
  DLENS_TRANSPORT_CONSTANT = 3   // b: controls
};

// How one layer is carried to the output space. Copied by lens_create.
typedef struct dlens_transport {
  uint32_t size;
  uint32_t layer;  // 0..n
  uint32_t form;   // DLENS_TRANSPORT_...
  uint32_t reserved;
  const float *a;  // (D, D) row-major: out = A h; NULL where the form has none
  const float *b;  // (D), NULL = zero
} dlens_transport;

typedef struct dlens_lens dlens_lens;  // the backend's own

// The keys and values of a path of tokens from position 0 on, in the layers that the call which kept it ran;
// the backend's own, see `kept` below.
typedef struct dlens_prefix dlens_prefix;

// A pack on its way through the stages of a streamed model; the backend's own.
//
// Where not all weights fit in memory, a model is a sequence of stages: its blocks one by one, then the
// unembedding in parts. Stage by stage the host has the weights loaded and takes every pass of a wave
// through; the weights of two stages that follow each other may be in memory, so that one is loaded while the
// other is at work. A model whose weights are held has all of its stages present: `forward` is the same way
// in one go, and all that a simple backend needs.
typedef struct dlens_pass dlens_pass;

// What the routers of a model chose at the reads of a pack, in the caller's buffers: X blocks have experts,
// in ascending order, and U is the largest n_used of theirs. Where a block uses fewer, -1 and 0 fill it up.
typedef struct dlens_choices {
  uint32_t size;
  uint32_t n_blocks;  // X
  uint32_t n_used;    // U
  uint32_t reserved;
  int32_t *expert;  // (P, X, U) the best first
  float *weight;    // (P, X, U) what their values were multiplied with
  float *entropy;   // (P, X) nats, of the router over all experts: of its scores, divided by their sum
} dlens_choices;

// A pack of tokens that share prefixes. Token t attends to itself and its ancestors; parent[t] < t. Where the
// pack has a prefix, a token without a parent in the pack continues it behind any of its positions, as
// `position` says.
typedef struct dlens_batch {
  uint32_t size;
  uint32_t n_tokens;      // T
  const int32_t *tokens;  // (T) ids
  // (T) index in this pack; -1 = root, or child of the prefix's token at position - 1.
  const int32_t *parent;
  const int32_t *position;       // (T) number of ancestors, those in the prefix included
  uint32_t n_reads;              // P
  uint32_t top_k;                // 0..64 most likely tokens wanted for each reading
  const uint32_t *read_token;    // (P) index in this pack
  const uint32_t *target_begin;  // (P + 1) offsets into targets
  const int32_t *targets;        // (K in all) ids; -1 = the model's own final top-1 at that position
  uint32_t n_lenses;
  uint32_t reserved;
  const dlens_lens *const *lenses;
  // Kept by an earlier call on the same model; NULL = none. Not changed, many calls may use it.
  const dlens_prefix *prefix;
  uint32_t keep_token;  // index in this pack: the path from position 0 to this token is to be kept
  // Of a pass, whose paths come and go stage by stage, `prefix` is NULL and this says how many positions the
  // path has that pass_run will get; else 0.
  uint32_t prefix_length;
  // Where to put the path that is kept, for prefix_release to free; NULL = none is. Of a pass: whether.
  dlens_prefix **kept;
  float *hidden;  // (P, n_layers + 1, D) the residual stream at every read, layers 0..n; NULL = not wanted
  // (T) 1: the token is of a prompt of more than long_positions tokens, 0: of another; the same in all of a
  // token's ancestors, those in the prefix included. NULL = 0 for all.
  const uint8_t *rope_long;
  const dlens_choices *choices;  // of a model with experts; NULL = not wanted
  // What is changed on the way (intervene.h), for a model that offers it; NULL = nothing.
  const struct dlens_interventions *interventions;
} dlens_batch;

// The readings of one lens with L layers, in the caller's buffers. kl is KL(final || layer); NULL = not
// wanted.
typedef struct dlens_readings {
  uint32_t size;
  uint32_t n_layers;   // L
  uint32_t *rank;      // (K, L)
  uint32_t *ties;      // (K, L)
  float *logprob;      // (K, L)
  float *entropy;      // (P, L)
  float *kl;           // (P, L)
  int32_t *top;        // (P, L, top_k)
  float *top_logprob;  // (P, L, top_k)
} dlens_readings;

typedef struct dlens_model_info {
  uint32_t size;
  uint32_t pack_tokens;      // a pack of about this many tokens keeps the device busy
  uint64_t weight_bytes;     // in memory
  uint64_t bytes_per_token;  // of the states of a pack for each of its tokens, and besides
  uint64_t bytes_per_read;   // for each token that is read
  const char *weights;       // in which form they are held, e.g. "f32, packed"
  const char *device;        // e.g. "cpu (AVX-512), oneDNN 2.6.3"; what results may depend on
  // Held by a dlens_prefix for each token that is not in the prefix it continues.
  uint64_t prefix_bytes_per_token;
  // How many forward calls at once serve the backend best; 0 = as many as the host has threads.
  uint32_t calls;
  uint32_t stages;  // of a streamed model; 0 = all weights are held
} dlens_model_info;

// What the forward calls of a model have done so far, all threads together. Counters only grow.
typedef struct dlens_work {
  uint32_t size;
  uint32_t reserved;
  uint64_t calls;          // of forward, and passes that are done
  uint64_t product_flops;  // of the products with weight matrices; a multiply-add is 2; filled-up rows count
  uint64_t product_ns;     // spent in those products by all threads
  uint64_t blocks_ns;      // in the blocks, their products included
  uint64_t readout_ns;     // in reading lenses, their products included
  uint64_t load_ns;        // in loading the stages of a streamed model: reading the files, unpacking
} dlens_work;

typedef struct dlens_model {
  uint32_t size;
  uint32_t reserved;
  void *self;

  // Valid until destroy. [any]
  const dlens_model_info *(*info)(const struct dlens_model *);
  // Makes a lens that reads n layers; transports in ascending order of layer. *lens is freed by lens_destroy
  // before the model is. [main]
  dlens_status (*lens_create)(const struct dlens_model *, uint64_t n,
                              const dlens_transport *const *transports, dlens_lens **lens,
                              dlens_error *error);
  void (*lens_destroy)(const struct dlens_model *, dlens_lens *lens);  // [main], when no call uses it
  // Runs the pack and reads every position with every lens; results do not depend on what else is in the
  // pack, nor on which ancestors lie in a prefix. On an error nothing is kept. final_top: (P) the model's own
  // top-1 ids. readings: one for each lens, in the order of batch->lenses. All buffers are the caller's.
  // [worker], up to `threads` calls at once.
  dlens_status (*forward)(const struct dlens_model *, const dlens_batch *batch, int32_t *final_top,
                          const dlens_readings *const *readings, dlens_error *error);
  void (*destroy)(struct dlens_model *);  // [main]
  // Frees a kept path, before the model is destroyed and when no call uses it; paths that continue it stay
  // whole. NULL: this backend keeps no prefixes, and packs come without them and with all ancestors of their
  // tokens. [worker]
  void (*prefix_release)(const struct dlens_model *, dlens_prefix *prefix);

  // For measurement; a backend may leave them out (NULL).
  // The counters of dlens_work, as far as work->size reaches. [any]
  void (*work)(const struct dlens_model *, dlens_work *work);
  // The rate that plain products of this model's shapes reach on its device by `threads` threads, in flop per
  // second, measured for about `seconds`. Errors: DLENS_UNAVAILABLE for a precision that the device has no
  // products in. [main], no forward call meanwhile.
  dlens_status (*product_rate)(const struct dlens_model *, const char *precision, uint32_t threads,
                               double seconds, double *flops_per_second, dlens_error *error);

  // Of a streamed model; NULL in one whose weights are held.
  // In how many parts the weights of a stage are loaded, in any order and at once. [any]
  uint32_t (*stage_parts)(const struct dlens_model *, uint32_t stage);
  // Loads a part of a stage in place of the stage before the previous one, which no call uses any more.
  // [worker]
  dlens_status (*stage_load)(const struct dlens_model *, uint32_t stage, uint32_t part, dlens_error *error);
  // Begins a pass, whose readings are to come to the buffers that forward would have; all stay valid until
  // its end. [worker]
  dlens_status (*pass_begin)(const struct dlens_model *, const dlens_batch *batch, int32_t *final_top,
                             const dlens_readings *const *readings, dlens_pass **pass, dlens_error *error);
  // Takes the pass through a stage, which is loaded; stages come in ascending order. prefix: kept by the pass
  // that this one continues, in the same stage. *kept: the path to keep; both may be NULL. Of the blocks'
  // stages the last ones may be left out: the layers behind them then have the states that the last block
  // gave. When the last stage is done all readings are there. [worker], one call at a time for a pass
  dlens_status (*pass_run)(const struct dlens_model *, dlens_pass *pass, uint32_t stage,
                           const dlens_prefix *prefix, dlens_prefix **kept, dlens_error *error);
  void (*pass_end)(const struct dlens_model *, dlens_pass *pass);  // frees it, done or not. [worker]

  // What this model does besides, by the id of its interface (trainer.h); NULL, or NULL for an id that it
  // does not know. [any]
  const void *(*get_extension)(const struct dlens_model *, const char *id);
} dlens_model;

typedef struct dlens_backend {
  uint32_t size;
  uint32_t reserved;
  // How well this backend can run here: 0 = not at all, and `reason` says why; the highest score is taken by
  // "--backend auto", which shows a reason of another code than DLENS_UNAVAILABLE as a warning: something is
  // to be mended. Cheap where it is not the highest; but where the environment has DEPTHLENS_LISTING, plugins
  // are being listed, and what cannot run is to be found out. [main]
  uint32_t (*probe)(dlens_error *reason);
  // *model is freed with its destroy. `weights` and what it points to stay valid until then. [main]
  dlens_status (*model_create)(const dlens_weights *weights, const dlens_model_options *options,
                               dlens_model **model, dlens_error *error);
  // What such a model would take; reads shapes and types of the tensors, not their data. NULL: not known
  // before it is made, and it cannot stream. [main]
  dlens_status (*needs)(const dlens_weights *weights, const dlens_model_options *options,
                        dlens_model_needs *needs, dlens_error *error);
} dlens_backend;

#ifdef __cplusplus
}
#endif

#endif
