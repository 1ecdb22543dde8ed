// SPDX-License-Identifier: Apache-2.0
// A backend in plain C: models of the form of Llama in float32. Slow, and all that a backend must be. It
// includes the C interface alone; llama.h is its arithmetic.
#include "depthlens/abi/backend.h"
#include "depthlens/abi/plugin.h"
#include "llama.h"

#include <math.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct longhand {
  dlens_model table;
  dlens_model_info about;
  llama model;
} longhand;

struct dlens_lens {
  uint64_t n;
  dlens_transport transport[];  // (n), whose a and b are copies
};

static dlens_status refuse(dlens_error *error, dlens_status code, const char *what) {
  snprintf(error->message, sizeof error->message, "%s", what);
  return error->code = code;
}

// The likeliest id behind `id`, equal ones by number; -1: of all.
static int32_t next_likely(const double *p, uint32_t n, int32_t id) {
  int32_t best = -1;
  for (int32_t v = 0; v < (int32_t)n; ++v)
    if ((id < 0 || p[v] < p[id] || (p[v] == p[id] && v > id)) && (best < 0 || p[v] > p[best])) best = v;
  return best;
}

// Writes row `at` of (P, L), with L layers, of what a lens reads, beside the final output.
static void measure(const dlens_batch *b, const dlens_readings *to, uint32_t V, uint64_t L, uint64_t at,
                    const double *p, const double *final) {
  double entropy = 0, kl = 0;
  for (uint32_t v = 0; v < V; ++v) entropy -= exp(p[v]) * p[v], kl += exp(final[v]) * (final[v] - p[v]);
  to->entropy[at] = (float)entropy;
  if (to->kl) to->kl[at] = (float)fmax(kl, 0);
  for (uint64_t k = b->target_begin[at / L]; k < b->target_begin[at / L + 1]; ++k) {
    const double own = p[b->targets[k] < 0 ? next_likely(final, V, -1) : b->targets[k]];
    uint32_t above = 0, equal = 0;
    for (uint32_t v = 0; v < V; ++v) above += p[v] > own, equal += p[v] == own;
    const uint64_t row = k * L + at % L;
    to->rank[row] = 1 + above, to->ties[row] = equal - 1, to->logprob[row] = (float)own;
  }
  int32_t id = -1;
  for (uint64_t i = at * b->top_k; i < (at + 1) * b->top_k; ++i) {
    to->top[i] = id = next_likely(p, V, id);
    to->top_logprob[i] = (float)p[id];
  }
}

static dlens_status forward(const dlens_model *self, const dlens_batch *b, int32_t *final_top,
                            const dlens_readings *const *readings, dlens_error *error) {
  static const dlens_transport identity = {.size = sizeof identity};
  const llama *m = &((const longhand *)self->self)->model;
  const dlens_architecture *a = m->arch;
  const uint64_t T = b->n_tokens, d = a->d_model, row = (a->n_layers + 1) * d, V = a->vocab_size;
  const uint64_t kv = T * keys_of_token(m);
  if (DLENS_ASKS_MORE(dlens_batch, b)) return refuse(error, DLENS_UNAVAILABLE, "a newer batch");
  double *h = calloc(T * row + 2 * kv + 2 * V + room_of(m), sizeof *h);  // (T, n + 1, D)
  if (h == NULL) return refuse(error, DLENS_UNAVAILABLE, "out of memory");
  double *keys = h + T * row, *values = keys + kv, *p = values + kv, *final = p + V, *room = final + V;
  for (uint64_t t = 0; t < T; ++t)
    for (uint64_t i = 0; i < d; ++i)
      h[t * row + i] = element(find(m, -1, DLENS_TENSOR_EMBED), (uint64_t)b->tokens[t], i);
  for (uint32_t l = 0; l < a->n_layers; ++l)
    for (uint64_t t = 0; t < T; ++t) {
      double *state = memcpy(h + t * row + (l + 1) * d, h + t * row + l * d, d * sizeof *h);
      run_block(m, (int)l, b, t, state, keys, values, room);
    }
  for (uint64_t r = 0; r < b->n_reads; ++r) {
    const double *states = h + b->read_token[r] * row;
    for (uint64_t i = 0; b->hidden && i < row; ++i) b->hidden[r * row + i] = (float)states[i];
    read_out(m, states + row - d, &identity, room, final);
    final_top[r] = next_likely(final, a->vocab_size, -1);
    for (uint32_t i = 0; i < b->n_lenses; ++i)
      for (uint64_t L = b->lenses[i]->n, l = 0; l < L; ++l) {
        const dlens_transport *t = &b->lenses[i]->transport[l];
        read_out(m, states + t->layer * d, t, room, p);
        measure(b, readings[i], a->vocab_size, L, r * L + l, p, final);
      }
  }
  free(h);
  return DLENS_OK;
}

static const dlens_model_info *info(const dlens_model *self) {
  return &((const longhand *)self->self)->about;
}

static void lens_destroy(const dlens_model *self, dlens_lens *lens) {
  (void)self;
  for (uint64_t i = 0; lens && i < lens->n; ++i)
    free((void *)lens->transport[i].a), free((void *)lens->transport[i].b);
  free(lens);
}

