// SPDX-License-Identifier: Apache-2.0
// Between the plugin, which needs no libtorch, and the engine, a library of its own that is linked with it:
// one function by name, and the table that it returns.
#ifndef DLENS_TORCH_ENGINE_H
#define DLENS_TORCH_ENGINE_H

#include "depthlens/abi/backend.h"

#define DLENS_TORCH_ENGINE_SYMBOL "dlens_torch_engine_v1"

typedef struct dlens_torch_engine {
  uint32_t size;
  uint32_t abi_major, abi_minor;  // of the interface that it was built for
  uint32_t reserved;
  // As dlens_backend.model_create.
  dlens_status (*model_create)(const dlens_weights *weights, const dlens_model_options *options,
                               dlens_model **model, dlens_error *error);
  // As dlens_backend.needs.
  dlens_status (*needs)(const dlens_weights *weights, const dlens_model_options *options,
                        dlens_model_needs *needs, dlens_error *error);
} dlens_torch_engine;

typedef const dlens_torch_engine *(*dlens_torch_engine_entry)(void);

#endif
