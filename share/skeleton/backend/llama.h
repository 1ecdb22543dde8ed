// SPDX-License-Identifier: Apache-2.0
// The arithmetic of models of the form of Llama: one token after the other, in double. The letters of shapes
// are those of depthlens/abi/backend.h.
#ifndef LLAMA_H
#define LLAMA_H

#include "depthlens/abi/backend.h"

#include <math.h>
#include <string.h>
#include <stdio.h>

typedef struct llama {
  const dlens_weights *weights;  // valid as long as the model
  const dlens_architecture *arch;
} llama;

static const dlens_attention *attention_of(const llama *m, uint32_t block) {
  return m->arch->blocks[block]->attention;
}

// A tensor of a block, or of none (-1); NULL = the model has none of that name.
static const dlens_tensor *find(const llama *m, int block, const char *part) {
  char name[64];
  if (block < 0)
    snprintf(name, sizeof name, "%s", part);
  else
    snprintf(name, sizeof name, "block.%d.%s", block, part);
  for (uint64_t i = 0; i < m->weights->n_tensors; ++i) {
    const dlens_text other = m->weights->tensors[i]->name;
    if (other.size == strlen(name) && memcmp(other.data, name, other.size) == 0)
      return m->weights->tensors[i];
  }
  return NULL;
}

static double element(const dlens_tensor *t, uint64_t r, uint64_t c) {
  const uint64_t row = (r / t->row_group) * t->group_stride + r % t->row_group;
  float f;
  memcpy(&f, (const char *)t->data + sizeof f * (row * t->row_stride + c * t->column_stride), sizeof f);
  return f;
}

// out (rows) = W x
static void multiply(const llama *m, int block, const char *part, const double *x, double *out) {
  const dlens_tensor *w = find(m, block, part);
  for (uint64_t r = 0; r < w->shape[0]; ++r) {
    out[r] = 0;
    for (uint64_t c = 0; c < w->shape[1]; ++c) out[r] += element(w, r, c) * x[c];
  }
}

static void norm(const llama *m, int block, const char *part, const double *x, double *out) {
  const dlens_tensor *w = find(m, block, part);
  const uint64_t d = m->arch->d_model;
  double squares = 0;
  for (uint64_t i = 0; i < d; ++i) squares += x[i] * x[i] / (double)d;
  for (uint64_t i = 0; i < d; ++i) out[i] = x[i] / sqrt(squares + m->arch->norm_eps) * element(w, i, 0);
}

static void rotate(const dlens_attention *a, double *head, int32_t position) {
  const uint32_t half = a->rope_dims / 2;
  const int halves = a->rope_kind == DLENS_ROPE_HALF;
  for (uint32_t i = 0; i < half; ++i) {
    double *one = head + (halves ? i : 2 * i), *other = one + (halves ? half : 1);
    const double angle = (float)position * a->rope_inverse_frequency[i], x = *one, y = *other;
    *one = x * cos(angle) - y * sin(angle);
    *other = x * sin(angle) + y * cos(angle);
  }
}

// Numbers of run_block's room, of the widest block: 2 (D + H hd + F).
static uint64_t room_of(const llama *m) {
  uint64_t most = 0;
  for (uint32_t l = 0; l < m->arch->n_layers; ++l) {
    const dlens_attention *a = attention_of(m, l);
    const uint64_t n = 2 * (m->arch->d_model + (uint64_t)a->n_heads * a->head_dim + m->arch->blocks[l]->d_ff);
    if (n > most) most = n;
  }
  return most;
}

// Numbers of the keys of a token, in the widest block.
static uint64_t keys_of_token(const llama *m) {
  uint64_t most = 0;
  for (uint32_t l = 0; l < m->arch->n_layers; ++l) {
    const uint64_t n = (uint64_t)attention_of(m, l)->n_kv_heads * attention_of(m, l)->head_dim;
    if (n > most) most = n;
  }
  return most;
}

// Token t through block l: h (D) changes. keys, values (T, Hkv hd): of this block, of the tokens before.
// room: see room_of
static void run_block(const llama *m, int l, const dlens_batch *b, uint64_t t, double *h, double *keys,
                      double *values, double *room) {
  const dlens_attention *a = attention_of(m, (uint32_t)l);
  const uint64_t d = m->arch->d_model, hd = a->head_dim, kv = a->n_kv_heads * hd;
  const uint32_t d_ff = m->arch->blocks[l]->d_ff;
  double *x = room, *out = x + d, *q = out + d, *mixed = q + a->n_heads * hd;
  double *gate = mixed + a->n_heads * hd, *up = gate + d_ff;
  norm(m, l, DLENS_PART_ATTN_NORM, h, x);
  multiply(m, l, DLENS_PART_Q, x, q);
  multiply(m, l, DLENS_PART_K, x, keys + t * kv);
  multiply(m, l, DLENS_PART_V, x, values + t * kv);
  for (uint32_t i = 0; i < a->n_kv_heads; ++i) rotate(a, keys + t * kv + i * hd, b->position[t]);
  for (uint32_t i = 0; i < a->n_heads; ++i) {
    const uint64_t shared = i / (a->n_heads / a->n_kv_heads) * hd;
    double sum = 0, *own = mixed + i * hd;
    rotate(a, q + i * hd, b->position[t]);
    memset(own, 0, hd * sizeof *own);
    for (int32_t s = (int32_t)t; s >= 0; s = b->parent[s]) {
      double score = 0;
      for (uint64_t c = 0; c < hd; ++c) score += q[i * hd + c] * keys[(uint64_t)s * kv + shared + c];
      sum += score = exp(score * a->scale);
      for (uint64_t c = 0; c < hd; ++c) own[c] += score * values[(uint64_t)s * kv + shared + c];
    }
    for (uint64_t c = 0; c < hd; ++c) own[c] /= sum;
  }
  multiply(m, l, DLENS_PART_O, mixed, out);
  for (uint64_t i = 0; i < d; ++i) h[i] += out[i];
  norm(m, l, DLENS_PART_FFN_NORM, h, x);
  multiply(m, l, DLENS_PART_GATE, x, gate);
  multiply(m, l, DLENS_PART_UP, x, up);
  for (uint32_t i = 0; i < d_ff; ++i) gate[i] *= up[i] / (1 + exp(-gate[i]));
  multiply(m, l, DLENS_PART_DOWN, gate, out);
  for (uint64_t i = 0; i < d; ++i) h[i] += out[i];
}

// p (V): the log-probabilities of a state h (D), carried as the transport says. room: (2 D)
static void read_out(const llama *m, const double *h, const dlens_transport *t, double *room, double *p) {
  const uint64_t d = m->arch->d_model;
  const int keeps = t->form == DLENS_TRANSPORT_IDENTITY || t->form == DLENS_TRANSPORT_RESIDUAL;
  for (uint64_t r = 0; r < d; ++r) {
    room[r] = (keeps ? h[r] : 0) + (t->b ? t->b[r] : 0);
    for (uint64_t c = 0; t->a && c < d; ++c) room[r] += t->a[r * d + c] * h[c];
  }
  norm(m, -1, DLENS_TENSOR_FINAL_NORM, room, room + d);
  multiply(m, -1, DLENS_TENSOR_UNEMBED, room + d, p);
  double sum = 0;
  for (uint64_t v = 0; v < m->arch->vocab_size; ++v) sum += exp(p[v]);
  for (uint64_t v = 0; v < m->arch->vocab_size; ++v) p[v] -= log(sum);
}

#endif
