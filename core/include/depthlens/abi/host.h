// SPDX-License-Identifier: Apache-2.0
// What the host offers to plugins: a log, and services by id.
#ifndef DLENS_ABI_HOST_H
#define DLENS_ABI_HOST_H

#include "types.h"

enum { DLENS_LOG_INFO = 1, DLENS_LOG_WARNING = 2 };

typedef struct dlens_host {
  uint32_t size;
  uint32_t reserved;
  const char *name;     // "depthlens"
  const char *version;  // of the host
  // One line for the user, on stderr. [any]
  void (*log)(int32_t level, dlens_text message);
} dlens_host;

enum {
  DLENS_ENCODE_PROMPT = 1,  // special tokens added as --bos says, special strings recognised
  DLENS_ENCODE_TEXT = 2     // nothing added; special strings are plain text
};

// The model's tokenizer, given to a study for its life.
typedef struct dlens_tokenizer {
  uint32_t size;
  uint32_t vocabulary;  // number of ids; the embedding may have more rows
  const void *self;

  // Writes up to `capacity` ids and sets *count to the number there are; call again with more room if it is
  // larger. mode: DLENS_ENCODE_PROMPT or DLENS_ENCODE_TEXT. [any]
  dlens_status (*encode)(const struct dlens_tokenizer *, dlens_text text, uint32_t mode, int32_t *ids,
                         uint64_t capacity, uint64_t *count, dlens_error *error);
  // The bytes a token stands for inside a text (leading blank kept, may be invalid UTF-8), and whether it is
  // a special token. A view that lives as long as the tokenizer; empty for an id outside 0..vocabulary-1.
  // [any]
  dlens_text (*bytes)(const struct dlens_tokenizer *, int32_t id);
  uint32_t (*is_special)(const struct dlens_tokenizer *, int32_t id);
  // The special ids that DLENS_ENCODE_PROMPT puts in front of every text. [any]
  dlens_status (*prefix)(const struct dlens_tokenizer *, int32_t *ids, uint64_t capacity, uint64_t *count,
                         dlens_error *error);
} dlens_tokenizer;

#endif
