// SPDX-License-Identifier: Apache-2.0
// The interface "depthlens.jacobian/1", which a backend's model may offer (dlens_model.get_extension): how
// the states behind the last block change with those behind each block before it, from which a Jacobian lens
// is made. A draft: it may change without a further name.
#ifndef DLENS_ABI_JACOBIAN_H
#define DLENS_ABI_JACOBIAN_H

#include "backend.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DLENS_JACOBIAN_INTERFACE "depthlens.jacobian/1"

typedef struct dlens_jacobian_options {
  uint32_t size;
  uint32_t threads;  // that a call may use
} dlens_jacobian_options;

// Of a pack whose reads fall at the positions S, for each layer l = 1..n-1, with h_l the states (D) there:
//   J_l = 1/|S| * sum over p in S, over q in S of p's text with q >= p, of d h_n[q] / d h_l[p]
// so J_l (D, D) carries the output of block l - 1: its row i is what output i of the last block gets from it.
// Later positions count because a state is read by them, too. This is how published Jacobian lenses are
// made; their mean over texts is the host's. One call at a time.
typedef struct dlens_jacobian {
  uint32_t size;
  uint32_t reserved;
  void *self;

  // Runs a pack forward, side by side `copies` times (1 or more), and holds what derivatives take until the
  // next begin or the end: memory for copies * n_tokens tokens in all blocks. Of the pack its tokens and
  // reads count. Errors: those of a forward call. [main]
  dlens_status (*begin)(struct dlens_jacobian *, const dlens_batch *batch, uint32_t copies,
                        dlens_error *error);
  // values (n - 1, count, D), n being the model's blocks: rows first..first+count-1 of J_1..J_{n-1} of the
  // pack of the last begin, count <= copies. [main]
  dlens_status (*rows)(struct dlens_jacobian *, uint32_t first, uint32_t count, float *values,
                       dlens_error *error);
  void (*destroy)(struct dlens_jacobian *);  // [main]
} dlens_jacobian;

typedef struct dlens_jacobians {
  uint32_t size;
  uint32_t reserved;
  // *jacobian is of the model that was asked for this interface, and freed by its destroy before the model
  // is. Errors: DLENS_UNAVAILABLE for a model that has nothing to differentiate, of one block. [main], no
  // forward call while one of its functions runs.
  dlens_status (*jacobian_create)(const dlens_model *, const dlens_jacobian_options *options,
                                  dlens_jacobian **jacobian, dlens_error *error);
} dlens_jacobians;

DLENS_ASSERT(offsetof(dlens_jacobian_options, threads) == 4);
DLENS_ASSERT(offsetof(dlens_jacobian, destroy) == 32);
DLENS_ASSERT(offsetof(dlens_jacobians, jacobian_create) == 8);

#ifdef __cplusplus
}
#endif

#endif
