// SPDX-License-Identifier: Apache-2.0
// The interface "depthlens.intervene/1", which a backend's model may offer (dlens_model.get_extension): packs
// whose states are changed on their way through the blocks. A draft: it may change until it is said to be
// frozen.
#ifndef DLENS_ABI_INTERVENE_H
#define DLENS_ABI_INTERVENE_H

#include "backend.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DLENS_INTERVENE_INTERFACE "depthlens.intervene/1"

// Changes the residual stream h of a token before a block, for that block and all that follow: what reads of
// the token, of its descendants and of hidden states say is of the changed run, the state at `layer` itself
// too.
typedef struct dlens_edit {
  uint32_t size;
  uint32_t token;       // index in the pack
  uint32_t layer;       // 0..n-1: of the block
  uint32_t how;         // DLENS_EDIT_...
  const float *vector;  // (D) v, finite; NULL = v is the state of another token:
  uint32_t source;      // index in the pack, of its state before the same block and before its edits
  uint32_t reserved;
} dlens_edit;

// What is changed in a pack (dlens_batch.interventions).
typedef struct dlens_interventions {
  uint32_t size;
  uint32_t n_edits;
  const dlens_edit *const *edits;  // (n_edits) one for a token and layer at most
  // (P) a read of the pack whose final output stands for the one at this read: final_top, targets of -1 and
  // KL are of that one; all else is of this read, its readings at layer n too. NULL = each stands for itself.
  const uint32_t *against;
} dlens_interventions;

// That a model has this interface says that it takes dlens_batch.interventions.
typedef struct dlens_intervene {
  uint32_t size;
  uint32_t reserved;
} dlens_intervene;

DLENS_ASSERT(offsetof(dlens_edit, source) == 24);
DLENS_ASSERT(offsetof(dlens_interventions, against) == 16);

#ifdef __cplusplus
}
#endif

#endif