static const float *copy(const float *from, uint64_t n) {
  float *to = from ? malloc(n * sizeof *to) : NULL;
  return to ? memcpy(to, from, n * sizeof *to) : NULL;
}

static dlens_status lens_create(const dlens_model *self, uint64_t n, const dlens_transport *const *layers,
                                dlens_lens **out, dlens_error *error) {
  const uint64_t d = ((const longhand *)self->self)->model.arch->d_model;
  dlens_lens *lens = calloc(1, sizeof *lens + n * sizeof lens->transport[0]);
  int known = lens != NULL;
  for (uint64_t i = 0; known && i < n; ++i, ++lens->n) {
    const dlens_transport *from = layers[i];
    lens->transport[i] =
        (dlens_transport){sizeof *from, from->layer, from->form, 0, copy(from->a, d * d), copy(from->b, d)};
    known = from->form <= DLENS_TRANSPORT_CONSTANT && !DLENS_ASKS_MORE(dlens_transport, from) &&
            !from->a == !lens->transport[i].a && !from->b == !lens->transport[i].b;
  }
  if (known) return *out = lens, DLENS_OK;
  lens_destroy(self, lens);
  return refuse(error, DLENS_UNAVAILABLE, "a lens of a newer interface, or no memory for it");
}

static void destroy(dlens_model *self) { free(self->self); }

// What is missing of, or not known in, a model: an op or a tensor by name; NULL = nothing.
static const char *problem_of(const llama *m, const dlens_model_options *options) {
  static const char *const parts[] = {DLENS_PART_ATTN_NORM, DLENS_PART_Q,  DLENS_PART_K,
                                      DLENS_PART_V,         DLENS_PART_O,  DLENS_PART_FFN_NORM,
                                      DLENS_PART_GATE,      DLENS_PART_UP, DLENS_PART_DOWN};
  static const char *const ops[] = {DLENS_OP_ATTENTION,
                                    DLENS_OP_ROPE_HALF,
                                    DLENS_OP_ROPE_INTERLEAVED,
                                    DLENS_OP_ROPE_PART,
                                    DLENS_OP_DENSE,
                                    DLENS_OP_GATE,
                                    DLENS_OP_SILU,
                                    DLENS_OP_NORM_RMS,
                                    DLENS_OP_PRE_NORMS,
                                    DLENS_OP_SEQUENTIAL,
                                    NULL};
  const dlens_architecture *a = m->arch;
  if (DLENS_ASKS_MORE(dlens_weights, m->weights) || DLENS_ASKS_MORE(dlens_architecture, a) ||
      DLENS_ASKS_MORE(dlens_model_options, options))
    return "a model of a newer interface";
  for (uint64_t i = 0; i < a->n_ops; ++i) {
    uint32_t known = 0;
    while (ops[known] && strcmp(ops[known], a->ops[i]) != 0) ++known;
    if (!ops[known]) return a->ops[i];
  }
  if (strcmp(options->precision, "f32") != 0 || options->stream) return "only float32, held in memory";
  for (uint64_t i = 0; i < m->weights->n_tensors; ++i)
    if (m->weights->tensors[i]->dtype != DLENS_DTYPE_F32) return "only float32 weights";
  if (m->weights->n_tensors != 3 + 9ull * a->n_layers) return "only models of the form of Llama";
  for (uint32_t i = 0; i < 9 * a->n_layers; ++i)
    if (find(m, (int)(i / 9), parts[i % 9]) == NULL) return parts[i % 9];
  return NULL;
}

static dlens_status model_create(const dlens_weights *weights, const dlens_model_options *options,
                                 dlens_model **out, dlens_error *error) {
  longhand *m = calloc(1, sizeof *m);
  if (m == NULL) return refuse(error, DLENS_UNAVAILABLE, "out of memory");
  m->model = (llama){weights, weights->architecture};
  const char *problem = problem_of(&m->model, options);
  if (problem) {
    free(m);
    snprintf(error->message, sizeof error->message, "this backend does not compute \"%s\"", problem);
    return error->code = DLENS_UNAVAILABLE;
  }
  m->about = (dlens_model_info){
      .size = sizeof m->about, .pack_tokens = 256, .weights = "f32", .device = "cpu, plain C"};
  m->table = (dlens_model){.size = sizeof m->table,
                           .self = m,
                           .info = info,
                           .lens_create = lens_create,
                           .lens_destroy = lens_destroy,
                           .forward = forward,
                           .destroy = destroy};
  *out = &m->table;
  return DLENS_OK;
}

static uint32_t probe(dlens_error *reason) { return (void)reason, 1; }

static const void *get_interface(const char *id) {
  static const dlens_backend backend = {.size = sizeof backend, .probe = probe, .model_create = model_create};
  return strcmp(id, DLENS_BACKEND_INTERFACE) == 0 ? &backend : NULL;
}

const dlens_plugin *dlens_entry_v1(void) {
  static const dlens_plugin plugin = {.size = sizeof plugin,
                                      .abi_major = DLENS_ABI_MAJOR,
                                      .abi_minor = DLENS_ABI_MINOR,
                                      .id = "backend.longhand",
                                      .version = "0.0.1",
                                      .summary = "Llama in plain C",
                                      .license = "Apache-2.0",
                                      .build = "C",
                                      .get_interface = get_interface};
  return &plugin;
}
