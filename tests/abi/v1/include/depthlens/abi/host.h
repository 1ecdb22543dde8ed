// SPDX-License-Identifier: Apache-2.0
// What the host offers to plugins: a log, whether to stop, and services by id.
#ifndef DLENS_ABI_HOST_H
#define DLENS_ABI_HOST_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { DLENS_LOG_INFO = 1, DLENS_LOG_WARNING = 2 };

typedef struct dlens_host {
  uint32_t size;
  uint16_t abi_major, abi_minor;  // DLENS_ABI_MAJOR, DLENS_ABI_MINOR the host was built with
  const char *name;               // "depthlens"
  const char *version;            // of the host
  const void *self;
  // One line for the user, on stderr. [any]
  void (*log)(const struct dlens_host *, int32_t level, dlens_text message);
  // 1 = the user wants the program to end: what takes long returns DLENS_CANCELLED soon. [any]
  uint32_t (*should_stop)(const struct dlens_host *);
  // A service, valid as long as the host, or NULL for an id that it does not know. [any]
  const void *(*get_extension)(const struct dlens_host *, const char *id);
} dlens_host;

// The service "depthlens.threads/1": the host's own threads, of which there are as many as the user allowed.
#define DLENS_THREADS_SERVICE "depthlens.threads/1"
typedef struct dlens_threads {
  uint32_t size;
  uint32_t count;  // that compute at once
  const void *self;
  // Calls task(context, i, error) for every i below n, on several threads at once, and returns when all have
  // ended: with the first error, after which no further task begins. [any]
  dlens_status (*parallel_for)(const struct dlens_threads *, uint64_t n,
                               dlens_status (*task)(void *context, uint64_t i, dlens_error *error),
                               void *context, dlens_error *error);
} dlens_threads;

// The service "depthlens.progress/1": what a function that takes long is at.
#define DLENS_PROGRESS_SERVICE "depthlens.progress/1"
typedef struct dlens_progress {
  uint32_t size;
  uint32_t reserved;
  const void *self;
  // share: 0..1 of the work that `what` names, or NaN where it is not known. The user sees it now and then.
  // [any]
  void (*report)(const struct dlens_progress *, double share, dlens_text what);
} dlens_progress;

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
  // The bytes of a sequence of ids as the tokenizer puts them together, which may be invalid UTF-8: up to
  // `capacity` are written, *size is set to the number there are. [any]
  dlens_status (*decode)(const struct dlens_tokenizer *, const int32_t *ids, uint64_t n, char *bytes,
                         uint64_t capacity, uint64_t *size, dlens_error *error);
} dlens_tokenizer;

DLENS_ASSERT(offsetof(dlens_host, get_extension) == 48);
DLENS_ASSERT(offsetof(dlens_threads, parallel_for) == 16);
DLENS_ASSERT(offsetof(dlens_progress, report) == 16);
DLENS_ASSERT(offsetof(dlens_tokenizer, decode) == 48);

#ifdef __cplusplus
}
#endif

#endif
